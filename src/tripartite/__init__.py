"""Differentiable neurons, astrocytes and tripartite synapses on JAX."""

from importlib.metadata import version

from tripartite import cells, channels, core, solvers, stimuli
from tripartite.core import astype
from tripartite.simulate import simulate

__version__ = version("tripartite")
__all__ = [
    "__version__",
    "astype",
    "cells",
    "channels",
    "core",
    "simulate",
    "solvers",
    "stimuli",
]
