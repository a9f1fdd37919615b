"""A tripartite synapse, and how a network is evaluated: `python docs/draw_diagrams.py`.

Needs matplotlib.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline

FIGURES = Path(__file__).parent / "figures"
# Okabe and Ito's palette: distinct to colour-blind readers, too.
BLUE, ORANGE, GREEN, PURPLE, INK = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#222222"


def canvas(width: float, height: float, x: float, y: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set(xlim=(0, x), ylim=(0, y))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return figure, ax


def arrow(ax: Any, start: Any, end: Any, colour: str, bend: float = 0.0, **more: Any) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "mutation_scale": 15,
             "shrinkA": 0, "shrinkB": 0, "connectionstyle": f"arc3,rad={bend}"} | more  # fmt: skip
    ax.annotate("", end, start, arrowprops=style)


def words(ax: Any, x: float, y: float, text: str, colour: str = INK, **more: Any) -> None:
    ax.text(
        x, y, text, **({"ha": "center", "va": "center", "fontsize": 10, "color": colour} | more)
    )


def smooth(ax: Any, points: list[tuple[float, float]], colour: str) -> None:
    """A closed outline through the points, as a Catmull-Rom spline."""
    p = np.asarray(points, float)
    vertices, codes = [p[0]], [Outline.MOVETO]
    for k in range(len(p)):
        a, b, c, d = (p[(k + j) % len(p)] for j in (-1, 0, 1, 2))
        vertices += [b + (c - a) / 6.0, c - (d - b) / 6.0, c]
        codes += [Outline.CURVE4] * 3
    patch = PathPatch(Outline(vertices, codes), fc=to_rgba(colour, 0.13), ec=colour, linewidth=1.6)
    ax.add_patch(patch)


def dots(ax: Any, centre: Any, spread: Any, count: int, colour: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.asarray(centre) + np.asarray(spread) * rng.uniform(-1.0, 1.0, (count, 2))
    ax.plot(at[:, 0], at[:, 1], ".", color=colour, markersize=4.5)


def tripartite_synapse() -> Figure:
    """Terminal, cleft, spine and astrocyte, with the variables of the equations."""
    figure, ax = canvas(9.6, 6.4, 12.0, 8.0)
    smooth(ax, [(2.9, 8.2), (3.0, 7.0), (1.3, 6.3), (0.9, 5.2), (1.4, 4.5), (3.5, 4.25),
                (5.6, 4.5), (6.1, 5.2), (5.7, 6.3), (4.0, 7.0), (4.1, 8.2)], BLUE)  # fmt: skip
    smooth(ax, [(2.8, -0.3), (2.9, 0.6), (1.7, 1.1), (1.2, 2.1), (1.7, 2.9), (3.5, 3.1),
                (5.3, 2.9), (5.8, 2.1), (5.3, 1.1), (4.1, 0.6), (4.2, -0.3)], GREEN)  # fmt: skip
    smooth(ax, [(7.1, 4.2), (7.5, 5.7), (8.5, 7.2), (9.6, 7.7), (11.1, 7.2), (11.7, 5.6),
                (11.6, 3.0), (11.0, 1.2), (9.5, 0.5), (8.2, 1.1), (7.4, 2.6)], ORANGE)  # fmt: skip
    words(ax, 3.5, 6.45, "presynaptic terminal", BLUE, weight="bold", fontsize=11)
    words(ax, 3.5, 5.75, "resources $x$,  utilisation $u$")
    words(ax, 3.5, 5.15, "receptors $\\Gamma_S$ set $U_0$")
    for x in (2.3, 2.75, 3.2, 3.65, 4.1):
        ax.add_patch(Circle((x, 4.68), 0.15, fc="white", ec=BLUE, linewidth=1.2))
    words(ax, 1.55, 3.7, "cleft", "0.35", style="italic")
    dots(ax, (3.3, 3.7), (1.0, 0.28), 26, BLUE, 1)
    dots(ax, (6.4, 3.75), (0.35, 0.3), 8, BLUE, 2)
    words(ax, 3.5, 2.35, "receptors: $g$, reversal $E$")
    words(ax, 3.5, 1.65, "postsynaptic cell", GREEN, weight="bold", fontsize=11)
    words(ax, 3.5, 1.05, "voltage $v$")
    words(ax, 9.7, 6.95, "astrocyte", ORANGE, weight="bold", fontsize=11)
    chain = ((6.2, "$G_A$  gliotransmitter"), (5.2, "$x_A$  vesicles, at $C > C_\\theta$"),
             (4.2, "$C$  calcium,  $h$  gate"), (3.2, "$I$  IP$_3$"),
             (2.2, "$\\Gamma_A$  bound receptors"))  # fmt: skip
    for y, text in chain:
        words(ax, 9.6, y, text)
    for y in (2.45, 3.45, 4.45, 5.45):
        arrow(ax, (9.6, y), (9.6, y + 0.5), ORANGE, linewidth=1.3, mutation_scale=11)
    arrow(ax, (3.5, 8.0), (3.5, 7.25), BLUE)
    words(ax, 4.35, 7.6, "spike", BLUE, ha="left")
    arrow(ax, (3.5, 4.25), (3.5, 3.15), BLUE)
    words(ax, 4.85, 3.68, "$r_S = u\\,x$", BLUE)
    arrow(ax, (6.6, 3.4), (8.1, 2.25), BLUE, 0.2)
    words(ax, 6.65, 2.75, "$Y_S$", BLUE, fontsize=12)
    arrow(ax, (8.0, 6.25), (6.2, 5.45), ORANGE, 0.2)
    for y in (4.95, 5.2, 5.45):
        ax.plot([5.95, 6.2], [y, y], color=PURPLE, linewidth=2.6)
    words(ax, 6.55, 5.05, "$\\Gamma_S$", PURPLE, fontsize=12)
    words(ax, 6.75, 6.55, "$G_A$", ORANGE, fontsize=12)
    arrow(ax, (7.9, 1.3), (5.6, 1.35), ORANGE, -0.2, linestyle="--")
    words(ax, 6.75, 0.65, "slow inward\ncurrent", ORANGE, fontsize=9)
    return figure


def box(ax: Any, x: float, y: float, width: float, height: float, colour: str, text: str) -> None:
    style = {"boxstyle": "round,pad=0.05,rounding_size=0.18", "linewidth": 1.5}
    patch = FancyBboxPatch((x, y), width, height, fc=to_rgba(colour, 0.13), ec=colour, **style)
    ax.add_patch(patch)
    head, *rest = text.split("\n")
    middle = x + width / 2.0
    top = y + height - 0.33
    words(ax, middle, top, head, colour, weight="bold", fontsize=10.5)
    for k, line in enumerate(rest):
        words(ax, middle, top - 0.42 * (k + 1), line, fontsize=9)


def network() -> Figure:
    """One evaluation of a network, from left to right, and what acts between steps."""
    figure, ax = canvas(10.4, 6.0, 13.0, 7.5)
    for x, text in ((1.75, "1  read"), (5.25, "2  along the edges"), (8.95, "3  sum"),
                    (11.75, "4  relax")):  # fmt: skip
        words(ax, x, 7.15, text, "0.35", style="italic", fontsize=11)
    box(ax, 0.3, 5.0, 2.9, 1.6, BLUE, 'population "exc"\nvoltage, or rate,\nor spikes')
    box(ax, 0.3, 2.2, 2.9, 1.6, ORANGE, 'population "astro"\ncalcium, IP$_3$,\ngliotransmitter')
    box(ax, 3.95, 5.0, 2.6, 1.6, PURPLE, "projection\nedges, weights,\nstates of edges or cells")
    box(ax, 3.95, 2.2, 2.6, 1.6, PURPLE, "ensheathing\nedge to astrocyte")
    box(ax, 7.5, 5.0, 2.9, 1.6, GREEN, "Membrane\n$\\sum_e g_e$ and $\\sum_e g_e E_e$\n+ stimulus")
    box(
        ax,
        7.5,
        2.2,
        2.9,
        1.6,
        GREEN,
        "AstrocyteDrive\nmean $Y_S$, IP$_3$ of\nneighbours + stimulus",
    )
    box(ax, 11.15, 2.9, 1.5, 3.0, INK, "Relaxation\ndrive,\ndecay of\nevery\nstate")
    arrow(ax, (3.3, 5.8), (3.85, 5.8), BLUE)
    arrow(ax, (6.65, 5.8), (7.4, 5.8), PURPLE)
    words(ax, 7.02, 6.2, "$g, E$", PURPLE)
    arrow(ax, (6.3, 4.9), (7.45, 3.7), PURPLE)
    words(ax, 7.35, 4.4, "$Y_S$", PURPLE)
    arrow(ax, (3.3, 3.0), (3.85, 3.0), ORANGE)
    arrow(ax, (4.9, 3.9), (4.9, 4.9), ORANGE)
    words(ax, 4.45, 4.4, "$G_A$", ORANGE)
    arrow(ax, (10.5, 5.5), (11.05, 5.0), GREEN)
    arrow(ax, (10.5, 3.3), (11.05, 3.8), GREEN)
    words(ax, 1.75, 4.4, "couplings: $v$, IP$_3$ of neighbours", "0.35", fontsize=9)
    style = {"boxstyle": "round,pad=0.05,rounding_size=0.18", "linewidth": 1.3, "linestyle": "--"}
    ax.add_patch(FancyBboxPatch((0.3, 0.3), 12.35, 1.1, fc="white", ec="0.45", **style))
    words(ax, 1.75, 1.05, "between steps", "0.35", style="italic", fontsize=11)
    for x, text in (
        (1.75, "(jump)"),
        (4.6, "a cell fires, resets, waits"),
        (7.9, "the last spikes are kept;\ndelayed ones arrive"),
        (11.1, "synapses hear spikes,\nvesicles are released"),
    ):
        words(ax, x, 0.68, text, fontsize=9)
    for x in (6.15, 9.4):
        arrow(ax, (x, 0.75), (x + 0.35, 0.75), "0.45", linewidth=1.4, mutation_scale=12)
    arrow(ax, (11.9, 2.8), (11.9, 1.5), "0.45", linewidth=1.4)
    words(ax, 11.75, 2.1, "a step", "0.35", fontsize=9, ha="right")
    arrow(ax, (1.75, 1.5), (1.75, 2.1), "0.45", linewidth=1.4)
    return figure


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    tripartite_synapse().savefig(FIGURES / "tripartite_synapse.png", dpi=110)
    network().savefig(FIGURES / "network_evaluation.png", dpi=110)
