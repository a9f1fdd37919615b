"""What every layer of spiking units is: a synapse map, a state, and a step of the clock."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite.core import AbstractParametrised
from tripartite.layers.positive import require_size


class AbstractSpikingLayer(AbstractParametrised):
    """Units that are read at the ticks of a clock: `layer(inputs, state) -> (spikes, state)`.

    One example at a time, as in Equinox; `jax.vmap` maps a batch, of states as well. Write
    `initial_state` and `step`; the scan over time is here.

    Where `learn` is false, no derivative reaches the neuron's own constants, and `trainable` leaves
    them out. Where `remat` is true, each tick is computed again in the backward pass: reverse mode
    then keeps one state for each tick, and not all that a tick computes.
    """

    # The fields that `trainable` offers to an optimiser: always, and only where `learn` is true.
    synaptic: ClassVar[tuple[str, ...]] = ("synapse",)
    neuronal: eqx.AbstractClassVar[tuple[str, ...]]

    synapse: eqx.AbstractVar[Any]
    learn: eqx.AbstractVar[bool]
    remat: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def initial_state(self, shape: tuple[int, ...]) -> PyTree[Array]:
        """The state of units of this shape before the first tick."""

    @abc.abstractmethod
    def step(self, current: Array, state: PyTree[Array]) -> tuple[Array, PyTree[Array]]:
        """The spikes of one tick, and the state after it; `current` is what the synapse gives."""

    def currents(self, inputs: Array) -> Array:
        """`[time, ...units]`: what the synapse makes of the input of each tick."""
        return inputs if self.synapse is None else jax.vmap(self.synapse)(inputs)

    def unit_shape(self, current: Array) -> tuple[int, ...]:
        """The shape of the units whose currents at one tick are `current`."""
        return current.shape

    def __call__(
        self, inputs: Array, state: PyTree[Array] = None, *, key: PRNGKeyArray | None = None
    ) -> tuple[Array, PyTree[Array]]:
        """The spikes of each tick, `[time, ...]`, and the state after the last.

        **Arguments:** `inputs` `[time, ...]`, the synapse's input at each tick (without a synapse:
        the units' own); `state` of an earlier call, or nothing; `key` is not used.

        **Raises:** `ValueError` for inputs without an axis of time, a state of other units, or one
        of another precision.
        """
        name = type(self).__name__
        if jnp.ndim(inputs) < 2:
            raise ValueError(
                f"{name} needs inputs [time, ...], got shape {jnp.shape(inputs)}: put the ticks "
                "along the first axis; an input that stays goes through layer.hold(x, ticks)."
            )
        return _scan(self, self.currents(inputs), state, None)

    def hold(
        self, x: Array, ticks: int, state: PyTree[Array] = None
    ) -> tuple[Array, PyTree[Array]]:
        """The same for one input `x` that stays for `ticks` ticks: the synapse is applied once.

        **Raises:** `ValueError` as a call does, or for `ticks` below 1.
        """
        require_size(type(self).__name__, "ticks", ticks, 1)
        return _scan(self, self.currents(jnp.asarray(x)[None])[0], state, ticks)


def _scan(
    layer: AbstractSpikingLayer, current: Array, state: Any, ticks: int | None
) -> tuple[Array, Any]:
    """Ticks on currents `[time, ...units]`, or on one that is held (`ticks`)."""
    one = current if ticks is not None else jax.eval_shape(lambda x: x[0], current)
    shape = layer.unit_shape(one)
    fresh = eqx.filter_eval_shape(lambda layer: layer.initial_state(shape), layer)
    if state is None:
        state = layer.initial_state(shape)
    _require_like(type(layer).__name__, state, fresh, one)

    def tick(state: Any, given: Array | None) -> tuple[Any, Array]:
        spikes, state = layer.step(current if given is None else given, state)
        return state, spikes

    body = jax.checkpoint(tick) if layer.remat else tick
    state, spikes = jax.lax.scan(body, state, None if ticks is not None else current, length=ticks)
    return spikes, state


def _require_like(name: str, state: Any, fresh: Any, current: Any) -> None:
    given = jax.tree.map(lambda x: jnp.shape(x), state)
    needed = jax.tree.map(lambda x: x.shape, fresh)
    if given != needed:
        raise ValueError(
            f"{name}: the state's arrays have shapes {given}, but the inputs need {needed}: make "
            "one with layer.initial_state(shape of the units), and map a batch with jax.vmap over "
            "inputs and states."
        )
    found = {x.dtype for x in jax.tree.leaves(state)} | {current.dtype}
    if len(found) > 1:
        raise ValueError(
            f"{name}: currents are {current.dtype}, the state is "
            f"{sorted(str(x.dtype) for x in jax.tree.leaves(state))[0]}: cast one, for example "
            "with tripartite.astype(layer, inputs.dtype)."
        )


def held(values: Any, learn: bool) -> Any:
    """A neuron's own constants: as they are where they are learnt, else without a derivative."""
    if learn:
        return values
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, values)


def trainable(model: PyTree) -> PyTree[bool]:
    """Which leaves of a model an optimiser should have, for `equinox.partition`.

    Every array of floating-point numbers, but of spiking layers the synapses (and what mixes
    sub-units) alone, unless the layer says `learn=True`: weight decay would shrink a threshold that
    has no gradient. Steps, widths of surrogates and released constants stay out. Of a model that
    has shapes alone (`equinox.filter_eval_shape`) it says the same.
    """

    def one(part: Any) -> Any:
        if not isinstance(part, AbstractSpikingLayer):
            shaped = isinstance(part, jax.ShapeDtypeStruct)
            return jnp.issubdtype(part.dtype, jnp.inexact) if shaped else eqx.is_inexact_array(part)
        chosen = part.synaptic + (part.neuronal if part.learn else ())
        nothing = jax.tree.map(lambda _: False, part)

        def fields(layer: Any) -> list[Any]:
            return [getattr(layer, name) for name in chosen if getattr(layer, name) is not None]

        return eqx.tree_at(fields, nothing, [trainable(field) for field in fields(part)])

    return jax.tree.map(one, model, is_leaf=lambda x: isinstance(x, AbstractSpikingLayer))


def require_callable(owner: str, name: str, value: Any) -> None:
    """**Raises:** `ValueError` for what is neither a map of the inputs nor `None`."""
    if value is not None and not isinstance(value, Callable):
        raise ValueError(
            f"{owner}.{name} must be a map such as equinox.nn.Linear, or None, got {value!r}."
        )
