"""Spikes located in time: when, who, in what order, and their derivatives."""

import re

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, networks
from tripartite.core import AbstractDynamics, Events, chosen, parameter

TAU, THETA, WAIT = 20.0, 15.0, 3.0
# R I = 16, 20 and 30 mV above rest: the first spike, and its derivative by R I.
ANCHORS = {16.0: (55.452, -18.75), 20.0: (27.726, -3.0), 30.0: (13.863, -0.667)}


def leaky(**changes):
    """R = 1: `leak` of 1 mS/cm2, so that the current in uA/cm2 is R I in mV."""
    known = {"capacitance": TAU, "leak": 1.0, "rest": 0.0, "reset": 0.0, "threshold": THETA}
    return cells.LIF(**(known | {"refractory": WAIT} | changes))


def interval(current):
    return TAU * np.log(current / (current - THETA))


@jax.jit
@jax.vmap
def in_closed_form(currents):
    """Spikes, the derivative of the third one's time, the number of steps, and v every 0.5 ms."""

    def third(current):
        solution = tp.simulate(leaky(), current, t1=200.0, save_every=0.5, max_spikes=16)
        spikes = solution.stats["spikes"]
        return spikes.times[2], (spikes, solution.stats["num_steps"], solution.ys["v"])

    (_, (spikes, steps, v)), slope = jax.value_and_grad(third, has_aux=True)(currents)
    return spikes, slope, steps, v


def test_the_leaky_cell_fires_at_its_closed_form_with_its_derivative():
    currents = np.array(list(ANCHORS))
    spikes, slopes, steps, v = in_closed_form(currents)
    for k, (current, (first, slope)) in enumerate(ANCHORS.items()):
        assert interval(current) == pytest.approx(first, abs=5e-4)
        count = int(spikes.count[k])
        number = np.arange(count)
        exact = interval(current) * (number + 1) + WAIT * number
        assert count == np.sum(exact[0] + (interval(current) + WAIT) * np.arange(20) < 200.0)
        # Each exact step rounds; so does the time at which a step ends.
        assert np.abs(np.asarray(spikes.times[k, :count]) - exact).max() < 1e-11
        assert np.all(np.isinf(spikes.times[k, count:])) and np.all(spikes.cells[k, count:] == -1)
        by_current = -TAU * THETA / (current * (current - THETA))
        assert by_current == pytest.approx(slope, abs=5e-4)
        assert float(slopes[k]) == pytest.approx(3 * by_current, abs=1e-9)
        # A trial and the step to the event; so again to the end of the wait.
        assert int(steps[k]) <= 5 * (count + 1)
        # Between spikes, v relaxes from the reset, once the wait is over.
        t, period = 0.5 * np.arange(401), interval(current) + WAIT
        later = np.mod(t - interval(current), period) - WAIT
        free = np.maximum(np.where(t < interval(current), t, later), 0.0)
        expected = current * -np.expm1(-free / TAU)
        assert np.abs(np.asarray(v[k]) - expected).max() < 1e-10


@pytest.mark.slow
def test_so_it_does_by_a_general_solver():
    # An adaptive solver that knows nothing of the closed form: 1e-8 in the time and 1e-6 in the
    # derivative, at a tolerance of 1e-11 over a few hundred steps.
    @jax.jit
    @jax.value_and_grad
    def second(current):
        solution = tp.simulate(
            leaky(), current, t1=70.0, save_every=70.0, max_spikes=4, solver=diffrax.Tsit5(),
            rtol=1e-11, atol=1e-11,
        )  # fmt: skip
        return solution.stats["spikes"].nth(1)

    time, slope = second(20.0)
    assert float(time) == pytest.approx(2 * interval(20.0) + WAIT, abs=1e-8)
    assert float(slope) == pytest.approx(-6.0, abs=1e-6)


@pytest.mark.slow
def test_a_solve_goes_on_in_the_middle_of_a_wait():
    current, end = 20.0, 2 * interval(20.0) + WAIT
    half = tp.simulate(leaky(), current, t1=28.0, max_spikes=4)
    assert str(half.stats["plan"]).count("events located") == 1
    assert float(half.stats["y1"].wait) == pytest.approx(interval(current) + WAIT - 28.0, abs=1e-9)
    # From where steps stopped, too: their state has no mark of the wait.
    stepped = half.stats["y1"]._replace(spike=jnp.zeros(()))
    rest = tp.simulate(leaky(), current, t0=28.0, t1=60.0, y0=stepped, max_spikes=4)
    assert float(rest.stats["spikes"].times[0]) == pytest.approx(end, abs=1e-9)


