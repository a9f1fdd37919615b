"""The Wang-Buzsaki interneuron."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell


def WangBuzsaki(
    *,
    g_sodium: float | Array = 35.0,
    g_potassium: float | Array = 9.0,
    g_leak: float | Array = 0.1,
    e_sodium: float | Array = 55.0,
    e_potassium: float | Array = -90.0,
    e_leak: float | Array = -65.0,
    capacitance: float | Array = 1.0,
    factor: float | Array = 5.0,
    v_init: float | Array = -65.0,
) -> ConductanceCell:
    """A fast-spiking hippocampal interneuron whose sodium activation is instantaneous.

    Wang and Buzsaki, J. Neurosci. 16, 6402 (1996), section "Model neuron".

    **Arguments:**

    - `g_sodium`, `g_potassium`, `g_leak`: maximal conductances, mS/cm2.
    - `e_sodium`, `e_potassium`, `e_leak`: reversal potentials, mV.
    - `capacitance`: uF/cm2.
    - `factor` (phi): multiplies the rates of h and n.
    - `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    return ConductanceCell(
        (
            channels.WangBuzsakiSodium(g_sodium, e_sodium, factor=factor),
            channels.WangBuzsakiPotassium(g_potassium, e_potassium, factor=factor),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )
