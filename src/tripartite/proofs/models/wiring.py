"""Networks: no weight is no network, and a spike arrives when its delay is over."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import cells, networks, synapses
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.models.setting import record_of

STEP = 0.1
DELAY = 1.23
CELLS = 6
STEPS = 200


def _drive() -> Array:
    return jnp.linspace(0.3, 3.0, CELLS)


@eqx.filter_jit
def _together(network: networks.Network) -> Any:
    steps = {"t1": STEP * STEPS, "dt": STEP, "record": {"cells.v": None}}
    return record_of(network, {"cells": _drive()}, **steps)["cells.v"]


@eqx.filter_jit
def _apart(cell: cells.LIF) -> Array:
    def one(current: Array) -> Array:
        return record_of(cell, current, t1=STEP * STEPS, dt=STEP)["v"]

    return jax.vmap(one, out_axes=1)(_drive())


def against_separate_cells(weight: float) -> Array:
    """The largest difference of a voltage, mV, between a network and its cells alone."""
    synapse = synapses.Exponential(0.05)
    wired = networks.Projection(
        "cells", "cells", synapse, networks.ring(CELLS), weight=jnp.asarray(weight)
    )
    network = networks.Network({"cells": networks.population(cells.LIF, CELLS)}, [wired])
    return jnp.max(jnp.abs(_together(network) - _apart(cells.LIF())))


@eqx.filter_jit
def _heard(network: networks.Network) -> Array:
    steps = {"t1": 7.0, "dt": STEP, "record": {"a->b.g": 0}}
    return record_of(network, {"a": 3.0}, **steps)["a->b.g"]


def arrival(delay: float) -> Array:
    """When a driven cell's first spike is heard, less when it should be, ms.

    From rest at -60 mV under 3 uA/cm2 the membrane tends to 0 mV with 20 ms and reaches -50 mV
    after 20 ln(6 / 5) = 3.65 ms, hence fires at the end of its step, at 3.7 ms. A delay between two
    steps arrives in shares, whose mean time is meant here.
    """
    synapse = synapses.Exponential(0.01, decay=1e15)
    wired = networks.Projection(
        "a", "b", synapse, networks.one_to_one(1), delay=jnp.asarray([delay]), max_delay=2.0
    )
    parts = {name: networks.population(cells.LIF, 1) for name in "ab"}
    g = np.asarray(_heard(networks.Network(parts, [wired])))
    rises, ts = np.diff(g), STEP * np.arange(1, g.size)
    fired = STEP * np.ceil(20.0 * np.log(1.2) / STEP)
    return jnp.asarray(np.sum(rises * ts) / np.sum(rises) - fired - DELAY)


def claims() -> Iterator[Claim]:
    """Separate cells, and a delay."""
    eps = machine_epsilon()
    yield Claim(
        "a ring of six integrate-and-fire cells at weight zero against the cells alone, mV",
        "trajectory",
        STEPS * 60.0 * eps,
        "a rounding of 60 mV in each of 200 steps",
        lambda: against_separate_cells(0.0),
        float64_only=False,
    )
    yield Claim(
        "a spike's arrival after a delay of 12.3 steps against 20 ln(6/5) ms on the grid, ms",
        "trajectory",
        100 * 7.0 * eps,
        "two shares that add up to a spike, at times of up to 7 ms, out of 70 rounded conductances",
        lambda: jnp.abs(arrival(DELAY)),
        float64_only=False,
    )