@pytest.mark.slow
def test_a_pulse_too_short_to_fire_leaves_its_trace():
    # v at the end of a pulse and its decay, then a second pulse: the crossing in closed form.
    pulses = tp.stimuli.PulseTrain(30.0, width=10.0, period=20.0, count=2)
    end = 30.0 * -np.expm1(-10.0 / TAU)
    start = end * np.exp(-10.0 / TAU)
    expected = 20.0 + TAU * np.log((30.0 - start) / (30.0 - THETA))
    spikes = tp.simulate(leaky(), pulses, t1=30.0, save_every=30.0, max_spikes=4).stats["spikes"]
    assert int(spikes.count) == 1
    # diffrax steps over a jump in two units of the last place.
    assert float(spikes.times[0]) == pytest.approx(expected, abs=1e-10)


class Hills(AbstractDynamics):
    """Two heights over time, `top - ((t - peak) / width)^2`; each fires where it reaches 0.

    Once: afterwards it is lowered by 100. `lift` is how much the first raises the second then.
    """

    peak: jax.Array = parameter(None, "ms")
    width: jax.Array = parameter(None, "ms")
    top: jax.Array = parameter(None, "1")
    lift: jax.Array = parameter(0.0, "1")

    def init(self):
        return self.top - (self.peak / self.width) ** 2

    def vector_field(self, t, y, u):
        return -2.0 * (t - self.peak) / self.width**2

    def events(self, t, y, u):
        return Events(y, jnp.ones_like(y, bool))

    def occur(self, which, t, y, u):
        lifted = jnp.stack([jnp.zeros_like(self.lift), self.lift * which[0].astype(y.dtype)])
        return chosen(which, y - 100.0, y + lifted)


def crossing(hill, k):
    return float(hill.peak[k] - hill.width[k] * jnp.sqrt(hill.top[k]))


def hills_fire(hill, t1=16.0, grad_of=None):
    # A parabola is solved without error: from the third on, the steps are ten times the last.
    def solve(hill):
        spikes = tp.simulate(hill, t1=t1, save_every=t1, max_spikes=4).stats["spikes"]
        return spikes.times[0 if grad_of is None else grad_of], spikes

    return solve(hill)[1] if grad_of is None else jax.grad(solve, has_aux=True)(hill)


def test_the_earliest_of_two_in_one_step_is_first():
    # diffrax, asked for two events, gives the first of the list that has changed its sign.
    for peaks, order in (([9.0, 8.0], [1, 0]), ([8.0, 9.0], [0, 1])):
        hill = Hills(peaks, [4.0, 4.0], [1.0, 1.0])
        spikes = hills_fire(hill)
        assert int(spikes.count) == 2
        assert np.asarray(spikes.cells)[:2].tolist() == order
        expected = [crossing(hill, k) for k in order]
        assert np.asarray(spikes.times)[:2] == pytest.approx(expected, abs=1e-9)


def test_a_crossing_that_is_undone_within_the_step_is_seen():
    # Above 0 from 6 to 10 ms, in a step of some 15 ms at whose ends it is below.
    hill = Hills([8.0, 8.0], [2.0, 2.0], [1.0, -1.0])
    spikes = hills_fire(hill)
    assert int(spikes.count) == 1
    assert float(spikes.first(0)) == pytest.approx(6.0, abs=1e-9)
    assert np.isinf(float(spikes.first(1)))
    # Few steps: it was not found by making them short.
    solution = tp.simulate(hill, t1=16.0, save_every=16.0, max_spikes=4)
    assert int(solution.stats["num_accepted_steps"]) < 12


@pytest.mark.gate
def test_two_at_once_are_two_each_with_its_own_derivative():
    hill = Hills([8.0, 9.0], [2.0, 3.0], [1.0, 1.0])
    assert crossing(hill, 0) == crossing(hill, 1) == 6.0
    for number in (0, 1):
        slopes, spikes = hills_fire(hill, grad_of=number)
        who = int(spikes.cells[number])
        assert int(spikes.count) == 2 and {int(x) for x in spikes.cells[:2]} == {0, 1}
        assert np.asarray(spikes.times)[:2] == pytest.approx([6.0, 6.0], abs=1e-9)
        # t = peak - width sqrt(top).
        only = np.eye(2)[who]
        assert slopes.peak == pytest.approx(only, abs=1e-9)
        assert slopes.width == pytest.approx(-only, abs=1e-9)
        assert slopes.top == pytest.approx(-0.5 * only * np.asarray(hill.width), abs=1e-9)


