"""The benchmark of attention: how it is judged, and what its table says."""

import importlib
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")
FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The scripts of benchmarks/, which import one another as a command's neighbours do."""
    sys.path.insert(0, str(FOLDER))
    names = ("targets", "lengths", "attention", "fleet")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(FOLDER))


@pytest.fixture
def load(scripts):
    return scripts.__getitem__


def lengths(**milliseconds):
    return {name[1:]: {"median": time} for name, time in milliseconds.items()}


def test_attention_is_judged_by_slope_crossover_and_decoding(load, tmp_path):
    found = {"heads": 8, "d_head": 64, "rows": []}
    # 2 ms for 1,024 tokens, linear; 4 times as much at twice the length.
    ours, theirs = lengths(_1024=2.0, _2048=4.0, _4096=8.0), lengths(_1024=1.0, _2048=4.5, _4096=20)
    queries = 8 * 64 * 4
    for form in ("whole", "causal"):
        for which in ("forward", "gradient"):
            row = {"who": "tripartite", "setting": f"{form}, {which}", "times": ours}
            found["rows"].append(row | {"bytes": {"1024": 9e9, "2048": 3 * 2048 * queries}})
            found["rows"].append({"who": "jax.nn", "setting": f"{form}, {which}", "times": theirs})
    decoding = lengths(_256=0.1, _4096=0.13)
    found["rows"].append({"who": "tripartite", "setting": "decoding", "times": decoding})
    (tmp_path / "attention.json").write_text(json.dumps(found))
    text = load("targets").text(tmp_path)
    lines = [[c.strip() for c in x.split("|")[1:-1]] for x in text.splitlines() if "|" in x]
    judged = {name: rest for name, *rest in lines}
    assert judged["attention, whole, forward: slope in tokens"] == ["<= 1.1", "1.00", "met"]
    faster = "attention, causal, gradient: tokens from which on faster than softmax"
    assert judged[faster] == ["<= 2048", "2,048", "met"]
    memory = "attention, causal, 2,048 tokens or more: temporaries / queries"
    assert judged[memory] == ["<= 4", "3.00", "met"]
    assert judged["attention, decoding: the dearest length's cost / the cheapest's"][2] == (
        "**missed**"
    )
    # A length at which softmax is faster again ends the claim.
    crossover = load("lengths").crossover
    assert crossover(lengths(_1=1.0, _2=1.0, _3=1.0), lengths(_1=2.0, _2=0.5, _3=2.0)) == 3
    assert crossover(lengths(_1=1.0), lengths(_1=0.5)) is None


def test_the_attention_table_says_what_it_holds(load):
    attention, fleet = load("attention"), load("fleet")
    rows = list(attention.rows_of())
    assert all(isinstance(row, fleet.Row) for row in rows)
    time = {"median": 2.0, "least": 1.0, "most": 3.0, "bytes": 4096 * 8 * 64 * 4}
    for row in rows:
        factor = 1.0 if row.who == "tripartite" else 7.0
        scaled = time | {k: factor * time[k] for k in ("median", "least", "most")}
        row.found |= {"times": {"4096": scaled}, "bytes": {"4096": time["bytes"]}}
    text = attention.text(rows)
    assert "causal, gradient: from 4,096 tokens on" in text
    assert "14.0 (7.00-21.0)" in text and "2,000 (1,000-3,000)" in text
    # Beyond what the machine holds, nothing is asked for.
    softmax = next(row for row in rows if row.who == "jax.nn")
    assert attention.request_of(softmax, 16_384) is None
    assert attention.request_of(rows[0], 16_384)["tokens"] == 16_384
