"""Figure 6 of Stimberg et al. (2019) in tripartite, from the arrays of `chapter_wiring`."""

import chapter_wiring as chapter
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from tripartite.core.units import per_second

nets, ast = tp.networks, tp.astrocytes


# 5 ms as Brian2 counts them, from the start of the step in which a cell fires (0.1 ms).
REFRACTORY = 4.9


def network(w, *, start=chapter.START, astrocyte_step=None):
    """Cells in pF, nS, mV and pA, the excitatory ones first.

    `start` of the astrocytes in uM; `astrocyte_step` in ms, by default the cells'.
    """
    cells = nets.population(
        tp.cells.LIF(
            capacitance=198.0, leak=9.99, rest=chapter.REST, threshold=chapter.THRESHOLD,
            reset=chapter.REST, refractory=REFRACTORY,
        ),
        w.n_exc + w.n_inh,
    )  # fmt: skip
    glia = nets.population(ast.GliotransmitterRelease(astrocyte(*start)), w.n_astro)
    exc = tp.synapses.TripartiteSynapse(terminal(w.w_exc, 5.0, 0.0), effect=0.0)
    inh = terminal(w.w_inh, 10.0, -80.0)
    worn = nets.Ensheathed("glia", w.astrocyte)
    joined = nets.Coupling("glia", ast.ThresholdCoupling(), ast.GapJunctions(*w.junctions))
    from_exc, from_inh = nets.Edges(*w.exc), nets.Edges(w.inh[0] + w.n_exc, w.inh[1])
    return nets.Network(
        {"cells": cells, "glia": glia},
        [
            nets.Projection("cells", "cells", exc, from_exc, astrocytes=worn, name="excitation"),
            nets.Projection("cells", "cells", inh, from_inh, name="inhibition"),
        ],
        [joined],
        astrocyte_step=astrocyte_step,
    )


def astrocyte(calcium, ip3):
    """The G-ChI cell of the figure: more IP3 of its own and less by glutamate than the table's."""
    metabolism = ast.IP3Metabolism(
        production=1.2 * per_second, kinase=4.5 * per_second, phosphatase=0.05 * per_second
    )
    return ast.GChI(
        metabolism=metabolism, agonist=0.5 * per_second, calcium_init=calcium, ip3_init=ip3
    )


def terminal(weight, decay, reversal):
    """The chapter's terminal, on a conductance of `weight` nS."""
    return tp.synapses.TsodyksMarkram(tp.synapses.Exponential(weight, decay, reversal))


def current():
    """100 pA, and 120 between 2 and 4 s."""
    levels = jnp.asarray(chapter.LEVELS, jnp.result_type(float))
    return tp.stimuli.Sampled(levels, 1000.0 * chapter.PERIOD, interpolation="previous")


def started(model, w, dt):
    """The state to start from: the voltages drawn at random, everything else at rest."""
    y = model.at_step(dt).init()
    cells = y.populations["cells"]
    v = jnp.asarray(w.v, cells.v.dtype)
    return y._replace(populations=y.populations | {"cells": cells._replace(v=v)})


def record(w):
    """What is kept of each step: spikes of either kind, and who has released."""

    def spikes(y):
        fired = y.populations["cells"].spike
        return jnp.stack([jnp.sum(fired[: w.n_exc]), jnp.sum(fired[w.n_exc :])])

    return {"spikes": spikes, "armed": lambda y: y.populations["glia"].armed > 0.5}


def solve(model, w, seconds, dt, *, record, stimulus=None):
    """The solution over `seconds`, by steps of `dt` ms, each of them recorded.

    Every state moves under the others' old values, as in Brian2.
    """
    return tp.simulate(
        model,
        {"cells": current() if stimulus is None else stimulus},
        t1=1000.0 * seconds,
        dt=dt,
        y0=started(model, w, dt),
        record=record,
        save_every=dt,
        solver=tp.solvers.AllAtOnceExponential(midpoint=False),
    )


def counted(found):
    """Spikes of excitatory and of inhibitory cells, and releases, in each step of a record."""
    spikes = np.asarray(found["spikes"])[1:].astype(int)
    armed = np.asarray(found["armed"])
    return spikes[:, 0], spikes[:, 1], np.sum(armed[:-1] & ~armed[1:], axis=1)
