"""The theorem of He et al. (2024) as a cell: M channels are M + 1 time-varying integrators."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.cells.base import AbstractCell
from tripartite.cells.conductance import ConductanceCell, ConductanceState, sum_of
from tripartite.core import Parameter, Relaxation, as_membrane, parameter
from tripartite.stimuli import AbstractStimulus

_SOURCE = "He et al., Nature Computational Science 4, 584 (2024), and the authors' released code"


class AbstractTVLIF(AbstractCell):
    """Integrators whose sum is the voltage of a conductance cell, given its gates.

    **Raises:** `ValueError` for anything but a conductance cell, and for a noisy one.
    """

    cell: eqx.AbstractVar[ConductanceCell]

    def __check_init__(self) -> None:
        if not isinstance(self.cell, ConductanceCell):
            raise ValueError(
                "cell: time-varying integrators need a ConductanceCell, got "
                f"{type(self.cell).__name__}: the theorem is about sums of conductances times "
                "driving forces."
            )
        if self.cell.noisy():
            raise ValueError(
                "time-varying integrators need a cell without noise, got one with noisy channels "
                "or a noisy current, which would be dropped: give the cell without its noise."
            )

    @abc.abstractmethod
    def collect(self, y: Any, v: Array) -> Any:
        """The same state with all of the potential in its last unit, and voltage `v` (mV)."""


class ShareState(NamedTuple):
    """`shares`: each channel's part of the potential (mV); `drive`: the stimulus's.

    `gates` and `calcium` as in the cell.
    """

    shares: tuple[Array, ...]
    drive: Array
    gates: dict[str, PyTree[Array]]
    calcium: Array | None = None


class TVLIF(AbstractTVLIF):
    """Any conductance cell with M channels as M + 1 leaky integrators (share form).

        C du_k/dt = -g_s(t) u_k + g_k(t) E_k    for each channel k
        C du_I/dt = -g_s(t) u_I + I(t)
        v = sum of u_k + u_I,    g_s = sum of g_k

    All units share one time-varying time constant C / g_s. Adding the lines gives the conductance
    cell's own equation, so v is its voltage for every input, and |u_k| never exceeds
    max(|u_k(0)|, sup |E_k|). Conductances and reversals may depend on v and on calcium: they are
    read at the sum of the units. It holds for any Runge-Kutta or linear multistep method step by
    step, and for the exponential steps of this library.

    **Arguments:**

    - `cell`: the conductance cell.
    - `replay`: `None` drives the gates by the reconstructed voltage (closed loop); a stimulus of
        value `[M]` (mS/cm2, in the order of `cell.channels`) replaces the gates by a record.

    Source: the construction of He et al. (2024) in the form whose units do not drift.
    """

    cell: ConductanceCell
    replay: AbstractStimulus | None = None

    def init(self) -> ShareState:
        """The channels' units empty and the stimulus's at the cell's initial voltage."""
        y = self.cell.init()
        gates = y.gates if self.replay is None else {}
        empty = (jnp.zeros_like(y.v),) * len(self.cell.channels)
        return ShareState(empty, y.v, gates, y.calcium)

    def blocks(self) -> ShareState:
        """As the cell's: the units first (and last), the gates and calcium in between."""
        return ShareState(0, 0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> ShareState:
        """mV, mV, pure numbers and uM."""
        return ShareState("mV", "mV", "1", "uM")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: ShareState) -> Array:
        """The sum of all units, mV."""
        return sum_of((*y.shares, y.drive))

    def collect(self, y: ShareState, v: Array) -> ShareState:
        """All shares zero and `v` in the stimulus's unit: no later voltage changes if v is old."""
        return ShareState(tuple(jnp.zeros_like(x) for x in y.shares), v, y.gates, y.calcium)

    def relax(self, t: Array, y: ShareState, u: Any) -> Relaxation:
        """Each unit: drive g_k E_k / C (or I / C), decay g_s / C."""
        membrane = as_membrane(u, y.drive)
        whole = ConductanceState(self.voltage(y), y.gates, y.calcium)
        conductances = _conductances(self.cell, self.replay, t, whole)
        gates = _relax_gates(self.cell, whole)
        calcium = self.cell.relax_calcium(whole, conductances)
        capacitance = self.cell.capacitance
        leak = (sum_of(conductances) + membrane.conductance) / capacitance
        reversals = self.cell.reversals(whole)
        pulls = tuple(g * e / capacitance for g, e in zip(conductances, reversals, strict=True))
        return Relaxation(
            ShareState(pulls, membrane.current / capacitance, gates[0], calcium[0]),
            ShareState((leak,) * len(pulls), leak, gates[1], calcium[1]),
        )


