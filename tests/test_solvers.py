"""Fixed steps: their orders, exactness, stability, and what an input that jumps does to them."""

import functools
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import oracles
import tripartite as tp
from tripartite import channels
from tripartite.core import AbstractRelaxation, Relaxation, numerics, parameter, signal
from tripartite.solvers import (
    AllAtOnceExponential,
    ClassicalRK4,
    SequentialExponential,
    SymmetricExponential,
)
from tripartite.stimuli import AbstractStimulus, Sampled, Step

EXPONENTIAL = [SymmetricExponential(), SequentialExponential(), AllAtOnceExponential()]
SQUID = tp.cells.HodgkinHuxley()
TS = np.arange(51) * 0.2


class Smooth(AbstractStimulus):
    """`level + swing sin(2 pi t / 7 ms) + slope t`."""

    level: jax.Array = signal()
    swing: jax.Array = signal(0.0)
    slope: jax.Array = signal(0.0)

    def __call__(self, t):
        return self.level + self.swing * jnp.sin(2 * jnp.pi / 7.0 * t) + self.slope * t

    def jumps(self):
        return jnp.zeros((0,))


def smooth(drive):
    return lambda t: drive[0] + drive[1] * np.sin(2 * np.pi / 7 * t) + drive[2] * t


# Constant, sine and ramp, each from rest and from far off: an action potential in all but one.
DRIVES = [(10.0, 0.0, 0.0), (8.0, 6.0, 0.0), (4.0, 0.0, 0.8)]
STARTS = [oracles.RESTING, np.array([-50.0, 0.2, 0.4, 0.5])]
CASES = [(drive, start) for drive in DRIVES for start in STARTS]
FROM_REST = [0, 2, 4]


def squid_state(y):
    v, m, h, n = map(jnp.asarray, y)
    gates = {"sodium": {"m": m, "h": h}, "potassium": {"n": n}, "leak": {}}
    return tp.cells.ConductanceState(v, gates)


@functools.cache
def truth():
    """[case, state, time], from SciPy."""
    solve = functools.partial(oracles.solve, ts=TS, rtol=1e-12)
    return np.stack([solve(smooth(drive), y0=start) for drive, start in CASES])


def errors(solver, dt):
    """[case, state]: the largest error on the grid; all cases in one compiled call."""

    def solve(stimulus, y0):
        return tp.simulate(
            SQUID, stimulus, y0=y0, t1=10.0, dt=dt, save_every=0.2, record="state", solver=solver
        ).ys

    stimuli = Smooth(*np.array([drive for drive, _ in CASES]).T)
    starts = jax.tree.map(lambda *x: jnp.stack(x), *[squid_state(start) for _, start in CASES])
    ys = eqx.filter_jit(eqx.filter_vmap(solve))(stimuli, starts)
    sodium, potassium = ys.gates["sodium"], ys.gates["potassium"]
    found = np.stack([ys.v, sodium["m"], sodium["h"], potassium["n"]], axis=1)
    return np.abs(found - truth()).max(axis=-1)


def orders(solver, steps):
    """[case, state]: the slope of log error on log step."""
    found = np.stack([errors(solver, dt) for dt in steps])
    return np.apply_along_axis(oracles.observed_order, 0, found, steps)


def test_the_symmetric_sweep_is_second_order_in_every_state_from_any_start():
    np.testing.assert_allclose(orders(SymmetricExponential(), [0.02, 0.01, 0.005]), 2.0, atol=0.1)


def test_the_sequential_sweep_is_second_order_in_v_from_rest_and_first_order_otherwise():
    found = orders(SequentialExponential(), [0.02, 0.01, 0.005])
    np.testing.assert_allclose(found[FROM_REST, 0], 2.0, atol=0.1)
    np.testing.assert_allclose(found[:, 1:], 1.0, atol=0.15)
    np.testing.assert_allclose(np.delete(found[:, 0], FROM_REST), 1.0, atol=0.15)


def test_all_at_once_is_first_order():
    np.testing.assert_allclose(
        orders(AllAtOnceExponential(), [0.01, 0.005, 0.0025]), 1.0, atol=0.15
    )


def test_rk4_is_fourth_order():
    np.testing.assert_allclose(orders(ClassicalRK4(), [0.0125, 0.00625, 0.003125]), 4.0, atol=0.2)


@pytest.mark.gate
def test_an_implicit_method_keeps_its_order_at_fixed_steps():
    solver = diffrax.Kvaerno3(root_finder=optx.Newton(rtol=1e-12, atol=1e-12))
    steps, found = [0.04, 0.02], []
    for dt in steps:
        sol = tp.simulate(SQUID, Smooth(8.0, 6.0), t1=4.0, dt=dt, save_every=0.2, solver=solver)
        found.append(np.abs(np.asarray(sol.ys["v"]) - truth()[2, 0, :21]).max())
    assert oracles.observed_order(found, steps) == pytest.approx(3.0, abs=0.3)


