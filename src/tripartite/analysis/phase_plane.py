"""The flow in the plane of two states, with the others held."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.analysis.equilibria import slope_of
from tripartite.core import AbstractDynamics
from tripartite.core.arguments import checked


class PhasePlane(NamedTuple):
    """A grid of two states and their derivatives.

    `x` (n,) and `y` (n,), in the states' units; `dx` and `dy` (n, n), per ms, with `dx[j, i]` at
    `(x[i], y[j])`. The nullclines are the zero contours of `dx` and of `dy`.
    """

    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray


@checked
def phase_plane(
    model: AbstractDynamics,
    x: Sequence[float],
    y: Sequence[float],
    *,
    states: Sequence[int] = (0, 1),
    u: PyTree[Array] | None = None,
    at: PyTree[Array] | None = None,
    points: int = 101,
) -> PhasePlane:
    """The derivatives of two states over a grid, the others held at `at`.

    **Arguments:**

    - `x`, `y`: the range of each, in its unit.
    - `states`: which of the integrated states, counted in the order of `tripartite.summary`.
    - `u`: the input; `at`: the state whose other entries are kept (default: `model.init()`).

    **Raises:** `ValueError` for what is no range, or if `states` names one that is not there, or
    the same one twice.
    """
    flat, slope, _ = slope_of(model, model.init() if at is None else at, u)
    if len(x) != 2 or len(y) != 2 or points < 2:
        raise ValueError(
            f"x and y must each be a range, (from, to), and points at least 2, got {x}, {y} and "
            f"{points}."
        )
    if len(set(states)) != 2 or len(states) != 2 or not all(0 <= i < flat.size for i in states):
        raise ValueError(
            f"states must be two different numbers from 0 to {flat.size - 1}, got {states}."
        )
    first, second = states
    xs, ys = (jnp.linspace(ends[0], ends[1], points, dtype=flat.dtype) for ends in (x, y))

    def at_point(a: Array, b: Array) -> tuple[Array, Array]:
        d = slope(flat.at[first].set(a).at[second].set(b))
        return d[first], d[second]

    rows = jax.vmap(jax.vmap(at_point, in_axes=(0, None)), in_axes=(None, 0))
    dx, dy = jax.jit(rows)(xs, ys)
    return PhasePlane(*(np.asarray(part) for part in (xs, ys, dx, dy)))
