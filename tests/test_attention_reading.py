"""The layer in time: its circuit, reading early, what imperfections cost, and both gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import tripartite as tp
from tripartite import astype
from tripartite.attention import (
    AstrocyteAttention,
    Imperfections,
    LearnedExponential,
    OneProcessPerToken,
    reached_at,
)

TOKENS, WIDTH = 3, 2
KEY = jax.random.key(0)
slow = pytest.mark.slow
ALL = Imperfections(
    heterogeneity=0.4, tau_diffusion=0.7, saturation=0.05, tau_write=20.0, window=30.0
)


def text(seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((TOKENS, WIDTH)))


def layer(**options):
    return AstrocyteAttention(1, WIDTH, key=KEY, **options)


call = eqx.filter_jit(lambda f, x, **options: f(x, x, x, **options))


def share(p, time, tau_n, tau_s):
    """Of x / x* after `time`: the linear cascade's matrix exponential (h = s p / c, x)."""
    matrix = np.array([[-p / tau_s, 0.0, p / tau_s], [1 / tau_n, -1 / tau_n, 0.0], [0.0] * 3])
    return (expm(matrix * time) @ [0.0, 0.0, 1.0])[1]


# At p = 1.7 / 1.3 the two rates are equal, which is a pole of the formula.
@pytest.mark.parametrize("p", [0.2, 1.7 / 1.3, 1.7 / 1.3 + 1e-9, 40.0])
def test_the_law_of_reading_early(p):
    for time in (0.1, 2.0, 30.0):
        found = reached_at(time, jnp.asarray(1.3), jnp.asarray(1.7), jnp.log(jnp.asarray(p)))
        np.testing.assert_allclose(found, share(p, time, 1.3, 1.7), rtol=1e-11, atol=1e-14)
    slope = jax.grad(lambda log_p: reached_at(2.0, jnp.asarray(1.3), jnp.asarray(1.7), log_p))
    # Central differences of step 1e-4: error of some 1e-8, and 1e-16 / 1e-4.
    step = np.exp(1e-4)
    expected = (share(p * step, 2.0, 1.3, 1.7) - share(p / step, 2.0, 1.3, 1.7)) / 2e-4
    np.testing.assert_allclose(slope(jnp.log(jnp.asarray(p))), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("tau_n", "tau_s", "rate"),
    [pytest.param(1.0, 0.05, 1.0, marks=slow), (0.02, 5.0, TOKENS / 5.0)],
)
def test_what_is_missing_falls_e_fold(tau_n, tau_s, rate):
    """By the neurons' rate, or by the synapses' p / tau_s: equal tokens have p = their number."""
    x = jnp.tile(text()[:1], (TOKENS, 1))
    common = {"features": OneProcessPerToken(), "tau_n": tau_n, "tau_s": tau_s}
    times = (4.0 / rate, 5.0 / rate, 8.0 / rate)
    rest = layer(features=OneProcessPerToken())(x, x, x)
    missing = [np.max(np.abs(layer(mode="ode", time=t, **common)(x, x, x) - rest)) for t in times]
    # The faster exponential is gone: 20 to 80 times as fast.
    np.testing.assert_allclose(missing[0] / missing[1], np.e, rtol=1e-6)
    np.testing.assert_allclose(missing[0] / missing[2], np.exp(4.0), rtol=1e-6)


