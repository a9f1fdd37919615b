"""The leaky integrate-and-fire cell."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.cells.base import AbstractCell
from tripartite.cells.resetting import require_above_reset
from tripartite.core import Events, Parameter, Relaxation, as_membrane, chosen, parameter
from tripartite.core.errors import is_concrete
from tripartite.core.surrogates import AbstractSurrogate, require_surrogate, spike

_VOGELS = "Vogels & Abbott 2005; Brette et al. 2007, benchmark 1"


class LIFState(NamedTuple):
    """`v` in mV; `wait`, the refractory time left, in ms; `spike`, 1 on a step that fired.

    Without steps, where spikes are located, `spike` is 1 all through the refractory time.
    """

    v: Array
    wait: Array
    spike: Array


class LIF(AbstractCell):
    """`C dv/dt = -g_L (v - E_L) + I`; at `v >= threshold`, v returns to `reset` and waits there.

    In steps (`dt=`) the threshold is looked at once per step, so spike times lie on the grid.
    Without `dt` spikes and the ends of refractory times are located in time; alone, under an input
    that is constant between its jumps, in closed form: one exact step to each. During the
    refractory time v is held.

    The derivative of a clocked spike is 0 by default. With a `surrogate` (`core.surrogates`) it is
    that of a smoothed step of `v - threshold`, but for the refractory time, for training; the
    spikes stay what they are. No derivative passes through the reset, with a surrogate or without:
    it forgets what v was (the detached reset of Zenke and Vogels, Neural Comput. 33, 899 (2021)).
    The derivatives of located spikes' times, and of the state after them, are exact.

    **Raises:** `ValueError` if a capacitance, conductance or refractory time is not positive, if
    the threshold does not exceed the reset, or for a surrogate that is none; `simulate`, for a
    refractory time that is shorter than its step.
    """

    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True, source=_VOGELS)
    leak: Parameter = parameter(0.05, "mS/cm2", positive=True, source=_VOGELS)
    rest: Parameter = parameter(-60.0, "mV", source=_VOGELS)
    threshold: Parameter = parameter(-50.0, "mV", source=_VOGELS)
    reset: Parameter = parameter(-60.0, "mV", source=_VOGELS)
    refractory: Parameter = parameter(5.0, "ms", positive=True, source=_VOGELS)
    surrogate: AbstractSurrogate | None = None

    def __check_init__(self) -> None:
        require_surrogate("LIF", self.surrogate)
        require_above_reset("LIF", self.threshold, self.reset)

    def at_step(self, dt: float | None) -> "LIF":
        """Itself. **Raises:** `ValueError` for a refractory time shorter than the step `dt` (ms).

        Steps would make it as long as one of them.
        """
        if dt is None or not is_concrete(self.refractory):
            return self
        if np.any(np.asarray(self.refractory) < (1 - 1e-4) * dt):
            raise ValueError(
                f"LIF.refractory is {self.refractory} ms, shorter than the step dt = {dt} ms, "
                "which would stretch it to a whole step: take a smaller dt, or leave dt out, and "
                "it is exact."
            )
        return self

    def flows(self) -> bool:
        """Between events drive and decay are the input's."""
        return True

    def init(self) -> LIFState:
        """At rest, ready to fire."""
        zero = jnp.zeros_like(self.rest)
        return LIFState(self.rest, zero, zero)

    def blocks(self) -> LIFState:
        """v and the refractory clock move together; the spike flag only jumps."""
        return LIFState(v=0, wait=0, spike=None)  # pyright: ignore[reportArgumentType]

    def units(self) -> LIFState:
        """mV, ms and a pure number."""
        return LIFState(v="mV", wait="ms", spike="1")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: LIFState) -> Array:
        """`v` in mV."""
        return y.v

    def ports(self, y: LIFState) -> dict[str, Array]:
        """`v` in mV, and `spike`: 1 where the step that ends there fired."""
        return {"v": y.v, "spike": y.spike}

    def relax(self, t: Array, y: LIFState, u: Any) -> Relaxation:
        """The leaky membrane while ready; while refractory, v is held and the clock runs down."""
        membrane = as_membrane(u, y.v)
        # The mark keeps the mode up to a located end of the wait, and through it.
        ready = jnp.where((y.wait > 0) | (y.spike > 0), 0.0, 1.0).astype(y.v.dtype)
        zero = jnp.zeros_like(y.v)
        # One division for all cells, where the capacitance is shared.
        per_charge = 1.0 / self.capacitance
        drive = (self.leak * self.rest + membrane.current) * per_charge
        decay = (self.leak + membrane.conductance) * per_charge
        return Relaxation(
            LIFState(ready * drive, ready - 1.0, zero), LIFState(ready * decay, zero, zero)
        )

    def jump(self, t: Array, before: LIFState, y: LIFState, u: Any) -> LIFState:
        """Fires where v has reached the threshold, and starts the refractory clock."""
        fired = y.v >= self.threshold
        # Round-off of a few hundred subtractions of dt must not cost a step more.
        waiting = y.wait > 1e-4 * self.refractory
        return LIFState(
            jnp.where(fired, self.reset, y.v),
            jnp.where(fired, self.refractory, jnp.where(waiting, y.wait, 0.0)),
            spike(fired, ~waiting, y.v - self.threshold, self.surrogate),
        )

    def events(self, t: Array, y: LIFState, u: Any) -> Events:
        """A spike while ready, where v reaches the threshold; else the end of the wait."""
        ready = y.spike <= 0
        return Events(jnp.where(ready, y.v - self.threshold, -y.wait), ready)

    def occur(self, which: Array, t: Array, y: LIFState, u: Any) -> LIFState:
        """The reset and the start of the wait, or its end."""
        ready, one = y.spike <= 0, jnp.ones_like(y.spike)
        fired = LIFState(jnp.broadcast_to(self.reset, y.v.shape), self.refractory * one, one)
        rested = LIFState(y.v, jnp.zeros_like(y.wait), jnp.zeros_like(y.spike))
        return chosen(which, chosen(ready, fired, rested), y)

    def begin(self, t: Array, y: LIFState) -> LIFState:
        """Waiting, if there is a wait left: a state that steps arrived at has lost its mark."""
        return y._replace(spike=jnp.where(y.wait > 0, 1.0, 0.0).astype(y.spike.dtype))
