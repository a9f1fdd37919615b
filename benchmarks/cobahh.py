"""COBAHH: 4,000 Traub-Miles cells and 320,000 synapses for a second, beside Brian2.

python benchmarks/cobahh.py [--brian-python PYTHON]
"""

import argparse
import tempfile

import accuracy
import numpy as np
from fleet import Row, add_options, chosen, fleet, has_wide_vectors, rounds, settled, stopped
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

CELLS, STEPS, DT = 4000, 10_000, 0.1
QUICK = {"cells": 400, "steps": 1000}


def rows_of():
    """Both simulators in both precisions."""
    for precision in ("float64", "float32"):
        request = {"do": "cobahh", "cells": CELLS, "steps": STEPS, "dt": DT, "precision": precision}
        yield Row("Brian2 C++", precision, "run_brian_cobahh", request)
        yield Row("tripartite", precision, "run_networks", request)
        if has_wide_vectors():
            name = f"{precision}, 512 bits"
            yield Row("tripartite", name, "run_networks", request, wide=True)


def measure(options):
    """Rasters first, then times in turns."""
    rows = chosen(rows_of(), options)
    for row in rows:
        row.request |= QUICK if options.quick else {}
    rasters = {}
    with fleet(rows, options) as line:
        for row in rows:
            with tempfile.NamedTemporaryFile(suffix=".f64") as file:
                answer = line[row.name].ask(row.request | {"file": file.name})
                if settled(row, answer):
                    rasters[row.name] = ordered(accuracy.read_trace(file.name))
        found = rounds(rows, line, lambda row: row.request, options.rounds)
    truth = rasters.get("Brian2 C++, float64")
    for row in rows:
        if row.name in found and not stopped(row):
            request = row.request
            seconds = request["steps"] * request["dt"] * 1e-3
            spikes = rasters[row.name].shape[1]
            row.found |= {
                "precision": request["precision"],
                "time": {k: v for k, v in found[row.name].items() if k != "spikes"},
                "spikes": spikes,
                "rate": spikes / request["cells"] / seconds,
                "same until": None if truth is None else same_until(rasters[row.name], truth, DT),
            }
    return rows


def ordered(raster):
    """Steps and cells, in order of step and cell."""
    step, cell = raster
    return np.stack([step, cell])[:, np.lexsort((cell, step))]


def same_until(one, other, dt):
    """When (ms) the first spike is that only one of them has; infinite if there is none."""
    shared = min(one.shape[1], other.shape[1])
    different = np.flatnonzero((one[:, :shared] != other[:, :shared]).any(axis=0))
    if different.size:
        first = different[0]
        return float(min(one[0, first], other[0, first]) * dt)
    if one.shape[1] == other.shape[1]:
        return float("inf")
    longer = one if one.shape[1] > shared else other
    return float(longer[0, shared] * dt)


def reference(rows):
    """Brian2 as it comes, in double precision."""
    found = [row for row in rows if row.name == "Brian2 C++, float64" and "time" in row.found]
    return found[0] if found else None


def text(rows):
    """The page's section."""
    brian, lines = reference(rows), []
    for row in rows:
        if stopped(row) or "time" not in row.found:
            lines.append([row.name, why_not(row), *["-"] * 6])
            continue
        found, times, same = row.found, "-", "-"
        if brian is not None:
            times = number(brian.found["time"]["median"] / found["time"]["median"])
            until = found["same until"]
            same = "all" if np.isinf(until) else f"{until:.0f} ms"
        per = found["time"]["median"] / row.request["cells"] / row.request["steps"] * 1e9
        spread, cold = with_spread(found["time"]), number(found["time"]["cold"])
        shown = [number(per), f"{found['spikes']:,}", number(found["rate"], 4), same]
        lines.append([row.name, spread, times, *shown, cold])
    size = rows[0].request if rows else {"cells": CELLS, "steps": STEPS}
    header = ["who", "seconds", "times faster", "ns per cell and step", "spikes", "Hz", "same"]
    return (
        "## A network beside Brian2 (COBAHH)\n\n"
        "Benchmark 3 of Brette et al. (2007): Traub-Miles cells, four fifths excitatory, joined "
        f"with a probability of 2 %; {size['cells']:,} cells for {size['steps'] * DT:,.0f} ms in "
        f"steps of {DT} ms, all states at once by exponential Euler, every spike recorded. Both "
        "simulators are given the same connections and the same start (drawn by NumPy from a "
        "seed). `times faster` is against Brian2's C++ standalone in double precision, its "
        "default; `same` says until when the raster is that row's, spike for spike: the network is "
        "chaotic, so that another rounding of one voltage shows in the spikes after some 100 ms. "
        "Cold is the first run, with building, compiling and reading the raster.\n"
        + table([*header, "cold (s)"], lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("cobahh", {"cells": CELLS, "steps": STEPS, "dt": DT}, rows, text(rows), options)


if __name__ == "__main__":
    main()
