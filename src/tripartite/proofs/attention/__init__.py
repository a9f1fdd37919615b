"""The two attention theorems, and the data of their figures."""

from tripartite.proofs.attention.circuit import astrocytes_are_linear_attention
from tripartite.proofs.attention.digits import RandomFeatureCurve, random_feature_curve
from tripartite.proofs.attention.figures import Relaxing, calcium_and_synapses
from tripartite.proofs.attention.random_features import FeatureErrors, error_against_features
from tripartite.proofs.attention.softmax import linear_attention_is_softmax_in_the_limit

__all__ = [
    "FeatureErrors",
    "RandomFeatureCurve",
    "Relaxing",
    "astrocytes_are_linear_attention",
    "calcium_and_synapses",
    "error_against_features",
    "linear_attention_is_softmax_in_the_limit",
    "random_feature_curve",
]