class DerivativeState(NamedTuple):
    """The units of the derivative form, in mV, and the cell's gates and calcium.

    `channels`: one per channel; `synapse`: their derivative synapses, summed; `total`: the last.
    """

    channels: tuple[Array, ...]
    synapse: Array
    total: Array
    gates: dict[str, PyTree[Array]]
    calcium: Array | None = None


class DerivativeTVLIF(AbstractTVLIF):
    """The paper's own form: channel units, derivative synapses and a summing unit.

        C du_k/dt = -g_0 (u_k - E_k) + g_0 I / g_s            for each channel k
        df/dt     = sum over k of (g_k / g_0) du_k/dt
        C du_4/dt = -g_s u_4 - g_s f + sum over k of g_k u_k
        v = f + u_4

    Exact in continuous time and step by step under any Runge-Kutta or linear multistep method;
    under an exponential step it differs from the cell by the method's own error (order 2 in dt
    with the midpoint, 1 without), where `TVLIF` stays exact. f and u_4 drift
    apart by about 100 mV per spike, which costs float32 its last digits in long runs.

    **Arguments:** as `TVLIF`; `unit_leak` (g_0) is the constant leak of the channel units.
    """

    cell: ConductanceCell
    replay: AbstractStimulus | None = None
    unit_leak: Parameter = parameter(1.0, "mS/cm2", positive=True, source=_SOURCE)

    def init(self) -> DerivativeState:
        """Everything empty but the last unit, which starts at the cell's initial voltage."""
        y = self.cell.init()
        zero = jnp.zeros_like(y.v)
        gates = y.gates if self.replay is None else {}
        return DerivativeState((zero,) * len(self.cell.channels), zero, y.v, gates, y.calcium)

    def blocks(self) -> DerivativeState:
        """The units first (and last), the gates and calcium in between."""
        return DerivativeState(0, 0, 0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> DerivativeState:
        """mV, pure numbers and uM."""
        return DerivativeState("mV", "mV", "mV", "1", "uM")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: DerivativeState) -> Array:
        """`f + u_4`, mV."""
        return y.synapse + y.total

    def collect(self, y: DerivativeState, v: Array) -> DerivativeState:
        """The synapses empty and `v` in the last unit: it removes the drift."""
        return DerivativeState(y.channels, jnp.zeros_like(y.synapse), v, y.gates, y.calcium)

    def relax(self, t: Array, y: DerivativeState, u: Any) -> Relaxation:
        """The three lines above; an external conductance joins the last unit's leak."""
        membrane = as_membrane(u, y.total)
        whole = ConductanceState(self.voltage(y), y.gates, y.calcium)
        conductances = _conductances(self.cell, self.replay, t, whole)
        gates = _relax_gates(self.cell, whole)
        calcium = self.cell.relax_calcium(whole, conductances)
        capacitance, g_0 = self.cell.capacitance, self.unit_leak
        rate = g_0 / capacitance
        push = membrane.current / sum_of(conductances)
        targets = tuple(e + push for e in self.cell.reversals(whole))
        slopes = tuple(rate * (a - x) for a, x in zip(targets, y.channels, strict=True))
        synapse = sum_of(g * s for g, s in zip(conductances, slopes, strict=True)) / g_0
        leak = (sum_of(conductances) + membrane.conductance) / capacitance
        weighted = sum_of(g * x for g, x in zip(conductances, y.channels, strict=True))
        return Relaxation(
            DerivativeState(
                tuple(rate * a for a in targets),
                synapse,
                weighted / capacitance - leak * y.synapse,
                gates[0],
                calcium[0],
            ),
            DerivativeState(
                tuple(rate + jnp.zeros_like(x) for x in y.channels),
                jnp.zeros_like(y.synapse),
                leak,
                gates[1],
                calcium[1],
            ),
        )


def _conductances(
    cell: ConductanceCell,
    replay: AbstractStimulus | None,
    t: Array,
    y: ConductanceState,
) -> tuple[Array, ...]:
    if replay is None:
        return cell.conductances(y)
    record = replay(t)
    if record.shape[:1] != (len(cell.channels),):
        raise ValueError(
            f"replay must give one conductance per channel, shape [{len(cell.channels)}], got "
            f"{record.shape}: stack the traces in the order of cell.channels."
        )
    return tuple(record)


def _relax_gates(cell: ConductanceCell, y: ConductanceState) -> Any:
    return cell.relax_gates(y) if y.gates else (y.gates, y.gates)
