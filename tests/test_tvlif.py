"""M channels are M + 1 time-varying integrators: share and derivative form, resets, replay.

Round-off between forms grows where an action potential starts; independent programs saw at most
2.2e-10 mV over 100 ms, whatever the method and the step. 1e-9 mV leaves a factor of four.
"""

import functools

import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from scipy.integrate import solve_ivp

import oracles
import tripartite as tp
from tripartite import cells
from tripartite.channels import Channel, Exponential, Gate, Linoid, Sigmoid
from tripartite.core import Membrane
from tripartite.solvers import (
    AllAtOnceExponential,
    ClassicalRK4,
    SequentialExponential,
    SymmetricExponential,
)
from tripartite.stimuli import AbstractStimulus, Constant, Sampled, Step

SQUID = cells.HodgkinHuxley()
SHARE, DERIVATIVE = cells.four_lif(), cells.four_lif("derivative")
MODELS = {
    "cell": SQUID,
    "share": SHARE,
    "derivative": DERIVATIVE,
    "share, gauge reset": cells.gauge_reset(SHARE),
    "derivative, gauge reset": cells.gauge_reset(DERIVATIVE),
    "share, true reset": cells.true_reset(SHARE),
}
ROUND_OFF = 1e-9
RK4 = ClassicalRK4()

_t = 0.1 * np.arange(401)
# A step, a ramp and a noise held for 0.1 ms each: [drive, sample].
DRIVES = np.stack([10.0 * (_t >= 5), 0.4 * _t, np.random.default_rng(1).normal(8.0, 12.0, len(_t))])


@functools.cache
def voltages(name, solver=RK4, dt=0.02):
    """[drive, time]: 40 ms of each drive, in one compiled call."""

    def solve(values):
        drive = Sampled(values, 0.1, interpolation="previous")
        sol = tp.simulate(MODELS[name], drive, t1=40.0, dt=dt, save_every=0.1, solver=solver)
        return sol.ys["v"]

    return np.asarray(eqx.filter_jit(eqx.filter_vmap(solve))(jnp.asarray(DRIVES)))


def worst(name, solver=RK4, dt=0.02):
    """The largest difference from the conductance cell under the same method and step, mV."""
    return np.abs(voltages(name, solver, dt) - voltages("cell", solver, dt)).max()


def test_the_drives_make_spikes():
    for v in voltages("cell"):
        assert len(tp.analysis.spike_times(0.1 * np.arange(len(v)), v)) >= 2


@pytest.mark.parametrize("form", ["share", "derivative"])
@pytest.mark.parametrize("dt", [0.02, 0.05])
def test_integrators_are_the_cell_under_rk4_at_any_step(form, dt):
    assert worst(form, dt=dt) < ROUND_OFF


@pytest.mark.parametrize(
    "solver",
    [SymmetricExponential(), SequentialExponential(), AllAtOnceExponential()],
    ids=lambda s: type(s).__name__,
)
def test_shares_are_the_cell_under_every_exponential_step(solver):
    assert worst("share", solver, 0.05) < ROUND_OFF


@pytest.mark.parametrize(("midpoint", "order"), [(False, 1.0), (True, 2.0)])
def test_under_an_exponential_step_the_derivative_form_is_an_approximation(midpoint, order):
    steps, gaps = [0.02, 0.01], []
    solve = functools.partial(tp.simulate, stimulus=10.0, t1=10.0, save_every=0.2)
    solver = SymmetricExponential(midpoint=midpoint)
    for dt in steps:
        v, other = (solve(model, dt=dt, solver=solver).ys["v"] for model in (SQUID, DERIVATIVE))
        gaps.append(float(jnp.max(jnp.abs(v - other))))
    assert gaps[-1] > 1e-3
    assert oracles.observed_order(gaps, steps) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("form", ["share", "derivative"])
def test_a_gauge_reset_changes_no_voltage(form):
    assert worst(f"{form}, gauge reset") < ROUND_OFF


