"""Channel noise against exact Markov chains, and current noise against the theory of its variance.

The chains are written here from Hodgkin and Huxley's rates and nothing of the library.
"""

import math

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import tripartite as tp
from tripartite import cells, channels

COUNT = 1000
VOLTAGES = (-40.0, -20.0, 0.0, 20.0)
# At the peak of the sodium channel's opening, and near the stationary state.
TIMES = (1.0, 12.0)
REPLICAS = 2000
# Changes the variance of the peak by less than 1 %, measured with 60,000 replicas; the standard
# error here is 3 %. The mean is exact at every step.
DT = 0.01


def linoid(x):
    return 1.0 if x == 0.0 else x / -math.expm1(-x)


def rates(name, v):
    """(subunits, opening, closing) of each gate, by name: Hodgkin and Huxley (1952)."""
    if name == "potassium":
        return [(4, 0.1 * linoid((v + 55.0) / 10.0), 0.125 * math.exp(-(v + 65.0) / 80.0))]
    return [
        (1, 0.07 * math.exp(-(v + 65.0) / 20.0), 1.0 / (1.0 + math.exp(-(v + 35.0) / 10.0))),
        (3, linoid((v + 40.0) / 10.0), 4.0 * math.exp(-(v + 65.0) / 18.0)),
    ]


def generator(name, v):
    """`Q[i, j]`, the rate from state i to j: independent subunits, so a Kronecker sum."""
    whole = np.zeros((1, 1))
    for n, opening, closing in rates(name, v):
        one = np.diag(opening * np.arange(n, 0, -1.0), 1) + np.diag(
            closing * np.arange(1.0, n + 1), -1
        )
        one -= np.diag(one.sum(axis=1))
        whole = np.kron(whole, np.eye(n + 1)) + np.kron(np.eye(len(whole)), one)
    return whole


