"""Hodgkin-Huxley populations at a fixed step: ns per neuron-step, beside the error it buys.

python benchmarks/population.py [--peers-python PYTHON] [--brian-python PYTHON]
"""

import argparse
import math

from fleet import (
    Row,
    add_options,
    chosen,
    fleet,
    has_wide_vectors,
    rounds,
    stopped,
    trace_error,
)
from pictures import dots
from write import failures, figure, kept, save, table, why_not

from tripartite.bench import number, with_spread

DT, GATE = 0.025, 2.0
PRECISIONS = ("float32", "float64")
SIZES = (1, 100, 8192)
STEPS = {1: 8000, 100: 8000, 8192: 2000}
QUICK = {1: 4000, 100: 1000, 8192: 80}
# Scheme, flow, and whether XLA's own width of vectors is measured beside 512 bits.
UPDATES = (
    ("symmetric", "exponential", True),
    ("symmetric", "Pade", True),
    ("symmetric", "Crank-Nicolson", False),
    ("sequential", "exponential", True),
    ("sequential", "Pade", True),
    ("sequential", "Crank-Nicolson", False),
    ("all at once", "exponential", True),
    ("all at once", "Pade", False),
)
# The default's steps, from which the largest with no larger an error than C's first order is taken.
COARSE = (0.25, 0.2, 0.15625, 0.125, 0.1, 0.0625, 0.05, 0.025)


def updates(precision):
    """C and tripartite: the same updates, ours with XLA's default and with 512-bit vectors."""
    for scheme, flow, both in UPDATES:
        request = {"scheme": scheme, "flow": flow, "precision": precision, "dt": DT}
        name = f"{scheme}, {flow}"
        if scheme != "sequential":
            yield Row("C", name, "run_c", request)
        yield from ours(name, request, both)


def ours(name, request, both=True):
    """Our row with 512-bit vectors, where there are such, with XLA's own width, or with both."""
    if both or not has_wide_vectors():
        yield Row("tripartite", name, "run_tripartite", request)
    if has_wide_vectors():
        yield Row("tripartite", f"{name}, 512 bits", "run_tripartite", request, wide=True)


def peers(precision):
    """Everyone else, with the settings that suit them best and those they come with."""
    common = {"precision": precision, "dt": DT}
    for solver in ("crank_nicolson", "bwd_euler"):
        yield Row("Jaxley", solver, "run_jaxley", common | {"solver": solver})
    brian = common | {"method": "exponential_euler"}
    for rates in ("guarded", "unguarded"):
        name = f"exponential Euler, {rates} rates"
        yield Row("Brian2 C++", name, "run_brian", brian | {"rates": rates})
    if precision == "float64":
        yield Row("NEURON", "first order", "run_neuron", common | {"second order": 0})
        yield Row("NEURON", "second order", "run_neuron", common | {"second order": 2})
        core = common | {"second order": 2, "core": True}
        yield Row("CoreNEURON", "second order", "run_neuron", core)
        yield Row("Arbor", "hh of its catalogue", "run_arbor", common)


