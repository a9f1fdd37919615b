"""The neuron-glia network of Stimberg et al. (2019), figure 6, beside Brian2: rates and time.

python benchmarks/chapter.py [--brian-python PYTHON] [--scale 1] [--seconds 8] [--seeds 1]

At full size each row takes some minutes for each seed; `--seconds` and `--scale` shorten that, and
then nothing is written.
"""

import argparse
import statistics

from fleet import Row, add_options, chosen, fleet, settled, stopped
from write import failures, save, table, why_not

from tripartite.bench import number

DT, ASTROCYTE_DT = 0.1, 10.0
WINDOWS = ("before", "raised", "after")
PATIENCE = 7200.0  # s
COVERINGS = {
    "script": "Synapses get their astrocytes by the formula in the authors' script, which leaves "
    "about half of those between excitatory cells without and puts all onto inhibitory cells under "
    "one.",
    "place": "Each synapse onto an excitatory cell is under the astrocyte nearest to that cell.",
}


def rows_of(options):
    """Brian2 as its authors step it, and ours in both precisions."""
    common = {"scale": options.scale, "seconds": options.seconds, "covering": options.covering}
    rows = [
        ("Brian2 C++", "float64", "run_chapter_brian"),
        ("tripartite", "float64", "run_chapter"),
        ("tripartite", "float32", "run_chapter"),
    ]
    for who, precision, script in rows:
        request = common | {"dt": DT, "astrocyte_dt": ASTROCYTE_DT, "precision": precision}
        yield Row(who, precision, script, request, patience=PATIENCE)


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
                kept = {k: answer[k] for k in ("seconds", "cold", "activity")}
                row.found["runs"].append(kept | {"seed": seed})
    return rows


def mean(row, window, what):
    """Over the seeds; None where a run was too short for the window."""
    values = [r["activity"][window][what] for r in row.found["runs"] if window in r["activity"]]
    return statistics.mean(values) if values else None


def shown(value, digits=3):
    return "-" if value is None else number(value, digits)


def text(rows, options):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * 5])
            continue
        rates = [
            f"{shown(mean(row, window, 'exc'))} / {shown(mean(row, window, 'inh'))}, "
            f"{shown(mean(row, window, 'synchrony'), 2)}"
            for window in WINDOWS
        ]
        firsts = [r["activity"]["first release"] for r in row.found["runs"]]
        release = statistics.mean(firsts) if None not in firsts else None
        seconds = statistics.median(r["seconds"] for r in row.found["runs"])
        cold = statistics.median(r["cold"] - r["seconds"] for r in row.found["runs"])
        lines.append([row.name, *rates, shown(release), shown(seconds), shown(cold)])
    header = ["who", *WINDOWS, "first release (s)", "run (s)", "build and compile (s)"]
    cells = round(4000 * options.scale)
    return (
        "## Neurons and astrocytes against Brian2\n\n"
        f"Figure 6 of Stimberg et al. (2019): {cells:,} integrate-and-fire cells, "
        f"{round(3200 * options.scale):,} astrocytes, 100 pA, 120 between 2 and 4 s, "
        f"{options.seconds:g} s of model time in steps of {DT} ms, {options.seeds} seed(s). "
        "Columns: rates of excitatory and inhibitory cells (Hz), and synchrony (the variance over "
        "the mean of all spikes in 5 ms; 1 for independent cells), from 0.5 to 2 s, from 2 to 4 s "
        "and after. Brian2 takes Euler steps for the cells and steps of "
        f"{ASTROCYTE_DT:g} ms for the astrocytes, as its authors do; what they release is then "
        "held for a step each, which binds a third more of it; tripartite's astrocytes take the "
        f"cells' steps. {COVERINGS[options.covering]}\n" + table(header, lines) + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the cells (default: 1)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of model time (default: 8)")
    parser.add_argument("--seeds", type=int, default=1, help="networks (default: 1)")
    parser.add_argument("--covering", choices=COVERINGS, default="script")
    options = parser.parse_args()
    if options.quick:
        options.scale, options.seconds = 0.05, 3.0
    rows = measure(options)
    # The page shows the whole network alone.
    options.quick = options.quick or options.scale < 1 or options.seconds < 8
    names = ("scale", "seconds", "seeds", "covering")
    found = {name: getattr(options, name) for name in names}
    save("chapter", found, rows, text(rows, options), options)


if __name__ == "__main__":
    main()
