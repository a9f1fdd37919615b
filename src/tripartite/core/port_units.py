"""The unit of what is recorded, found by following it back to the states it is made of."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree

from tripartite.core.dynamics import AbstractDynamics, prefix_leaves

# What moves numbers about and leaves each as it is. Its first operand is what it moves.
_MOVES = {
    *("broadcast_in_dim", "convert_element_type", "copy", "copy_p", "expand_dims", "gather"),
    *("reshape", "rev", "slice", "squeeze", "transpose"),
}
# Sums and selections: of numbers of one unit, they have that unit.
_MIXES = {"add", "add_any", "concatenate", "max", "min", "reduce_sum", "reduce_max", "sub"}


def units_of(
    model: AbstractDynamics, function: Callable[[PyTree[Array]], Any], y: PyTree[Array]
) -> list[str | None]:
    """The unit of each leaf of `function(y)`: that of the states of which it is a part or a sum.

    `None` for what is computed from states in other ways, or if the model declares no units.
    """
    declared = model.units()
    # A method of a module, which holds arrays, is no key for JAX; a function around it is.
    traced, shape = jax.make_jaxpr(lambda y: function(y), return_shape=True)(y)
    leaves = jax.tree.leaves(shape)
    if declared is None:
        return [None] * len(leaves)
    return _followed(traced.jaxpr, list(prefix_leaves(declared, y)))


def _followed(jaxpr: Any, given: list[str | None]) -> list[str | None]:
    found: dict[int, str | None] = {
        id(var): unit for var, unit in zip(jaxpr.invars, given, strict=True)
    }
    for equation in jaxpr.eqns:
        units = [found.get(id(var)) for var in equation.invars]
        name, inner = equation.primitive.name, equation.params.get("jaxpr")
        if name in ("jit", "pjit") and inner is not None:
            results = _followed(inner.jaxpr, units)
        elif name in _MOVES or (name in _MIXES and len(set(units)) == 1):
            results = units[:1]
        else:
            results = [None]
        if len(results) == len(equation.outvars):
            found |= {id(v): u for v, u in zip(equation.outvars, results, strict=True)}
    return [found.get(id(var)) for var in jaxpr.outvars]