@slow
@pytest.mark.parametrize("causal", [False, True])
def test_the_circuit_against_scipy(causal):
    """All imperfections at once: the equations written out, one query and one synapse at a time."""
    x, time = text(), 4.0
    f = layer(mode="ode", time=time, tau_n=0.8, tau_s=1.5, imperfections=ALL, steps=512)
    circuit = f.circuit(x, x, x, causal=causal)
    rates, entry = np.asarray(circuit.rates[0]), np.asarray(circuit.entry[0])
    weights = np.broadcast_to(circuit.weights[0], entry.shape)
    out = np.zeros((TOKENS, WIDTH))
    for query in range(TOKENS):
        shape, size = entry[query].shape, entry[query].size

        def slope(t, y, query=query, shape=shape, size=size):
            neurons, s, p = y[:WIDTH], y[WIDTH : WIDTH + size], y[WIDTH + size :]
            s, p = s.reshape(shape), p.reshape(shape)
            dx = (s @ rates[query] - neurons) / 0.8
            ds = (weights[query] - p / (1 + 0.05 * p) * s) / 1.5
            return np.concatenate([dx, ds.ravel(), ((p.mean() - p) / 0.7).ravel()])

        y0 = np.concatenate([np.zeros(WIDTH + size), entry[query].ravel()])
        end = solve_ivp(slope, (0.0, time), y0, rtol=1e-10, atol=1e-12, method="DOP853")
        out[query] = end.y[:WIDTH, -1]
    expected = out @ np.asarray(f.output_proj.weight).T
    # Second order: a step of 1/128 ms against rates of up to 10 per ms, and values of order 1.
    np.testing.assert_allclose(call(f, x, causal=causal), expected, atol=1e-4)


@pytest.mark.gate
def test_the_circuit_is_recorded_and_is_the_layer():
    x = text()
    ideal = layer(mode="ode", time=3.0)
    run = tp.simulate(ideal.circuit(x, x, x), t1=3.0, dt=0.01)
    assert run.ys["neurons"].shape[1:] == (1, TOKENS, WIDTH)
    assert run.ys["synapses"].shape[1:] == run.ys["calcium"].shape[1:]
    joined = run.ys["neurons"][-1].transpose(1, 0, 2).reshape(TOKENS, -1)
    found = jax.vmap(ideal.output_proj)(joined)
    # Second order: (rate * step)^2 of some 1e-3^2.
    np.testing.assert_allclose(found, call(ideal, x), atol=1e-5)
    rest = ideal.circuit(x, x, x).rest().x.transpose(1, 0, 2).reshape(TOKENS, -1)
    np.testing.assert_allclose(jax.vmap(ideal.output_proj)(rest), call(layer(), x), atol=1e-13)


@slow
def test_conforms():
    x = text()
    tp.testing.check(layer(imperfections=ALL).circuit(x, x, x)).assert_ok()


def softmax_parts(f, x):
    """Values, and the weights exp(score - max) of one head, in NumPy."""
    q, k, v = (
        np.asarray(x) @ np.asarray(p.weight).T for p in (f.query_proj, f.key_proj, f.value_proj)
    )
    scores = q @ k.T / np.sqrt(WIDTH)
    return np.exp(scores - scores.max(-1, keepdims=True)), v


def given(**imperfections):
    return layer(features=OneProcessPerToken(), imperfections=Imperfections(**imperfections))


def test_each_imperfection_at_rest():
    x = text()
    weights, v = softmax_parts(given(), x)
    total = weights.sum(-1, keepdims=True)
    project = np.asarray(given().output_proj.weight).T
    exact = (weights / total) @ v @ project
    np.testing.assert_allclose(given()(x, x, x), exact, atol=1e-13)
    np.testing.assert_allclose(given(tau_diffusion=3.0)(x, x, x), exact, atol=1e-13)
    saturating = given(saturation=0.3)(x, x, x)
    np.testing.assert_allclose(
        saturating, (weights / total + 0.3 * weights) @ v @ project, atol=1e-13
    )
    kept = np.exp(-30.0 / 20.0)
    held, now = [], np.zeros(WIDTH)
    for value in v:
        now = value + (now - value) * kept
        held.append(now)
    slowly = given(tau_write=20.0, window=30.0)(x, x, x)
    np.testing.assert_allclose(slowly, (weights / total) @ np.array(held) @ project, atol=1e-13)
    uneven = given(heterogeneity=0.5)
    z = np.asarray(uneven.circuit(x, x, x).entry[0] / given().circuit(x, x, x).entry[0])
    np.testing.assert_allclose(z[0], z[1], rtol=1e-12)
    mean = (z * weights[:, None, :]).sum(-1).mean(-1, keepdims=True)
    np.testing.assert_allclose(uneven(x, x, x), weights @ v / mean @ project, atol=1e-13)
    assert np.max(np.abs(uneven(x, x, x) - exact)) > 1e-3


