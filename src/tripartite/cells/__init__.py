"""Cells: conductance cells, their time-varying integrators, and integrate-and-fire."""

from tripartite.cells.base import AbstractCell
from tripartite.cells.conductance import ConductanceCell, ConductanceState
from tripartite.cells.connor_stevens import ConnorStevens, connor_stevens_negative_leak
from tripartite.cells.current_noise import CurrentNoise
from tripartite.cells.exponential import EIF, AdEx, adex, adex_current
from tripartite.cells.four_lif import four_lif
from tripartite.cells.hodgkin_huxley import HodgkinHuxley
from tripartite.cells.lif import LIF, LIFState
from tripartite.cells.morris_lecar import MorrisLecar
from tripartite.cells.noisy import with_channel_noise, with_current_noise
from tripartite.cells.pospischil import PospischilFS, PospischilIB, PospischilLTS, PospischilRS
from tripartite.cells.quadratic import QIF, Izhikevich, izhikevich
from tripartite.cells.reduced import (
    FitzHughNagumo,
    FitzHughNagumoState,
    HindmarshRose,
    HindmarshRoseState,
)
from tripartite.cells.resets import ResetState, ResettingTVLIF, gauge_reset, true_reset
from tripartite.cells.resetting import AbstractResettingCell, FiringState, RecoveringState
from tripartite.cells.spike_source import SpikeSource, SpikeSourceState
from tripartite.cells.traub_miles import TraubMiles
from tripartite.cells.tvlif import (
    TVLIF,
    AbstractTVLIF,
    DerivativeState,
    DerivativeTVLIF,
    ShareState,
)
from tripartite.cells.voltage_clamp import VoltageClamp
from tripartite.cells.wang_buzsaki import WangBuzsaki

__all__ = [
    "EIF",
    "LIF",
    "QIF",
    "TVLIF",
    "AbstractCell",
    "AbstractResettingCell",
    "AbstractTVLIF",
    "AdEx",
    "ConductanceCell",
    "ConductanceState",
    "ConnorStevens",
    "CurrentNoise",
    "DerivativeState",
    "DerivativeTVLIF",
    "FiringState",
    "FitzHughNagumo",
    "FitzHughNagumoState",
    "HindmarshRose",
    "HindmarshRoseState",
    "HodgkinHuxley",
    "Izhikevich",
    "LIFState",
    "MorrisLecar",
    "PospischilFS",
    "PospischilIB",
    "PospischilLTS",
    "PospischilRS",
    "RecoveringState",
    "ResetState",
    "ResettingTVLIF",
    "ShareState",
    "SpikeSource",
    "SpikeSourceState",
    "TraubMiles",
    "VoltageClamp",
    "WangBuzsaki",
    "adex",
    "adex_current",
    "connor_stevens_negative_leak",
    "four_lif",
    "gauge_reset",
    "izhikevich",
    "true_reset",
    "with_channel_noise",
    "with_current_noise",
]
