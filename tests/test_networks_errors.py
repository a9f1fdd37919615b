"""What a network says to bad input, by its wording; and that a network conforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import leaky, recurrent
from tripartite import astrocytes, cells, networks, synapses

EDGES = networks.all_to_all(2, 2)
PLAIN = synapses.Exponential(0.1)


def projection(synapse=PLAIN, edges=EDGES, pre="e", post="e", **more):
    return networks.Projection(pre, post, synapse, edges, **more)


def network(*projections, couplings=(), glia=None):
    glia = astrocytes.GliotransmitterRelease(astrocytes.GChI()) if glia is None else glia
    parts = {"e": leaky(2), "a": networks.population(glia, 2)}
    return networks.Network(parts, projections, couplings)


def coupling(junction, pairs, name="e"):
    return networks.Coupling(name, junction, astrocytes.GapJunctions(*map(jnp.asarray, pairs)))


def mean_field(**more):
    return synapses.MeanFieldTsodyksMarkram(synapses.Exponential(), **more)


GAP = synapses.GapJunction(0.1)
MISTAKES = {
    # Populations
    "rest has 3 values for a population of 2: give 2": lambda: leaky(2, rest=np.zeros(3)),
    "n must be a whole number, at least 1": lambda: leaky(0),
    r"\['rest'\] cannot vary in a LIF that is already made": lambda: networks.population(
        cells.LIF(), 2, rest=np.zeros(2)
    ),
    "a drive and a decay .* got FitzHughNagumo": lambda: networks.population(
        cells.FitzHughNagumo, 2
    ),
    "each unit's parameters must follow from its own": lambda: networks.population(
        lambda rest: cells.LIF(rest=jnp.sum(rest)), 2, rest=np.full(2, -60.0)
    ),
    "two populations are called 'e'": lambda: networks.Network([("e", leaky(1)), ("e", leaky(1))]),
    "no dot or arrow": lambda: networks.Network({"e.i": leaky(1)}),
    "needs at least one population": lambda: networks.Network({}),
    "must be made by networks.population, got int": lambda: networks.Network({"e": 3}),
    "rearm must not exceed its threshold": lambda: networks.Crossing(0.0, 10.0),
    # Projections
    "names the population 'x', which the network does not have: it has 'e', 'a'": lambda: network(
        projection(pre="x")
    ),
    "needs cells in 'a', got GliotransmitterRelease": lambda: network(projection(post="a")),
    "two parts are called 'e->e'": lambda: network(projection(), projection()),
    "pre = 5, and there are 2 cells": lambda: network(projection(edges=networks.Edges([5], [0]))),
    "post = 7, and there are 2 cells": lambda: network(projection(edges=networks.Edges([0], [7]))),
    "edges must be networks.Edges, got tuple": lambda: projection(edges=([0], [0])),
    r"weight has shape \(3,\) for 4 edges": lambda: projection(weight=np.ones(3)),
    "weight must not be negative, got -1.0: a conductance has no sign": lambda: projection(
        weight=-1.0
    ),
    r"delay has shape \(3,\) for 4 edges": lambda: projection(delay=np.ones(3)),
    "must be an AbstractSynapse, .* got LIF": lambda: projection(cells.LIF()),
    "a population of 3 synapses for 4 edges": lambda: projection(networks.population(PLAIN, 3)),
    "the synapse's parameters are arrays": lambda: projection(synapses.Exponential(np.ones(4))),
    "hears spikes, and a trigger makes rates": lambda: projection(
        synapses.ampa(pulsed=True), trigger=synapses.SmoothSpikes()
    ),
    "hears a rate and would hear none": lambda: projection(mean_field()),
    # Dale's law
    'sign must be "excitatory" or "inhibitory"': lambda: projection(sign="positive"),
    "a weight under Dale's law must be positive": lambda: projection(weight=0.0, sign="excitatory"),
    "is inhibitory, with a reversal of 0.0 mV on cells that start at -60.0": lambda: network(
        projection(sign="inhibitory")
    ),
    "is excitatory, with a reversal of -80.0 mV": lambda: network(
        projection(synapses.Exponential(reversal=-80.0), sign="excitatory")
    ),
    # Astrocytes
    "the map of astrocytes has 3 entries for 4 edges": lambda: projection(
        astrocytes=networks.Ensheathed("a", [0, 0, 0])
    ),
    "an edge has astrocyte 2, and there are 2 in 'a'": lambda: network(
        projection(tripartite(), astrocytes=networks.Ensheathed("a", [0, 1, 2, -1]))
    ),
    "needs astrocytes in 'e', got LIF": lambda: network(
        projection(tripartite(), astrocytes=networks.Ensheathed("e", [0, 1, 1, -1]))
    ),
    "spills no transmitter and is not modulated": lambda: network(
        projection(astrocytes=networks.Ensheathed("a", [0] * 4)), glia=astrocytes.GChI()
    ),
    # Couplings
    "junction must be a GapJunction or an AbstractCoupling, got": lambda: coupling(
        PLAIN, ([0], [1])
    ),
    r"weights of shape \(2,\) for 1 junctions: give one number": lambda: coupling(
        synapses.GapJunction(np.ones(2)), ([0], [1])
    ),
    "two index arrays of one length": lambda: coupling(GAP, ([0], [1, 0])),
    "unit 1 is joined to itself": lambda: coupling(GAP, ([1], [1])),
    "name units 0 to 2, and there are 2": lambda: network(couplings=[coupling(GAP, ([0], [2]))]),
    "a coupling needs cells in 'a'": lambda: network(couplings=[coupling(GAP, ([0], [1]), "a")]),
    "has none of its own to read": lambda: network(
        couplings=[coupling(astrocytes.LinearCoupling(), ([0], [1]), "a")],
        glia=astrocytes.LiRinzel(),
    ),
    # Solving
    "projection 'e->e' .a delay. jumps between steps": lambda: tp.simulate(
        networks.Network({"e": networks.population(cells.LIF(), 2)}, [projection(delay=1.0)]),
        t1=1.0,
    ),
    "takes a dictionary of stimuli, .* got float": lambda: tp.simulate(
        recurrent(1.0), 1.0, t1=1.0, dt=0.1
    ),
    "has no part 'x' to stimulate: it has 'e'": lambda: tp.simulate(
        recurrent(1.0), {"x": 1.0}, t1=1.0, dt=0.1
    ),
    # One number, one for each, and one for each of those that synapses reach.
    r"glutamate must not be negative, got -1.0 uM": lambda: drive_glia(-1.0),
    r"glutamate must not be negative, got -2.0 uM": lambda: drive_glia(np.array([1.0, -2.0])),
    r"glutamate must not be negative, got -3.0 uM": lambda: drive_glia(
        np.array([1.0, -3.0]),
        projection(tripartite(), astrocytes=networks.Ensheathed("a", [0] * 4)),
    ),
    r"the stimulus of 'e' has shape \(3,\), for 12 units": lambda: tp.simulate(
        recurrent(1.0), {"e": np.ones(3)}, t1=1.0, dt=0.1
    ),
    "'v' names no part of the network: .* 'e', 'e->e'": lambda: recurrent(1.0).probe("v"),
    "'e' has no port 'w': it has 'spike', 'v'": lambda: record({"e.w": None}),
    "asks for units 0 to 12, and there are 12": lambda: record({"e.v": [0, 12]}),
    "takes an index, a list of them, a slice or None, got 1.5": lambda: record({"e.v": 1.5}),
    "a dictionary of such functions, got .*'v': 1.* for LIF": lambda: tp.simulate(
        cells.LIF(), t1=1.0, dt=0.1, record={"v": 1}
    ),
    "drawn with a key known before tracing": lambda: jax.jit(
        lambda k: len(networks.bernoulli(3, 3, 0.5, key=k))
    )(jax.random.key(0)),
}


def drive_glia(glutamate, *projections):
    tp.simulate(network(*projections), {"a": glutamate}, t1=1.0, dt=0.5)


def tripartite():
    return synapses.TripartiteSynapse(synapses.TsodyksMarkram(synapses.Exponential()))


def record(what):
    return tp.simulate(recurrent(1.0), t1=1.0, dt=0.1, record=what)


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text):
    with pytest.raises(ValueError, match=text):
        MISTAKES[text]()


def test_records_by_name_and_index():
    found = record({"e.v": 3, "e.spike": slice(2, 5), "e->e.g": [0, 7], "both": lambda y: y.armed})
    assert {name: np.shape(x) for name, x in found.ys.items() if name != "both"} == {
        "e.v": (11,), "e.spike": (11, 3), "e->e.g": (11, 2)
    }  # fmt: skip
    np.testing.assert_array_equal(found.ys["e.v"], record(None).ys["e.v"][:, 3])


def test_a_trigger_inside_the_synapse_will_do():
    projection(mean_field(trigger=synapses.SmoothSpikes()))
    projection(mean_field(), trigger=synapses.SmoothSpikes())


def test_a_network_conforms():
    """Structure, derivatives, jit and vmap, and a rescaling of all units."""
    passive = networks.population(cells.ConductanceCell((tp.channels.Leak(),)), 2)
    p = networks.Projection("e", "e", synapses.ampa(0.1), EDGES, weight=np.arange(4.0))
    model = networks.Network({"e": passive}, [p])
    given = tp.core.Membrane(jnp.asarray([1.0, 2.0]), jnp.asarray([0.1, 0.0]))
    tp.testing.check(model, {"e": given}).assert_ok()
    assert "projections.e->e.strength" in tp.summary(model)
