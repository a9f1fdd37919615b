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

__all__ = [
    "AbstractDynamics",
    "AbstractParametrised",
    "AbstractRelaxation",
    "ParameterInfo",
    "Relaxation",
    "astype",
    "errors",
    "has_jump",
    "numerics",
    "parameter",
    "parameters_of",
    "prefix_leaves",
    "units",
]
