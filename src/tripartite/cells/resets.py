"""Integrators that reset at a spike: exactly (the gauge reset), or truly (inexact)."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.cells.base import AbstractCell
from tripartite.cells.tvlif import AbstractTVLIF
from tripartite.core import Events, Parameter, Relaxation, chosen, parameter


class ResetState(NamedTuple):
    """`inner`: the integrators' state; `armed`: 1 while a crossing would count as a spike."""

    inner: Any
    armed: Array


class ResettingTVLIF(AbstractCell):
    """Integrators that reset when the voltage crosses a threshold upwards, in steps or located.

    Made by `gauge_reset` (exact: the units reset, their sum does not) and by `true_reset` (inexact:
    the voltage itself is reset, as in an ordinary integrate-and-fire cell).

    **Arguments:**

    - `inner`: a `TVLIF` or `DerivativeTVLIF`.
    - `v_reset`: mV, or `None` to keep the voltage (the gauge reset).
    - `threshold`, `rearm`: mV; a spike is an upward crossing of `threshold` after the voltage has
        been below `rearm`.
    """

    inner: AbstractTVLIF
    v_reset: Any = parameter(None, "mV")
    threshold: Parameter = parameter(0.0, "mV")
    rearm: Parameter = parameter(-20.0, "mV")

    def init(self) -> ResetState:
        """The inner state, armed."""
        return ResetState(self.inner.init(), jnp.ones_like(self.threshold))

    def blocks(self) -> ResetState:
        """The inner blocks; the flag only jumps."""
        return ResetState(self.inner.blocks(), None)  # pyright: ignore[reportArgumentType]

    def units(self) -> ResetState:
        """The inner units and a pure number."""
        return ResetState(self.inner.units(), "1")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: ResetState) -> Array:
        """The inner voltage, mV."""
        return self.inner.voltage(y.inner)

    def relax(self, t: Array, y: ResetState, u: Any) -> Relaxation:
        """The inner relaxation; the flag is held."""
        inner = self.inner.relax(t, y.inner, u)
        held = jnp.zeros_like(y.armed)
        return Relaxation(ResetState(inner.drive, held), ResetState(inner.decay, held))

    def jump(self, t: Array, before: ResetState, y: ResetState, u: Any) -> ResetState:
        """On a spike, all of the potential moves to the last unit."""
        v = self.voltage(y)
        fired = (y.armed > 0) & (v >= self.threshold)
        inner = self._collected(fired, v, y)
        armed = jnp.where(fired, 0.0, jnp.where(v < self.rearm, 1.0, y.armed))
        if self.v_reset is not None:
            armed = jnp.ones_like(armed)
        return ResetState(inner, armed)

    def events(self, t: Array, y: ResetState, u: Any) -> Events:
        """Upwards through `threshold` while armed, else downwards through `rearm`."""
        v, armed = self.voltage(y), y.armed > 0
        return Events(jnp.where(armed, v - self.threshold, self.rearm - v), armed)

    def occur(self, which: Array, t: Array, y: ResetState, u: Any) -> ResetState:
        """As `jump`, of the events that `which` marks."""
        inner = self._collected(which & (y.armed > 0), self.voltage(y), y)
        if self.v_reset is not None:
            return ResetState(inner, y.armed)
        return ResetState(inner, jnp.where(which, 1.0 - y.armed, y.armed))

    def _collected(self, fired: Array, v: Array, y: ResetState) -> Any:
        target = v if self.v_reset is None else jnp.broadcast_to(self.v_reset, v.shape)
        return chosen(fired, self.inner.collect(y.inner, target), y.inner)


def gauge_reset(tvlif: AbstractTVLIF, *, threshold: float = 0.0) -> ResettingTVLIF:
    """Integrators whose units reset at each spike while their sum, the voltage, does not change.

    The voltage depends on the units through their sum alone, so any jump that keeps the sum leaves
    it and every later value unchanged: exact. **Arguments:** `threshold` in mV.
    """
    return ResettingTVLIF(tvlif, None, threshold)


def true_reset(
    tvlif: AbstractTVLIF, *, threshold: float = -40.0, v_reset: float = -70.0
) -> ResettingTVLIF:
    """Integrators whose voltage is reset at each spike. Inexact: not the conductance cell.

    A Hodgkin-Huxley cell has no reset; its repolarisation is the reset. The error is of the order
    of the spike's height. **Arguments:** `threshold`, `v_reset` in mV.
    """
    return ResettingTVLIF(tvlif, v_reset, threshold)
