"""What must hold of any network: order, independence, and what junctions conserve."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from oracles import observed_order
from tripartite import astrocytes, cells, networks, synapses
from tripartite.solvers import ClassicalRK4

# Sums of some ten terms in another order.
SAME = 1e-12
EXC, GLIA = 4, 3
EDGES = networks.Edges([0, 1, 2, 3, 0, 2, 3], [1, 2, 3, 0, 2, 0, 1])
WORN = np.array([0, 2, 1, -1, 0, 2, 1])
WEIGHT = np.linspace(0.5, 1.5, 7)
GAPS = np.array([[0, 1, 2], [1, 3, 3]])
JOINED = np.array([[0, 1], [1, 2]])
G_CALCIUM, AGONIST = np.linspace(4.0, 4.6, EXC), np.array([1e-3, 2e-3, 3e-3])


def joined(pairs):
    return astrocytes.GapJunctions(*map(jnp.asarray, pairs))


def three_populations(
    g_calcium=G_CALCIUM, agonist=AGONIST, edges=EDGES, worn=WORN, weight=WEIGHT, gaps=GAPS,
    glial=JOINED, strength=1.0,
):  # fmt: skip
    """Cells, cells and astrocytes with every kind of connection, each multiplied by `strength`."""
    trigger = synapses.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
    terminal = synapses.MeanFieldTsodyksMarkram(synapses.Exponential(1.0), trigger=trigger)
    tripartite = synapses.SmoothTripartiteSynapse(terminal, effect=0.05)
    exc, glia = len(g_calcium), len(agonist)

    def cell(g_calcium):
        return cells.MorrisLecar(g_calcium=g_calcium)

    def releasing(agonist):
        return astrocytes.SmoothRelease(astrocytes.GChI(agonist=agonist))

    out, back = networks.all_to_all(exc, 2), networks.all_to_all(2, exc)
    parts = {
        "exc": networks.population(cell, exc, g_calcium=g_calcium),
        "inh": networks.population(cells.ConductanceCell((tp.channels.Leak(),)), 2),
        "astro": networks.population(releasing, glia, agonist=agonist),
    }
    projections = [
        networks.Projection(
            "exc", "exc", tripartite, edges, weight=strength * weight,
            astrocytes=networks.Ensheathed("astro", worn),
        ),
        networks.Projection(
            "exc", "inh", synapses.Exponential(0.5), out, trigger=trigger, weight=strength
        ),
        networks.Projection("inh", "exc", synapses.gaba_a(0.5), back, weight=strength),
    ]  # fmt: skip
    junction = synapses.GapJunction(strength * 0.1 * (1.0 + np.arange(gaps.shape[1]) % 3))
    couplings = [
        networks.Coupling("exc", junction, joined(gaps)),
        networks.Coupling("astro", astrocytes.ThresholdCoupling(strength * 1e-3), joined(glial)),
    ]
    return networks.Network(parts, projections, couplings).at_step(None)


@functools.cache
def somewhere():
    """A state away from rest, each number of its own."""
    rng = np.random.default_rng(0)
    y = three_populations().init()
    y = jax.tree.map(lambda x: x + jnp.asarray(rng.uniform(0.05, 0.4, x.shape)), y)
    v = jnp.asarray(rng.uniform(-60.0, 20.0, EXC))
    return eqx.tree_at(lambda y: y.populations["exc"].v, y, v)


@eqx.filter_jit
def slopes(network, y, u=None):
    return network.vector_field(jnp.asarray(0.0), y, u)


def of(y, name, order):
    return jax.tree.map(lambda x: x[order], y.populations[name])


def assert_equal(found, expected):
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=SAME, atol=SAME * float(jnp.max(jnp.abs(b))))


def test_the_order_of_cells_astrocytes_edges_and_junctions_does_not_matter():
    rng = np.random.default_rng(1)
    exc, glia, edges = (rng.permutation(n) for n in (EXC, GLIA, len(EDGES)))
    place, glial_place = np.argsort(exc), np.argsort(glia)
    worn = np.where(WORN < 0, -1, glial_place[WORN])[edges]
    other = three_populations(
        G_CALCIUM[exc], AGONIST[glia],
        networks.Edges(place[EDGES.pre][edges], place[EDGES.post][edges]), worn, WEIGHT[edges],
        place[GAPS[::-1]], glial_place[JOINED[::-1]],
    )  # fmt: skip

    def moved(y):
        populations = y.populations | {"exc": of(y, "exc", exc), "astro": of(y, "astro", glia)}
        there = dict(y.projections)
        there["exc->exc"] = jax.tree.map(lambda x: x[edges], there["exc->exc"])
        # Each of the two sends to every cell in turn.
        back = np.concatenate([np.arange(EXC)[exc] + EXC * k for k in range(2)])
        there["inh->exc"] = jax.tree.map(
            lambda x: x[by_target(back)] if x.ndim else x, there["inh->exc"]
        )
        return y._replace(populations=populations, projections=there)

    def by_target(fallback):
        edges = networks.all_to_all(2, EXC)
        table = {(a, b): k for k, (a, b) in enumerate(zip(edges.pre, edges.post, strict=True))}
        return np.array([table[a, exc[b]] for a, b in table])

    u = {"exc": jnp.linspace(50.0, 80.0, EXC), "astro": astrocytes.AstrocyteDrive(0.3)}
    found = slopes(other, moved(somewhere()), u | {"exc": u["exc"][exc]})
    assert_equal(found, moved(slopes(three_populations(), somewhere(), u)))


@pytest.mark.slow
def test_without_connections_each_population_is_alone():
    y = somewhere()
    quiet = three_populations().init().projections
    y = y._replace(projections=quiet)
    network = three_populations(strength=0.0)
    found = slopes(network, y)
    for name, part in network.populations.items():
        u = astrocytes.AstrocyteDrive() if name == "astro" else None
        alone = part.vector_field(jnp.asarray(0.0), y.populations[name], u)
        assert_equal(found.populations[name], alone)
    # The control: with them every population moves otherwise.
    other = slopes(three_populations(), somewhere())
    for name in network.populations:
        first = (x.populations[name] for x in (found, other))
        a, b = (np.concatenate([np.ravel(x) for x in jax.tree.leaves(y)]) for y in first)
        assert np.max(np.abs(a - b)) > 1e-6


@pytest.mark.slow
def test_two_halves_that_nothing_joins_are_two_networks():
    """The same network twice in one, but for the inhibitory cells, which see both."""

    def twice(x, n):
        return np.concatenate([x, np.where(x < 0, -1, x + n)], axis=-1)

    whole = three_populations(
        np.tile(G_CALCIUM, 2), np.tile(AGONIST, 2),
        networks.Edges(twice(EDGES.pre, EXC), twice(EDGES.post, EXC)), twice(WORN, GLIA),
        np.tile(WEIGHT, 2), twice(GAPS, EXC), twice(JOINED, GLIA),
    )  # fmt: skip
    y, start = somewhere(), whole.init()

    def tiled(x):
        return jnp.concatenate([x, x])

    populations = {name: jax.tree.map(tiled, y.populations[name]) for name in ("exc", "astro")}
    both = start.projections | {"exc->exc": jax.tree.map(tiled, y.projections["exc->exc"])}
    found = slopes(whole, start._replace(populations=start.populations | populations,
                                         projections=both))  # fmt: skip
    alone = y._replace(projections=three_populations().init().projections
                       | {"exc->exc": y.projections["exc->exc"]})  # fmt: skip
    expected = slopes(three_populations(), alone)
    for half in (slice(0, EXC), slice(EXC, None)):
        assert_equal(of(found, "exc", half), expected.populations["exc"])
    for half in (slice(0, GLIA), slice(GLIA, None)):
        assert_equal(of(found, "astro", half), expected.populations["astro"])


# What junctions conserve

CAPACITANCE = np.array([0.5, 1.0, 2.0, 1.0, 3.0])
CHAIN = np.array([[0, 1, 2, 1], [1, 2, 3, 4]])


def closed():
    """Cells without leaks and astrocytes without metabolism, both joined by junctions."""

    def cell(capacitance, v_init):
        leak = (tp.channels.Leak(0.0),)
        return cells.ConductanceCell(leak, capacitance=capacitance, v_init=v_init)

    metabolism = astrocytes.IP3Metabolism(production=0.0, kinase=0.0, phosphatase=0.0)

    def inert(ip3_init):
        return astrocytes.GChI(metabolism=metabolism, agonist=0.0, ip3_init=ip3_init)

    v, ip3 = np.linspace(-80.0, 20.0, 5), np.array([3.0, 0.1, 0.0, 1.0, 0.4])
    return networks.Network(
        {
            "e": networks.population(cell, 5, capacitance=CAPACITANCE, v_init=v),
            "a": networks.population(inert, 5, ip3_init=ip3),
        },
        (),
        [
            networks.Coupling("e", synapses.GapJunction(np.linspace(0.01, 0.04, 4)), joined(CHAIN)),
            networks.Coupling("a", astrocytes.LallouetteCoupling(), joined(CHAIN)),
        ],
    )


def totals(solver, dt):
    """The charge (nC/cm2) and IP3 (uM) of all, at each step, and how far the states moved."""
    record = {"e.v": None, "a.ip3": None}
    ys = tp.simulate(closed(), t1=400.0, dt=dt, solver=solver, record=record).ys
    v, ip3 = np.asarray(ys["e.v"]), np.asarray(ys["a.ip3"])
    assert np.max(np.abs(v[-1] - v[0])) > 20.0 and np.max(np.abs(ip3[-1] - ip3[0])) > 0.3
    return v @ CAPACITANCE, ip3.sum(1)


def test_junctions_in_a_network_conserve_charge_and_ip3():
    """A Runge-Kutta step keeps linear invariants to rounding."""
    charge, ip3 = totals(ClassicalRK4(), 2.0)
    np.testing.assert_allclose(charge, charge[0], rtol=1e-10)
    np.testing.assert_allclose(ip3, 4.5, rtol=1e-10)


@pytest.mark.slow
def test_exponential_steps_conserve_charge_to_their_order():
    """Each cell relaxes at its own rate within a step; IP3's flux is shared, and so conserved."""
    steps, drifts = [4.0, 2.0], []
    for dt in steps:
        charge, ip3 = totals(None, dt)
        np.testing.assert_allclose(ip3, 4.5, rtol=1e-10)
        drifts.append(np.max(np.abs(charge / charge[0] - 1)))
    assert observed_order(drifts, steps) == pytest.approx(2.0, abs=0.2)
