"""Differentiable neurons, astrocytes and tripartite synapses on JAX."""

from importlib.metadata import version

from tripartite import analysis, cells, channels, core, solvers, stimuli, testing
from tripartite.core import astype
from tripartite.simulate import simulate
from tripartite.summary import summary

__version__ = version("tripartite")
__all__ = [
    "__version__",
    "analysis",
    "astype",
    "cells",
    "channels",
    "core",
    "simulate",
    "solvers",
    "stimuli",
    "summary",
    "testing",
]
