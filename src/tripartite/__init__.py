"""Differentiable neurons, astrocytes and tripartite synapses on JAX."""

from importlib.metadata import version

from tripartite.core import astype
from tripartite.failures import RESULTS
from tripartite.gradients import value_and_gradient
from tripartite.simulate import simulate
from tripartite.summary import summary

# isort: split
# What follows uses the names above, as a user would.
from tripartite import (
    analysis,
    astrocytes,
    attention,
    cells,
    channels,
    core,
    fit,
    io,
    layers,
    memory,
    networks,
    plots,
    proofs,
    scale,
    solvers,
    stimuli,
    synapses,
    testing,
)

__version__ = version("tripartite")
__all__ = [
    "RESULTS",
    "__version__",
    "analysis",
    "astrocytes",
    "astype",
    "attention",
    "cells",
    "channels",
    "core",
    "fit",
    "io",
    "layers",
    "memory",
    "networks",
    "plots",
    "proofs",
    "scale",
    "simulate",
    "solvers",
    "stimuli",
    "summary",
    "synapses",
    "testing",
    "value_and_gradient",
]