@slow
def test_processes_differ_as_much_as_is_said():
    normal = jax.random.normal(jax.random.key(2), (100_000,))
    z = Imperfections(heterogeneity=0.5).entry(normal)
    # Five standard errors; the fourth moment of a log-normal of CV 0.5 makes the second's 2 %.
    assert abs(float(z.mean()) - 1.0) < 5 * 0.5 / np.sqrt(100_000)
    assert abs(float(z.std()) - 0.5) < 0.02
    slope = jax.grad(lambda h: jnp.sum(Imperfections(heterogeneity=h).entry(normal[:3])))(0.0)
    assert np.isfinite(slope)


def gradient_of(f, x):
    def loss(f):
        return jnp.sum(jnp.sin(f(x, x, x)))

    return eqx.filter_jit(eqx.filter_grad(loss))(f)


@slow
def test_the_adjoint_in_a_long_time_is_the_gradient_at_rest():
    x = text()
    flaws = Imperfections(heterogeneity=0.4, tau_diffusion=0.7, saturation=0.05)
    features = LearnedExponential(WIDTH, 4, key=KEY)
    rest, long = (
        gradient_of(layer(features=features, imperfections=flaws, **more), x)
        for more in ({}, {"mode": "ode", "time": 40.0, "steps": 320})
    )
    for name in ("query_proj", "key_proj", "value_proj"):
        pair = [getattr(g, name).weight for g in (rest, long)]
        assert np.max(np.abs(pair[0])) > 1e-3
        np.testing.assert_allclose(*pair, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        rest.features.query_weights, long.features.query_weights, rtol=1e-6, atol=1e-6
    )


def test_the_gradient_of_the_closed_form_in_a_long_time():
    x = text()
    ideal, early = (
        gradient_of(layer(**more), x).query_proj.weight
        for more in ({}, {"mode": "ode", "time": 40.0})
    )
    np.testing.assert_allclose(ideal, early, rtol=1e-6, atol=1e-6)


@slow
def test_the_gradient_at_rest_is_the_implicit_function_theorem_s():
    """`dy*/da = -(dF/dy)^-1 dF/da` of the circuit's own vector field F; calcium is conserved."""
    f = layer(imperfections=Imperfections(heterogeneity=0.4, saturation=0.05))

    def circuit(a):
        x = text() + a * text(1)
        return f.circuit(x, x, x)

    resting = circuit(0.0).rest()
    flat, back = ravel_pytree((resting.x, resting.s))

    def slope(y, a):
        x, s = back(y)
        model = circuit(a)
        state = resting._replace(x=x, s=s, p=model.init().p)
        moved = model.vector_field(jnp.zeros(()), state, None)
        return ravel_pytree((moved.x, moved.s))[0]

    by_state, by_parameter = jax.jit(jax.jacobian(slope, argnums=(0, 1)))(flat, 0.0)
    implicit = -np.linalg.solve(by_state, by_parameter)
    direct = jax.jacobian(lambda a: ravel_pytree(circuit(a).rest()[:2])[0])(0.0)
    np.testing.assert_allclose(direct, implicit, rtol=1e-9, atol=1e-11)
    assert np.max(np.abs(implicit)) > 1e-2


@slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_ode_in_other_precisions(dtype):
    x = text()
    for options in ({}, {"imperfections": ALL}):
        f = layer(mode="ode", time=3.0, **options)
        low = call(astype(f, dtype), x.astype(dtype))
        assert low.dtype == dtype
        bound = 1e-4 if dtype == jnp.float32 else 5e-2
        np.testing.assert_allclose(low.astype(float), call(f, x), atol=bound)
