"""Attention computed by neurons and astrocytes: the circuit, its fixed point, feature maps."""

from tripartite.attention.checkpoint import tokenize
from tripartite.attention.circuit import AttentionCircuit, CircuitState, Memory, Presented
from tripartite.attention.exponential import GaussHermite, Hyperbolic, PositiveRandom
from tripartite.attention.features import (
    AbstractFeatureMap,
    AbstractPositiveFeatureMap,
    EluPlusOne,
    OneProcessPerToken,
)
from tripartite.attention.fixed_point import fixed_point, linear_attention, softmax_attention
from tripartite.attention.integrate import (
    CircuitAttention,
    Reading,
    circuit_attention,
    read,
    write,
)
from tripartite.attention.learned import LearnedExponential
from tripartite.attention.pretrained import BertEncoder, load_bert, softmax_heads
from tripartite.attention.signed import Taylor, Trigonometric

__all__ = [
    "AbstractFeatureMap",
    "AbstractPositiveFeatureMap",
    "AttentionCircuit",
    "BertEncoder",
    "CircuitAttention",
    "CircuitState",
    "EluPlusOne",
    "GaussHermite",
    "Hyperbolic",
    "LearnedExponential",
    "Memory",
    "OneProcessPerToken",
    "PositiveRandom",
    "Presented",
    "Reading",
    "Taylor",
    "Trigonometric",
    "circuit_attention",
    "fixed_point",
    "linear_attention",
    "load_bert",
    "read",
    "softmax_attention",
    "softmax_heads",
    "tokenize",
    "write",
]