def steps_of(row, size, quick):
    """Fewer steps for those who would take long: the time of a step does not depend on it."""
    steps = (QUICK if quick else STEPS)[size]
    slow = row.script not in ("run_c", "run_tripartite")
    return max(20, steps // 4) if slow and size > 1 else steps


def measure(precision, options):
    """The rows of one precision, with errors and times, and the comparison at a matched error."""
    rows = chosen([*updates(precision), *peers(precision)], options)
    with fleet(rows, options) as line:
        for row in rows:
            row.found |= {"precision": precision, "times": {}}
            row.found["error"] = trace_error(row, line[row.name])
        passed = [row for row in rows if gate(row)]
        for size in SIZES:

            def request(row, size=size):
                steps = steps_of(row, size, options.quick)
                return row.request | {"do": "population", "cells": size, "steps": steps}

            found = rounds(passed, line, request, options.rounds)
            for row in passed:
                if row.name in found:
                    scale = 1e9 / (size * steps_of(row, size, options.quick))
                    row.found["times"][str(size)] = scaled(found[row.name], scale)
        return rows, matched(rows, line, options)


def scaled(found, scale):
    """Seconds as ns per neuron-step."""
    return {k: v * scale if k in ("median", "least", "most") else v for k, v in found.items()}


def gate(row):
    """No time is shown for a run whose spikes are not where they should be."""
    error = row.found.get("error")
    return not stopped(row) and error is not None and error <= GATE


def matched(rows, line, options):
    """The default at the largest step whose spikes are no worse than those of C's first order."""
    by_name = {row.name: row for row in rows}
    simple = by_name.get("C, all at once, exponential")
    others = [
        row
        for row in rows
        for flow in ("exponential", "Crank-Nicolson")
        if row.name.startswith((f"tripartite, symmetric, {flow}", f"C, symmetric, {flow}"))
    ]
    taking_part = [row for row in (simple, *others) if row is not None and gate(row)]
    if simple is None or not gate(simple) or len(taking_part) < 2:
        return []
    dts = {simple.name: (DT, simple.found["error"])}
    for row in taking_part[1:]:
        for dt in COARSE:
            error = trace_error(row, line[row.name], dt=dt)
            if error is not None and error <= simple.found["error"]:
                dts[row.name] = dt, error
                break
    size = SIZES[-1]

    def request(row):
        dt, _ = dts[row.name]
        return row.request | {"do": "population", "cells": size, "steps": steps, "dt": dt}

    steps = (QUICK if options.quick else STEPS)[size]
    found = rounds([row for row in taking_part if row.name in dts], line, request, options.rounds)
    return [
        {"name": name, "precision": simple.found["precision"], "dt": dts[name][0]}
        | {"error": dts[name][1], "time": scaled(times, 1e9 / (size * steps * dts[name][0]))}
        for name, times in found.items()
    ]


def text(rows, comparison):
    """The page's section."""
    names = [f"N = {size:,}" for size in SIZES]
    lines = []
    for row in rows:
        start = [row.name, row.found["precision"][5:]]
        if stopped(row):
            lines.append([*start, why_not(row), *["-"] * (len(SIZES) + 2)])
            continue
        times = [row.found["times"].get(str(size)) for size in SIZES]
        cold = times[-1]["cold"] if times[-1] and row.who != "C" else None
        error = row.found["error"]
        shown = [with_spread(t) if gate(row) else "-" for t in times]
        lines.append([*start, number(error, 2), *shown, to_c(row, rows), number(cold)])
    header = ["who", "bits", "error (ms)", *names, "/ C", "cold (s)"]
    return (
        "## Populations at a fixed step\n\n"
        f"N cells, dt = {DT} ms, nothing recorded: ns per neuron-step, median (least-most). The "
        "error is the worst of the spike times of 100 ms of one cell. `/ C` is the ratio to C with "
        f"the same update and precision at N = {SIZES[-1]:,}; cold is the time to the first result "
        "there (compiling or building, and one run). The slower peers take a quarter of the steps. "
        "Jaxley's cells are one cell under `vmap`, which is faster than its network of them; "
        "Brian2's unguarded rates divide 0 by 0 at -40 and -55 mV, its guarded ones do not.\n"
        + table(header, lines)
        + failures(rows)
        + figure("benchmark_population", f"ns per neuron-step at N = {SIZES[-1]:,}; less is better")
        + at_matched_error(comparison)
        + times_faster(rows, comparison)
    )


def largest(row):
    """The median at the largest size, or nothing."""
    found = row.found.get("times", {}).get(str(SIZES[-1]))
    return None if found is None else found["median"]


def to_c(row, rows):
    """The ratio to the C row of the same update; the sequential step is read against symmetric."""
    scheme, flow = row.request.get("scheme"), row.request.get("flow")
    scheme = "symmetric" if scheme == "sequential" else scheme
    for other in rows:
        same = other.request.get("scheme") == scheme and other.request.get("flow") == flow
        same = same and other.found["precision"] == row.found["precision"]
        if other.who == "C" and same and largest(other) and largest(row):
            return number(largest(row) / largest(other), 3)
    return "-"


def at_matched_error(comparison):
    """The default step against C's all-at-once exponential step, which is of first order."""
    lines = [
        [
            m["name"],
            m["precision"][5:],
            f"{m['dt']:g}",
            number(m["error"], 2),
            with_spread(m["time"]),
        ]
        for m in comparison
    ]
    return (
        "\n### At no larger an error than C's exponential step\n\n"
        "The algorithms differ: C moves every state at once (first order) at 0.025 ms; the "
        "symmetric steps take the largest step with no larger an error. ns per neuron and ms of "
        f"time simulated, N = {SIZES[-1]:,}.\n"
        + table(["who", "bits", "dt (ms)", "error (ms)", "ns per neuron-ms"], lines)
    )


def times_faster(rows, comparison):
    """Each peer against our fastest setting that errs no more than it does, at any step."""
    lines = []
    for row in rows:
        if row.who in ("tripartite", "C") or not largest(row) or not gate(row):
            continue
        same, any_step = no_worse(row, rows, comparison)
        best = min(same, key=largest, default=None)
        ratio = largest(row) / largest(best) if best else math.nan
        name = f"{best.setting} ({number(best.found['error'], 2)} ms)" if best else "none"
        freely = largest(row) / DT / min(any_step) if any_step else math.nan
        error = number(row.found["error"], 2)
        start = [row.name, row.found["precision"][5:], error, name]
        lines.append([*start, number(ratio), number(freely)])
    header = ["peer", "bits", "error (ms)", "ours, same step", "times faster", "at any step"]
    return (
        f"\n### Times faster than each peer, N = {SIZES[-1]:,}\n\n"
        "Our fastest setting whose error is no larger (within 5 %), in the same precision: at the "
        "same step, and at whichever step was measured.\n" + table(header, lines)
    )


def no_worse(peer, rows, comparison):
    """Our rows that err no more at the same step; ns per neuron-ms of those at any step."""
    bound, precision = peer.found["error"] * 1.05, peer.found["precision"]
    same = [
        row
        for row in rows
        if row.who == "tripartite"
        and row.found["precision"] == precision
        and largest(row)
        and gate(row)
        and row.found["error"] <= bound
    ]
    other = [
        entry["time"]["median"]
        for entry in comparison
        if entry["name"].startswith("tripartite")
        and entry["precision"] == precision
        and entry["error"] <= bound
    ]
    return same, [*other, *(largest(row) / DT for row in same)]


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows, comparison = [], []
    for precision in PRECISIONS:
        found, match = measure(precision, options)
        rows, comparison = rows + found, comparison + match
    panels = {
        precision: [
            (row.name, row.who, row.found["times"][str(SIZES[-1])])
            for row in rows
            if row.found["precision"] == precision and largest(row)
        ]
        for precision in PRECISIONS
    }
    if kept(options):
        dots("benchmark_population", panels, f"ns per neuron-step at N = {SIZES[-1]:,}")
    save("population", {"dt": DT, "matched": comparison}, rows, text(rows, comparison), options)


if __name__ == "__main__":
    main()
