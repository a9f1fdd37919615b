"""The firing patterns of cells with a reset: `python docs/draw_resetting.py` (needs matplotlib)."""

from pathlib import Path
from typing import get_args

import jax
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp
from tripartite.cells.exponential import Pattern
from tripartite.cells.quadratic import Kind

FIGURES = Path(__file__).parent / "figures"
BLUE, GREEN = "#0072B2", "#009E73"
CURRENTS = {"TC": 2.0, "RZ": 0.5}


def resetting_cells() -> Figure:
    """Eight AdEx patterns and seven Izhikevich types, each spike drawn up to the threshold."""

    @jax.jit
    def solve(cell: tp.cells.AbstractCell, current: float) -> tuple:
        solution = tp.simulate(cell, current, t1=300.0, save_every=0.25, max_spikes=128)
        return solution.ts, solution.ys["v"], solution.stats["spikes"]

    shown = [
        (f"AdEx, {name}", tp.cells.adex(name), tp.cells.adex_current(name), "pA", BLUE)
        for name in get_args(Pattern)
    ]
    shown += [
        (
            f"Izhikevich, {name}",
            tp.cells.izhikevich(name),
            CURRENTS.get(name, 10.0),
            "uA/cm2",
            GREEN,
        )
        for name in get_args(Kind)
    ]
    figure = Figure(figsize=(11.0, 9.0), layout="constrained")
    axes = figure.subplots(4, 4, sharex=True).ravel()
    axes[-1].set_visible(False)
    for ax, (title, cell, current, unit, colour) in zip(axes, shown, strict=False):
        ts, v, spikes = map(np.asarray, (*(x := solve(cell, current))[:2], x[2].times))
        ax.plot(ts, v, color=colour, linewidth=0.8)
        fired = spikes[np.isfinite(spikes)]
        top = float(cell.threshold)
        ax.vlines(fired, float(cell.reset), top, color=colour, linewidth=0.8)
        ax.set_title(f"{title}, {current:g} {unit}", fontsize=8)
        ax.set(xlim=(0.0, 300.0), ylim=(-95.0, 40.0))
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
        ax.tick_params(labelsize=7)
    for ax in axes[::4]:
        ax.set_ylabel("v (mV)", fontsize=8)
    for ax in (*axes[11:15],):
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("time (ms)", fontsize=8)
    return figure


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    resetting_cells().savefig(FIGURES / "resetting_cells.png", dpi=110)
