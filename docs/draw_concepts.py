"""The two diagrams of the page of concepts: `python docs/draw_concepts.py`. Needs matplotlib."""

from typing import Any

import numpy as np
from draw_diagrams import BLUE, FIGURES, GREEN, INK, ORANGE, PURPLE, arrow, box, canvas, words
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch


def relaxation() -> Figure:
    """One state on its way to drive / decay, and the two numbers that say so for four models."""
    figure = Figure(figsize=(9.6, 3.6))
    ax = figure.add_axes((0.06, 0.17, 0.42, 0.74))
    t = np.linspace(0.0, 5.0, 200)
    for start in (0.0, 0.45, 1.6):
        ax.plot(t, 1.0 + (start - 1.0) * np.exp(-t), color=BLUE, linewidth=1.8)
    ax.axhline(1.0, color=ORANGE, linewidth=1.4, linestyle="--")
    ax.annotate("drive / decay: where it goes", (1.9, 1.22), color=ORANGE, fontsize=11)
    ax.plot([0.0, 1.0], [0.0, 1.0], color=GREEN, linewidth=1.4, linestyle=":")
    ax.plot([1.0, 1.0], [0.0, 1.0], color=GREEN, linewidth=1.0, linestyle=":")
    ax.annotate("1 / decay: how long it takes", (1.1, 0.08), color=GREEN, fontsize=11)
    ax.set(xlabel="time", ylabel="a state y", xticks=[], yticks=[], xlim=(0.0, 5.0))
    ax.spines[["top", "right"]].set_visible(False)
    side = figure.add_axes((0.5, 0.0, 0.5, 1.0))
    side.set(xlim=(0, 10), ylim=(0, 7.5))
    side.set_axis_off()
    rows = (
        ("membrane", "$\\sum_k g_k E_k + I$, over C", "$\\sum_k g_k$, over C"),
        ("gate", "opening", "opening + closing"),
        ("calcium", "influx + release", "uptake, over it"),
        ("synapse", "0; a spike adds", "$1/\\tau$"),
    )
    for x, head, colour in ((0.6, "state", INK), (2.9, "drive", BLUE), (6.6, "decay", ORANGE)):
        words(side, x, 6.5, head, colour, ha="left", weight="bold", fontsize=12)
    for k, row in enumerate(rows):
        for x, text in zip((0.6, 2.9, 6.6), row, strict=True):
            words(side, x, 5.3 - 1.25 * k, text, ha="left", fontsize=11)
    return figure


def loop() -> Figure:
    """Ports read states, wiring makes inputs of them, parts say relaxations, a solve steps."""
    figure, ax = canvas(9.6, 4.9, 12.0, 6.1)
    ax.set_ylim(-0.3, 5.8)
    style = {"boxstyle": "round,pad=0.05,rounding_size=0.18", "linewidth": 1.3, "linestyle": "--"}
    ax.add_patch(FancyBboxPatch((0.3, -0.1), 8.2, 5.7, fc="none", ec="0.45", **style))
    words(ax, 4.4, 5.25, "network: a part made of parts", "0.35", style="italic", fontsize=11)
    box(ax, 0.7, 3.3, 2.3, 1.45, BLUE, "port\nv, calcium, ...\nreads the state")
    box(ax, 3.55, 3.3, 2.3, 1.45, PURPLE, "wiring\nedges, weights,\ndelays")
    box(ax, 6.4, 3.3, 1.8, 1.45, GREEN, "input\ncurrent and\nconductance")
    equations = "part\nparameters with units: an Equinox module\nrelax(t, y, input)"
    box(ax, 3.55, 0.6, 4.65, 1.5, INK, equations)
    box(ax, 9.3, 0.6, 2.4, 1.5, ORANGE, "solve\none step of\ndiffrax")
    box(ax, 0.7, 0.6, 2.3, 1.5, BLUE, "state\narrays, a\nNamedTuple")
    along(ax)
    return figure


def along(ax: Any) -> None:
    """The arrows of `loop`, with what they carry."""
    arrow(ax, (1.85, 2.2), (1.85, 3.2), BLUE)
    arrow(ax, (3.1, 4.05), (3.45, 4.05), PURPLE)
    arrow(ax, (5.95, 4.05), (6.3, 4.05), PURPLE)
    arrow(ax, (7.3, 3.2), (7.3, 2.2), GREEN)
    arrow(ax, (3.1, 1.35), (3.45, 1.35), BLUE)
    arrow(ax, (8.3, 1.35), (9.2, 1.35), INK)
    words(ax, 9.85, 2.55, "drive and decay\nof every state", fontsize=9)
    arrow(ax, (10.5, 0.5), (1.85, 0.5), ORANGE, -0.05)
    words(ax, 10.6, 0.15, "y after the step", ORANGE, fontsize=9)
    arrow(ax, (10.5, 4.6), (8.3, 4.3), "0.45", linewidth=1.4)
    words(ax, 10.55, 4.9, "stimulus(t)", "0.35")


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    relaxation().savefig(FIGURES / "relaxation.png", dpi=110)
    loop().savefig(FIGURES / "concepts.png", dpi=110)
