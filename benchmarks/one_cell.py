"""One Hodgkin-Huxley cell: time against spike-time error, and the time to an error of 0.01 ms.

python benchmarks/one_cell.py [--peers-python PYTHON] [--brian-python PYTHON]
"""

import argparse
import math

from accuracy import cost_at, floor
from fleet import Row, add_options, chosen, fleet, rounds, stopped, trace_error
from pictures import curves
from write import failures, figure, kept, save, table, why_not

from tripartite.bench import number

SPAN, TARGET = 100.0, 0.01
GRID = 0.0125  # ms, between the samples of an adaptive run's trace
TARGETS = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
FINE = (0.1, 0.05, 0.025, 0.0125, 0.00625, 0.003125, 0.0015625)
FIRST = (0.025, 0.0125, 0.00625, 0.003125, 0.0015625)
FOURTH = (0.05, 0.025, 0.0125, 0.00625)
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
FLOWS = ("exponential", "Pade", "Crank-Nicolson")
SHOWN = 2.0  # ms: the worst error in the figure
REACH = 5.0  # so many times beyond the least measured error, and no further, an order is followed


def library():
    """C and tripartite."""
    for flow in FLOWS:
        yield Row("C", f"symmetric, {flow}", "run_c", {"scheme": "symmetric", "flow": flow}), FINE
    for scheme in ("symmetric", "sequential"):
        for flow in FLOWS:
            request = {"scheme": scheme, "flow": flow}
            yield Row("tripartite", f"{scheme}, {flow}", "run_tripartite", request), FINE
    yield Row("tripartite", "RK4", "run_tripartite", {"scheme": "RK4"}), FOURTH
    for scheme in ("Tsit5", "Dopri8"):
        yield Row("tripartite", scheme, "run_tripartite", {"scheme": scheme}), TOLERANCES


def peers():
    """Every setting of theirs that makes sense here."""
    for solver, dts in (("crank_nicolson", FINE), ("bwd_euler", FIRST)):
        yield Row("Jaxley", solver, "run_jaxley", {"solver": solver}), dts
    yield Row("NEURON", "first order", "run_neuron", {"second order": 0}), FIRST
    yield Row("NEURON", "second order", "run_neuron", {"second order": 2}), FINE
    yield Row("NEURON", "CVode", "run_neuron", {}), TOLERANCES
    yield Row("Arbor", "hh of its catalogue", "run_arbor", {}), FIRST
    brian = (("exponential_euler", FIRST[::2]), ("rk2", FINE[2:5]), ("rk4", FOURTH[:3]))
    for method, dts in brian:
        request = {"method": method, "rates": "guarded"}
        yield Row("Brian2 C++", method, "run_brian", request), dts


def requests_of(row, settings, quick):
    """What the row is asked for: every step, or every tolerance."""
    name = "tolerance" if settings is TOLERANCES else "dt"
    settings = settings[1:3] if quick else settings
    common = {**row.request, "span": SPAN, "precision": "float64"}
    return [common | {name: value} for value in settings]


def measure(options):
    """The rows with a point `(ms, error)` for each of their settings."""
    plan = [(row, settings) for row, settings in [*library(), *peers()]]
    rows = chosen([row for row, _ in plan], options)
    wanted = {row.name: requests_of(row, s, options.quick) for row, s in plan}
    with fleet(rows, options) as line:
        for row in rows:
            row.found["points"] = []
        for turn in range(max(map(len, wanted.values()))):
            here = {name: found[turn] for name, found in wanted.items() if turn < len(found)}
            errors = {}
            for row in rows:
                if row.name not in here or stopped(row):
                    continue
                grid = {"grid": GRID} if "tolerance" in here[row.name] else {}
                errors[row.name] = trace_error(row, line[row.name], **here[row.name], **grid)

            def request(row, here=here):
                setting = here.get(row.name)
                return None if setting is None else setting | {"do": "one cell"}

            found = rounds(rows, line, request, options.rounds, 1e3)
            for row in rows:
                if row.name in found and errors.get(row.name) is not None:
                    row.found["points"].append(
                        point(here[row.name], errors[row.name], found[row.name])
                    )
    return rows


def point(setting, error, time):
    """One setting's error (ms of spike time) and time (ms of run)."""
    chosen_by = {k: setting[k] for k in ("dt", "tolerance") if k in setting}
    return chosen_by | {"error": error, **{k: time[k] for k in ("median", "least", "most", "cold")}}


