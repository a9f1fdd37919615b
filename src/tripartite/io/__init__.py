"""Saved work: models in one file, bit for bit."""

from tripartite.io.models import load, save

__all__ = ["load", "save"]
