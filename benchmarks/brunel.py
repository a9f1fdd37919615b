"""NEST's Brunel network with astrocytes at one tenth, beside NEST: rates and time.

python benchmarks/brunel.py [--peers-python PYTHON] [--seeds 3]
"""

import argparse
import statistics

from fleet import Row, add_options, chosen, fleet, settled, stopped
from write import failures, save, table, why_not

from tripartite.bench import number

SPAN = 1000.0  # ms
QUICK = 20.0


def rows_of(options):
    """NEST, and ours in both precisions."""
    span = QUICK if options.quick else SPAN
    yield Row("NEST", "float64", "run_brunel_nest", {"span": span})
    for precision in ("float64", "float32"):
        request = {"span": span, "precision": precision}
        yield Row("tripartite", precision, "run_brunel", request)


def measure(options):
    """Every row once for each seed."""
    rows = chosen(list(rows_of(options)), options)
    for row in rows:
        row.found["runs"] = []
        with fleet([row], options) as line:
            for seed in range(options.seeds):
                answer = line[row.name].ask(row.request | {"seed": seed})
                if not settled(row, answer):
                    break
                row.found["runs"].append(
                    {k: answer[k] for k in ("seconds", "phases", "activity")} | {"seed": seed}
                )
    return rows


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * 5])
            continue
        runs = row.found["runs"]

        def mean(what, runs=runs):
            return number(statistics.mean(run["activity"][what] for run in runs), 3)

        seconds = statistics.median(run["seconds"] for run in runs)
        cold = statistics.median(sum(run["phases"].values()) for run in runs)
        activity = [mean(what) for what in ("exc", "inh", "ip3", "calcium")]
        lines.append([row.name, *activity, number(seconds, 3), number(cold, 3)])
    header = [
        "who", "exc. (Hz)", "inh. (Hz)", "IP3 (uM)", "Ca (uM)", "run (s)",
        "build and compile (s)",
    ]  # fmt: skip
    return (
        "## Neurons and astrocytes against NEST\n\n"
        "NEST's example `astrocyte_brunel_bernoulli` with a tenth of its units: 1,000 adaptive "
        "exponential cells, 1,000 astrocytes, pairs joined with probability 0.1, half of the "
        "excitatory edges under an astrocyte, 2 kHz of background to each cell; one second in "
        "steps of 0.1 ms, the mean over the seeds, IP3 and calcium at its end. NEST takes adaptive "
        "steps within each step. In tripartite the cell and the synapse with its slow inward "
        "current are classes of the benchmark's own (`benchmarks/simulators/brunel_network.py`); "
        "the time includes drawing the background. Its astrocytes hear every spike in full, NEST's "
        "through a depressing synapse, hence the higher IP3.\n"
        + table(header, lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--seeds", type=int, default=3, help="networks (default: 3)")
    options = parser.parse_args()
    rows = measure(options)
    save("brunel", {"span": SPAN, "seeds": options.seeds}, rows, text(rows), options)


if __name__ == "__main__":
    main()
