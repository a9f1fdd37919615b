"""Terminals moved at their spikes alone: the same paths and derivatives as at every step."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synapse_oracles as oracles
import tripartite as tp
from network_models import leaky
from tripartite import astrocytes, networks, synapses
from tripartite.networks import terminals

SOLVER = tp.solvers.AllAtOnceExponential(midpoint=False)
# Some hundred additions and as many exponentials, in another order: 1e-14 measured.
ROUNDING = 1e-12


@pytest.fixture
def always(monkeypatch):
    """Moved at spikes, however few there are."""
    monkeypatch.setattr(terminals, "_MANY", 0)


def test_they_follow_the_recursion_through_long_silence(always):
    """Of 2.4 s, 100 times the 25 ms in which transmitter is cleared; and a cell that never fires.

    Every edge of two from each cell, one edge short so that rows are padded.
    """
    times = [[7.0, 30.0, 36.0, 2400.0], [500.0, 1e9, 1e9, 1e9], [1e9] * 4]
    cells = networks.population(tp.cells.SpikeSource, 3, times=times)
    edges = networks.Edges([0, 1, 2, 0, 1], [0, 0, 0, 1, 1])
    terminal = synapses.TsodyksMarkram(synapses.Exponential(0.0, 400.0))
    terminal = eqx.tree_at(lambda s: s.receptor.weight, terminal, jnp.asarray(0.3))
    weight = np.array([1.0, 2.0, 5.0, 3.0, 4.0])
    p = networks.Projection("s", "out", terminal, edges, weight=weight, name="p")
    network = networks.Network({"s": cells, "out": leaky(2)}, [p])
    record = {f"p.{port}": None for port in ("u", "x", "transmitter", "receptor")}
    found = tp.simulate(network, t1=2450.0, dt=1.0, save_every=50.0, record=record, solver=SOLVER)
    ts, conductance = np.asarray(found.ts), np.zeros((len(found.ts), 2))
    for pre in range(3):
        heard = np.array([t for t in times[pre] if t < 1e9])
        u, x, spilled = np.zeros(len(ts)), np.ones(len(ts)), np.zeros(len(ts))
        released, states = oracles.tsodyks_markram(heard, 0.6) if len(heard) else ([], [])
        for t, r, (u_, x_, y_) in zip(heard, released, states, strict=True):
            since = np.maximum(ts - t, 0.0)
            late = ts >= t
            u = np.where(late, u_ * np.exp(-oracles.OMEGA_F * since), u)
            x = np.where(late, 1.0 - (1.0 - x_) * np.exp(-oracles.OMEGA_D * since), x)
            spilled = np.where(late, y_ * np.exp(-oracles.OMEGA_C * since), spilled)
            g = 0.3 * r * np.exp(-since / 400.0) * late
            for e in np.flatnonzero(edges.pre == pre):
                conductance[:, edges.post[e]] += weight[e] * g
        for e in np.flatnonzero(edges.pre == pre):
            np.testing.assert_allclose(found.ys["p.u"][:, e], u, rtol=ROUNDING, atol=1e-15)
            np.testing.assert_allclose(found.ys["p.x"][:, e], x, rtol=ROUNDING)
            got = found.ys["p.transmitter"][:, e]
            np.testing.assert_allclose(got, spilled, rtol=ROUNDING, atol=1e-15)
    np.testing.assert_allclose(found.ys["p.receptor"].g, conductance, rtol=ROUNDING)


def mixed():
    """Two kinds of terminals among 24 cells; one has a delay, and astrocytes that release."""
    keys = jax.random.split(jax.random.key(1), 3)
    exc, inh = (
        networks.bernoulli(24, 24, p, key=k) for p, k in zip((0.3, 0.2), keys, strict=False)
    )
    worn = networks.ensheathe(exc, "glia", 5, p=0.7, key=keys[2])
    terminal = synapses.TsodyksMarkram(synapses.Exponential(0.02), utilisation=0.4)
    other = synapses.TsodyksMarkram(synapses.DoubleExponential(0.05, reversal=-80.0))
    glia = astrocytes.GliotransmitterRelease(
        astrocytes.GChI(calcium_init=0.299, ip3_init=1.0), astrocytes.Vesicles(threshold=0.3)
    )
    surrogate = tp.core.surrogates.FastSigmoid(2.0)
    cells = leaky(24, rest=np.linspace(-52.0, -45.0, 24), surrogate=surrogate)
    return networks.Network(
        {"cells": cells, "glia": networks.population(glia, 5)},
        [
            networks.Projection(
                "cells", "cells", synapses.TripartiteSynapse(terminal, effect=0.9), exc,
                weight=jnp.linspace(0.5, 1.5, len(exc)), delay=0.25, astrocytes=worn, name="exc",
            ),
            networks.Projection("cells", "cells", other, inh, weight=0.1, name="inh"),
        ],
        astrocyte_step=None,
    )  # fmt: skip


def run(network):
    exc = ("u", "x", "transmitter", "bound", "receptor")
    inh = ("x", "transmitter")
    names = ["cells.v", "cells.spike", "glia.ip3"]
    names += [f"exc.{port}" for port in exc] + [f"inh.{port}" for port in inh]
    return tp.simulate(
        network, {"cells": 0.4}, t1=25.0, dt=0.1, record=dict.fromkeys(names), solver=SOLVER
    ).ys


def close(found, expected, rtol):
    """Each array to its own largest number."""
    both = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    for a, b in both:
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * float(jnp.max(jnp.abs(b))))


def test_a_network_of_them_takes_the_same_path(monkeypatch):
    """Gliotransmitter is bound once for each astrocyte, and what is recorded is of each edge."""
    plain = eqx.filter_jit(run)(mixed())
    monkeypatch.setattr(terminals, "_MANY", 0)
    network = mixed()
    state = network.at_step(0.1).init().projections["exc"].synapses.terminals
    assert state.bound.shape == (6,) and state.spilled.shape == (5,)
    found = eqx.filter_jit(run)(network)
    assert plain["cells.spike"].sum() > 48 and plain["exc.bound"].max() > 0.5
    assert np.all(found["exc.bound"][:, network.projections["exc"].astrocytes.astrocyte < 0] == 0)
    close(found, plain, ROUNDING)


def loss(network):
    ys = run(network)
    return sum(jnp.mean(ys[name]) for name in ("cells.v", "exc.transmitter", "exc.x", "glia.ip3"))


@pytest.mark.gate
def test_their_derivatives_are_the_same(monkeypatch):
    """Of cells that did not fire too, by their surrogate."""
    plain = eqx.filter_jit(eqx.filter_grad(loss))(mixed())
    monkeypatch.setattr(terminals, "_MANY", 0)
    found = eqx.filter_jit(eqx.filter_grad(loss))(mixed())
    slopes = plain.projections["exc"]
    for slope in (slopes.strength, slopes.delay, slopes.synapse.effect, slopes.synapse.binding):
        assert np.max(np.abs(slope)) > 0
    # To the largest slope of all: some are zero but for rounding.
    both = zip(jax.tree.leaves(found), jax.tree.leaves(plain), strict=True)
    largest = max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(plain.projections))
    for a, b in both:
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * largest)


@pytest.mark.slow
def test_several_networks_at_once_move_all(always):
    """Under vmap, in float32, every edge at every step: to some hundred roundings the same."""
    network = tp.astype(mixed(), jnp.float32)

    def scaled(scale):
        more = eqx.tree_at(
            lambda n: n.projections["inh"].strength, network, replace_fn=lambda w: w * scale
        )
        return run(more)["exc.transmitter"][-1]

    scales = jnp.asarray([1.0, 3.0], jnp.float32)
    together = jax.jit(jax.vmap(scaled))
    alone = jax.jit(scaled)
    close(together(scales), jnp.stack([alone(s) for s in scales]), 3e-5)
    compiled = [f.lower(x).compile().as_text() for f, x in ((together, scales), (alone, scales[0]))]
    assert ["popcnt" in text for text in compiled] == [False, True]


def test_only_a_solve_knows_how_long_ago_a_spike_was(always):
    terminal = synapses.TsodyksMarkram(synapses.Exponential(0.1))
    p = networks.Projection("a", "b", terminal, networks.all_to_all(2, 2), name="p")
    network = networks.Network({"a": leaky(2), "b": leaky(2)}, [p])
    with pytest.raises(ValueError, match=r"read them after network.at_step\(dt\)"):
        network.probe("p.x", 3)(network.init())
    assert network.at_step(0.1).probe("p.x", 3)(network.init()) == 1.0
