"""The two-layer memory: Lagrangians, energy, dynamics, and where it is attention."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import memory as mem

FEATURES, HIDDEN = 16, 64


def stored(seed=0, hidden=HIDDEN, features=FEATURES):
    """Patterns on the sphere of radius 2 sqrt(d - 1), and a cue near the first."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((hidden, features))
    x *= 2 * np.sqrt(features - 1) / np.linalg.norm(x, axis=-1, keepdims=True)
    return jnp.asarray(x), jnp.asarray(x[0] + rng.standard_normal(features))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


ACTIVATIONS = {
    "identity": (mem.Identity(), lambda x: x),
    "relu power": (mem.ReluPower(3), lambda x: np.maximum(x, 0) ** 2),
    "even power": (mem.EvenPower(4), lambda x: x**3),
    "exponential": (mem.Exponential(), np.exp),
    "log sum exp": (mem.LogSumExp(2.0), lambda x: softmax(2 * x)),
    "absolute": (mem.Absolute(), np.sign),
    "log cosh": (mem.LogCosh(3.0), lambda x: np.tanh(3 * x)),
    "spherical": (mem.Spherical(), lambda x: x / np.linalg.norm(x)),
}


def test_activations_are_gradients():
    """In both precisions, and convex, also where an absolute value or a length has its corner."""
    x = np.random.default_rng(0).standard_normal(6)
    lagrangians = {name: lagrangian for name, (lagrangian, _) in ACTIVATIONS.items()}

    @eqx.filter_jit
    def derivatives(lagrangians, x):
        return {
            name: (jax.grad(one)(x), jax.hessian(one)(x), jax.hessian(one)(jnp.zeros_like(x)))
            for name, one in lagrangians.items()
        }

    @eqx.filter_jit
    def gradients(lagrangians, x):
        return {name: jax.grad(one)(x) for name, one in lagrangians.items()}

    double = derivatives(lagrangians, jnp.asarray(x))
    single = gradients(tp.astype(lagrangians, jnp.float32), jnp.asarray(x, jnp.float32))
    for name, (_, activation) in ACTIVATIONS.items():
        gradient, *hessians = double[name]
        np.testing.assert_allclose(gradient, activation(x), rtol=1e-13)
        for hessian in hessians:
            assert np.linalg.eigvalsh(hessian).min() > -1e-12  # not for NaN
        assert single[name].dtype == jnp.float32
        np.testing.assert_allclose(single[name], activation(x), rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_cosh_where_cosh_overflows(dtype):
    x = jnp.asarray([-2000.0, -1.0, 0.0, 1e-3, 2000.0], dtype)
    expected = [2000 - np.log(2), np.log(np.cosh(1)), 0, 5e-7, 2000 - np.log(2)]
    eps = float(jnp.finfo(dtype).eps)
    # Near zero log 2 is subtracted from itself: an absolute error of eps.
    np.testing.assert_allclose(mem.log_cosh(x), expected, rtol=4 * eps, atol=eps + 1e-13)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(mem.log_cosh))))(x)
    np.testing.assert_allclose(
        second, [0, 1 / np.cosh(1) ** 2, 1, 1 - 1e-6, 0], atol=2 * eps + 1e-12
    )


def test_equations():
    """Sum by sum, as in the paper, for a power and a tanh."""
    xi = np.random.default_rng(1).standard_normal((3, 2))
    memory = mem.TwoLayerMemory.model_a(xi, 3, mem.LogCosh(2.0), tau_f=0.7, tau_h=1.9)
    v, h, current = np.array([0.3, -0.8]), np.array([0.5, -1.0, 2.0]), np.array([0.1, 0.4])
    y = mem.TwoLayerState(jnp.asarray(v), jnp.asarray(h))

    @eqx.filter_jit
    def field_and_energy(memory, y, u):
        return memory.vector_field(jnp.zeros(()), y, u), memory.energy(y, u)

    found, found_energy = field_and_energy(memory, y, jnp.asarray(current))
    f, g = np.maximum(h, 0) ** 2, np.tanh(2 * v)
    for i in range(2):
        slope = (sum(xi[m, i] * f[m] for m in range(3)) - v[i] + current[i]) / 0.7
        np.testing.assert_allclose(found.v[i], slope, rtol=1e-13)
    for m in range(3):
        slope = (sum(xi[m, i] * g[i] for i in range(2)) - h[m]) / 1.9
        np.testing.assert_allclose(found.h[m], slope, rtol=1e-13)
    energy = (v - current) @ g - np.sum(np.log(np.cosh(2 * v))) / 2
    energy += h @ f - np.sum(np.maximum(h, 0) ** 3) / 3 - f @ xi @ g
    np.testing.assert_allclose(found_energy, energy, rtol=1e-13)


