"""What is done to a cell, and what is recorded: families of current and of voltage steps."""

from collections.abc import Callable, Sequence
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.analysis import Nudged
from tripartite.cells import AbstractCell
from tripartite.cells import VoltageClamp as OneChannel
from tripartite.channels import AbstractChannel
from tripartite.core.arguments import require_fields
from tripartite.core.errors import concrete_float, require_above_zero, require_finite
from tripartite.simulate import simulate
from tripartite.stimuli import AbstractStimulus, Sampled, Step


def _voltage(y: Any) -> Array:
    return y.v


class CurrentClamp(eqx.Module):
    """Sweeps under injected currents: `clamp(cell)` is the voltage `[sweeps, samples]`.

    A family of steps is `CurrentClamp.steps(amplitudes, ...)`; any other stimuli, stacked along a
    leading axis of their arrays, are given as they are.

    **Arguments:**

    - `stimuli`: one `stimuli` object, each array of which has a leading axis: one per sweep.
    - `t1`, `dt`: ms, as in `simulate`; `save_every` ms between samples, by default every step.
    - `state`: picks what is recorded of the state; by default a cell's own `voltage`. A cell that
        is pulled towards a record and keeps its voltage elsewhere than in `y.v` has to say where.
    - `solver`, `adjoint`: as in `simulate`.

    **Raises:** `ValueError` for another kind of stimulus, or one without a leading axis.
    """

    stimuli: AbstractStimulus
    t1: float = eqx.field(static=True)
    dt: float = eqx.field(static=True, default=0.05)
    save_every: float | None = eqx.field(static=True, default=None)
    state: Callable[[Any], Array] | None = eqx.field(static=True, default=None)
    solver: diffrax.AbstractSolver | None = None
    adjoint: diffrax.AbstractAdjoint | str | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        require_fields(self)
        require_above_zero("dt", self.dt, "it is the step in ms")
        if self.save_every is not None:
            require_above_zero("save_every", self.save_every, "it is the time between samples")
        sizes = {jnp.shape(x)[:1] for x in jax.tree.leaves(self.stimuli)}
        if len(sizes) != 1 or () in sizes:
            raise ValueError(
                "every array of CurrentClamp.stimuli needs the same leading axis, one entry per "
                f"sweep, got {sorted(sizes)}: stack the sweeps with jax.tree.map(jnp.stack, ...)."
            )

    @classmethod
    def steps(cls, amplitudes: Any, *, start: float, stop: float, **options: Any) -> "CurrentClamp":
        """Steps of several `amplitudes` (uA/cm2 or pA) from `start` to `stop` (ms)."""
        amplitudes = jnp.atleast_1d(jnp.asarray(amplitudes, jnp.result_type(float)))
        whole = [jnp.full_like(amplitudes, t) for t in (start, stop)]
        return cls(Step(amplitudes, *whole), **options)

    @classmethod
    def sampled(cls, currents: Any, spacing: float, **options: Any) -> "CurrentClamp":
        """Recorded or drawn currents `[sweeps, samples]`, `spacing` ms apart, joined linearly."""
        currents = jnp.asarray(currents)
        if currents.ndim != 2:
            raise ValueError(
                f"currents must have shape [sweeps, samples], got {currents.shape}: for one sweep "
                "pass currents[None]."
            )
        each = jnp.full(currents.shape[:1], spacing, currents.dtype)
        return cls(eqx.filter_vmap(Sampled)(currents, each, jnp.zeros_like(each)), **options)

    @property
    def spacing(self) -> float:
        """ms between samples."""
        return self.dt if self.save_every is None else self.save_every

    def times(self) -> np.ndarray:
        """The times of the samples, ms."""
        return self.spacing * np.arange(round(self.t1 / self.spacing) + 1)

    def __call__(
        self, model: Any, *, towards: Float[Array, "s t"] | None = None, rate: Any = 0.0
    ) -> Float[Array, "s t"]:
        """The records of all sweeps; with `towards` those of the model pulled towards a record.

        See `analysis.Nudged`: `rate` in 1/ms. A solve that fails is not finite.

        **Raises:** `ValueError` for what is no cell, without `state`.
        """
        if self.state is None and not isinstance(model, AbstractCell):
            raise ValueError(
                f"CurrentClamp records the voltage of a cell, got {type(model).__name__}: pass "
                "state=lambda y: ..., what to record of its state."
            )

        def sweep(stimulus: Any, record: Any) -> Array:
            pulled = model
            if record is not None:
                pulled = Nudged(model, self.state or _voltage, Sampled(record, self.spacing), rate)
            solution = simulate(
                pulled,
                stimulus,
                t1=self.t1,
                dt=self.dt,
                save_every=self.save_every,
                record=self.state or model.voltage,
                solver=self.solver,
                adjoint=self.adjoint,
                throw=False,
            )
            found: Any = solution.ys
            return found

        expected = (jax.tree.leaves(self.stimuli)[0].shape[0], len(self.times()))
        if towards is not None and jnp.shape(towards) != expected:
            raise ValueError(
                f"the record to pull towards must have shape [sweeps, samples] = {expected}, got "
                f"{jnp.shape(towards)}."
            )
        if expected[0] == 1:
            # Unmapped, a solve has a faster gradient.
            only = jax.tree.map(lambda x: x[0], (self.stimuli, towards))
            return sweep(*only)[None]
        return eqx.filter_vmap(sweep)(self.stimuli, towards)


