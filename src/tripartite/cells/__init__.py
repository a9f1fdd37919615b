"""Cells: conductance cells, their time-varying integrators, and integrate-and-fire."""

from tripartite.cells.base import AbstractCell
from tripartite.cells.conductance import ConductanceCell, ConductanceState
from tripartite.cells.connor_stevens import ConnorStevens, connor_stevens_negative_leak
from tripartite.cells.current_noise import CurrentNoise
from tripartite.cells.four_lif import four_lif
from tripartite.cells.hodgkin_huxley import HodgkinHuxley
from tripartite.cells.lif import LIF, LIFState
from tripartite.cells.morris_lecar import MorrisLecar
from tripartite.cells.noisy import with_channel_noise, with_current_noise
from tripartite.cells.pospischil import PospischilFS, PospischilIB, PospischilLTS, PospischilRS
from tripartite.cells.reduced import (
    FitzHughNagumo,
    FitzHughNagumoState,
    HindmarshRose,
    HindmarshRoseState,
)
from tripartite.cells.resets import ResetState, ResettingTVLIF, gauge_reset, true_reset
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
    "LIF",
    "TVLIF",
    "AbstractCell",
    "AbstractTVLIF",
    "ConductanceCell",
    "ConductanceState",
    "ConnorStevens",
    "CurrentNoise",
    "DerivativeState",
    "DerivativeTVLIF",
    "FitzHughNagumo",
    "FitzHughNagumoState",
    "HindmarshRose",
    "HindmarshRoseState",
    "HodgkinHuxley",
    "LIFState",
    "MorrisLecar",
    "PospischilFS",
    "PospischilIB",
    "PospischilLTS",
    "PospischilRS",
    "ResetState",
    "ResettingTVLIF",
    "ShareState",
    "SpikeSource",
    "SpikeSourceState",
    "TraubMiles",
    "VoltageClamp",
    "WangBuzsaki",
    "connor_stevens_negative_leak",
    "four_lif",
    "gauge_reset",
    "true_reset",
    "with_channel_noise",
    "with_current_noise",
]
