"""Ion channels: data that a conductance cell is made of."""

from tripartite.channels.calcium import (
    LTypeCalcium,
    MorrisLecarCalcium,
    TTypeCalcium,
    l_type_gates,
    t_type_gates,
)
from tripartite.channels.channel import AbstractChannel, AbstractGatedChannel, Channel
from tripartite.channels.curves import (
    AbstractReadsCalcium,
    AbstractSteadyState,
    AbstractTimeConstant,
    Boltzmann,
    CalciumHill,
    RateRatio,
    RateTime,
    RisingOverRising,
    SigmoidTime,
)
from tripartite.channels.gates import (
    AbstractGate,
    AbstractMovingGate,
    CalciumGate,
    Gate,
    InstantaneousGate,
    RelaxingGate,
)
from tripartite.channels.hyperpolarisation import HCurrent
from tripartite.channels.ions import (
    CalciumPool,
    GHKChannel,
    NernstChannel,
    influx_into_shell,
    permeability_current,
    q10,
    thermal_voltage,
)
from tripartite.channels.leak import Leak
from tripartite.channels.markov import MarkovChannel, MarkovState
from tripartite.channels.noisy import AbstractNoisyChannel, GateNoiseChannel
from tripartite.channels.potassium import (
    ConnorStevensPotassium,
    MorrisLecarPotassium,
    Potassium,
    TraubMilesPotassium,
    WangBuzsakiPotassium,
)
from tripartite.channels.rates import AbstractRate, Exponential, Linoid, Sigmoid
from tripartite.channels.slow_potassium import (
    AfterHyperpolarisation,
    APotassium,
    CalciumPotassium,
    MPotassium,
)
from tripartite.channels.sodium import (
    ConnorStevensSodium,
    PersistentSodium,
    Sodium,
    TraubMilesSodium,
    WangBuzsakiSodium,
)

__all__ = [
    "APotassium",
    "AbstractChannel",
    "AbstractGate",
    "AbstractGatedChannel",
    "AbstractMovingGate",
    "AbstractNoisyChannel",
    "AbstractRate",
    "AbstractReadsCalcium",
    "AbstractSteadyState",
    "AbstractTimeConstant",
    "AfterHyperpolarisation",
    "Boltzmann",
    "CalciumGate",
    "CalciumHill",
    "CalciumPool",
    "CalciumPotassium",
    "Channel",
    "ConnorStevensPotassium",
    "ConnorStevensSodium",
    "Exponential",
    "GHKChannel",
    "Gate",
    "GateNoiseChannel",
    "HCurrent",
    "InstantaneousGate",
    "LTypeCalcium",
    "Leak",
    "Linoid",
    "MPotassium",
    "MarkovChannel",
    "MarkovState",
    "MorrisLecarCalcium",
    "MorrisLecarPotassium",
    "NernstChannel",
    "PersistentSodium",
    "Potassium",
    "RateRatio",
    "RateTime",
    "RelaxingGate",
    "RisingOverRising",
    "Sigmoid",
    "SigmoidTime",
    "Sodium",
    "TTypeCalcium",
    "TraubMilesPotassium",
    "TraubMilesSodium",
    "WangBuzsakiPotassium",
    "WangBuzsakiSodium",
    "influx_into_shell",
    "l_type_gates",
    "permeability_current",
    "q10",
    "t_type_gates",
    "thermal_voltage",
]