SMALL = np.random.default_rng(2).standard_normal((5, 3))
MODELS = {
    "A": mem.TwoLayerMemory.model_a(SMALL, 4, mem.LogCosh(2.0), tau_h=0.3),
    "B": mem.TwoLayerMemory.model_b(SMALL, 2.0, tau_h=0.3),
    "C": mem.TwoLayerMemory.model_c(SMALL, 3, tau_h=0.3),
    "classical": mem.TwoLayerMemory(SMALL, mem.LogCosh(), mem.Identity(), 2.0, 1.0),
    "a user's own": mem.TwoLayerMemory(SMALL, lambda v: jnp.sum(v**4), mem.Exponential()),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_energy_falls_at_the_rate_of_theory(name):
    memory = MODELS[name]
    rng = np.random.default_rng(3)
    y = mem.TwoLayerState(*(jnp.asarray(rng.standard_normal((5, n))) for n in (3, 5)))

    @eqx.filter_jit
    @eqx.filter_vmap(in_axes=(None, 0, 0))
    def rates(memory, y, u):
        slope = memory.vector_field(jnp.zeros(()), y, u)
        return jax.jvp(lambda y: memory.energy(y, u), (y,), (slope,))[1], memory.dissipation(y, u)

    rate, dissipation = rates(memory, y, jnp.asarray(rng.standard_normal((5, 3))))
    np.testing.assert_allclose(rate, dissipation, atol=1e-10, rtol=1e-12)
    assert np.all(dissipation < 0)


def test_dissipation_of_model_b_by_hand():
    """The Hessian of log sum exp(beta h) / beta is beta (diag f - f f^T)."""
    memory = MODELS["B"]
    y = mem.TwoLayerState(jnp.asarray([1.0, -0.5, 0.2]), jnp.asarray([0.1, 0.9, -1.0, 0.0, 0.4]))

    @eqx.filter_jit
    def field_and_rate(memory, y):
        return memory.vector_field(jnp.zeros(()), y, None), memory.dissipation(y)

    slope, rate = jax.tree.map(np.asarray, field_and_rate(memory, y))
    f = softmax(2 * np.asarray(y.h))
    hessian = 2 * (np.diag(f) - np.outer(f, f))
    expected = -slope.v @ slope.v - 0.3 * slope.h @ hessian @ slope.h
    np.testing.assert_allclose(rate, expected, rtol=1e-12)


def test_free_dynamics_come_to_the_iterated_update():
    """Model B for four ratios of time constants: one fixed point, energy falling all the way."""
    patterns, cue = stored()

    @eqx.filter_jit
    @eqx.filter_vmap
    def run(tau_h):
        memory = mem.TwoLayerMemory.model_b(patterns, tau_h=tau_h)
        solution = tp.simulate(
            memory,
            t1=40.0,
            y0=memory.start(cue)._replace(h=jnp.zeros(HIDDEN)),
            rtol=1e-10,
            atol=1e-10,
            save_every=0.5,
            record=lambda y: (y.v, memory.energy(y)),
        )
        return *solution.ys, memory.residual(solution.stats["y1"])

    v, energies, residual = run(jnp.array([0.01, 0.1, 1.0, 10.0]))
    xi, target = np.asarray(patterns), np.asarray(cue)
    for _ in range(50):
        target = softmax(xi @ target) @ xi
    # The slowest hidden neurons have 4 of their time constants to come from 0 to 60.
    np.testing.assert_allclose(v[:3, -1], np.tile(target, (3, 1)), atol=1e-8)
    np.testing.assert_allclose(v[3, -1], target, atol=1e-4)
    assert np.all(residual[:3] < 1e-6)
    # Where the path is within 1e-10 of rest, energy differs from its minimum by the square of
    # that; what is left is the rounding of terms of 60.
    assert np.all(np.diff(energies, axis=1) <= 1e-12) and np.all(energies[:, -1] < energies[:, 0])


@pytest.mark.parametrize(
    ("dtype", "bound"),
    [("float64", 1e-8), pytest.param("float32", 1e-4, marks=pytest.mark.slow)],
)
def test_a_clamped_query_reads_attention(dtype, bound):
    patterns, cue = (x.astype(dtype) for x in stored())
    values = jnp.asarray(np.random.default_rng(4).standard_normal((HIDDEN, 3)), dtype)
    memory = tp.astype(mem.KeyValueMemory(patterns, values, tau_x=0.5), dtype)
    query = cue / 4
    solution = tp.simulate(memory, query, t1=40.0, dt=0.5)
    assert solution.ys["output"].dtype == dtype
    weights = softmax(np.asarray(patterns @ query)).astype(dtype)
    np.testing.assert_allclose(solution.ys["output"][-1], weights @ np.asarray(values), atol=bound)
    np.testing.assert_allclose(solution.ys["memories"][-1], weights, atol=bound)


@pytest.mark.slow
def test_the_gradient_of_a_reading_is_that_of_attention():
    rng = np.random.default_rng(5)
    keys, values, query = (jnp.asarray(rng.standard_normal(s)) for s in ((5, 3), (5, 2), (3,)))

    def circuit(keys):
        memory = mem.KeyValueMemory(keys, values)
        solver = tp.solvers.SequentialExponential(midpoint=False)
        # A sweep of such a step takes the hidden neurons to rest, then what they drive.
        solution = tp.simulate(memory, query, t1=80.0, dt=40.0, solver=solver)
        return jnp.sum(solution.stats["y1"].x ** 2)

    def attention(keys):
        return jnp.sum((jax.nn.softmax(keys @ query) @ values) ** 2)

    np.testing.assert_allclose(jax.grad(circuit)(keys), jax.grad(attention)(keys), atol=1e-8)


def test_an_euler_step_is_the_update():
    patterns, cue = stored()
    memory = mem.TwoLayerMemory.model_b(patterns, 0.3, tau_f=0.7)

    @eqx.filter_jit
    def both(memory, cue):
        y = memory.start(cue)  # tau_h -> 0: the hidden neurons are where they are heading
        stepped = y.v + memory.tau_f * memory.vector_field(jnp.zeros(()), y, None).v
        return stepped, mem.hopfield_update(memory.patterns, cue, 0.3)

    expected = softmax(0.3 * np.asarray(patterns @ cue)) @ np.asarray(patterns)
    for found in both(memory, cue):
        np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.slow
def test_a_long_exponential_step_is_the_update():
    """Swept from the hidden neurons to the features, each goes where it is heading."""
    patterns, cue = stored()
    memory = mem.TwoLayerMemory.model_b(patterns, 0.3, tau_f=0.7)
    solver = tp.solvers.SequentialExponential(midpoint=False)
    found = mem.retrieve(memory, cue, t1=50.0, dt=50.0, solver=solver)
    update = softmax(0.3 * np.asarray(patterns @ cue)) @ np.asarray(patterns)
    np.testing.assert_allclose(found.output, update, atol=1e-12)


@pytest.mark.slow
def test_spherical_memory_recalls_a_direction():
    patterns, cue = stored(hidden=8)
    memory = mem.TwoLayerMemory.model_c(patterns / jnp.linalg.norm(patterns[0]), 4)
    found = mem.retrieve(memory, cue, t1=80.0, dt=0.1)
    direction, length = np.asarray(found.output), np.linalg.norm(found.state.v)
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert direction @ memory.patterns[0] > 0.99
    # Near rest a turn of v is fed back k-fold, k the largest eigenvalue of sum_mu 3 relu(h)^2 xi
    # xi^T / |v| across v; with a delay of tau_h = tau_f / 10 it dies out at the slower root r of
    # (1 - r)(1 - r / 10) = k, and r >= (1 - k) / 1.1. Of the cue's length of 8, exp(-80 r) is left.
    heard = np.maximum(memory.patterns @ direction, 0.0)[:, None] * memory.patterns
    across = np.eye(FEATURES) - np.outer(direction, direction)
    k = np.linalg.eigvalsh(across @ (3 * heard.T @ heard / length) @ across).max()
    assert 8.5 * np.exp(-80 * (1 - k) / 1.1) < 1e-15
    # What remains is rounding: sums of up to 16 terms below 1, to eps each, in v, h and the
    # feedback's slope of 3, and steps of 0.1 ms, each to eps, of which 1 / (0.1 r) = 20 count.
    assert found.residual < 3 * (16 + 20) * np.finfo(float).eps


@pytest.mark.slow
def test_input_decides_where_the_cue_does_not():
    """From silence, a current towards one pattern retrieves it."""
    rng = np.random.default_rng(6)
    patterns = jnp.asarray(rng.choice([-1.0, 1.0], (4, 32)))
    memory = mem.TwoLayerMemory.model_a(patterns, 3, mem.LogCosh(1.0))
    found = mem.retrieve(memory, jnp.zeros(32), stimulus=0.5 * patterns[2], t1=20.0, dt=0.1)
    np.testing.assert_array_equal(jnp.sign(found.output), patterns[2])
    assert found.residual < 1e-4


def test_summary_names_the_parts():
    text = tp.summary(MODELS["B"])
    assert "tau_h" in text and "hidden.beta" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["A", "B", "C", "classical"])
