"""Long-term plasticity: published frequency points, the pair window, bounds, and the BCM rule."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synapse_oracles as oracles
import tripartite as tp
from tripartite import synapses
from tripartite.core import Cleft
from tripartite.stimuli import AbstractStimulus

MINIMAL = {
    "a2p": 0.0, "a3p": 6.5e-3, "a2m": 7.1e-3, "a3m": 0.0,
    "tau_p": 16.8, "tau_x": 101.0, "tau_m": 33.7, "tau_y": 114.0,
}  # fmt: skip
FULL = MINIMAL | {"a2p": 5e-10, "a3p": 6.2e-3, "a2m": 7e-3, "a3m": 2.3e-4, "tau_y": 125.0}
NEAREST = MINIMAL | {"a2p": 4.6e-3, "a3p": 9.1e-3, "a2m": 3.0e-3, "tau_y": 48.0, "nearest": True}
# Frequencies of 60 pairings (Hz), and the change with post 10 ms after pre, and 10 ms before.
TEN = {
    0.1: (0.000, -0.317), 10.0: (0.119, -0.332), 20.0: (0.228, -0.342), 40.0: (0.532, 0.174),
    50.0: (0.763, 0.749),
}  # fmt: skip
# And what Sjostrom et al. (2001) measured, with its standard errors.
MEASURED = {
    10: ((-0.04, 0.05), (0.14, 0.10), (0.29, 0.14), (0.53, 0.11), (0.56, 0.26)),
    -10: ((-0.29, 0.08), (-0.41, 0.11), (-0.34, 0.10), (0.56, 0.32), (0.75, 0.19)),
}


def plastic(rule, **bounds):
    return synapses.PlasticSynapse(synapses.Exponential(), rule, **bounds)


def weight_after(rule, pre, post, dt, **bounds):
    """The weight's change after both trains."""
    t1 = dt * np.ceil((max(*pre, *post) + dt) / dt)
    train = synapses.spike_train(pre, t1=t1, dt=dt, post_times=post)
    model = plastic(rule, **bounds)
    sol = tp.simulate(model, train, t1=t1, dt=dt, record={"w": lambda y: y.weight}, save_every=t1)
    return float(sol.ys["w"][-1]) - float(model.initial)


def protocol(rule):
    """Change by 60 pairings at each frequency of TEN, one row per lag: one compiled solve."""
    trains, t1, dt = [], 0.0, 5.0
    for lag in (10.0, -10.0):
        for frequency in TEN:
            pre, post = oracles.pairings(frequency, lag)
            trains.append((pre, post))
            t1 = max(t1, pre[-1] + 20.0)
    stack = [synapses.spike_train(a, t1=t1, dt=dt, post_times=b) for a, b in trains]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *stack)
    model = plastic(rule)

    def solve(train):
        record = {"w": lambda y: y.weight}
        return tp.simulate(model, train, t1=t1, dt=dt, record=record, save_every=t1).ys["w"][-1]

    changes = jax.jit(jax.vmap(solve))(batch) - 1.0
    return np.asarray(changes).reshape(2, 5), trains


@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        (synapses.visual_cortex(), MINIMAL),
        (synapses.visual_cortex(full=True), FULL),
        (synapses.hippocampus(), NEAREST),
    ],
    ids=["minimal", "full", "nearest"],
)
def test_ten_frequency_points(rule, parameters):
    changes, trains = protocol(rule)
    expected = [oracles.stdp(set(a), set(b), **parameters) for a, b in trains]
    # 120,000 steps multiply factors that are each within an eps.
    np.testing.assert_allclose(changes, np.reshape(expected, (2, 5)), rtol=0, atol=1e-10)
    if parameters is MINIMAL:
        np.testing.assert_allclose(changes.T, list(TEN.values()), rtol=0, atol=1e-3)
    if parameters is not NEAREST:
        data = np.array([MEASURED[10], MEASURED[-10]])
        z = (changes - data[:, :, 0]) / data[:, :, 1]
        assert np.mean(z**2) == pytest.approx(0.36 if parameters is MINIMAL else 0.34, abs=5e-3)


def test_a_pair_rule_has_no_frequency():
    # The negative control: without triplets, potentiation does not overtake depression.
    rule = synapses.PairSTDP(potentiation=6.5e-3, depression=7.1e-3)
    changes, _ = protocol(rule)
    assert changes[1, 4] < 0.3 < TEN[50.0][1]


