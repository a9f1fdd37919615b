"""The arithmetic of the benchmarks of networks, and that their work runs."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def load():
    """The scripts of benchmarks/ and of its simulators, by name."""
    added = [str(FOLDER), str(FOLDER / "simulators")]
    sys.path[:0] = added
    yield importlib.import_module
    for folder in added:
        sys.path.remove(folder)


def timed(median):
    return {"median": median, "least": 0.9 * median, "most": 2.0 * median, "cold": 3.0}


def cells_of(text, start):
    """The cells of the line of a table that starts so."""
    line = next(x for x in text.splitlines() if x.startswith(f"| {start}"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def verdicts(load, tmp_path, name, found):
    (tmp_path / f"{name}.json").write_text(json.dumps(found))
    lines = load("targets").text(tmp_path).splitlines()
    rows = [[c.strip() for c in x.split("|")[1:-1]] for x in lines if "|" in x]
    return {name: rest for name, *rest in rows}


def test_rasters_are_compared_to_the_first_spike_that_differs(load):
    same_until, ordered = load("cobahh").same_until, load("cobahh").ordered
    raster = ordered(np.asarray([[7.0, 2.0, 2.0], [1.0, 5.0, 3.0]]))
    np.testing.assert_array_equal(raster, [[2, 2, 7], [3, 5, 1]])
    assert same_until(raster, raster, 0.1) == np.inf
    late = raster + np.asarray([[0, 0, 4], [0, 0, 0]])
    # The earlier of the two: at step 7 one fires and the other does not.
    assert same_until(raster, late, 0.1) == same_until(late, raster, 0.1) == pytest.approx(0.7)
    assert same_until(raster, raster[:, :2], 0.1) == pytest.approx(0.7)


def test_the_table_beside_brian(load, tmp_path):
    cobahh, fleet = load("cobahh"), load("fleet")
    rows = [row for row in cobahh.rows_of() if not row.wide]
    seconds = {"Brian2 C++, float64": 6.0, "tripartite, float64": 2.0, "tripartite, float32": 1.5}
    for row in rows:
        if row.name not in seconds:
            row.found["missing"] = "no module"
            continue
        single = row.name == "tripartite, float32"
        row.found |= {
            "precision": row.request["precision"],
            "time": timed(seconds[row.name]),
            "spikes": 150_000 - single * 9_000,
            "rate": 37.5 - single * 2.25,
            "same until": 88.9 if single else np.inf,
        }
    text = cobahh.text(rows)
    # 2 s / 4,000 cells / 10,000 steps.
    double = cells_of(text, "tripartite, float64")
    assert double == ["2.00 (1.80-4.00)", "3.00", "50.0", "150,000", "37.50", "all", "3.00"]
    assert cells_of(text, "tripartite, float32")[1:6] == [
        "4.00",
        "37.5",
        "141,000",
        "35.25",
        "89 ms",
    ]
    assert cells_of(text, "Brian2 C++, float32")[0] == "not installed"
    found = {"rows": [load("write").plain(row.to_dict()) for row in rows]}
    judged = verdicts(load, tmp_path, "cobahh", found)
    assert judged["COBAHH, 64 bits: times faster than Brian2"] == [">= 2.5", "3.00", "met"]
    assert judged["COBAHH, 32 bits: times faster than Brian2"] == [">= 5", "4.00", "**missed**"]
    # 2.25 of 37.5 Hz are 6 %.
    assert judged["COBAHH, 32 bits: mean rate off Brian2's, %"] == ["<= 5", "6.00", "**missed**"]
    assert judged["COBAHH, 64 bits: spikes more or fewer than Brian2's in a second"][2] == "met"
    assert fleet.ENVIRONMENT["run_brian_cobahh"] == "brian"


def test_the_table_of_edges(load, tmp_path):
    edges = load("edges")
    rows = list(edges.rows_of(quick=True))
    for row, ns in zip(rows, (1.0, 1.4, 7.0, 0.2, 6.0), strict=True):
        row.found |= {"time": timed(ns), "edges": 320_000, "cold": 3.0}
    text = edges.text(rows)
    name = "rates, rows, weights: each, delays: none"
    line = cells_of(text, f"tripartite, {name}")
    assert line[1:] == ["1.40", "1.40 (1.26-2.80)", "7.00 (6.30-14.0)", "5.00", "3.00"]
    judged = verdicts(load, tmp_path, "edges", {"rows": [row.to_dict() for row in rows]})
    assert judged[f"edges, {name}: ns per edge and step"][1:] == ["1.40", "met"]
    assert judged[f"edges, {name}, gradient: ns per edge and step"][1:] == ["7.00", "**missed**"]


def test_the_slope_is_that_of_the_large_sizes(load, tmp_path):
    scaling = load("scaling")
    rows = [row for row in scaling.rows_of() if row.request["signal"] == "rates"]
    for row in rows:
        size = row.request["cells"] * row.request["fan"]
        # Flat below the sizes that count.
        time = 50.0 * max(1.0, size / scaling.LARGE) ** 1.2
        row.found |= {"signal": "rates", "edges": size, "time": timed(time), "bytes": size**1.04}
        row.found |= {"peak": 2**28, "build": 2.5 * size / 1e6, "cold": 3.0}
    slopes = scaling.slopes_of(rows)
    assert slopes["rates"] == pytest.approx({"time": 1.2, "memory": 1.04}, rel=1e-12)
    text = scaling.text(rows)
    assert "1.20 for rates in time, 1.04 for rates in memory" in text
    assert cells_of(text, "rates, 1,000 edges")[1:3] == ["50.0 (45.0-100)", "50.0"]
    found = {"slopes": slopes, "rows": [row.to_dict() for row in rows]}
    judged = verdicts(load, tmp_path, "scaling", found)
    assert judged["scaling, rates: log-log slope of time"][1:] == ["1.20", "**missed**"]
    assert judged["scaling, rates: log-log slope of memory"][1:] == ["1.04", "met"]
    assert judged["scaling: seconds to build 1e6 edges"][1:] == ["2.50", "**missed**"]


def test_a_cliff_is_seen(load, tmp_path):
    one_synapse = load("one_synapse")
    rows = list(one_synapse.rows_of())
    for row, factor in zip(rows, (1.0, 1.2, 2.0, 80.0), strict=True):
        row.found["times"] = {str(n): timed(factor * n) for n in one_synapse.SIZES}
    slower = one_synapse.slower(rows)
    assert slower["LIF"]["4000"] == pytest.approx(1.2)
    assert cells_of(one_synapse.text(rows), "HodgkinHuxley, times")[2] == "40.0"
    judged = verdicts(load, tmp_path, "one_synapse", {"rows": [], "slower": slower})
    assert judged["one synapse among 100 LIF cells: times slower"][1:] == ["1.20", "met"]
    assert judged["one synapse among 4,000 HodgkinHuxley cells: times slower"][2] == "**missed**"
    # Smaller populations are shown, not judged.
    assert not any("among 2 " in name for name in judged)


TINY = {"cells": 12, "fan": 4, "dt": 0.1, "steps": 3, "precision": "float64"}


@pytest.mark.parametrize(
    "request_",
    [
        {"do": "edges", "signal": "rates", "layout": "padded", "weight": "each", "delay": "none"},
        pytest.param(
            {"do": "edges", "signal": "spikes", "layout": "scatter", "weight": "one"}
            | {"delay": "each", "gradient": True},
            marks=pytest.mark.slow,
        ),
        pytest.param({"do": "cobahh", "cells": 40}, marks=pytest.mark.slow),
        pytest.param(
            {"do": "one synapse", "model": "LIF", "current": 1.0, "synapse": True},
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda x: x["do"],
)
def test_the_work_runs(load, request_):
    found = load("run_networks").prepare(TINY | {"gradient": False} | request_)()
    assert found["seconds"] > 0
    if request_["do"] == "edges":
        # Twelve cells hear four each, or one third of the others each time.
        assert 0 < found["edges"] < 144 and found["bytes"] > 0 and found["build"] > 0
