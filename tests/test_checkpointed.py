"""Long runs that are killed and go on: bit for bit what they would have been."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from checkpointed_run import EVERY, KINDS, bits, solve
from tripartite import cells, stimuli
from tripartite.core import archive
from tripartite.core.describe import described, differences
from tripartite.core.errors import SolveError

TESTS = Path(__file__).parent
# Hundreds of segments, each written to the disk: a second or more in which to kill it.
LONG = 300 * EVERY
LEAK = cells.LIF()


def steps_before_a_kill(path, kind, wait):
    """Starts a run in another process and kills it `wait` seconds after its first checkpoint."""
    call = "import sys; sys.path.insert(0, sys.argv[1]); import checkpointed_run as run; "
    call += "run.main(*sys.argv[2:])"
    program = [sys.executable, "-c", call, str(TESTS), str(path), kind, str(LONG)]
    with subprocess.Popen(program) as process:
        while not path.exists():
            assert process.poll() is None, "the run ended by itself"
            time.sleep(0.002)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
    return archive.read(path, "run").header["steps"]


def killed_and_resumed(path, kind, wait):
    """A run that is killed in another process, and goes on in this one."""
    steps = round(LONG / KINDS[kind]()[2]["dt"])
    while steps_before_a_kill(path, kind, wait) == steps:
        # The machine was busy elsewhere, and the run came to its end: too late for a kill.
        path.unlink()
        wait *= 0.5
    solution = solve(kind, LONG, checkpoint=path, every=EVERY)
    assert solution.stats["num_steps"] == steps
    assert list(path.parent.glob(".*.part")) == []
    return bits(solution)


def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    found = killed_and_resumed(tmp_path / "run", "noisy", 0.1)
    assert found == bits(solve("noisy", LONG))


@pytest.mark.gate
def test_killed_twice(tmp_path):
    expected = bits(solve("delayed", LONG))
    for i, wait in enumerate((0.0, 0.2)):
        assert killed_and_resumed(tmp_path / f"run{i}", "delayed", wait) == expected


@pytest.mark.slow
def test_killed_twenty_times_at_random(tmp_path):
    expected = {kind: bits(solve(kind, LONG)) for kind in ("noisy", "delayed")}
    chance = random.Random(1)
    for i in range(20):
        kind = "noisy" if i % 2 else "delayed"
        found = killed_and_resumed(tmp_path / f"run{i}", kind, chance.uniform(0.0, 0.4))
        assert found == expected[kind]


def leaky(path=None, every=1.0, model=LEAK, stimulus=2.0, **more):
    options = {"t1": 5.3, "dt": 0.1, "save_every": 0.2} | more
    if path is not None:
        options |= {"checkpoint": path, "every": every}
    return tp.simulate(model, stimulus, **options)


# 53 steps, a record after every second, segments of ten: the last ones are ragged.
def test_segments_join_and_a_finished_run_is_read_back(tmp_path):
    expected = leaky()
    first = leaky(tmp_path / "run")
    assert bits(first) == bits(expected)
    assert first.ts.shape == (28,) and abs(first.ts[-1] - 5.3) < 1e-12
    assert jax.tree.structure(first) == jax.tree.structure(expected)
    written = (tmp_path / "run").stat().st_mtime_ns
    assert bits(leaky(tmp_path / "run")) == bits(expected)
    assert (tmp_path / "run").stat().st_mtime_ns == written


def test_the_file_holds_a_whole_state_after_every_segment(tmp_path, monkeypatch):
    written = []

    def spy(path, kind, header, arrays):
        written.append((header["steps"], arrays["times"][-1], arrays["record['v']"].shape))

    monkeypatch.setattr(archive, "write", spy)
    leaky(tmp_path / "run", every=1.9)
    # 1.9 ms are 19 steps, ten whole records.
    assert [steps for steps, *_ in written] == [20, 40, 53]
    assert [round(float(t), 9) for _, t, _ in written] == [2.0, 4.0, 5.3]
    assert [shape for *_, shape in written] == [(11,), (21,), (28,)]


def test_another_run_is_refused_and_says_what_differs(tmp_path):
    path = tmp_path / "run"
    leaky(path)
    changes = {
        r"t1 was 5\.3 ms and is 6\.1 ms": {"t1": 6.1},
        r"dt was 0\.1 ms and is 0\.05 ms": {"dt": 0.05},
        r"every was 10 steps and is 20 steps": {"every": 2.0},
        r"stimulus\.amplitude was 2\.0 \(float64\) and is 2\.5": {"stimulus": 2.5},
        r"model\.capacitance was 1\.0 \(float64\) and is 1\.5": {"model": cells.LIF(1.5)},
        r"y0\.v was -\S+ \(float64\) and is -60\.5 ": {
            "y0": eqx.tree_at(lambda y: y.v, LEAK.init(), jnp.asarray(-60.5))
        },
        r"record\S* was .* and is ": {"record": lambda y: y.v + 1.0},
        r"solver was .*SymmetricExponential and is .*Sequential": {
            "solver": tp.solvers.SequentialExponential()
        },
    }
    for words, change in changes.items():
        with pytest.raises(ValueError, match=rf"run is the checkpoint of another run: .*{words}"):
            leaky(path, **change)
    with pytest.raises(ValueError, match=r"; and \d+ more\. Call simulate as before .* or delete"):
        leaky(path, model=cells.HodgkinHuxley())


def test_a_run_that_fails_is_not_written(tmp_path):
    # A current that makes v infinite after 2.5 ms.
    def burst(path, throw=True):
        current = stimuli.Step(amplitude=1e308, start=2.5)
        return leaky(path, model=cells.LIF(capacitance=1e-3), stimulus=current, throw=throw)

    with pytest.raises(SolveError, match="infinite or NaN"):
        burst(tmp_path / "run")
    assert archive.read(tmp_path / "run", "run").header["steps"] == 20
    stopped = burst(tmp_path / "run", throw=False)
    assert stopped.result == tp.RESULTS.non_finite and stopped.stats["num_steps"] == 30
    assert len(stopped.ts) == 16


def test_what_checkpoints_need(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(ValueError, match="checkpoint= needs every=, the ms between"):
        leaky(path, every=None)
    with pytest.raises(ValueError, match="every= is the time between checkpoints: pass checkpoint"):
        tp.simulate(LEAK, 2.0, t1=1.0, dt=0.1, every=1.0)
    with pytest.raises(ValueError, match=r"checkpoint= needs fixed steps, .*: pass dt="):
        tp.simulate(cells.HodgkinHuxley(), t1=1.0, checkpoint=path, every=1.0)
    with pytest.raises(ValueError, match=r"every must be positive, got 0\.0 ms"):
        leaky(path, every=0.0)
    with pytest.raises(ValueError, match="got RecursiveCheckpointAdjoint: leave adjoint= out"):
        leaky(path, adjoint=diffrax.RecursiveCheckpointAdjoint())
    with pytest.raises(ValueError, match="checkpoint= writes files: call simulate outside of jit"):
        jax.grad(lambda x: leaky(path, stimulus=x).ys["v"].sum())(2.0)
    with pytest.raises(ValueError, match=r"no folder .*gone to write run in"):
        leaky(tmp_path / "gone" / "run")
    assert not path.exists()


def test_a_description_tells_trees_apart():
    def near(limit):
        return lambda y: y < limit

    base = {"a": jnp.arange(3.0), "f": near(1.0), "n": (1, None, "x")}
    old = described(base, "x")
    assert differences(old, described(base | {"f": near(1.0)}, "x")) == []
    found = differences(old, described(base | {"f": near(2.0)}, "x"))
    assert found == ["x['f']'s variables[0] was 1.0 and is 2.0"]
    moved = np.array([0.0, 1.0, np.nextafter(2.0, 3.0)])
    found = differences(old, described(base | {"a": moved}, "x"))
    assert found == [f"x['a'] was [0.0, 1.0, 2.0] (float64) and is {moved.tolist()} (float64)"]
    large = described(np.arange(9), "x"), described(np.arange(9)[::-1], "x")
    assert len(differences(*large)) == 1
    assert "0x" not in str(described({"o": object(), "p": {1: print}}, "x"))
    endless: list = []
    endless.append(endless)
    assert described(endless, "x") == {"x": "list of 1", "x[0]": "itself"}
