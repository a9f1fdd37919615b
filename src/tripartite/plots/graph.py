"""A network as points and lines."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tripartite.cells import AbstractCell
from tripartite.core.arguments import checked
from tripartite.networks import Network, Projection
from tripartite.plots.figure import BLUE, GREEN, RED, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CELL, _INHIBITORY, _ASTROCYTE = BLUE, RED, GREEN


@checked
def network_graph(network: Network, axes: "Axes | None" = None, *, most: int = 2000) -> "Axes":
    """Every unit as a point, coloured by type, and every synapse as a line; glia dashed.

    Blue: neurons; red: those of which a projection is declared inhibitory; green: astrocytes.
    Each population is a ring. A line has the colour of its sender; an astrocyte is joined by a
    dashed line to the middle of each synapse it ensheathes, and gap junctions are
    thick lines.

    **Arguments:** `network`; `axes`: by default those of a new figure; `most`: of the edges of a
    projection at most so many are drawn, evenly taken, and the title says so.

    **Raises:** `ValueError` if `most` is not at least 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1 edge for each projection, got {most}.")
    axes = axes_or_new(axes, 6.0, 6.0)
    places, colours = _places(network), _colours(network)
    thinned = False
    for projection in network.projections.values():
        taken = _taken(len(projection.edges), most)
        thinned |= len(taken) < len(projection.edges)
        _draw_projection(axes, projection, places, colours[projection.pre], taken)
    for coupling in network.couplings:
        at = places[coupling.population]
        here, there = (np.asarray(x) for x in coupling.junctions)
        taken = _taken(len(here), most)
        ends = np.stack([at[here[taken]], at[there[taken]]], axis=1)
        _lines(axes, ends, "-", colours[coupling.population], 1.4)
    for name, at in places.items():
        size = float(np.clip(600.0 / len(at), 4.0, 60.0))
        axes.scatter(*at.T, s=size, color=colours[name], zorder=3, label=f"{name} ({len(at)})")
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    if thinned:
        axes.set_title(f"at most {most:,} edges of each projection", fontsize=9)
    return axes


def _places(network: Network) -> dict[str, np.ndarray]:
    """`[units, 2]` for each population: rings whose centres lie on a circle."""
    count = len(network.populations)
    places = {}
    for k, (name, part) in enumerate(network.populations.items()):
        turn = np.pi / 2 - 2 * np.pi * k / count
        centre = np.zeros(2) if count == 1 else 2.4 * np.array([np.cos(turn), np.sin(turn)])
        angles = 2 * np.pi * np.arange(part.size) / part.size
        radius = 0.0 if part.size == 1 else 1.0
        places[name] = centre + radius * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return places


def _colours(network: Network) -> dict[str, str]:
    inhibiting = {p.pre for p in network.projections.values() if p.sign == "inhibitory"}
    return {
        name: (_INHIBITORY if name in inhibiting else _CELL)
        if isinstance(part.unit, AbstractCell)
        else _ASTROCYTE
        for name, part in network.populations.items()
    }


def _taken(edges: int, most: int) -> np.ndarray:
    if edges <= most:
        return np.arange(edges)
    return np.linspace(0, edges - 1, most).astype(int)


def _draw_projection(
    axes: "Axes", projection: Projection, places: dict[str, np.ndarray], colour: str,
    taken: np.ndarray,
) -> None:  # fmt: skip
    edges = projection.edges
    start = places[projection.pre][edges.pre[taken]]
    stop = places[projection.post][edges.post[taken]]
    _lines(axes, np.stack([start, stop], axis=1), "-", colour, 0.5)
    worn = projection.astrocytes
    if worn is None:
        return
    which = np.asarray(worn.astrocyte)[taken]
    held = which >= 0
    middle = (0.5 * (start + stop))[held]
    ends = np.stack([places[worn.population][which[held]], middle], axis=1)
    _lines(axes, ends, ":", _ASTROCYTE, 0.7)


def _lines(axes: "Axes", ends: Any, style: str, colour: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    shade = float(np.clip(60.0 / max(len(ends), 1), 0.08, 0.8))
    axes.add_collection(
        LineCollection(list(ends), linestyles=style, colors=colour, linewidths=width, alpha=shade),
        autolim=True,
    )
    axes.autoscale_view()
