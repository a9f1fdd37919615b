"""When a cell without a spike of its own fires: its voltage reaches a threshold."""

import abc

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.errors import is_concrete


class AbstractCrossing(AbstractParametrised):
    """Who fires in a step, and what has to be remembered of it: one number for each cell."""

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


class Crossing(AbstractCrossing):
    """A spike is an upward crossing of `threshold`, counted again after v has been below `rearm`.

    Seen at the end of a step: the spike belongs to the step in which it happens. Remembered: 1
    while a crossing would count.

    **Arguments:** `threshold` and `rearm` in mV.

    **Raises:** `ValueError` if `rearm` is above `threshold`.
    """

    threshold: Parameter = parameter(0.0, "mV", trainable=False)
    rearm: Parameter = parameter(-20.0, "mV", trainable=False)

    def __check_init__(self) -> None:
        known = is_concrete(self.threshold) and is_concrete(self.rearm)
        if known and bool(jnp.any(self.rearm > self.threshold)):
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
        fired = (memory > 0.5) & (v >= self.threshold)
        left = jnp.where(fired, 0.0, memory)
        return fired.astype(v.dtype), jnp.where(after < self.rearm, 1.0, left).astype(v.dtype)


class Refractory(AbstractCrossing):
    """A spike is v above `threshold`, but for `refractory` ms after the last one.

    As Brian2's `threshold=` and `refractory=` count them, in Brette et al. (2007). A cell that
    stays above fires again when the time is over. Remembered: the time until which it may not, ms.

    **Arguments:** `threshold` in mV, `refractory` in ms.
    """

    threshold: Parameter = parameter(-20.0, "mV", trainable=False, source="Brette et al. 2007")
    refractory: Parameter = parameter(
        3.0, "ms", positive=True, trainable=False, source="Brette et al. 2007"
    )

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
        return fired.astype(v.dtype), jnp.where(fired, until, memory)
