"""Not a cell, but what stands for one: it fires at given times."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.cells.base import AbstractCell
from tripartite.core import Events, Parameter, Relaxation, parameter
from tripartite.core.errors import is_concrete

# A time (ms) that no solve reaches.
_FAR = 1e12


class SpikeSourceState(NamedTuple):
    """What it fired in the last step, and where it stands.

    `spike`: how many; `elapsed`: ms since the step began; `told`: how many of its times have
    passed, -1 before the first step.
    """

    spike: Array
    elapsed: Array
    told: Array


class SpikeSource(AbstractCell):
    """Fires at given times: at the end of the step in which each lies, whatever it receives.

    For the input of a network: a recorded or an invented spike train, of which projections make
    what they make of any cell's. Two times within one step count twice. Times at or before the
    start of a solve have passed. It has no membrane: its voltage is 0 mV for ever. In steps (`dt=`)
    it fires on their grid, so that no derivative passes to `times`; delays are what can be trained.
    Without steps it fires at its times, and what follows has a derivative with respect to them.

    **Arguments:** `times` `[k]` in ms, in any order. To fill up the rows of
    `population(SpikeSource, n, times=[[...], ...])`, take a time after the end, such as 1e9.
    """

    times: Parameter = parameter(None, "ms", trainable=False)

    def __check_init__(self) -> None:
        if is_concrete(self.times) and np.ndim(self.times) == 0:
            raise ValueError(
                f"SpikeSource.times must be a list of times, got {self.times}: for one spike give "
                "[t], and for n sources population(SpikeSource, n, times=[[...], ...])."
            )

    def init(self) -> SpikeSourceState:
        """Silent."""
        zero = jnp.zeros(self.times.shape[:-1], self.times.dtype)
        return SpikeSourceState(zero, zero, zero - 1.0)

    def blocks(self) -> SpikeSourceState:
        """The time within a step runs; the rest only jumps."""
        return SpikeSourceState(None, 0, None)  # pyright: ignore[reportArgumentType]

    def units(self) -> SpikeSourceState:
        """Pure numbers, and ms."""
        return SpikeSourceState("1", "ms", "1")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: SpikeSourceState) -> Array:
        """0 mV."""
        return jnp.zeros_like(y.spike)

    def ports(self, y: SpikeSourceState) -> dict[str, Array]:
        """`v`, 0 mV, and `spike`: how many in the step that ends there."""
        return {"v": self.voltage(y), "spike": y.spike}

    def relax(self, t: Array, y: SpikeSourceState, u: Any) -> Relaxation:
        """`elapsed` grows with time."""
        zero = jnp.zeros_like(y.elapsed)
        still = SpikeSourceState(zero, zero, zero)
        return Relaxation(still._replace(elapsed=zero + 1.0), still)

    def jump(self, t: Array, before: Any, y: SpikeSourceState, u: Any) -> SpikeSourceState:
        """Counts the times since the last step."""
        end = t.astype(y.spike.dtype)
        # A time on the grid belongs to the step that ends there, whatever the rounding of both.
        end = end + 1e-3 * y.elapsed + 4.0 * jnp.finfo(end.dtype).eps * jnp.abs(end)
        told = jnp.where(y.told < 0, self._passed(end - y.elapsed), y.told)
        passed = self._passed(end)
        return SpikeSourceState(passed - told, jnp.zeros_like(y.elapsed), passed)

    def _passed(self, t: Array) -> Array:
        """How many of the times are not after `t`."""
        return jnp.sum((self.times <= t[..., None]).astype(t.dtype), axis=-1)

    def begin(self, t: Array, y: SpikeSourceState) -> SpikeSourceState:
        """The times up to the start have passed."""
        return y._replace(told=self._passed(t))

    def events(self, t: Array, y: SpikeSourceState, u: Any) -> Events:
        """The next of the times; long ahead if there is none."""
        none = jnp.full_like(self.times[..., :1], _FAR)
        times = jnp.concatenate([jnp.sort(self.times, axis=-1), none], axis=-1)
        told = jnp.clip(y.told, 0.0, self.times.shape[-1]).astype(jnp.int32)
        upcoming = jnp.take_along_axis(times, told[..., None], axis=-1)[..., 0]
        return Events(t - upcoming, jnp.ones_like(upcoming, bool))

    def occur(self, which: Array, t: Array, y: SpikeSourceState, u: Any) -> SpikeSourceState:
        """One more of its times has passed."""
        return y._replace(told=jnp.where(which, y.told + 1.0, y.told))
