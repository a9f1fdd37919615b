"""Networks against single cells, against one another, and against an independent loop."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import SAME_SUM, clocked, leaky, recurrent, solve
from tripartite import cells, networks, synapses
from tripartite.core import Parameter, Relaxation, parameter

# One cell, and none joined


@pytest.mark.parametrize("make", [cells.HodgkinHuxley, cells.LIF])
def test_a_network_of_one_cell_is_the_cell(make):
    alone = tp.simulate(make(), 10.0, t1=20.0, dt=0.05)
    network = networks.Network({"cell": networks.population(make, 1)})
    joined = tp.simulate(network, {"cell": 10.0}, t1=20.0, dt=0.05)
    for port, values in alone.ys.items():
        np.testing.assert_allclose(joined.ys[f"cell.{port}"][:, 0], values, rtol=1e-12)
    bare = networks.Network({"cell": make()}).init()
    assert jax.tree.structure(bare) == jax.tree.structure(network.init())


def test_adaptive_steps_serve_a_smooth_network():
    network = networks.Network({"cell": networks.population(cells.HodgkinHuxley, 2)})
    joined = tp.simulate(network, {"cell": jnp.asarray([10.0, 10.0])}, t1=10.0)
    alone = tp.simulate(cells.HodgkinHuxley(), 10.0, t1=10.0)
    # Two equal cells have the error norm of one, and so its steps.
    np.testing.assert_allclose(joined.ys["cell.v"][:, 1], alone.ys["v"], rtol=1e-9)


def test_a_population_shares_what_does_not_vary():
    g = jnp.linspace(80.0, 120.0, 5)
    many = networks.population(cells.HodgkinHuxley, 5, g_sodium=g, e_leak=-54.0)
    sizes = [x.shape for x in jax.tree.leaves(many) if eqx.is_inexact_array(x)]
    assert sizes.count((5,)) == 1 and sizes.count(()) == len(sizes) - 1
    together = tp.simulate(many, 10.0, t1=10.0, dt=0.05).ys["v"]
    for i in (0, 4):
        alone = tp.simulate(
            cells.HodgkinHuxley(g_sodium=g[i], e_leak=-54.0), 10.0, t1=10.0, dt=0.05
        )
        np.testing.assert_allclose(together[:, i], alone.ys["v"], rtol=1e-10)


def test_zero_weights_are_separate_cells():
    free = networks.Network({"e": recurrent(1.0).populations["e"]})
    apart = solve(free, {}, 60.0)
    joined = solve(recurrent(0.0), {}, 60.0)
    np.testing.assert_allclose(joined["e.v"], apart["e.v"], rtol=1e-12)
    # The control: with weights there is a difference of millivolts.
    assert np.abs(solve(recurrent(1.0), {}, 60.0)["e.v"] - apart["e.v"]).max() > 1.0


def numbered(order, edges):
    """The same edges, when cell `order[i]` has become cell i."""
    place = np.argsort(order)
    return networks.Edges(place[edges.pre], place[edges.post])


def test_the_order_of_cells_and_edges_does_not_matter():
    rest = np.linspace(-52.0, -45.0, 12)
    edges = networks.bernoulli(12, 12, 0.3, key=jax.random.key(3))
    weight = np.linspace(0.5, 1.5, len(edges))
    rng = np.random.default_rng(0)
    order, shuffled = rng.permutation(12), rng.permutation(len(edges))
    moved = numbered(order, edges)
    moved = networks.Edges(moved.pre[shuffled], moved.post[shuffled])

    def run(rest, edges, weight):
        p = networks.Projection("e", "e", synapses.Exponential(0.02), edges, weight=weight)
        return solve(networks.Network({"e": leaky(12, rest=rest)}, [p]), {}, 60.0)

    one, other = run(rest, edges, weight), run(rest[order], moved, weight[shuffled])
    np.testing.assert_array_equal(other["e.spike"], one["e.spike"][:, order])
    np.testing.assert_allclose(other["e.v"], one["e.v"][:, order], rtol=SAME_SUM)
    assert one["e.spike"].sum() > 20


def test_a_split_network_is_the_whole():
    """Two halves that no edge joins."""
    rest = np.linspace(-52.0, -45.0, 12)
    half = networks.fixed_fan_in(6, 6, 3, key=jax.random.key(2), loops=False)
    both = networks.Edges(
        np.concatenate([half.pre, half.pre + 6]), np.concatenate([half.post, half.post + 6])
    )

    def run(rest, edges):
        p = networks.Projection("e", "e", synapses.DoubleExponential(0.05), edges)
        return solve(networks.Network({"e": leaky(len(rest), rest=rest)}, [p]), {}, 60.0)["e.v"]

    whole = run(rest, both)
    apart = np.concatenate([run(rest[:6], half), run(rest[6:], half)], axis=1)
    np.testing.assert_allclose(whole, apart, rtol=SAME_SUM)


@pytest.mark.parametrize("weight", ["one", "each"])
@pytest.mark.parametrize("kind", ["rows", "padded", "scatter", "dense", "complete"])
def test_every_layout_adds_up_the_same(kind, weight):
    """One state per target against one per edge, and both against a matrix."""
    rng = np.random.default_rng(5)
    edges = {
        "rows": networks.fixed_fan_in(90, 7, 3, key=jax.random.key(0)),
        "padded": networks.bernoulli(90, 7, 0.1, key=jax.random.key(4)),
        "scatter": networks.Edges(rng.integers(0, 90, 30), np.r_[np.zeros(24, int), np.arange(6)]),
        # Two edges join the same pair.
        "dense": networks.Edges(rng.integers(0, 90, 200), rng.integers(0, 7, 200)),
        "complete": networks.all_to_all(90, 7),
    }[kind]
    w = 0.7 if weight == "one" else rng.random(len(edges))
    table = networks.layout.fans(edges.pre, edges.post, 90, 7)
    assert table.dense == (kind in ("dense", "complete"))
    assert table.dense or table.sums.kind == kind
    signal = rng.random(90)
    matrix = np.zeros((7, 90))
    np.add.at(matrix, (edges.post, edges.pre), w)
    found = table(table.lay(jnp.asarray(w)), jnp.asarray(signal))
    np.testing.assert_allclose(found, matrix @ signal, rtol=1e-13)
    per_edge = networks.layout.sums(edges.post, 7)(jnp.asarray(w) * signal[edges.pre])
    np.testing.assert_allclose(per_edge, matrix @ signal, rtol=1e-13)
    slopes = jax.grad(lambda w: jnp.sum(table(table.lay(w), jnp.asarray(signal)) ** 2))(
        jnp.asarray(w)
    )
    expected = 2.0 * (matrix @ signal)[edges.post] * signal[edges.pre]
    np.testing.assert_allclose(slopes, expected if weight == "each" else expected.sum(), rtol=1e-12)


def test_states_per_edge_and_per_cell_agree():
    """Parameters that vary give a linear synapse a state for each edge; here they are equal."""
    edges = networks.bernoulli(12, 12, 0.3, key=jax.random.key(3))
    synapse = networks.population(
        synapses.Exponential, len(edges), weight=np.full(len(edges), 0.02)
    )

    def run(synapse):
        p = networks.Projection("e", "e", synapse, edges, weight=1.5)
        cell = leaky(12, rest=np.linspace(-52.0, -45.0, 12))
        network = networks.Network({"e": cell}, [p])
        return jax.tree.leaves(network.init().projections)[0].shape, solve(network, {}, 60.0)["e.v"]

    (each, v_each), (merged, v_merged) = run(synapse), run(synapses.Exponential(0.02))
    assert each == (len(edges),) and merged == (12,)
    np.testing.assert_allclose(v_each, v_merged, rtol=SAME_SUM)


class SlowerWhenDepolarised(synapses.AbstractLinearSynapse):
    """A receptor of one's own, which closes the slower the higher its cell's voltage is."""

    weight: Parameter = parameter(0.05, "mS/cm2")

    def init(self):
        return (jnp.zeros_like(self.weight),)

    def relax(self, t, y, u):
        closing = 0.2 * jnp.exp(-(u.v_post + 60.0) / 20.0)
        return Relaxation((jnp.zeros_like(y[0]),), (closing + jnp.zeros_like(y[0]),))

    def jump(self, t, before, y, u):
        return (y[0] + self.weight * u.spike,)

    def conductance(self, y, v_post):
        return y[0], jnp.zeros_like(v_post)


@pytest.mark.parametrize("kind", ["terminal", "tripartite", "of one's own"])
def test_terminals_share_the_receptors_of_a_cell(kind):
    """One linear receptor for each cell, or one for each edge: the same conductance in all."""
    edges = networks.bernoulli(12, 12, 0.3, key=jax.random.key(3))
    weight = np.linspace(0.5, 1.5, len(edges))

    def make(utilisation):
        receptor = synapses.DoubleExponential(0.05, rise=0.5, decay=4.0)
        own = SlowerWhenDepolarised() if kind == "of one's own" else receptor
        terminal = synapses.TsodyksMarkram(own, utilisation=utilisation)
        tripartite = kind == "tripartite"
        return synapses.TripartiteSynapse(terminal, effect=0.1) if tripartite else terminal

    # A parameter that varies gives each edge a synapse of its own; here it does not vary.
    each = networks.population(make, len(edges), utilisation=np.full(len(edges), 0.4))

    def run(synapse):
        p = networks.Projection("e", "e", synapse, edges, weight=weight, delay=0.4)
        cell = leaky(12, rest=np.linspace(-52.0, -45.0, 12))
        network = networks.Network({"e": cell}, [p])
        read = {"e.v": None, "e.spike": None, "e->e.x": [0, 7], "e->e.receptor": None}
        return network.projections["e->e"].releasing, solve(network, {}, 30.0, record=read)

    (shared, found), (apart, expected) = run(make(0.4)), run(each)
    assert shared and not apart and expected["e.spike"].sum() > 24
    np.testing.assert_array_equal(found["e.spike"], expected["e.spike"])
    for name in ("e.v", "e->e.x"):
        np.testing.assert_allclose(found[name], expected[name], rtol=SAME_SUM)
    matrix = np.zeros((12, len(edges)))
    matrix[edges.post, np.arange(len(edges))] = weight
    for one, many in zip(
        *map(jax.tree.leaves, (found["e->e.receptor"], expected["e->e.receptor"])), strict=True
    ):
        assert one.shape[1] == 12 and np.max(one) > 0
        np.testing.assert_allclose(one, many @ matrix.T, rtol=1e-9, atol=1e-12)


def test_no_edges_at_all():
    none = networks.bernoulli(12, 12, 0.0, key=jax.random.key(0))
    for synapse, delay in ((synapses.Exponential(0.02), None), (synapses.ampa(pulsed=True), 1.0)):
        p = networks.Projection("e", "e", synapse, none, delay=delay, weight=np.zeros(0))
        cell = leaky(12, rest=np.linspace(-52.0, -45.0, 12))
        found = solve(networks.Network({"e": cell}, [p]), {}, 10.0)["e.v"]
        # One sweep takes v in halves, the other whole.
        np.testing.assert_allclose(found, solve(recurrent(0.0), {}, 10.0)["e.v"], rtol=SAME_SUM)


def test_a_refractory_crossing_counts_time():
    """A cell held above the threshold fires again and again; one that dips below in time does."""
    rule = networks.Refractory(-20.0, 3.0)
    v = jnp.asarray([0.0, -20.0])
    memory, counts = rule.start(v), np.zeros(2)
    for step in range(1, 101):
        # The second cell is above at 2, 4, and from 6 ms on, in steps of 0.1.
        above = step in (20, 40) or step >= 60
        now = v.at[1].set(10.0 if above else -20.0)
        fired, memory = rule(memory, now, now, jnp.asarray(0.1 * step))
        counts += fired
    # At 0.1, 3.1, 6.1, 9.1; and at 2, 6, 9, while 4 is too soon.
    np.testing.assert_array_equal(counts, [4, 3])


# Against a loop in NumPy


def test_integrate_and_fire_cells_against_numpy(key):
    """100 cells, 200 ms: the same spikes on the same steps."""
    n, t1, dt = 100, 200.0, 0.1
    rest = np.random.default_rng(1).uniform(-56.0, -47.0, n)
    joined, projections = [], []
    for k, (weight, reversal, tau) in enumerate([(0.006, 0.0, 5.0), (0.02, -80.0, 10.0)]):
        edges = networks.bernoulli(n, n, 0.1, key=jax.random.fold_in(key, k))
        factor = np.random.default_rng(k).uniform(0.5, 1.5, len(edges))
        matrix = np.zeros((n, n))
        np.add.at(matrix, (edges.post, edges.pre), weight * factor)
        joined.append(({0: matrix}, reversal, tau))
        synapse = synapses.Exponential(weight, tau, reversal)
        projections.append(
            networks.Projection("all", "all", synapse, edges, weight=factor, name=f"kind {k}")
        )
    network = networks.Network({"all": leaky(n, rest=rest)}, projections)
    found = tp.simulate(network, {"all": 0.6}, t1=t1, dt=dt, record={"all.spike": None})
    expected = clocked(rest, joined, t1, dt, 0.6)
    assert expected.sum() > 300
    np.testing.assert_array_equal(found.ys["all.spike"][1:] > 0.5, expected)
    # The control: without one of the receptors the raster is another.
    assert np.any(expected != clocked(rest, joined[:1], t1, dt, 0.6))


def test_a_crossing_is_a_spike_of_a_conductance_cell():
    """Each upward crossing of 0 mV, and no other step, raises the receptor by its weight."""
    p = networks.Projection("a", "b", synapses.Exponential(0.1, decay=1e6), networks.one_to_one(1))
    parts = {"a": networks.population(cells.HodgkinHuxley, 1), "b": leaky(1)}
    found = solve(networks.Network(parts, [p]), {"a": 10.0}, 60.0, 0.05, {"a.v": 0, "a->b.g": 0})
    v, g = found["a.v"], found["a->b.g"]
    crossings = np.flatnonzero((v[1:] >= 0.0) & (v[:-1] < 0.0)) + 1
    risen = np.flatnonzero(np.diff(g) > 0.05) + 1
    assert len(crossings) >= 3
    np.testing.assert_array_equal(risen, crossings)
    # It decays by t1 / decay in all.
    np.testing.assert_allclose(g[-1], 0.1 * len(crossings), rtol=60.0 / 1e6)
