"""When a cell without a spike of its own fires: its voltage reaches a threshold."""

import abc

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Events, Parameter, parameter
from tripartite.core.errors import is_concrete
from tripartite.core.surrogates import AbstractSurrogate, require_surrogate, spike


class AbstractCrossing(AbstractParametrised):
    """Who fires in a step, and what has to be remembered of it: one number for each cell.

    The derivative of a spike is 0 without a surrogate (`core.surrogates`), and with one that of a
    smoothed step of v above the threshold, wherever a spike would count. What is remembered has no
    derivative.
    """

    @abc.abstractmethod
    def start(self, v: Array) -> Array:
        """What is remembered of cells that start at `v` (mV)."""

    @abc.abstractmethod
    def unit(self) -> str:
        """The unit of what is remembered."""

    @abc.abstractmethod
    def __call__(self, memory: Array, v: Array, after: Array, t: Array) -> tuple[Array, Array]:
        """Who fired in a step (1 or 0), and what is to be remembered.

        **Arguments:** `memory` before the step; `v` at its end (mV), and `after` the cell's own
        reset; `t` its end (ms).
        """

    def events(self, memory: Array, v: Array, t: Array) -> Events | None:
        """How far each cell is from its next event (`core.Events`); `None`: it is not located."""
        return None

    def occur(self, memory: Array, which: Array, t: Array) -> Array:
        """What is remembered after the events that `which` marks, at `t` (ms)."""
        return memory

    def located(self) -> bool:
        """Whether a solve without `dt` can locate it."""
        return type(self).events is not AbstractCrossing.events


class Crossing(AbstractCrossing):
    """A spike is an upward crossing of `threshold`, counted again after v has been below `rearm`.

    Seen at the end of a step: the spike belongs to the step in which it happens. Remembered: 1
    while a crossing would count.

    **Arguments:** `threshold` and `rearm` in mV; `surrogate`, by default `None`.

    **Raises:** `ValueError` if `rearm` is above `threshold`, or for a surrogate that is none.
    """

    threshold: Parameter = parameter(0.0, "mV", trainable=False)
    rearm: Parameter = parameter(-20.0, "mV", trainable=False)
    surrogate: AbstractSurrogate | None = None

    def __check_init__(self) -> None:
        require_surrogate("Crossing", self.surrogate)
        known = is_concrete(self.threshold) and is_concrete(self.rearm)
        if known and np.any(np.asarray(self.rearm) > np.asarray(self.threshold)):
            raise ValueError(
                f"Crossing.rearm must not exceed its threshold, got {self.rearm} and "
                f"{self.threshold} mV: one crossing would count twice."
            )

    def start(self, v: Array) -> Array:
        """Armed below the threshold."""
        return jnp.where(v < self.threshold, 1.0, 0.0).astype(v.dtype)

    def unit(self) -> str:
        """A pure number."""
        return "1"

    def __call__(self, memory: Array, v: Array, after: Array, t: Array) -> tuple[Array, Array]:
        armed = memory > 0.5
        fired = armed & (v >= self.threshold)
        left = jnp.where(fired, 0.0, memory)
        spikes = spike(fired, armed, v - self.threshold, self.surrogate)
        return spikes, jnp.where(after < self.rearm, 1.0, left).astype(v.dtype)

    def events(self, memory: Array, v: Array, t: Array) -> Events:
        """Upwards through `threshold` while armed, else downwards through `rearm`."""
        armed = memory > 0.5
        return Events(jnp.where(armed, v - self.threshold, self.rearm - v), armed)

    def occur(self, memory: Array, which: Array, t: Array) -> Array:
        """Disarmed, or armed again."""
        return jnp.where(which, 1.0 - memory, memory)


class Refractory(AbstractCrossing):
    """A spike is v above `threshold`, but for `refractory` ms after the last one.

    As Brian2's `threshold=` and `refractory=` count them, in Brette et al. (2007). A cell that
    stays above fires again when the time is over. Remembered: the time until which it may not, ms.

    **Arguments:** `threshold` in mV, `refractory` in ms; `surrogate`, by default `None`.

    **Raises:** `ValueError` for a surrogate that is none.
    """

    threshold: Parameter = parameter(-20.0, "mV", trainable=False, source="Brette et al. 2007")
    refractory: Parameter = parameter(
        3.0, "ms", positive=True, trainable=False, source="Brette et al. 2007"
    )
    surrogate: AbstractSurrogate | None = None

    def __check_init__(self) -> None:
        require_surrogate("Refractory", self.surrogate)

    def start(self, v: Array) -> Array:
        """Ready, whenever the solve starts."""
        return jnp.full_like(v, -1e9)

    def unit(self) -> str:
        """ms."""
        return "ms"

    def __call__(self, memory: Array, v: Array, after: Array, t: Array) -> tuple[Array, Array]:
        # Steps that were added up may fall short of the refractory time by round-off.
        ready = t >= memory - 1e-3 * self.refractory
        fired = ready & (v > self.threshold)
        until = (t + self.refractory).astype(v.dtype)
        spikes = spike(fired, ready, v - self.threshold, self.surrogate)
        return spikes, jnp.where(fired, until, memory)

    def events(self, memory: Array, v: Array, t: Array) -> Events:
        """v above `threshold`, once it may count."""
        return Events(jnp.minimum(v - self.threshold, t - memory), jnp.ones_like(v, bool))

    def occur(self, memory: Array, which: Array, t: Array) -> Array:
        """Until a refractory time later it may not."""
        return jnp.where(which, t + self.refractory, memory)