def test_conforms(name):
    tp.testing.check(MODELS[name], jnp.ones(3)).assert_ok()
    tp.testing.check(mem.KeyValueMemory(SMALL, SMALL[:, :2]), jnp.ones(3)).assert_ok()


def test_refusals():
    with pytest.raises(ValueError, match=r"TwoLayerMemory\.patterns must have one row for each"):
        mem.TwoLayerMemory(jnp.ones(3))
    with pytest.raises(ValueError, match=r"TwoLayerMemory\.tau_h must be positive, got 0\.0 ms"):
        mem.TwoLayerMemory.model_b(jnp.ones((2, 3)), tau_h=0.0)
    with pytest.raises(ValueError, match=r"LogSumExp\.beta must be positive"):
        mem.TwoLayerMemory.model_b(jnp.ones((2, 3)), -1.0)
    with pytest.raises(ValueError, match="an integer of at least 2, got 1"):
        mem.ReluPower(1)
    with pytest.raises(ValueError, match="got 3: another power is not convex; use ReluPower"):
        mem.EvenPower(3)
    with pytest.raises(ValueError, match="needs one value for each key, got keys of shape"):
        mem.KeyValueMemory(jnp.ones((2, 3)), jnp.ones((4, 3)))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2, 3\): for several cues"):
        mem.retrieve(mem.TwoLayerMemory(jnp.ones((2, 3))), jnp.ones((2, 3)))
