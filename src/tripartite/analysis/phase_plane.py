"""The flow in the plane of two states, with the others held."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.analysis.equilibria import slope_of
from tripartite.core import AbstractDynamics


class PhasePlane(NamedTuple):
    """A grid of two states and their derivatives.

    `x` (n,) and `y` (n,), in the states' units; `dx` and `dy` (n, n), per ms, with `dx[j, i]` at
    `(x[i], y[j])`. The nullclines are the zero contours of `dx` and of `dy`.
    """

    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray


def phase_plane(
    model: AbstractDynamics,
    x: tuple[float, float],
    y: tuple[float, float],
    *,
    states: tuple[int, int] = (0, 1),
    u: Any = None,
    at: PyTree[Array] | None = None,
    points: int = 101,
) -> PhasePlane:
    """The derivatives of two states over a grid, the others held at `at`.

    **Arguments:**

    - `x`, `y`: the range of each, in its unit.
    - `states`: which of the integrated states, counted in the order of `tripartite.summary`.
    - `u`: the input; `at`: the state whose other entries are kept (default: `model.init()`).

    **Raises:** `ValueError` if `states` names one that is not there, or the same one twice.
    """
    flat, slope, _ = slope_of(model, model.init() if at is None else at, u)
    first, second = states
    if first == second or not all(0 <= i < flat.size for i in states):
        raise ValueError(
            f"states must be two different numbers from 0 to {flat.size - 1}, got {states}."
        )
    xs, ys = (jnp.linspace(*ends, points, dtype=flat.dtype) for ends in (x, y))

    def at_point(a: Array, b: Array) -> tuple[Array, Array]:
        d = slope(flat.at[first].set(a).at[second].set(b))
        return d[first], d[second]

    rows = jax.vmap(jax.vmap(at_point, in_axes=(0, None)), in_axes=(None, 0))
    dx, dy = jax.jit(rows)(xs, ys)
    return PhasePlane(*(np.asarray(part) for part in (xs, ys, dx, dy)))