def test_a_gauge_reset_empties_the_units_once_per_spike():
    model = cells.gauge_reset(SHARE)
    sol = tp.simulate(model, Step(10.0), t1=40.0, dt=0.02, record="state", solver=RK4)
    empty = np.all([np.asarray(share) == 0.0 for share in sol.ys.inner.shares], axis=0)
    v = np.asarray(jax.vmap(model.voltage)(sol.ys))
    crossings = np.flatnonzero((v[:-1] < 0) & (v[1:] >= 0)) + 1
    assert len(crossings) == 3
    # At the start, and at the end of each step in which v crossed 0 mV upwards.
    np.testing.assert_array_equal(np.flatnonzero(empty), [0, *crossings])
    np.testing.assert_array_equal(sol.ys.inner.drive[crossings], v[crossings])


def test_a_true_reset_is_no_hodgkin_huxley_cell():
    gap = np.abs(voltages("share, true reset") - voltages("cell")).max(axis=1)
    # Of the order of the action potential's height.
    assert (gap > 30.0).all()
    # v never passes the threshold where it is reset.
    assert voltages("share, true reset").max() < -40.0 + 10.0


class Waves(AbstractStimulus):
    """Three positive conductances, one per channel, out of phase."""

    def __call__(self, t):
        phase = jnp.array([0.0, 2.0, 4.0])
        return jnp.array([4.0, 3.0, 0.3]) * (1.5 + jnp.sin(0.9 * t + phase))

    def jumps(self):
        return jnp.zeros((0,))


@pytest.mark.parametrize("form", [cells.TVLIF, cells.DerivativeTVLIF])
def test_replayed_conductances_against_scipy(form):
    model = form(SQUID, Waves())
    assert model.init().gates == {}
    sol = tp.simulate(model, 5.0, t1=20.0, save_every=0.5, rtol=1e-10, atol=1e-10)

    def slope(t, v):
        g = np.array([4.0, 3.0, 0.3]) * (1.5 + np.sin(0.9 * t + np.array([0.0, 2.0, 4.0])))
        return 5.0 - g @ (v[0] - np.array([50.0, -77.0, -54.387]))

    ts = np.asarray(sol.ts)
    exact = solve_ivp(slope, (0, 20), [-65.0], "DOP853", ts, rtol=1e-11, atol=1e-11)
    # Contractive: the local errors, 1e-10 * 80 mV in each of some hundred steps, do not grow.
    np.testing.assert_allclose(sol.ys["v"], exact.y[0], rtol=0, atol=1e-6)


def test_a_replay_of_recorded_conductances_keeps_the_open_loop_bound():
    probes = {"v": lambda y: y.v, "g": lambda y: jnp.stack(SQUID.conductances(y))}
    fine = tp.simulate(SQUID, 10.0, t1=20.0, dt=0.005, record=probes, solver=RK4)
    v, g = np.asarray(fine.ys["v"]), np.asarray(fine.ys["g"])
    record = Sampled(g[::4].T, 0.02, interpolation="cubic")
    replay = cells.TVLIF(SQUID, record)
    gap = tp.simulate(replay, 10.0, t1=20.0, dt=0.005, solver=RK4).ys["v"] - fine.ys["v"]
    # C e' = -g e - sum dg_k (v - E_k), with g >= g_L: |e| <= sup |sum dg_k (v - E_k)| / g_L.
    dg = np.asarray(jax.vmap(record)(fine.ts)) - g
    bound = np.abs((dg * (v[:, None] - np.array([50.0, -77.0, -54.387]))).sum(axis=1)).max() / 0.3
    assert np.ptp(v) > 90
    assert 0 < float(jnp.max(jnp.abs(gap))) < bound < 1.0


