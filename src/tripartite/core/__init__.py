"""The grammar: dynamics, parameters, units, numerics and errors. It depends on nothing here."""

from tripartite.core import errors, numerics, units
from tripartite.core.dynamics import (
    AbstractDynamics,
    AbstractRelaxation,
    Relaxation,
    has_jump,
    prefix_leaves,
)
from tripartite.core.parameters import (
    AbstractParametrised,
    ParameterInfo,
    astype,
    parameter,
    parameters_of,
)
from tripartite.core.ports import Membrane, as_membrane

__all__ = [
    "AbstractDynamics",
    "AbstractParametrised",
    "AbstractRelaxation",
    "Membrane",
    "ParameterInfo",
    "Relaxation",
    "as_membrane",
    "astype",
    "errors",
    "has_jump",
    "numerics",
    "parameter",
    "parameters_of",
    "prefix_leaves",
    "units",
]
