"""Reading models and traces: spikes, equilibria, rates, phase planes, what a recording can tell."""

from tripartite.analysis.branches import Branch, SpecialPoint, follow_equilibria
from tripartite.analysis.crossings import crossings
from tripartite.analysis.equilibria import eigenvalues, jacobian, steady_state
from tripartite.analysis.fisher import FisherInformation, fisher_information
from tripartite.analysis.nudging import Nudged
from tripartite.analysis.phase_plane import PhasePlane, phase_plane
from tripartite.analysis.rates import f_i_curve
from tripartite.analysis.spikes import spike_mask, spike_times

__all__ = [
    "Branch",
    "FisherInformation",
    "Nudged",
    "PhasePlane",
    "SpecialPoint",
    "crossings",
    "eigenvalues",
    "f_i_curve",
    "fisher_information",
    "follow_equilibria",
    "jacobian",
    "phase_plane",
    "spike_mask",
    "spike_times",
    "steady_state",
]
