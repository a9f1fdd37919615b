"""Certificates: each theorem is a function that proves itself on this machine."""

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
from tripartite.proofs.hodgkin_huxley import hh_is_four_lif

__all__ = [
    "Certificate",
    "Check",
    "Claim",
    "Theorem",
    "certify",
    "format_bound",
    "format_measured",
    "hh_is_four_lif",
    "verdict",
]
