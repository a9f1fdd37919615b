"""An ion channel as data: gates, a maximal conductance and a reversal potential."""

import abc

import equinox as eqx
from jaxtyping import Array, PyTree

from tripartite.channels.rates import AbstractRate
from tripartite.core import AbstractParametrised, Parameter, parameter


class AbstractChannel(AbstractParametrised):
    """What a membrane needs of a channel: a conductance and a reversal, never a bare current."""

    name: eqx.AbstractVar[str]
    reversal: eqx.AbstractVar[Array]

    @abc.abstractmethod
    def init(self, v: Array) -> PyTree[Array]:
        """The gates at rest at `v` (mV)."""

    @abc.abstractmethod
    def relax(self, gates: PyTree[Array], v: Array) -> tuple[PyTree[Array], PyTree[Array]]:
        """The drive and the decay of each gate (1/ms) at `v` (mV)."""

    @abc.abstractmethod
    def open_conductance(self, gates: PyTree[Array]) -> Array:
        """The conductance now (mS/cm2)."""


class Gate(AbstractParametrised):
    """A two-state gate: `dx/dt = factor * (opening(v) (1 - x) - closing(v) x)`.

    Hodgkin and Huxley (1952), equations 7, 15 and 16.

    **Arguments:** `opening`, `closing` rates; `power` the exponent in the channel's conductance;
    `factor` the temperature factor of both rates (a pure number).
    """

    opening: AbstractRate
    closing: AbstractRate
    power: int = eqx.field(static=True, default=1)
    factor: Parameter = parameter(1.0, "1", positive=True, doc="temperature factor of both rates")

    def relax(self, v: Array) -> tuple[Array, Array]:
        """Drive and decay (1/ms) at `v` (mV)."""
        opening = self.factor * self.opening(v)
        return opening, opening + self.factor * self.closing(v)

    def steady_state(self, v: Array) -> Array:
        """`opening / (opening + closing)`, the open fraction after long at `v` (mV)."""
        drive, decay = self.relax(v)
        return drive / decay

    def time_constant(self, v: Array) -> Array:
        """`1 / (factor (opening + closing))` in ms at `v` (mV)."""
        return 1.0 / self.relax(v)[1]


class Channel(AbstractChannel):
    """`g(t) = conductance * product of gate^power`, with current `g (v - reversal)`.

    **Arguments:**

    - `name`: how the channel is called in states and tables.
    - `gates`: name to `Gate`; may be empty (a leak).
    - `conductance`: maximal conductance, mS/cm2 (or nS).
    - `reversal`: mV.
    """

    name: str = eqx.field(static=True)
    gates: dict[str, Gate]
    conductance: Parameter = parameter(None, "mS/cm2")
    reversal: Parameter = parameter(None, "mV")

    def init(self, v: Array) -> dict[str, Array]:
        """Each gate at its steady state at `v` (mV)."""
        return {name: gate.steady_state(v) for name, gate in self.gates.items()}

    def relax(self, gates: dict[str, Array], v: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Drive and decay (1/ms) of each gate at `v` (mV)."""
        pairs = {name: gate.relax(v) for name, gate in self.gates.items()}
        return (
            {name: drive for name, (drive, _) in pairs.items()},
            {name: decay for name, (_, decay) in pairs.items()},
        )

    def open_conductance(self, gates: dict[str, Array]) -> Array:
        """`conductance * product of gate^power` in mS/cm2."""
        total = self.conductance
        for name, gate in self.gates.items():
            total = total * gates[name] ** gate.power
        return total
