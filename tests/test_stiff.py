"""Implicit solvers: diffrax's Kvaerno5 on every cell against SciPy, and a cell that needs them."""

import functools
import re

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

import tripartite as tp
from tripartite import cells
from tripartite import channels as ch

T1 = 6.0
# Newton's method to the tolerance of the steps. diffrax's default, a chord method, is right too but
# converges so rarely that the steps become several times shorter.
KVAERNO5 = diffrax.Kvaerno5(root_finder=diffrax.with_stepsize_controller_tols(optimistix.Newton)())
# At which each cell moves by tens of millivolts (or by a unit) within T1.
CURRENTS = {
    "HodgkinHuxley": 10.0, "TraubMiles": 20.0, "WangBuzsaki": 10.0, "ConnorStevens": 60.0,
    "connor_stevens_negative_leak": 60.0, "PospischilRS": 20.0, "PospischilFS": 20.0,
    "PospischilIB": 20.0, "PospischilLTS": 20.0, "MorrisLecar": 500.0, "FitzHughNagumo": 1.0,
    "HindmarshRose": 3.0,
}  # fmt: skip
UNITS = {
    "TVLIF": lambda: cells.TVLIF(cells.HodgkinHuxley()),
    "DerivativeTVLIF": lambda: cells.DerivativeTVLIF(cells.HodgkinHuxley()),
}
MODELS = {name: getattr(cells, name) for name in CURRENTS} | UNITS


def scipy_voltage(model, current, ts):
    """An explicit method of order eight, by another library, at a tolerance of 1e-10."""
    start, rebuild = ravel_pytree(model.init())

    @jax.jit
    def field(t, y):
        return ravel_pytree(model.vector_field(t, rebuild(y), jnp.asarray(current)))[0]

    ys = solve_ivp(
        lambda t, y: np.asarray(field(t, y)), (0.0, ts[-1]), np.asarray(start), "DOP853", ts,
        rtol=1e-10, atol=1e-10,
    ).y  # fmt: skip
    return np.array([model.ports(rebuild(jnp.asarray(y)))["v"] for y in ys.T])


@pytest.mark.gate
@pytest.mark.parametrize("name", MODELS)
def test_kvaerno_on_every_cell(name):
    model, current = MODELS[name](), CURRENTS.get(name, 10.0)
    sol = tp.simulate(model, current, t1=T1, solver=KVAERNO5, save_every=0.5)
    exact = scipy_voltage(model, current, np.asarray(sol.ts))
    swing = np.ptp(exact)
    assert swing > (1.0 if model.units() == "1" else 10.0)
    # A local error of 1e-6 (1 + |v|) in each of up to a thousand steps, some of which an action
    # potential amplifies: well below a thousandth of the swing.
    assert np.max(np.abs(np.asarray(sol.ys["v"]) - exact)) < 1e-3 * swing


# Never stiff (a reset, whose events have tests of their own) or on fixed steps alone (noise), made
# of the others, not a cell by itself, or a preset's input.
ELSEWHERE = {
    "AdEx", "ConductanceCell", "CurrentNoise", "EIF", "Izhikevich", "LIF", "QIF",
    "ResettingTVLIF", "SpikeSource", "VoltageClamp", "adex", "adex_current", "four_lif",
    "gauge_reset", "izhikevich", "true_reset", "with_channel_noise", "with_current_noise",
}  # fmt: skip


def test_no_cell_is_left_out():
    parts = re.compile("Abstract|.*State$")
    public = {name for name in cells.__all__ if not parts.match(name)}
    assert public <= {*MODELS, *ELSEWHERE}


def test_a_cell_with_a_reset_on_fixed_steps():
    cell = cells.LIF(threshold=1e3)  # out of reach
    newton = optimistix.Newton(rtol=1e-9, atol=1e-9)
    sol = tp.simulate(cell, 0.4, t1=T1, dt=0.25, solver=diffrax.Kvaerno5(root_finder=newton))
    tau, target = 1.0 / 0.05, -60.0 + 0.4 / 0.05
    exact = target + (-60.0 - target) * np.exp(-np.asarray(sol.ts) / tau)
    # Order five: (dt / tau)^6 = 4e-12 of 8 mV in each of 24 steps, and Newton's 1e-9 of 60 mV.
    np.testing.assert_allclose(sol.ys["v"], exact, rtol=0, atol=24 * 6e-8)


def test_a_fixed_step_needs_newton():
    run = functools.partial(tp.simulate, cells.HodgkinHuxley(), 10.0, t1=20.0, dt=0.05)
    newton, chord = optimistix.Newton(rtol=1e-8, atol=1e-8), diffrax.VeryChord(rtol=1e-8, atol=1e-8)
    found = run(solver=diffrax.Kvaerno3(root_finder=newton)).ys["v"]
    exact = scipy_voltage(cells.HodgkinHuxley(), 10.0, 0.05 * np.arange(401.0))
    # Order three: some 1e-3 of the swing at this step.
    assert np.max(np.abs(np.asarray(found) - exact)) < 1.0
    failed = run(solver=diffrax.Kvaerno3(root_finder=chord), throw=False)
    assert failed.result != tp.RESULTS.successful


def buffered():
    """A leaky cell whose gate follows within a microsecond: 1e-3 ms."""
    fast = ch.RelaxingGate(ch.Boltzmann(-50.0, 5.0), ch.SigmoidTime(1e-3, 0.0, 0.0, 1.0))
    quick = ch.Channel("quick", {"x": fast}, conductance=0.5, reversal=-80.0)
    return cells.ConductanceCell((ch.Leak(0.1, -65.0), quick))


def solve_stiff(solver, tolerance=1e-5):
    step = tp.stimuli.Step(3.0, start=1.0)
    return tp.simulate(
        buffered(), step, t1=40.0, solver=solver, rtol=tolerance, atol=tolerance, save_every=0.5
    )


def test_a_stiff_cell():
    implicit, explicit = (solve_stiff(s) for s in (KVAERNO5, diffrax.Tsit5()))
    assert np.ptp(implicit.ys["v"]) > 5.0
    # An explicit step is bounded by its region of stability, some 3 time constants of 1e-3 ms.
    assert int(explicit.stats["num_steps"]) > 40.0 / (4 * 1e-3)
    assert int(explicit.stats["num_steps"]) > 10 * int(implicit.stats["num_steps"])
    gap = np.max(np.abs(np.asarray(implicit.ys["v"] - explicit.ys["v"])))
    # Local errors of 1e-5 (1 + 65) mV in each of the implicit solve's steps, unamplified.
    assert gap < 66e-5 * int(implicit.stats["num_steps"])


def test_the_exponential_sweep_is_at_home_there_too():
    sweep = tp.simulate(
        buffered(), tp.stimuli.Step(3.0, start=1.0), t1=40.0, dt=0.05, save_every=0.5
    )
    reference = solve_stiff(KVAERNO5, 1e-8).ys["v"]
    # No step of 1e-3 ms is needed: it is stable at any.
    assert np.max(np.abs(np.asarray(sweep.ys["v"] - reference))) < 0.05


@pytest.mark.gate
def test_gradient_through_an_implicit_solve():
    def last(cell):
        return tp.simulate(
            cell, 3.0, t1=5.0, solver=KVAERNO5, rtol=1e-8, atol=1e-8, max_steps=256
        ).ys["v"][-1]

    report = tp.testing.gradient_check(
        last, buffered(), where=lambda c: [x.conductance for x in c.channels]
    )
    report.assert_ok()