class VoltageClamp(eqx.Module):
    """Sweeps at held voltages: `clamp(cell)` is the current `[sweeps, samples]`.

        I(t) = sum over channels of g_k(t) (v(t) - E_k)

    after long at `holding`, a step to each of `commands` from `start` to `stop` and back. A perfect
    clamp: the capacitance is charged at once, and its current is none of these.

    **Arguments:**

    - `commands`: mV, one per sweep; `holding` in mV; `start`, `stop`, `t1` and `dt` in ms.
    - `save_every`: ms between samples, by default every step.

    The model is a channel, or a cell with `channels` none of which reads calcium; the current is
    in the conductance's unit times mV: uA/cm2 of mS/cm2.

    **Raises:** `ValueError` for commands that are no numbers in a row, times out of order, or,
    when called, a model without such channels.
    """

    commands: Array | Sequence[float]
    holding: float = eqx.field(static=True)
    t1: float = eqx.field(static=True)
    start: float = eqx.field(static=True, default=0.0)
    stop: float = eqx.field(static=True, default=np.inf)
    dt: float = eqx.field(static=True, default=0.05)
    save_every: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        require_fields(self)
        require_above_zero("dt", self.dt, "it is the step in ms")
        if self.save_every is not None:
            require_above_zero("save_every", self.save_every, "it is the time between samples")
        if np.ndim(self.commands) != 1 or np.size(self.commands) == 0:
            raise ValueError(
                f"commands must be one voltage (mV) per sweep, got shape {np.shape(self.commands)}."
            )
        require_finite("commands", self.commands, "give voltages in mV")
        if not (0 <= self.start < self.stop and self.start < concrete_float("t1", self.t1)):
            raise ValueError(
                f"a clamp needs 0 <= start < stop and start < t1, got start = {self.start}, stop = "
                f"{self.stop} and t1 = {self.t1} ms."
            )

    @property
    def spacing(self) -> float:
        """ms between samples."""
        return self.dt if self.save_every is None else self.save_every

    def times(self) -> np.ndarray:
        """The times of the samples, ms."""
        return self.spacing * np.arange(round(self.t1 / self.spacing) + 1)

    def __call__(self, model: Any) -> Float[Array, "s t"]:
        """The current of every sweep."""
        channels = (
            (model,) if isinstance(model, AbstractChannel) else getattr(model, "channels", ())
        )
        if not channels or not all(isinstance(c, AbstractChannel) for c in channels):
            raise ValueError(
                f"VoltageClamp needs a channel or a cell with channels, got {type(model).__name__}."
            )
        dtype = next(x.dtype for x in jax.tree.leaves(model) if eqx.is_inexact_array(x))
        steps = jnp.asarray(self.commands, dtype) - jnp.asarray(self.holding, dtype)
        ts = jnp.asarray(self.times(), dtype)

        def sweep(step: Array) -> Array:
            command = Step(step, jnp.asarray(self.start, dtype), jnp.asarray(self.stop, dtype))
            v = self.holding + jax.vmap(command)(ts)
            total = jnp.zeros_like(v)
            for channel in channels:
                total = total + self._current(channel, command, v)
            return total

        return jax.vmap(sweep)(steps)

    def _current(self, channel: AbstractChannel, command: Step, v: Array) -> Array:
        clamped = OneChannel(channel, jnp.asarray(self.holding, v.dtype))
        rest = clamped.init()
        if not jax.tree.leaves(rest):
            return channel.open_conductance(rest, v) * (v - channel.reversal_potential())
        gates: Any = simulate(
            clamped,
            command,
            t1=self.t1,
            dt=self.dt,
            save_every=self.save_every,
            record="state",
            throw=False,
        ).ys
        opened = jax.vmap(channel.open_conductance)(gates, v)
        return opened * (v - channel.reversal_potential())
