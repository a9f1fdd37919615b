"""Four integrate-and-fire sub-units for one unit: s-LIF2HH, as trained and as simulated."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from tripartite.core import Parameter, parameter
from tripartite.core.surrogates import AbstractSurrogate, Rectangular, require_surrogate
from tripartite.layers.lif import require_decay, require_threshold, threshold_spike
from tripartite.layers.spiking import AbstractSpikingLayer, held, require_callable

_RELEASE = "He et al. 2024, released code, the s-LIF2HH net of the multi-task experiment"


class SLIF2HHState(NamedTuple):
    """`v` and `spike` (1 or 0) of the four sub-units, `[4, ...units]`; pure numbers."""

    v: Array
    spike: Array


class SLIF2HHLayer(AbstractSpikingLayer):
    """Three LIF sub-units with weights of their own, and a fourth that reads their potentials.

        v_k <- decay v_k (1 - s_k) + W_k x                               k = 1, 2, 3
        v_4 <- decay v_4 (1 - s_4) + sum over k of mix_k v_k + bias      (v_k before the tick)
        s_j = 1 where v_j > threshold,                                   j = 1, ..., 4

    All four spike trains go out, `[time, 4, ...units]`. The network of He et al., Nat. Comput. Sci.
    4, 584 (2024), as released; it is no approximation of a Hodgkin-Huxley cell with an error bound.

    **Arguments:** `synapse`, a tuple of three maps of one tick's input, or `None` for inputs
    `[time, 3, ...units]`; `mix` `[3]` and `bias`, which all units share; the others as in
    `LIFLayer`.

    **Raises:** `ValueError` for a decay outside [0, 1), a threshold that is not positive, a
    surrogate that is none, or a synapse that is not three maps.
    """

    synaptic: ClassVar[tuple[str, ...]] = ("synapse", "mix", "bias")
    neuronal: ClassVar[tuple[str, ...]] = ("decay", "threshold")

    synapse: tuple[Any, Any, Any] | None
    mix: Parameter = parameter(None, "1", source=_RELEASE)
    bias: Parameter = parameter(None, "1", source=_RELEASE)
    decay: Parameter = parameter(0.2, "1", source=_RELEASE)
    threshold: Parameter = parameter(0.3, "1", source=_RELEASE)
    surrogate: AbstractSurrogate | None = None
    learn: bool = eqx.field(static=True, default=False)
    remat: bool = eqx.field(static=True, default=False)

    def __init__(
        self,
        synapse: Any = None,
        *,
        decay: Any = 0.2,
        threshold: Any = 0.3,
        surrogate: AbstractSurrogate | None = None,
        learn: bool = False,
        remat: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        maps = synapse if isinstance(synapse, tuple) else (synapse,) * (synapse is not None)
        if synapse is not None and len(maps) != 3:
            raise ValueError(
                f"SLIF2HHLayer.synapse must be a tuple of three maps, one for each sub-unit with "
                f"an input, or None, got {len(maps)}: give three of equinox.nn.Linear, say."
            )
        for one in maps:
            require_callable("SLIF2HHLayer", "synapse", one)
        self.synapse = synapse
        # As torch.nn.Linear(3, 1) starts.
        drawn = jax.random.uniform(key, (4,), minval=-(3**-0.5), maxval=3**-0.5)
        self.mix, self.bias = drawn[:3], drawn[3]
        self.decay, self.threshold = decay, threshold
        self.surrogate = Rectangular(width=0.8) if surrogate is None else surrogate
        self.learn, self.remat = learn, remat

    def __check_init__(self) -> None:
        require_surrogate("SLIF2HHLayer", self.surrogate)
        require_decay("SLIF2HHLayer", self.decay)
        require_threshold("SLIF2HHLayer", self.threshold)

    def initial_state(self, shape: tuple[int, ...]) -> SLIF2HHState:
        """At zero, and nobody has fired; `shape` is that of the units, without the four."""
        zero = jnp.zeros((4, *shape), self.mix.dtype)
        return SLIF2HHState(zero, zero)

    def currents(self, inputs: Array) -> Array:
        """`[time, 3, ...units]`."""
        if self.synapse is None:
            return inputs
        return jnp.stack([jax.vmap(one)(inputs) for one in self.synapse], axis=1)

    def unit_shape(self, current: Array) -> tuple[int, ...]:
        """Without the axis of three.

        **Raises:** `ValueError` where it is missing.
        """
        if current.shape[:1] != (3,):
            raise ValueError(
                "SLIF2HHLayer without a synapse needs inputs [time, 3, ...units], a current for "
                f"each of three sub-units, got shape {('time', *current.shape)}."
            )
        return current.shape[1:]

    def step(self, current: Array, state: SLIF2HHState) -> tuple[Array, SLIF2HHState]:
        """One tick."""
        decay, threshold = held((self.decay, self.threshold), self.learn)
        inner = jnp.tensordot(self.mix, state.v[:3], axes=1) + self.bias
        v = decay * state.v * (1.0 - state.spike) + jnp.concatenate([current, inner[None]])
        fired = threshold_spike(v, threshold, self.surrogate)
        return fired, SLIF2HHState(v, fired)


class ConjunctiveLIFState(NamedTuple):
    """`v` of the four sub-units, `[4, ...units]`, a pure number."""

    v: Array


class ConjunctiveLIFLayer(AbstractSpikingLayer):
    """The s-LIF2HH unit of the released simulation: it fires where all four sub-units are above.

        v_k <- v_k + (1 - decay) (-v_k) + x_k             k = 1, 2, 3
        v_4 <- v_4 + (1 - decay) (-v_4) + v_1 + v_2 + v_3      (after the tick)

    then, where all four exceed the threshold, all four are set to zero. Out go the four flags, who
    was above, `[time, 4, ...units]`; their product is the unit's spike. He et al. (2024), figure
    3d as released, where a tick is 1 ms.

    **Arguments:** `synapse`, a map to `[3, ...units]`, or `None` for inputs `[time, 3, ...units]`;
    the others as in `LIFLayer`.

    **Raises:** `ValueError` as `LIFLayer`.
    """

    neuronal: ClassVar[tuple[str, ...]] = ("decay", "threshold")

    synapse: Any = None
    decay: Parameter = parameter(0.9, "1", source="He et al. 2024, released simulation")
    threshold: Parameter = parameter(70.0, "1", source="He et al. 2024, released simulation")
    surrogate: AbstractSurrogate | None = None
    learn: bool = eqx.field(static=True, default=False)
    remat: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        require_surrogate("ConjunctiveLIFLayer", self.surrogate)
        require_callable("ConjunctiveLIFLayer", "synapse", self.synapse)
        require_decay("ConjunctiveLIFLayer", self.decay)
        require_threshold("ConjunctiveLIFLayer", self.threshold)

    def initial_state(self, shape: tuple[int, ...]) -> ConjunctiveLIFState:
        """At zero; `shape` is that of the units, without the four."""
        return ConjunctiveLIFState(jnp.zeros((4, *shape), self.decay.dtype))

    def unit_shape(self, current: Array) -> tuple[int, ...]:
        """Without the axis of three.

        **Raises:** `ValueError` where it is missing.
        """
        if current.shape[:1] != (3,):
            raise ValueError(
                "ConjunctiveLIFLayer needs a current for each of three sub-units, [time, 3, "
                f"...units], got shape {('time', *current.shape)}."
            )
        return current.shape[1:]

    def step(self, current: Array, state: ConjunctiveLIFState) -> tuple[Array, ConjunctiveLIFState]:
        """One tick."""
        decay, threshold = held((self.decay, self.threshold), self.learn)
        three = decay * state.v[:3] + current
        v = jnp.concatenate([three, (decay * state.v[3] + jnp.sum(three, axis=0))[None]])
        above = threshold_spike(v, threshold, self.surrogate)
        return above, ConjunctiveLIFState(v * (1.0 - jnp.prod(above, axis=0, keepdims=True)))
