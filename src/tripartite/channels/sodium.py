"""Sodium channels."""

from jaxtyping import Array

from tripartite.channels.channel import Channel
from tripartite.channels.curves import Boltzmann, RateRatio, RateTime
from tripartite.channels.gates import Gate, InstantaneousGate, RelaxingGate
from tripartite.channels.rates import Exponential, Linoid, Sigmoid
from tripartite.core.errors import require_numbers


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
    return Channel(
        name="sodium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Hodgkin & Huxley 1952",
    )


def TraubMilesSodium(
    conductance: float | Array = 100.0,
    reversal: float | Array = 50.0,
    *,
    threshold: float | Array = -63.0,
    factor: float | Array = 1.0,
) -> Channel:
    """The hippocampal and cortical sodium channel, `g = conductance * m^3 h`.

    Traub and Miles, Neuronal Networks of the Hippocampus (1991), as in Brette et al., J. Comput.
    Neurosci. 23, 349 (2007), benchmark 3, and Pospischil et al., Biol. Cybern. 99, 427 (2008),
    section 2.2.1. With u = v - threshold: opening of m 0.32 (13 - u)/(exp((13 - u)/4) - 1), closing
    0.28 (u - 40)/(exp((u - 40)/5) - 1); opening of h 0.128 exp((17 - u)/18), closing
    4/(1 + exp((40 - u)/5)).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `threshold` (V_T) in mV shifts all
    rates; `factor` the temperature factor.
    """
    require_numbers(threshold=threshold)
    opening, closing = Linoid(1.28, threshold + 13.0, 4.0), Linoid(1.4, threshold + 40.0, -5.0)
    recovery = Exponential(0.128, threshold + 17.0, -18.0)
    gates = {
        "m": Gate(opening, closing, 3, factor),
        "h": Gate(recovery, Sigmoid(4.0, threshold + 40.0, 5.0), 1, factor),
    }
    return Channel(
        name="sodium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Traub & Miles 1991",
    )


def WangBuzsakiSodium(
    conductance: float | Array = 35.0,
    reversal: float | Array = 55.0,
    *,
    factor: float | Array = 5.0,
) -> Channel:
    """The fast-spiking interneuron's sodium channel, `g = conductance * m_inf(v)^3 h`.

    Wang and Buzsaki, J. Neurosci. 16, 6402 (1996), section "Model neuron": m is instantaneous, with
    rates 0.1 (v + 35)/(1 - exp(-(v + 35)/10)) and 4 exp(-(v + 60)/18); opening of h
    0.07 exp(-(v + 58)/20), closing 1/(1 + exp(-(v + 28)/10)).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` (phi) multiplies the rates
    of h.
    """
    fast = RateRatio(Linoid(1.0, -35.0, 10.0), Exponential(4.0, -60.0, -18.0))
    gates = {
        "m": InstantaneousGate(fast, 3),
        "h": Gate(Exponential(0.07, -58.0, -20.0), Sigmoid(1.0, -28.0, 10.0), 1, factor),
    }
    return Channel(
        name="sodium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Wang & Buzsaki 1996",
    )


def ConnorStevensSodium(
    conductance: float | Array = 120.0,
    reversal: float | Array = 55.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The sodium channel of a gastropod's soma, `g = conductance * m^3 h`.

    Connor, Walter and McKown, Biophys. J. 18, 81 (1977), rates as in Dayan and Abbott, Theoretical
    Neuroscience (2001), section 6.6: opening of m 0.38 (v + 29.7)/(1 - exp(-0.1 (v + 29.7))),
    closing 15.2 exp(-0.0556 (v + 54.7)); opening of h 0.266 exp(-0.05 (v + 48)), closing
    3.8/(1 + exp(-0.1 (v + 18))).

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    closing = Exponential(15.2, -54.7, -1.0 / 0.0556)
    gates = {
        "m": Gate(Linoid(3.8, -29.7, 10.0), closing, 3, factor),
        "h": Gate(Exponential(0.266, -48.0, -20.0), Sigmoid(3.8, -18.0, 10.0), 1, factor),
    }
    return Channel(
        name="sodium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Connor et al. 1977; Dayan & Abbott 2001",
    )


def PersistentSodium(
    conductance: float | Array,
    reversal: float | Array = 50.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """A slowly inactivating sodium current, `g = conductance * m_inf(v) h`.

    Butera, Rinzel and Smith, J. Neurophysiol. 82, 382 (1999), model 1: m is instantaneous,
    1/(1 + exp(-(v + 40)/6)); h tends to 1/(1 + exp((v + 48)/6)) in 10,000/cosh((v + 48)/12) ms.
    They give 2.8 nS for a cell of 21 pF; the constants were confirmed in independent codes, not in
    the paper's own text.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor of h.
    """
    half = 0.5 / 10_000.0
    slow = RateTime(Exponential(half, -48.0, 12.0), Exponential(half, -48.0, -12.0))
    gates = {
        "m": InstantaneousGate(Boltzmann(-40.0, 6.0)),
        "h": RelaxingGate(Boltzmann(-48.0, -6.0), slow, 1, factor),
    }
    return Channel(
        name="persistent_sodium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Butera et al. 1999",
    )
