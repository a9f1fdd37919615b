"""Reading models and traces: spike times, equilibria and their stability, rates, phase planes."""

from tripartite.analysis.branches import Branch, SpecialPoint, follow_equilibria
from tripartite.analysis.equilibria import eigenvalues, jacobian, steady_state
from tripartite.analysis.phase_plane import PhasePlane, phase_plane
from tripartite.analysis.rates import f_i_curve
from tripartite.analysis.spikes import spike_mask, spike_times

__all__ = [
    "Branch",
    "PhasePlane",
    "SpecialPoint",
    "eigenvalues",
    "f_i_curve",
    "follow_equilibria",
    "jacobian",
    "phase_plane",
    "spike_mask",
    "spike_times",
    "steady_state",
]
