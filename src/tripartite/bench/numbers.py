"""Medians and spreads, errors of spikes, and tables of them."""

import math
import os
import platform
import statistics
from pathlib import Path
from typing import Any

import numpy as np


def machine() -> dict[str, str]:
    """The processor and the system."""
    model, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next(
            (text.strip() for key, _, text in lines if key.startswith("model name")), model
        )
    system = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"
    return {"processor": model, "system": system}


def spread(seconds: list[float], scale: float = 1.0) -> dict[str, float]:
    """The median, the least and the most, each times `scale`."""
    return {
        "median": statistics.median(seconds) * scale,
        "least": min(seconds) * scale,
        "most": max(seconds) * scale,
    }


def worst_spike(spikes: Any, truth: Any) -> float:
    """The greatest distance (ms) of spikes from where they should be; infinite if one is missing.

    Likewise if there is one too many.
    """
    if len(spikes) != len(truth):
        return math.inf
    return float(np.max(np.abs(np.asarray(spikes) - np.asarray(truth)), initial=0.0))


def number(x: float | None, digits: int = 3) -> str:
    """So many significant digits, without an exponent where one can do without."""
    if x is None or not math.isfinite(x):
        return "-"
    if x == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    return f"{x:,.{places}f}" if places < 6 else f"{x:.0e}"


def with_spread(found: dict[str, float] | None, digits: int = 3) -> str:
    """`median (least-most)` of what `spread` found, or a dash."""
    if found is None:
        return "-"
    shown = [number(found[name], digits) for name in ("median", "least", "most")]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown: the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join([first, *rest])} |"

    rules = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), f"|{'|'.join(rules)}|", *map(line, rows)]) + "\n"
