"""Astrocytes, gap junctions and noise in a network."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from network_models import leaky, solve
from tripartite import astrocytes, cells, networks, synapses

# Couplings


def test_what_leaves_one_side_of_a_junction_enters_the_other():
    """Charge and IP3, to the rounding of some ten additions."""
    junctions = networks.gap_junctions(networks.ring(5, 2))
    assert len(junctions.here) == 10
    v = jnp.linspace(-70.0, 30.0, 5)
    coupling = networks.Coupling("e", synapses.GapJunction(0.3), junctions)
    current, conductance = coupling.membrane(v)
    assert abs(float(jnp.sum(current - conductance * v))) < 1e-12 * 0.3 * 100 * 20
    np.testing.assert_allclose(conductance, 4 * 0.3)
    ip3 = networks.Coupling("a", astrocytes.ThresholdCoupling(), junctions)
    flux = ip3.flux(jnp.linspace(0.1, 2.0, 5))
    assert np.abs(flux).max() > 1e-5 and abs(float(jnp.sum(flux))) < 1e-18


def test_coupled_cells_meet():
    passive = cells.ConductanceCell((tp.channels.Leak(0.0),))
    parts = {
        "e": networks.population(
            lambda v_init: eqx.tree_at(lambda c: c.v_init, passive, jnp.asarray(v_init)),
            2,
            v_init=jnp.asarray([-80.0, -40.0]),
        )
    }
    junctions = networks.gap_junctions(networks.all_to_all(2, 2, loops=False))
    network = networks.Network(
        parts, (), [networks.Coupling("e", synapses.GapJunction(0.5), junctions)]
    )
    v = tp.simulate(network, t1=5.0, rtol=1e-9, atol=1e-9).ys["e.v"][-1]
    # The difference decays at twice the conductance over the capacitance; the mean stays.
    np.testing.assert_allclose(v, -60.0 + 20.0 * np.exp(-5.0) * np.array([-1.0, 1.0]), rtol=1e-7)


# Astrocytes


def test_an_astrocyte_hears_the_mean_of_its_synapses_and_modulates_them():
    def said(y):
        return y.projections["e->e"].synapses.terminals

    edges = networks.Edges([0, 1, 0], [0, 0, 1])
    terminal = synapses.TsodyksMarkram(synapses.Exponential(0.1))
    p = networks.Projection(
        "e", "e", synapses.TripartiteSynapse(terminal), edges,
        astrocytes=networks.Ensheathed("a", [1, 1, -1]),
    )  # fmt: skip
    glia = astrocytes.GliotransmitterRelease(astrocytes.GChI())
    network = networks.Network({"e": leaky(2), "a": networks.population(glia, 3)}, [p])
    y = network.init()
    put = (jnp.asarray([3.0, 5.0, 100.0]), jnp.asarray([0.0, 7.0, 0.0]))
    y = eqx.tree_at(
        lambda y: (said(y).terminal.transmitter, y.populations["a"].transmitter), y, put
    )
    found = network.relax(
        jnp.asarray(0.0), y, {"a": astrocytes.drive(glutamate=0.5)(jnp.zeros(()))}
    )
    binding = found.drive.populations["a"].astrocyte.receptors / glia.astrocyte.agonist_binding
    np.testing.assert_allclose(binding, [0.5, 4.5, 0.5], rtol=1e-12)
    bound = said(found.drive).bound / p.synapse.binding
    np.testing.assert_allclose(bound, [7.0, 7.0, 0.0], rtol=1e-12)


def test_an_astrocyte_hears_spikes():
    """NEST's: IP3 rises by its jump for each weighted spike at the synapses it ensheathes."""
    edges = networks.all_to_all(2, 1)
    p = networks.Projection(
        "e", "out", synapses.Exponential(0.0), edges, weight=np.array([1.0, 3.0]),
        astrocytes=networks.Ensheathed("a", [0, 0]),
    )  # fmt: skip
    glia = astrocytes.NESTAstrocyte(jump_size=0.1)
    parts = {"e": leaky(2), "out": leaky(1), "a": networks.population(glia, 1)}
    stimulus = {"e": tp.stimuli.Step(jnp.asarray([0.0, 30.0]), start=1.0, stop=1.7)}
    found = solve(networks.Network(parts, [p]), stimulus, 5.0, 0.1, {"a.ip3": 0, "e.spike": None})
    spikes = found["e.spike"].sum(axis=0)
    assert spikes[0] == 0 and spikes[1] > 0
    # IP3 decays towards rest with 7,142 ms meanwhile, by less than a thousandth.
    np.testing.assert_allclose(found["a.ip3"][-1] - 0.16, 0.3 * spikes[1], rtol=1e-3)


def test_noise_stays_in_its_population(key):
    noisy = cells.with_current_noise(cells.HodgkinHuxley(), 1.0)
    network = networks.Network(
        {"n": networks.population(noisy, 2), "q": networks.population(cells.HodgkinHuxley, 2)}
    )
    found = tp.simulate(network, t1=5.0, dt=0.05, key=key).ys
    quiet = tp.simulate(cells.HodgkinHuxley(), t1=5.0, dt=0.05).ys["v"]
    np.testing.assert_allclose(found["q.v"][:, 1], quiet, rtol=1e-12)
    assert np.abs(found["n.v"][-1, 0] - found["n.v"][-1, 1]) > 1e-3
