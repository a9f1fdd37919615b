"""The handwritten digits on which the theorems are shown on real input."""

from importlib import resources
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from tripartite.core.arguments import checked

_SPLIT_SEED = 2023
_FOLDS = 5
_BRIGHTEST = 16


class Digits(NamedTuple):
    """Handwritten digits: pictures of brightness 0 to 1 (dimensionless), and what they show."""

    images: Float[Array, "pictures 8 8"]
    labels: Int[Array, " pictures"]


class Split(NamedTuple):
    """Indices of the pictures to learn from and of those held out."""

    train: Int[np.ndarray, " train"]
    test: Int[np.ndarray, " test"]


def load_digits() -> Digits:
    """The 1,797 handwritten digits of UCI and scikit-learn, shipped with the package.

    Brightness is a whole number of sixteenths, so it is exact in every floating-point precision.
    The pictures come in JAX's default precision (float64 where `jax_enable_x64` is on).

    Returns `images` of shape (1797, 8, 8), in [0, 1], and `labels` of shape (1797,), 0 to 9.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi 10.24432/C50P49, CC BY 4.0.
    """
    source = resources.files("tripartite.proofs").joinpath("assets/digits.npz")
    with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    return Digits(
        jnp.asarray(images, dtype=float) / _BRIGHTEST,
        jnp.asarray(labels, dtype=int),
    )


@checked
def split_digits(labels: Int[Array, " pictures"]) -> Split:
    """Hold out a fixed fifth of the pictures, the same fraction of each digit.

    The order within each digit is that of raw 64-bit draws of PCG64, a stream which NumPy
    promises never to change; both index arrays are sorted.

    **Arguments:** `labels`, what each picture shows, shape (pictures,).

    Returns `train` and `test`: they share no picture and together name every one.
    """
    shown = np.asarray(labels)
    draws = np.random.PCG64(_SPLIT_SEED).random_raw(shown.size)
    held_out = np.zeros(shown.size, dtype=bool)
    for digit in np.unique(shown):
        members = np.flatnonzero(shown == digit)
        shuffled = members[np.argsort(draws[members], kind="stable")]
        held_out[shuffled[: round(members.size / _FOLDS)]] = True
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))
