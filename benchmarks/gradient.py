"""The gradient of a fixed-step solve with respect to the model, its parameters and its currents.

python benchmarks/gradient.py [--peers-python PYTHON]
"""

import argparse
import math

from fleet import Row, add_options, chosen, fleet, rounds, stopped, trace_error
from pictures import dots
from population import DT, PRECISIONS, gate, ours, scaled
from write import failures, figure, kept, save, table, why_not

from tripartite.bench import number, with_spread

SIZES = (1, 100, 4096)
STEPS = {1: 8000, 100: 8000, 4096: 1000}
QUICK = {1: 4000, 100: 400, 4096: 20}
JAXLEY_SIZES = (1, 100)
# Scheme, flow, and whether XLA's own width of vectors is measured beside 512 bits.
UPDATES = (
    ("sequential", "exponential", True),
    ("symmetric", "exponential", True),
    ("sequential", "Pade", False),
    ("symmetric", "Pade", False),
    ("symmetric", "Crank-Nicolson", False),
)


def rows_of(precision):
    """C's forward run, our gradients, and Jaxley's with and without its checkpoints."""
    common = {"precision": precision, "dt": DT}
    forward = {"scheme": "symmetric", "flow": "exponential"} | common
    yield Row("C", "forward, symmetric, exponential", "run_c", forward)
    for scheme, flow, both in UPDATES:
        yield from ours(f"{scheme}, {flow}", common | {"scheme": scheme, "flow": flow}, both)
    for levels, label in ((0, "no checkpoints"), (2, "two levels of checkpoints")):
        request = common | {"solver": "crank_nicolson", "levels": levels}
        yield Row("Jaxley", f"crank_nicolson, {label}", "run_jaxley", request)


def measure(precision, options):
    """Errors, forward times and gradient times of the rows of one precision."""
    rows = chosen(rows_of(precision), options)
    with fleet(rows, options) as line:
        for row in rows:
            row.found |= {"precision": precision, "forward": {}, "gradient": {}}
            row.found["error"] = trace_error(row, line[row.name])
        passed = [row for row in rows if gate(row)]
        for size in SIZES:
            steps = (QUICK if options.quick else STEPS)[size]
            for what in ("forward", "gradient"):

                def request(row, size=size, steps=steps, what=what):
                    if row.who == "C" and what == "gradient":
                        return None
                    if row.who == "Jaxley" and size not in JAXLEY_SIZES:
                        return None
                    do = "population" if what == "forward" else "gradient"
                    return row.request | {"do": do, "cells": size, "steps": steps}

                found = rounds(passed, line, request, options.rounds)
                for row in passed:
                    if row.name in found:
                        row.found[what][str(size)] = scaled(found[row.name], 1e9 / (size * steps))
    return rows


def median(row, what, size):
    """ns per neuron-step, or nothing."""
    found = row.found[what].get(str(size)) if row and gate(row) else None
    return None if found is None else found["median"]


def over(a, b, digits=3):
    """A ratio, or a dash."""
    return number(a / b, digits) if a and b else "-"


def text(rows):
    """The page's section."""
    parts = [
        "## Gradients at a fixed step\n\n"
        f"The mean of the N final voltages at dt = {DT} ms, differentiated in reverse with respect "
        "to every parameter of the model and every cell's current: ns per neuron-step, median "
        "(least-most). `/ C` is the ratio to C's *forward* run (symmetric, exponential) of the "
        "same size and precision, `/ own` that to the row's own forward run. `kernels` counts the "
        "loops that XLA compiled into one kernel each (`xla_cpu_small_call`) in the gradient at "
        "N = 1: 2 is both passes. Jaxley's cells are one cell under `vmap`.\n"
    ]
    for precision in PRECISIONS:
        here = [row for row in rows if row.found["precision"] == precision]
        parts += [f"\n### {precision}\n", table(*lines_of(here))]
    return "".join(
        [
            *parts,
            failures(rows),
            against_jaxley(rows),
            figure("benchmark_gradient", "Gradients, ns per neuron-step at N = 100"),
        ]
    )


def lines_of(rows):
    """The header and the lines of one precision."""
    header = ["who", "error (ms)"]
    for size in SIZES:
        header += [f"N = {size:,}", "/ C", "/ own"]
    lines = []
    limit = next((row for row in rows if row.who == "C"), None)
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * (3 * len(SIZES) + 2)])
            continue
        line = [row.name, number(row.found["error"], 2)]
        what = "forward" if row.who == "C" else "gradient"
        for size in SIZES:
            mine, c = median(row, what, size), median(limit, "forward", size)
            own = "-" if row.who == "C" else over(mine, median(row, "forward", size))
            line += [with_spread(row.found[what].get(str(size))), over(mine, c), own]
        one = row.found["gradient"].get("1", {})
        kernels = str(one["small loops"]) if "small loops" in one else "-"
        lines.append([*line, kernels, number(one.get("cold"))])
    return [*header, "kernels", "cold (s)"], lines


def against_jaxley(rows):
    """Jaxley's faster setting over each of ours, at its own error: cost goes as error^(-1/2)."""
    lines = []
    for precision in PRECISIONS:
        here = [row for row in rows if row.found["precision"] == precision and gate(row)]
        theirs = [row for row in here if row.who == "Jaxley"]
        for row in here if theirs else ():
            if row.who != "tripartite":
                continue
            cells = [row.name, precision[5:]]
            for size in JAXLEY_SIZES:
                times = [median(other, "gradient", size) for other in theirs]
                best = min((t for t in times if t), default=None)
                finer = math.sqrt(row.found["error"] / theirs[0].found["error"])
                mine = median(row, "gradient", size)
                cells += [over(best, mine), over(best, mine * finer if mine else None)]
            lines.append(cells)
    header = ["ours", "bits"]
    for size in JAXLEY_SIZES:
        header += [f"N = {size}, same dt", f"N = {size}, same error"]
    return (
        "\n### Times faster than Jaxley's gradient\n\n"
        "Against the faster of its two rows; at the same error, our time is that of the finer step "
        "which a method of second order would need for Jaxley's error.\n" + table(header, lines)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = [row for precision in PRECISIONS for row in measure(precision, options)]
    panels = {
        precision: [
            (row.name, row.who, row.found["gradient"]["100"])
            for row in rows
            if row.found["precision"] == precision and median(row, "gradient", 100)
        ]
        for precision in PRECISIONS
    }
    if kept(options):
        dots("benchmark_gradient", panels, "gradient at N = 100, ns per neuron-step")
    save("gradient", {"dt": DT}, rows, text(rows), options)


if __name__ == "__main__":
    main()
