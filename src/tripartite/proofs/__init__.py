"""Certificates: each theorem is a function that proves itself on this machine."""

from tripartite.proofs.certificate import Certificate, Check, Claim, Theorem, certify
from tripartite.proofs.hodgkin_huxley import hh_is_four_lif

__all__ = [
    "Certificate",
    "Check",
    "Claim",
    "Theorem",
    "certify",
    "hh_is_four_lif",
]
