"""Sodium channels."""

from jaxtyping import Array

from tripartite.channels.channel import Channel, Gate
from tripartite.channels.rates import Exponential, Linoid, Sigmoid


def Sodium(
    conductance: float | Array = 120.0,
    reversal: float | Array = 50.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The squid axon's sodium channel, `g = conductance * m^3 h`.

    Hodgkin and Huxley (1952), equations 20, 21, 23 and 24, in the modern convention (depolarised
    is up, rest near -65 mV): opening of m 0.1 (v + 40) / (1 - exp(-(v + 40)/10)), closing
    4 exp(-(v + 65)/18); opening of h 0.07 exp(-(v + 65)/20), closing 1/(1 + exp(-(v + 35)/10)).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    gates = {
        "m": Gate(Linoid(1.0, -40.0, 10.0), Exponential(4.0, -65.0, -18.0), 3, factor),
        "h": Gate(Exponential(0.07, -65.0, -20.0), Sigmoid(1.0, -35.0, 10.0), 1, factor),
    }
    return Channel(name="sodium", gates=gates, conductance=conductance, reversal=reversal)
