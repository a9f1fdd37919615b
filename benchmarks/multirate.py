"""Astrocytes with a step of their own against astrocytes with the neurons', and the error of it.

python benchmarks/multirate.py
"""

import argparse

import numpy as np
from fleet import Row, add_options, chosen, fleet, rounds, stopped
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

DT, SPAN, FAN = 0.05, 200.0, 10
STEPS = (None, 10.0, 40.0)
SIZES = (100, 1000, 4000)
CELLS = ("HodgkinHuxley", "LIF")


def rows_of(options):
    """Each cell and size: first the astrocytes with every step, then with steps of their own."""
    sizes, span = (SIZES[:1], 40.0) if options.quick else (SIZES, SPAN)
    common = {"precision": "float32", "dt": DT, "span": span, "fan": FAN}
    for cell in CELLS:
        for size in sizes:
            for step in STEPS:
                request = common | {"cell": cell, "cells": size, "step": step}
                name = "every step" if step is None else f"{step:g} ms"
                yield Row("tripartite", f"{cell}, N = {size:,}, {name}", "run_multirate", request)


def measure(options):
    """The rows of one cell and size take turns."""
    rows = chosen(list(rows_of(options)), options)
    for first in range(0, len(rows), len(STEPS)):
        group = rows[first : first + len(STEPS)]
        with fleet(group, options) as line:
            steps = group[0].request["span"] / DT
            found = rounds(group, line, lambda row: row.request, options.rounds, 1e6 / steps)
        for row in group:
            row.found.update(found.get(row.name, {}))
        compare(group)
    return rows


def compare(group):
    """The largest error of calcium beside that of the astrocytes that take every step."""
    calcium = {row.name: row.found.pop("calcium", None) for row in group}
    exact = calcium[group[0].name]
    for row in group[1:]:
        if exact is None or calcium[row.name] is None or group[0].request["step"] is not None:
            continue
        row.found["ratio"] = group[0].found["median"] / row.found["median"]
        apart = np.abs(np.asarray(calcium[row.name]) - np.asarray(exact))
        row.found["error"] = float(apart.max())
        row.found["rise"] = float(np.ptp(exact))


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row) or "median" not in row.found:
            lines.append([row.setting, why_not(row), "-", "-"])
            continue
        ratio, error = (
            number(row.found[name], 2) if name in row.found else "-" for name in ("ratio", "error")
        )
        lines.append([row.setting, with_spread(row.found), ratio, error])
    header = ["astrocytes' step", "us per step", "times faster", "error of calcium (uM)"]
    return (
        "## Astrocytes with a step of their own\n\n"
        f"N neurons and N G-ChI astrocytes with release, {FAN} tripartite synapses for each, "
        f"steps of {DT} ms, float32: us for one step of all, how many times faster than with "
        "astrocytes that take every step, and the largest error of an astrocyte's calcium beside "
        "them. Squid axons have smooth synapses and a smooth release, integrate-and-fire cells "
        "event-driven ones and a release that jumps.\n" + table(header, lines) + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("multirate", {"dt": DT, "span": SPAN, "fan": FAN}, rows, text(rows), options)


if __name__ == "__main__":
    main()
