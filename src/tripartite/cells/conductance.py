"""The conductance cell: a capacitance and any tuple of channels."""

from typing import Any, NamedTuple

from jaxtyping import Array, PyTree

from tripartite import channels as ch
from tripartite.cells.base import AbstractCell
from tripartite.core import Parameter, Relaxation, as_membrane, parameter


class ConductanceState(NamedTuple):
    """`v` in mV; `gates[channel][gate]`, open fractions."""

    v: Array
    gates: dict[str, PyTree[Array]]


class ConductanceCell(AbstractCell):
    """`C dv/dt = I - sum over channels of g_k (v - E_k)`, each g_k a product of gates.

    Hodgkin and Huxley (1952), equation 26, for any list of channels. Every state relaxes: v at
    rate (sum of g_k) / C, each gate at its own rate, which is the cell seen as leaky integrators
    with state-dependent drive and leak.

    **Arguments:**

    - `channels`: a tuple of channels with distinct names.
    - `capacitance`: uF/cm2 (or pF).
    - `v_init`: mV; a cell starts there with its gates at their steady state.

    **Raises:** `ValueError` for no channel, two of one name, or a capacitance that is not positive.
    """

    channels: tuple[ch.AbstractChannel, ...]
    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True, source="Hodgkin & Huxley 1952")
    v_init: Parameter = parameter(-65.0, "mV", trainable=False)

    def __check_init__(self) -> None:
        if not isinstance(self.channels, tuple) or not self.channels:
            raise ValueError(
                f"channels must be a tuple of at least one channel, got {self.channels!r}: "
                "for example (channels.Leak(),)."
            )
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError(f"channels must have distinct names, got {names}: rename one of them.")

    def init(self) -> ConductanceState:
        """`v_init`, and each gate at its steady state there."""
        gates = {channel.name: channel.init(self.v_init) for channel in self.channels}
        return ConductanceState(self.v_init, gates)

    def blocks(self) -> ConductanceState:
        """A fixed step takes v first (and last), the gates in between."""
        return ConductanceState(v=0, gates=1)  # pyright: ignore[reportArgumentType]

    def units(self) -> ConductanceState:
        """mV, and pure numbers."""
        return ConductanceState(v="mV", gates="1")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: ConductanceState) -> Array:
        """`v` in mV."""
        return y.v

    def conductances(self, gates: dict[str, PyTree[Array]]) -> tuple[Array, ...]:
        """The conductance of each channel now (mS/cm2), in the order of `channels`."""
        return tuple(channel.open_conductance(gates[channel.name]) for channel in self.channels)

    def reversals(self) -> tuple[Array, ...]:
        """The reversal potential of each channel (mV), in the order of `channels`."""
        return tuple(channel.reversal for channel in self.channels)

    def relax_gates(
        self, gates: dict[str, PyTree[Array]], v: Array
    ) -> tuple[dict[str, PyTree[Array]], dict[str, PyTree[Array]]]:
        """Drive and decay (1/ms) of every gate at `v` (mV)."""
        pairs = {c.name: c.relax(gates[c.name], v) for c in self.channels}
        return (
            {name: drive for name, (drive, _) in pairs.items()},
            {name: decay for name, (_, decay) in pairs.items()},
        )

    def relax(self, t: Array, y: ConductanceState, u: Any) -> Relaxation:
        """v: drive (sum of g E + I) / C, decay (sum of g) / C; each gate: its own two rates."""
        membrane = as_membrane(u, y.v)
        conductances = self.conductances(y.gates)
        pull = sum_of(g * e for g, e in zip(conductances, self.reversals(), strict=True))
        drive, decay = self.relax_gates(y.gates, y.v)
        return Relaxation(
            ConductanceState((pull + membrane.current) / self.capacitance, drive),
            ConductanceState(
                (sum_of(conductances) + membrane.conductance) / self.capacitance, decay
            ),
        )


def sum_of(terms: Any) -> Array:
    """The sum of a non-empty sequence of arrays, without starting from an integer zero."""
    total, *rest = terms
    for term in rest:
        total = total + term
    return total