def stationary(name, v):
    joint = np.ones(1)
    for n, opening, closing in rates(name, v):
        p = opening / (opening + closing)
        joint = np.kron(joint, [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
    return joint


def start(name):
    """Whole numbers of channels, as near as they can be to the stationary state at -65 mV."""
    counts = np.floor(COUNT * stationary(name, -65.0)).astype(int)
    counts[0] += COUNT - counts.sum()
    return counts


def simulated_chain(name, v, replicas, seed):
    """Exact: over any time a channel in state i ends in state j with probability `expm(Q t)`."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(start(name), (replicas, start(name).size))
    found = []
    for span in np.diff([0.0, *TIMES]):
        jump = expm(generator(name, v) * span)
        counts = sum(rng.multinomial(counts[:, i], jump[i]) for i in range(len(jump)))
        found.append(counts[:, -1] / COUNT)
    return np.stack(found)


@eqx.filter_jit
def clamp_all(clamp, y, voltages, keys):
    def run(v, key):
        solution = tp.simulate(
            clamp,
            v - clamp.holding,
            t1=TIMES[-1],
            dt=DT,
            save_every=1.0,
            key=key,
            y0=y,
            record=lambda gates: clamp.channel.open_conductance(gates, v),
        )
        return jnp.stack([solution.ys[round(t)] for t in TIMES])

    return jax.vmap(jax.vmap(run, (None, 0)))(voltages, keys)


def clamped(channel, replicas, seed):
    """The open fraction `[voltages, replicas, times]`, from the same channels as the chain."""
    clamp = cells.VoltageClamp(channel)
    y = clamp.init()
    if isinstance(channel, channels.MarkovChannel):
        fractions = jnp.asarray(start(channel.name) / COUNT)
        y = y._replace(deviation=(fractions - channel.expected(y.gates))[1:])
    keys = jax.random.split(jax.random.key(seed), (len(VOLTAGES), replicas))
    return np.asarray(clamp_all(clamp, y, jnp.asarray(VOLTAGES), keys))


def moments(x):
    """Mean and variance of independent samples, each with its squared standard error."""
    deviations = x - x.mean()
    variance = np.mean(deviations**2)
    fourth = np.mean(deviations**4)
    return x.mean(), variance, variance / x.size, (fourth - variance**2) / x.size


def scores(a, b):
    """How many standard errors two sets of samples are apart, in mean and in variance."""
    (m, v, sm, sv), (n, w, sn, sw) = moments(a), moments(b)
    return (m - n) / math.sqrt(sm + sn), (v - w) / math.sqrt(sv + sw)


def compare(channel, *, seed):
    """`[voltages, times, 2]` scores of a noisy channel against its chain."""
    found = clamped(channel, REPLICAS, seed)
    return np.array(
        [
            [
                scores(found[i, :, j], chain[j])
                for chain in [simulated_chain(channel.name, v, REPLICAS, seed)]
                for j in range(len(TIMES))
            ]
            for i, v in enumerate(VOLTAGES)
        ]
    )


SINGLE = {"potassium": channels.Potassium(1.0), "sodium": channels.Sodium(1.0)}


@pytest.mark.gate
@pytest.mark.parametrize("name", SINGLE)
def test_mean_and_variance_under_a_clamp_are_the_chain_s(name):
    found = compare(channels.MarkovChannel(SINGLE[name], COUNT), seed=0)
    assert np.abs(found).max() < 3.0, found


@pytest.mark.gate
def test_twice_the_channels_fail_the_comparison():
    found = compare(channels.MarkovChannel(SINGLE["potassium"], 2 * COUNT), seed=0)
    # Half the variance, known to 3 % and 2 %.
    assert found[:, :, 1].max() < -10.0, found


def gate_noise_factor(name, v):
    """Variance of a product of independent noisy gates, to first order, over the chain's."""
    steady = [(n, a / (a + b)) for n, a, b in rates(name, v)]
    share = math.prod(p**n for n, p in steady)
    relative = sum(n**2 * (1.0 - p) / p for n, p in steady)
    return share * relative / (1.0 - share)


@pytest.mark.parametrize("name", SINGLE)
def test_noise_on_the_gates_alone_has_the_wrong_variance(name):
    found = clamped(channels.GateNoiseChannel(SINGLE[name], COUNT), REPLICAS, seed=0)[:, :, -1]
    shares = np.array([stationary(name, v)[-1] for v in VOLTAGES])
    measured = found.var(axis=1) / (shares * (1.0 - shares) / COUNT)
    expected = np.array([gate_noise_factor(name, v) for v in VOLTAGES])
    # A standard error is 3 % (5 % where few sodium channels are open, skewly distributed).
    np.testing.assert_allclose(measured, expected, rtol=0.2)
    assert np.abs(np.log(measured)).max() > math.log(3.0)


@pytest.mark.parametrize("name", SINGLE)
def test_the_simulated_chain_is_the_multinomial_of_theory(name):
    for v in VOLTAGES:
        peak, late = simulated_chain(name, v, 10_000, seed=1)
        for found, t in ((peak, TIMES[0]), (late, TIMES[1])):
            p = expm(generator(name, v) * t)[:, -1]
            mean, variance = start(name) @ p / COUNT, start(name) @ (p * (1.0 - p)) / COUNT**2
            m, s, error, wide = moments(found)
            assert abs(m - mean) < 4.0 * math.sqrt(error)
            assert abs(s - variance) < 4.0 * math.sqrt(wide)
        # No slower time constant than 9 ms: what is left after a second is below round-off.
        late = expm(generator(name, v) * 1e3)[0]
        np.testing.assert_allclose(late, stationary(name, v), rtol=1e-9)


def some_state(channel, key):
    """A state with every fraction positive, far from what the gates expect."""
    y = channel.init(jnp.asarray(-50.0))
    fractions = jax.random.dirichlet(key, jnp.full(len(channel.states), 2.0))
    return y._replace(deviation=(fractions - channel.expected(y.gates))[1:]), fractions


@pytest.mark.parametrize("name", SINGLE)
def test_drift_and_diffusion_are_the_chain_s(name, key):
    channel, v = channels.MarkovChannel(SINGLE[name], COUNT), -30.0
    y, x = some_state(channel, key)
    chex.assert_trees_all_close(channel.fractions(y), x, rtol=1e-12)
    q = generator(name, v)
    drive, decay = eqx.filter_jit(channel.relax)(y, jnp.asarray(v))
    slope = jax.tree.map(lambda a, b, c: a - b * c, drive, decay, y)
    moved = eqx.filter_jit(lambda a, b: jax.jvp(channel.fractions, (a,), (b,))[1])(y, slope)
    np.testing.assert_allclose(moved, x @ q, atol=1e-13 * np.abs(q).max())
    # Fox and Lu (1994): between two states minus the sum of the two fluxes, over the count.
    flux = np.asarray(x)[:, None] * (q - np.diag(np.diag(q)))
    matrix = (np.diag((flux + flux.T).sum(axis=0)) - flux - flux.T) / COUNT
    sizes = eqx.filter_jit(channel.diffusion)(y, jnp.asarray(v))
    columns = jax.vmap(lambda kick: channel.spread(y, kick).deviation)(jnp.diag(sizes))
    np.testing.assert_allclose(columns.T @ columns, matrix[1:, 1:], atol=1e-13 * matrix.max())


def test_a_negative_flux_has_no_noise_and_a_finite_gradient():
    channel = channels.MarkovChannel(channels.Sodium(), 10.0)
    y = channel.init(jnp.asarray(-65.0))
    y = y._replace(deviation=y.deviation.at[-1].set(-1.0))
    v = jnp.asarray(-65.0)
    sizes = channel.diffusion(y, v)
    assert jnp.all(jnp.isfinite(sizes)) and float(jnp.min(sizes)) == 0.0 < float(jnp.max(sizes))
    slopes = jax.jit(jax.grad(lambda y: jnp.sum(channel.diffusion(y, v))))(y)
    chex.assert_tree_all_finite(slopes)


def test_the_states_keep_their_order_under_jit():
    # Dictionaries leave jit sorted by name; sodium's gates are given as m, h.
    channel = channels.MarkovChannel(channels.Sodium(), COUNT)
    assert channel.states[1] == (0, 1) and eqx.filter_jit(lambda c: c.states)(channel)[1] == (0, 1)
    y, _ = some_state(channel, jax.random.key(0))
    jitted = eqx.filter_jit(lambda c, y: c.relax(y, jnp.asarray(-30.0)))(channel, y)
    chex.assert_trees_all_close(jitted, channel.relax(y, jnp.asarray(-30.0)), rtol=1e-12)


@pytest.mark.gate
def test_a_deviation_decays_as_the_chain_to_second_order(key):
    # So many channels that what is left of the noise, 1e-12, is below the errors of the steps.
    channel = channels.MarkovChannel(channels.Potassium(1.0), 1e24)
    clamp = cells.VoltageClamp(channel)
    y, _ = some_state(channel, key)
    v = 0.0
    whole = np.concatenate([[-y.deviation.sum()], y.deviation])
    exact = (whole @ expm(generator("potassium", v)))[1:]
    errors = []
    for dt in (0.04, 0.02, 0.01):
        solution = tp.simulate(clamp, v + 65.0, t1=1.0, dt=dt, key=key, y0=y, record="state")
        errors.append(jnp.max(jnp.abs(solution.stats["y1"].deviation - exact)))
    orders = jnp.log2(jnp.stack(errors[:-1]) / jnp.stack(errors[1:]))
    np.testing.assert_allclose(orders, 2.0, atol=0.1)


def voltage(cell, key, current=None, *, t1, dt=0.05):
    return tp.simulate(cell, current, t1=t1, dt=dt, key=key).ys["v"]


COUNTS = {"sodium": 6000.0, "potassium": 1800.0}


def squid(counts=None, **parameters):
    return cells.with_channel_noise(cells.HodgkinHuxley(**parameters), counts or COUNTS)


def test_with_many_channels_it_is_the_cell_without_noise(key):
    many = squid({"sodium": 1e24, "potassium": 1e24})
    noisy = tp.simulate(many, 10.0, t1=20.0, dt=0.05, key=key).ys["v"]
    plain = tp.simulate(cells.HodgkinHuxley(), 10.0, t1=20.0, dt=0.05).ys["v"]
    # Fluctuations of 1e-12 of 120 mS/cm2 at 100 mV over some ms, and a spike's gain of 100.
    np.testing.assert_allclose(noisy, plain, atol=1e-6)
    fewer = squid({"sodium": 1e4, "potassium": 1e4})
    assert jnp.max(jnp.abs(tp.simulate(fewer, 10.0, t1=20.0, dt=0.05, key=key).ys["v"] - plain)) > 1


@pytest.mark.gate
def test_gradients_of_a_held_path_are_those_of_differences():
    keys = jax.random.split(jax.random.key(0), 8)

    @jax.jit
    def mean_voltage(g):
        cell = squid(g_sodium=g[0], g_potassium=g[1], g_leak=g[2])
        return jnp.mean(jax.vmap(lambda key: voltage(cell, key, 3.0, t1=20.0))(keys))

    g, h = jnp.asarray([120.0, 36.0, 0.3]), 1e-6
    shifts = h * jnp.diag(g)
    up, down = (jnp.stack([mean_voltage(g + s * row) for row in shifts]) for s in (1.0, -1.0))
    # Round-off 1e-16 * 60 mV over h g dv/dg, some 1e-6 * 3 mV, is 2e-9, and the error of the
    # difference h^2, unless a flux changes sign between the two: a path is smooth in pieces.
    difference = (up - down) / (2.0 * h * g)
    np.testing.assert_allclose(jax.jit(jax.grad(mean_voltage))(g), difference, rtol=1e-5)


def test_current_noise_makes_a_leaky_membrane_an_ornstein_uhlenbeck_process(key):
    paths, dt, conductance, capacitance, intensity = 4000, 0.1, 0.25, 2.0, 3.0
    leaky = cells.ConductanceCell((channels.Leak(conductance, -60.0),), capacitance, -60.0)
    cell = cells.with_current_noise(leaky, intensity)
    keys = jax.random.split(key, paths)
    v = jax.vmap(lambda k: voltage(cell, k, t1=60.0, dt=dt)[-1])(keys)
    # Intensity / (2 g C); the step's own (r dt/2) coth(r dt/2), r = g / C, adds 1e-5 of it.
    variance = intensity / (2.0 * conductance * capacitance)
    assert abs(float(jnp.mean(v)) + 60.0) < 4.0 * math.sqrt(variance / paths)
    assert abs(float(jnp.var(v)) / variance - 1.0) < 4.0 * math.sqrt(2.0 / paths)


@pytest.mark.gate
def test_float32_stays_float32_and_finite(key):
    # A patch of 1 um2: fractions below zero are common.
    patch = squid({"sodium": 60.0, "potassium": 18.0})
    cell = tp.astype(cells.with_current_noise(patch, 0.5), jnp.float32)
    keys = jax.random.split(key, 4)
    v = jax.vmap(lambda k: voltage(cell, k, t1=100.0))(keys)
    assert v.dtype == jnp.float32 and bool(jnp.all(jnp.isfinite(v)))
    # The patch fires by itself: no spike in 400 ms at 50 Hz has a chance of 1e-9.
    assert float(jnp.max(v)) > 20.0


def test_a_key_names_a_path_and_the_path_can_be_mapped():
    clamp = cells.VoltageClamp(channels.MarkovChannel(channels.Potassium(), 100.0))

    def path(key):
        return tp.simulate(clamp, 45.0, t1=5.0, dt=0.05, key=key).ys["gates"].deviation

    keys = jax.random.split(jax.random.key(0), 2)
    mapped = jax.vmap(path)(keys)
    # Reordered sums of numbers below 1.
    np.testing.assert_allclose(mapped[0], path(keys[0]), atol=1e-12)
    assert float(jnp.max(jnp.abs(mapped[1] - mapped[0]))) > 0.01


@pytest.mark.gate
def test_noisy_models_conform():
    slow = channels.Channel("slow", {"q": channels.CalciumGate()}, 1.0, -90.0)
    calcium = channels.NernstChannel("calcium", channels.l_type_gates(), 0.1)
    parts = (channels.Leak(), slow, calcium, channels.Potassium())
    pool = channels.CalciumPool(("calcium",))
    cell = cells.with_current_noise(cells.ConductanceCell(parts, pool=pool), 0.5)
    cell = cells.with_channel_noise(cell, {"slow": 100.0, "calcium": 100.0})
    cell = cells.with_channel_noise(cell, {"potassium": 10.0}, kind=channels.GateNoiseChannel)
    tp.testing.check(cell).assert_ok()
    one_gate = channels.Channel("m", {"h": channels.Sodium().gates["h"]}, 1.0, -90.0)
    tp.testing.check(cells.VoltageClamp(channels.MarkovChannel(one_gate, 100.0))).assert_ok()


def test_what_cannot_be_noisy_says_so():
    squid_axon = cells.HodgkinHuxley()
    with pytest.raises(ValueError, match=r"counts must name channels.*sodium.*got \['calcium'\]"):
        cells.with_channel_noise(squid_axon, {"calcium": 10.0})
    with pytest.raises(ValueError, match=r"counts must name channels of the cell.*got \[\]"):
        cells.with_channel_noise(squid_axon, {})
    with pytest.raises(ValueError, match=r"needs a channel with gates, got Channel 'leak'"):
        cells.with_channel_noise(squid_axon, {"leak": 10.0})
    with pytest.raises(ValueError, match=r"needs a channel with gates, got MarkovChannel 'sodium'"):
        cells.with_channel_noise(squid(), {"sodium": 10.0})
    with pytest.raises(ValueError, match=r"cannot take the gates \{'m': 'InstantaneousGate'\}"):
        cells.with_channel_noise(cells.WangBuzsaki(), {"sodium": 10.0})
    for count in (0.0, -5.0):
        with pytest.raises(ValueError, match=r"MarkovChannel.count must be positive"):
            cells.with_channel_noise(squid_axon, {"sodium": count})
    with pytest.raises(ValueError, match=r"CurrentNoise.intensity must be positive"):
        cells.with_current_noise(squid_axon, 0.0)
    with pytest.raises(ValueError, match=r"got MarkovChannel 'sodium'"):
        channels.GateNoiseChannel(channels.MarkovChannel(channels.Sodium(), 5.0), 5.0)


@pytest.mark.parametrize("noisy", [squid(), cells.with_current_noise(cells.HodgkinHuxley(), 1.0)])
def test_noise_is_never_dropped_in_silence(noisy):
    for units in (cells.TVLIF, cells.DerivativeTVLIF):
        with pytest.raises(ValueError, match=r"need a cell without noise.*would be dropped"):
            units(noisy)
    with pytest.raises(ValueError, match=r"is noisy.*needs a key and a fixed step"):
        tp.simulate(noisy, t1=1.0)
