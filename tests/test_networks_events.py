"""Spikes delivered one by one: the same sums as all edges give, the same derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import SAME_SUM, leaky
from tripartite import networks, synapses
from tripartite.networks import delivery, events


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
    monkeypatch.setattr(delivery, "_MANY", 0)


def parts(weight):
    """One projection from 200 cells to 90, its delivery and its weights as they are read."""
    p = networks.Projection("a", "b", synapses.Exponential(0.02), EDGES, weight=weight)
    network = networks.Network({"a": leaky(200), "b": leaky(90)}, [p])
    return network.delivery, network.delivery.lay(network.projections)


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
    """Few and (beyond the room for 16) many, and several at once."""
    rng = np.random.default_rng(0)
    w = 0.7 if weight == "one" else rng.random(len(EDGES))
    together, laid = parts(jnp.asarray(w, dtype))
    rows = np.stack([signals(rng, number) for number in (0, 1, 16, 17, 200)])

    def deliver(signal):
        return delivery.delivered(together, laid, events.fired(signal))

    expected = rows @ matrix_of(w).T
    one = jax.jit(deliver)
    found = [one(jnp.asarray(row, dtype)) for row in rows]
    # At most 40 numbers below 1 are added up.
    tolerance = 40 * float(jnp.finfo(dtype).eps)
    assert found[0].dtype == dtype
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=tolerance)
    together = jax.jit(jax.vmap(deliver))(jnp.asarray(rows, dtype))
    np.testing.assert_allclose(together, expected, rtol=0, atol=tolerance)


def test_only_a_cpu_loops_over_spikes(always):
    together, laid = parts(jnp.asarray(0.7))

    def deliver(signal):
        return delivery.delivered(together, laid, events.fired(signal))

    traced = jax.jit(deliver).trace(jnp.zeros(200))
    loops = [
        "stablehlo.while" in traced.lower(lowering_platforms=(kind,)).as_text()
        for kind in ("cpu", "cuda", "tpu")
    ]
    assert loops == [True, False, False]


@pytest.mark.parametrize("number", [3, 100])
def test_the_derivatives_are_those_of_a_matrix(always, number):
    """Of silent cells too; forward, in reverse, and in reverse for several at once."""
    rng = np.random.default_rng(1)
    w, signal, push = rng.random(len(EDGES)), signals(rng, number), rng.random(90)

    def pull(w, signal, push):
        together, laid = parts(w)
        found = delivery.delivered(together, laid, events.fired(signal))
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


@pytest.mark.parametrize("delay", [None, pytest.param(0.45, marks=pytest.mark.gate)])
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
        assert (network.delivery is None) == (delivery._MANY > 0)

        def loss(network):
            ys = tp.simulate(network, t1=12.0, dt=0.1, record={"e.spike": None, "e.v": None}).ys
            return jnp.mean(ys["e.v"] ** 2) / 1000.0, ys

        return eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))(network)

    (_, plain), slopes = solve()
    monkeypatch.setattr(delivery, "_MANY", 0)
    (_, ys), found = solve()
    assert plain["e.spike"].sum() > 64
    np.testing.assert_array_equal(ys["e.spike"], plain["e.spike"])
    np.testing.assert_allclose(ys["e.v"], plain["e.v"], rtol=SAME_SUM)
    a, b = (s.projections["e->e"].strength for s in (slopes, found))
    assert np.max(np.abs(a)) > 0
    np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * float(jnp.max(jnp.abs(a))))


@pytest.mark.gate
def test_several_projections_are_delivered_together(monkeypatch):
    """Two kinds of cells, four projections, one with a delay, one whose targets are few."""

    def solve():
        rests = {"e": np.linspace(-52.0, -45.0, 24), "i": np.linspace(-51.0, -46.0, 16)}
        sizes = {"e": 24, "i": 16}
        made = []
        for k, (pre, post, delay) in enumerate(
            [("e", "e", None), ("e", "i", 0.25), ("i", "e", 0.3)]
        ):
            edges = networks.bernoulli(sizes[pre], sizes[post], 0.3, key=jax.random.key(k))
            receptor = synapses.Exponential(0.01, reversal=-80.0 if pre == "i" else 0.0)
            weight = jnp.linspace(0.5, 1.5, len(edges)) if k else 1.0
            made += [networks.Projection(pre, post, receptor, edges, weight=weight, delay=delay)]
        few = networks.Edges([0, 3, 5], [2, 2, 7])
        made += [networks.Projection("i", "i", synapses.Exponential(0.05), few)]
        cells = {name: leaky(n, rest=rests[name]) for name, n in sizes.items()}
        network = networks.Network(cells, made)
        read = {"e.spike": None, "i.spike": None, "i->i.g": [2, 3, 7]}
        found = eqx.filter_jit(lambda n: tp.simulate(n, t1=15.0, dt=0.1, record=read).ys)(network)
        return network.delivery, found

    none, plain = solve()
    monkeypatch.setattr(delivery, "_MANY", 0)
    together, found = solve()
    assert none is None and len(together.members) == 4 and len(together.sources) == 4
    assert plain["e.spike"].sum() > 20 and jnp.max(plain["i->i.g"]) > 0
    for name in ("e.spike", "i.spike"):
        np.testing.assert_array_equal(found[name], plain[name])
    np.testing.assert_allclose(found["i->i.g"], plain["i->i.g"], rtol=SAME_SUM)
    # No edge ends at cell 3.
    np.testing.assert_array_equal(plain["i->i.g"][:, 1], 0.0)


@pytest.mark.gate
def test_under_vmap_all_edges_are_added_up(always):
    """Several networks, and their gradients, are those of one after the other."""
    edges = networks.fixed_fan_in(24, 24, 6, key=jax.random.key(2))

    def run(scale):
        weight = scale * jnp.linspace(0.5, 1.5, len(edges))
        p = networks.Projection("e", "e", synapses.Exponential(0.01), edges, weight=weight)
        network = networks.Network({"e": leaky(24, rest=np.linspace(-52.0, -45.0, 24))}, [p])
        found = tp.simulate(network, t1=6.0, dt=0.1, record={"e.v": None}).ys["e.v"]
        return jnp.mean(found**2) / 1000.0

    scales = jnp.asarray([0.5, 2.0])
    together = jax.jit(jax.vmap(jax.value_and_grad(run)))
    alone = jax.jit(jax.value_and_grad(run))
    for found, expected in zip(
        together(scales), zip(*map(alone, scales), strict=True), strict=True
    ):
        np.testing.assert_allclose(found, jnp.stack(expected), rtol=1e-12)
    # By finite differences of the first derivative, whose own round-off is some 1e-11.
    second = jax.jit(jax.hessian(run))(scales[1])
    step = 1e-4
    slopes = [alone(scales[1] + x)[1] for x in (-step, step)]
    np.testing.assert_allclose(second, (slopes[1] - slopes[0]) / (2 * step), rtol=1e-5)
    compiled = [f.lower(x).compile().as_text() for f, x in ((together, scales), (alone, scales[0]))]
    assert ["popcnt" in text for text in compiled] == [False, True]


def test_where_rows_are_worth_it():
    rng = np.random.default_rng(3)
    many = rng.integers(0, 50, 10_000)
    assert events.rows(many, many, 50, 50) is not None
    # One cell with nearly all edges would pad every other row.
    hub = np.where(rng.random(10_000) < 0.9, 0, many)
    assert events.rows(hub, many, 50, 50) is None
