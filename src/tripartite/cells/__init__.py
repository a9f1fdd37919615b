"""Cells: conductance cells, their time-varying integrators, and integrate-and-fire."""

from tripartite.cells.base import AbstractCell
from tripartite.cells.conductance import ConductanceCell, ConductanceState
from tripartite.cells.four_lif import four_lif
from tripartite.cells.hodgkin_huxley import HodgkinHuxley
from tripartite.cells.lif import LIF, LIFState
from tripartite.cells.resets import ResetState, ResettingTVLIF, gauge_reset, true_reset
from tripartite.cells.tvlif import (
    TVLIF,
    AbstractTVLIF,
    DerivativeState,
    DerivativeTVLIF,
    ShareState,
)

__all__ = [
    "LIF",
    "TVLIF",
    "AbstractCell",
    "AbstractTVLIF",
    "ConductanceCell",
    "ConductanceState",
    "DerivativeState",
    "DerivativeTVLIF",
    "HodgkinHuxley",
    "LIFState",
    "ResetState",
    "ResettingTVLIF",
    "ShareState",
    "four_lif",
    "gauge_reset",
    "true_reset",
]
