"""What one synapse adds to the cost of cells that had none.

python benchmarks/one_synapse.py
"""

import argparse

from fleet import Row, add_options, chosen, fleet, rounds, stopped
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

SIZES = (1, 2, 100, 4000)
STEPS = {1: 20_000, 2: 20_000, 100: 5_000, 4000: 500}
# Model, step (ms) and current (uA/cm2).
MODELS = (("LIF", 0.1, 1.0), ("HodgkinHuxley", 0.025, 10.0))


def rows_of():
    """Each model without a synapse and with one."""
    for model, dt, current in MODELS:
        for synapse in (False, True):
            request = {
                "do": "one synapse", "precision": "float32", "model": model, "dt": dt,
                "current": current, "synapse": synapse,
            }  # fmt: skip
            name = f"{model}, {'one synapse' if synapse else 'none'}"
            yield Row("tripartite", name, "run_networks", request)


def measure(options):
    rows = chosen(rows_of(), options)
    for row in rows:
        row.found["times"] = {}
    with fleet(rows, options) as line:
        for size in SIZES:
            steps = STEPS[size] // (10 if options.quick else 1)

            def request(row, size=size, steps=steps):
                return row.request | {"cells": size, "steps": steps}

            found = rounds(rows, line, request, options.rounds)
            for row in rows:
                if row.name in found:
                    time = {
                        k: found[row.name][k] * 1e6 / steps for k in ("median", "least", "most")
                    }
                    row.found["times"][str(size)] = time | {"cold": found[row.name]["cold"]}
    return rows


def slower(rows):
    """`{model: {size: ratio}}` of the medians with the synapse and without."""
    found = {}
    for model, _, _ in MODELS:
        without, joined = (
            next((row for row in rows if row.setting == f"{model}, {which}"), None)
            for which in ("none", "one synapse")
        )
        if without is None or joined is None:
            continue
        both = [row.found.get("times", {}) for row in (joined, without)]
        shared = [size for size in both[0] if size in both[1]]
        found[model] = {k: both[0][k]["median"] / both[1][k]["median"] for k in shared}
    return found


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.setting, why_not(row), *["-"] * (len(SIZES) - 1)])
            continue
        shown = [with_spread(row.found["times"].get(str(size))) for size in SIZES]
        lines.append([row.setting, *shown])
    for model, ratios in slower(rows).items():
        shown = [number(ratios.get(str(size))) for size in SIZES]
        lines.append([f"{model}, times slower", *shown])
    return (
        "## One synapse more\n\n"
        "Networks of unconnected cells, and the same with one synapse between two of them (a "
        "spike-driven `Exponential`; for Hodgkin-Huxley cells that includes looking for spikes): "
        "us per step, median (least-most), float32, the default step, nothing recorded.\n"
        + table(["cells", *(f"N = {size:,}" for size in SIZES)], lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    found = {"sizes": list(SIZES), "slower": slower(rows)}
    save("one_synapse", found, rows, text(rows), options)


if __name__ == "__main__":
    main()
