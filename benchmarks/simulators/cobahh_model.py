"""COBAHH in tripartite, by its public names: the network, where it starts, and its spikes."""

import cobahh_network as net
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp

# Shorter than the refractory time, so that every spike is the last one of its cell at some record.
EVERY = 2.5  # ms


def network(cells=net.FULL):
    """One population, of which the first four fifths excite all cells and the others inhibit them.

    Brian2's way of counting spikes: above the threshold, but not for 3 ms after the last one.
    """
    crossing = tp.networks.Refractory(net.THRESHOLD, net.REFRACTORY)
    population = tp.networks.population(tp.cells.TraubMiles(**net.CELL), cells, crossing=crossing)
    projections = []
    for kind, (pre, post) in net.edges(cells).items():
        synapse = tp.synapses.Exponential(
            net.weight(cells, kind), net.DECAY[kind], net.REVERSAL[kind]
        )
        edges = tp.networks.Edges(pre, post)
        projections.append(tp.networks.Projection("cells", "cells", synapse, edges, name=kind))
    return tp.networks.Network({"cells": population}, projections)


def start(found, cells=net.FULL):
    """The state at t = 0 that every simulator starts from: all gates closed."""
    y, dtype = found.init(), jnp.zeros(()).dtype
    v, g = net.start(cells)
    own = y.populations["cells"]
    return eqx.tree_at(
        lambda y: (
            y.populations["cells"].v,
            y.populations["cells"].gates,
            *(y.projections[kind].synapses.g for kind in g),
        ),
        y,
        (
            jnp.asarray(v, dtype),
            jax.tree.map(jnp.zeros_like, own.gates),
            *(jnp.asarray(x, dtype) for x in g.values()),
        ),
    )


def solve(found, y0, span):
    """Until when each cell may not fire again (ms), every 2.5 ms: in it are all its spikes."""
    solution = tp.simulate(
        found,
        t1=span,
        dt=net.DT,
        y0=y0,
        # What Brian2 calls exponential Euler.
        solver=tp.solvers.AllAtOnceExponential(),
        save_every=EVERY,
        record=_until,
        throw=False,
    )
    return solution.ys


def _until(y):
    return y.armed["cells"]


def raster(until):
    """Steps and cells of all spikes, in order of step and cell, from `solve`'s record."""
    last = np.asarray(until, np.float64) - net.REFRACTORY
    fresh = np.vstack([last[:1] > -net.REFRACTORY, last[1:] > last[:-1] + net.DT / 2])
    record, cell = np.nonzero(fresh)
    # A spike at the end of a step is one of the step that began one dt before.
    step = np.round(last[record, cell] / net.DT).astype(int) - 1
    order = np.lexsort((cell, step))
    return step[order], cell[order]
