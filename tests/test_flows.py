"""Flows of one leaf: their formulas, their orders in the sweep, and the bound on dt * decay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import oracles
import test_solvers
import tripartite as tp
from tripartite.cells import ConductanceState
from tripartite.solvers import (
    CrankNicolson,
    Exponential,
    Pade,
    SequentialExponential,
    SymmetricExponential,
)

SQUID = tp.cells.HodgkinHuxley()
FLOWS = [Exponential(), Pade(), CrankNicolson()]
BY_NAME = pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow).__name__)

# R(z), by which each flow multiplies the distance to the fixed point.
SHARES = {
    Exponential: lambda z: np.exp(-z),
    Pade: lambda z: (12 - 6 * z + z**2) / (12 + 6 * z + z**2),
    CrankNicolson: lambda z: (2 - z) / (2 + z),
}


@BY_NAME
def test_the_distance_to_the_fixed_point_shrinks_by_the_stated_share(flow):
    z = np.array([0.0, 1e-3, 0.3, 1.0, 1.9, 5.0])
    decay, dt, y, rest = z / 0.4, 0.4, 3.0, -7.0
    found = flow(jnp.full(6, y), jnp.asarray(rest * decay), jnp.asarray(decay), jnp.asarray(dt))
    np.testing.assert_allclose(found, rest + (y - rest) * SHARES[type(flow)](z), rtol=1e-14)


def test_the_halves_of_crank_nicolson_make_a_whole():
    flow = CrankNicolson()
    y, drive, decay, dt = (jnp.asarray(x) for x in (3.0, -2.0, 0.7, 0.5))
    # The end of one step and the beginning of the next share their coefficients.
    half = flow.second_half(y, drive, decay, dt / 2)
    whole = flow(y, drive, decay, dt)
    np.testing.assert_allclose(flow.first_half(half, drive, decay, dt / 2), whole, rtol=1e-15)


@pytest.mark.parametrize("flow", [Pade(), CrankNicolson()], ids=lambda flow: type(flow).__name__)
def test_a_symmetric_sweep_is_second_order_with_any_flow(flow):
    steps = [0.02, 0.01, 0.005]
    found = test_solvers.orders(SymmetricExponential(flow=flow), steps)
    np.testing.assert_allclose(found, 2.0, atol=0.1)


@BY_NAME
def test_the_order_holds_off_the_saving_grid(flow):
    """A record every 0.16 ms and one at the end, which is not on that grid."""
    steps, found = [0.02, 0.01, 0.005], []
    drive = test_solvers.DRIVES[1]
    expected = oracles.solve(test_solvers.smooth(drive), ts=np.array([0.0, 5.0]), rtol=1e-12)
    for dt in steps:
        sol = tp.simulate(
            SQUID,
            test_solvers.Smooth(*map(jnp.asarray, drive)),
            y0=test_solvers.squid_state(oracles.RESTING),
            t1=5.0,
            dt=dt,
            save_every=0.16,
            solver=SymmetricExponential(flow=flow),
        )
        assert float(sol.ts[-1]) == 5.0
        found.append(abs(float(sol.ys["v"][-1]) - expected[0, -1]))
    assert oracles.observed_order(found, steps) == pytest.approx(2.0, abs=0.1)


def last_spike(solver):
    sol = tp.simulate(SQUID, 10.0, t1=80.0, dt=0.025, solver=solver)
    return float(tp.analysis.spike_times(sol.ts, sol.ys["v"])[-1])


def test_crank_nicolson_is_several_times_nearer_to_the_spikes():
    # The sixth crossing of 0 mV at 10 uA/cm2, by an independent solver (Brette's table, 1e-5 ms).
    exact = 75.38150
    errors = {
        type(flow): abs(last_spike(SymmetricExponential(flow=flow)) - exact) for flow in FLOWS
    }
    assert errors[CrankNicolson] < errors[Exponential] / 3
    # Pade is the exponential to fourth order: it errs as much.
    assert errors[Pade] == pytest.approx(errors[Exponential], rel=0.01)


def test_a_flow_for_each_leaf():
    mixed = ConductanceState(v=CrankNicolson(), gates=Exponential())
    found = last_spike(SequentialExponential(flow=mixed))
    # Between the two it is made of; and not what it is with one flow for all.
    pure = [last_spike(SequentialExponential(flow=flow)) for flow in FLOWS[::2]]
    assert min(abs(found - x) for x in pure) > 1e-3


def test_what_is_no_flow():
    for flow in ("pade", ConductanceState(v=Pade(), gates="exponential"), [Pade()]):
        with pytest.raises(ValueError, match=r"flow must be .*one of solvers\.Exponential"):
            tp.simulate(SQUID, 10.0, t1=1.0, dt=0.05, solver=SymmetricExponential(flow=flow))


COARSE = SymmetricExponential(flow=ConductanceState(v=Pade(), gates=Exponential()))


def test_a_solve_beyond_the_bound_names_the_state():
    message = r"dt times the decay of state .v \(mV\) reached 8\.\d+, and Pade\(\) is good up to 2"
    with pytest.raises(tp.core.errors.SolveError, match=message):
        tp.simulate(SQUID, 10.0, t1=20.0, dt=0.25, solver=COARSE)
    sol = tp.simulate(SQUID, 10.0, t1=20.0, dt=0.25, solver=COARSE, throw=False)
    assert sol.result == tp.RESULTS.beyond_flow
    # At a tenth of the step the peak conductance, some 35 mS/cm2, stays below the bound.
    assert tp.simulate(SQUID, 10.0, t1=20.0, dt=0.025, solver=COARSE).result == (
        tp.RESULTS.successful
    )


def test_beyond_the_bound_within_jit():
    run = jax.jit(lambda i: tp.simulate(SQUID, i, t1=20.0, dt=0.25, solver=COARSE).ys["v"][-1])
    with pytest.raises(Exception, match=r"state .v \(mV\): A step times a decay went beyond"):
        jax.block_until_ready(run(10.0))


def test_a_step_beyond_the_bound_from_the_start():
    message = r"take dt <= 0\.4\d* ms, or solvers.Exponential\(\) for that state"
    with pytest.raises(ValueError, match=message):
        tp.simulate(SQUID, 10.0, t1=20.0, dt=1.0, solver=SymmetricExponential(flow=Pade()))


def test_noise_and_jumps_keep_the_record_of_the_bound():
    cell = tp.cells.with_current_noise(SQUID, 0.1)
    settings = {"t1": 20.0, "dt": 0.25, "solver": COARSE, "key": jax.random.key(0)}
    assert tp.simulate(cell, 10.0, throw=False, **settings).result == tp.RESULTS.beyond_flow


def test_float32():
    cell = tp.astype(SQUID, jnp.float32)
    sol = tp.simulate(
        cell, 10.0, t1=20.0, dt=0.025, solver=SymmetricExponential(flow=CrankNicolson())
    )
    wide = tp.simulate(
        SQUID, 10.0, t1=20.0, dt=0.025, solver=SymmetricExponential(flow=CrankNicolson())
    )
    assert sol.ys["v"].dtype == jnp.float32
    # 800 steps of some roundings of 100 mV, grown by two action potentials' slopes.
    np.testing.assert_allclose(sol.ys["v"], wide.ys["v"], rtol=0, atol=0.1)