class Frozen(AbstractRelaxation):
    """Five relaxations with constant coefficients, in blocks; one without decay; one held."""

    drive: jax.Array = parameter([3.0, -2.0, 0.5, 4.0], "1/ms")
    decay: jax.Array = parameter([0.01, 7.0, 0.0, 1.0], "1/ms")

    def init(self):
        return (
            jnp.asarray(1.0),
            jnp.asarray(2.0),
            jnp.asarray(-3.0),
            jnp.ones(2),
            jnp.asarray(9.0),
        )

    def blocks(self):
        return (0, 1, 1, 2, None)

    def relax(self, t, y, u):
        def leaves(x):
            return (x[0], x[1], x[2], x[3] * jnp.ones(2), jnp.ones(()))

        return Relaxation(leaves(self.drive), leaves(self.decay))


@pytest.mark.parametrize("solver", EXPONENTIAL, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("dt", [0.5, 20.0])
def test_frozen_coefficients_are_solved_exactly_at_any_step(solver, dt):
    sol = tp.simulate(Frozen(), t1=100.0, dt=dt, solver=solver, record="state")
    t = np.asarray(sol.ts)
    a, b, c, d, held = sol.ys
    # Each step rounds a few times, relative to the state's size.
    close = functools.partial(np.testing.assert_allclose, rtol=len(t) * 8 * 2.0**-52)
    close(a, 300 + (1 - 300) * np.exp(-0.01 * t))
    close(b, -2 / 7 + (2 + 2 / 7) * np.exp(-7.0 * t))
    close(c, -3 + 0.5 * t, atol=1e-12)
    close(d, np.stack([4 + (1 - 4) * np.exp(-t)] * 2, axis=1))
    np.testing.assert_array_equal(held, 9.0)


def test_a_quarter_of_a_millisecond_is_stable():
    gates = {g: (lambda y, c=c, g=g: y.gates[c][g]) for c, g in (("sodium", "m"), ("sodium", "h"))}
    sol = tp.simulate(SQUID, 10.0, t1=100.0, dt=0.25, record={"v": SQUID.voltage, **gates})
    # An exponential step is a weighted mean of the state and its target: it cannot leave their
    # range, E_K to (g E + I) / g at most, whatever the step.
    assert np.asarray(sol.ys["v"]).min() > -77.0
    assert np.asarray(sol.ys["v"]).max() < 50.0
    for gate in ("m", "h"):
        assert np.asarray(sol.ys[gate]).min() >= 0.0
        assert np.asarray(sol.ys[gate]).max() <= 1.0
    # The seven of the exact solution: crossings at 1.9 + 14.64 k ms.
    assert len(tp.analysis.spike_times(sol.ts, sol.ys["v"])) == 7
    # The control: a step that Euler's method does not survive.
    with pytest.raises(tp.core.errors.SolveError, match="infinite or NaN"):
        tp.simulate(SQUID, 10.0, t1=100.0, dt=0.25, solver=diffrax.Euler())


class Logistic(AbstractRelaxation):
    """`dy/dt = r y - (r y / K) y`: both coefficients contain their own state."""

    rate: jax.Array = parameter(0.5, "1/ms", positive=True)
    capacity: jax.Array = parameter(3.0, "uM", positive=True)

    def init(self):
        return 0.1 * self.capacity

    def relax(self, t, y, u):
        return Relaxation(self.rate * y, self.rate * y / self.capacity)


@pytest.mark.parametrize(("midpoint", "order"), [(True, 2.0), (False, 1.0)])
def test_the_midpoint_restores_second_order(midpoint, order):
    steps, found = [0.2, 0.1, 0.05], []
    for dt in steps:
        sol = tp.simulate(
            Logistic(), t1=10.0, dt=dt, solver=SymmetricExponential(midpoint=midpoint)
        )
        exact = 3.0 / (1 + 9.0 * np.exp(-0.5 * np.asarray(sol.ts)))
        found.append(np.abs(np.asarray(sol.ys["y"]) - exact).max())
    assert oracles.observed_order(found, steps) == pytest.approx(order, abs=0.1)


# A passive membrane, C / g = 4 ms: a step of current at `start` is answered in closed form.
PASSIVE = tp.cells.ConductanceCell((channels.Leak(0.25, -65.0),))


def passive(t, start):
    return -65.0 + np.where(t > start, 40.0 * -np.expm1(-0.25 * (t - start)), 0.0)


@pytest.mark.parametrize("solver", EXPONENTIAL, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("start", [2.0, 0.3, 2.3])
def test_a_jump_where_two_steps_meet_falls_on_the_right_side(solver, start):
    """0.3 and 2.3 are no multiples of 0.1 in binary: either neighbour may be the boundary."""
    sol = tp.simulate(PASSIVE, Step(10.0, start=start), t1=5.0, dt=0.1, solver=solver)
    # Exact for a piecewise constant input; on the wrong side it would be 1 mV off.
    np.testing.assert_allclose(sol.ys["v"], passive(np.asarray(sol.ts), start), rtol=1e-14)


RUNGE_KUTTA = [(ClassicalRK4(), 4.0), (diffrax.Bosh3(), 3.0), (diffrax.Heun(), 2.0)]


@pytest.mark.parametrize(("solver", "order"), RUNGE_KUTTA, ids=lambda x: type(x).__name__)
def test_a_jump_where_two_steps_meet_costs_no_order(solver, order):
    """A last stage, or a first one carried over, that read the other side would leave order 1."""
    steps, found = [0.25, 0.125, 0.0625], []
    # Samples at multiples of 0.5: every kind of jump, each on a boundary.
    values = [0.0, 10.0, 10.0, 0.0, 0.0, 0.0, 0.0]
    for dt in steps:
        drive = Sampled(values, 0.5, interpolation="previous")
        sol = tp.simulate(PASSIVE, drive, t1=3.0, dt=dt, solver=solver, save_every=0.5)
        t = np.asarray(sol.ts)
        exact = passive(t, 0.5) - passive(t, 1.5) - 65.0
        found.append(np.abs(np.asarray(sol.ys["v"]) - exact).max())
    assert oracles.observed_order(found, steps) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("solver", [SymmetricExponential(), ClassicalRK4()])
def test_a_jump_far_from_zero_in_float32(solver):
    cell, drive = tp.astype((PASSIVE, Step(10.0, start=8002.3)), jnp.float32)
    sol = tp.simulate(cell, drive, t0=8000.0, t1=8005.0, dt=0.1, solver=solver)
    # The number of float32 next to 8000 is 5e-4 away, so the step starts that much off; its
    # response rises at 10 mV/ms.
    exact = passive(0.1 * np.arange(51), 2.3)
    np.testing.assert_allclose(sol.ys["v"], exact, rtol=0, atol=10 * 5e-4)


@pytest.mark.parametrize("solver", [SymmetricExponential(), ClassicalRK4()])
def test_the_step_is_dt_itself_and_no_difference_of_times(solver):
    """At 8 s, neighbouring float32 times differ by 0.0498 or 0.0503 ms: the update uses 0.05."""
    cell = tp.astype(SQUID, jnp.float32)
    early, late = (
        tp.simulate(cell, 10.0, t0=t0, t1=t0 + 5.0, dt=0.05, solver=solver).ys["v"]
        for t0 in (0.0, 8000.0)
    )
    np.testing.assert_array_equal(late, early)


def test_ten_seconds_in_float32():
    """400,000 steps: time is counted, not summed, so that float64's spikes are all there."""

    def spikes(dtype):
        sol = tp.simulate(tp.astype(SQUID, dtype), 10.0, t1=10_000.0, dt=0.025, save_every=0.025)
        assert sol.ys["v"].dtype == dtype
        return tp.analysis.spike_times(np.asarray(sol.ts, np.float64), sol.ys["v"])

    single, double = spikes(jnp.float32), spikes(jnp.float64)
    # One spike per 14.64 ms.
    assert len(double) == 683
    assert len(single) == len(double)
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-2)


class Blocks(NamedTuple):
    first: Any
    second: Any
    third: Any


@pytest.mark.parametrize(
    ("solver", "expected"),
    [
        (SymmetricExponential(), [(0, 0.5), (1, 0.5), (2, 1.0), (1, 0.5), (0, 0.5)]),
        (SequentialExponential(), [(2, 1.0), (1, 1.0), (0, 1.0)]),
        (AllAtOnceExponential(), [(None, 1.0)]),
    ],
    ids=lambda x: type(x).__name__,
)
def test_the_sweep(solver, expected):
    assert solver.substeps([0, 1, 2]) == expected
    assert solver.order(None) == (2 if isinstance(solver, SymmetricExponential) else 1)


def test_an_exponential_step_by_hand():
    """One symmetric step of v alone: exp(-z) y + dt phi1(z) drive at the middle of the step."""
    dt, drive = 0.4, Smooth(1.0, 2.0)
    sol = tp.simulate(PASSIVE, drive, t1=dt, dt=dt)
    survival, weight = map(float, numerics.exponential_weights(jnp.asarray(0.25 * dt)))
    push = 0.25 * -65.0 + smooth((1.0, 2.0, 0.0))(dt / 2)
    assert float(sol.ys["v"][-1]) == pytest.approx(-65.0 * survival + dt * weight * push, rel=1e-14)
