"""Distances between spike trains."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.core.arguments import checked
from tripartite.core.errors import as_numbers, is_concrete


@checked
def van_rossum(a: Float[Array, " n"], b: Float[Array, " m"], tau: Any) -> Array:
    """The squared distance of van Rossum between two spike trains.

    Each spike becomes exp(-(t - t_i) / tau) from t_i on, and D^2 is the integral of the squared
    difference of the two sums over tau, in closed form

        D^2 = (S(a, a) + S(b, b)) / 2 - S(a, b),    S(x, y) = sum of e^(-|x_i - y_j| / tau)

    One spike more or less is 1/2. van Rossum, Neural Computation 13, 751 (2001).

    It can be differentiated with respect to times and `tau`, except where a spike of one passes one
    of the other (a kink) or comes or goes (a jump of 1/2, which no derivative sees).

    **Arguments:** `a`, `b`: times in ms, in any order, padded with infinity where the number may
    change (`fit.crossing_times`); `tau` in ms.

    **Raises:** `ValueError` for times that are no vector, a NaN, or a `tau` that is not positive.
    """
    a, b = _train("a", a), _train("b", b)
    if is_concrete(tau) and not np.all(as_numbers("tau", tau) > 0):
        raise ValueError(f"tau must be positive, got {tau} ms.")
    return _van_rossum(a, b, jnp.asarray(tau, a.dtype))


@checked
def victor_purpura(a: Float[Array, " n"], b: Float[Array, " m"], cost: Any) -> Array:
    """The distance of Victor and Purpura: the least cost of turning one train into the other.

    A spike is added or taken away at a cost of 1, and moved by dt at `cost |dt|`; found by dynamic
    programming over pairs of spikes, G(i, j) the least cost of the first i and the first j:

        G(i, j) = min(G(i-1, j) + 1, G(i, j-1) + 1, G(i-1, j-1) + cost |a_i - b_j|)

    Victor and Purpura, J. Neurophysiol. 76, 1310 (1996). At cost 0 it is the difference of the
    numbers of spikes. Its derivative with respect to a time is that of the best pairing: `cost`
    towards its partner, or 0 for a spike without one; it jumps where another pairing becomes best.

    **Arguments:** `a`, `b`: times in ms, ascending, padded with infinity at the end where the
    number may change; `cost` in 1/ms.

    **Raises:** `ValueError` for times that are no vector, that descend, a NaN, or a negative cost.
    """
    a, b = _train("a", a), _train("b", b)
    for name, times in (("a", a), ("b", b)):
        if is_concrete(times) and np.any(np.diff(_finite(np.asarray(times))) < 0):
            raise ValueError(f"{name} must ascend: sort the spike times first.")
    if is_concrete(cost) and not np.all(as_numbers("cost", cost) >= 0):
        raise ValueError(f"cost must not be negative, got {cost} /ms.")
    return _victor_purpura(a, b, jnp.asarray(cost, a.dtype))


@jax.jit
def _van_rossum(a: Array, b: Array, tau: Array) -> Array:
    return 0.5 * (_overlap(a, a, tau) + _overlap(b, b, tau)) - _overlap(a, b, tau)


@jax.jit
def _victor_purpura(a: Array, b: Array, cost: Array) -> Array:
    # A time at infinity is no spike: it comes and goes for nothing, and is never moved.
    there_a, there_b = jnp.isfinite(a), jnp.isfinite(b)
    moves = cost * jnp.abs(_kept(a, there_a)[:, None] - _kept(b, there_b)[None, :])
    # More than any way through the table costs.
    never = jnp.asarray(2.0 + a.size + b.size, a.dtype)
    moves = jnp.where(there_a[:, None] & there_b[None, :], moves, never)
    take, add = there_a.astype(a.dtype), there_b.astype(a.dtype)
    added = jnp.concatenate([jnp.zeros_like(cost)[None], jnp.cumsum(add)])

    def row(above: Array, step: tuple[Array, Array]) -> tuple[Array, None]:
        taken, moved = step
        here = jnp.concatenate(
            [above[:1] + taken, jnp.minimum(above[1:] + taken, above[:-1] + moved)]
        )
        # min over k <= j of here(k) + the spikes of b added from k to j.
        return jax.lax.cummin(here - added) + added, None

    final, _ = jax.lax.scan(row, added, (take, moves))
    return final[-1]


def _overlap(a: Array, b: Array, tau: Array) -> Array:
    there = jnp.isfinite(a)[:, None] & jnp.isfinite(b)[None, :]
    apart = jnp.abs(_kept(a, jnp.isfinite(a))[:, None] - _kept(b, jnp.isfinite(b))[None, :])
    return jnp.sum(jnp.where(there, jnp.exp(-apart / tau), 0.0))


def _kept(times: Array, there: Array) -> Array:
    """Zero where there is no spike: infinity less infinity would be a NaN in the derivative."""
    return jnp.where(there, times, 0.0)


def _finite(times: np.ndarray) -> np.ndarray:
    return times[np.isfinite(times)]


def _train(name: str, times: Any) -> Array:
    times = jnp.asarray(as_numbers(name, times) if is_concrete(times) else times)
    times = times if jnp.issubdtype(times.dtype, jnp.floating) else times.astype(float)
    if times.ndim != 1:
        raise ValueError(f"{name} must be a vector of spike times in ms, got shape {times.shape}.")
    if is_concrete(times) and np.any(np.isnan(np.asarray(times))):
        raise ValueError(f"{name} holds a NaN: pad missing spikes with infinity.")
    return times
