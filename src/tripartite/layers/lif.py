"""Leaky integrate-and-fire units on a clock."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import Parameter, parameter
from tripartite.core.errors import is_concrete
from tripartite.core.surrogates import AbstractSurrogate, Rectangular, require_surrogate, spike
from tripartite.layers.spiking import AbstractSpikingLayer, held, require_callable

_RELEASE = "He et al. 2024, released code, the LIF net of the multi-task experiment"
RESETS = ("zero", "subtract")


class LIFLayerState(NamedTuple):
    """`v`, the membrane, and `spike`, who fired at the last tick (1 or 0); pure numbers."""

    v: Array
    spike: Array


class LIFLayer(AbstractSpikingLayer):
    """`v <- decay v (1 - s) + W x`, `s = 1` where `v > threshold`: one tick of the clock.

    With `reset="subtract"` it is `v <- decay v - threshold s + W x`. s on the right is the last
    tick's, through which derivatives pass as through any spike, unless `detach_reset` is true.
    Potentials are pure numbers; `decay` is `exp(-dt / tau)`.

    The defaults are the released ones of He et al., Nat. Comput. Sci. 4, 584 (2024), but for the
    window of the surrogate, which is scaled to an area of 1.

    **Arguments:** `synapse`, any map of one tick's input, such as `equinox.nn.Linear` or
    `tripartite.layers.DANNLayer`, or `None`; `decay`, `threshold`, numbers or one for each unit;
    `surrogate`; `reset`, `"zero"` or `"subtract"`; `learn`, whether decay and threshold are
    trained.

    **Raises:** `ValueError` for a decay outside [0, 1), a threshold that is not positive (the reset
    is at zero), a reset that is neither, a surrogate that is none, or a synapse that is no map.
    """

    neuronal: ClassVar[tuple[str, ...]] = ("decay", "threshold")

    synapse: Any = None
    decay: Parameter = parameter(0.2, "1", source=_RELEASE)
    threshold: Parameter = parameter(0.3, "1", source=_RELEASE)
    surrogate: AbstractSurrogate | None = eqx.field(default_factory=lambda: Rectangular(width=1.0))
    reset: str = eqx.field(static=True, default="zero")
    detach_reset: bool = eqx.field(static=True, default=False)
    learn: bool = eqx.field(static=True, default=False)
    remat: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        require_surrogate("LIFLayer", self.surrogate)
        require_callable("LIFLayer", "synapse", self.synapse)
        require_decay("LIFLayer", self.decay)
        require_threshold("LIFLayer", self.threshold)
        if self.reset not in RESETS:
            raise ValueError(f"LIFLayer.reset must be one of {RESETS}, got {self.reset!r}.")

    def initial_state(self, shape: tuple[int, ...]) -> LIFLayerState:
        """At zero, and nobody has fired."""
        zero = jnp.zeros(shape, self.decay.dtype)
        return LIFLayerState(zero, zero)

    def step(self, current: Array, state: LIFLayerState) -> tuple[Array, LIFLayerState]:
        """One tick."""
        decay, threshold = held((self.decay, self.threshold), self.learn)
        last = held(state.spike, not self.detach_reset)
        if self.reset == "zero":
            v = decay * state.v * (1.0 - last) + current
        else:
            v = decay * state.v - threshold * last + current
        fired = threshold_spike(v, threshold, self.surrogate)
        return fired, LIFLayerState(v, fired)


def threshold_spike(v: Array, threshold: Array, surrogate: AbstractSurrogate | None) -> Array:
    """1 where v exceeds the threshold, else 0, as steep as the surrogate says."""
    above = v - threshold
    return spike(above > 0, jnp.ones_like(above, bool), above, surrogate)


def require_decay(owner: str, decay: Any) -> None:
    """**Raises:** `ValueError` for a decay per tick outside [0, 1)."""
    if not is_concrete(decay):
        return
    share = np.asarray(decay)
    if not np.all((share >= 0) & (share < 1)):
        raise ValueError(
            f"{owner}.decay must be at least 0 and below 1, got {decay}: it is exp(-dt / tau), the "
            "share of a potential that is left after a tick."
        )


def require_threshold(owner: str, threshold: Any) -> None:
    """**Raises:** `ValueError` for a threshold that does not exceed the reset, zero."""
    if is_concrete(threshold) and not np.all(np.asarray(threshold) > 0):
        raise ValueError(
            f"{owner}.threshold must exceed the reset, which is at zero, got {threshold}: "
            "otherwise a unit fires at every tick."
        )
