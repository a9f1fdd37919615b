"""Agreement with Jaxley where the equations agree, and the differences that the docs name."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import channels as ch

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "against_jaxley.md"
# Crank-Nicolson is second order: every 0.2 ms, its largest gap to us is 0.0382 mV at a step of
# 0.004 ms and 0.00954 at 0.002, which is 4.0 times less. That leaves 0.0024 mV at 0.001 ms, and a
# sample nearer to a flank (every 0.05 ms) may have twice as much. Our tolerance adds a thousandth.
BOUND = 0.005


def read(name):
    with np.load(HERE / "data" / f"{name}.npz", allow_pickle=False) as stored:
        return dict(stored)


def trace(ts, **parameters):
    """Our cell at Jaxley's times, to a tolerance far below the bound."""
    solution = tp.simulate(
        tp.cells.HodgkinHuxley(**parameters),
        tp.stimuli.Step(10.0, start=5.0),
        t1=60.0,
        rtol=1e-9,
        atol=1e-9,
        save_every=0.0025,
    )
    return np.interp(ts, np.asarray(solution.ts), np.asarray(solution.ys["v"]))


def test_jaxley_s_squid_axon():
    theirs = read("jaxley_hh")
    assert np.max(theirs["v"]) > 30.0  # it spikes
    assert np.max(np.abs(trace(theirs["ts"], e_leak=-54.3) - theirs["v"])) < BOUND


def test_the_comparison_tells_our_own_leak_reversal_from_jaxley_s():
    theirs = read("jaxley_hh")
    assert np.max(np.abs(trace(theirs["ts"]) - theirs["v"])) > 100 * BOUND


CURVES = read("jaxley_channels")
VS = CURVES["v"]
OURS = {
    "HH.m": ch.Sodium().gates["m"],
    "HH.h": ch.Sodium().gates["h"],
    "HH.n": ch.Potassium().gates["n"],
    "Na.m": ch.TraubMilesSodium(threshold=-60.0).gates["m"],
    "Na.h": ch.TraubMilesSodium(threshold=-60.0).gates["h"],
    "K.n": ch.TraubMilesPotassium(threshold=-60.0).gates["n"],
    "Km.p": ch.MPotassium(slowest=4000.0).gates["p"],
    "CaL.q": ch.LTypeCalcium().gates["q"],
    "CaL.r": ch.LTypeCalcium().gates["r"],
    "CaT.u": ch.TTypeCalcium(misprint=True).gates["u"],
}
POLES = {"HH.m": [-40.0], "HH.n": [-55.0], "Na.m": [-47.0, -20.0], "K.n": [-45.0], "CaL.q": [-27.0]}


def pair(name):
    """Our two numbers in Jaxley's form: two rates, or a steady state and a time constant."""
    gate = OURS[name]
    if name in ("Km.p", "CaT.u"):
        return lambda v: jnp.stack([gate.steady_state(v), gate.time_constant(v)])
    return lambda v: jnp.stack([gate.relax(v)[0], gate.relax(v)[1] - gate.relax(v)[0]])


@pytest.mark.parametrize("name", OURS)
def test_the_curves_agree_off_the_poles(name):
    far = ~np.isin(VS, POLES.get(name, []))
    if name == "CaT.u":
        # Jaxley's exponentials stop growing at exp(20): with V_x = 2, above -20 mV. And it divides
        # by 3.7 throughout.
        far &= VS < -20.0
    vs = jnp.asarray(VS[far])
    found = jax.vmap(pair(name))(vs), jax.vmap(jax.jacfwd(pair(name)))(vs)
    expected = CURVES[name][far]
    # Exponents of up to 25, rounded twice; a difference of rates loses their ratio, up to 1e7
    # where a gate is shut (the second rate is what is left of the decay).
    rate = np.max(np.abs(expected[:, :2]), axis=1, keepdims=True)
    assert np.max(np.abs(found[0] - expected[:, :2]) / rate) < 1e-13
    slope = np.max(np.abs(expected[:, 2:4]), axis=1, keepdims=True)
    assert np.max(np.abs(found[1] - expected[:, 2:4]) / slope) < 1e-12


@pytest.mark.parametrize("name", POLES)
def test_at_the_poles_only_ours_is_finite(name):
    for v in POLES[name]:
        (row,) = CURVES[name][v == VS]
        assert np.isnan(row[:4]).any()
        value, slope = pair(name)(v), jax.jacfwd(pair(name))(jnp.asarray(v))
        # The limit, from both sides: a smooth function's second difference, and a central one.
        near = [np.asarray(pair(name)(v + d)) for d in (-1e-3, 1e-3)]
        np.testing.assert_allclose(value, np.mean(near, axis=0), rtol=1e-6)
        np.testing.assert_allclose(slope, (near[1] - near[0]) / 2e-3, rtol=1e-5)


def test_one_step_from_a_pole():
    assert np.isnan(CURVES["step"])


@pytest.mark.parametrize("name", OURS)
def test_where_gates_start(name):
    """Ours all at their steady state; Jaxley's too, but for two."""
    there = np.isfinite(CURVES[name][:, 4])
    ours = np.asarray(jax.vmap(OURS[name].steady_state)(jnp.asarray(VS[there])))
    theirs = CURVES[name][there, 4]
    if name in ("Km.p", "CaT.u"):
        steady, time = CURVES[name][there, :2].T
        np.testing.assert_allclose(theirs, steady / (steady + time), rtol=1e-12)
        # Away from where a steady state below 1e-8 hides it.
        assert np.all((theirs < 0.2 * ours)[ours > 1e-2])
    else:
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)


def numbers(line):
    return [float(x) for x in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?", line)]


def test_the_page_quotes_the_frozen_numbers():
    rows = [numbers(x) for x in PAGE.read_text().splitlines() if re.match(r"\| -?\d+ mV", x)]
    assert len(rows) == 6
    table = {v: i for i, v in enumerate(VS)}
    for v, start_p, rest_p, start_u, rest_u in rows[:3]:
        p, u = (CURVES[name][table[v]] for name in ("Km.p", "CaT.u"))
        quoted, exact = (start_p, rest_p, start_u, rest_u), (p[4], p[0], u[4], u[0])
        np.testing.assert_allclose(quoted, exact, rtol=0.01)
    for v, theirs, printed, ours in rows[3:]:
        times = [ch.TTypeCalcium(misprint=x).gates["u"].time_constant(v) for x in (True, False)]
        np.testing.assert_allclose(theirs, CURVES["CaT.u"][table[v], 1], rtol=0.01)
        np.testing.assert_allclose([printed, ours], times, rtol=0.01)


@pytest.mark.parametrize("name", ["jaxley_hh", "jaxley_channels"])
def test_the_frozen_numbers_are_what_jaxley_computes(name, tmp_path):
    pytest.importorskip("jaxley", reason="Jaxley is not installed (the peers extra)")
    fresh = tmp_path / f"{name}.npz"
    script = HERE / "peers" / f"{name}.py"
    subprocess.run([sys.executable, script, fresh], check=True, capture_output=True)
    stored = read(name)
    with np.load(fresh, allow_pickle=False) as computed:
        for key in sorted({*stored} - {"version"}):
            # Another release or processor may round otherwise; a spike amplifies that some 100
            # times.
            np.testing.assert_allclose(computed[key], stored[key], rtol=1e-9, atol=1e-6)
