"""Cells: Hodgkin-Huxley against SciPy and tables, integrate-and-fire in closed form."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root

import oracles
import tripartite as tp
from tripartite import cells
from tripartite.core import Membrane

GATES = [("sodium", "m"), ("sodium", "h"), ("potassium", "n")]


def gates_of(y):
    return [float(y.gates[channel][gate]) for channel, gate in GATES]


# V_rest, m, h, n to the digits that an independent program printed.
REST = [
    (-54.387, (-64.99638, 0.052955, 0.595994, 0.317732)),
    (-54.4, (-64.99972, 0.052934, 0.596111, 0.317681)),
    (-54.3, (-64.97405, 0.053095, 0.595213, 0.318075)),
]


@pytest.mark.parametrize(("e_leak", "expected"), REST)
def test_the_resting_state(e_leak, expected):
    cell = cells.HodgkinHuxley(e_leak=e_leak)
    # The oracle finds the table's rest, and the cell rests at the oracle's.
    v = oracles.rest(e_leak)
    assert (v, *oracles.steady_gates(v)) == pytest.approx(expected, abs=5.1e-6)
    start = root(lambda v: cell.vector_field(0.0, _steady(cell, v[0]), None).v, [-65.0], tol=1e-12)
    assert float(start.x[0]) == pytest.approx(v, abs=1e-9)


def _steady(cell, v):
    v = jnp.asarray(v)
    return cell.init()._replace(v=v, gates={c.name: c.init(v) for c in cell.channels})


@pytest.mark.parametrize("e_leak", [-54.387, -54.3])
def test_a_cell_comes_to_rest(e_leak):
    v = oracles.rest(e_leak)
    # The slowest mode decays in about 10 ms; its residue after 300 ms is below round-off.
    y = tp.simulate(cells.HodgkinHuxley(e_leak=e_leak), t1=300.0, dt=0.05).stats["y1"]
    # A fixed point of the flow is a fixed point of the splitting: no error of order dt^2.
    assert float(y.v) == pytest.approx(v, abs=1e-10)
    assert gates_of(y) == pytest.approx(list(oracles.steady_gates(v)), abs=1e-11)


def test_six_crossings_at_ten_microampere():
    cell = cells.HodgkinHuxley()
    sol = tp.simulate(cell, 10.0, t1=80.0, dt=0.01, solver=tp.solvers.ClassicalRK4())
    times = tp.analysis.spike_times(sol.ts, sol.ys["v"])
    expected = [1.90097, 16.82258, 31.47182, 46.10900, 60.74528, 75.38150]
    assert times == pytest.approx(expected, abs=1e-3)


def step(t):
    return 10.0 * (t >= 5.0)


def ramp(t):
    return 0.4 * t


TIGHT = {"rtol": 1e-10, "atol": 1e-10, "save_every": 0.5}


@pytest.mark.parametrize(
    ("stimulus", "current", "jumps"),
    [(tp.stimuli.Step(10.0, start=5.0), step, (5.0,)), (tp.stimuli.Ramp(0.4), ramp, ())],
    ids=["step", "ramp"],
)
def test_adaptive_steps_against_scipy(stimulus, current, jumps):
    sol = tp.simulate(cells.HodgkinHuxley(), stimulus, t1=40.0, **TIGHT)
    v, *_ = oracles.solve(current, np.asarray(sol.ts), jumps=jumps)
    # A local error of 1e-10 * 65 mV in each of about a thousand steps, and tenfold growth where an
    # action potential starts.
    assert np.ptp(v) > 90
    np.testing.assert_allclose(sol.ys["v"], v, rtol=0, atol=1e-4)


def test_a_norton_pair_against_scipy():
    pair = tp.stimuli.Constant(Membrane(-60.0 * 0.1 + 9.0, 0.1))
    sol = tp.simulate(cells.HodgkinHuxley(), pair, t1=20.0, **TIGHT)
    v, *_ = oracles.solve(lambda t: 3.0, np.asarray(sol.ts), conductance=0.1)
    np.testing.assert_allclose(sol.ys["v"], v, rtol=0, atol=1e-4)


def test_temperature_multiplies_every_rate():
    cold, warm = cells.HodgkinHuxley(), cells.HodgkinHuxley(temperature=16.3)
    y = _steady(cold, -50.0)._replace(v=jnp.asarray(-30.0))
    slow, fast = (cell.vector_field(0.0, y, 2.0) for cell in (cold, warm))
    assert float(fast.v) == float(slow.v)
    assert gates_of(fast) == pytest.approx([3 * x for x in gates_of(slow)], rel=1e-14)
    sol = tp.simulate(warm, 20.0, t1=10.0, **TIGHT)
    v, *_ = oracles.solve(lambda t: 20.0, np.asarray(sol.ts), factor=3.0)
    np.testing.assert_allclose(sol.ys["v"], v, rtol=0, atol=1e-4)


def test_a_capacitance_and_the_parameters_arrive():
    cell = cells.HodgkinHuxley(
        g_sodium=100.0, g_potassium=30.0, g_leak=0.2, e_sodium=55.0, e_potassium=-80.0,
        e_leak=-60.0, capacitance=2.0, v_init=-70.0,
    )  # fmt: skip
    y = cell.init()
    m, h, n = oracles.steady_gates(-70.0)
    ionic = 100 * m**3 * h * (-70 - 55) + 30 * n**4 * (-70 + 80) + 0.2 * (-70 + 60)
    assert float(cell.vector_field(0.0, y, 7.0).v) == pytest.approx((7 - ionic) / 2, rel=1e-13)
    assert float(cell.voltage(y)) == -70.0
    assert list(cell.ports(y)) == ["v"]


EVERY = [cells.HodgkinHuxley(), cells.LIF(), cells.four_lif(), cells.four_lif("derivative")]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: type(cell).__name__)
def test_states_and_derivatives_have_the_parameters_dtype(cell, dtype):
    cell = tp.astype(cell, dtype)
    y = cell.init()
    slope = cell.vector_field(jnp.zeros((), dtype), y, None)
    chex.assert_trees_all_equal_structs(y, slope)
    assert {x.dtype for x in jax.tree.leaves((y, slope))} == {jnp.dtype(dtype)}


# v relaxes to rest + I / g_L with tau = C / g_L = 20 ms, threshold 10 mV above rest, R = 20.
LIF = cells.LIF()


@pytest.mark.parametrize("dt", [0.1, 0.05])
@pytest.mark.parametrize("current", [0.6, 1.0, 2.0])
def test_the_first_spike_of_an_integrator(current, dt):
    sol = tp.simulate(LIF, current, t1=40.0, dt=dt)
    fired = np.flatnonzero(np.asarray(sol.ys["spike"]))
    first = 20.0 * np.log(20 * current / (20 * current - 10.0))
    # v is exact on the grid, and the threshold is looked at at the end of each step.
    assert fired[0] == int(np.ceil(first / dt))


@pytest.mark.parametrize(
    "solver",
    [None, tp.solvers.AllAtOnceExponential(), tp.solvers.ClassicalRK4()],
    ids=["symmetric", "all at once", "rk4"],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_spike_resets_and_holds_for_the_refractory_time(dtype, solver):
    """Whatever is left of fifty subtractions of 0.1 ms, no step more and no step less."""
    sol = tp.simulate(tp.astype(LIF, dtype), 2.0, t1=60.0, dt=0.1, solver=solver)
    v, spike = np.asarray(sol.ys["v"]), np.asarray(sol.ys["spike"])
    fired = np.flatnonzero(spike)
    assert set(spike) == {0.0, 1.0}
    assert v.max() < -50.0
    first_step = -60.0 + 40.0 * -np.expm1(-0.1 / 20.0)
    for i in fired[:-1]:
        np.testing.assert_array_equal(v[i : i + 51], -60.0)
        assert v[i + 51] == pytest.approx(first_step, abs=1e-5)
    # Refractory time and the way up, each rounded up to a step: 50 + ceil(57.5...) of 0.1 ms.
    way_up = int(np.ceil(20.0 * np.log(40 / 30) / 0.1))
    assert set(np.diff(fired)) == {50 + way_up}


@pytest.mark.parametrize("current", [0.49, 0.0])
def test_below_rheobase_an_integrator_is_silent(current):
    sol = tp.simulate(LIF, current, t1=300.0, dt=0.1)
    assert not np.asarray(sol.ys["spike"]).any()
    assert float(sol.ys["v"][-1]) == pytest.approx(-60 + 20 * current, abs=10 * np.exp(-15))


def test_an_integrator_in_float32_keeps_its_rate():
    # 2 s at dt 0.1: the clock of 50 subtractions must not cost a step, nor the time drift.
    single = tp.simulate(tp.astype(LIF, jnp.float32), 2.0, t1=2000.0, dt=0.1, record="state")
    double = tp.simulate(LIF, 2.0, t1=2000.0, dt=0.1, record="state")
    assert single.ys.v.dtype == jnp.float32
    np.testing.assert_array_equal(single.ys.spike, double.ys.spike)
    # One spike per 5 + 5.8 ms.
    assert float(jnp.sum(double.ys.spike)) == 2000.0 // 10.8


def test_an_integrator_takes_a_norton_pair():
    sol = tp.simulate(LIF, tp.stimuli.Constant(Membrane(0.0, 0.15)), t1=30.0, dt=0.1)
    # C / (0.05 + 0.15) = 5 ms towards 0.05 * -60 / 0.2 = -15 mV: over the threshold at once.
    first = 5.0 * np.log(45.0 / 35.0)
    fired = np.flatnonzero(np.asarray(sol.ys["spike"]))
    assert fired[0] == int(np.ceil(first / 0.1))


def test_four_lif_is_hodgkin_huxley_s():
    assert isinstance(cells.four_lif(), cells.TVLIF)
    assert isinstance(cells.four_lif("derivative"), cells.DerivativeTVLIF)
    assert float(cells.four_lif(g_sodium=100.0).cell.channels[0].conductance) == 100.0
    assert [c.name for c in cells.four_lif().cell.channels] == ["sodium", "potassium", "leak"]
