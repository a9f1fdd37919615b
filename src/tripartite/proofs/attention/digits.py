"""Real input: handwritten digits through a vision transformer whose attention is the circuit."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.attention import (
    AbstractFeatureMap,
    OneProcessPerToken,
    PositiveRandom,
    circuit_attention,
    fixed_point,
    linear_attention,
)
from tripartite.core.arguments import checked
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.digits import load_digits, split_digits
from tripartite.proofs.digits_transformer import DigitsTransformer, load_digits_transformer

FEATURE_COUNTS = (16, 64, 256, 1024)
_HEAD_SIZE = 8
_BATCH = 32
_INTEGRATED = 32
# Layers, residual sums and normalisations through which a token's error passes: 2 layers of
# attention, perceptron and norms on sums of up to 64 terms, each worth some tens of eps.
_DEPTH = 1e4


def circuit_digits_claims() -> Iterator[Claim]:
    """Every attention of every layer and head replaced by the circuit."""
    compared = functools.cache(_compare)
    yield Claim(
        name="digits: every attention the circuit's fixed point, 1,797 pictures, logits",
        rung="real input",
        bound=_DEPTH * machine_epsilon(),
        why="round-off of two layers, relative to the largest logit: some 1e4 operations on each "
        "path; float64: below 1e-6",
        measure=lambda: compared().logit_gap,
        float64_only=False,
        note=lambda: compared().note,
    )
    yield Claim(
        name="digits: predictions changed by the circuit's fixed point, 1,797 pictures",
        rung="real input",
        bound=0.0,
        why="the logits agree far below the distance between the first and the second",
        measure=lambda: float(compared().changed),
    )
    integrated = functools.cache(_integrate)
    yield Claim(
        name=f"digits: every attention integrated, {_INTEGRATED} test pictures, logits",
        rung="real input",
        bound=10 * _DEPTH * machine_epsilon(),
        why="as for the fixed point, which exponential steps leave alone, with ten for the steps "
        "whose round-off one relaxation remembers; float64: below 1e-6",
        measure=lambda: integrated().logit_gap,
        note=lambda: integrated().note,
    )
    yield Claim(
        name=f"digits: predictions changed by integration, {_INTEGRATED} test pictures",
        rung="real input",
        bound=0.0,
        why="the logits agree far below the distance between the first and the second",
        measure=lambda: float(integrated().changed),
    )


class Comparison(NamedTuple):
    """Circuit against softmax: largest logit gap (relative), predictions changed, and words."""

    logit_gap: float
    changed: int
    note: str


@eqx.filter_jit
def _logits(
    model: DigitsTransformer,
    images: Float[Array, "pictures 8 8"],
    attention: Callable[..., Array] | None = None,
    features: AbstractFeatureMap | None = None,
) -> Float[Array, "pictures 10"]:
    """With `attention` of `features` in each head, or with the transformer's own softmax."""
    one = model
    if attention is not None:
        one = functools.partial(model, attend=jax.vmap(functools.partial(attention, features)))
    # Batches keep a layer's features within the processor's caches. Whole ones, or the rest would
    # be compiled a second time: fill up with blank pictures.
    blank = jnp.zeros((-len(images) % _BATCH, 8, 8), images.dtype)
    batches = jnp.concatenate([images, blank]).reshape(-1, _BATCH, 8, 8)
    return jax.lax.map(jax.vmap(one), batches).reshape(-1, 10)[: len(images)]


def _gap(found: Array, expected: Array) -> tuple[float, int]:
    changed = jnp.sum(jnp.argmax(found, -1) != jnp.argmax(expected, -1))
    return float(jnp.max(jnp.abs(found - expected)) / jnp.max(jnp.abs(expected))), int(changed)


def _compare() -> Comparison:
    model, digits = load_digits_transformer(), load_digits()
    expected = _logits(model, digits.images)
    found = _logits(model, digits.images, fixed_point, OneProcessPerToken())
    test = split_digits(digits.labels).test
    right = jnp.argmax(found, -1)[test] == digits.labels[test]
    note = f"{100 * float(jnp.mean(right)):.2f} % of the {len(test)} held out are read correctly."
    return Comparison(*_gap(found, expected), note)


