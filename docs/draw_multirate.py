"""Draws the error of astrocytes with a step of their own: `python docs/draw_multirate.py`."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

FIGURES = Path(__file__).parent / "figures"
CALCIUM, RELEASED, SECOND = "#0072B2", "#D55E00", "#000000"
STEPS = (2.5, 5.0, 10.0, 20.0, 40.0)
DT, DURATION, CELLS = 0.05, 3000.0, 4


def network(step: float | None) -> tp.networks.Network:
    """Squid axons in a ring, and one G-ChI astrocyte around their synapses."""
    nets, syn = tp.networks, tp.synapses
    spikes = syn.SmoothSpikes(0.02, threshold=0.0, slope=8.0)
    terminal = syn.MeanFieldTsodyksMarkram(syn.Exponential(0.5), trigger=spikes)
    synapse = syn.SmoothTripartiteSynapse(terminal, effect=0.1)
    cell = tp.astrocytes.GChI(calcium_init=0.1, h_init=0.9, ip3_init=0.4)
    glia = tp.astrocytes.SmoothRelease(cell, width=0.05)
    edges = nets.Edges(np.arange(CELLS), (np.arange(CELLS) + 1) % CELLS)
    worn = nets.Ensheathed("a", np.zeros(CELLS, int))
    ring = nets.Projection("n", "n", synapse, edges, weight=0.1, astrocytes=worn)
    parts = {"n": nets.population(tp.cells.HodgkinHuxley, CELLS), "a": glia}
    return nets.Network(parts, [ring], astrocyte_step=step)


@eqx.filter_jit
def solved(network: tp.networks.Network) -> Any:
    """Calcium and gliotransmitter, every 40 ms."""
    current = {"n": jnp.linspace(8.0, 14.0, CELLS)}
    record = {"a.calcium": 0, "a.gliotransmitter": 0}
    return tp.simulate(network, current, t1=DURATION, dt=DT, save_every=40.0, record=record)


def multirate() -> Figure:
    """Left: what is solved. Right: the largest error of calcium against the astrocyte's step."""
    every = solved(network(None))
    errors = []
    for step in STEPS:
        found = solved(network(step)).ys["a.calcium"]
        errors.append(float(jnp.max(jnp.abs(found - every.ys["a.calcium"]))))
        print(f"{step:g} ms: {errors[-1]:.2e} uM")
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    seconds = np.asarray(every.ts) / tp.core.units.second
    left.plot(seconds, every.ys["a.calcium"], color=CALCIUM)
    left.set(xlabel="time (s)", ylim=(0.0, None))
    left.set_ylabel("calcium (uM)", color=CALCIUM)
    other = left.twinx()
    other.plot(seconds, every.ys["a.gliotransmitter"], color=RELEASED)
    other.set_ylim(0.0, None)
    other.set_ylabel("gliotransmitter (uM)", color=RELEASED)
    right.loglog(STEPS, errors, "o-", color=CALCIUM, label="largest error of calcium")
    line = errors[0] * (np.asarray(STEPS) / STEPS[0]) ** 2
    right.loglog(STEPS, line, "--", color=SECOND, linewidth=1.0, label="second order")
    right.set(xlabel="step of the astrocyte (ms)", ylabel="uM")
    right.set_xticks(STEPS, [f"{step:g}" for step in STEPS], minor=False)
    right.set_xticks([], minor=True)
    right.legend(frameon=False, fontsize=9)
    right.grid(alpha=0.25, linewidth=0.5)
    for ax in (left, other, right):
        ax.spines["top"].set_visible(False)
    right.spines["right"].set_visible(False)
    return figure


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    multirate().savefig(FIGURES / "multirate.png", dpi=110)
