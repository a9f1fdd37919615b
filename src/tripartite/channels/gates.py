"""Gates in three forms: by rates, by steady state and time constant, and instantaneous."""

import abc
from collections.abc import Mapping

from jaxtyping import Array

from tripartite.channels.curves import (
    AbstractReadsCalcium,
    AbstractSteadyState,
    AbstractTimeConstant,
    known,
)
from tripartite.channels.rates import AbstractRate
from tripartite.core import AbstractParametrised, Parameter, parameter, whole


class AbstractGate(AbstractParametrised):
    """A factor `open fraction ^ power` of a channel's conductance."""

    @abc.abstractmethod
    def conducting(self, fraction: Array) -> Array:
        """`fraction ^ power`: what an open fraction contributes to the conductance."""

    @abc.abstractmethod
    def steady_state(self, v: Array, calcium: Array | None = None) -> Array:
        """The open fraction after long at `v` (mV) and `calcium` (uM)."""


class AbstractMovingGate(AbstractGate):
    """A gate with a state of its own, which relaxes."""

    @abc.abstractmethod
    def relax(self, v: Array, calcium: Array | None = None) -> tuple[Array, Array]:
        """Drive and decay (1/ms) at `v` (mV) and `calcium` (uM)."""

    def time_constant(self, v: Array, calcium: Array | None = None) -> Array:
        """One over the decay, in ms, at `v` (mV) and `calcium` (uM)."""
        return 1.0 / self.relax(v, calcium)[1]


class Gate(AbstractMovingGate):
    """A two-state gate: `dx/dt = factor * (opening(v) (1 - x) - closing(v) x)`.

    Hodgkin and Huxley (1952), equations 7, 15 and 16.

    **Arguments:** `opening`, `closing` rates; `power` the exponent in the channel's conductance;
    `factor` the temperature factor of both rates (a pure number).
    """

    opening: AbstractRate
    closing: AbstractRate
    power: int = whole(1)
    factor: Parameter = parameter(1.0, "1", positive=True, doc="temperature factor of both rates")

    def conducting(self, fraction: Array) -> Array:
        """`fraction ^ power`."""
        return fraction**self.power

    def relax(self, v: Array, calcium: Array | None = None) -> tuple[Array, Array]:
        """Drive and decay (1/ms) at `v` (mV)."""
        opening = self.factor * self.opening(v)
        return opening, opening + self.factor * self.closing(v)

    def steady_state(self, v: Array, calcium: Array | None = None) -> Array:
        """`opening / (opening + closing)`, the open fraction after long at `v` (mV)."""
        drive, decay = self.relax(v)
        return drive / decay


class RelaxingGate(AbstractMovingGate):
    """The same in the second form: `dx/dt = factor * (steady(v) - x) / time(v)`.

    **Arguments:** `steady` what the gate tends to; `time` how long it takes; `power` the exponent
    in the channel's conductance; `factor` the temperature factor that divides the time.
    """

    steady: AbstractSteadyState
    time: AbstractTimeConstant
    power: int = whole(1)
    factor: Parameter = parameter(1.0, "1", positive=True, doc="temperature factor of the rate")

    def conducting(self, fraction: Array) -> Array:
        """`fraction ^ power`."""
        return fraction**self.power

    def relax(self, v: Array, calcium: Array | None = None) -> tuple[Array, Array]:
        """Drive and decay (1/ms) at `v` (mV) and `calcium` (uM)."""
        decay = self.factor * self.time.rate(v)
        return self.steady(v, calcium) * decay, decay

    def steady_state(self, v: Array, calcium: Array | None = None) -> Array:
        """`steady` at `v` (mV) and `calcium` (uM)."""
        return self.steady(v, calcium)


class CalciumGate(AbstractMovingGate, AbstractReadsCalcium):
    """Opens by binding calcium: `dx/dt = factor * closing * ((c / half)^bound (1 - x) - x)`.

    The steady state is a Hill function of order `bound`; calcium speeds the gate up.

    **Arguments:** `closing` rate in 1/ms; `half` in uM; `bound` the number of ions; `power` the
    exponent in the channel's conductance; `factor` the temperature factor.

    **Raises:** `ValueError` when called without calcium.
    """

    closing: Parameter = parameter(0.03, "1/ms", positive=True)
    half: Parameter = parameter(25.0, "uM", positive=True)
    bound: int = whole(2)
    power: int = whole(2)
    factor: Parameter = parameter(1.0, "1", positive=True, doc="temperature factor of both rates")

    def conducting(self, fraction: Array) -> Array:
        """`fraction ^ power`."""
        return fraction**self.power

    def relax(self, v: Array, calcium: Array | None = None) -> tuple[Array, Array]:
        """Drive and decay (1/ms) at `calcium` (uM)."""
        closing = self.factor * self.closing
        opening = closing * (known(calcium) / self.half) ** self.bound
        return opening, opening + closing

    def steady_state(self, v: Array, calcium: Array | None = None) -> Array:
        """`c^bound / (c^bound + half^bound)`."""
        drive, decay = self.relax(v, calcium)
        return drive / decay


class InstantaneousGate(AbstractGate):
    """A gate so fast that it is always at its steady state: a function of v, without a state."""

    steady: AbstractSteadyState
    power: int = whole(1)

    def conducting(self, fraction: Array) -> Array:
        """`fraction ^ power`."""
        return fraction**self.power

    def steady_state(self, v: Array, calcium: Array | None = None) -> Array:
        """`steady` at `v` (mV) and `calcium` (uM)."""
        return self.steady(v, calcium)


def start_gates(
    gates: Mapping[str, AbstractGate], v: Array, calcium: Array | None
) -> dict[str, Array]:
    """The moving gates, each at its steady state at `v` (mV) and `calcium` (uM)."""
    return {
        name: gate.steady_state(v, calcium)
        for name, gate in gates.items()
        if isinstance(gate, AbstractMovingGate)
    }


def relax_gates(
    gates: Mapping[str, AbstractGate], v: Array, calcium: Array | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Drive and decay (1/ms) of each moving gate."""
    pairs = {
        name: gate.relax(v, calcium)
        for name, gate in gates.items()
        if isinstance(gate, AbstractMovingGate)
    }
    return (
        {name: drive for name, (drive, _) in pairs.items()},
        {name: decay for name, (_, decay) in pairs.items()},
    )


def times_open(
    maximum: Array,
    gates: Mapping[str, AbstractGate],
    y: dict[str, Array],
    v: Array,
    calcium: Array | None,
) -> Array:
    """`maximum * product of gate^power`, in the unit of `maximum`."""
    for name, gate in gates.items():
        moving = isinstance(gate, AbstractMovingGate)
        maximum = maximum * gate.conducting(y[name] if moving else gate.steady_state(v, calcium))
    return maximum