@pytest.mark.parametrize("rule", ["pair", "nearest", "triplet"])
def test_pair_window(rule):
    lags = np.array([-80.0, -20.0, -1.0, 1.0, 10.0, 40.0])
    if rule == "triplet":
        model = synapses.TripletSTDP(
            pair_potentiation=5e-3, triplet_potentiation=0.0, pair_depression=5.25e-3,
            tau_plus=17.0, tau_minus=34.0,
        )  # fmt: skip
    else:
        model = synapses.PairSTDP(tau_plus=17.0, tau_minus=34.0, nearest=rule == "nearest")
    expected = np.where(lags > 0, 5e-3 * np.exp(-lags / 17.0), -5.25e-3 * np.exp(lags / 34.0))
    # Simulated once for all lags, by hand: decay is exp(-dt / tau) whatever the step.
    trains = [synapses.spike_train([100.0], t1=200.0, dt=1.0, post_times=[100.0 + x]) for x in lags]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *trains)

    def solve(train):
        return tp.simulate(plastic(model), train, t1=200.0, dt=1.0).ys["weight"][-1]

    change = np.asarray(jax.jit(jax.vmap(solve))(batch)) - 1.0
    np.testing.assert_allclose(change, expected, rtol=0, atol=1e-12)


def test_two_spikes_at_once_read_the_traces_from_before():
    assert weight_after(synapses.PairSTDP(), [10.0], [10.0], 1.0) == 0.0
    # A pair of ties: each side sees the other's first spike alone.
    both = weight_after(synapses.PairSTDP(), [10.0, 20.0], [10.0, 20.0], 1.0)
    assert both == pytest.approx((5e-3 - 5.25e-3) * np.exp(-0.5), abs=1e-15)


def test_bounds():
    rule = synapses.PairSTDP(potentiation=0.6, depression=0.7)
    assert weight_after(rule, [10.0], [11.0], 1.0, ceiling=1.25) == 0.25
    assert weight_after(rule, [11.0, 12.0], [10.0], 1.0, floor=0.5) == -0.5


def test_weight_scales_the_conductance_and_no_transmitter():
    inner = synapses.TsodyksMarkram(synapses.Exponential())
    model = synapses.PlasticSynapse(inner, synapses.PairSTDP(), initial=3.0)
    spike = Cleft(*(jnp.asarray(x) for x in (-65.0, -65.0, 1.0)))
    y = model.jump(jnp.asarray(1.0), model.init(), model.init(), spike)
    v = jnp.asarray(-65.0)
    assert float(model.conductance(y, v)[0]) == pytest.approx(3 * 0.05 * 0.6)
    assert float(model.transmitter(y)) == pytest.approx(2500 * 0.6)


# ------------------------------------------------------------------ Bienenstock, Cooper, Munro


class Poisson(AbstractStimulus):
    """Independent pre- and postsynaptic Bernoulli spikes on the grid, drawn from the step."""

    key: jax.Array
    pre: jax.Array
    post: jax.Array
    spacing: jax.Array

    def __call__(self, t):
        step = jnp.round(t / self.spacing).astype(jnp.int32)
        drawn = jax.random.uniform(jax.random.fold_in(self.key, step), (2,))
        fired = (drawn < jnp.stack([self.pre, self.post]) * self.spacing).astype(drawn.dtype)
        silent = jnp.zeros_like(self.pre)
        return Cleft(silent, silent, fired[0], post_spike=fired[1])

    def jumps(self):
        return jnp.zeros((0,))


def test_threshold_of_the_triplet_rule(key):
    rule, dt, t1, edges = synapses.visual_cortex(), 0.5, 4000.0, 384
    # Bounds far away: the mean change must not be cut.
    model = plastic(rule, initial=100.0, ceiling=200.0)
    rates = np.array([10.0, 16.0, 24.0])

    def solve(key, post):
        train = Poisson(key, jnp.asarray(0.02), post * 1e-3, jnp.asarray(dt))
        record = {"w": lambda y: y.weight}
        sol = tp.simulate(model, train, t1=t1, dt=dt, record=record, save_every=t1 / 2)
        return sol.ys["w"][2] - sol.ys["w"][1]

    keys = jax.random.split(key, (len(rates), edges))
    grid = jax.jit(jax.vmap(jax.vmap(solve, (0, None)), (0, 0)))
    change = np.asarray(grid(keys, jnp.asarray(rates)))
    drift = change.mean(1) / (t1 / 2 * 1e-3)
    # Independent spikes on a grid: the mean of a trace before its step is p / (exp(dt / tau) - 1).
    p, q = 0.02 * dt, rates * 1e-3 * dt
    r1, o1, o2 = p / np.expm1(dt / 16.8), q / np.expm1(dt / 33.7), q / np.expm1(dt / 114.0)
    theory = (q * 6.5e-3 * r1 * o2 - p * 7.1e-3 * o1) / (dt * 1e-3)
    spread = change.std(1) / np.sqrt(edges) / (t1 / 2 * 1e-3)
    assert np.all(np.abs(drift - theory) < 4 * spread)
    # Drift over rate is a straight line through the threshold.
    slope, offset = np.polyfit(rates, drift / rates, 1, w=rates / spread)
    assert -offset / slope == pytest.approx(19.2, abs=0.5)
    assert float(rule.modification_threshold()) * 1e3 == pytest.approx(19.22, abs=5e-3)


@pytest.mark.parametrize("post", [10.0, 19.22, 30.0])
def test_smooth_rule_at_constant_rates_is_bcm(post):
    model = synapses.SmoothPlasticSynapse(
        synapses.ampa(), synapses.visual_cortex(), pre=None, post=None
    )
    train = synapses.spike_train(t1=4000.0, dt=2.0, rate=0.02, post_rate=post * 1e-3)
    sol = tp.simulate(model, train, t1=4000.0, dt=2.0)
    drift = (sol.ys["weight"][-1] - sol.ys["weight"][1000]) / 2.0
    theory = 20 * (-7.1e-3 * 0.0337 * post + 6.5e-3 * 0.0168 * 0.114 * post**2)
    # The slowest trace, 114 ms, has settled to exp(-17) = 3e-8.
    assert float(drift) == pytest.approx(theory, abs=1e-6)


def test_smooth_rule_sees_voltages():
    # Two square depolarisations of 1 ms, 10 ms apart: as spikes do, in that order only.
    def change(first, second):
        def pulse(start):
            return tp.stimuli.Step(130.0, start=start, stop=start + 1.0)

        class Rest(AbstractStimulus):
            above: AbstractStimulus

            def __call__(self, t):
                return self.above(t) - 65.0

            def jumps(self):
                return self.above.jumps()

        model = synapses.SmoothPlasticSynapse(synapses.ampa(), synapses.PairSTDP())
        train = synapses.spike_train(
            t1=60.0, dt=0.05, v_pre=Rest(pulse(first)), v_post=Rest(pulse(second))
        )
        return float(tp.simulate(model, train, t1=60.0, dt=0.05).ys["weight"][-1]) - 1.0

    # Each pulse is one spike smeared over 1 ms: to (1 / 20)^2 / 12 of the pair window.
    assert change(10.0, 20.0) == pytest.approx(5e-3 * np.exp(-0.5), rel=1e-3)
    assert change(20.0, 10.0) == pytest.approx(-5.25e-3 * np.exp(-0.5), rel=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: synapses.PairSTDP(depression=-1e-3),
            r"PairSTDP\.depression must lie in \[0, infinity\), got -0\.001: the rule itself says",
        ),
        (lambda: synapses.TripletSTDP(tau_y=0.0), r"TripletSTDP\.tau_y must be positive, got 0"),
        (
            lambda: plastic(synapses.PairSTDP(), initial=2.0, ceiling=1.5),
            r"needs 0 <= floor <= initial <= ceiling, got 0\.0, 2\.0 and 1\.5: widen the bounds",
        ),
        (
            lambda: synapses.SmoothPlasticSynapse(synapses.Exponential(), synapses.PairSTDP()),
            r"synapse must not jump, got Exponential: use PlasticSynapse, or a smooth synapse",
        ),
    ],
)
def test_bad_rules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rules_are_edges_under_vmap():
    amplitudes = jnp.asarray([1e-3, 5e-3, 9e-3])
    models = eqx.filter_vmap(lambda a: plastic(synapses.PairSTDP(potentiation=a)))(amplitudes)
    train = synapses.spike_train([10.0], t1=40.0, dt=1.0, post_times=[15.0])

    @eqx.filter_jit
    @eqx.filter_vmap
    def solve(model):
        return tp.simulate(model, train, t1=40.0, dt=1.0).ys["weight"][-1]

    expected = 1 + np.asarray(amplitudes) * np.exp(-0.25)
    np.testing.assert_allclose(solve(models), expected, rtol=1e-12)
