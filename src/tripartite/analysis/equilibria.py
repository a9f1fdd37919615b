"""Where a model rests, and whether it stays there."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optimistix
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Complex, Float, PyTree

from tripartite.core import AbstractDynamics, prefix_leaves
from tripartite.core.arguments import checked
from tripartite.core.errors import require_above_zero


def moving(model: AbstractDynamics, y: PyTree[Array]) -> tuple[Array, Callable[[Array], Any]]:
    """The integrated states as one vector, and the way back (held states stay as in `y`)."""
    leaves, structure = jax.tree.flatten(y)
    held = [block is None for block in prefix_leaves(model.blocks(), y)]
    vector, rebuild = ravel_pytree([x for x, h in zip(leaves, held, strict=True) if not h])

    def back(flat: Array) -> PyTree[Array]:
        parts = iter(rebuild(flat))
        return jax.tree.unflatten(
            structure, [x if h else next(parts) for x, h in zip(leaves, held, strict=True)]
        )

    return vector, back


def slope_of(
    model: AbstractDynamics, y: PyTree[Array], u: Any
) -> tuple[Array, Callable[[Array], Array], Callable[[Array], Any]]:
    """The integrated states, their derivative as a function of them, and the way back."""
    flat, back = moving(model, y)
    t = jnp.zeros((), flat.dtype)

    def slope(x: Array) -> Array:
        return moving(model, model.vector_field(t, back(x), u))[0]

    return flat, slope, back


@checked
def steady_state(
    model: AbstractDynamics,
    u: PyTree[Array] | None = None,
    *,
    y0: PyTree[Array] | None = None,
    tolerance: float | None = None,
) -> PyTree[Array]:
    """The state at which nothing moves: `vector_field(0, y, u) = 0`, near `y0`.

    Found by Powell's dogleg method (optimistix), and differentiable with respect to the model
    and the input by the implicit function theorem. Stable or not: see `eigenvalues`.

    **Arguments:** `u` the input; `y0` where to start (default: `model.init()`); `tolerance` of the
    state, absolute and relative (default: eps^(2/3)).

    **Raises:** an Equinox run-time error if no such state is found.
    """
    start, slope, back = slope_of(model, model.init() if y0 is None else y0, u)
    if tolerance is not None:
        require_above_zero("tolerance", tolerance, "leave it out for eps^(2/3)")
    small = float(jnp.finfo(start.dtype).eps) ** (2 / 3) if tolerance is None else tolerance
    solver = optimistix.Dogleg(rtol=small, atol=small)
    solution = optimistix.root_find(lambda x, _: slope(x), solver, start, max_steps=2000)
    return back(solution.value)


@checked
def jacobian(
    model: AbstractDynamics, y: PyTree[Array], u: PyTree[Array] | None = None
) -> Float[Array, "states states"]:
    """The Jacobian of the vector field in the integrated states, by forward mode (1/ms)."""
    flat, slope, _ = slope_of(model, y, u)
    return jax.jacfwd(slope)(flat)


@checked
def eigenvalues(
    model: AbstractDynamics, y: PyTree[Array], u: PyTree[Array] | None = None
) -> Complex[Array, " states"]:
    """The eigenvalues of the Jacobian at `y` (1/ms), the one with the largest real part first.

    An equilibrium is stable if that real part is negative. A complex pair `a +- ib` rings at
    1000 b / (2 pi) Hz.
    """
    found = jnp.linalg.eigvals(jacobian(model, y, u))
    return found[jnp.argsort(-found.real)]
