"""`simulate`: grids, records, continuation, adaptive and fixed steps, defaults."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, channels
from tripartite.core import AbstractDynamics, parameter
from tripartite.stimuli import PulseTrain, Step

SQUID = cells.HodgkinHuxley()
# C / g = 4 ms, rest at -65 mV: a constant current I is answered by 4 I (1 - exp(-t / 4)).
PASSIVE = cells.ConductanceCell((channels.Leak(0.25, -65.0),))


def passive(t, current=10.0):
    return -65.0 + 4 * current * -np.expm1(-np.asarray(t) / 4)


def test_nothing_asked_for_records_the_ports_every_tenth_of_a_millisecond():
    sol = tp.simulate(PASSIVE, 10.0, t1=5.0)
    np.testing.assert_allclose(sol.ts, 0.1 * np.arange(51), rtol=1e-15)
    assert list(sol.ys) == ["v"]
    # Errors of rtol * 65 mV in each of a few dozen steps.
    np.testing.assert_allclose(sol.ys["v"], passive(sol.ts), rtol=0, atol=1e-3)
    assert bool(sol.result == tp.RESULTS.successful)


def test_tolerances_arrive():
    gaps = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        sol = tp.simulate(PASSIVE, 10.0, t1=5.0, rtol=tolerance, atol=tolerance, save_every=5.0)
        gaps.append(abs(float(sol.ys["v"][-1]) - passive(5.0)))
        # At most tolerance * 65 mV in each of some twenty steps.
        assert gaps[-1] < 1300 * tolerance
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2]


def test_an_adaptive_record_ends_with_the_solve():
    np.testing.assert_allclose(
        tp.simulate(PASSIVE, t1=1.0, save_every=0.3).ts, [0, 0.3, 0.6, 0.9, 1.0], rtol=1e-15
    )
    np.testing.assert_allclose(
        tp.simulate(PASSIVE, t0=-2.0, t1=1.0, save_every=1.5).ts, [-2, -0.5, 1], rtol=1e-15
    )


def test_adaptive_steps_do_not_miss_a_pulse_in_the_middle_of_silence():
    pulse = PulseTrain(100.0, width=0.01, period=1.0, count=1, start=400.0)
    sol = tp.simulate(PASSIVE, pulse, t1=401.0, save_every=1.0)
    # 1 uA/cm2 ms on 1 uF/cm2 is 1 mV, which decays for a millisecond.
    expected = 400 * (np.exp(-0.99 / 4) - np.exp(-1 / 4))
    assert float(sol.ys["v"][-1]) + 65.0 == pytest.approx(expected, rel=1e-4)
    assert int(sol.stats["num_steps"]) < 200


@pytest.mark.parametrize(
    ("save_every", "expected"),
    [
        (None, 0.1 * np.arange(11)),
        (0.1, 0.1 * np.arange(11)),
        (0.5, [0.0, 0.5, 1.0]),
        # Ten steps in blocks of three: the last record is the end of the solve.
        (0.3, [0.0, 0.3, 0.6, 0.9, 1.0]),
        (1.0, [0.0, 1.0]),
        (7.0, [0.0, 1.0]),
    ],
)
def test_fixed_steps_record_what_is_asked_for(save_every, expected):
    sol = tp.simulate(PASSIVE, 10.0, t1=1.0, dt=0.1, save_every=save_every)
    np.testing.assert_allclose(sol.ts, expected, rtol=1e-15)
    np.testing.assert_allclose(sol.ys["v"], passive(sol.ts), rtol=1e-14)
    assert int(sol.stats["num_steps"]) == 10
    assert float(sol.stats["y1"].v) == pytest.approx(passive(1.0), rel=1e-14)


def test_a_long_record_is_thinned():
    sol = tp.simulate(PASSIVE, t1=3000.0, dt=0.1)
    assert len(sol.ts) == 15_001
    np.testing.assert_allclose(np.diff(sol.ts), 0.2, rtol=1e-9)
    assert len(tp.simulate(PASSIVE, t1=3000.0, dt=0.1, save_every=0.1).ts) == 30_001


def test_records():
    def solve(record):
        return tp.simulate(SQUID, 10.0, t1=1.0, dt=0.1, record=record).ys

    state = solve("state")
    assert isinstance(state, cells.ConductanceState)
    assert state.v.shape == state.gates["sodium"]["m"].shape == (11,)
    np.testing.assert_array_equal(solve(lambda y: 2.0 * y.v), 2.0 * state.v)
    both = solve({"v": SQUID.voltage, "m": lambda y: y.gates["sodium"]["m"]})
    np.testing.assert_array_equal(both["v"], state.v)
    np.testing.assert_array_equal(both["m"], state.gates["sodium"]["m"])
    np.testing.assert_array_equal(solve(None)["v"], state.v)


def test_a_solve_goes_on_from_its_last_state():
    whole = tp.simulate(SQUID, Step(10.0, start=1.0), t1=20.0, dt=0.05)
    first = tp.simulate(SQUID, Step(10.0, start=1.0), t1=5.0, dt=0.05)
    second = tp.simulate(
        SQUID, Step(10.0, start=1.0), t0=5.0, t1=20.0, dt=0.05, y0=first.stats["y1"]
    )
    # The same steps: only the times they start at may round differently, and they do not matter
    # to a step of current.
    np.testing.assert_allclose(second.ys["v"], whole.ys["v"][100:], rtol=0, atol=1e-11)
    np.testing.assert_allclose(second.ts, whole.ts[100:], rtol=1e-15)
    assert float(second.stats["reached"]) == 20.0


def test_clocks_go_on_with_the_rest():
    lif = cells.LIF()
    whole = tp.simulate(lif, 2.0, t1=40.0, dt=0.1, record="state").ys
    # 8 ms is within the first refractory time.
    first = tp.simulate(lif, 2.0, t1=8.0, dt=0.1)
    assert float(first.stats["y1"].wait) > 0
    rest = tp.simulate(lif, 2.0, t0=8.0, t1=40.0, dt=0.1, y0=first.stats["y1"], record="state").ys
    np.testing.assert_array_equal(rest.spike[1:], whole.spike[81:])
    np.testing.assert_allclose(rest.v, whole.v[80:], rtol=1e-13)


def test_a_start_may_be_given_in_plain_numbers():
    start = SQUID.init()._replace(v=-50)
    sol = tp.simulate(SQUID, t1=0.1, dt=0.1, y0=start)
    assert sol.ys["v"].dtype == jnp.float64
    assert float(sol.ys["v"][0]) == -50.0


class Cubic(AbstractDynamics):
    """`dy/dt = rate (y - y^3)`, which has no drive and decay."""

    rate: jax.Array = parameter(1.0, "1/ms")

    def init(self):
        return 0.5 * jnp.ones_like(self.rate)

    def vector_field(self, t, y, u):
        return self.rate * (y - y**3)


def cubic(t):
    return 1 / np.sqrt(1 + 3.0 * np.exp(-2 * np.asarray(t)))


def test_dynamics_without_drive_and_decay():
    fixed = tp.simulate(Cubic(), t1=3.0, dt=0.01)
    # Fourth order: 0.01^4 times derivatives of a few units.
    np.testing.assert_allclose(fixed.ys["y"], cubic(fixed.ts), rtol=0, atol=1e-8)
    adaptive = tp.simulate(Cubic(), t1=3.0)
    np.testing.assert_allclose(adaptive.ys["y"], cubic(adaptive.ts), rtol=0, atol=1e-4)


class Kicked(AbstractDynamics):
    """`dy/dt = -y / 2 ms`, and 1 more after each step: a jump applied by any solver."""

    def init(self):
        return jnp.asarray(0.0)

    def vector_field(self, t, y, u):
        return -0.5 * y

    def jump(self, t, before, y, u):
        return y + u * t


@pytest.mark.parametrize("solver", [None, diffrax.Tsit5()])
def test_a_jump_happens_after_every_step(solver):
    sol = tp.simulate(Kicked(), 1.0, t1=3.0, dt=1.0, solver=solver)
    keep = np.exp(-0.5)
    expected = [0.0, 1.0, 1.0 * keep + 2.0, (1.0 * keep + 2.0) * keep + 3.0]
    # RK4's error over a step of half a time constant: 0.5^5 / 120 = 3e-4 of y.
    np.testing.assert_allclose(sol.ys["y"], expected, rtol=1e-3)
    assert float(sol.ys["y"][1]) == 1.0


@pytest.mark.parametrize("dt", [None, 0.05])
def test_float32_stays_float32(dt):
    cell, step = tp.astype((PASSIVE, Step(10.0)), jnp.float32)
    for stimulus in (None, 10, np.float64(10.0), jnp.asarray(10.0), step):
        sol = tp.simulate(cell, stimulus, t1=1.0, dt=dt)
        assert sol.ts.dtype == sol.ys["v"].dtype == jnp.float32
        assert {x.dtype for x in jax.tree.leaves(sol.stats["y1"])} == {jnp.dtype("float32")}


def test_progress_is_shown(capfd):
    tp.simulate(PASSIVE, 10.0, t1=10.0, dt=0.1, save_every=1.0, progress=True)
    jax.effects_barrier()
    assert "100.00%" in capfd.readouterr().out


def test_a_failure_may_be_looked_at():
    sol = tp.simulate(PASSIVE, 10.0, t1=50.0, max_steps=2, throw=False)
    assert bool(sol.result == tp.RESULTS.max_steps_reached)
    blown = tp.simulate(SQUID, 1e6, t1=5.0, dt=0.1, solver=diffrax.Euler(), throw=False)
    assert not np.isfinite(blown.ys["v"][-1])
    assert bool(blown.result == tp.RESULTS.non_finite)
