"""Time, memory and the seconds to build a network, from a thousand edges to ten million.

python benchmarks/scaling.py
"""

import argparse
import math

import numpy as np
from fleet import Row, add_options, chosen, fleet, rounds, stopped
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

DT, FAN = 0.1, 80
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LARGE = 100_000  # the slopes are those from here on
WORK = 4e7  # edges times steps of one run
SIGNALS = ("rates", "spikes")
WHAT = {"time": "time", "bytes": "memory"}


def rows_of(quick=False):
    """Each size with smooth rates, which read every edge, and with spikes."""
    for signal in SIGNALS:
        for size in SIZES[:3] if quick else SIZES:
            cells = max(100, size // FAN)
            request = {
                "do": "edges", "gradient": False, "precision": "float32", "dt": DT,
                "signal": signal, "layout": "rows", "weight": "each", "delay": "none",
                "cells": cells, "fan": size // cells, "steps": steps(size, quick),
            }  # fmt: skip
            yield Row("tripartite", f"{signal}, {size:,} edges", "run_networks", request)


def steps(size, quick=False):
    """As many as make a run of the same length, within limits.

    Enough that what is done once a solve, laying out the weights, does not count as a step's.
    """
    return int(min(2000, max(200, WORK / size))) // (10 if quick else 1)


def measure(options):
    rows = chosen(rows_of(options.quick), options)
    for row in rows:
        # One at a time: ten million edges would take the memory of the others' measurement.
        with fleet([row], options) as line:
            found = rounds([row], line, lambda row: row.request, options.rounds).get(row.name)
        if found is not None:
            scale = 1e6 / row.request["steps"]
            row.found["time"] = {k: found[k] * scale for k in ("median", "least", "most")}
            row.found |= {k: found[k] for k in ("edges", "bytes", "peak", "build", "cold")}
            row.found["signal"] = row.request["signal"]
    return rows


def slope(found, signal, what):
    """The slope of log time (or bytes) against log edges, from `LARGE` edges on."""
    rows = [r for r in found if r.get("signal") == signal and r.get("edges", 0) >= LARGE]
    if len(rows) < 2:
        return math.nan
    y = [row["time"]["median"] if what == "time" else row[what] for row in rows]
    return float(np.polyfit(np.log([row["edges"] for row in rows]), np.log(y), 1)[0])


def slopes_of(rows):
    """`{signal: {what: slope}}`, where there were sizes enough."""
    found = [row.found for row in rows]
    return {
        signal: {words: slope(found, signal, what) for what, words in WHAT.items()}
        for signal in SIGNALS
        if math.isfinite(slope(found, signal, "time"))
    }


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row) or "time" not in row.found:
            lines.append([row.setting, why_not(row), *["-"] * 6])
            continue
        f = row.found
        per = f["time"]["median"] * 1e3 / f["edges"]
        sizes = [number(f[k] / 2**20) for k in ("bytes", "peak")]
        shown = [with_spread(f["time"]), number(per), *sizes, number(f["build"])]
        lines.append([row.setting, f"{row.request['cells']:,}", *shown, number(f["cold"])])
    slopes = ", ".join(
        f"{number(value)} for {signal} in {words}"
        for signal, both in slopes_of(rows).items()
        for words, value in both.items()
    )
    header = ["who", "cells", "us per step", "ns per edge", "MiB", "peak MiB", "build (s)"]
    return (
        "## From a thousand edges to ten million\n\n"
        f"Forwards, float32, dt = {DT} ms, up to {FAN} edges to each cell, a weight for each edge; "
        "`rates` and `spikes` as in the table before. Time is that of a whole step, median "
        "(least-most); MiB are the program's own, by XLA's account, and the peak is that of the "
        "process, with Python, JAX and what building took; `build` is from a key to a network, "
        "edges drawn and tables made, before anything is compiled; cold, with compiling and a "
        "first run.\n"
        + table([*header, "cold (s)"], lines)
        + (f"\nThe slope on log-log axes from {LARGE:,} edges on: {slopes}.\n" if slopes else "")
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    found = {"dt": DT, "fan": FAN, "slopes": slopes_of(rows)}
    save("scaling", found, rows, text(rows), options)


if __name__ == "__main__":
    main()
