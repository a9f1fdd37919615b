"""The Hodgkin-Huxley cell."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell


def HodgkinHuxley(
    *,
    g_sodium: float | Array = 120.0,
    g_potassium: float | Array = 36.0,
    g_leak: float | Array = 0.3,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -77.0,
    e_leak: float | Array = -54.387,
    capacitance: float | Array = 1.0,
    temperature: float = 6.3,
    v_init: float | Array = -65.0,
) -> ConductanceCell:
    """The squid giant axon: sodium, potassium and leak.

    `C dv/dt = I - g_Na m^3 h (v - E_Na) - g_K n^4 (v - E_K) - g_L (v - E_L)`

    Hodgkin and Huxley, J. Physiol. 117, 500 (1952), in the modern convention (rest near -65 mV).
    The default leak reversal, -54.387 mV, puts rest at -64.996 mV; NEURON uses `e_leak=-54.3`.

    **Arguments:**

    - `g_sodium`, `g_potassium`, `g_leak`: maximal conductances, mS/cm2.
    - `e_sodium`, `e_potassium`, `e_leak`: reversal potentials, mV.
    - `capacitance`: uF/cm2.
    - `temperature`: degC; every rate is multiplied by 3^((temperature - 6.3) / 10).
    - `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    factor = channels.q10(temperature, 6.3)
    return ConductanceCell(
        (
            channels.Sodium(g_sodium, e_sodium, factor=factor),
            channels.Potassium(g_potassium, e_potassium, factor=factor),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )
