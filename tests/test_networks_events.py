"""Spikes delivered one by one: the same sums as all edges give, the same derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import SAME_SUM, leaky
from tripartite import networks, synapses
from tripartite.networks import events, pathway
from tripartite.networks.layout import fans


@pytest.mark.parametrize("cells", [40, 4000, 9000])
def test_who_fired_is_found(cells):
    """In order, in both ways of searching, in a last word that is not full, and when all have."""
    rng = np.random.default_rng(cells)
    look = jax.jit(events.fired)
    room = max(16, cells // 64)
    for number in (0, 1, room - 1, room, room + 1, cells):
        who = np.sort(rng.permutation(cells)[:number])
        signal = np.zeros(cells)
        signal[who] = rng.uniform(0.1, 1.0, number)
        found = look(jnp.asarray(signal))
        assert found.number == number and found.ids.size == room
        np.testing.assert_array_equal(found.ids[: min(number, room)], who[:room])


EDGES = networks.bernoulli(200, 90, 0.1, key=jax.random.key(4))


@pytest.fixture
def always(monkeypatch):
    """Rows for however few edges."""
    monkeypatch.setattr(events, "_MANY", 0)


def tables(weight):
    table = fans(EDGES.pre, EDGES.post, 200, 90)
    outgoing = events.rows(EDGES.pre, EDGES.post, 200, 90)
    return table, outgoing, events.Laid(table.lay(weight), outgoing.lay(weight))


def matrix_of(weight):
    matrix = np.zeros((90, 200))
    np.add.at(matrix, (EDGES.post, EDGES.pre), np.broadcast_to(weight, len(EDGES)))
    return matrix


def signals(rng, number):
    signal = np.zeros(200)
    signal[rng.permutation(200)[:number]] = rng.uniform(0.1, 1.0, number)
    return signal


@pytest.mark.parametrize("weight", ["one", "each"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_sums_are_those_of_a_matrix(always, weight, dtype):
    """Few and (beyond the room for 16) many, and several at once, which all edges serve."""
    rng = np.random.default_rng(0)
    w = 0.7 if weight == "one" else rng.random(len(EDGES))
    table, outgoing, laid = tables(jnp.asarray(w, dtype))
    rows = np.stack([signals(rng, number) for number in (0, 1, 16, 17, 200)])

    def deliver(signal):
        return events.delivered(table, outgoing, laid, events.fired(signal))

    expected = rows @ matrix_of(w).T
    one = jax.jit(deliver)
    found = [one(jnp.asarray(row, dtype)) for row in rows]
    # At most 40 numbers below 1 are added up.
    tolerance = 40 * float(jnp.finfo(dtype).eps)
    assert found[0].dtype == dtype
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=tolerance)
    together = jax.jit(jax.vmap(deliver))(jnp.asarray(rows, dtype))
    np.testing.assert_allclose(together, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("number", [3, 100])
def test_the_derivatives_are_those_of_a_matrix(always, number):
    """Of silent cells too; forward, in reverse, and in reverse for several at once."""
    rng = np.random.default_rng(1)
    w, signal, push = rng.random(len(EDGES)), signals(rng, number), rng.random(90)

    def pull(w, signal, push):
        table, outgoing, laid = tables(w)
        found = events.delivered(table, outgoing, laid, events.fired(signal))
        return jnp.dot(push, found)

    reverse = jax.jit(jax.grad(pull, argnums=(0, 1)))
    dw, ds = reverse(jnp.asarray(w), jnp.asarray(signal), jnp.asarray(push))
    # Sums of products of two numbers below 1.
    np.testing.assert_allclose(dw, push[EDGES.post] * signal[EDGES.pre], atol=1e-14)
    np.testing.assert_allclose(ds, matrix_of(w).T @ push, atol=1e-13)
    tangents = rng.random(len(EDGES)), rng.random(200)
    _, slope = jax.jvp(
        lambda w, signal: pull(w, signal, jnp.asarray(push)),
        (jnp.asarray(w), jnp.asarray(signal)),
        tuple(map(jnp.asarray, tangents)),
    )
    np.testing.assert_allclose(slope, tangents[0] @ dw + tangents[1] @ ds, rtol=1e-12)
    several = jax.vmap(reverse, in_axes=(None, 0, None))
    _, both = several(jnp.asarray(w), jnp.asarray([signal, 0 * signal]), jnp.asarray(push))
    np.testing.assert_allclose(both, np.stack([ds, ds]), atol=1e-13)


@pytest.mark.parametrize("delay", [None, 0.45])
def test_a_network_fires_and_learns_the_same(monkeypatch, delay):
    """By rows, and (with no projection large enough for them) by all edges."""
    surrogate = tp.core.surrogates.FastSigmoid(2.0)

    def solve():
        edges = networks.fixed_fan_in(64, 64, 8, key=jax.random.key(2))
        cell = leaky(64, rest=np.linspace(-52.0, -45.0, 64), surrogate=surrogate)
        weight = jnp.linspace(0.5, 1.5, len(edges))
        p = networks.Projection(
            "e", "e", synapses.Exponential(0.01), edges, weight=weight, delay=delay
        )
        network = networks.Network({"e": cell}, [p])
        assert (network.pathways["e->e"].outgoing is None) == (events._MANY > 0)

        def loss(network):
            ys = tp.simulate(network, t1=12.0, dt=0.1, record={"e.spike": None, "e.v": None}).ys
            return jnp.mean(ys["e.v"] ** 2) / 1000.0, ys

        return eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))(network)

    (_, plain), slopes = solve()
    monkeypatch.setattr(events, "_MANY", 0)
    (_, ys), found = solve()
    assert plain["e.spike"].sum() > 64
    np.testing.assert_array_equal(ys["e.spike"], plain["e.spike"])
    np.testing.assert_allclose(ys["e.v"], plain["e.v"], rtol=SAME_SUM)
    a, b = (s.projections["e->e"].strength for s in (slopes, found))
    assert np.max(np.abs(a)) > 0
    np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * float(jnp.max(jnp.abs(a))))


def test_where_rows_are_worth_it():
    rng = np.random.default_rng(3)
    few = rng.integers(0, 50, 100)
    assert events.rows(few, few, 50, 50) is None
    many = rng.integers(0, 50, 10_000)
    assert events.rows(many, many, 50, 50) is not None
    # One cell with nearly all edges would pad every other row.
    hub = np.where(rng.random(10_000) < 0.9, 0, many)
    assert events.rows(hub, many, 50, 50) is None
    assert pathway.rows is events.rows
