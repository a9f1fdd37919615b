"""What a model costs: its parameters, and the multiplications of its matrix products."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import PyTree

from tripartite.core.arguments import checked
from tripartite.layers.spiking import trainable


def parameter_count(model: PyTree) -> int:
    """How many numbers of `model` are trained: those that `trainable` offers."""
    chosen = eqx.filter(model, trainable(model))
    return sum(math.prod(x.shape) for x in jax.tree.leaves(chosen))


@checked
def multiply_accumulates(fn: Callable[..., Any], *args: Any) -> int:
    """How many products `fn(*args)` adds up in matrix products and convolutions.

    Counted in what JAX traces, loops with their length; of branches, the dearest. What happens
    within units, element by element, is not counted, as is usual for MACs.

    **Raises:** `ValueError` where a loop's length is not known.
    """
    found = eqx.filter_make_jaxpr(fn)(*args)[0]
    return _count(found.jaxpr)


def _count(jaxpr: Jaxpr) -> int:
    return sum(_equation(eqn) for eqn in jaxpr.eqns)


def _equation(eqn: Any) -> int:
    name = eqn.primitive.name
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        left = eqn.invars[0].aval.shape
        return math.prod(eqn.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
    if name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        out = eqn.params["dimension_numbers"].rhs_spec[0]
        each = math.prod(size for axis, size in enumerate(kernel) if axis != out)
        return math.prod(eqn.outvars[0].aval.shape) * each
    inner = [_count(one) for one in _inside(eqn.params)]
    if name == "while" and any(inner):
        raise ValueError(
            "multiply_accumulates cannot know how often a while loop runs: use lax.scan, or "
            "lax.fori_loop with bounds known before tracing."
        )
    if name == "cond":
        return max(inner)
    return sum(inner) * eqn.params.get("length", 1) if name == "scan" else sum(inner)


def _inside(params: dict[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, ClosedJaxpr):
                yield one.jaxpr
            elif isinstance(one, Jaxpr):
                yield one
