"""NEST's Brunel network with astrocytes in tripartite: a cell and a synapse of one's own."""

from typing import Any, NamedTuple

import brunel_setting as s
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import tripartite as tp
from tripartite.core import Membrane, Relaxation, as_membrane, parameter

nets = tp.networks


class AdaptiveExponentialState(NamedTuple):
    """`v` in mV, `w` in pA; `spike`, 1 on a step that fired."""

    v: Array
    w: Array
    spike: Array


class AdaptiveExponential(tp.cells.AbstractCell):
    """Brette and Gerstner, J. Neurophysiol. 94, 3637 (2005), with NEST's defaults; pF, nS, pA."""

    capacitance: Any = parameter(s.CAPACITANCE, "pF")
    leak: Any = parameter(s.LEAK, "nS")
    rest: Any = parameter(s.REST, "mV")
    threshold: Any = parameter(s.THRESHOLD, "mV")
    slope: Any = parameter(s.SLOPE, "mV")
    peak: Any = parameter(s.PEAK, "mV")
    reset: Any = parameter(s.RESET, "mV")
    coupling: Any = parameter(s.COUPLING, "nS")
    step: Any = parameter(s.JUMP, "pA")
    tau: Any = parameter(s.TAU_W, "ms")

    def init(self):
        zero = jnp.zeros_like(self.rest)
        return AdaptiveExponentialState(self.rest, zero, zero)

    def blocks(self):
        return AdaptiveExponentialState(0, 1, None)

    def voltage(self, y):
        return y.v

    def ports(self, y):
        return {"v": y.v, "w": y.w, "spike": y.spike}

    def relax(self, t, y, u):
        membrane, zero = as_membrane(u, y.v), jnp.zeros_like(y.v)
        rising = jnp.exp((jnp.minimum(y.v, self.peak) - self.threshold) / self.slope)
        current = membrane.current + self.leak * (self.rest + self.slope * rising) - y.w
        decay = (self.leak + membrane.conductance) / self.capacitance
        adapted = self.coupling * (y.v - self.rest) / self.tau
        return Relaxation(
            AdaptiveExponentialState(current / self.capacitance, adapted, zero),
            AdaptiveExponentialState(decay, 1.0 / self.tau + zero, zero),
        )

    def jump(self, t, before, y, u):
        fired = y.v >= self.peak
        return AdaptiveExponentialState(
            jnp.where(fired, self.reset, y.v),
            jnp.where(fired, y.w + self.step, y.w),
            fired.astype(y.v.dtype),
        )


class CurrentAstrocyte(tp.astrocytes.AbstractAstrocyte):
    """NEST's astrocyte, whose slow inward current (pA) is what synapses hear of it."""

    cell: tp.astrocytes.NESTAstrocyte

    def init(self):
        return self.cell.init()

    def blocks(self):
        return self.cell.blocks()

    def calcium(self, y):
        return self.cell.calcium(y)

    def ip3(self, y):
        return self.cell.ip3(y)

    def gliotransmitter(self, y):
        return self.cell.slow_inward_current(y)

    def ports(self, y):
        return self.cell.ports(y)

    def relax(self, t, y, u):
        return self.cell.relax(t, y, u)

    def jump(self, t, before, y, u):
        return self.cell.jump(t, before, y, u)


class CoveredState(NamedTuple):
    """`terminal`: its own; `current`: of the astrocyte in the last step, pA."""

    terminal: Any
    current: Array


class Covered(tp.synapses.AbstractSynapse):
    """A terminal beside an astrocyte, which sends a slow inward current to the same target."""

    terminal: tp.synapses.TsodyksMarkram
    share: Any = parameter(s.W_ASTRO, "1")

    def init(self):
        return CoveredState(self.terminal.init(), jnp.zeros_like(self.share))

    def blocks(self):
        return CoveredState(self.terminal.blocks(), None)

    def relax(self, t, y, u):
        inner = self.terminal.relax(t, y.terminal, u)
        zero = jnp.zeros_like(y.current)
        return Relaxation(CoveredState(inner.drive, zero), CoveredState(inner.decay, zero))

    def jump(self, t, before, y, u):
        terminal = self.terminal.jump(t, before.terminal, y.terminal, u)
        return CoveredState(terminal, self.share * u.modulation + jnp.zeros_like(y.current))

    def conductance(self, y, v_post):
        return self.terminal.conductance(y.terminal, v_post)

    def membrane(self, y, v_post):
        inner = self.terminal.membrane(y.terminal, v_post)
        return Membrane(inner.current + y.current, inner.conductance)


def terminal(weight, tau, reversal):
    """`tsodyks_synapse` without facilitation, on a conductance of alpha's shape."""
    receptor = tp.synapses.DoubleExponential(weight, 0.995 * tau, 1.005 * tau, reversal)
    # What is facilitated is forgotten within a step.
    return tp.synapses.TsodyksMarkram(
        receptor, utilisation=s.UTILISATION, recovery=1 / s.RECOVERY, forgetting=100.0
    )


def network(key):
    """The example, a tenth of it; excitatory cells first."""
    total = s.N_EXC + s.N_INH
    keys = jax.random.split(key, 3)
    exc = nets.bernoulli(s.N_EXC, total, s.P_EDGE, key=keys[0])
    inh = nets.bernoulli(s.N_INH, total, s.P_EDGE, key=keys[1])
    inh = nets.Edges(inh.pre + s.N_EXC, inh.post)
    worn = nets.ensheathe(exc, "glia", s.N_ASTRO, key=keys[2], p=s.P_ASTRO, pool_size=s.POOL)
    glia = CurrentAstrocyte(tp.astrocytes.NESTAstrocyte(ip3_init=s.IP3))
    covered = Covered(terminal(s.W_EXC, s.TAU_EXC, s.REVERSAL_EXC))
    bare = terminal(-s.W_INH, s.TAU_INH, s.REVERSAL_INH)
    cells = nets.population(AdaptiveExponential, total)
    populations = {"cells": cells, "glia": nets.population(glia, s.N_ASTRO)}
    both = "cells", "cells"
    excitation = nets.Projection(
        *both, covered, exc, delay=s.DELAY_EXC, astrocytes=worn, name="excitation"
    )
    inhibition = nets.Projection(*both, bare, inh, delay=s.DELAY_INH, name="inhibition")
    return nets.Network(populations, [excitation, inhibition], astrocyte_step=None)


def background(seed, steps):
    """The conductance (nS) of each cell's own Poisson train, and its pull, on every step.

    Alpha functions that peak at the weight, by their exact recursion: spikes of a step act at its
    end.
    """
    rng = np.random.default_rng(seed)
    total = s.N_EXC + s.N_INH
    g, dg = np.zeros(total), np.zeros(total)
    kept, path = np.exp(-s.DT / s.TAU_EXC), np.empty((total, steps), np.float32)
    for k in range(steps):
        path[:, k] = g
        g, dg = kept * (g + s.DT * dg), kept * dg
        dg = dg + s.W_EXC * np.e / s.TAU_EXC * rng.poisson(1e-3 * s.POISSON * s.DT, total)
    return path


def solve(model, path, span):
    """Spikes of each kind on every step, and the astrocytes' means at the end."""
    dtype = jnp.result_type(float)
    heard = Membrane(jnp.zeros(path.shape[1], dtype), jnp.asarray(path, dtype))
    noise = tp.stimuli.Sampled(heard, s.DT, interpolation="previous")
    solution = tp.simulate(
        model,
        {"cells": noise},
        t1=span,
        dt=s.DT,
        record={"spikes": spikes},
        save_every=s.DT,
        solver=tp.solvers.SequentialExponential(midpoint=False),
    )
    glia = solution.stats["y1"].populations["glia"]
    return jnp.sum(solution.ys["spikes"], axis=0), jnp.mean(glia.ip3), jnp.mean(glia.calcium)


def spikes(y):
    fired = y.populations["cells"].spike
    return jnp.stack([jnp.sum(fired[: s.N_EXC]), jnp.sum(fired[s.N_EXC :])])
