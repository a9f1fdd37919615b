"""Layers for networks that are trained: excitation and inhibition by separate, positive weights."""

from tripartite.layers.dale import DaleRecurrent, DaleState
from tripartite.layers.dann import DANNLayer

__all__ = ["DANNLayer", "DaleRecurrent", "DaleState"]
