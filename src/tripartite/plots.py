"""Figures (the `plots` extra). Each function returns a matplotlib figure and shows nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from tripartite import cells, proofs, simulate, solvers, stimuli

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: distinct to colour-blind readers, too.
_INK, _BLUE, _ORANGE, _GREEN, _RED = "#222222", "#0072B2", "#E69F00", "#009E73", "#D55E00"
_DPI = 150


def _figure(rows: int, width: float, height: float, **grid: Any) -> tuple["Figure", Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "figures need matplotlib: install the plots extra (pip install 'tripartite[plots]')."
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, squeeze=False, **grid)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
    return figure, axes


def hh_over_units() -> "Figure":
    """A Hodgkin-Huxley cell over its four integrators, and the difference on an axis of its own."""
    settings: dict[str, Any] = {"t1": 60.0, "dt": 0.01, "solver": solvers.ClassicalRK4()}
    with jax.enable_x64(True):
        cell, drive = cells.HodgkinHuxley(), stimuli.Step(10.0, start=5.0)
        truth = simulate(cell, drive, **settings)
        units = simulate(cells.TVLIF(cell), drive, **settings)
        ts, v, w = (np.asarray(x) for x in (truth.ts, truth.ys["v"], units.ys["v"]))
    figure, axes = _figure(2, 8.0, 4.6, sharex=True, height_ratios=(3, 1.2))
    top, bottom = axes[:, 0]
    top.plot(ts, v, color=_BLUE, linewidth=3.2, alpha=0.45, label="Hodgkin-Huxley")
    top.plot(ts, w, color=_INK, linewidth=1.0, linestyle=(0, (4, 2)), label="four tv-LIF units")
    top.set_ylabel("membrane potential (mV)")
    top.set_title("One Hodgkin-Huxley neuron, four leaky integrators: step of 10 uA/cm2 at 5 ms")
    top.legend(frameon=False, loc="upper right", ncols=2)
    top.set_ylim(-82.0, 62.0)
    bottom.plot(ts, (w - v) * 1e12, color=_RED, linewidth=0.6)
    bottom.set_ylabel("difference\n(1e-12 mV)")
    bottom.set_xlabel("time (ms)")
    return figure


def unit_contributions() -> "Figure":
    """What each of the four units contributes to the membrane potential."""
    with jax.enable_x64(True):
        model = cells.four_lif()
        solution = simulate(
            model, stimuli.Step(10.0, start=5.0), t1=30.0, dt=0.01, record="state"
        )
        ts = np.asarray(solution.ts)
        parts = [np.asarray(x) for x in (*solution.ys.shares, solution.ys.drive)]
    figure, axes = _figure(1, 8.0, 3.6)
    ax = axes[0, 0]
    names = [*(channel.name for channel in model.cell.channels), "stimulus"]
    colours = (_ORANGE, _BLUE, _GREEN, _RED)
    for name, part, colour in zip(names, parts, colours, strict=True):
        ax.plot(ts, part, color=colour, linewidth=1.4, label=name)
    ax.plot(ts, sum(parts), color=_INK, linewidth=0.9, linestyle=":", label="sum = voltage")
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("contribution (mV)")
    ax.set_title("The voltage as a sum of four units that share one time-varying leak")
    ax.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, -0.36))
    return figure


FIGURES: dict[str, tuple[Callable[[], "Figure"], str]] = {
    "hh_is_four_lif.png": (
        hh_over_units,
        "A Hodgkin-Huxley cell, its four leaky integrators, and the difference between them.",
    ),
    "hh_is_four_lif_units.png": (
        unit_contributions,
        "Each unit's contribution to the membrane potential.",
    ),
}


def draw_all(theorems: list[str], directory: Path) -> dict[str, str]:
    """Draws the figures of the theorems named into `directory`: file name to caption."""
    drawn = {}
    for name, (draw, caption) in FIGURES.items():
        if any(name.startswith(theorem) for theorem in theorems):
            draw().savefig(directory / name, dpi=_DPI)
            drawn[name] = caption
    return drawn