def test_one_that_is_lifted_over_the_threshold_fires_at_once():
    hill = Hills([8.0, 20.0], [2.0, 3.0], [1.0, 1.0], lift=50.0)
    slopes, spikes = hills_fire(hill, grad_of=1)
    assert np.asarray(spikes.cells)[:2].tolist() == [0, 1]
    assert np.asarray(spikes.times)[:2] == pytest.approx([6.0, 6.0], abs=1e-9)
    # The second's time is the first's, and depends on the first alone.
    assert slopes.peak == pytest.approx(np.array([1.0, 0.0]), abs=1e-9)


def test_a_full_buffer_is_a_result_that_says_what_to_raise():
    solution = tp.simulate(leaky(), 30.0, t1=60.0, max_spikes=2, throw=False)
    assert solution.result == tp.RESULTS.spikes_full
    assert "raise max_spikes to at least" in tp.RESULTS[solution.result]
    spikes = solution.stats["spikes"]
    assert int(spikes.count) == 3 and np.all(np.isfinite(spikes.times))
    with pytest.raises(ValueError, match="no population 'exc' among the spikes: there is no popul"):
        spikes.of("exc")
    text = "LIF: 3 spikes, and room for 2: raise max_spikes to at least 3."
    with pytest.raises(tp.core.errors.SolveError, match=re.escape(text)):
        tp.simulate(leaky(), 30.0, t1=60.0, max_spikes=2)
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match="max_spikes must be a whole number"):
            tp.simulate(leaky(), 30.0, t1=60.0, max_spikes=wrong)


def test_a_refractory_time_shorter_than_the_step_is_refused():
    text = "LIF.refractory is 0.3 ms, shorter than the step dt = 0.5 ms, which would stretch it"
    short = leaky(refractory=0.3)
    for model in (short, networks.Network({"a": short})):
        with pytest.raises(ValueError, match=re.escape(text)):
            tp.simulate(model, t1=5.0, dt=0.5)


def test_single_precision_locates_to_its_own_rounding():
    cell = tp.astype(leaky(), jnp.float32)
    solution = tp.simulate(cell, 20.0, t1=100.0, save_every=100.0, max_spikes=4)
    times = solution.stats["spikes"].times
    assert times.dtype == jnp.float32
    exact = interval(20.0) * np.arange(1, 4) + WAIT * np.arange(3)
    # v is rounded to 6e-8 of 15 mV, and rises by 0.25 mV/ms at the threshold: 4e-6 ms at each of
    # some ten steps; so is the time, of up to 100 ms.
    assert np.abs(np.asarray(times)[:3] - exact).max() < 1e-4


def test_one_vanishing_spike_is_infinitely_late():
    # The documented edge: at R I = threshold the first spike goes to infinity, and its slope too.
    times = [float(in_closed_form(np.full(3, x))[0].times[0, 0]) for x in (15.01, 15.0)]
    assert times[0] == pytest.approx(interval(15.01), rel=1e-9) and np.isinf(times[1])


@pytest.mark.gate
def test_forward_mode_agrees():
    def second(current):
        solution = tp.simulate(
            leaky(), current, t1=70.0, save_every=70.0, max_spikes=4,
            adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        return solution.stats["spikes"].nth(1)

    value, slope = jax.jvp(second, (20.0,), (1.0,))
    assert float(value) == pytest.approx(2 * interval(20.0) + WAIT, abs=1e-9)
    assert float(slope) == pytest.approx(-6.0, abs=1e-9)


@pytest.mark.gate
def test_spikes_of_an_adex_cell_have_the_derivatives_of_finite_differences():
    cell = cells.adex("adapting")

    def last(parameters):
        current, leak, increment = parameters
        changed = eqx.tree_at(lambda c: (c.leak, c.increment), cell, (leak, increment))
        solution = tp.simulate(
            changed, current, t1=50.0, save_every=50.0, max_spikes=4, rtol=1e-10, atol=1e-10
        )
        return solution.stats["spikes"].times[2]

    at = jnp.array([500.0, 12.0, 60.0])
    slopes = np.asarray(jax.jit(jax.grad(last))(at))
    run = jax.jit(last)
    for k in range(3):
        # The third order of a central difference is h^2 of the value, of times known to 1e-9 ms.
        h = 3e-4 * float(at[k])
        moved = h * jnp.eye(3)[k]
        difference = (float(run(at + moved)) - float(run(at - moved))) / (2 * h)
        assert slopes[k] == pytest.approx(difference, rel=1e-5)
