"""The H current, which hyperpolarisation opens."""

from jaxtyping import Array

from tripartite.channels.channel import Channel
from tripartite.channels.curves import Boltzmann, RateTime
from tripartite.channels.gates import RelaxingGate
from tripartite.channels.rates import Exponential


def HCurrent(
    conductance: float | Array,
    reversal: float | Array = -43.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The mixed cation current that opens below rest, `g = conductance * r`.

    Huguenard and McCormick, J. Neurophysiol. 68, 1373 (1992), a thalamic relay cell at 35.5 degC:
    r tends to 1/(1 + exp((v + 75)/5.5)) in 1/(exp(-14.59 - 0.086 v) + exp(-1.87 + 0.0701 v)) ms.
    The constants were confirmed in independent codes, not in the paper's own text.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    # exp(-14.59 - 0.086 v) is 1 at v = -14.59/0.086, and so for the other.
    time = RateTime(
        Exponential(1.0, -14.59 / 0.086, -1.0 / 0.086),
        Exponential(1.0, 1.87 / 0.0701, 1.0 / 0.0701),
    )
    gates = {"r": RelaxingGate(Boltzmann(-75.0, -5.5), time, 1, factor)}
    return Channel(
        name="h_current",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Huguenard & McCormick 1992",
    )
