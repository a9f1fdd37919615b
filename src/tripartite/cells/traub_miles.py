"""The Traub-Miles cell of the simulator benchmarks."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell


def TraubMiles(
    *,
    g_sodium: float | Array = 100.0,
    g_potassium: float | Array = 30.0,
    g_leak: float | Array = 0.05,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -90.0,
    e_leak: float | Array = -60.0,
    threshold: float | Array = -63.0,
    capacitance: float | Array = 1.0,
    factor: float | Array = 1.0,
    v_init: float | Array = -60.0,
) -> ConductanceCell:
    """The hippocampal cell of the COBAHH benchmark: sodium, delayed rectifier, leak.

    Brette et al., J. Comput. Neurosci. 23, 349 (2007), benchmark 3, after Traub and Miles (1991).
    There the cell has 20,000 um2: 1 uA/cm2 is 200 pA. With these values it fires without any input,
    about every 72 ms.

    **Arguments:**

    - `g_sodium`, `g_potassium`, `g_leak`: maximal conductances, mS/cm2.
    - `e_sodium`, `e_potassium`, `e_leak`: reversal potentials, mV.
    - `threshold` (V_T): mV, shifts the rates of sodium and potassium.
    - `capacitance`: uF/cm2.
    - `factor`: temperature factor of all rates; see `channels.q10`.
    - `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    shift = {"threshold": threshold, "factor": factor}
    return ConductanceCell(
        (
            channels.TraubMilesSodium(g_sodium, e_sodium, **shift),
            channels.TraubMilesPotassium(g_potassium, e_potassium, **shift),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )
