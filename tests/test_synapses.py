"""Receptors and short-term plasticity against closed forms, exact recursions and SciPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synapse_oracles as oracles
import tripartite as tp
from oracles import observed_order
from tripartite import synapses
from tripartite.core import AbstractParametrised, Cleft, parameter
from tripartite.solvers import ClassicalRK4
from tripartite.stimuli import AbstractStimulus

# Fixed steps multiply some thousand rounded factors exp(-dt / tau), each within one eps.
EXACT = 1e-12
TRAIN = np.array([3.0, 4.5, 11.0, 11.5, 12.0, 30.0, 47.5])


def drive(model, times, t1, dt, record=None, **cleft):
    train = synapses.spike_train(times, t1=t1, dt=dt, **cleft)
    sol = tp.simulate(model, train, t1=t1, dt=dt, record=record)
    return np.asarray(sol.ts), sol.ys


def ages(ts, times):
    """How long ago each spike was, at each time; infinite before it."""
    age = ts[:, None] - np.asarray(times)[None, :]
    return np.where(age >= -1e-9, age, np.inf)


def test_exponential_is_the_sum_of_its_spikes():
    ts, ys = drive(synapses.Exponential(0.3, decay=4.0), TRAIN, 60.0, 0.5)
    expected = 0.3 * np.exp(-ages(ts, TRAIN) / 4.0).sum(1)
    np.testing.assert_allclose(ys["g"], expected, rtol=EXACT, atol=0)
    late = 0.3 * np.exp(-ages(ts, TRAIN + 0.5) / 4.0).sum(1)
    assert np.max(np.abs(ys["g"] - late)) > 0.03  # one step later would be seen


def test_double_exponential_peaks_at_its_weight():
    model = synapses.DoubleExponential(0.3, rise=0.7, decay=4.0)
    ts, ys = drive(model, TRAIN, 60.0, 0.5, lambda y: model.conductance(y, 0.0)[0])
    peak = 0.7 * 4.0 / 3.3 * np.log(4.0 / 0.7)
    norm = 1 / (np.exp(-peak / 4.0) - np.exp(-peak / 0.7))
    age = ages(ts, TRAIN)
    expected = 0.3 * norm * (np.exp(-age / 4.0) - np.exp(-age / 0.7)).sum(1)
    # The difference of two states that are up to norm = 1.7 times as large.
    np.testing.assert_allclose(ys, expected, rtol=0, atol=EXACT)
    assert float(model.peak_time()) == pytest.approx(peak, rel=EXACT)
    _, fine = drive(model, [0.01], 4.0, 0.01, lambda y: model.conductance(y, 0.0)[0])
    # The grid misses the peak by at most half a step: 0.3 / 2 x 0.005^2 / (0.7 x 4).
    assert float(np.max(fine)) == pytest.approx(0.3, abs=1.4e-6)
    assert int(np.argmax(fine)) * 0.01 == pytest.approx(0.01 + peak, abs=0.006)


def test_linear_synapses_add():
    for model in (synapses.Exponential(0.3), synapses.DoubleExponential(0.3)):
        parts = [drive(model, times, 60.0, 0.5)[1] for times in (TRAIN[:3], TRAIN[3:])]
        _, whole = drive(model, TRAIN, 60.0, 0.5)
        for name, both in whole.items():
            np.testing.assert_allclose(parts[0][name] + parts[1][name], both, rtol=0, atol=EXACT)


RATES = {"ampa": (1.1e-3, 0.19), "nmda": (7.2e-5, 6.6e-3), "gaba_a": (5e-3, 0.18)}


@pytest.mark.parametrize("name", RATES)
def test_pulsed_receptors(name):
    model = getattr(synapses, name)(0.2, pulsed=True)
    ts, ys = drive(model, [5.0], 60.0, 0.25)
    expected = oracles.two_state_pulse(np.maximum(ts - 5.0, 0.0), *RATES[name])
    np.testing.assert_allclose(ys["receptors"].open, expected, rtol=EXACT, atol=0)
    g, reversal = model.conductance(model.init()._replace(receptors=ys["receptors"]), 30.0)
    block = 1.0 if name != "nmda" else 1 / (1 + np.exp(-0.062 * 30.0) / 3.57)
    np.testing.assert_allclose(g, 0.2 * expected * block, rtol=EXACT, atol=0)
    assert float(reversal) == (-80.0 if name == "gaba_a" else 0.0)


def test_a_pulse_starts_anew_and_takes_its_share():
    model = synapses.ampa(pulsed=True)
    _, once = drive(model, [5.0, 5.5], 20.0, 0.25)
    longer = eqx.tree_at(lambda m: m.duration, model, jnp.asarray(1.5))
    _, pulse = drive(longer, [5.0], 20.0, 0.25)
    np.testing.assert_allclose(once["receptors"].open, pulse["receptors"].open, rtol=EXACT)
    half = Cleft(-65.0, -65.0, jnp.asarray(0.5))
    y = model.jump(jnp.asarray(1.0), model.init(), model.init(), half)
    assert (float(y.concentration), float(y.left)) == (500.0, 1.0)


@pytest.mark.parametrize("magnesium", [0.0, 200.0, 1000.0, 2000.0])
def test_magnesium_block(magnesium):
    v = np.array([-120.0, -90.0, -65.0, -40.0, -20.0, 0.0, 20.0, 60.0])
    expected = 1 / (1 + np.exp(-0.062 * v) * magnesium / 3570.0)
    block = synapses.MagnesiumBlock(magnesium)
    np.testing.assert_allclose(block(jnp.asarray(v)), expected, rtol=1e-14)
    for extreme in (-1e4, 1e4):
        value, slope = jax.value_and_grad(block)(jnp.asarray(extreme))
        assert np.isfinite(value)
        assert np.isfinite(slope)


def test_gaba_b_needs_a_burst():
    times = np.arange(10.0, 60.0, 5.0)
    model = synapses.gaba_b(1.0, pulsed=True)
    gaps, steps = [], [0.5, 0.25]
    for dt in steps:
        ts, ys = drive(model, times, 300.0, dt)
        bound, protein, _ = oracles.gaba_b(ts, list(times))
        np.testing.assert_allclose(ys["receptors"].bound, bound, rtol=0, atol=1e-10)
        gaps.append(float(np.max(np.abs(ys["receptors"].g_protein - protein))))
    # The G-protein follows a moving drive: second order, by the midpoint.
    assert observed_order(gaps, steps) == pytest.approx(2.0, abs=0.2)
    assert gaps[-1] < 1e-4
    fraction = model.scheme.open_fraction(ys["receptors"])
    np.testing.assert_allclose(fraction, protein**4 / (protein**4 + 100.0), rtol=0, atol=1e-4)
    _, one = drive(model, times[:1], 300.0, 0.5)
    assert np.max(fraction) > 100 * float(np.max(model.scheme.open_fraction(one["receptors"])))


def test_graded_receptors_follow_the_voltage():
    # Clamped above and below the threshold of release, each fraction ends where binding and
    # unbinding balance.
    for v, name in ((40.0, "ampa"), (-5.0, "gaba_a"), (2.0, "nmda")):
        binding, unbinding = RATES[name]
        t1 = 40.0 / unbinding
        _, ys = drive(getattr(synapses, name)(), [], t1, t1 / 400, v_pre=v)
        bound = binding * 1000.0 / (1 + np.exp(-(v - 2.0) / 5.0))
        assert float(ys["receptors"].open[-1]) == pytest.approx(bound / (bound + unbinding))


# ------------------------------------------------------------------ Tsodyks and Markram


def irregular(rng, count=200, mean=40.0, dt=0.5):
    return dt * (1 + np.cumsum(1 + rng.geometric(dt / mean, count)))


@pytest.mark.parametrize(("utilisation", "forgetting"), [(0.6, 3.33e-3), (0.1, 2e-3), (1.0, 0.05)])
def test_tsodyks_markram_recursion(utilisation, forgetting):
    times = irregular(np.random.default_rng(1))
    t1 = float(times[-1] + 10.0)
    model = synapses.TsodyksMarkram(
        synapses.Exponential(), utilisation=utilisation, forgetting=forgetting
    )
    ts, ys = drive(model, times, t1, 0.5)
    released, states = oracles.tsodyks_markram(times, utilisation, omega_f=forgetting)
    at = np.rint(times / 0.5).astype(int)
    for column, name in enumerate(("u", "x", "transmitter")):
        np.testing.assert_allclose(ys[name][at], states[:, column], rtol=1e-10, atol=0)
    # Each release reaches the receptor as that share of a spike.
    g = (0.05 * released[None, :] * np.exp(-ages(ts, times) / 5.0)).sum(1)
    np.testing.assert_allclose(ys["receptor"].g, g, rtol=1e-10, atol=1e-15)
    # The negative control: release before facilitation.
    _, wrong = oracles.tsodyks_markram(times, utilisation, omega_f=forgetting, late=True)
    assert np.max(np.abs(ys["x"][at] - wrong[:, 1])) > 0.01


@pytest.mark.parametrize("rate", [1e-3, 1e-2, 5e-2])
def test_mean_field_on_poisson_trains(rate):
    model = synapses.MeanFieldTsodyksMarkram(synapses.Exponential())
    rng = np.random.default_rng(7)
    # Some 20,000 spikes: the mean of r is known to better than one per cent.
    times = np.cumsum(rng.exponential(1 / rate, 20_000))
    released, _ = oracles.tsodyks_markram(times, 0.6)
    predicted = float(model.mean_release(jnp.asarray(rate)))
    assert released[100:].mean() == pytest.approx(predicted, rel=0.03)
    assert oracles.mean_field(rate, 0.6) == pytest.approx(predicted, rel=1e-13)
    # And its equations settle there, at any step.
    t1 = 60.0 / 2e-3
    _, ys = drive(model, [], t1, t1 / 6000, rate=rate)
    u, x = float(ys["u"][-1]), float(ys["x"][-1])
    assert (u + 0.6 * (1 - u)) * x == pytest.approx(predicted, rel=1e-9)
    spilled = 0.005 * 500e3 * predicted * rate / 40e-3
    assert float(ys["transmitter"][-1]) == pytest.approx(spilled, rel=1e-9)
    assert float(ys["receptor"].g[-1]) == pytest.approx(0.05 * predicted * rate * 5.0, rel=1e-9)


class SquareSpikes(AbstractStimulus):
    """40 mV for 1 ms from each of the times on, else -65 mV."""

    times: jax.Array

    def __call__(self, t):
        return jnp.where(jnp.any((t >= self.times) & (t < self.times + 1.0)), 40.0, -65.0)

    def jumps(self):
        return jnp.concatenate([self.times, self.times + 1.0])


@pytest.mark.parametrize(
    ("utilisation", "documented"),
    [(0.6, (0.503, 0.302, 0.180, 0.125, 0.102)), (0.05, (0.071, 0.099, 0.113, 0.117, 0.115))],
)
def test_what_smoothing_a_spike_costs(utilisation, documented):
    times = 50.0 * np.arange(1, 6)
    model = synapses.MeanFieldTsodyksMarkram(
        synapses.Exponential(), utilisation=utilisation, trigger=synapses.SmoothSpikes()
    )
    _, ys = drive(model, [], 260.0, 0.1, v_pre=SquareSpikes(jnp.asarray(times)))
    at = np.rint(times / 0.1).astype(int)
    used = np.asarray(ys["x"][at] - ys["x"][at + 10])
    # Second order in the step: (0.1 / 1)^2 / 12 of each release.
    np.testing.assert_allclose(used, oracles.smeared(times, 1.0, utilisation), rtol=1e-3)
    np.testing.assert_allclose(used, documented, atol=6e-4)
    exact, _ = oracles.tsodyks_markram(times, utilisation)
    assert abs(used[0] / exact[0] - 1) > 0.1  # the bias is real


def test_published_mean_release():
    model = synapses.TsodyksMarkram(synapses.Exponential())
    rates = jnp.asarray([0.1, 1.0, 10.0, 100.0]) * tp.core.units.per_second
    np.testing.assert_allclose(
        model.mean_release(rates), [0.5892, 0.4968, 0.1622, 0.0196], atol=5e-5
    )


@pytest.mark.parametrize(("utilisation", "facilitates"), [(0.370, True), (0.380, False)])
def test_facilitation_threshold(utilisation, facilitates):
    model = synapses.TsodyksMarkram(synapses.Exponential(), utilisation=utilisation)
    assert float(model.facilitation_threshold()) == pytest.approx(0.37523, abs=5e-6)
    # Slow Poisson trains: the slope of the mean release at rest, and of an exact recursion's mean.
    slope = jax.grad(model.mean_release)(jnp.asarray(0.0))
    assert (float(slope) > 0) == facilitates
    assert (oracles.mean_field(1e-6, utilisation) > utilisation) == facilitates


# ------------------------------------------------------------------ Gliotransmission


class Releases(AbstractStimulus):
    """The gliotransmitter of an astrocyte that releases at two times (uM; -1: never)."""

    times: jax.Array
    jumps_of_g: jax.Array

    def __call__(self, t):
        age = t - self.times
        # A release acts from its time on, which lies where two steps meet.
        on = (self.times > 0) & (age > 0)
        return jnp.sum(jnp.where(on, self.jumps_of_g * jnp.exp(-0.06 * jnp.maximum(age, 0.0)), 0.0))

    def jumps(self):
        return self.times


CASES = {"none": [], "weak": [2084.6], "strong": [1058.9, 10341.8]}
PUBLISHED = {
    "none": (0.6, 0.3671, 0.1540, 0.1035, 0.0958, 0.1629, 0.0429, 0.0220),
    "weak": (0.1435, 0.2156, 0.2224, 0.1953, 0.1613, 0.1463, 0.1115),
    "strong": (0.0467, 0.0810, 0.1025, 0.1132, 0.1162, 0.1069, 0.1120),
}
FIGURE_TIMES = 16500.0 + np.array(oracles.FIGURE_3, float)


@pytest.fixture(scope="module")
def figure_3():
    """x and Gamma_S on every step, for the three astrocytes of figure 3 at once."""
    model = synapses.TripartiteSynapse(synapses.TsodyksMarkram(synapses.Exponential()))
    train = synapses.spike_train(FIGURE_TIMES, t1=16910.0, dt=0.1)

    def solve(times, jumps_of_g):
        heard = eqx.tree_at(lambda s: s.modulation, train, Releases(times, jumps_of_g))
        sol = tp.simulate(
            model, heard, t1=16910.0, dt=0.1,
            record={"x": lambda y: y.terminal.x, "bound": lambda y: y.bound}, save_every=0.1,
        )  # fmt: skip
        return sol.ys

    def padded(values, fill):
        return [*values, *[fill] * (2 - len(values))]

    times = jnp.asarray([padded(t, -1.0) for t in CASES.values()])
    jumps = jnp.asarray([padded(oracles.releases(t), 0.0) for t in CASES.values()])
    ys = jax.jit(jax.vmap(solve))(times, jumps)
    return {name: {k: np.asarray(x[i]) for k, x in ys.items()} for i, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_figure_3_of_the_chapter(figure_3, name):
    at = np.rint(FIGURE_TIMES / 0.1).astype(int)
    x, bound = figure_3[name]["x"], figure_3[name]["bound"]
    available = 1 - (1 - x[at - 1]) * np.exp(-2e-3 * 0.1)
    released = available - x[at]
    gamma = oracles.bound_receptors(FIGURE_TIMES, CASES[name])
    # Second order in dt = 0.1 ms against the 17 ms of a release: (0.1 / 17)^2 / 12 = 3e-6.
    np.testing.assert_allclose(bound[at], gamma, rtol=1e-4)
    expected, _ = oracles.tsodyks_markram(FIGURE_TIMES, (1 - gamma) * 0.6)
    np.testing.assert_allclose(released, expected, rtol=1e-3)
    frozen = PUBLISHED[name]
    np.testing.assert_allclose(released[: len(frozen)], frozen, rtol=0.01)
    start = {"none": 0.0, "weak": 0.76080, "strong": 0.92219}[name]
    assert bound[at[0]] == pytest.approx(start, rel=0.01)
    if name != "none":
        # Without gliotransmitter the first release would be several times larger.
        assert released[0] < 0.3 * PUBLISHED["none"][0]


def test_gliotransmitter_released():
    np.testing.assert_allclose(oracles.releases([1058.9, 10341.8]), [78.0, 77.82], rtol=1e-4)
    # One release: 1 - exp(-O_G G_A / Omega_e), when nothing unbinds meanwhile.
    gamma = oracles.bound_receptors([2084.6 + 300.0], [2084.6])
    assert gamma[0] == pytest.approx(0.8577, rel=5e-3)


@pytest.mark.parametrize(("effect", "sign"), [(0.0, -1), (0.6, 0), (1.0, 1)])
def test_effect_decreases_or_increases_release(effect, sign):
    terminal = synapses.TsodyksMarkram(synapses.Exponential())
    model = synapses.TripartiteSynapse(terminal, effect=effect)
    _, ys = drive(model, [400.0], 410.0, 1.0, modulation=5.0)
    gamma = float(ys["bound"][400])
    rate = 5.0 * 1.5e-3 + 0.5 / 60e3
    assert gamma == pytest.approx(5.0 * 1.5e-3 / rate * -np.expm1(-rate * 400.0), rel=1e-12)
    # From rest the first spike releases what the utilisation says, all of it at once.
    first = 0.6 + (effect - 0.6) * gamma
    assert float(1 - ys["x"][400]) == pytest.approx(first, rel=1e-12)
    assert float(model.transmitter(model.init())) == 0.0
    assert float(ys["transmitter"][400]) == pytest.approx(2500.0 * first, rel=1e-12)
    assert np.sign(round(first - 0.6, 12)) == sign


# ------------------------------------------------------------------ Currents


def test_slow_inward_current():
    model = synapses.SlowInwardCurrent()
    threshold = 0.19669
    calcium = jnp.asarray([0.0, 0.1, threshold, threshold + 0.001, threshold + 0.1, 1.0187])
    expected = [0.0, 0.0, 0.0, 0.0, np.log(100.0), np.log(1018.7 - 196.69)]
    np.testing.assert_allclose(model(calcium), expected, rtol=1e-9, atol=1e-9)
    assert expected[-1] == pytest.approx(6.712, abs=5e-4)  # NEST's pulse response
    slopes = jax.vmap(jax.grad(model))(calcium)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_array_equal(slopes[:3], 0.0)
    np.testing.assert_allclose(slopes[-2:], 1 / (np.asarray(calcium[-2:]) - threshold), rtol=1e-9)
    pair = model.membrane(jnp.asarray(1.0))
    assert float(pair.conductance) == 0.0


class TwoCells(tp.core.AbstractDynamics):
    """Two membranes without leaks, joined by a gap junction (pF, nS)."""

    junction: synapses.GapJunction
    leakage: jax.Array = parameter(0.0, "1")
    big: jax.Array = parameter(80.0, "pF")
    small: jax.Array = parameter(30.0, "pF")

    def init(self):
        return (jnp.asarray(-80.0), jnp.asarray(20.0))

    def vector_field(self, t, y, u):
        a, b = y
        (g_a, e_a), (g_b, e_b) = self.junction.conductance(b), self.junction.conductance(a)
        lost = 1.0 - self.leakage
        return g_a * (e_a - a) / self.big, lost * g_b * (e_b - b) / self.small


def test_gap_junction_conserves_charge():
    assert issubclass(synapses.GapJunction, AbstractParametrised)
    junction = synapses.GapJunction(3.0)
    v, other = jnp.asarray(-71.3), jnp.asarray(-12.9)
    assert float(junction.current(v, other) + junction.current(other, v)) == 0.0
    g, e = junction.conductance(other)
    assert float(g * (e - v)) == pytest.approx(float(junction.current(v, other)), rel=1e-15)

    def charge_moved(leakage):
        model = TwoCells(junction, leakage)
        sol = tp.simulate(model, t1=50.0, dt=0.1, solver=ClassicalRK4())
        total = 80.0 * sol.ys["y"][0] + 30.0 * sol.ys["y"][1]
        # Most of the difference has gone: (80 + 30) / (80 x 30) x 3 x 50 ms = 6.9 time constants.
        assert abs(float(sol.ys["y"][0][-1] - sol.ys["y"][1][-1])) < 0.2
        return float(jnp.max(jnp.abs(total - total[0])) / jnp.abs(total[0]))

    # A Runge-Kutta step keeps linear invariants to rounding: 500 steps of a few eps.
    assert charge_moved(0.0) < 1e-10
    assert charge_moved(1e-6) > 1e-8
