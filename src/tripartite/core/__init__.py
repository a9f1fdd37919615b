"""The grammar: dynamics, parameters, units, numerics, errors. It depends on nothing here."""

from tripartite.core import (
    archive,
    describe,
    errors,
    files,
    numerics,
    port_units,
    progress,
    surrogates,
    units,
)
from tripartite.core.dynamics import (
    AbstractDynamics,
    AbstractRelaxation,
    Relaxation,
    has_jump,
    prefix_leaves,
)
from tripartite.core.events import Events, Spikes, chosen, no_spikes
from tripartite.core.parameters import (
    AbstractParametrised,
    Parameter,
    ParameterInfo,
    astype,
    constant,
    is_declared,
    parameter,
    parameters_of,
    part_name,
    signal,
)
from tripartite.core.ports import Cleft, Membrane, as_cleft, as_membrane

__all__ = [
    "AbstractDynamics",
    "AbstractParametrised",
    "AbstractRelaxation",
    "Cleft",
    "Events",
    "Membrane",
    "Parameter",
    "ParameterInfo",
    "Relaxation",
    "Spikes",
    "archive",
    "as_cleft",
    "as_membrane",
    "astype",
    "chosen",
    "constant",
    "describe",
    "errors",
    "files",
    "has_jump",
    "is_declared",
    "no_spikes",
    "numerics",
    "parameter",
    "parameters_of",
    "part_name",
    "port_units",
    "prefix_leaves",
    "progress",
    "signal",
    "surrogates",
    "units",
]
