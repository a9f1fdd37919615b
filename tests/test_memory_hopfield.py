"""Hopfield updates and binary dense memories: attention, energies, bounds and capacities."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import lambertw
from scipy.stats import norm

import tripartite as tp
from tripartite import memory as mem

D, MEMORIES = 20, 50


def sphere(rng, radius, count=MEMORIES, d=D):
    x = rng.standard_normal((count, d))
    return x * radius / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-5)])
def test_update_is_attention(dtype, bound):
    rng = np.random.default_rng(0)
    patterns, states = (rng.standard_normal((n, D)) for n in (MEMORIES, 3))
    scores = np.exp(states @ patterns.T / np.sqrt(D))
    attention = scores / scores.sum(axis=-1, keepdims=True) @ patterns
    x, xi, beta = (jnp.asarray(a, dtype) for a in (patterns, states, D**-0.5))
    found = jax.jit(jax.vmap(mem.hopfield_update, (None, 0, None)))(x, xi, beta)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, attention, atol=bound)
    # JAX's own, which keeps its softmax in float32 whatever comes in: 1e-7.
    q, k = xi[None, :, None], x[None, :, None]  # batch, tokens, heads, size
    with jax.numpy_dtype_promotion("standard"):
        np.testing.assert_allclose(jax.nn.dot_product_attention(q, k, k)[0, :, 0], found, atol=1e-5)


@jax.jit
def fifty_updates(patterns, state, beta):
    def step(state, _):
        return mem.hopfield_update(patterns, state, beta), state

    state, path = jax.lax.scan(step, state, length=51)
    return path[-1], jax.vmap(lambda x: mem.hopfield_energy(patterns, x, beta))(path)


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
def test_updates_never_raise_the_energy(beta):
    rng = np.random.default_rng(1)
    patterns = jnp.asarray(rng.standard_normal((MEMORIES, D)))
    # Within the hull of the patterns, so that 0 <= E <= 2 M^2 holds from the start.
    state = jnp.mean(patterns[:3], axis=0)
    state, energies = map(np.asarray, fifty_updates(patterns, state, beta))
    longest = float(jnp.max(jnp.sum(patterns**2, axis=-1)))
    # Terms of size M^2 / 2 = 20 are rounded at each evaluation.
    assert np.all(np.diff(energies) <= 1e-13 * longest)
    assert min(energies) >= 0 and max(energies) <= 2 * longest
    x, xi = np.asarray(patterns), state
    expected = -np.log(np.mean(np.exp(beta * x @ xi))) / beta + xi @ xi / 2 + longest / 2
    np.testing.assert_allclose(energies[-1], expected, rtol=1e-12)


def test_the_update_descends_its_energy():
    """The gradient of E is xi - f(xi)."""
    rng = np.random.default_rng(2)
    patterns, state = jnp.asarray(rng.standard_normal((9, 4))), jnp.asarray(rng.standard_normal(4))
    slope = jax.jit(jax.grad(mem.hopfield_energy, argnums=1))(patterns, state, 0.7)
    np.testing.assert_allclose(slope, state - mem.hopfield_update(patterns, state, 0.7), atol=1e-14)


def test_regimes_of_retrieval():
    """From the average of all memories to a single one, as beta grows; unit patterns, d = 20."""
    patterns = jnp.asarray(sphere(np.random.default_rng(0), 1.0))
    mixed = [
        float(mem.memories_mixed(mem.hopfield_weights(patterns, patterns[0], beta)))
        for beta in (0.01, 1.0, 10.0, 100.0)
    ]
    assert mixed[0] > 0.99 * MEMORIES and mixed[1] > 0.95 * MEMORIES
    assert 1.01 < mixed[2] < 10 and 1.0 <= mixed[3] < 1.01
    assert float(mem.memories_mixed(jnp.array([0.5, 0.5, 0.0]))) == pytest.approx(2.0)


@pytest.mark.parametrize(("scale", "d", "published"), [(3.0, 20, 3.1546), (1.0, 75, 1.3718)])
def test_constants_of_theorem_3(scale, d, published):
    found = mem.exponential_storage(d, scale=scale, failure=0.001)
    assert found.base == pytest.approx(published, abs=1e-3)
    a = 2 / (d - 1) * (1 + np.log(2 * scale**2 * 0.001 * (d - 1)))
    b = 2 * scale**2 / 5
    c = b / lambertw(np.exp(a) * b).real
    assert found.base == pytest.approx(c, rel=1e-12)
    assert found.memories == pytest.approx(np.sqrt(0.001) * c ** ((d - 1) / 4), rel=1e-12)


def test_theorem_3_far_out():
    """exp(a + ln b) overflows; the root of w + ln w = y does not."""
    found = mem.exponential_storage(3, beta=1e6, scale=10.0)
    w = 2 * 100 * 1e6 / 5 / found.base
    y = 1 + np.log(2e6 * 100 * 0.001 * 2) + np.log(2 * 100 * 1e6 / 5)
    assert w + np.log(w) == pytest.approx(y, rel=1e-12)


def test_one_step_bound_holds():
    rng = np.random.default_rng(3)

    @jax.jit
    def away_and_bound(patterns, noise):
        state = patterns[0] + noise
        found = mem.hopfield_update(patterns, state, 1.0)
        return jnp.linalg.norm(found - patterns[0]), mem.one_step_bound(patterns, state, 0, 1.0)

    pairs = []
    for _ in range(200):
        patterns, noise = sphere(rng, 3 * np.sqrt(D - 1)), 0.1 * rng.standard_normal(D)
        pairs.append(away_and_bound(jnp.asarray(patterns), jnp.asarray(noise)))
    away, bound = np.asarray(pairs).T
    # A distance of x_i from itself is known to some eps |x_i| = 3e-15.
    assert np.all(away <= bound + 1e-13) and np.median(bound) < 1e-6
    gaps = mem.separation(jnp.asarray(patterns))
    others = np.sort(patterns @ patterns[5])[-2]
    np.testing.assert_allclose(gaps[5], patterns[5] @ patterns[5] - others, rtol=1e-12)


def single_bit_theory(n, neurons, memories):
    """Phi(-signal / noise) of one bit with all others right, moments of finite sums.

    The signal is N^n - (N - 2)^n; each other memory adds z = (S + 1)^n - (S - 1)^n with a random
    sign, S a sum of N - 1 random bits, whose law is binomial. For large N the ratio becomes the
    sqrt(N^(n-1) / ((2n-3)!! K)) of Krotov and Hopfield 2016.
    """
    up = np.arange(neurons)
    s = 2.0 * up - (neurons - 1)
    law = np.exp(
        np.cumsum(np.log(np.r_[1.0, (neurons - up[1:]) / up[1:]])) - (neurons - 1) * np.log(2)
    )
    variance = np.sum(law * ((s + 1) ** n - (s - 1) ** n) ** 2) * (memories - 1)
    return norm.cdf(-(float(neurons) ** n - float(neurons - 2) ** n) / np.sqrt(variance))


CAPACITY = [(2, 21, 200), (3, 723, 60), (4, 14476, 8)]


def errors_of_single_bits(n, memories, draws, neurons=100):
    rng = np.random.default_rng(n)
    gaps = eqx.filter_jit(lambda x: mem.dense_gaps(x, x[0], lambda z: z**n))
    rates = []
    for _ in range(draws):
        x = rng.integers(0, 2, (memories, neurons)) * 2.0 - 1.0
        rates.append(np.mean(np.asarray(gaps(jnp.asarray(x))) * x[0] <= 0))
    return np.mean(rates), np.std(rates) / np.sqrt(draws)


@pytest.mark.parametrize(("n", "memories", "draws"), CAPACITY)
def test_capacity_of_dense_memories(n, memories, draws):
    """Twice the error-free capacity: the rates of wrong bits, of N = 100, are those of theory."""
    found, error = errors_of_single_bits(n, memories, draws)
    asymptotic = norm.cdf(-np.sqrt(100.0 ** (n - 1) / ({2: 1, 3: 3, 4: 15}[n] * memories)))
    assert asymptotic == pytest.approx({2: 0.0145, 3: 0.0159, 4: 0.0159}[n], abs=5e-5)
    # Bits of one draw share its memories: the error comes from the spread between draws, or from
    # independent bits if that is larger.
    error = max(error, np.sqrt(asymptotic / (100 * draws)))
    assert abs(found - single_bit_theory(n, 100, memories)) < 3 * error
    assert abs(found - asymptotic) < 3 * error


@pytest.mark.slow
@pytest.mark.parametrize(("n", "memories", "draws"), CAPACITY)
def test_capacity_to_more_digits(n, memories, draws):
    """Ten times as many draws tell the finite sums from their limit, at n = 2 by 6 errors."""
    found, error = errors_of_single_bits(n, memories, 10 * draws)
    error = max(error, np.sqrt(found / (1000 * draws)))
    assert abs(found - single_bit_theory(n, 100, memories)) < 3 * error


def test_below_capacity_nothing_is_wrong():
    assert errors_of_single_bits(3, 180, 10)[0] == 0


def test_gaps_are_differences_of_the_energy():
    rng = np.random.default_rng(4)
    patterns, state = (jnp.asarray(rng.choice([-1.0, 1.0], s)) for s in ((7, 5), (5,)))
    memory = mem.TwoLayerMemory.model_a(patterns, 4)

    @jax.jit
    def energy(state):  # E = -sum relu(xi . s)^4 / 4, of the ODE's resting hidden neurons
        return memory.energy(memory.start(state))

    found = mem.dense_gaps(patterns, state, lambda z: jax.nn.relu(z) ** 4 / 4)
    for i in range(5):
        gap = energy(state.at[i].set(-1.0)) - energy(state.at[i].set(1.0))
        np.testing.assert_allclose(found[i], gap, atol=1e-10)


def test_asynchronous_updates_never_raise_the_energy():
    rng = np.random.default_rng(5)
    patterns, state = (jnp.asarray(rng.choice([-1.0, 1.0], s)) for s in ((40, 16), (16,)))
    sweep = eqx.filter_jit(
        lambda s: mem.dense_update(patterns, s, lambda z: z**4, asynchronous=True)
    )
    expected = np.asarray(state)
    for i in range(16):
        gap = mem.dense_gaps(patterns, jnp.asarray(expected), lambda z: z**4)[i]
        expected = np.where(np.arange(16) == i, np.sign(gap), expected)
    np.testing.assert_array_equal(sweep(state), expected)
    energies = [-np.sum((np.asarray(patterns @ state)) ** 4)]
    for _ in range(4):
        state = sweep(state)
        energies.append(-np.sum((np.asarray(patterns @ state)) ** 4))
    assert np.all(np.diff(energies) <= 0)


def quartic(memories, draws=10):
    """N = 64, 10 % of the bits flipped: patterns of each draw, and a cue near the first."""
    rng = np.random.default_rng(6)
    patterns = rng.choice([-1.0, 1.0], (draws, memories, 64))
    flips = np.array([np.where(rng.permutation(64) < 6, -1.0, 1.0) for _ in range(draws)])
    return patterns, patterns[:, 0] * flips


@pytest.mark.parametrize(("memories", "low", "high"), [(640, 0.99, 1), (1500, 0, 0.97)])
def test_capacity_of_the_reduced_memory(memories, low, high):
    """The fixed points of the neuron-astrocyte memory in theory: `dx/dt = -x + T phi phi phi`."""
    patterns, cues = quartic(memories)

    @eqx.filter_jit
    @eqx.filter_vmap
    def recalled(patterns, cue):
        memory = mem.NeuronAstrocyteMemory(patterns, transport=64.0**-3).reduced()
        solver = tp.solvers.SequentialExponential(midpoint=False)
        return mem.retrieve(memory, cue, t1=30.0, dt=0.5, solver=solver).output

    found = np.sign(recalled(jnp.asarray(patterns), jnp.asarray(cues)))
    assert low < np.mean(found == patterns[:, 0]) <= high


def test_bits_that_do_not_hear_themselves_store_more():
    """The energy-gap rule holds 1,500 quartic memories: K_max is N^3 / (30 ln N) = 2,101."""
    update = eqx.filter_jit(lambda x, s: mem.dense_update(x, s, lambda z: z**4))
    right = []
    for x, state in zip(*quartic(1500), strict=True):
        for _ in range(10):
            state = update(jnp.asarray(x), jnp.asarray(state))
        right.append(np.mean(np.asarray(state) == x[0]))
    assert np.mean(right) > 0.99


def test_refusals():
    patterns = jnp.ones((3, 2))
    with pytest.raises(ValueError, match=r"state must have the patterns' size, shape \(2,\), got"):
        mem.hopfield_update(patterns, jnp.ones(3), 1.0)
    with pytest.raises(ValueError, match="one row for each memory and at least one"):
        mem.hopfield_energy(jnp.ones(2), jnp.ones(2), 1.0)
    with pytest.raises(ValueError, match=r"one bit for each neuron, shape \(2,\), got"):
        mem.dense_update(patterns, jnp.ones(3), jnp.square)
    with pytest.raises(ValueError, match="a failure probability between 0 and 1"):
        mem.exponential_storage(20, failure=1.5)
