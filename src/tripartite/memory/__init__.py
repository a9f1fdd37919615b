"""Associative memories: two-layer, neuron-astrocyte, and what was met where."""

from tripartite.memory.dense import dense_gaps, dense_update
from tripartite.memory.energy import AbstractEnergyMemory, Lagrangian, Layer, Recall, retrieve
from tripartite.memory.fast_weights import HebbianFastWeights
from tripartite.memory.grid_score import grid_score
from tripartite.memory.hopfield import (
    Storage,
    exponential_storage,
    hopfield_energy,
    hopfield_update,
    hopfield_weights,
    memories_mixed,
    one_step_bound,
    separation,
)
from tripartite.memory.lagrangians import (
    Absolute,
    AbstractLagrangian,
    EvenPower,
    Exponential,
    Identity,
    LogCosh,
    LogSumExp,
    ReluPower,
    Spherical,
    log_cosh,
)
from tripartite.memory.neuron_astrocyte import NeuronAstrocyteMemory, NeuronAstrocyteState
from tripartite.memory.positions import PlaceContents, PlaceMemory, RecurrentPosition
from tripartite.memory.two_layer import (
    KeyValueMemory,
    KeyValueState,
    TwoLayerMemory,
    TwoLayerState,
)

__all__ = [
    "Absolute",
    "AbstractEnergyMemory",
    "AbstractLagrangian",
    "EvenPower",
    "Exponential",
    "HebbianFastWeights",
    "Identity",
    "KeyValueMemory",
    "KeyValueState",
    "Lagrangian",
    "Layer",
    "LogCosh",
    "LogSumExp",
    "NeuronAstrocyteMemory",
    "NeuronAstrocyteState",
    "PlaceContents",
    "PlaceMemory",
    "Recall",
    "RecurrentPosition",
    "ReluPower",
    "Spherical",
    "Storage",
    "TwoLayerMemory",
    "TwoLayerState",
    "dense_gaps",
    "dense_update",
    "exponential_storage",
    "grid_score",
    "hopfield_energy",
    "hopfield_update",
    "hopfield_weights",
    "log_cosh",
    "memories_mixed",
    "one_step_bound",
    "retrieve",
    "separation",
]
