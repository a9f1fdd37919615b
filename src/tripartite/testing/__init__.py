"""Checks for models of your own, and for derivatives."""

from tripartite.testing.conformance import check
from tripartite.testing.gradient import gradient_check
from tripartite.testing.gradient_report import GradientReport, GradientRow
from tripartite.testing.report import Report

__all__ = ["GradientReport", "GradientRow", "Report", "check", "gradient_check"]
