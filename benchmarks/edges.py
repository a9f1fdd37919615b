"""What an edge costs at each step, forwards and in a gradient, by how edges are laid out.

python benchmarks/edges.py
"""

import argparse
import math

from fleet import Row, add_options, chosen, fleet, rounds, stopped
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

CELLS, FAN, DT = 4000, 80, 0.1
STEPS = {False: 200, True: 50}
QUICK = {False: 20, True: 4}
COMMON = {"cells": CELLS, "fan": FAN, "dt": DT, "precision": "float32"}
# What is heard, how edges are laid out, whether each has a weight, and a delay, of its own.
SETTINGS = (
    ("rates", "rows", "each", "none"),
    ("rates", "rows", "one", "none"),
    ("rates", "padded", "each", "none"),
    ("rates", "scatter", "each", "none"),
    ("rates", "dense", "each", "none"),
    ("rates", "rows", "each", "one"),
    ("rates", "rows", "each", "each"),
    ("spikes", "rows", "each", "none"),
    ("spikes", "padded", "each", "none"),
    ("spikes", "rows", "each", "each"),
)
FEW = (SETTINGS[0], SETTINGS[7])


def rows_of(quick=False):
    """The limit, and a row for each setting, forwards and in reverse."""
    request = COMMON | {"do": "csr", "gradient": False}
    yield Row("SciPy", "CSR matrix times vector", "run_csr", request)
    for setting in FEW if quick else SETTINGS:
        signal, layout, weight, delay = setting
        # A fifth of all pairs is where a matrix takes over.
        size = {"cells": 5 * FAN} if layout == "dense" else {}
        for gradient in (False, True):
            words = {"signal": signal, "layout": layout, "weight": weight, "delay": delay}
            request = COMMON | {"do": "edges", "gradient": gradient} | words | size
            name = f"{signal}, {layout}, weights: {weight}, delays: {delay}"
            way = ", gradient" if gradient else ""
            yield Row("tripartite", name + way, "run_networks", request)


def measure(options):
    rows = chosen(rows_of(options.quick), options)
    steps = QUICK if options.quick else STEPS

    def request(row):
        return row.request | {"steps": steps[row.request["gradient"]]}

    with fleet(rows, options) as line:
        found = rounds(rows, line, request, options.rounds)
    for row in rows:
        if row.name in found:
            scale = 1e9 / found[row.name]["edges"] / request(row)["steps"]
            row.found["time"] = {k: found[row.name][k] * scale for k in ("median", "least", "most")}
            row.found |= {k: found[row.name][k] for k in ("cold", "edges")}
    return rows


def text(rows):
    """The page's section."""
    lines, limit = [], [row for row in rows if row.who == "SciPy" and "time" in row.found]
    for row in rows:
        if row.request["gradient"]:
            continue
        both = [row, next((r for r in rows if r.setting == f"{row.setting}, gradient"), None)]
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * 5])
            continue
        times = [other.found.get("time") if other else None for other in both]
        medians = [time["median"] if time else math.nan for time in times]
        floor = medians[0] / limit[0].found["time"]["median"] if limit else math.nan
        ratio = medians[1] / medians[0]
        shown = [number(floor), *map(with_spread, times), number(ratio)]
        lines.append([row.name, f"{row.found['edges']:,}", *shown, number(row.found["cold"])])
    header = ["who", "edges", "/ SciPy", "forward", "gradient", "gradient / forward", "cold (s)"]
    return (
        "## What an edge costs\n\n"
        f"{CELLS:,} cells with {FAN} edges to each (400 cells for the dense layout), float32, dt = "
        f"{DT} ms, linear synapses: ns per edge and step of the *whole* step, cells included, "
        "median (least-most). `rates`: passive cells that say a smooth rate, so that each edge is "
        "read at each step; `spikes`: leaky integrate-and-fire cells at some 20 Hz, of whose edges "
        "few have anything to say, with a surrogate in the gradient. `rows` is an equal fan-in in "
        "order, `padded` one that varies (2 % of all pairs), `scatter` one with a heavy tail. "
        "Delays: one for all, or each its own between 0.5 and 5 ms. The gradient is in reverse, "
        "with respect to every weight, delay and parameter. SciPy's compiled product of a sparse "
        "matrix and a vector is what reading every edge costs at least.\n"
        + table(header, lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("edges", {"cells": CELLS, "fan": FAN, "dt": DT}, rows, text(rows), options)


if __name__ == "__main__":
    main()
