"""One step of a descent, compiled once, for one start or for many."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray

from tripartite.fit.packing import Packing

Loss = Callable[..., Array]


class State(NamedTuple):
    """Everything that a descent goes on from; of several starts, with their axis first."""

    z: Array
    optim: Any
    best_z: Array
    best: Array


class Step(NamedTuple):
    """The state after a step, and what it saw before it: the loss, its gradient, whether finite."""

    state: State
    loss: Array
    slopes: Array
    finite: Array


class Descent(NamedTuple):
    """What is fitted and how: `objective(z, step)`, and the compiled `step(state, step)`."""

    packing: Packing
    objective: Callable[[Array, Array], Array]
    step: Callable[[State, Array], Step]
    many: bool


def descent(
    packing: Packing,
    loss: Loss,
    data: Any,
    optim: optax.GradientTransformation,
    *,
    many: bool,
    key: PRNGKeyArray | None,
    forward: bool,
) -> Descent:
    """Compiles nothing yet.

    **Raises:** `ValueError` if the loss is no floating-point scalar.
    """

    def objective(z: Array, step: Array) -> Array:
        keys = () if key is None else (jax.random.fold_in(key, step),)
        return loss(packing.unpack(z), data, *keys)

    shape = eqx.filter_eval_shape(objective, packing.zero(), jnp.asarray(0))
    if getattr(shape, "shape", None) != () or not jnp.issubdtype(shape.dtype, jnp.floating):
        raise ValueError(
            f"the loss must be a floating-point scalar, got {shape}: reduce it, for example with "
            "fit.mean_square."
        )

    def slopes(z: Array, step: Array) -> tuple[Array, Array]:
        if not forward:
            return jax.value_and_grad(objective)(z, step)
        value, along = jax.linearize(lambda z: objective(z, step), z)
        return value, jax.vmap(along)(jnp.eye(z.size, dtype=z.dtype))

    def one(state: State, step: Array) -> Step:
        value, gradient = slopes(state.z, step)
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        # Optimisers mix floats with counts, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            updates, inner = optim.update(gradient, state.optim, state.z)
        better = finite & (value < state.best)
        moved = State(
            optax.apply_updates(state.z, updates),  # pyright: ignore[reportArgumentType]
            inner,
            jnp.where(better, state.z, state.best_z),
            jnp.where(better, value, state.best),
        )
        # A start that fails stays where it was.
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, state)
        return Step(kept, jnp.where(finite, value, jnp.inf), gradient, finite)

    whole = jax.vmap(one, in_axes=(0, None)) if many else one
    return Descent(packing, eqx.filter_jit(objective), eqx.filter_jit(whole), many)


def first(packing: Packing, optim: optax.GradientTransformation, begins: Array | None) -> State:
    """The state of no step: the model's own values, or those of every start."""

    def begun(z: Array) -> State:
        return State(z, optim.init(z), z, jnp.asarray(jnp.inf, z.dtype))

    return begun(packing.zero()) if begins is None else jax.vmap(begun)(begins)
