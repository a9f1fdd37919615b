"""What must be conserved: IP3 across junctions, charge, potassium, and the pump's proportion."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import astrocytes, cells, channels, networks, stimuli, synapses
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.models.setting import record_of

COUNT = 20
IP3_STEPS = 200
POTASSIUM_STEPS = 500


def ip3() -> Array:
    """Cells that neither make nor break down IP3, joined in a ring: the relative change of all."""
    still = astrocytes.IP3Metabolism(production=0.0, kinase=0.0, phosphatase=0.0)
    cell = astrocytes.GChI(metabolism=still, agonist=0.0)
    ring = astrocytes.ring(COUNT)
    network = astrocytes.AstrocyteNetwork(cell, astrocytes.ThresholdCoupling(), ring, COUNT)

    @eqx.filter_jit
    def run(network: astrocytes.AstrocyteNetwork) -> Array:
        uneven = jnp.linspace(0.1, 3.0, COUNT)
        start = network.init()._replace(ip3=uneven)
        steps = {"t1": 50.0 * IP3_STEPS, "dt": 50.0}
        found = record_of(network, None, y0=start, **steps)["ip3"]
        total = jnp.sum(found, axis=1)
        moved = jnp.max(jnp.abs(found[-1] - uneven))
        # Nothing is conserved by standing still.
        return jnp.where(moved > 0.1, jnp.max(jnp.abs(total / total[0] - 1.0)), jnp.inf)

    return run(network)


def charge() -> Array:
    """The sum of all currents through electrical junctions, as a share of their sum of sizes."""
    cell = cells.ConductanceCell((channels.Leak(0.0, -65.0),))
    joined = networks.Coupling(
        "cells", synapses.GapJunction(0.1), networks.gap_junctions(networks.ring(COUNT))
    )
    network = networks.Network({"cells": networks.population(cell, COUNT)}, couplings=[joined])
    start = network.init()
    v = -65.0 + 30.0 * jax.random.normal(jax.random.key(0), (COUNT,))
    start = eqx.tree_at(lambda y: y.populations["cells"].v, start, v)
    current = jax.jit(lambda y: network.vector_field(jnp.zeros(()), y, None))(start)
    dv = current.populations["cells"].v
    return jnp.abs(jnp.sum(dv)) / jnp.sum(jnp.abs(dv))


def potassium() -> Array:
    """All potassium of neuron, cleft, buffer and glia under a burst: its relative change."""
    burst = stimuli.Step(60.0, start=100.0, stop=600.0)

    @eqx.filter_jit
    def run(model: astrocytes.PotassiumClearance) -> Array:
        steps = {"t1": 2.0 * POTASSIUM_STEPS, "dt": 2.0}
        ys = record_of(model, burst, record="state", **steps)
        total = jax.vmap(model.total_potassium)(ys)
        rose = jnp.max(ys.k_cleft) / ys.k_cleft[0]
        return jnp.where(rose > 1.1, jnp.max(jnp.abs(total / total[0] - 1.0)), jnp.inf)

    return run(astrocytes.PotassiumClearance())


def pump() -> Array:
    """3 I_K + 2 I_Na over a range of concentrations, as a share of 3 I_K: zero for 3 to 2."""
    outside, inside = jnp.meshgrid(jnp.geomspace(10.0, 1e5, 30), jnp.geomspace(10.0, 1e5, 30))
    k, na = astrocytes.SodiumPotassiumPump()(outside, inside)
    return jnp.max(jnp.abs((3.0 * k + 2.0 * na) / (3.0 * k)))


def claims() -> Iterator[Claim]:
    """Four sums that do not change."""
    eps = machine_epsilon()
    yield Claim(
        "IP3 in a ring of 20 cells joined by gap junctions: relative change of the total",
        "trajectory",
        IP3_STEPS * 8 * eps,
        "what leaves one cell enters another; in each of 200 steps a cell's new IP3 and the sum "
        "are rounded, eight times at most",
        ip3,
        float64_only=False,
    )
    yield Claim(
        "charge through electrical gap junctions: sum of the currents over the sum of their sizes",
        "algebra",
        2 * COUNT * eps,
        "each current is the other's opposite; 20 additions, and each cell's own sum",
        charge,
        float64_only=False,
    )
    yield Claim(
        "potassium of neuron, cleft, buffer and glia under a burst: relative change of the total",
        "trajectory",
        POTASSIUM_STEPS * 16 * eps,
        "no flux but from one place to another; sixteen roundings in each of 500 steps",
        potassium,
        float64_only=False,
    )
    yield Claim(
        "Na/K pump: 3 I_K + 2 I_Na, as a share of 3 I_K",
        "algebra",
        4 * eps,
        "three sodium for two potassium, but for the rounding of the products",
        pump,
        float64_only=False,
    )
