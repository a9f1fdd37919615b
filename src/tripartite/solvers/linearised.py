"""The derivative of a scan by linearising every step at once.

Of the trajectory y' = F(y, p), the derivative obeys dy' = J dy + b with J = dF/dy and b = dF/dp dp.
J and b of every step can be had together, as arrays over time, once the trajectory is known; what
is left to do in sequence is one small matrix times a vector. For a few states this is ten to
twenty times faster than differentiating step by step, whose loop body is too large for XLA to
compile as one piece.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

# One step: `(context, y, solver's state, number) -> (y, solver's state)`.
Move = Callable[[Any, PyTree[Array], Any, Array], tuple[PyTree[Array], Any]]


def trajectory(move: Move, context: Any, start: Any, numbers: Array) -> tuple[Any, Any]:
    """The `(y, solver's state)` after the steps, and both before each step."""
    y, _ = start
    packed, unpack = ravel_pytree(y)
    # In eight bytes a number, a loop that carries the states one by one is too large for XLA to
    # compile as one piece (four times slower); as one vector it is not.
    if packed.dtype.itemsize <= 4:
        packed, unpack = y, _itself

    def one(carry: Any, i: Array) -> tuple[Any, Any]:
        x, solver_state = carry
        y, solver_state = move(context, unpack(x), solver_state, i)
        return (y if unpack is _itself else ravel_pytree(y)[0], solver_state), carry

    (x, solver_state), (xs, states) = jax.lax.scan(one, (packed, start[1]), numbers)
    return (unpack(x), solver_state), (jax.vmap(unpack)(xs), states)


def tangents(
    move: Move, context: Any, dcontext: Any, dy: PyTree[Array], before: Any, numbers: Array
) -> PyTree[Array]:
    """`dy` after each step, given `(y, solver's state)` before each step.

    **Arguments:** `dcontext` the tangent of the floating-point arrays in `context`; `dy` the first
    state's.
    """
    ys, states = before
    smooth, rest = eqx.partition(context, eqx.is_inexact_array)
    first = jax.tree.map(lambda y: y[0], ys)

    def forced(y: Any, s: Any, i: Array) -> Any:
        def of_context(smooth: Any) -> Any:
            return move(eqx.combine(smooth, rest), y, s, i)[0]

        return jax.jvp(of_context, (smooth,), (dcontext,))[1]

    def pushed(direction: Any) -> Any:
        def along(y: Any, s: Any, i: Array) -> Any:
            return jax.jvp(lambda y: move(context, y, s, i)[0], (y,), (direction,))[1]

        return jax.vmap(along)(ys, states, numbers)

    packed, unpack = ravel_pytree(first)
    directions = jax.vmap(unpack)(jnp.eye(packed.size, dtype=packed.dtype))
    columns = jax.vmap(jax.vmap(_flat))(jax.vmap(pushed)(directions))
    push = jax.vmap(_flat)(jax.vmap(forced)(ys, states, numbers))
    recur = _apart if packed.size <= 5 else _together
    return jax.vmap(unpack)(recur(columns, push, _flat(dy)))


def _together(columns: Array, push: Array, dy: Array) -> Array:
    """`dy' = J dy + b` with one matrix a step: `[steps, states]`."""

    def one(dy: Array, at: Any) -> tuple[Array, Array]:
        dy = dy @ at[0] + at[1]
        return dy, dy

    return jax.lax.scan(one, dy, (jnp.swapaxes(columns, 0, 1), push))[1]


def _apart(columns: Array, push: Array, dy: Array) -> Array:
    """The same with every element an array over time: no transposition, for a handful of them."""
    rows = [list(c.T) for c in columns]

    def one(dy: list[Array], at: Any) -> tuple[list[Array], list[Array]]:
        new = list(at[1])
        for x, row in zip(dy, at[0], strict=True):
            new = [a + x * j for a, j in zip(new, row, strict=True)]
        return new, new

    out = jax.lax.scan(one, list(dy), (rows, list(push.T)))[1]
    return jnp.stack(out, axis=1)


def _flat(y: PyTree[Array]) -> Array:
    return ravel_pytree(y)[0]


def _itself(x: Any) -> Any:
    return x


def is_mapped(tree: PyTree[Any]) -> bool:
    """Whether an array in `tree` is under `vmap` here (not seen through a `jit` inside it)."""
    found: list[int] = []

    @jax.custom_batching.custom_vmap
    def look(*arrays: Array) -> Array:
        return jnp.zeros(())

    @look.def_vmap
    def _(size: int, batched: Any, *arrays: Array) -> tuple[Array, bool]:
        found.append(size)
        return jnp.zeros(()), False

    look(*jax.lax.stop_gradient(jax.tree.leaves(eqx.filter(tree, eqx.is_array))))
    return bool(found)