def test_no_share_exceeds_its_bound():
    sol = tp.simulate(SHARE, Step(10.0, start=5.0), t1=60.0, dt=0.05, record="state")
    slack = 1 + len(sol.ts) * 2.0**-52
    for share, reversal in zip(sol.ys.shares, (50.0, -77.0, -54.387), strict=True):
        assert float(jnp.max(jnp.abs(share))) <= abs(reversal) * slack
    assert float(jnp.max(jnp.abs(sol.ys.drive))) <= max(65.0, 10.0 / 0.3) * slack
    assert len(sol.ys.shares) + 1 == 4


def test_a_norton_pair_joins_every_form():
    pair = Constant(Membrane(-60.0 * 0.1 + 12.0, 0.1))
    solve = functools.partial(tp.simulate, stimulus=pair, t1=20.0, dt=0.02, solver=RK4)
    v = solve(SQUID).ys["v"]
    assert float(jnp.max(v)) > 0.0
    for model in (SHARE, DERIVATIVE):
        assert float(jnp.max(jnp.abs(solve(model).ys["v"] - v))) < ROUND_OFF


@pytest.mark.gate
def test_sensitivities_are_the_cell_s():
    def final(cell, form):
        sol = tp.simulate(form(cell), 10.0, t1=8.0, dt=0.05, solver=RK4, save_every=8.0)
        return sol.ys["v"][-1]

    plain, share = (
        jnp.stack(jax.tree.leaves(eqx.filter_jit(eqx.filter_grad(final))(SQUID, form)))
        for form in (lambda cell: cell, cells.TVLIF)
    )
    largest = float(jnp.max(jnp.abs(plain)))
    assert largest > 1.0
    assert float(jnp.max(jnp.abs(share - plain))) < 1e-8 * largest


def test_float32_keeps_the_spike_times():
    models = tp.astype((SQUID, SHARE), jnp.float32)
    times = []
    for model in models:
        sol = tp.simulate(model, 10.0, t1=100.0, dt=0.025)
        times.append(tp.analysis.spike_times(np.asarray(sol.ts, np.float64), sol.ys["v"]))
    assert len(times[0]) == 7
    np.testing.assert_allclose(*times, rtol=0, atol=1e-3)


def rate(form, scales=(8.0, 20.0)):
    scale = st.floats(*scales) | st.floats(-scales[1], -scales[0])
    return st.builds(form, st.floats(0.05, 2.0), st.floats(-70.0, -20.0), scale)


@st.composite
def channel(draw, name):
    """One channel of a fixed structure, so that only the first of each number compiles.

    No rate exceeds 100/ms, so that RK4 at 0.01 ms is stable.
    """
    opening = Gate(draw(rate(Linoid)), draw(rate(Sigmoid)), 3)
    closing = Gate(draw(rate(Sigmoid)), draw(rate(Exponential, (40.0, 80.0))), 1)
    gates = {"a": opening, "b": closing} if name != "channel 0" else {}
    return Channel(name, gates, draw(st.floats(0.1, 10.0)), draw(st.floats(-100.0, 60.0)))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
# No shrinking: each example is three solves.
@settings(max_examples=6, phases=[Phase.generate])
@given(data=st.data())
def test_any_list_of_channels(count, data):
    channels = tuple(data.draw(channel(f"channel {i}")) for i in range(count))
    cell = cells.ConductanceCell(channels, data.draw(st.floats(1.0, 2.0)))
    current = data.draw(st.floats(-20.0, 20.0))
    # The derivative form, whose compilation takes longest, at the middle of the range alone.
    forms = (cells.TVLIF, cells.DerivativeTVLIF) if count == 3 else (cells.TVLIF,)
    v, *others = (
        tp.simulate(model, current, t1=1.0, dt=0.01, solver=RK4).ys["v"]
        for model in (cell, *(form(cell) for form in forms))
    )
    assert len(cells.TVLIF(cell).init().shares) == count
    for other in others:
        assert float(jnp.max(jnp.abs(other - v))) < ROUND_OFF
