"""Recurrent rate units, excitatory and inhibitory."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter
from tripartite.core.errors import concrete_float, is_concrete
from tripartite.layers.positive import require_size, unconstrained

_PAPER = "Song, Yang & Wang, PLoS Comput Biol 12, e1004792 (2016)"


class DaleState(NamedTuple):
    """`x`, `[units]`, a pure number."""

    x: Array


class DaleRecurrent(AbstractRelaxation):
    """`tau dx/dt = -x + W r + W_in u + b` with rates `r = max(x, 0)`, and Dale's law in W.

    The columns of W of the first `excitatory` units are positive, of the others negative, W_in is
    positive and no unit reaches itself. What is stored, and trained, is `strength` and `afferent`,
    of which softplus makes the sizes: no optimiser can change a sign. (The paper rectifies the
    weights.)

    It starts as in the paper: sizes from a gamma distribution of shape 2, those of inhibition
    multiplied so that a row's excitation and inhibition balance in the mean, all of them then
    scaled to a spectral radius of `radius`; the spectrum at the start matters more for learning
    than the signs do (Li, Cornford et al., NeurIPS 2023).

    Solved, recorded and differentiated as any other dynamics: `simulate(model, stimulus, ...)`
    with a stimulus of value `[inputs]`.

    **Arguments:** `inputs`, `units`: how many; `excitatory`: how many of the units (default: four
    of five); `tau` in ms; `radius`: the spectral radius of W at the start; `key`.

    **Raises:** `ValueError` for a size that is not a positive integer, no unit of one kind, a time
    constant or a radius that is not positive, or when made inside `jit`.
    """

    excitatory: int = eqx.field(static=True)
    strength: Parameter = parameter(None, "1", source=_PAPER)
    afferent: Parameter = parameter(None, "1", source=_PAPER)
    bias: Parameter = parameter(None, "1", source=_PAPER)
    tau: Parameter = parameter(None, "ms", positive=True, source=_PAPER)
    x_init: Parameter = parameter(None, "1")

    def __init__(
        self,
        inputs: int,
        units: int,
        *,
        excitatory: int | None = None,
        tau: Any = 100.0,
        radius: float = 1.5,
        key: PRNGKeyArray,
    ) -> None:
        n_in = require_size("DaleRecurrent", "inputs", inputs, 1)
        n = require_size("DaleRecurrent", "units", units, 2)
        given = round(0.8 * n) if excitatory is None else excitatory
        self.excitatory = require_size("DaleRecurrent", "excitatory", given, 1, n - 1)
        if concrete_float("radius", radius) <= 0:
            raise ValueError(f"DaleRecurrent: radius must be positive, got {radius}.")
        size, afferent = _sizes(key, n, n_in)
        self.strength = unconstrained(size * _balance(size, self.excitatory, radius))
        self.afferent = unconstrained(afferent)
        self.bias = jnp.zeros((n,), size.dtype)
        self.x_init = jnp.full((n,), 0.1, size.dtype)
        self.tau = tau

    def weights(self) -> Array:
        """W `[units, units]`, from column to row."""
        size = jax.nn.softplus(self.strength)
        return size * jnp.asarray(_signs(size.shape[0], self.excitatory), size.dtype)

    def init(self) -> DaleState:
        """Slightly active: at zero the rates would have no derivative."""
        return DaleState(self.x_init)

    def units(self) -> DaleState:
        """Pure numbers."""
        return DaleState("1")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> str:
        """Pure numbers."""
        return "1"

    def ports(self, y: DaleState) -> dict[str, Array]:
        """`x`, and the `rate` max(x, 0)."""
        return {"x": y.x, "rate": jax.nn.relu(y.x)}

    def relax(self, t: Array, y: DaleState, u: Any) -> Relaxation:
        """Drive `(W r + W_in u + b) / tau`, decay `1 / tau`."""
        drive = self.weights() @ jax.nn.relu(y.x) + self.bias
        if u is not None:
            given = jnp.broadcast_to(u, (self.afferent.shape[1],))
            drive = drive + jax.nn.softplus(self.afferent) @ given
        rate = 1.0 / self.tau + jnp.zeros_like(y.x)
        return Relaxation(DaleState(drive / self.tau), DaleState(rate))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _sizes(key: PRNGKeyArray, n: int, n_in: int) -> tuple[Array, Array]:
    """Of shape 2 and mean 0.1: sums of two exponentially distributed numbers."""
    drawn = jax.random.exponential(key, (2, n, n + n_in))
    size = 0.05 * jnp.sum(drawn, axis=0)
    return size[:, :n], size[:, n:]


def _signs(n: int, excitatory: int) -> np.ndarray:
    """+1 in the columns of excitatory units, -1 in the others, 0 on the diagonal."""
    column = np.where(np.arange(n) < excitatory, 1.0, -1.0)
    return column[None, :] * (1.0 - np.eye(n))


def _balance(size: Array, excitatory: int, radius: float) -> Array:
    """What each column's sizes are multiplied by: excitation balanced, then the radius."""
    if not is_concrete(size):
        raise ValueError(
            "DaleRecurrent cannot be made inside jit or vmap: its start needs eigenvalues, which "
            "are found in NumPy. Make it outside and pass it in."
        )
    n = size.shape[0]
    signed = np.asarray(size, float) * _signs(n, excitatory)
    column = np.where(np.arange(n) < excitatory, 1.0, excitatory / (n - excitatory))
    largest = np.max(np.abs(np.linalg.eigvals(signed * column)))
    return jnp.asarray(np.broadcast_to(column * radius / largest, (n, n)), size.dtype)
