"""The gradient of a function of a model, in the mode that is cheaper for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from tripartite.core.arguments import checked

# Forward mode costs a solve for each number, reverse mode two to ten for all of them.
_FORWARD = 2


class Gradient(NamedTuple):
    """The value, the gradient (of the model's structure, `None` where not asked for) and the mode.

    `mode` is `"forward"` or `"reverse"`; under `jit` return the first two alone.
    """

    value: Array
    gradient: PyTree[Any]
    mode: str


@checked
def value_and_gradient(
    loss: Callable[[Any], Array], at: PyTree[Any], where: Callable[[Any], Any] | None = None
) -> Gradient:
    """The value of `loss` and its gradient with respect to some parameters of `at`.

    One or two numbers (a conductance that all cells share) are differentiated forward: one more
    solve for each, nothing stored. More of them in reverse.

    **Arguments:**

    - `loss`: a scalar function of a model, or of any tree.
    - `at`: where to differentiate it.
    - `where`: picks the parameters, as in `equinox.tree_at`; all floating-point arrays by default.

    **Raises:** `ValueError` if `where` picks nothing that can be differentiated.

    With adaptive steps forward mode needs `simulate(..., adjoint=diffrax.ForwardMode())`.
    """
    mask = jax.tree.map(eqx.is_inexact_array, at)
    if where is not None:
        nothing = jax.tree.map(lambda _: False, at)
        picked = jax.tree.map(eqx.is_inexact_array, where(at))
        mask = eqx.tree_at(where, nothing, picked)
    chosen, rest = eqx.partition(at, mask)
    flat, unravel = ravel_pytree(chosen)
    if flat.size == 0:
        raise ValueError(
            "at has no floating-point array, or where picks none: name parameters of the model, "
            "for example where=lambda cell: cell.capacitance."
        )

    def of_chosen(chosen: Any) -> Array:
        return loss(eqx.combine(chosen, rest))

    if flat.size > _FORWARD:
        value, gradient = jax.value_and_grad(of_chosen)(chosen)
        return Gradient(value, gradient, "reverse")

    def along(direction: Array) -> tuple[Array, Array]:
        return jax.jvp(lambda x: of_chosen(unravel(x)), (flat,), (direction,))

    axes = jnp.eye(flat.size, dtype=flat.dtype)
    value, slopes = jax.vmap(along, out_axes=(None, 0))(axes)
    return Gradient(value, unravel(slopes), "forward")
