"""Calcium channels."""

from jaxtyping import Array

from tripartite.channels.channel import Channel
from tripartite.channels.curves import Boltzmann, RisingOverRising
from tripartite.channels.gates import AbstractGate, Gate, InstantaneousGate, RelaxingGate
from tripartite.channels.ions import q10
from tripartite.channels.rates import Exponential, Linoid, Sigmoid
from tripartite.core.arguments import require
from tripartite.core.errors import require_numbers


def l_type_gates(factor: float | Array = 1.0) -> dict[str, AbstractGate]:
    """The gates of `LTypeCalcium`, q^2 r, for a `NernstChannel` or a `GHKChannel`."""
    opening, closing = Linoid(0.209, -27.0, 3.8), Exponential(0.94, -75.0, -17.0)
    recovery, inactivation = Exponential(0.000457, -13.0, -50.0), Sigmoid(0.0065, -15.0, 28.0)
    return {
        "q": Gate(opening, closing, 2, factor),
        "r": Gate(recovery, inactivation, 1, factor),
    }


def t_type_gates(
    shift: float | Array = 2.0, factor: float | Array | None = None, misprint: bool = False
) -> dict[str, AbstractGate]:
    """The gates of `TTypeCalcium`, s^2 u, for a `NernstChannel` or a `GHKChannel`."""
    require_numbers(shift=shift)
    require("misprint", misprint, bool)
    if factor is None:
        factor = 3.7 if misprint else q10(36.0, 24.0)
    time = RisingOverRising(rise=-113.2 - shift, fall=-84.0 - shift, joined=misprint)
    return {
        "s": InstantaneousGate(Boltzmann(-57.0 - shift, 6.2), 2),
        "u": RelaxingGate(Boltzmann(-81.0 - shift, -4.0), time, 1, factor),
    }


def LTypeCalcium(
    conductance: float | Array = 0.1,
    reversal: float | Array = 120.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The high-threshold calcium current of bursting cells, `g = conductance * q^2 r`.

    Reuveni et al., J. Neurosci. 13, 4609 (1993), as in Pospischil et al. (2008), section 2.2.3:
    opening of q 0.055 (-27 - v)/(exp((-27 - v)/3.8) - 1), closing 0.94 exp((-75 - v)/17); opening
    of r 0.000457 exp((-13 - v)/50), closing 0.0065/(exp((-15 - v)/28) + 1).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    return Channel(
        name="l_calcium",
        gates=l_type_gates(factor),
        conductance=conductance,
        reversal=reversal,
        source="Reuveni et al. 1993; Pospischil et al. 2008",
    )


def TTypeCalcium(
    conductance: float | Array = 0.4,
    reversal: float | Array = 120.0,
    *,
    shift: float | Array = 2.0,
    factor: float | Array | None = None,
    misprint: bool = False,
) -> Channel:
    """The low-threshold calcium current of rebound bursts, `g = conductance * s_inf(v)^2 u`.

    Huguenard and McCormick (1992) in Destexhe's fit, as in Pospischil et al. (2008), section
    2.2.3. With w = v + shift: s is instantaneous, 1/(1 + exp(-(w + 57)/6.2)); u tends to
    1/(1 + exp((w + 81)/4)) in

        [30.8 + (211.4 + exp((w + 113.2)/5)) / (1 + exp((w + 84)/3.2))] / factor

    with factor = 3^1.2 = 3.74 (36 degC from 24). So it is in the authors' code (ModelDB 123623)
    and several independent ones. `misprint=True` is the form that is printed elsewhere and used by
    some codes, (30.8 + 211.4 + exp(...)) / (3.7 (1 + exp(...))), whose time constant vanishes for
    depolarised v; it is there for comparison.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `shift` (V_x) in mV; `factor` the
    temperature factor of u.
    """
    gates = t_type_gates(shift, factor, misprint)
    source = "Huguenard & McCormick 1992; Pospischil et al. 2008"
    return Channel(
        name="t_calcium", gates=gates, conductance=conductance, reversal=reversal, source=source
    )


def MorrisLecarCalcium(
    conductance: float | Array = 4.0,
    reversal: float | Array = 100.0,
    *,
    midpoint: float | Array = 10.0,
    scale: float | Array = 15.0,
) -> Channel:
    """The barnacle muscle fibre's calcium channel, `g = conductance * m_inf(v)`.

    Morris and Lecar (1981), equation 9, values of figure 9: m is instantaneous,
    (1 + tanh((v - V1)/V2))/2. The caption's V2 = -15 is a misprint for 15.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `midpoint` (V1), `scale` (V2) in mV.
    """
    require_numbers(scale=scale)
    gates: dict[str, AbstractGate] = {"m": InstantaneousGate(Boltzmann(midpoint, 0.5 * scale))}
    return Channel(
        name="calcium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Morris & Lecar 1981",
    )
