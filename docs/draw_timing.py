"""Figures of the pages on timing and on colour: `python docs/draw_timing.py` (needs matplotlib)."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

HERE = Path(__file__).parent
# Okabe and Ito's palette: distinct to colour-blind readers, too.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def page(name: str) -> dict[str, Any]:
    """What the Python blocks of a page define."""
    names: dict[str, Any] = {"__name__": "page"}
    text = (HERE / name).read_text()
    # A block that shows a mistake is none of the page's definitions.
    text = re.sub(r"```python\n[^`]*```\n\n```error", "", text)
    for body in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(body, name, "exec"), names)
    return names


def early_and_late(top: Any, middle: Any, bottom: Any, made: dict[str, Any]) -> None:
    """The two patterns, and the voltage of the leaky cell and of the axon."""
    trains = (made["uniform"], made["uniform"], made["early"], made["late"])
    for row, times in enumerate(trains):
        colour = BLUE if row < 2 else ORANGE
        top.eventplot(times, lineoffsets=3 - row, linelengths=0.7, colors=colour)
    top.set(yticks=[0.5, 2.5], yticklabels=["early, late", "uniform"], ylim=(-0.6, 3.6))
    top.set_title("Two inputs, five spikes each")
    record = {"leaky.v": None, "axon.v": None}
    found = tp.simulate(made["network"], t1=120.0, dt=0.02, record=record)
    for i, (colour, name) in enumerate(((BLUE, "uniform"), (ORANGE, "early, late"))):
        middle.plot(found.ts, found.ys["leaky.v"][:, i], color=colour, label=name, linewidth=1.2)
        bottom.plot(found.ts, found.ys["axon.v"][:, i], color=colour, linewidth=1.0)
    middle.axhline(0.7, color="0.5", linestyle=":", linewidth=1.0)
    middle.set(ylabel="leaky: v")
    bottom.set(ylabel="axon: v (mV)", xlabel="time (ms)", xlim=(0, 120))


def place_code(ax: Any, made: dict[str, Any]) -> None:
    """Who fires, for three differences in time."""
    key = jax.random.key(1)
    for difference, colour in ((-0.4, BLUE), (0.0, GREEN), (0.25, ORANGE)):
        fired = made["counts"](made["heard"](difference, 500.0, 30, key))
        ax.plot(1e3 * made["best"], fired, color=colour, marker="o", markersize=3, linewidth=1.2)
        ax.axvline(1e3 * difference, color=colour, linestyle=":", linewidth=1.2)
    ax.set(title="A bank of delays, 500 Hz", ylabel="spikes in 30 cycles")
    ax.set(xlabel="best difference of the cell (us)")


def ambiguity(ax: Any, made: dict[str, Any]) -> None:
    """One difference at two frequencies."""
    for frequency, cycles, colour in ((500.0, 30, BLUE), (1500.0, 90, ORANGE)):
        keys = jax.random.split(jax.random.key(2), 8)
        fired = jnp.stack([made["counts"](made["heard"](0.3, frequency, cycles, k)) for k in keys])
        share = np.asarray(fired.mean(axis=0)) / cycles
        label = f"{frequency:,.0f} Hz"
        ax.plot(1e3 * made["best"], share, color=colour, marker="o", markersize=3, label=label)
    for place in (300.0, 300.0 - 1e3 / 1.5):
        ax.axvline(place, color="0.5", linestyle=":", linewidth=1.2)
    ax.set(
        title="A phase repeats: 300 us at two frequencies", ylabel="spikes per cycle", ylim=(0, 1.1)
    )
    ax.set(xlabel="best difference of the cell (us)")
    ax.legend(frameon=False, fontsize=8, loc="lower left")


def timing() -> Figure:
    """Early and late against uniform on the left, the bank of delays on the right."""
    made = page("timing.md")
    figure = Figure(figsize=(10.0, 5.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1.0), wspace=0.03)
    stacked = left.subplots(3, sharex=True, height_ratios=(0.8, 1.0, 1.2))
    early_and_late(*stacked, made)
    others = right.subplots(2, sharex=True)
    place_code(others[0], made)
    ambiguity(others[1], made)
    others[0].set_xlabel("")
    for ax in (*stacked, *others):
        finish(ax)
    left.align_ylabels()
    return figure


def colour() -> Figure:
    """The three sensitivities; the bound, and what a reader reaches."""
    made = page("colour.md")
    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, shade) in enumerate((("L", ORANGE), ("M", GREEN), ("S", BLUE))):
        left.plot(made["wavelengths"], made["curves"][:, i], color=shade, label=name, linewidth=1.4)
    left.set(title="Sensitivity of the cones", xlabel="wavelength (nm)", xlim=(380, 700))
    left.set(ylabel="share of the largest", ylim=(0, 1.05))
    left.legend(frameon=False, fontsize=9)
    fine, coarse = np.linspace(420.0, 660.0, 241), np.linspace(440.0, 640.0, 21)
    for largest, shade in ((100.0, PURPLE), (1000.0, BLUE)):
        bounds = jax.vmap(made["bound"], (0, None))(jnp.asarray(fine), largest)
        right.plot(fine, bounds, color=shade, linewidth=1.4, label=f"bound, {largest:,.0f} counts")
        spreads = [made["spread"](w, largest) for w in coarse]
        right.plot(
            coarse, spreads, "o", color=shade, markersize=3.5, label="most likely wavelength"
        )
    right.set(title="How finely wavelengths are told apart", xlabel="wavelength (nm)", yscale="log")
    right.set(ylabel="standard deviation (nm)", ylim=(0.7, 30), yticks=[1, 3, 10, 30])
    right.set_yticklabels(["1", "3", "10", "30"])
    right.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")
    for ax in (left, right):
        finish(ax)
    return figure


def finish(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)


if __name__ == "__main__":
    timing().savefig(HERE / "figures" / "timing.png", dpi=110)
    colour().savefig(HERE / "figures" / "colour.png", dpi=110)
