"""What a solve recorded, against time: voltages with their spikes and stimulus, gates, spikes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from tripartite import analysis
from tripartite.cells import ConductanceState
from tripartite.core.arguments import checked
from tripartite.core.errors import require_count
from tripartite.plots.figure import CYCLE, INK, RED, axes_or_new, new_figure, quantity
from tripartite.stimuli import as_stimulus

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def trace(
    solution: diffrax.Solution,
    port: str = "v",
    axes: "Axes | None" = None,
    *,
    spikes: bool | None = None,
    threshold: float = 0.0,
    label: str | None = None,
) -> "Axes":
    """A recorded quantity against time, one line for each unit, with a mark at each spike.

    **Arguments:**

    - `solution`: of `simulate`.
    - `port`: which of its records: `"v"`, or `"exc.v"` of a network.
    - `axes`: matplotlib axes to draw on; by default those of a new figure.
    - `spikes`: mark the upward crossings of `threshold` (mV); by default for voltages.
    - `label`: what the vertical axis says, with its unit; known for the library's own ports.

    **Raises:** `ValueError` for a record that is not there, or of unknown unit without a `label`.
    """
    ts, values = np.asarray(solution.ts), _record(solution, port)
    said = quantity(port, label)
    axes = axes_or_new(axes)
    axes.plot(ts, values, linewidth=1.2, color=None if values.shape[1] > 1 else CYCLE[0])
    if spikes if spikes is not None else port.rpartition(".")[2] == "v":
        found = analysis.spike_times(
            ts, values, threshold=threshold, rearm=min(threshold, threshold - 20.0)
        )
        height = 1.05 * np.nanmax(values) if np.nanmax(values) > 0 else np.nanmax(values)
        for unit, times in enumerate(found):
            axes.plot(times, np.full(len(times), height), "|", color=RED, label=f"spikes of {unit}")
    axes.set(xlabel="time (ms)", ylabel=said, xlim=ts[[0, -1]])
    return axes


@checked
def stimulus(
    given: Any,
    t1: float,
    axes: "Axes | None" = None,
    *,
    t0: float = 0.0,
    label: str = "current (uA/cm2)",
    points: int = 1000,
) -> "Axes":
    """A stimulus against time, `points` samples from `t0` to `t1` ms.

    **Arguments:** `given`: a number or a `tripartite.stimuli` object; `label`: what the vertical
    axis says, with its unit.
    """
    require_count("points", points, 2)
    ts = jnp.linspace(t0, t1, points)
    drive = as_stimulus(given, ts.dtype)
    values = np.asarray(jax.jit(jax.vmap(lambda t: drive(t) + jnp.zeros_like(t)))(ts))
    axes = axes_or_new(axes, height=1.6)
    axes.plot(np.asarray(ts), values, color=INK, linewidth=1.0)
    axes.set(xlabel="time (ms)", ylabel=label, xlim=(t0, t1))
    return axes


@checked
def voltage_and_stimulus(
    solution: diffrax.Solution, given: Any, port: str = "v", **options: Any
) -> "tuple[Axes, Axes]":
    """`trace` over `stimulus`, on a new figure with one time axis. **Arguments:** as for those."""
    figure_axes = new_figure(2, 7.0, 4.0, sharex=True, height_ratios=(3, 1))[1][:, 0]
    ts = np.asarray(solution.ts)
    top = trace(solution, port, figure_axes[0], **options)
    bottom = stimulus(given, float(ts[-1]), figure_axes[1], t0=float(ts[0]))
    top.set_xlabel("")
    return top, bottom


@checked
def gates(solution: diffrax.Solution, axes: "Axes | None" = None) -> "Axes":
    """The gates of a conductance cell against time: `simulate(cell, ..., record="state")`.

    **Raises:** `ValueError` unless the whole state of one conductance cell was recorded.
    """
    state: Any = solution.ys
    if not isinstance(state, ConductanceState) or np.ndim(state.v) != 1:
        raise ValueError(
            "gates draws the recorded state of one conductance cell, got "
            f'{type(state).__name__}: solve with simulate(cell, ..., record="state").'
        )
    axes = axes_or_new(axes)
    ts, drawn = np.asarray(solution.ts), 0
    for channel, own in state.gates.items():
        for path, values in jax.tree_util.tree_leaves_with_path(own):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            colour = CYCLE[drawn % len(CYCLE)]
            axes.plot(ts, values, color=colour, linewidth=1.2, label=f"{name} ({channel})")
            drawn += 1
    axes.set(xlabel="time (ms)", ylabel="open fraction (1)", xlim=ts[[0, -1]], ylim=(-0.03, 1.03))
    axes.legend(frameon=False, loc="upper right")
    return axes


@checked
def raster(
    times: Sequence[Any] | Mapping[str, Sequence[Any]], axes: "Axes | None" = None, **style: Any
) -> "Axes":
    """A mark for each spike: time across, one row for each unit, a colour for each population.

    **Arguments:** `times`: spike times in ms of each unit, as `analysis.spike_times` returns them,
    or `{population: those}`; `style`: of the marks (matplotlib's `eventplot`).

    **Raises:** `ValueError` if there is no unit.
    """
    named = times if isinstance(times, Mapping) else {"": times}
    if not any(len(rows) for rows in named.values()):
        raise ValueError("raster needs the spike times of at least one unit, got none.")
    axes = axes_or_new(axes)
    first = 0
    for k, (name, rows) in enumerate(named.items()):
        options = {"colors": CYCLE[k % len(CYCLE)], "linelengths": 0.8, "linewidths": 1.0} | style
        rows = [np.ravel(np.asarray(row)) for row in rows]
        axes.eventplot(
            rows, lineoffsets=list(range(first, first + len(rows))), label=name, **options
        )
        first += len(rows)
    axes.set(xlabel="time (ms)", ylabel="unit", ylim=(-0.7, first - 0.3))
    axes.locator_params(axis="y", integer=True)
    if isinstance(times, Mapping):
        handles, labels = axes.get_legend_handles_labels()
        firsts = dict(zip(reversed(labels), reversed(handles), strict=True))
        axes.legend([firsts[name] for name in named], list(named), loc="upper right")
    return axes


@checked
def calcium_raster(
    solution: diffrax.Solution,
    port: str = "calcium",
    axes: "Axes | None" = None,
    *,
    label: str | None = None,
) -> "Axes":
    """Calcium of many astrocytes as colour: time in seconds across, one row for each.

    **Arguments:** `solution`: of `simulate`; `port`: its record, `[time, astrocytes]`; `label`: of
    the colours, with their unit.

    **Raises:** `ValueError` for a record that is not there, or without an axis of units.
    """
    values, said = _record(solution, port), quantity(port, label)
    axes = axes_or_new(axes)
    ts = np.asarray(solution.ts) / 1000.0
    rows = np.arange(values.shape[1])
    mesh = axes.pcolormesh(ts, rows, values.T, cmap="viridis", shading="nearest", rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, label=said)
    axes.grid(visible=False)
    axes.set(xlabel="time (s)", ylabel="astrocyte")
    return axes


def _record(solution: diffrax.Solution, port: str) -> np.ndarray:
    """A record as `[time, units]`."""
    ys: Any = solution.ys
    if not isinstance(ys, dict) or port not in ys:
        has = ", ".join(map(repr, ys)) if isinstance(ys, dict) else type(ys).__name__
        raise ValueError(
            f"the solution has no record {port!r}, it has {has}: name one, or record it "
            f"(simulate(..., record={{{port!r}: ...}}))."
        )
    values = np.asarray(ys[port])
    return values.reshape(len(values), -1)
