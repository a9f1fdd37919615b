"""Potassium channels below and around threshold: A, M, and those that calcium opens."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.channels.channel import Channel
from tripartite.channels.curves import (
    AbstractSteadyState,
    Boltzmann,
    CalciumHill,
    RateTime,
    SigmoidTime,
)
from tripartite.channels.gates import CalciumGate, InstantaneousGate, RelaxingGate
from tripartite.channels.rates import Exponential
from tripartite.core import Parameter, parameter
from tripartite.core.errors import require_numbers


class _CubeRoot(AbstractSteadyState):
    """`(size exp((v - foot)/rise) / (1 + exp((v - bend)/fall)))^(1/root)`, without overflow."""

    size: Parameter = parameter(0.0761, "1", positive=True)
    foot: Parameter = parameter(-94.22, "mV")
    rise: Parameter = parameter(1.0 / 0.0314, "mV", positive=True)
    bend: Parameter = parameter(-1.17, "mV")
    fall: Parameter = parameter(1.0 / 0.0346, "mV", positive=True)
    root: int = eqx.field(static=True, default=3)

    def __call__(self, v: Array, calcium: Array | None = None) -> Array:
        exponent = (v - self.foot) / self.rise - jax.nn.softplus((v - self.bend) / self.fall)
        return jnp.exp((jnp.log(self.size) + exponent) / self.root)


def APotassium(
    conductance: float | Array = 47.7,
    reversal: float | Array = -75.0,
    *,
    factor: float | Array = 1.0,
) -> Channel:
    """The A current, which delays and slows firing, `g = conductance * a^3 b`.

    Connor, Walter and McKown (1977), as in Dayan and Abbott (2001), section 6.6. a tends to
    [0.0761 exp(0.0314 (v + 94.22))/(1 + exp(0.0346 (v + 1.17)))]^(1/3) in 0.3632 +
    1.158/(1 + exp(0.0497 (v + 55.96))) ms; b to [1/(1 + exp(0.0688 (v + 53.3)))]^4 in 1.24 +
    2.678/(1 + exp(0.0624 (v + 50))) ms.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `factor` the temperature factor.
    """
    opening = SigmoidTime(0.3632, 1.158, -55.96, 1.0 / 0.0497)
    inactivating = SigmoidTime(1.24, 2.678, -50.0, 1.0 / 0.0624)
    gates = {
        "a": RelaxingGate(_CubeRoot(), opening, 3, factor),
        "b": RelaxingGate(Boltzmann(-53.3, -1.0 / 0.0688, 4), inactivating, 1, factor),
    }
    return Channel(
        name="a_potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Connor et al. 1977; Dayan & Abbott 2001",
    )


def MPotassium(
    conductance: float | Array = 0.075,
    reversal: float | Array = -90.0,
    *,
    slowest: float | Array = 608.0,
    factor: float | Array = 1.0,
) -> Channel:
    """The M current, which adapts firing, `g = conductance * p`.

    Yamada, Koch and Adams (1989), as in Pospischil et al. (2008), section 2.2.2: p tends to
    1/(1 + exp(-(v + 35)/10)) in slowest/(3.3 exp((v + 35)/20) + exp(-(v + 35)/20)) ms.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `slowest` (tau_max) in ms; `factor`
    the temperature factor.
    """
    require_numbers(slowest=slowest)
    time = RateTime(
        Exponential(3.3 / slowest, -35.0, 20.0), Exponential(1.0 / slowest, -35.0, -20.0)
    )
    gates = {"p": RelaxingGate(Boltzmann(-35.0, 10.0), time, 1, factor)}
    return Channel(
        name="m_potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Yamada et al. 1989; Pospischil et al. 2008",
    )


def CalciumPotassium(
    conductance: float | Array,
    reversal: float | Array = -90.0,
    *,
    half: float | Array = 25.0,
    closing: float | Array = 0.03,
    factor: float | Array = 1.0,
) -> Channel:
    """A potassium current that two calcium ions open, slowly, `g = conductance * m^2`.

    Destexhe, Contreras, Sejnowski and Steriade, J. Neurophysiol. 72, 803 (1994): opening 48 c^2
    per ms and mM^2, closing 0.03 per ms at 22 degC, hence half open at 25 uM. The constants are
    those of the authors' published code as remembered; the paper's own text was not consulted.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `half` in uM; `closing` in 1/ms;
    `factor` the temperature factor. The cell needs a calcium pool.
    """
    gates = {"m": CalciumGate(closing, half, 2, 2, factor)}
    return Channel(
        name="calcium_potassium",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Destexhe et al. 1994",
    )


def AfterHyperpolarisation(
    conductance: float | Array = 5.0,
    reversal: float | Array = -80.0,
    *,
    half: float | Array = 30.0,
) -> Channel:
    """The current of the slow after-hyperpolarisation, `g = conductance * c / (c + half)`.

    Wang, J. Neurophysiol. 79, 1549 (1998): instantaneous in calcium, which itself decays in 80 ms:
    `CalciumPool(sources, influx=0.002, tau=80, rest=0)`. The constants are as remembered from the
    paper; its own text was not consulted.

    **Arguments:** `conductance` in mS/cm2; `reversal` in mV; `half` in uM. The cell needs a
    calcium pool.
    """
    gates = {"q": InstantaneousGate(CalciumHill(half))}
    return Channel(
        name="after_hyperpolarisation",
        gates=gates,
        conductance=conductance,
        reversal=reversal,
        source="Wang 1998",
    )
