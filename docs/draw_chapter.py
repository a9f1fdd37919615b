"""Figures 4 and 6 of Stimberg et al. (2019): `python docs/draw_chapter.py` (needs matplotlib).

The second takes a minute or two: a quarter of the network, for 8 s.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

FIGURES = Path(__file__).parent / "figures"
SIMULATORS = Path(__file__).parent.parent / "benchmarks" / "simulators"
BLACK, BLUE, ORANGE, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
COLOURS = {"none": BLACK, "open": GREEN, "closed": ORANGE}
TITLES = {
    "none": "no gliotransmission",
    "open": "open loop",
    "closed": "closed loop",
}
RATES = np.logspace(-1, 2, 61)


def figure_4(filters: Any) -> Figure:
    """Steps of the rate, and the mean release per spike against the rate."""
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    steps, curves = figure.subplots(2, 3)
    levels = np.repeat([0.011, 0.11, 1.1, 11.0], 5000)
    rng = np.random.default_rng(4)
    spikes = (rng.random((20_000, 200)) < 1e-3 * levels[:, None]).astype(float)

    def spilled(y: Any) -> Any:
        terminal = y.projections["synapses"].synapses.terminals.terminal
        return jnp.mean(terminal.transmitter.reshape(3, -1), axis=1)

    found = filters.driven(spikes, 1.0, record=spilled, save_every=20.0)
    release, _ = filters.filters(RATES)
    for k, loop in enumerate(filters.LOOPS):
        ax = steps[k]
        ax.plot(np.asarray(found.ts) / 1000, found.ys[:, k], color=COLOURS[loop], linewidth=0.5)
        ax.set(title=TITLES[loop], xlabel="time (s), rate tenfold every 5 s", xlim=(0, 20))
        ax = curves[k]
        ax.semilogx(RATES, release[k], color=COLOURS[loop], linewidth=1.6)
        ax.set(xlabel="presynaptic rate (Hz)", ylim=(0, None))
    jump = int(np.argmax(np.diff(release[2])))
    name(curves[1], peak(release[1], int(np.argmax(release[1]))), -14)
    name(curves[2], peak(release[2], 1 + int(np.argmin(release[2][1:jump]))), -12)
    between = float(np.sqrt(RATES[jump] * RATES[jump + 1]))
    name(curves[2], (between, release[2][jump + 1]), 6)
    steps[0].set_ylabel("transmitter (uM), mean of 200")
    curves[0].set_ylabel("mean release per spike")
    for ax in (*steps, *curves):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def peak(values: Any, at: int) -> tuple[float, float]:
    """Where the extremum next to a point of the grid lies: a parabola through it in log f."""
    a, b, c = values[at - 1 : at + 2]
    share = 0.5 * (a - c) / (a - 2 * b + c)
    return float(RATES[at] * (RATES[1] / RATES[0]) ** share), float(b)


def name(ax: Any, point: tuple[float, float], offset: float) -> None:
    """Writes the rate of a point next to it."""
    text = f"{point[0]:.1f} Hz"
    where = {"textcoords": "offset points", "xytext": (0, offset), "ha": "center", "fontsize": 8}
    ax.annotate(text, point, **where)


def figure_6(wiring: Any, network: Any) -> Figure:
    """The current, spikes of every cell in four and every astrocyte in four, and rates."""
    w = wiring.wiring(0.25, 0, "script")
    shown = np.concatenate([np.arange(0, w.n_exc, 4), np.arange(w.n_exc, w.n_exc + w.n_inh, 4)])

    def raster(y: Any) -> Any:
        return y.populations["cells"].spike[shown] > 0.5

    record = network.record(w) | {"raster": raster}
    solution = network.solve(network.network(w), w, 8.0, 0.1, record=record)
    exc, inh, _ = network.counted(solution.ys)
    fired = np.asarray(solution.ys["raster"])[1:]
    armed = np.asarray(solution.ys["armed"])[:, ::4]
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(1, 6, 2))
    seconds = wiring.PERIOD * np.arange(5)
    top.stairs(wiring.LEVELS, seconds, color=BLACK, baseline=None)
    top.set(ylabel="pA", yticks=(100, 120))
    kinds = shown < w.n_exc
    first = 0
    releases = armed[:-1] & ~armed[1:]
    for rows, colour, name in (
        (fired[:, kinds], BLUE, "excitatory"),
        (fired[:, ~kinds], ORANGE, "inhibitory"),
        (releases, GREEN, "astrocytes, releasing"),
    ):
        at, cell = np.nonzero(rows)
        middle.plot(
            1e-4 * at, first + cell, "|", color=colour, markersize=3, markeredgewidth=0.5,
            label=name,
        )  # fmt: skip
        first += rows.shape[1]
    middle.set(ylabel="one in four", ylim=(0, first))
    middle.legend(loc="upper left", fontsize=8, markerscale=3, frameon=False)
    counts = (exc + inh)[: len(exc) // 50 * 50].reshape(-1, 50).sum(1)
    rate = np.maximum(counts / (w.n_exc + w.n_inh) / 0.005, 0.1)
    bottom.semilogy(0.005 * np.arange(len(rate)), rate, color=BLACK, linewidth=0.5)
    bottom.set(xlabel="time (s)", ylabel="rate (Hz), 5 ms", ylim=(0.1, 300), xlim=(0, 8))
    for ax in (top, middle, bottom):
        ax.spines[["top", "right"]].set_visible(False)
    print(wiring.summary(w, 0.1, *network.counted(solution.ys)))
    return figure


def main() -> None:
    """Both figures, or the one that is named."""
    sys.path.insert(0, str(SIMULATORS))
    import chapter_filters
    import chapter_network
    import chapter_wiring

    wanted = sys.argv[1:] or ["filters", "network"]
    FIGURES.mkdir(exist_ok=True)
    if "filters" in wanted:
        figure_4(chapter_filters).savefig(FIGURES / "chapter_filters.png", dpi=150)
    if "network" in wanted:
        # In float32 rounding decides when the cells fall in step.
        with jax.enable_x64(True):
            figure = figure_6(chapter_wiring, chapter_network)
        figure.savefig(FIGURES / "chapter_network.png", dpi=150)


if __name__ == "__main__":
    main()
