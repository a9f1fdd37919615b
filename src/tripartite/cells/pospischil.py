"""Minimal cells of the cerebral cortex: regular, fast, bursting and low-threshold spiking."""

from jaxtyping import Array

from tripartite import channels
from tripartite.cells.conductance import ConductanceCell


def PospischilRS(
    *,
    g_sodium: float | Array = 56.0,
    g_potassium: float | Array = 6.0,
    g_m: float | Array = 0.075,
    g_leak: float | Array = 0.0205,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -90.0,
    e_leak: float | Array = -70.3,
    threshold: float | Array = -56.2,
    slowest: float | Array = 608.0,
    capacitance: float | Array = 1.0,
    v_init: float | Array = -70.0,
) -> ConductanceCell:
    """A regular-spiking pyramidal cell, which adapts: sodium, potassium, M current, leak.

    Pospischil et al., Biol. Cybern. 99, 427 (2008), section 3.1; the values agree in two
    independent codes of the paper.

    **Arguments:**

    - `g_sodium`, `g_potassium`, `g_m`, `g_leak`: maximal conductances, mS/cm2.
    - `e_sodium`, `e_potassium`, `e_leak`: reversal potentials, mV.
    - `threshold` (V_T): mV, shifts the rates of sodium and potassium.
    - `slowest` (tau_max): ms, of the M current.
    - `capacitance`: uF/cm2. `v_init`: mV.

    **Raises:** `ValueError` if the capacitance is not positive or a parameter is not finite.
    """
    return ConductanceCell(
        (
            channels.TraubMilesSodium(g_sodium, e_sodium, threshold=threshold),
            channels.TraubMilesPotassium(g_potassium, e_potassium, threshold=threshold),
            channels.MPotassium(g_m, e_potassium, slowest=slowest),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )


def PospischilFS(
    *,
    g_sodium: float | Array = 58.0,
    g_potassium: float | Array = 3.9,
    g_m: float | Array = 0.0787,
    g_leak: float | Array = 0.038,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -90.0,
    e_leak: float | Array = -70.4,
    threshold: float | Array = -57.9,
    slowest: float | Array = 502.0,
    capacitance: float | Array = 1.0,
    v_init: float | Array = -70.0,
) -> ConductanceCell:
    """A fast-spiking inhibitory cell: sodium, potassium, a little M current, leak.

    Pospischil et al. (2008), section 3.2. The published sets differ. This one has the capacitance
    of the paper's other cells, as in an independent code of it. A toolbox gives `capacitance=2`
    (sic), `g_sodium=56`, `g_potassium=10`, `g_m=0`, `g_leak=0.15`, `e_leak=-70.3`,
    `threshold=-67.9`; the authors' template has `g_sodium=50`, `g_potassium=10`, `g_m=0`,
    `g_leak=0.15`, `e_potassium=-100`, `e_leak=-70`, `threshold=-55`.

    **Arguments, raises:** as `PospischilRS`.
    """
    return PospischilRS(
        g_sodium=g_sodium,
        g_potassium=g_potassium,
        g_m=g_m,
        g_leak=g_leak,
        e_sodium=e_sodium,
        e_potassium=e_potassium,
        e_leak=e_leak,
        threshold=threshold,
        slowest=slowest,
        capacitance=capacitance,
        v_init=v_init,
    )


def PospischilIB(
    *,
    g_sodium: float | Array = 50.0,
    g_potassium: float | Array = 5.0,
    g_m: float | Array = 0.03,
    g_calcium: float | Array = 0.1,
    g_leak: float | Array = 0.01,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -90.0,
    e_calcium: float | Array = 120.0,
    e_leak: float | Array = -70.0,
    threshold: float | Array = -55.0,
    slowest: float | Array = 600.0,
    capacitance: float | Array = 1.0,
    v_init: float | Array = -70.0,
) -> ConductanceCell:
    """An intrinsically bursting pyramidal cell: the regular cell's channels and L-type calcium.

    Pospischil et al. (2008), section 3.3. A toolbox prints a threshold of -40 mV; the default here
    is that of the authors' template (ModelDB 123623), -55 mV, whose `e_potassium` is -100 mV and
    `slowest` 1000 ms. An independent code has -56.2 mV and 608 ms.

    **Arguments, raises:** as `PospischilRS`; `g_calcium` in mS/cm2 and `e_calcium` in mV are the
    L-type current's.
    """
    return ConductanceCell(
        (
            channels.TraubMilesSodium(g_sodium, e_sodium, threshold=threshold),
            channels.TraubMilesPotassium(g_potassium, e_potassium, threshold=threshold),
            channels.MPotassium(g_m, e_potassium, slowest=slowest),
            channels.LTypeCalcium(g_calcium, e_calcium),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )


def PospischilLTS(
    *,
    g_sodium: float | Array = 50.0,
    g_potassium: float | Array = 5.0,
    g_m: float | Array = 0.03,
    g_calcium: float | Array = 0.4,
    g_leak: float | Array = 0.01,
    e_sodium: float | Array = 50.0,
    e_potassium: float | Array = -100.0,
    e_calcium: float | Array = 120.0,
    e_leak: float | Array = -85.0,
    threshold: float | Array = -55.0,
    slowest: float | Array = 1000.0,
    shift: float | Array = 2.0,
    misprint: bool = False,
    capacitance: float | Array = 1.0,
    v_init: float | Array = -84.0,
) -> ConductanceCell:
    """A low-threshold spiking cell: the regular cell's channels and T-type calcium.

    Pospischil et al. (2008), section 3.4, with the values of the authors' example (ModelDB
    123623). An independent code of the paper has `g_potassium=4`, `g_m=0.028`, `g_leak=0.019`,
    `e_potassium=-90`, `e_leak=-50`, `threshold=-50`, `slowest=4000`, `shift=-7`.

    **Arguments, raises:** as `PospischilRS`; `g_calcium` in mS/cm2, `e_calcium` and `shift` (V_x)
    in mV and `misprint` are those of `channels.TTypeCalcium`.
    """
    return ConductanceCell(
        (
            channels.TraubMilesSodium(g_sodium, e_sodium, threshold=threshold),
            channels.TraubMilesPotassium(g_potassium, e_potassium, threshold=threshold),
            channels.MPotassium(g_m, e_potassium, slowest=slowest),
            channels.TTypeCalcium(g_calcium, e_calcium, shift=shift, misprint=misprint),
            channels.Leak(g_leak, e_leak),
        ),
        capacitance,
        v_init,
    )
