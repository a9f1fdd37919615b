"""Figures of the papers, drawn again: `python docs/draw_astrocytes.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp
from tripartite import astrocytes as ast
from tripartite.core.units import per_second, second

FIGURES = Path(__file__).parent / "figures"
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def run(model: Any, stimulus: Any, seconds: float, **settings: Any) -> tuple[Any, Any]:
    """Times in s and the record."""
    settings = {"dt": 5.0, "save_every": 50.0} | settings
    solution = tp.simulate(model, stimulus, t1=seconds * second, **settings)
    return np.asarray(solution.ts) / second, solution.ys


def li_rinzel(am: Any, fm: Any) -> None:
    """Amplitude and frequency modulation: IP3 rises slowly through both Hopf points."""
    cases = ((am, ast.NadkarniJungAM(), "AM", 0.3, 0.7), (fm, ast.NadkarniJungFM(), "FM", 0.4, 1.0))
    for ax, model, name, low, high in cases:
        ramp = tp.stimuli.Ramp((high - low) / (1000.0 * second), initial=low)
        ts, ys = run(model, ramp, 1000.0, save_every=100.0)
        ax.plot(low + (high - low) * ts / 1000.0, ys["calcium"], color=BLUE, linewidth=0.5)
        ax.set(title=f"Li-Rinzel, {name}", xlabel="IP3 (uM), rising in 1000 s", ylabel="Ca (uM)")


def chi(ax: Any) -> None:
    """De Pitta et al. (2009), figure 12: glutamate on and off every 62.5 s."""
    wave = tp.stimuli.PulseTrain(5.0, 62_500.0, 125_000.0, count=2, start=62_500.0)
    for model, name, color in ((ast.DePittaAM(), "AM", BLUE), (ast.DePittaFM(), "FM", ORANGE)):
        ts, ys = run(model, wave, 312.5)
        ax.plot(ts, ys["calcium"], color=color, linewidth=0.9, label=name)
    for start in (62.5, 187.5):
        ax.axvspan(start, start + 62.5, color="0.9", zorder=0)
    ax.set(title="ChI, 5 uM glutamate on and off", xlabel="time (s)", ylabel="Ca (uM)")
    ax.set_ylim(-0.15, 1.2)
    ax.legend(frameon=False, fontsize=8, loc="lower right", ncols=2)


def handy(ax: Any) -> None:
    """Taheri et al. (2017): four shapes of IP3, four classes of response."""
    shapes = (
        ("single peak", 0.2, 10.0, 0.2, 97.0, BLUE),
        ("multiple peaks", 0.26, 41.0, 0.12, 200.0, ORANGE),
        ("plateau", 0.375, 34.0, 0.002, 138.0, GREEN),
        ("long lasting", 0.55, 39.0, 0.002, 179.0, PINK),
    )
    for name, top, rise, rate, decay, color in shapes:
        pulse = ast.IP3Pulse(top, rise * second, rate * per_second, decay * second, 5.0 * second)
        ts, ys = run(ast.Handy(), pulse, 100.0)
        ax.plot(ts, ys["calcium"], color=color, linewidth=1.0, label=name)
    ax.set(title="Handy, four IP3 pulses", xlabel="time (s)", ylabel="Ca (uM)")
    ax.legend(frameon=False, fontsize=8)


def nest(ax: Any) -> None:
    """A spike that makes 1 uM of IP3, calcium, and the current into neurons."""
    spike = ast.drive(spikes=ast.SpikeArrivals([1000.0], 5.0))
    ts, ys = run(ast.NESTAstrocyte(jump_size=1.0), spike, 14.0)
    ax.plot(ts, ys["calcium"], color=BLUE, linewidth=1.0, label="Ca (uM)")
    ax.plot(ts, ys["ip3"], color=ORANGE, linewidth=1.0, label="IP3 (uM)")
    ax.plot(ts, ys["sic"] / 5.0, color=GREEN, linewidth=1.0, label="SIC (5 pA)")
    ax.set(title="NEST's astrocyte, one spike at 1 s", xlabel="time (s)")
    ax.legend(frameon=False, fontsize=8)


def ullah(ax: Any) -> None:
    """IP3 made on command for 5 s."""
    for rate, color in ((0.1, BLUE), (0.3, ORANGE), (1.0, GREEN)):
        made = tp.stimuli.Step(rate * per_second, start=2.0 * second, stop=7.0 * second)
        ts, ys = run(ast.Ullah(), made, 30.0)
        ax.plot(ts, ys["calcium"], color=color, linewidth=1.0, label=f"{rate:g} uM/s")
    ax.set(title="Ullah, IP3 made from 2 to 7 s", xlabel="time (s)", ylabel="Ca (uM)")
    ax.legend(frameon=False, fontsize=8)


def figure_2(calcium: Any, gate: Any) -> None:
    """Stimberg et al. (2019), figure 2: glutamate every 2 s, with and without noise."""
    pulses = ast.Transients(500.0, 2.0 * second * np.arange(1, 15), 40.0 * per_second)
    drive = ast.drive(glutamate=pulses)
    cell = ast.StimbergFigure2()
    traces = (
        ("Stratonovich", ast.StochasticGate(cell, "stratonovich"), PINK, jax.random.key(3)),
        ("Ito", ast.StochasticGate(cell), ORANGE, jax.random.key(3)),
        ("no noise", cell, BLUE, None),
    )
    for name, model, color, key in traces:
        ts, ys = run(model, drive, 30.0, dt=2.0, save_every=20.0, key=key)
        calcium.plot(ts, ys["calcium"], color=color, linewidth=0.9, label=name)
        gate.plot(ts, ys["h"], color=color, linewidth=0.9, label=name)
    calcium.set(title="G-ChI, figure 2", xlabel="time (s)", ylabel="Ca (uM)")
    gate.set(title="its gate", xlabel="time (s)", ylabel="h")
    calcium.legend(frameon=False, fontsize=8)


def figure_3(ax: Any) -> None:
    """Stimberg et al. (2019), figure 3: releases at upward crossings of 0.5 uM."""
    for bias, color in ((0.8, GREEN), (1.25, ORANGE)):
        model = ast.GliotransmitterRelease(ast.StimbergFigure3(bias))
        ts, ys = run(model, None, 16.5, dt=2.0, save_every=10.0)
        ax.plot(ts, ys["calcium"], color=color, linewidth=1.0, label=f"Ca, bias {bias} uM")
        released = np.asarray(ys["gliotransmitter"]) / 100.0
        ax.plot(ts, released, color=color, linewidth=0.8, linestyle="--")
    ax.axhline(0.5, color="0.6", linewidth=0.7, linestyle=":")
    ax.set(title="release, figure 3", xlabel="time (s)", ylabel="Ca (uM), G (100 uM, dashed)")
    ax.legend(frameon=False, fontsize=8)


def figure_5(ax: Any) -> None:
    """Stimberg et al. (2019), figure 5: a ring of 50, the middle cell driven."""
    network = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(50), 50)
    driven = np.where(np.arange(50) == 25, 1.0, 0.0)
    wave = tp.stimuli.PulseTrain(driven, 20.0 * second, 50.0 * second, count=8)
    ts, ys = run(network, ast.drive(bias=wave), 400.0, dt=50.0, save_every=500.0)
    extent = (0.0, float(ts[-1]), -0.5, 49.5)
    image = np.asarray(ys["calcium"]).T
    ax.imshow(image, aspect="auto", origin="lower", extent=extent, cmap="viridis", vmax=1.0)
    ax.set(title="ring of 50, figure 5: Ca", xlabel="time (s)", ylabel="cell")


def clearance(ax: Any) -> None:
    """Potassium in the cleft after a second of firing, with and without Kir."""
    model = ast.PotassiumClearance()
    without = eqx.tree_at(lambda m: m.glia.rectifier.conductance, model, jnp.asarray(0.0))
    burst = tp.stimuli.Step(60.0, start=2.0 * second, stop=3.0 * second)
    for one, name, color in ((model, "with Kir", BLUE), (without, "without", ORANGE)):
        ts, ys = run(one, burst, 30.0, dt=2.0)
        ax.plot(ts, ys["potassium"] / 1000.0, color=color, linewidth=1.0, label=name)
    ax.set(title="potassium clearance", xlabel="time (s)", ylabel="K+ outside (mM)")
    ax.legend(frameon=False, fontsize=8)


def astrocytes() -> Figure:
    """One panel for each model."""
    figure = Figure(figsize=(11.0, 12.0), layout="constrained")
    axes = figure.subplots(4, 3)
    li_rinzel(axes[0, 0], axes[0, 1])
    chi(axes[0, 2])
    handy(axes[1, 0])
    ullah(axes[1, 1])
    nest(axes[1, 2])
    figure_2(axes[2, 0], axes[2, 1])
    figure_3(axes[2, 2])
    figure_5(axes[3, 0])
    clearance(axes[3, 1])
    release_forms(axes[3, 2])
    for ax in axes.ravel():
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set_fontsize(10)
    return figure


def release_forms(ax: Any) -> None:
    """One release, at once and smoothly."""
    cell = ast.StimbergFigure3(0.8)
    forms = (
        ("at once", ast.GliotransmitterRelease(cell), BLUE),
        ("w = 0.005 uM", ast.SmoothRelease(cell, width=0.005), GREEN),
        ("w = 0.02 uM", ast.SmoothRelease(cell), ORANGE),
    )
    for name, model, color in forms:
        ts, ys = run(model, None, 2.4, dt=1.0, save_every=1.0)
        ax.plot(ts, ys["gliotransmitter"], color=color, linewidth=1.0, label=name)
    ax.set(title="a release, at once and smooth", xlabel="time (s)", ylabel="G (uM)")
    ax.set_xlim(1.9, 2.3)
    ax.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    FIGURES.mkdir(exist_ok=True)
    astrocytes().savefig(FIGURES / "astrocytes.png", dpi=100)
