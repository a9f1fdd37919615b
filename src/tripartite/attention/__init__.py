"""Attention computed by neurons and astrocytes: the circuit, its fixed point, feature maps."""

from tripartite.attention.checkpoint import token_names, tokenize
from tripartite.attention.circuit import AttentionCircuit, CircuitState, Memory, Presented
from tripartite.attention.encoder import AbstractEncoder, AttentionSize, softmax_heads
from tripartite.attention.exponential import GaussHermite, Hyperbolic, PositiveRandom
from tripartite.attention.features import (
    AbstractFeatureMap,
    AbstractPositiveFeatureMap,
    EluPlusOne,
    OneProcessPerToken,
)
from tripartite.attention.fixed_point import fixed_point, linear_attention, softmax_attention
from tripartite.attention.hub import checkpoint_folder
from tripartite.attention.integrate import (
    CircuitAttention,
    Reading,
    circuit_attention,
    read,
    write,
)
from tripartite.attention.layer import AstrocyteAttention
from tripartite.attention.learned import LearnedExponential, LearnedGaussian
from tripartite.attention.learned_files import load_feature_maps, save_feature_maps
from tripartite.attention.linear_time import linear_time
from tripartite.attention.pieces import AttentionState
from tripartite.attention.pretrained import BertEncoder, load_bert
from tripartite.attention.reading import Imperfections, ReadingCircuit, reached_at
from tripartite.attention.signed import Taylor, Trigonometric
from tripartite.attention.swap import AstrocyteEncoder, CircuitHeads, swap_attention
from tripartite.attention.vit import ViTEncoder, load_vit

__all__ = [
    "AbstractEncoder",
    "AbstractFeatureMap",
    "AbstractPositiveFeatureMap",
    "AstrocyteAttention",
    "AstrocyteEncoder",
    "AttentionCircuit",
    "AttentionSize",
    "AttentionState",
    "BertEncoder",
    "CircuitAttention",
    "CircuitHeads",
    "CircuitState",
    "EluPlusOne",
    "GaussHermite",
    "Hyperbolic",
    "Imperfections",
    "LearnedExponential",
    "LearnedGaussian",
    "Memory",
    "OneProcessPerToken",
    "PositiveRandom",
    "Presented",
    "Reading",
    "ReadingCircuit",
    "Taylor",
    "Trigonometric",
    "ViTEncoder",
    "checkpoint_folder",
    "circuit_attention",
    "fixed_point",
    "linear_attention",
    "linear_time",
    "load_bert",
    "load_feature_maps",
    "load_vit",
    "reached_at",
    "read",
    "save_feature_maps",
    "softmax_attention",
    "softmax_heads",
    "swap_attention",
    "token_names",
    "tokenize",
    "write",
]
