"""The Connor-Stevens cell, whose A current lets it fire as slowly as one likes."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell


def ConnorStevens(
    *,
    g_sodium: float | Array = 120.0,
    g_potassium: float | Array = 20.0,
    g_a: float | Array = 47.7,
    g_leak: float | Array = 0.3,
    e_sodium: float | Array = 55.0,
    e_potassium: float | Array = -72.0,
    e_a: float | Array = -75.0,
    e_leak: float | Array = -17.0,
    capacitance: float | Array = 1.0,
    factor: float | Array = 1.0,
    v_init: float | Array = -68.0,
) -> ConductanceCell:
    """A gastropod's soma, of type I: sodium, potassium, A current, leak.

    Connor, Walter and McKown, Biophys. J. 18, 81 (1977), in the form of Dayan and Abbott,
    Theoretical Neuroscience (2001), section 6.6. The leak reversal is -17 mV there; a NEURON port
    has -70 mV, see `connor_stevens_negative_leak`. Without the A current (`g_a=0`, and a leak
    reversal that restores rest) the cell is of type II.

    **Arguments:**

    - `g_sodium`, `g_potassium`, `g_a`, `g_leak`: maximal conductances, mS/cm2.
    - `e_sodium`, `e_potassium`, `e_a`, `e_leak`: reversal potentials, mV.
    - `capacitance`: uF/cm2.
    - `factor`: temperature factor of all rates; see `channels.q10`.
    - `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    return ConductanceCell(
        (
            channels.ConnorStevensSodium(g_sodium, e_sodium, factor=factor),
            channels.ConnorStevensPotassium(g_potassium, e_potassium, factor=factor),
            channels.APotassium(g_a, e_a, factor=factor),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )


def connor_stevens_negative_leak() -> ConductanceCell:
    """The Connor-Stevens cell with a leak reversal of -70 mV, as in a NEURON port of it."""
    return ConnorStevens(e_leak=-70.0, v_init=-70.0)