def _integrate() -> Comparison:
    model, digits = load_digits_transformer(), load_digits()
    test = split_digits(digits.labels).test[:_INTEGRATED]
    found, runs = _integrated_logits(model, digits.images[test])
    settled = max(float(jnp.max(run.settling_time)) for run in runs)
    states = sum(int(jnp.sum(run.states)) for run in runs)
    note = (
        f"{states:,} states of reading circuits integrated; within 1e-6 of the output after at "
        f"most {settled:.3g} ms (tau_n = tau_s = 1 ms)."
    )
    return Comparison(*_gap(found, _logits(model, digits.images)[test]), note)


@eqx.filter_jit
def _integrated_logits(model: DigitsTransformer, images: Array) -> tuple[Array, list[Any]]:
    """The logits, and one `CircuitAttention` per layer with leading axes (pictures, heads)."""
    head = functools.partial(circuit_attention, OneProcessPerToken(), dt=0.5, t_read=50.0)

    def picture(image: Array) -> tuple[Array, list[Any]]:
        runs = []

        def attend(q: Array, k: Array, v: Array) -> Array:
            runs.append(jax.vmap(head)(q, k, v))
            return runs[-1].output

        return model(image, attend), runs

    return jax.vmap(picture)(images)


class RandomFeatureCurve(NamedTuple):
    """Digits read with m positive random features in place of softmax, held-out pictures.

    - `features`: the numbers m.
    - `accuracy`: fraction read correctly, shape as `features`; `softmax_accuracy` with softmax.
    - `logit_error`: root mean square of the change of a logit over that of the logit itself.
    """

    features: np.ndarray
    accuracy: np.ndarray
    softmax_accuracy: float
    logit_error: np.ndarray


@checked
def random_feature_curve(features: tuple[int, ...] = FEATURE_COUNTS) -> RandomFeatureCurve:
    """Accuracy and logit error of the digits transformer against the number of random features.

    **Arguments:** `features` the numbers m to try.
    """
    return _random_feature_curve(features, jnp.result_type(float).name)


@functools.lru_cache(maxsize=8)
def _random_feature_curve(features: tuple[int, ...], precision: str) -> RandomFeatureCurve:
    """Remembered, by the precision in force too: the claims and the figure want the same.

    The first m of one set of features, so that what changes along the curve is m.
    """
    del precision
    model, digits = load_digits_transformer(), load_digits()
    test = split_digits(digits.labels).test
    images, labels = digits.images[test], digits.labels[test]
    # Of all pictures, a shape for which it may be compiled already.
    expected = _logits(model, digits.images)[test]
    accuracy, error = [], []
    largest = PositiveRandom(max(features), _HEAD_SIZE, key=jax.random.key(15), orthogonal=True)
    for m in features:
        random = eqx.tree_at(lambda f: f.projection, largest, largest.projection[:m])
        found = _logits(model, images, linear_attention, random)
        accuracy.append(float(jnp.mean(jnp.argmax(found, -1) == labels)))
        error.append(float(jnp.linalg.norm(found - expected) / jnp.linalg.norm(expected)))
    right = float(jnp.mean(jnp.argmax(expected, -1) == labels))
    return RandomFeatureCurve(np.array(features), np.array(accuracy), right, np.array(error))


def random_feature_digits_claims() -> Iterator[Claim]:
    """What positive random features cost on the digits, in logits and in accuracy."""
    curve = random_feature_curve
    pictures = len(split_digits(load_digits().labels).test)
    first, last = FEATURE_COUNTS[0], FEATURE_COUNTS[-1]
    yield Claim(
        name=f"digits: logit error of {last:,} positive random features over that of {first}",
        rung="real input",
        bound=0.5,
        why=f"half at least; the ideal rate m^(-1/2) gives {(first / last) ** 0.5:.3g}, which the "
        "exp(|q+k|^2) of trained queries and keys flattens",
        measure=lambda: float(curve().logit_error[-1] / curve().logit_error[0]),
        float64_only=False,
        note=lambda: _curve_note(curve()),
    )
    yield Claim(
        name=f"digits: accuracy with {last:,} positive random features, distance from softmax's",
        rung="real input",
        bound=2 * (0.96 * 0.04 / pictures) ** 0.5,
        why=f"two standard errors of an accuracy of 96 % on {pictures} held-out pictures",
        measure=lambda: float(abs(curve().accuracy[-1] - curve().softmax_accuracy)),
        float64_only=False,
    )


def _curve_note(curve: RandomFeatureCurve) -> str:
    rows = zip(curve.features, curve.accuracy, curve.logit_error, strict=True)
    return "m, accuracy, logit error: " + "; ".join(f"{m}, {a:.3f}, {e:.2g}" for m, a, e in rows)
