"""The figures of the theorems."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from tripartite import cells, proofs, simulate, solvers, stimuli
from tripartite.core.arguments import checked
from tripartite.plots.figure import BLUE, GREEN, INK, ORANGE, RED, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 150


def hh_over_units() -> "Figure":
    """A Hodgkin-Huxley cell over its four integrators, and the difference on an axis of its own."""
    settings: dict[str, Any] = {"t1": 60.0, "dt": 0.01, "solver": solvers.ClassicalRK4()}
    with jax.enable_x64(True):
        cell, drive = cells.HodgkinHuxley(), stimuli.Step(10.0, start=5.0)
        truth: Any = simulate(cell, drive, **settings)
        units: Any = simulate(cells.TVLIF(cell), drive, **settings)
        ts, v, w = (np.asarray(x) for x in (truth.ts, truth.ys["v"], units.ys["v"]))
    figure, axes = new_figure(2, 8.0, 4.6, sharex=True, height_ratios=(3, 1.2))
    top, bottom = axes[:, 0]
    top.plot(ts, v, color=BLUE, linewidth=3.2, alpha=0.45, label="Hodgkin-Huxley")
    top.plot(ts, w, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label="four tv-LIF units")
    top.set_ylabel("membrane potential (mV)")
    top.set_title("One Hodgkin-Huxley neuron, four leaky integrators: step of 10 uA/cm2 at 5 ms")
    top.legend(frameon=False, loc="upper right", ncols=2)
    top.set_ylim(-82.0, 62.0)
    bottom.plot(ts, (w - v) * 1e12, color=RED, linewidth=0.6)
    bottom.set_ylabel("difference\n(1e-12 mV)")
    bottom.set_xlabel("time (ms)")
    return figure


def unit_contributions() -> "Figure":
    """What each of the four units contributes to the membrane potential."""
    with jax.enable_x64(True):
        model = cells.four_lif()
        solution: Any = simulate(
            model, stimuli.Step(10.0, start=5.0), t1=30.0, dt=0.01, record="state"
        )
        ts = np.asarray(solution.ts)
        parts = [np.asarray(x) for x in (*solution.ys.shares, solution.ys.drive)]
    figure, axes = new_figure(1, 8.0, 3.6)
    ax = axes[0, 0]
    names = [*(channel.name for channel in model.cell.channels), "stimulus"]
    colours = (ORANGE, BLUE, GREEN, RED)
    for name, part, colour in zip(names, parts, colours, strict=True):
        ax.plot(ts, part, color=colour, linewidth=1.4, label=name)
    ax.plot(ts, sum(parts), color=INK, linewidth=0.9, linestyle=":", label="sum = voltage")
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("contribution (mV)")
    ax.set_title("The voltage as a sum of four units that share one time-varying leak")
    ax.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, -0.36))
    return figure


def calcium_to_attention() -> "Figure":
    """Calcium spreading in the astrocyte, synapses relaxing, neurons reaching the attention."""
    with jax.enable_x64(True):
        found = proofs.calcium_and_synapses()
    figure, axes = new_figure(3, 8.0, 6.4, sharex=True)
    rows = (
        (found.calcium, np.full(1, found.calcium_target), "calcium p", "1", ORANGE),
        (found.synapses, found.synapse_target.ravel(), "synapses s", "1", BLUE),
        (found.neurons, found.target, "neurons x", "1", GREEN),
    )
    for ax, (traces, targets, name, unit, colour) in zip(axes[:, 0], rows, strict=True):
        ax.plot(found.ts, traces.reshape(len(found.ts), -1), color=colour, linewidth=0.9)
        ax.hlines(targets, *found.ts[[0, -1]], color=INK, linewidth=0.7, linestyle=":")
        ax.set_ylabel(f"{name} ({unit})")
    axes[0, 0].set_title("Reading one query: the dotted lines are linear attention's own values")
    axes[-1, 0].set_xlabel("time (ms)")
    return figure


def error_by_features() -> "Figure":
    """The error of positive random features against their number, on noise and on digits."""
    figure, axes = new_figure(1, 9.0, 3.8, ncols=2)
    left, right = axes[0]
    # In the precision of the certificate, so that its numbers are the ones drawn.
    with jax.enable_x64(True):
        errors = {x: proofs.error_against_features(x) for x in (1.0, 4.0, 16.0)}
        curve = proofs.random_feature_curve()
    for (length, found), colour in zip(errors.items(), (GREEN, ORANGE, RED), strict=True):
        mean = np.exp(np.log(found.output).mean(axis=1))
        label = f"E|q+k|^2 = {length:g}, slope {found.slope(found.output):.2f}"
        left.loglog(found.features, mean, "o-", color=colour, markersize=4, label=label)
    first, last = errors[1.0].features[[0, -1]]
    left.loglog([first, last], [0.1, 0.1 * (first / last) ** 0.5], color=INK, linestyle=":")
    left.set_xlabel("random features m")
    left.set_ylabel("relative error of the output")
    left.set_title("Gaussian tokens, d = 64 (dotted: m^(-1/2))")
    left.legend(frameon=False, fontsize=8)
    right.semilogx(curve.features, 100 * curve.accuracy, "o-", color=BLUE, markersize=4)
    right.axhline(100 * curve.softmax_accuracy, color=INK, linestyle=":", label="softmax")
    right.set_xlabel("random features m")
    right.set_ylabel("held-out digits read (%)", color=BLUE)
    right.set_title("A digits transformer")
    other = right.twinx()
    other.loglog(curve.features, curve.logit_error, "s--", color=RED, markersize=4)
    other.set_ylabel("relative logit error", color=RED)
    right.legend(frameon=False, loc="center right")
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
    "astrocytes_are_linear_attention.png": (
        calcium_to_attention,
        "One query read: calcium spreads, synapses relax, neurons reach the attention output.",
    ),
    "linear_attention_is_softmax_in_the_limit.png": (
        error_by_features,
        "Error against the number of random features, on Gaussian tokens and on digits.",
    ),
}


@checked
def draw_all(theorems: list[str], directory: Path) -> dict[str, str]:
    """Draws the figures of the theorems named into `directory`: file name to caption."""
    drawn = {}
    for name, (draw, caption) in FIGURES.items():
        if any(name.startswith(theorem) for theorem in theorems):
            draw().savefig(directory / name, dpi=_DPI)
            drawn[name] = caption
    return drawn
