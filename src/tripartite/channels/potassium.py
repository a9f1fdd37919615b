"""Delayed rectifiers: the potassium channels that end an action potential."""

from jaxtyping import Array

from tripartite.channels.channel import Channel
from tripartite.channels.curves import Boltzmann, RateTime
from tripartite.channels.gates import Gate, RelaxingGate
from tripartite.channels.rates import Exponential, Linoid
from tripartite.core.errors import require_numbers


def Potassium(
    conductance: float | Array = 36.0,
    reversal: float | Array = -77.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The squid axon's delayed rectifier, `g = conductance * n^4`.

    Hodgkin and Huxley (1952), equations 12 and 13, in the modern convention: opening of n
    0.01 (v + 55) / (1 - exp(-(v + 55)/10)), closing 0.125 exp(-(v + 65)/80).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    gates = {"n": Gate(Linoid(0.1, -55.0, 10.0), Exponential(0.125, -65.0, -80.0), 4, factor)}
    return Channel(
        name="potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Hodgkin & Huxley 1952",
    )


def TraubMilesPotassium(
    conductance: float | Array = 30.0,
    reversal: float | Array = -90.0,
    *,
    threshold: float | Array = -63.0,
    factor: float | Array = 1.0,
) -> Channel:
    """The hippocampal and cortical delayed rectifier, `g = conductance * n^4`.

    Traub and Miles (1991), as in Brette et al. (2007), benchmark 3, and Pospischil et al. (2008),
    section 2.2.1. With u = v - threshold: opening 0.032 (15 - u)/(exp((15 - u)/5) - 1), closing
    0.5 exp((10 - u)/40).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `threshold` (V_T) in mV shifts both
    rates; `factor` the temperature factor.
    """
    require_numbers(threshold=threshold)
    opening, closing = (
        Linoid(0.16, threshold + 15.0, 5.0),
        Exponential(0.5, threshold + 10.0, -40.0),
    )
    gates = {"n": Gate(opening, closing, 4, factor)}
    return Channel(
        name="potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Traub & Miles 1991",
    )


def WangBuzsakiPotassium(
    conductance: float | Array = 9.0,
    reversal: float | Array = -90.0,
    *,
    factor: float | Array = 5.0,
) -> Channel:
    """The fast-spiking interneuron's delayed rectifier, `g = conductance * n^4`.

    Wang and Buzsaki (1996), section "Model neuron": opening
    0.01 (v + 34)/(1 - exp(-(v + 34)/10)), closing 0.125 exp(-(v + 44)/80).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` (phi) multiplies both rates.
    """
    gates = {"n": Gate(Linoid(0.1, -34.0, 10.0), Exponential(0.125, -44.0, -80.0), 4, factor)}
    return Channel(
        name="potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Wang & Buzsaki 1996",
    )


def ConnorStevensPotassium(
    conductance: float | Array = 20.0,
    reversal: float | Array = -72.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The delayed rectifier of a gastropod's soma, `g = conductance * n^4`.

    Connor, Walter and McKown (1977), rates as in Dayan and Abbott (2001), section 6.6: opening
    0.02 (v + 45.7)/(1 - exp(-0.1 (v + 45.7))), closing 0.25 exp(-0.0125 (v + 55.7)).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    gates = {"n": Gate(Linoid(0.2, -45.7, 10.0), Exponential(0.25, -55.7, -80.0), 4, factor)}
    return Channel(
        name="potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Connor et al. 1977; Dayan & Abbott 2001",
    )


def MorrisLecarPotassium(
    conductance: float | Array = 8.0,
    reversal: float | Array = -70.0,
    *,
    midpoint: float | Array = -1.0,
    scale: float | Array = 14.5,
    slowest: float | Array = 15.0,
) -> Channel:
    """The barnacle muscle fibre's potassium channel, `g = conductance * w`.

    Morris and Lecar, Biophys. J. 35, 193 (1981), equations 2 and 3, values of figure 9: w tends to
    (1 + tanh((v - V3)/V4))/2 in slowest/cosh((v - V3)/(2 V4)) ms.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `midpoint` (V3), `scale` (V4) in mV;
    `slowest` (1 / lambda) in ms.
    """
    require_numbers(slowest=slowest, scale=scale)
    half, width = 0.5 / slowest, 2.0 * scale
    time = RateTime(Exponential(half, midpoint, width), Exponential(half, midpoint, -width))
    gates = {"w": RelaxingGate(Boltzmann(midpoint, 0.5 * scale), time)}
    return Channel(
        name="potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Morris & Lecar 1981",
    )
