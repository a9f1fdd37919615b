"""Potassium channels."""

from jaxtyping import Array

from tripartite.channels.channel import Channel, Gate
from tripartite.channels.rates import Exponential, Linoid


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
    return Channel(name="potassium", gates=gates, conductance=conductance, reversal=reversal)
