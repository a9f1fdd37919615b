"""A channel's gates: where they tend to, and how fast."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import channels
from tripartite.core.arguments import checked
from tripartite.plots.figure import BLUE, GREEN, ORANGE, RED, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Array | np.ndarray | Sequence[float] | float | None


@checked
def channel(
    channel: channels.AbstractChannel,
    axes: "tuple[Axes, Axes] | None" = None,
    *,
    v: Values = None,
    calcium: Values = None,
) -> "tuple[Axes, Axes]":
    """The open fraction that each gate of a channel tends to, and how long it takes.

    Both against the membrane potential; against calcium if several concentrations are given.

    **Arguments:**

    - `channel`: one that is made of gates, for one cell (scalar parameters).
    - `axes`: a pair of matplotlib axes to draw on; by default those of a new figure.
    - `v`: mV; by default 301 values from -100 to 50. One value where calcium varies (default: -60).
    - `calcium`: uM, for a channel that reads it: one value, or several as the horizontal axis.

    **Returns:** the two axes; `axes[0].figure.savefig(...)` saves the figure.

    **Raises:** `ValueError` for a channel without gates, of several cells, or without the calcium
    that it reads; `ImportError` without matplotlib.
    """
    if not isinstance(channel, channels.AbstractGatedChannel) or not channel.gates:
        raise ValueError(f"{type(channel).__name__} {channel.name!r} has no gates to draw.")
    over_calcium = calcium is not None and np.ndim(calcium) > 0
    if v is None:
        v = -60.0 if over_calcium else np.linspace(-100.0, 50.0, 301)
    if axes is None:
        axes = tuple(new_figure(1, 8.0, 3.0, ncols=2)[1][0])
    if not isinstance(axes, Sequence | np.ndarray) or len(axes) != 2:
        raise ValueError(f"axes must be a pair of matplotlib axes, got {axes!r}.")
    left, right = axes
    across = np.asarray(calcium if over_calcium else v)
    colours = (BLUE, ORANGE, GREEN, RED)
    for (name, gate), colour in zip(channel.gates.items(), colours, strict=False):
        moves = isinstance(gate, channels.AbstractMovingGate)
        style = {"color": colour, "linewidth": 1.4}
        label = name if moves else f"{name} (instantaneous)"
        left.plot(across, _curve(channel, gate.steady_state, v, calcium), label=label, **style)
        if moves:
            right.plot(across, _curve(channel, gate.time_constant, v, calcium), label=name, **style)
    left.set(ylabel="open fraction", ylim=(-0.03, 1.03))
    left.legend(frameon=False)
    right.set(ylabel="time constant (ms)", yscale="log")
    _plain_decades(right.yaxis)
    for ax in axes:
        ax.set_xlabel("calcium (uM)" if over_calcium else "membrane potential (mV)")
        ax.set(title=channel.name, xscale="log" if over_calcium else "linear", xlim=across[[0, -1]])
    if not right.lines:
        right.set_yticks([])
        right.text(0.5, 0.5, "instantaneous", ha="center", transform=right.transAxes)
    return left, right


def _plain_decades(axis: Any) -> None:
    """Ticks at 1, 2 and 5 of each decade, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _curve(
    channel: channels.AbstractGatedChannel, function: Callable[..., Any], v: Any, calcium: Any
) -> np.ndarray:
    """`function(v, calcium)` over whichever of the two has several values."""
    dtype = jax.tree.leaves(channel)[0].dtype
    v = jnp.asarray(v, dtype)
    c = None if calcium is None else jnp.asarray(calcium, dtype)
    if c is not None and v.ndim and c.ndim:
        raise ValueError(
            f"either v or calcium may have several values, got shapes {v.shape} and {c.shape}: "
            "hold one of them."
        )
    try:
        curve = jax.vmap(function, (0, None) if v.ndim else (None, 0))(v, c)
    except ValueError as error:
        raise ValueError(
            f"{channel.name} reads calcium: pass calcium= in uM, one value or several ({error})"
        ) from error
    if curve.ndim != 1:
        raise ValueError(
            f"{channel.name} has parameters of several cells, so that a curve has shape "
            f"{curve.shape}: draw one cell's channel."
        )
    return np.asarray(curve)
