"""Checks for models of your own."""

from tripartite.testing.conformance import check
from tripartite.testing.report import Report

__all__ = ["Report", "check"]
