"""The benchmarks' own arithmetic: spikes, interpolation, turns, the gate, and what is written."""

import argparse
import importlib
import json
import math
import shutil
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp

pytest.importorskip("scipy")
FOLDER = Path(__file__).parent.parent / "benchmarks"
TABLES = ("one_cell", "pospischil", "chapter", "brunel")


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The scripts of benchmarks/, which import one another as a command's neighbours do."""
    names = (
        "accuracy",
        "fleet",
        "write",
        "pictures",
        "population",
        "gradient",
        "memory",
        "targets",
    )
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in (*names, *TABLES)}
    sys.path.remove(str(FOLDER))


@pytest.fixture
def load(scripts):
    return scripts.__getitem__


@pytest.mark.parametrize("uneven", [False, True])
def test_a_crossing_is_found_to_the_order_of_the_cubic(load, uneven):
    step, period = 0.1, 2 * math.pi
    ts = np.arange(0.0, 30.0, step)
    if uneven:
        ts = ts + 0.3 * step * np.sin(np.arange(len(ts)))
    found = load("accuracy").spikes(ts, np.sin(ts - 1.0))
    truth = 1.0 + period * np.arange(5)
    # Newton's remainder: |s - t0|...|s - t3| / 4! <= (9/16) h^4 / 24 for |sin''''| <= 1 and an even
    # spacing h; slope 1 at the crossing. Uneven spacings here are at most 1.6 h.
    widest = step * (1.6 if uneven else 1.0)
    np.testing.assert_allclose(found, truth, rtol=0, atol=9 / 16 * widest**4 / 24)
    # A straight line would be off by h^2 / 8 times the curvature near the crossing, far more.
    assert len(found) == len(truth)


def test_errors_of_spikes_are_seen_and_a_missing_spike_is_infinite(load):
    accuracy = load("accuracy")
    truth, (ts, v) = accuracy.reference(30.0, grid=0.025)
    assert len(truth) == 2
    # The routine's floor on samples 0.025 ms apart is 6e-6 ms.
    assert accuracy.spike_error(ts, v, 30.0) < 1e-5
    assert accuracy.spike_error(ts + 0.3, v, 30.0) == pytest.approx(0.3, abs=1e-5)
    assert accuracy.spike_error(ts, np.minimum(v, np.where(ts > 10.0, -1.0, np.inf)), 30.0) == (
        math.inf
    )


def as_vector(y):
    """v, m, h, n and, where there is one, p."""
    gates = y.gates["sodium"] | y.gates["potassium"] | y.gates.get("m_potassium", {})
    return [float(x) for x in (y.v, *(gates[name] for name in "mhnp" if name in gates))]


def test_the_reference_has_the_library_s_equations(load):
    accuracy, cell = load("accuracy"), tp.cells.HodgkinHuxley()
    np.testing.assert_allclose(as_vector(cell.init()), accuracy.START, rtol=1e-14)
    for v in (-65.0, -40.0, 20.0):
        y = jax.tree.map(lambda x: 0.8 * x + 0.05, cell.init())._replace(v=jnp.asarray(v))
        ours = as_vector(cell.vector_field(0.0, y, jnp.asarray(10.0)))
        # A few additions of currents of at most 1e4 uA/cm2, each rounded to 1e-16 of that.
        np.testing.assert_allclose(ours, accuracy.squid_axon(0.0, as_vector(y)), atol=1e-11)


