"""What a gradient keeps: XLA's own account of its temporaries. Nothing is run, only compiled.

python benchmarks/memory.py
"""

import argparse
import math

from fleet import Row, add_options, chosen, fleet, settled, stopped
from population import DT
from write import failures, save, table, why_not

from tripartite.bench import number

CELLS, STEPS = 4096, 8000
STATE = CELLS * 4 * 4  # bytes: v, m, h, n in float32


def rows_of():
    """Each scheme with the gradient by steps and with the nested one."""
    common = {"do": "memory", "cells": CELLS, "steps": STEPS, "dt": DT, "precision": "float32"}
    for scheme in ("symmetric", "sequential"):
        for gradient in ("by steps", "nested"):
            request = common | {"scheme": scheme, "flow": "exponential", "gradient": gradient}
            yield Row("tripartite", f"{scheme}, {gradient}", "run_tripartite", request)


def measure(options):
    rows = chosen(rows_of(), options)
    with fleet(rows, options) as line:
        for row in rows:
            answer = line[row.name].ask(row.request)
            if settled(row, answer):
                row.found["bytes"] = answer["bytes"]
    return rows


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.setting, why_not(row), "-", "-"])
            continue
        size = row.found["bytes"]
        lines.append(
            [
                row.setting,
                number(size / 2**20, 3),
                number(size / STATE / math.sqrt(STEPS), 3),
                number(size / STATE / STEPS, 3),
            ]
        )
    header = ["gradient", "MiB", "x sqrt(steps) states", "x steps states"]
    return (
        "## Memory of a gradient\n\n"
        f"N = {CELLS:,}, {STEPS:,} steps, float32, all parameters and currents: what XLA sets "
        "aside for temporaries (`memory_analysis`), in MiB and as multiples of sqrt(steps) and of "
        "all states. By steps is the default at this size. A state is four numbers for each "
        "cell.\n" + table(header, lines) + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("memory", {"cells": CELLS, "steps": STEPS}, rows, text(rows), options)


if __name__ == "__main__":
    main()
