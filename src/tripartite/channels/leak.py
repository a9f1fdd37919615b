"""The leak: a conductance without gates."""

from jaxtyping import Array

from tripartite.channels.channel import Channel


def Leak(conductance: float | Array = 0.3, reversal: float | Array = -54.387) -> Channel:
    """A constant conductance, `g = conductance`.

    Hodgkin and Huxley (1952) give 0.3 mS/cm2 and a reversal 10.613 mV above rest.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV.
    """
    return Channel(
        name="leak",
        gates={},
        conductance=conductance,
        reversal=reversal,
        source="Hodgkin & Huxley 1952",
    )