@pytest.mark.parametrize("model", ["PospischilRS", "PospischilFS"])
def test_the_reference_of_cortical_cells_has_the_library_s_equations(load, model):
    pospischil = load("pospischil")
    slope, start = pospischil.field(pospischil.parameters(model))
    cell = getattr(tp.cells, model)()
    y = cell.init()
    np.testing.assert_allclose(as_vector(y), start, rtol=1e-12)
    for v in (-70.0, -40.0, 15.0):
        state = jax.tree.map(lambda x: 0.8 * x + 0.05, y)._replace(v=jnp.asarray(v))
        ours = as_vector(cell.vector_field(0.0, state, jnp.asarray(pospischil.CURRENT)))
        np.testing.assert_allclose(ours, slope(0.0, as_vector(state)), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(
    ("points", "target", "cost", "beyond"),
    [
        # Error = 1/cost^2: 0.04 is at 5, between the measured 4 and 8.
        ([(4.0, 1 / 16), (8.0, 1 / 64)], 0.04, 5.0, False),
        # Beyond the measured: the same power is followed.
        ([(4.0, 1 / 16), (8.0, 1 / 64)], 1e-4, 100.0, True),
        # An accidental zero of the error does not count: a dearer setting misses the target.
        ([(2.0, 1e-3), (4.0, 1 / 16), (8.0, 1 / 64)], 0.04, 5.0, False),
        # Everything meets the target: the cheapest, and cheaper may do.
        ([(4.0, 1e-3), (8.0, 1e-4)], 0.01, 4.0, True),
        # A finer setting that was cheaper (an adaptive solver's) is what one would take.
        ([(4.0, 0.1), (3.0, 1e-3), (5.0, 1e-4)], 0.01, 3.0, False),
        # A run that has lost its spikes has no place.
        ([(1.0, math.inf), (4.0, 1 / 16), (8.0, 1 / 64)], 0.04, 5.0, False),
    ],
)
def test_cost_at_an_error(load, points, target, cost, beyond):
    found, extrapolated = load("accuracy").cost_at(points, target)
    assert found == pytest.approx(cost, rel=1e-12)
    assert extrapolated is beyond


def test_an_error_that_does_not_fall_has_no_cost(load):
    found, beyond = load("accuracy").cost_at([(4.0, 0.1), (8.0, 0.1)], 0.01)
    assert math.isnan(found) and beyond


class Canned:
    """A simulator that has its answers ready and writes down when it was asked."""

    def __init__(self, name, answers, diary):
        self.name, self.answers, self.diary = name, iter(answers), diary

    def ask(self, request):
        self.diary.append(self.name)
        return next(self.answers)


def answers(*seconds):
    return [{"seconds": s, "cold": 9.0, "versions": {"canned": "1"}} for s in seconds]


def test_rows_take_turns_and_the_cold_run_does_not_count(load):
    fleet, diary = load("fleet"), []
    rows = [fleet.Row("a", "x", "none", {}), fleet.Row("b", "y", "none", {})]
    line = {
        rows[0].name: Canned("a", answers(100.0, 1.0, 3.0, 2.0), diary),
        rows[1].name: Canned("b", [*answers(100.0, 5.0), {"failure": "it broke"}], diary),
    }
    found = fleet.rounds(rows, line, lambda row: {}, 3, scale=10.0)
    assert diary == ["a", "b", "a", "b", "a", "b", "a"]
    first = found[rows[0].name]
    assert (first["median"], first["least"], first["most"]) == (20.0, 10.0, 30.0)
    assert (first["cold"], first["rounds"]) == (9.0, 3)
    assert rows[1].found["failure"] == "it broke"
    assert fleet.stopped(rows[1]) and not fleet.stopped(rows[0])


SCRIPT = """
from worker import serve

def prepare(request):
    print("simulators talk")
    if request["do"] == "absent":
        import nothing_of_this_name
    if request["do"] == "break":
        raise RuntimeError("out of ions")
    if request["do"] == "end":
        raise SystemExit(3)
    return lambda: {"trace": ([0.0, 0.5], [-65.0, -64.0])} if request["do"] == "trace" else None

serve(prepare)
"""


@pytest.fixture
def simulator(load, monkeypatch, tmp_path):
    fleet = load("fleet")
    shutil.copy(FOLDER / "simulators" / "worker.py", tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setattr(fleet, "SIMULATORS", tmp_path)
    row = fleet.Row("canned", "x", "script", {"do": "trace"})
    options = argparse.Namespace(only=None)
    with fleet.fleet([row], options) as line:
        yield row, line[row.name]


def test_a_process_answers_line_by_line_and_survives_its_failures(load, simulator):
    row, line = simulator
    first, second = line.ask({"do": "time"}), line.ask({"do": "time"})
    assert "seconds" not in first and first["cold"] > 0
    # A run of no time at all is repeated for 50 ms, and one of them is told.
    assert 0 <= second["seconds"] < 0.05 and second["cold"] == first["cold"]
    assert "nothing_of_this_name" in line.ask({"do": "absent"})["missing"]
    assert line.ask({"do": "break"})["failure"] == "RuntimeError: out of ions"
    # Two samples without a spike, where the reference has one.
    assert load("fleet").trace_error(row, line, 3.0) == math.inf
    assert row.found["versions"]["python"]
    assert "ended with status 3" in line.ask({"do": "end"})["failure"]


def measured(fleet, who, setting, request, error, ns):
    row = fleet.Row(who, setting, "none", request | {"dt": 0.025})
    time = {"median": ns, "least": 0.9 * ns, "most": 2.0 * ns, "cold": 1.5}
    row.found |= {"precision": "float32", "error": error}
    row.found["times"] = {str(size): time for size in (1, 100, 8192)}
    return row


def test_the_population_table_shows_ratios_and_no_time_without_accuracy(load):
    fleet, population = load("fleet"), load("population")
    update = {"scheme": "symmetric", "flow": "exponential"}
    rows = [
        measured(fleet, "C", "symmetric, exponential", update, 0.029, 4.0),
        measured(fleet, "tripartite", "symmetric, exponential", update, 0.029, 6.0),
        measured(fleet, "Jaxley", "bwd_euler", {}, 0.42, 30.0),
        measured(fleet, "Arbor", "too coarse", {}, 2.5, 777.0),
        measured(fleet, "Brian2 C++", "absent", {}, None, 888.0),
        measured(fleet, "NEURON", "broken", {}, None, 999.0),
    ]
    rows[4].found["missing"], rows[5].found["failure"] = "no module", "it broke"
    # 60 ns per neuron and ms at a coarser step, which errs as Jaxley does: 30 / 0.025 / 60 = 20.
    coarse = {"name": "tripartite, coarse", "precision": "float32", "dt": 0.1, "error": 0.4}
    time = {"median": 60.0, "least": 60.0, "most": 60.0}
    text = population.text(rows, [coarse | {"time": time}])
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert "6.00 (5.40-12.0)" in lines["tripartite, symmetric, exponential"]
    assert " 1.50 |" in lines["tripartite, symmetric, exponential"]
    assert "2.5" in lines["Arbor, too coarse"] and "777" not in text
    assert "not installed" in lines["Brian2 C++, absent"] and "888" not in text
    assert "failed" in lines["NEURON, broken"] and "`it broke`" in text
    faster = text.split("### Times faster")[1]
    cells = next(line for line in faster.splitlines() if "bwd_euler" in line).split("|")
    assert [cell.strip() for cell in cells[-3:-1]] == ["5.00", "20.0"]


def test_the_gradient_table_reads_jaxley_at_its_own_error(load):
    fleet, gradient = load("fleet"), load("gradient")
    rows = []
    for who, setting, error, ns in (
        ("C", "forward", 0.029, 5.0),
        ("tripartite", "symmetric, exponential", 0.04, 50.0),
        ("Jaxley", "crank_nicolson", 0.01, 600.0),
    ):
        row = measured(fleet, who, setting, {}, error, ns)
        time = row.found.pop("times")["100"]
        row.found |= {"forward": {"100": time}, "gradient": {} if who == "C" else {"100": time}}
        rows.append(row)
    text = gradient.text(rows)
    assert "| 10.0 |" in next(x for x in text.splitlines() if "| tripartite" in x)
    ours = next(x for x in text.split("### Times faster")[1].splitlines() if "symmetric" in x)
    # At an error of 0.01 for 0.04 a method of second order takes half the step: 12 times is 6.
    assert "12.0" in ours and "6.00" in ours


def test_the_memory_table_counts_states(load):
    memory = load("memory")
    rows = list(memory.rows_of())[:1]
    rows[0].found["bytes"] = memory.CELLS * 4 * 4 * memory.STEPS
    *_, mebibytes, roots, steps, _ = memory.text(rows).splitlines()[-1].split("|")
    assert float(mebibytes) == 4096 * 4 * 4 * 8000 / 2**20
    # Three digits are shown.
    assert float(roots) == pytest.approx(math.sqrt(8000), rel=5e-3)
    assert float(steps) == 1.0


def canned_results(ours):
    """A population in which C takes 4 ns and Jaxley 90, and one cell's curve."""

    def row(who, setting, ns, error):
        time = {"8192": {"median": ns}}
        found = {"who": who, "setting": setting, "precision": "float32", "error": error}
        return found | {"times": time}

    rows = [
        row("C", "symmetric, exponential", 4.0, 0.029),
        row("tripartite", "symmetric, exponential", 9.0, 0.029),
        row("tripartite", "symmetric, exponential, 512 bits", ours, 0.029),
        row("tripartite", "all at once, exponential", 0.1, 1.2),
        row("Jaxley", "bwd_euler", 90.0, 0.42),
    ]
    points = [{"median": 1.0, "error": 0.04}, {"median": 2.0, "error": 0.01}]
    slower = [p | {"median": 2 * p["median"]} for p in points]
    curves = [("tripartite", points), ("Jaxley", slower), ("NEURON", slower)]
    cell = [{"who": who, "setting": "x", "points": p} for who, p in curves]
    return {"population": {"rows": rows, "matched": []}, "one_cell": {"rows": cell}}


@pytest.mark.parametrize(("ours", "verdict"), [(4.5, "met"), (4.7, "**missed**")])
def test_targets_are_judged_by_the_results(load, tmp_path, ours, verdict):
    for name, found in canned_results(ours).items():
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    text = load("targets").text(tmp_path)
    lines = [[c.strip() for c in x.split("|")[1:-1]] for x in text.splitlines() if "|" in x]
    found = {name: rest for name, *rest in lines}
    like_for_like = found["population, symmetric, exponential, 32 bits: ns / C's"]
    assert like_for_like == ["<= 1.15", f"{ours / 4:.2f}", verdict]
    # The step with the larger error is faster, and does not count.
    jaxley = found["population, 32 bits: times faster than Jaxley (bwd_euler)"]
    assert float(jaxley[1]) == pytest.approx(90 / ours, rel=5e-3)
    cell = "one cell, 0.01 ms error: times faster than {}'s best"
    assert found[cell.format("Jaxley")] == [">= 1.5", "2.00", "met"]
    assert found[cell.format("NEURON")] == [">= 6", "2.00", "**missed**"]
    assert found["one cell, 1e-05 ms error: time / the best peer's"][2] == "not measured"


def test_what_a_run_leaves_behind(load, monkeypatch, tmp_path, capsys):
    write, fleet = load("write"), load("fleet")
    monkeypatch.setattr(write, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(write, "DOCS", tmp_path)
    row = fleet.Row("canned", "x", "none", {})
    row.found |= {"versions": {"python": "3", "canned": "1.2"}, "error": math.inf}
    text = "## A table\n" + write.figure("picture", "words")
    write.save(
        "memory", {"cells": 1, "steps": 3}, [row], text, argparse.Namespace(quick=True, only=None)
    )
    assert not list(tmp_path.iterdir())
    write.save(
        "memory", {"cells": 1, "steps": 3}, [row], text, argparse.Namespace(quick=False, only=None)
    )
    found = json.loads((tmp_path / "results" / "memory.json").read_text())
    assert found["rows"][0]["error"] is None and found["versions"] == {"canned": "1.2"}
    page = (tmp_path / "benchmarks.md").read_text()
    assert "(figures/picture.png)" in page and "same measured error" in page
    assert "canned 1.2" in page
    assert capsys.readouterr().out.count("## A table") == 2


def test_figures_are_drawn(load, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    pictures = load("pictures")
    monkeypatch.setattr(pictures, "FIGURES", tmp_path)
    time = {"median": 2.0, "least": 1.0, "most": 4.0}
    pictures.dots("dots", {"32 bits": [("one", "C", time)], "64 bits": []}, "ns")
    pictures.curves("curves", [("a", "C", [0.1, 0.01], [1.0, 2.0])], ("x", "y"), 1e-3, 0.01)
    assert {path.name for path in tmp_path.iterdir()} == {"dots.png", "curves.png"}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize(("scheme", "order"), [("symmetric", 2), ("all at once", 1)])
def test_the_c_reference_has_the_order_of_its_scheme(load, scheme, order):
    fleet = load("fleet")
    request = {"scheme": scheme, "flow": "Pade", "precision": "float64"}
    row = fleet.Row("C", scheme, "run_c", request)
    with fleet.fleet([row], argparse.Namespace(only=None)) as line:
        coarse, fine = (
            fleet.trace_error(row, line[row.name], dt=dt, span=30.0) for dt in (0.01, 0.005)
        )
    # Two spikes in 30 ms; the next term of the error is dt times the leading one, here 1 to 5 %.
    assert coarse / fine == pytest.approx(2.0**order, rel=0.1)


def test_tables_of_networks_say_what_is_missing_and_average_the_seeds(load):
    chapter, brunel = load("chapter"), load("brunel")
    options = argparse.Namespace(scale=1.0, seconds=8.0, seeds=2, covering="script", quick=False)
    rows = list(chapter.rows_of(options))
    assert [(row.who, row.setting) for row in rows] == [
        ("Brian2 C++", "float64"), ("tripartite", "float64"), ("tripartite", "float32")
    ]  # fmt: skip
    assert all(row.patience > 300.0 for row in rows)
    for row in rows:
        row.found["missing"] = "No module named 'brian2'"

    def run(rate, first):
        window = {"exc": rate, "inh": 2 * rate, "synchrony": 7.0, "releases": 1.0}
        activity = {"before": window, "raised": window, "first release": first}
        return {"seconds": 100.0 * rate, "cold": 100.0 * rate + 40.0, "activity": activity}

    rows[1].found = {"runs": [run(1.0, 2.0), run(3.0, 4.0)]}
    lines = [line for line in chapter.text(rows, options).splitlines() if line.startswith("| ")]
    assert "not installed" in lines[1]
    # Means of the rates and of the first release, the median time; no window after 4 s.
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells[1:5] == ["2.00 / 4.00, 7.0", "2.00 / 4.00, 7.0", "- / -, -", "3.00"]
    assert cells[5:] == ["200", "40.0"]

    nest, *ours = brunel.rows_of(options)
    assert nest.script == "run_brunel_nest"
    nest.found["missing"] = "No module named 'nest'"
    activity = {"exc": 4.0, "inh": 4.1, "ip3": 0.39, "calcium": 0.3}
    phases = {"build": 1.0, "compile": 2.0}
    for row in ours:
        row.found["runs"] = [{"seconds": 5.0, "phases": phases, "activity": activity}]
    lines = [line for line in brunel.text([nest, *ours]).splitlines() if line.startswith("| ")]
    assert "not installed" in lines[1]
    assert [cell.strip() for cell in lines[2].strip("|").split("|")][1:] == [
        "4.00", "4.10", "0.390", "0.300", "5.00", "3.00",
    ]  # fmt: skip
