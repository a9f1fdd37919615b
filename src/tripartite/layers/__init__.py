"""Layers for networks that are trained: spiking units on a clock, and Dale's law in weights."""

from tripartite.layers.costs import multiply_accumulates, parameter_count
from tripartite.layers.crossings import GateCrossing, Level
from tripartite.layers.dale import DaleRecurrent, DaleState
from tripartite.layers.dann import DANNLayer
from tripartite.layers.hh import HHLayer, HHLayerState
from tripartite.layers.lif import LIFLayer, LIFLayerState
from tripartite.layers.release_hh import ReleaseHHLayer, ReleaseHHState
from tripartite.layers.slif2hh import (
    ConjunctiveLIFLayer,
    ConjunctiveLIFState,
    SLIF2HHLayer,
    SLIF2HHState,
)
from tripartite.layers.spiking import AbstractSpikingLayer, trainable

__all__ = [
    "AbstractSpikingLayer",
    "ConjunctiveLIFLayer",
    "ConjunctiveLIFState",
    "DANNLayer",
    "DaleRecurrent",
    "DaleState",
    "GateCrossing",
    "HHLayer",
    "HHLayerState",
    "LIFLayer",
    "LIFLayerState",
    "Level",
    "ReleaseHHLayer",
    "ReleaseHHState",
    "SLIF2HHLayer",
    "SLIF2HHState",
    "multiply_accumulates",
    "parameter_count",
    "trainable",
]
