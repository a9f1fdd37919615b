"""A squid axon's five parameters from a noisy voltage, from twenty random starts, beside Jaxley.

python benchmarks/fit.py [--peers-python PYTHON]
"""

import argparse
import statistics

from fleet import Row, add_options, chosen, fleet, settled, stopped
from write import failures, save, table, why_not

from tripartite.bench import number

STARTS, WITHIN = 20, 0.02
STAGES = (10.0, 2.0, 0.5, 0.0)  # 1/ms
ADAM, QUICK = 500, 5
PATIENCE = 3600.0


def rows_of(options):
    """Ours pulled towards the record and not, and both by Adam."""
    few = options.quick
    common = {"starts": 2 if few else STARTS}
    squares = common | {"way": "squares", "iterations": 3 if few else 30}
    alone = common | {"way": "squares", "iterations": 3 if few else 100}
    adam = common | {"way": "Adam", "rate": 0.02, "iterations": QUICK if few else ADAM}
    yield Row(
        "tripartite",
        "Levenberg-Marquardt, nudged less and less",
        "run_fit",
        squares | {"stages": STAGES},
        patience=PATIENCE,
    )
    yield Row(
        "tripartite",
        "Levenberg-Marquardt alone",
        "run_fit",
        alone | {"stages": (0.0,)},
        patience=PATIENCE,
    )
    yield Row("tripartite", "Adam", "run_fit", adam, patience=PATIENCE)
    yield Row("Jaxley", "Adam", "run_fit_jaxley", adam, patience=PATIENCE)


def measure(options):
    """Every row once: a fit is long enough."""
    rows = chosen(list(rows_of(options)), options)
    for row in rows:
        with fleet([row], options) as line:
            answer = line[row.name].ask(row.request)
            if settled(row, answer):
                row.found |= {k: answer[k] for k in ("errors", "seconds", "cpu")}
    return rows


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * 4])
            continue
        errors = [e if e is not None else float("inf") for e in row.found["errors"]]
        within = sum(e < WITHIN for e in errors)
        lines.append(
            [
                row.name,
                f"{within} of {len(errors)}",
                f"{100 * statistics.median(errors):.3g} %",
                f"{100 * max(errors):.3g} %",
                number(row.found["seconds"], 3),
                number(row.found["cpu"], 3),
            ]
        )
    header = [
        "who", "within 2 %", "median error", "largest error", "seconds", "seconds of CPU",
    ]  # fmt: skip
    return (
        "## A cell fitted to a recording\n\n"
        "g_Na, g_K, g_L, C and E_L of a squid axon from 100 ms of its voltage in steps of 0.05 ms, "
        "with noise of 1 mV a sample, under a step and a noise current "
        "(`benchmarks/simulators/fit_setting.py`). Twenty random starts, a factor of three either "
        "way in the first four and 15 mV in E_L. An error is the largest relative one of the five "
        "numbers; seconds are of all twenty starts, compilation included. Levenberg-Marquardt is "
        "`fit.least_squares`, one start after another, with the model pulled towards the record at "
        f"{', '.join(f'{rate:g}' for rate in STAGES)} /ms, or not at all (100 iterations). Adam "
        f"takes {ADAM} steps of 0.02 in the same free numbers, all starts mapped together, in both "
        "simulators; the best step counts. Each simulator fits the record of its own equations.\n"
        + table(header, lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("fit", {"within": WITHIN, "stages": STAGES}, rows, text(rows), options)


if __name__ == "__main__":
    main()
