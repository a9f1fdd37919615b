"""Projections of one class evaluated together: the same states and derivatives as one by one."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import leaky
from tripartite import astrocytes, networks, synapses
from tripartite.networks import delivery

SOLVER = tp.solvers.SequentialExponential(midpoint=False)


def mixed(surrogate=None):
    """Five exponentials onto 16 cells, two of another class, one that learns, one that depresses.

    Of the five, each with another time constant, one has a delay, and one astrocytes that hear it;
    a sixth has a delay for each edge, and is by itself.
    """
    sizes = {"a": 16, "b": 16, "c": 10}
    edges = {
        (pre, post): networks.bernoulli(sizes[pre], sizes[post], 0.4, key=jax.random.key(7 * j + k))
        for j, pre in enumerate("abc")
        for k, post in enumerate("abc")
    }

    def joined(ends, synapse, name, **more):
        return networks.Projection(*ends, synapse, edges[tuple(ends)], name=name, **more)

    worn = networks.ensheathe(edges["c", "a"], "glia", 3, key=jax.random.key(9))
    five = [synapses.Exponential(0.01, 3.0 + k, reversal=-15.0 * k) for k in range(5)]
    slow = [synapses.DoubleExponential(0.02, 0.5, 4.0 + k) for k in range(2)]
    weight = jnp.linspace(0.5, 1.5, len(edges["b", "a"]))
    cells = {
        name: leaky(n, rest=np.linspace(-51.0, -45.0, n), surrogate=surrogate)
        for name, n in sizes.items()
    }
    glia = networks.population(astrocytes.NESTAstrocyte(jump_size=0.1), 3)
    return networks.Network(
        cells | {"glia": glia},
        [
            joined("ab", five[0], "one"),
            joined("cc", synapses.Exponential(0.01), "smaller"),
            joined("ba", five[1], "two", weight=weight),
            joined("aa", synapses.TsodyksMarkram(five[0]), "depressing"),
            joined("bb", five[2], "late", delay=0.25),
            joined("ca", five[3], "covered", weight=2.0, astrocytes=worn),
            joined("ab", slow[0], "slow"),
            joined("aa", five[4], "five", sign="inhibitory"),
            joined(
                "bc",
                synapses.PlasticSynapse(synapses.Exponential(0.02), synapses.PairSTDP()),
                "learning",
            ),
            joined("cb", slow[1], "slower"),
            joined("ba", five[0], "ragged", delay=np.linspace(0.2, 0.9, len(edges["b", "a"]))),
        ],
        [
            networks.Coupling(
                "a", synapses.GapJunction(0.01), networks.gap_junctions(networks.ring(16))
            )
        ],
        astrocyte_step=None,
    )


def run(network):
    solution = tp.simulate(
        network, {"a": 0.2}, t1=12.0, dt=0.1, save_every=1.0, record="state", solver=SOLVER
    )
    return solution.ys, solution.stats["y1"]


def one_by_one(monkeypatch):
    monkeypatch.setattr(networks.Network, "packed", lambda network: network)


def test_the_states_are_those_of_one_after_the_other(monkeypatch):
    """Of all parts, in the layout that the network itself has."""
    monkeypatch.setattr(delivery, "_MANY", 0)
    network = mixed()
    assert [len(group.members) for group in network.packed().groups] == [5, 2]
    found = eqx.filter_jit(run)(network)
    assert jax.tree.structure(found[1]) == jax.tree.structure(network.at_step(0.1).init())
    one_by_one(monkeypatch)
    expected = eqx.filter_jit(run)(network)
    assert expected[1].populations["glia"].ip3.max() > 0.2
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        # 120 steps, in which five conductances are added in another order.
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=str(path))
    for name in network.projections:
        assert max(float(jnp.max(x)) for x in jax.tree.leaves(expected[1].projections[name])) > 0


@pytest.mark.gate
def test_so_are_the_derivatives(monkeypatch):
    """With respect to every parameter, each projection's apart."""

    def loss(network):
        return jnp.mean(run(network)[1].populations["b"].v ** 2) / 1000.0

    network = mixed(tp.core.surrogates.FastSigmoid(2.0))
    found = eqx.filter_jit(eqx.filter_grad(loss))(network)
    one_by_one(monkeypatch)
    expected = eqx.filter_jit(eqx.filter_grad(loss))(network)
    decays = [expected.projections[name].synapse.decay for name in ("one", "two", "late", "five")]
    assert len(set(map(float, decays))) == 4 and all(float(x) != 0 for x in decays)
    largest = max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(expected.projections))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13 * largest)


def test_a_group_takes_one_exponential(monkeypatch):
    """Of sixteen projections with time constants of their own, by the executable's text."""
    monkeypatch.setattr(delivery, "_MANY", 0)
    edges = networks.fixed_fan_in(20, 20, 3, key=jax.random.key(0))
    pairs = [(pre, post) for pre in "abcd" for post in "abcd"]

    def solve(decays):
        """Of a network made inside of `jit`, of traced numbers."""
        network = networks.Network(
            {name: leaky(20) for name in "abcd"},
            [
                networks.Projection(*ends, synapses.Exponential(0.01, tau), edges, name=f"p{k}")
                for k, (ends, tau) in enumerate(zip(pairs, decays, strict=True))
            ],
        )
        assert len(network.delivery.tables) == 1
        return tp.simulate(network, t1=1.0, dt=0.1, record={"a.v": 0}, solver=SOLVER).ys

    decays = list(3.0 + np.arange(16.0))
    text = jax.jit(solve).lower(decays).compile().as_text()
    # One for the voltages of each population, and one for all conductances.
    assert len(re.findall(r" exponential\(", text)) == 4 + 1


def test_a_flow_for_each_state_leaves_them_apart():
    """A prefix of the state says how each part moves: the state has to be the network's own."""
    edges = networks.all_to_all(2, 2)
    network = networks.Network(
        {"a": leaky(2)},
        [networks.Projection("a", "a", synapses.Exponential(0.1), edges, name=n) for n in "pq"],
    )
    flow = jax.tree.map(lambda _: tp.solvers.Exponential(), network.init())
    apart = tp.solvers.SymmetricExponential(flow=flow)
    record = {"a.v": None}
    found, expected = (
        tp.simulate(network, t1=1.0, dt=0.1, record=record, solver=solver).ys["a.v"]
        for solver in (apart, None)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-14)
