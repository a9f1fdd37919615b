"""A cell fitted from twenty starts, and its figure: `python docs/draw_fit_a_cell.py`."""

import importlib
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from matplotlib.figure import Figure

from tripartite import cells, fit

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"
STARTS = 20


def where(cell: Any) -> tuple[Any, ...]:
    sodium, potassium, leak = cell.channels
    return (
        sodium.conductance,
        potassium.conductance,
        leak.conductance,
        cell.capacitance,
        leak.reversal,
    )


def setting() -> Any:
    """The benchmark's problem."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "simulators"))
    return importlib.import_module("fit_setting")


def axon(values: Any) -> Any:
    g_na, g_k, g_l, c, e_l = values
    return cells.HodgkinHuxley(
        g_sodium=g_na, g_potassium=g_k, g_leak=g_l, capacitance=c, e_leak=e_l
    )


def fitted(problem: Any, clamp: Any, data: Any, stages: tuple[float, ...], most: int) -> Any:
    """What every start ends at, `[starts, 5]`, and its mean square."""
    found = fit.least_squares(
        axon(problem.TRUTH),
        lambda cell, data, rate: clamp(cell, towards=data, rate=rate) - data,
        data,
        where=where,
        constraints=(*[fit.Positive()] * 4, fit.Free(10.0)),
        stages=stages,
        iterations=most,
        starts=[axon(values) for values in problem.starts(STARTS)],
    )
    ends = np.stack([np.asarray(x) for x in found.every.values()], axis=1)
    return ends, found.every_loss


def panels(grid: Any, problem: Any, clamp: Any, data: Any, ways: Any) -> None:
    """The record with a fit, the current, where every start ends, and how good that is."""
    ts = clamp.times()
    grid["v"].plot(ts, data[0], ".", color=GREY, markersize=2, label="recorded, 1 mV of noise")
    best = axon(ways["pulled less and less"][1][0][0])
    grid["v"].plot(ts, eqx.filter_jit(clamp)(best)[0], color=BLUE, linewidth=1.0, label="fitted")
    grid["v"].legend(frameon=False, fontsize=8, loc="upper left")
    grid["v"].set_ylabel("voltage (mV)")
    grid["v"].sharex(grid["i"])
    grid["i"].plot(ts, problem.current(), color=GREEN, linewidth=0.7)
    grid["i"].set(ylabel="uA/cm2", xlabel="time (ms)")
    for k, (name, (colour, (ends, losses))) in enumerate(ways.items()):
        within = int(np.sum(problem.errors(ends) < problem.WITHIN))
        print(f"{name}: {within} of {STARTS} within {100 * problem.WITHIN:g} %")
        for column in range(5):
            x = column + 0.3 * (k - 0.5) + np.linspace(-0.1, 0.1, STARTS)
            ratio = ends[:, column] / problem.TRUTH[column]
            grid["ends"].plot(x, ratio, "o", color=colour, markersize=3, alpha=0.7)
        label = f"{name}: {within} of {STARTS} within 2 %"
        grid["loss"].semilogy(np.sort(losses), "o-", color=colour, markersize=3, label=label)
    grid["ends"].axhline(1.0, color="black", linewidth=0.8, zorder=0)
    grid["ends"].set(yscale="log", ylabel="where it ends, over the truth", ylim=(0.02, 50.0))
    grid["ends"].set_xticks(range(5), problem.NAMES)
    grid["loss"].axhline(1.0, color="black", linewidth=0.8, zorder=0)
    grid["loss"].set(xlabel="start, sorted", ylabel="mean square over the noise's")
    grid["loss"].set_xticks(range(0, STARTS, 5))
    grid["loss"].legend(frameon=False, fontsize=8)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    problem = setting()
    clamp = fit.CurrentClamp.sampled(
        problem.current()[None], problem.DT, t1=problem.SPAN, dt=problem.DT, adjoint="by steps"
    )
    data = eqx.filter_jit(clamp)(axon(problem.TRUTH)) + problem.noise()[None]
    ways = {
        "pulled less and less": (BLUE, fitted(problem, clamp, data, (10.0, 2.0, 0.5, 0.0), 30)),
        "never pulled": (ORANGE, fitted(problem, clamp, data, (0.0,), 100)),
    }
    figure = Figure(figsize=(10.0, 6.2), layout="constrained")
    grid = figure.subplot_mosaic(
        [["v", "v"], ["i", "i"], ["ends", "loss"]], height_ratios=(3, 1, 3)
    )
    panels(grid, problem, clamp, data, ways)
    figure.savefig(FIGURES / "fit_a_cell.png", dpi=110)


if __name__ == "__main__":
    main()
