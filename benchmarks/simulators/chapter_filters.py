"""Figure 4 of Stimberg et al. (2019) in tripartite: one synapse without and under gliotransmission.

For each of some firing rates three synapses: one alone; one whose astrocyte releases by an IP3
source of its own and does not hear the synapse (open loop); one whose astrocyte hears it (closed).
"""

import numpy as np

import tripartite as tp
from tripartite.core.units import per_second

nets, ast, syn = tp.networks, tp.astrocytes, tp.synapses

LOOPS = ("none", "open", "closed")
# 1/ms: a presynaptic cell at rest fires at this rate times a sigmoid of its voltage in mV.
FASTEST = 1.0


def network(n, synapse, cells):
    """`n` of each kind, in the order of LOOPS: edges i, n + i and 2 n + i come from cell i."""

    def astrocyte(level, agonist):
        cell = ast.GChI(source=ast.IP3Source(level), agonist=agonist)
        return ast.GliotransmitterRelease(cell)

    # An astrocyte without receptors for glutamate hears nothing.
    glia = nets.population(
        astrocyte,
        2 * n,
        level=np.repeat([1.0, 0.0], n),
        agonist=np.repeat([0.0, 3.2 * per_second], n),
    )
    edges = nets.Edges(np.tile(np.arange(n), 3), np.zeros(3 * n, int))
    worn = nets.Ensheathed("glia", np.concatenate([np.full(n, -1), np.arange(2 * n)]))
    return nets.Network(
        {"cells": cells, "target": tp.cells.LIF(), "glia": glia},
        [nets.Projection("cells", "target", synapse, edges, astrocytes=worn, name="synapses")],
        astrocyte_step=None,
    )


def mean_field(rates):
    """Driven by constant `rates` (Hz): cells that rest where their rate is this one."""
    spikes = syn.SmoothSpikes(FASTEST, threshold=0.0, slope=1.0)
    terminal = syn.MeanFieldTsodyksMarkram(syn.Exponential(), trigger=spikes)
    share = np.asarray(rates) * per_second / FASTEST
    cells = nets.population(
        lambda rest: tp.cells.LIF(rest=rest, threshold=100.0, reset=-100.0),
        len(rates),
        rest=np.log(share / (1.0 - share)),
    )
    return network(len(rates), syn.SmoothTripartiteSynapse(terminal), cells)


def release_per_spike(y):
    """`[3, rates]`: what a spike would release now, in the mean field."""
    synapses = y.projections["synapses"].synapses
    u, x = synapses.terminal.u, synapses.terminal.x
    at_rest = 0.6 * (1.0 - synapses.bound)
    return ((u + at_rest * (1.0 - u)) * x).reshape(3, -1)


def filters(rates, *, dt=5.0, transient=15.0, seconds=195.0):
    """The mean release per spike after the transient (s), `[3, rates]`, and if C is below C_theta.

    The second is `[times, 2, rates]`, of the astrocytes of the open and the closed loop.
    """
    record = {"release": release_per_spike, "armed": lambda y: y.populations["glia"].armed}
    solution = tp.simulate(
        mean_field(rates), t1=1000.0 * seconds, dt=dt, record=record, save_every=4 * dt
    )
    late = np.asarray(solution.ts) > 1000.0 * transient
    armed = np.asarray(solution.ys["armed"]).reshape(len(late), 2, -1)
    return np.asarray(solution.ys["release"])[late].mean(0), armed


def driven(spikes, dt, *, record, save_every):
    """Spike by spike: `spikes`, `[steps, cells]`, 1 where a cell fires at the end of a step."""
    steps, n = spikes.shape
    times = [dt * (1 + np.flatnonzero(train)) for train in spikes.T]
    longest = max(map(len, times))
    # Rows of one length: what is left over lies after the end.
    rows = [np.append(row, np.full(longest - len(row), 1e9)) for row in times]
    synapse = syn.TripartiteSynapse(syn.TsodyksMarkram(syn.Exponential()))
    return tp.simulate(
        network(n, synapse, nets.population(tp.cells.SpikeSource, n, times=np.stack(rows))),
        t1=dt * steps,
        dt=dt,
        record=record,
        save_every=save_every,
    )
