"""The Morris-Lecar cell: two currents that oscillate."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell
from tripartite.core.errors import require_numbers


def MorrisLecar(
    *,
    g_calcium: float | Array = 4.0,
    g_potassium: float | Array = 8.0,
    g_leak: float | Array = 2.0,
    e_calcium: float | Array = 100.0,
    e_potassium: float | Array = -70.0,
    e_leak: float | Array = -50.0,
    v_1: float | Array = 10.0,
    v_2: float | Array = 15.0,
    v_3: float | Array = -1.0,
    v_4: float | Array = 14.5,
    slowest: float | Array = 15.0,
    capacitance: float | Array = 20.0,
    v_init: float | Array = -50.0,
) -> ConductanceCell:
    """A barnacle muscle fibre in two states: instantaneous calcium, slow potassium, leak.

    Morris and Lecar, Biophys. J. 35, 193 (1981), equation 9, values of figure 9; its caption's
    V2 = -15 mV is a misprint for 15. Rest is unstable between 289.7 and 465.1 uA/cm2, and the cell
    oscillates.

    **Arguments:**

    - `g_calcium`, `g_potassium`, `g_leak`: maximal conductances, mS/cm2.
    - `e_calcium`, `e_potassium`, `e_leak`: reversal potentials, mV.
    - `v_1`, `v_2`: midpoint and width of calcium's activation, mV; `v_3`, `v_4`: potassium's.
    - `slowest` (one over lambda): potassium's time constant at `v_3`, ms.
    - `capacitance`: uF/cm2. `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    require_numbers(v_1=v_1, v_2=v_2, v_3=v_3, v_4=v_4, slowest=slowest)
    return ConductanceCell(
        (
            channels.MorrisLecarCalcium(g_calcium, e_calcium, midpoint=v_1, scale=v_2),
            channels.MorrisLecarPotassium(
                g_potassium, e_potassium, midpoint=v_3, scale=v_4, slowest=slowest
            ),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )
