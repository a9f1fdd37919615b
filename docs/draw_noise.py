"""Channel noise, as a figure; `python docs/draw.py` draws it with the others."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

VOLTAGE, CHAIN, STATES, GATES = "#0072B2", "#000000", "#0072B2", "#D55E00"
DURATION = 500.0
# Channels per um2 of the squid axon.
DENSITY = {"sodium": 60.0, "potassium": 18.0}
COUNT, REPLICAS = 1000, 4000
VOLTAGES = np.arange(-80.0, 41.0, 10.0)


def channel_noise() -> Figure:
    """Patches that fire by themselves, and the variance of the open fraction under a clamp."""
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.05)
    for ax, area in zip(top.subplots(1, 3, sharey=True), (1.0, 10.0, 100.0), strict=True):
        counts = {name: area * density for name, density in DENSITY.items()}
        cell = tp.cells.with_channel_noise(tp.cells.HodgkinHuxley(), counts)
        solution = tp.simulate(cell, t1=DURATION, dt=0.025, key=jax.random.key(0))
        ax.plot(solution.ts, solution.ys["v"], color=VOLTAGE, linewidth=0.7)
        ax.set_title(
            f"{area:g} um2: {counts['sodium']:g} sodium, {counts['potassium']:g} potassium",
            fontsize=9,
        )
        ax.set(xlim=(0.0, DURATION), xlabel="time (ms)")
        tidy(ax)
    top.axes[0].set_ylabel("v (mV)")
    panels = zip(
        bottom.subplots(1, 2),
        (tp.channels.Potassium(1.0), tp.channels.Sodium(1.0)),
        ("potassium, n^4", "sodium, m^3 h"),
        strict=True,
    )
    for ax, channel, title in panels:
        draw_variance(ax, channel)
        ax.set_title(f"{title}: {COUNT} channels held at a voltage", fontsize=9)
        ax.set(xlabel="voltage (mV)", ylabel="count x variance of open fraction")
        tidy(ax)
    bottom.axes[0].legend(frameon=False, fontsize=9)
    return figure


def draw_variance(ax: Any, channel: tp.channels.Channel) -> None:
    """Theory as a line, and both kinds of noise, simulated, as points with two standard errors."""
    fine = jnp.linspace(-80.0, 40.0, 241)
    share = jax.vmap(lambda v: channel.open_conductance(channel.init(v), v))(fine)
    ax.semilogy(fine, share * (1.0 - share), color=CHAIN, linewidth=1.2, label="Markov chain")
    kinds = (
        (tp.channels.MarkovChannel, STATES, "o", "MarkovChannel"),
        (tp.channels.GateNoiseChannel, GATES, "s", "GateNoiseChannel (inexact)"),
    )
    for kind, color, marker, label in kinds:
        found = COUNT * np.var(held(kind(channel, COUNT)), axis=1)
        error = 2.0 * found * np.sqrt(2.0 / REPLICAS)
        style = {"color": color, "fmt": marker, "markersize": 4, "linewidth": 1.0}
        ax.errorbar(VOLTAGES, found, error, label=label, **style)


@eqx.filter_jit
def held(channel: tp.channels.AbstractNoisyChannel) -> jax.Array:
    """The open fraction after 20 ms at each voltage, `[voltages, replicas]`, from rest there."""

    def last(v: jax.Array, key: jax.Array) -> jax.Array:
        clamp = tp.cells.VoltageClamp(channel, v)
        end = tp.simulate(clamp, t1=20.0, dt=0.02, save_every=20.0, key=key).stats["y1"]
        return channel.open_conductance(end, v)

    keys = jax.random.split(jax.random.key(1), (VOLTAGES.size, REPLICAS))
    return jax.vmap(jax.vmap(last, (None, 0)))(jnp.asarray(VOLTAGES, float), keys)


def tidy(ax: Any) -> None:
    """No box, and a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)
