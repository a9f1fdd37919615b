"""The attention circuit in time: equations, conservation law, writing, reading, refusals."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.attention import (
    AttentionCircuit,
    CircuitState,
    EluPlusOne,
    Memory,
    OneProcessPerToken,
    PositiveRandom,
    circuit_attention,
    fixed_point,
    linear_attention,
    read,
    softmax_attention,
    write,
)

N, M, TOKENS, SIZE = 2, 3, 5, 3
TAUS = {"tau_n": 0.7, "tau_s": 1.3, "tau_p": 2.1}


def draw(*shapes, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def tokens(seed=0, dtype=float):
    return draw((TOKENS, SIZE), (TOKENS, SIZE), (TOKENS, N), seed=seed, dtype=dtype)


@pytest.mark.parametrize("reading", [0.0, 1.0])
def test_equations_of_appendix_c(reading):
    """Index by index, sums written out as in the paper."""
    circuit = AttentionCircuit(N, M, **TAUS)
    x, s, p, c, query, key, value = draw((N,), (N, M), (N, M), (N, M), (M,), (M,), (N,))
    u = circuit.writing(Memory(c, key), key, value)
    u = eqx.tree_at(lambda u: (u.reading, u.query), u, (jnp.asarray(reading), query))
    found = circuit.vector_field(jnp.zeros(()), CircuitState(x, s, p), u)
    presynaptic = reading * np.asarray(query) + (1 - reading) * np.asarray(key)
    for i in range(N):
        drive = sum(s[i, j] * presynaptic[j] for j in range(M))
        dx = (-x[i] + reading * drive + (1 - reading) * value[i]) / TAUS["tau_n"]
        np.testing.assert_allclose(found.x[i], dx, rtol=1e-13)
        for j in range(M):
            ds = (-p[i, j] * s[i, j] + c[i, j]) / TAUS["tau_s"]
            diffusion = sum(p[k, m] - p[i, j] for k in range(N) for m in range(M))
            np.testing.assert_allclose(found.s[i, j], ds, rtol=1e-12)
            np.testing.assert_allclose(found.p[i, j], diffusion / TAUS["tau_p"], rtol=1e-12)


def test_conforms():
    circuit = AttentionCircuit(N, M, **TAUS)
    memory = Memory(jnp.ones((N, M)), jnp.ones(M))
    tp.testing.check(circuit, circuit.reading(memory, jnp.ones(M))).assert_ok()
    assert "tau_p" in tp.summary(circuit)


def test_solves_as_any_model_does():
    circuit = AttentionCircuit(N, M, **TAUS)
    memory = Memory(jnp.ones((N, M)), jnp.ones(M))
    y0 = circuit.init()._replace(p=circuit.calcium(memory, jnp.array([0.1, 0.5, 2.0])))
    u = circuit.reading(memory, jnp.array([0.1, 0.5, 2.0]))
    adaptive = tp.simulate(circuit, u, t1=2.0, y0=y0, rtol=1e-10, atol=1e-10)
    assert set(adaptive.ys) == {"neurons", "synapses", "calcium"}
    fixed = tp.simulate(circuit, u, t1=2.0, y0=y0, dt=0.002)
    # Second order: errors of some dt^2 = 4e-6.
    chex.assert_trees_all_close(fixed.stats["y1"], adaptive.stats["y1"], rtol=2e-5)
    # Calcium has a closed form: its mean is conserved, differences decay at N M / tau_p.
    mean = jnp.mean(y0.p)
    decay = jnp.exp(-N * M * adaptive.ts / TAUS["tau_p"])[:, None, None]
    expected = mean + (y0.p - mean)[None] * decay
    np.testing.assert_allclose(adaptive.ys["calcium"], expected, atol=1e-8)


def test_rest_is_where_it_rests():
    circuit = AttentionCircuit(N, M, **TAUS, gauge=2.0)
    c, g, query = draw((N, M), (M,), (M,))
    memory, query = Memory(c, jnp.abs(g)), jnp.abs(query)
    rest, u = circuit.rest(memory, query), circuit.reading(memory, query)
    assert circuit.distance(rest, u) < 1e-14
    assert circuit.distance(rest._replace(x=rest.x + 1.0), u) > 1e-2
    calcium = 2.0 * float(jnp.sum(query * jnp.abs(g))) / M
    np.testing.assert_allclose(rest.p, calcium, rtol=1e-13)
    np.testing.assert_allclose(rest.x, np.asarray(c) @ np.asarray(query) / calcium, rtol=1e-13)


def test_writing_stores_what_the_neurons_have_reached():
    circuit = AttentionCircuit(N, M, gauge=2.0)
    keys, values = draw((TOKENS, M), (TOKENS, N))
    _, memory = write(circuit, keys, values, dt=1.0)
    np.testing.assert_allclose(memory.weights, 2.0 / M * values.T @ keys, rtol=1e-12)
    np.testing.assert_allclose(memory.facilitation, keys.sum(axis=0), rtol=1e-12)
    # A window of one tau_n: x has come 1 - 1/e of the way, and starts from the token before.
    _, brief = write(circuit, keys, values, dt=0.5, t_write=1.0)
    x, expected = np.zeros(N), 0.0
    for key, value in zip(np.asarray(keys), np.asarray(values), strict=True):
        x = value + (x - value) * np.exp(-1)
        expected = expected + 2.0 / M * np.outer(x, key)
    np.testing.assert_allclose(brief.weights, expected, rtol=1e-12)


def test_writing_in_two_parts_is_writing():
    circuit = AttentionCircuit(N, M)
    keys, values = draw((4, M), (4, N))
    y, memory = write(circuit, keys[:2], values[:2], dt=1.0)
    y, memory = write(circuit, keys[2:], values[2:], dt=1.0, y0=y, memory=memory)
    chex.assert_trees_all_close((y, memory), write(circuit, keys, values, dt=1.0), rtol=1e-12)


def test_a_masked_token_is_never_presented():
    circuit = AttentionCircuit(N, M)
    keys, values = draw((4, M), (4, N))
    mask = jnp.array([True, False, True, True])
    kept = write(circuit, keys[mask], values[mask], dt=1.0)
    chex.assert_trees_all_close(write(circuit, keys, values, mask=mask, dt=1.0), kept, rtol=1e-12)


def test_reading_starts_from_key_sum_times_query():
    circuit = AttentionCircuit(N, M, gauge=3.0)
    memory = Memory(jnp.ones((N, M)), jnp.array([1.0, 2.0, 4.0]))
    calcium = circuit.calcium(memory, jnp.array([1.0, 0.5, 2.0]))
    np.testing.assert_allclose(calcium, np.tile([3.0, 3.0, 24.0], (N, 1)))
    reading = read(circuit, memory, jnp.array([1.0, 0.5, 2.0]), dt=0.5)
    np.testing.assert_allclose(reading.output, circuit.rest(memory, jnp.array([1.0, 0.5, 2.0])).x)
    assert 5 < reading.settling_time < 20


@pytest.mark.parametrize(("dtype", "bound"), [(jnp.float32, 2e-4), (jnp.float64, 1e-9)])
@pytest.mark.parametrize("dt", [None, 0.5])
def test_arrives_at_linear_attention(dtype, bound, dt):
    q, k, v = tokens(dtype=dtype)
    found = eqx.filter_jit(circuit_attention)(EluPlusOne(), q[:2], k, v, dt=dt)
    assert found.output.dtype == dtype
    np.testing.assert_allclose(
        found.output, linear_attention(EluPlusOne(), q[:2], k, v), atol=bound
    )
    chex.assert_shape((found.settling_time, found.distance), (2,))
    assert int(found.states) == 2 * (N + 2 * N * SIZE)


@pytest.mark.gate
def test_the_gauge_moves_the_time_and_not_the_output():
    q, k, v = tokens()
    run = eqx.filter_jit(
        lambda gauge: circuit_attention(
            OneProcessPerToken(), q, k, v, gauge=gauge, dt=0.5, t_read=200.0
        )
    )
    paper, fast, named = (run(gauge) for gauge in ("paper", "fast", jnp.asarray(float(TOKENS))))
    np.testing.assert_allclose(paper.output, softmax_attention(q, k, v), atol=1e-12)
    np.testing.assert_allclose(fast.output, paper.output, atol=1e-12)
    np.testing.assert_array_equal(fast.output, named.output)
    assert np.all(paper.settling_time > 1.5 * fast.settling_time)


def test_causal_heads_under_jit_and_vmap():
    heads = [jnp.stack(x) for x in zip(tokens(0), tokens(1), strict=True)]
    features = OneProcessPerToken(causal=True)
    run = jax.jit(
        jax.vmap(lambda q, k, v: circuit_attention(features, q, k, v, causal=True, dt=0.5))
    )
    output = run(*heads).output
    for head in range(2):
        expected = softmax_attention(*tokens(head), causal=True)
        np.testing.assert_allclose(output[head], expected, atol=1e-12)


def test_masked_tokens_do_not_count():
    q, k, v = tokens()
    mask = jnp.arange(TOKENS) != 1
    spoilt = k.at[1].set(jnp.nan), v.at[1].set(jnp.inf)
    run = eqx.filter_jit(lambda k, v: circuit_attention(EluPlusOne(), q, k, v, mask=mask, dt=1.0))
    found = run(*spoilt).output
    np.testing.assert_allclose(found, fixed_point(EluPlusOne(), q, k, v, mask=mask), atol=1e-12)


@pytest.mark.gate
def test_time_constants_do_not_matter_and_are_differentiable():
    q, k, v = tokens()

    @jax.jit
    @jax.value_and_grad
    def output(taus):
        tau_n, tau_s, tau_p = taus
        options = {"tau_n": tau_n, "tau_s": tau_s, "tau_p": tau_p, "dt": 1.0, "t_write": 60.0}
        return circuit_attention(EluPlusOne(), q[:1], k, v, **options).output[0, 0]

    one, gradient = output(jnp.array([1.0, 1.0, 3.0]))
    slow, _ = output(jnp.array([1.5, 2.0, 1.0]))
    np.testing.assert_allclose(slow, one, rtol=1e-8)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-8)


@pytest.mark.parametrize("name", ["tau_n", "tau_s", "tau_p", "gauge"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_parameters_that_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"AttentionCircuit.{name} must be positive"):
        AttentionCircuit(N, M, **{name: value})
    with pytest.raises(ValueError, match="must be positive"):
        circuit_attention(EluPlusOne(), *tokens(), dt=1.0, **{name: value})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gauge": "slow"}, 'gauge must be "fast"'),
        ({"t_write": 2.0}, r"t_write = 2.0 ms is too short .* give at least 18 ms"),
        ({"t_read": 3.0}, "has not come to rest 3.0 ms after query 0 was presented"),
        ({"t_read": -1.0}, "t_read must be positive and finite, got -1.0"),
        ({"dt": -1.0}, "dt must be positive"),
        ({"mask": jnp.zeros(TOKENS, bool)}, "nothing was written"),
        ({"mask": jnp.ones(TOKENS + 1, bool)}, "mask must be boolean"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ValueError, match=words):
        circuit_attention(EluPlusOne(), *tokens(), **{"dt": 1.0, **options})


def test_not_at_rest_is_refused_under_jit():
    run = eqx.filter_jit(
        lambda q, k, v: circuit_attention(EluPlusOne(), q, k, v, dt=1.0, t_read=3.0)
    )
    with pytest.raises(eqx.EquinoxRuntimeError, match="has not come to rest"):
        run(*tokens())


def test_calcium_without_a_positive_sum_is_refused():
    circuit = AttentionCircuit(N, M)
    memory = Memory(jnp.ones((N, M)), jnp.array([1.0, 1.0, -2.0]))
    with pytest.raises(ValueError, match="total calcium of query 0 is not positive"):
        read(circuit, memory, jnp.ones(M), dt=1.0)
    q, k, v = tokens()
    features = PositiveRandom(4, SIZE, key=jax.random.key(0), stabilise=False)
    with pytest.raises(ValueError, match="features sum to zero"):
        circuit_attention(features, 100.0 * q, 100.0 * k, v, dt=1.0)


def test_sizes_that_do_not_fit_the_circuit():
    with pytest.raises(ValueError, match="at least one neuron and one process, got neurons=0"):
        AttentionCircuit(0, 3)
    with pytest.raises(
        ValueError, match=r"keys of shape \(tokens, 3\) with values of shape \(tokens, 2\)"
    ):
        write(AttentionCircuit(N, M), jnp.ones((4, M)), jnp.ones((4, N + 1)), dt=1.0)
