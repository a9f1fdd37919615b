"""What the figures share: colours, new axes, and names of quantities with their units."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: distinct to colour-blind readers, too.
INK, BLUE, ORANGE, GREEN, RED = "#222222", "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY = "#CC79A7", "#56B4E9"
CYCLE = (BLUE, ORANGE, GREEN, RED, PINK, SKY)

# What the library's own ports are, in words and in their units.
QUANTITIES = {
    "v": "membrane potential (mV)",
    "calcium": "calcium (uM)",
    "ip3": "IP3 (uM)",
    "h": "gate h (1)",
    "glutamate": "glutamate (uM)",
    "gliotransmitter": "gliotransmitter (uM)",
    "receptors": "bound receptors (1)",
}


def new_figure(rows: int, width: float, height: float, **grid: Any) -> tuple["Figure", Any]:
    """A figure and its axes `[rows, columns]`, without the spines that carry no scale.

    **Raises:** `ImportError` without matplotlib.
    """
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


def axes_or_new(axes: "Axes | None", width: float = 7.0, height: float = 3.0) -> "Axes":
    """The axes given, or those of a new figure."""
    return new_figure(1, width, height)[1][0, 0] if axes is None else axes


def quantity(port: str, label: str | None) -> str:
    """What an axis says of a port. **Raises:** `ValueError` for one without a known unit."""
    if label is not None:
        return label
    name = port.rpartition(".")[2]
    if name not in QUANTITIES:
        raise ValueError(f'the unit of {port!r} is not known here: pass label="{name} (its unit)".')
    return QUANTITIES[name]
