"""Networks under grad, vmap and jit, in both precisions; Dale's law."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import SAME_SUM, recurrent, solve
from tripartite import astrocytes, cells, networks, synapses


def morris_lecar(**parameters):
    return cells.MorrisLecar(capacitance=2.0, slowest=3.0, **parameters)


# Gradients and transforms


@functools.cache
def smooth():
    """Excitatory and inhibitory cells and astrocytes that matter within 20 ms."""
    trigger = synapses.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
    exc = networks.fixed_fan_in(3, 3, 2, key=jax.random.key(0))
    out = networks.all_to_all(3, 2)
    back = networks.all_to_all(2, 3)
    terminal = synapses.MeanFieldTsodyksMarkram(synapses.Exponential(1.0), trigger=trigger)
    tripartite = synapses.SmoothTripartiteSynapse(terminal, effect=0.05, binding=0.02)
    cell = astrocytes.GChI(calcium_init=0.45, h_init=0.9, ip3_init=1.0, agonist=0.02)
    # One channel compiles faster than three, and its cells are smooth all the same.
    passive = cells.ConductanceCell((tp.channels.Leak(),))
    vesicles = astrocytes.Vesicles(threshold=0.5, clearance=0.01)
    glia = astrocytes.SmoothRelease(cell, vesicles, width=0.05)
    return networks.Network(
        {
            "exc": networks.population(morris_lecar, 3, g_calcium=jnp.asarray([4.0, 4.2, 4.4])),
            "inh": networks.population(passive, 2),
            "astro": networks.population(glia, 2),
        },
        [
            networks.Projection(
                "exc", "exc", tripartite, exc, sign="excitatory",
                astrocytes=networks.ensheathe(exc, "astro", 2, key=jax.random.key(1)),
            ),
            networks.Projection(
                "exc", "inh", synapses.Exponential(0.5), out, trigger=trigger,
                weight=jnp.linspace(0.5, 1.5, 6),
            ),
            networks.Projection("inh", "exc", synapses.gaba_a(0.5), back, sign="inhibitory"),
        ],
        [networks.Coupling("astro", astrocytes.LinearCoupling(0.01), GAP)],
    )  # fmt: skip


GAP = astrocytes.GapJunctions(jnp.asarray([0]), jnp.asarray([1]))
STIMULUS = {"exc": jnp.asarray([120.0, 140.0, 160.0]), "inh": 5.0}
READ = {"exc.v": None, "inh.v": 0, "astro.ip3": None, "astro.gliotransmitter": 1}


def outcome(network, solver):
    found = tp.simulate(
        network, STIMULUS, t1=20.0, dt=0.1, record=READ, save_every=2.0, solver=solver
    ).ys
    sizes = {"exc.v": 50.0, "inh.v": 50.0, "astro.ip3": 1.0, "astro.gliotransmitter": 10.0}
    return sum(jnp.mean((found[name] / size) ** 2) for name, size in sizes.items())


@pytest.mark.parametrize(
    "solver",
    [
        # A third of the default's work for the compiler.
        tp.solvers.SequentialExponential(midpoint=False),
        pytest.param(tp.solvers.SymmetricExponential(), marks=pytest.mark.slow),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_the_gradient_of_three_populations(solver):
    """Every parameter at once, along random directions, against central differences."""
    loss = functools.partial(outcome, solver=solver)
    report = tp.testing.gradient_check(loss, smooth(), directions=3, tolerance=1e-5)
    report.assert_ok()
    for row in report.rows:
        np.testing.assert_allclose(row.forward, row.reverse, rtol=1e-8)
    found = solve(smooth(), STIMULUS, record=READ)
    # The parts matter to one another: the cells fire, and the astrocytes release.
    assert found["exc.v"].max() > 0.0 and found["astro.gliotransmitter"].max() > 1.0


def test_vmap_over_networks():
    def final(weight):
        network = eqx.tree_at(lambda n: n.projections["e->e"].strength, recurrent(1.0), weight)
        return tp.simulate(network, t1=30.0, dt=0.1, record={"e.v": [0, 11]}).ys["e.v"]

    weights = jnp.asarray([0.0, 0.5, 2.0])
    together = jax.jit(jax.vmap(final))(weights)
    for i in range(3):
        np.testing.assert_allclose(together[i], final(weights[i]), rtol=SAME_SUM)
    assert np.abs(together[0] - together[2]).max() > 0.1


def test_float32_drifts_little():
    """A smooth network that runs in float32: 200 steps of relative error 6e-8, some amplification.

    A hundredfold amplification by the upstroke, of a voltage of 50 mV, is 0.006 mV.
    """
    double = solve(smooth(), STIMULUS, record=READ)
    with jax.enable_x64(False):
        single = tp.astype(smooth(), jnp.float32)
        stimulus = tp.astype(STIMULUS, jnp.float32)
        found = tp.simulate(single, stimulus, t1=20.0, dt=0.1, record=READ).ys
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(found))
    np.testing.assert_allclose(found["exc.v"], double["exc.v"], atol=0.01)


def test_a_network_can_be_made_inside_jit():
    @jax.jit
    def run(weight):
        return tp.simulate(recurrent(weight), t1=10.0, dt=0.1, record={"e.v": None}).ys["e.v"]

    np.testing.assert_allclose(
        run(jnp.asarray(1.0)), solve(recurrent(1.0), {}, 10.0)["e.v"], rtol=SAME_SUM
    )


# Dale's law


def test_signs_survive_an_optimiser():
    network = recurrent(np.linspace(0.1, 2.0, 48), "excitatory")
    np.testing.assert_allclose(network.projections["e->e"].weight, np.linspace(0.1, 2.0, 48))

    @jax.jit
    def push(strength):
        step = jax.grad(
            lambda s: jnp.sum(eqx.tree_at(WHERE, network, s).projections["e->e"].weight)
        )
        return jax.lax.fori_loop(0, 1000, lambda _, s: s - 0.05 * step(s), strength)

    weight = eqx.tree_at(WHERE, network, push(WHERE(network))).projections["e->e"].weight
    assert np.all(weight > 0.0) and weight.max() < 0.05


def WHERE(network):
    return network.projections["e->e"].strength