def ms_at(row, target):
    """The run's ms at an error, and whether that was measured or follows from the order."""
    points = row.found.get("points", [])
    return cost_at([(p["median"], p["error"]) for p in points], target)


def shown_at(row, target):
    """`1.2`; with (x) where it lies beyond the measured errors."""
    value, beyond = ms_at(row, target)
    points = [p["error"] for p in row.found.get("points", [])]
    if beyond and points and max(points) <= target:
        return f"< {number(value)}"
    if beyond and points and min(points) > REACH * target:
        return "-"
    return number(value) + (" (x)" if beyond and math.isfinite(value) else "")


def nearest(row):
    """The measured setting nearest the target, with its error, time and spread."""
    points = [p for p in row.found.get("points", []) if math.isfinite(p["error"])]
    if not points:
        return "-", "-", "-"
    best = min(points, key=lambda p: abs(math.log(p["error"] / TARGET)))
    setting = f"dt {best['dt']:g}" if "dt" in best else f"tol {best['tolerance']:g}"
    times = f"{number(best['median'])} ({number(best['least'])}-{number(best['most'])})"
    return setting, number(best["error"], 2), times


def order(rows):
    """The fastest to the target first; those who never reach it last."""
    return sorted(rows, key=lambda row: (stopped(row), sort_value(row)))


def sort_value(row):
    value, _ = ms_at(row, TARGET)
    return value if math.isfinite(value) else math.inf


def text(rows, floor_ms):
    """The page's section."""
    lines = []
    for row in order(rows):
        if stopped(row):
            lines.append([row.name, why_not(row), "-", "-", "-"])
        else:
            lines.append([row.name, shown_at(row, TARGET), *nearest(row)])
    header = ["who", "ms at 0.01 ms error", "measured nearest", "error (ms)", "run (ms)"]
    return (
        "## One cell: time to a spike-time error of 0.01 ms\n\n"
        f"{SPAN:g} ms, seven spikes, float64, the voltage recorded at every step (of adaptive "
        "solvers: as each does by default, ours every 0.1 ms, CVode at its own steps). The time at "
        "0.01 ms is interpolated between the measured settings at the order seen there; (x) lies "
        "beyond them, by a factor of five at most. C records nothing: the limit, not a peer.\n"
        + table(header, lines)
        + failures(rows)
        + best_of_each(rows)
        + "\n## Work and precision\n\n"
        "Milliseconds of run for each error, from the same data. The routine that locates the "
        f"spikes loses {floor_ms:.0e} ms on samples {GRID} ms apart.\n"
        + table(
            ["who", *[f"{t:g} ms" for t in TARGETS]],
            [[r.name, *[shown_at(r, t) for t in TARGETS]] for r in order(rows) if not stopped(r)],
        )
        + figure("work_precision", "Time of a 100 ms run against the error of its spike times")
    )


def best_of_each(rows):
    """How many times our best setting is faster than each peer's best."""
    best = {}
    for row in rows:
        value, _ = ms_at(row, TARGET)
        if not stopped(row) and math.isfinite(value) and value < best.get(row.who, (math.inf,))[0]:
            best[row.who] = value, row.setting
    if "tripartite" not in best:
        return ""
    ours, setting = best.pop("tripartite")
    best.pop("C", None)
    if not best:
        return ""
    lines = [[w, s, number(v), number(v / ours, 3)] for w, (v, s) in best.items()]
    return f"\nEach peer's best setting against ours ({setting}, {number(ours)} ms):\n" + table(
        ["peer", "setting", "ms", "times ours"], lines
    )


def draw(rows, floor_ms):
    """The curves of all but C, which records nothing."""
    series = []
    for row in rows:
        points = [p for p in row.found.get("points", []) if 0 < p["error"] < SHOWN]
        if points and row.who != "C":
            series.append(
                (row.name, row.who, [p["error"] for p in points], [p["median"] for p in points])
            )
    axes = ("worst spike-time error (ms)", "run of 100 ms (ms)")
    curves("work_precision", series, axes, floor=floor_ms, target=TARGET)


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows, floor_ms = measure(options), floor(GRID)
    if kept(options):
        draw(rows, floor_ms)
    save("one_cell", {"span": SPAN, "floor": floor_ms}, rows, text(rows, floor_ms), options)


if __name__ == "__main__":
    main()
