"""Curves of a model rather than of a solve: phase planes, and rates against currents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import diffrax
import jax
import numpy as np
from jaxtyping import Array, PyTree

from tripartite import analysis
from tripartite.core import AbstractDynamics, prefix_leaves
from tripartite.core.arguments import checked
from tripartite.plots.figure import BLUE, INK, ORANGE, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def phase_plane(
    model: AbstractDynamics,
    x: Sequence[float],
    y: Sequence[float],
    axes: "Axes | None" = None,
    *,
    states: Sequence[int] = (0, 1),
    u: PyTree[Array] | None = None,
    at: PyTree[Array] | None = None,
    points: int = 101,
    path: diffrax.Solution | None = None,
) -> "Axes":
    """The nullclines of two states, the direction of the flow, and a solve as a line over them.

    **Arguments:** as for `analysis.phase_plane`; and `axes`, by default those of a new figure;
    `path`: a solution of the model, solved with `record="state"`.

    **Raises:** `ValueError` as `analysis.phase_plane` does, or for a path without the states.
    """
    plane = analysis.phase_plane(model, x, y, states=states, u=u, at=at, points=points)
    axes = axes_or_new(axes, 5.0, 4.0)
    for slope, colour, which in ((plane.dx, BLUE, 0), (plane.dy, ORANGE, 1)):
        drawn = axes.contour(plane.x, plane.y, slope, levels=[0.0], colors=[colour])
        axes.plot([], [], color=colour, label=f"{_names(model)[states[which]]} at rest")
        drawn.set_linewidth(1.4)
    # Directions alone: the two states have different units and speeds.
    span = (np.ptp(plane.x), np.ptp(plane.y))
    every = max(1, points // 16)
    dx, dy = (s[::every, ::every] / w for s, w in zip((plane.dx, plane.dy), span, strict=True))
    length = np.maximum(np.hypot(dx, dy), np.finfo(dx.dtype).tiny)
    axes.quiver(
        plane.x[::every], plane.y[::every], dx / length, dy / length, angles="uv", scale=30,
        width=0.003, color="0.6",
    )  # fmt: skip
    if path is not None:
        across, up = (_states_of(path, model)[k] for k in states)
        axes.plot(across, up, color=INK, linewidth=1.0, label="solution")
    names = _names(model)
    axes.set(xlabel=names[states[0]], ylabel=names[states[1]], xlim=x, ylim=y)
    axes.legend(fontsize=8, framealpha=0.9)
    return axes


@checked
def f_i_curve(
    currents: Array | Sequence[float],
    rates: Array | Sequence[float],
    axes: "Axes | None" = None,
    *,
    name: str | None = None,
    label: str = "current (uA/cm2)",
) -> "Axes":
    """Firing rates (Hz) against currents, as `analysis.f_i_curve` returns them.

    **Arguments:** `currents`, `rates`: `[n]`; `name`: for the legend; `label`: of the horizontal
    axis, with its unit.

    **Raises:** `ValueError` if the two are not of one length.
    """
    across, up = np.asarray(currents), np.asarray(rates)
    if across.shape != up.shape or across.ndim != 1:
        raise ValueError(
            f"currents and rates must be one rate for each current, got shapes {across.shape} and "
            f"{up.shape}."
        )
    axes = axes_or_new(axes, 5.0, 3.2)
    axes.plot(across, up, ".-", linewidth=1.0, label=name)
    axes.set(xlabel=label, ylabel="firing rate (Hz)", ylim=(0.0, None))
    if name is not None:
        axes.legend(frameon=False)
    return axes


def _leaves(y: Any) -> list[tuple[Any, Array]]:
    return jax.tree_util.tree_leaves_with_path(y)


def _names(model: AbstractDynamics) -> list[str]:
    """`"v (mV)"` and so on, for each state in the order of `tripartite.summary`."""
    y = model.init()
    units = model.units()
    spread = ("unit undeclared",) * len(_leaves(y)) if units is None else prefix_leaves(units, y)
    rows = zip(_leaves(y), spread, strict=True)
    found = []
    for (where, leaf), unit in rows:
        name = jax.tree_util.keystr(where, simple=True, separator=".") or "y"
        found += [f"{name} ({unit})"] * int(np.size(leaf))
    return found


def _states_of(path: diffrax.Solution, model: AbstractDynamics) -> list[np.ndarray]:
    if jax.tree.structure(path.ys) != jax.tree.structure(model.init()):
        raise ValueError(
            f"path holds {type(path.ys).__name__} and not the states of {type(model).__name__}: "
            'solve with simulate(model, ..., record="state").'
        )
    ts: Any = path.ts
    rows = [np.asarray(leaf).reshape(len(ts), -1) for _, leaf in _leaves(path.ys)]
    return list(np.concatenate(rows, axis=1).T)
