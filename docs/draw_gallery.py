"""The galleries of cells and of channels; `python docs/draw.py` draws them with the others."""

import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

VOLTAGE, INPUT = "#0072B2", "#D55E00"
START = 20.0
# Class, constant input from 20 ms on (uA/cm2, or a pure number), and how long it is shown (ms).
EXAMPLES = (
    ("HodgkinHuxley", 10.0, 120.0),
    ("TraubMiles", 2.0, 120.0),
    ("WangBuzsaki", 2.0, 120.0),
    ("ConnorStevens", 9.0, 220.0),
    ("PospischilRS", 1.0, 420.0),
    ("PospischilFS", 5.0, 220.0),
    ("PospischilIB", 0.5, 420.0),
    ("PospischilLTS", 0.52, 420.0),
    ("MorrisLecar", 350.0, 420.0),
    ("LIF", 0.7, 220.0),
    ("FitzHughNagumo", 0.5, 220.0),
    ("HindmarshRose", 2.0, 1520.0),
)


def gallery() -> Figure:
    """Each cell's response to a step of current that starts at 20 ms."""
    figure = Figure(figsize=(10.0, 8.8), layout="constrained")
    for ax, (name, current, t1) in zip(figure.subplots(4, 3).ravel(), EXAMPLES, strict=True):
        cell = getattr(tp.cells, name)()
        step = tp.stimuli.Step(current, start=START)
        solution = tp.simulate(cell, step, t1=t1, dt=0.05)
        plain = cell.input_units() == "1"
        ax.plot(solution.ts, solution.ys["v"], color=VOLTAGE, linewidth=0.9)
        ax.axvline(START, color=INPUT, linewidth=1.0)
        unit = "" if plain else " uA/cm2"
        ax.set_title(f"{name}, {current:g}{unit}", fontsize=9)
        ax.set(xlim=(0.0, t1), ylabel="v" if plain else "v (mV)", xlabel="time (ms)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
        low, high = np.min(solution.ys["v"]), np.max(solution.ys["v"])
        ax.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    figure.align_ylabels()
    return figure


def channels() -> Figure:
    """Where the gates of each channel go, and how long they take."""
    ch = tp.channels
    calcium = np.geomspace(0.1, 1000.0, 201)
    shown = (
        *(ch.Sodium(), ch.TraubMilesSodium(), ch.WangBuzsakiSodium(), ch.ConnorStevensSodium()),
        *(ch.Potassium(), ch.TraubMilesPotassium(), ch.WangBuzsakiPotassium()),
        *(ch.ConnorStevensPotassium(), ch.MorrisLecarPotassium(), ch.APotassium()),
        *(ch.MPotassium(), ch.CalciumPotassium(1.0), ch.AfterHyperpolarisation()),
        *(ch.LTypeCalcium(), ch.TTypeCalcium(), ch.MorrisLecarCalcium(), ch.HCurrent(1.0)),
        ch.PersistentSodium(1.0),
    )
    figure = Figure(figsize=(12.0, 12.0), layout="constrained")
    for box, channel in zip(
        figure.subfigures(6, 3, wspace=0.04, hspace=0.03).ravel(), shown, strict=True
    ):
        reads = channel.name in ("calcium_potassium", "after_hyperpolarisation")
        axes = tuple(box.subplots(1, 2))
        pair = tp.plots.channel(channel, axes, calcium=calcium if reads else None)
        box.suptitle(f"{channel.name}, {channel.source.split(';')[0]}", fontsize=9)
        for ax in pair:
            ax.set_title("")
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(alpha=0.25, linewidth=0.5)
            ax.tick_params(labelsize=7, which="both")
            ax.xaxis.label.set_size(8)
            ax.yaxis.label.set_size(8)
        pair[0].legend(frameon=False, fontsize=7, handlelength=1.0)
    return figure
