"""Cortical cells of Pospischil et al. (2008) against NEURON with mechanisms of our own.

python benchmarks/pospischil.py [--peers-python PYTHON]
"""

import argparse
import inspect
import math
import tempfile

import accuracy
import numpy as np
from fleet import Row, add_options, chosen, fleet, rounds, settled, stopped
from write import failures, save, table, why_not

import tripartite as tp
from tripartite.bench import number, with_spread

SPAN, CURRENT = 200.0, 2.0
DTS = (0.025, 0.005, 0.001)
MODELS = ("PospischilRS", "PospischilFS")


def parameters(model):
    """The published values, as the constructor has them."""
    signature = inspect.signature(getattr(tp.cells, model))
    return {name: entry.default for name, entry in signature.parameters.items()}


def field(p):
    """The equations of the paper (sections 2.1 and 2.2), written apart from any simulator."""

    def vtrap(x):
        return accuracy.linoid(-x)  # x / (exp(x) - 1)

    def rates(v):
        u = v - p["threshold"]
        m = 1.28 * vtrap((13 - u) / 4), 1.4 * vtrap((u - 40) / 5)
        h = 0.128 * math.exp((17 - u) / 18), 4 / (1 + math.exp((40 - u) / 5))
        n = 0.16 * vtrap((15 - u) / 5), 0.5 * math.exp((10 - u) / 40)
        return m, h, n

    def slow(v):
        steady = 1 / (1 + math.exp(-(v + 35) / 10))
        faster, slower = math.exp((v + 35) / 20), math.exp(-(v + 35) / 20)
        return steady, p["slowest"] / (3.3 * faster + slower)

    def slope(t, y):
        v, m, h, n, q = y
        (am, bm), (ah, bh), (an, bn) = rates(v)
        steady, tau = slow(v)
        ionic = p["g_sodium"] * m**3 * h * (v - p["e_sodium"]) + p["g_leak"] * (v - p["e_leak"])
        ionic += (p["g_potassium"] * n**4 + p["g_m"] * q) * (v - p["e_potassium"])
        gates = (a - (a + b) * x for (a, b), x in (((am, bm), m), ((ah, bh), h), ((an, bn), n)))
        return (CURRENT - ionic) / p["capacitance"], *gates, (steady - q) / tau

    v = p["v_init"]
    start = (v, *(a / (a + b) for a, b in rates(v)), slow(v)[0])
    return slope, start


def rows_of(model):
    """Ours by the symmetric step with two flows, NEURON in both orders, at every dt."""
    for dt in DTS:
        common = {"dt": dt, "span": SPAN, "current": CURRENT, "precision": "float64"}
        for flow in ("exponential", "Crank-Nicolson"):
            request = common | {"model": model, "scheme": "symmetric", "flow": flow}
            yield Row("tripartite", f"{model}, {flow}, dt {dt:g}", "run_tripartite", request)
        for order, name in ((0, "first"), (2, "second")):
            request = common | {"parameters": parameters(model), "second order": order}
            yield Row("NEURON", f"{model}, {name} order, dt {dt:g}", "run_pospischil", request)


def compare(row, simulator, model):
    """Spikes and voltages against the reference."""
    slope, start = field(parameters(model))
    if model not in REFERENCE:
        REFERENCE[model] = accuracy.reference(SPAN, slope, start, grid=max(DTS))
    truth, (_, v) = REFERENCE[model]
    with tempfile.NamedTemporaryFile(suffix=".f64") as file:
        answer = simulator.ask(row.request | {"do": "trace", "file": file.name})
        if not settled(row, answer):
            return
        found_ts, found_v = accuracy.read_trace(file.name)
    spikes = accuracy.spikes(found_ts, found_v)
    row.found["spikes"] = len(spikes)
    row.found["error"] = math.inf
    if len(spikes) == len(truth):
        row.found["error"] = float(np.max(np.abs(spikes - truth), initial=0.0))
    every = round(max(DTS) / row.request["dt"])
    taken = found_v[::every][: len(v)]
    row.found["difference"] = float(np.sqrt(np.mean((taken - v[: len(taken)]) ** 2)))


REFERENCE = {}


def measure(options):
    """Every row of both cells."""
    plan = {row.name: (row, model) for model in MODELS for row in rows_of(model)}
    rows = chosen([row for row, _ in plan.values()], options)
    with fleet(rows, options) as line:
        for row in rows:
            compare(row, line[row.name], plan[row.name][1])

        def request(row):
            passed = math.isfinite(row.found.get("error", math.inf))
            return row.request | {"do": "one cell"} if passed else None

        for name, time in rounds(rows, line, request, options.rounds, 1e3).items():
            plan[name][0].found["time"] = time
    return rows


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), "-", "-", "-"])
            continue
        found = row.found
        numbers = str(found["spikes"]), number(found["error"], 2), number(found["difference"], 2)
        lines.append([row.name, *numbers, with_spread(found.get("time"))])
    header = ["who", "spikes", "spike error (ms)", "rms of v (mV)", f"run of {SPAN:g} ms (ms)"]
    return (
        "## Cortical cells against NEURON\n\n"
        f"The regular and the fast-spiking cell of Pospischil et al. (2008), {CURRENT:g} uA/cm2 "
        "from t = 0, float64, ours by the symmetric step, the voltage recorded at every step. "
        "NEURON runs mechanisms written from the published equations (`benchmarks/neuron_mod/`, "
        "no tables). Both are read against SciPy's DOP853 at 1e-12 on the same equations: the "
        "worst spike, and the root mean square of the voltage's difference over the whole run.\n"
        + table(header, lines)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("pospischil", {"span": SPAN, "current": CURRENT}, rows, text(rows), options)


if __name__ == "__main__":
    main()
