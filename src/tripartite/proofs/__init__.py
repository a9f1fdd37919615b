"""Certificates: each theorem is a function that proves itself on this machine.

`published_models` proves nothing: it holds the models against numbers that others computed.
"""

from tripartite.proofs.attention import (
    FeatureErrors,
    RandomFeatureCurve,
    Relaxing,
    astrocytes_are_linear_attention,
    calcium_and_synapses,
    error_against_features,
    linear_attention_is_softmax_in_the_limit,
    random_feature_curve,
)
from tripartite.proofs.attention_by_map import AttentionByMap, attention_by_map
from tripartite.proofs.certificate import (
    Certificate,
    Check,
    Claim,
    Theorem,
    certify,
    format_bound,
    format_measured,
    verdict,
)
from tripartite.proofs.digits import Digits, load_digits, split_digits
from tripartite.proofs.digits_transformer import DigitsTransformer, load_digits_transformer
from tripartite.proofs.hodgkin_huxley import hh_is_four_lif
from tripartite.proofs.models import published_models
from tripartite.proofs.sentences import (
    SentenceAgreement,
    sentence_agreement,
    sentence_embeddings,
)
from tripartite.proofs.transformer import transformer_runs_on_astrocytes

__all__ = [
    "AttentionByMap",
    "Certificate",
    "Check",
    "Claim",
    "Digits",
    "DigitsTransformer",
    "FeatureErrors",
    "RandomFeatureCurve",
    "Relaxing",
    "SentenceAgreement",
    "Theorem",
    "astrocytes_are_linear_attention",
    "attention_by_map",
    "calcium_and_synapses",
    "certify",
    "error_against_features",
    "format_bound",
    "format_measured",
    "hh_is_four_lif",
    "linear_attention_is_softmax_in_the_limit",
    "load_digits",
    "load_digits_transformer",
    "published_models",
    "random_feature_curve",
    "sentence_agreement",
    "sentence_embeddings",
    "split_digits",
    "transformer_runs_on_astrocytes",
    "verdict",
]
