"""A figure for each page of `docs/gallery`: `python docs/draw_models.py [NAME ...]`.

Needs matplotlib. Without names it draws them all (about a minute).
"""

import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from draw_astrocytes import run
from draw_synapses import conductance_of, frequencies, magnesium, pair_window, receptors, short_term
from matplotlib.figure import Figure

import tripartite as tp
from tripartite import astrocytes as ast
from tripartite.core.units import per_second, second

FIGURES = Path(__file__).parent / "figures"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.6"


def panels(rows: int, columns: int, width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure and its axes, without the two spines that carry no scale."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    for ax in axes.ravel():
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
        ax.title.set_fontsize(10)
    return figure, axes


def legend(ax: Any, **settings: Any) -> None:
    ax.legend(**({"frameon": False, "fontsize": 8} | settings))


def cycles(model: Any, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest and highest calcium, and the period (s; nan at rest), after 400 s at each level."""

    @jax.jit
    @jax.vmap
    def solve(ip3: Any) -> Any:
        settled = tp.simulate(model, ip3, t1=400.0 * second, dt=10.0, save_every=400.0 * second)
        start = settled.stats["y1"]
        return tp.simulate(model, ip3, y0=start, t1=100.0 * second, dt=10.0).ys["calcium"]

    traces = np.asarray(solve(jnp.asarray(levels)))
    low, high = traces.min(axis=1), traces.max(axis=1)
    period = np.full(len(levels), np.nan)
    for k, c in enumerate(traces):
        middle = 0.5 * (low[k] + high[k])
        up = np.flatnonzero((c[:-1] < middle) & (c[1:] >= middle))
        # One that still shrinks or grows is on its way to rest, or to another cycle.
        halves = [np.ptp(half) for half in np.array_split(c, 2)]
        lasts = abs(halves[1] / max(halves[0], 1e-9) - 1.0) < 0.01
        if high[k] - low[k] > 5e-3 and len(up) > 1 and lasts:
            period[k] = np.mean(np.diff(up)) * 0.01
    return low, high, period


def li_rinzel() -> Figure:
    figure, axes = panels(2, 2, 8.6, 5.6, sharex="col", height_ratios=(2, 1))
    cases = (
        ("AM: K_P = 0.1 uM", ast.NadkarniJungAM(), 0.2, 0.8),
        ("FM: K_P = 0.051 uM", ast.NadkarniJungFM(), 0.2, 1.1),
    )
    for (top, bottom), (name, model, low, high) in zip(axes.T, cases, strict=True):
        branch = tp.analysis.follow_equilibria(lambda i, m=model: (m, i), low, high)
        calcium = np.asarray(branch.states.calcium)
        stable = np.asarray(branch.stable)
        top.plot(branch.parameter, np.where(stable, calcium, np.nan), color=BLUE, label="stable")
        unstable = np.where(stable, np.nan, calcium)
        top.plot(branch.parameter, unstable, color=BLUE, linestyle=":", label="unstable")
        levels = np.linspace(low, high, 61)
        bottom_c, top_c, period = cycles(model, levels)
        moves = ~np.isnan(period)
        for edge in (bottom_c, top_c):
            top.plot(levels[moves], edge[moves], ".", color=ORANGE, markersize=4)
        top.plot([], [], ".", color=ORANGE, label="oscillation, lowest and highest")
        for point in branch.hopf:
            top.plot(point.parameter, float(point.state.calcium), "s", color="k", markersize=4)
        top.plot([], [], "s", color="k", markersize=4, label="Hopf point")
        bottom.plot(levels[moves], period[moves], ".", color=ORANGE, markersize=4)
        top.set(title=name)
        bottom.set(xlabel="IP3 (uM)", ylim=(0, None))
    axes[0, 0].set_ylabel("calcium (uM)")
    axes[1, 0].set_ylabel("period (s)")
    legend(axes[0, 1], loc="upper left", bbox_to_anchor=(0.0, 0.86))
    return figure


def chi() -> Figure:
    figure, axes = panels(2, 4, 11.0, 4.4, sharey="row", width_ratios=(1, 1, 1, 1.6))
    wave = tp.stimuli.PulseTrain(5.0, 62_500.0, 125_000.0, count=2, start=62_500.0)
    cases = ((axes[0], ast.DePittaAM(), "AM", BLUE), (axes[1], ast.DePittaFM(), "FM", ORANGE))
    for row, model, name, color in cases:
        for ax, glutamate in zip(row, (0.1, 2.5, 8.0), strict=False):
            ts, ys = run(model, glutamate, 100.0)
            ax.plot(ts, ys["calcium"], color=color, linewidth=1.0)
            ax.set_title(f"{name}, glutamate {glutamate:g} uM")
        ts, ys = run(model, wave, 312.5)
        row[3].plot(ts, ys["calcium"], color=color, linewidth=1.0)
        for start in (62.5, 187.5):
            row[3].axvspan(start, start + 62.5, color="0.92", zorder=0)
        row[3].set_title(f"{name}, 5 uM in the grey bands")
        row[0].set_ylabel("calcium (uM)")
    for ax in axes[1]:
        ax.set_xlabel("time (s)")
    return figure


def gchi() -> Figure:
    figure, axes = panels(5, 1, 7.2, 8.0, sharex=True)
    pulses = ast.Transients(500.0, 2.0 * second * np.arange(1, 15), 40.0 * per_second)
    drive = ast.drive(glutamate=pulses)
    cell = ast.StimbergFigure2()
    ts = np.linspace(0.0, 30.0, 6001)
    given = jax.vmap(pulses)(jnp.asarray(ts * second))
    axes[0, 0].plot(ts, given, color=GREY, linewidth=0.8)
    noisy = ast.StochasticGate(cell, "stratonovich")
    for name, model, color, key in (
        ("with a noisy gate", noisy, ORANGE, jax.random.key(3)),
        ("deterministic", cell, BLUE, None),
    ):
        times, ys = run(model, drive, 30.0, dt=2.0, save_every=20.0, key=key)
        names = ("receptors", "ip3", "calcium", "h")
        for ax, port in zip(axes[1:, 0], names, strict=True):
            ax.plot(times, ys[port], color=color, linewidth=1.0, label=name)
    labels = ("$Y_S$ (uM)", r"$\Gamma_A$", "IP3 (uM)", "calcium (uM)", "$h$")
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(label)
    axes[-1, 0].set(xlabel="time (s)", xlim=(0, 30))
    legend(axes[3, 0], ncols=2, loc="upper right")
    figure.align_ylabels()
    return figure


def release() -> Figure:
    """Two astrocytes for 16.5 s, and the sixteen spikes that follow."""
    figure, axes = panels(2, 2, 9.6, 5.4)
    calcium, glio, bound, fractions = axes.ravel()
    dt, spikes = 1.0, 16.5 * second + np.array([*range(0, 201, 50), *range(300, 401, 10)])
    synapse = tp.synapses.TripartiteSynapse(tp.synapses.TsodyksMarkram(tp.synapses.Exponential()))
    for name, bias, color in (("none", None, GREY), ("weak", 0.8, GREEN), ("strong", 1.25, ORANGE)):
        modulation: Any = 0.0
        if bias is not None:
            model = ast.GliotransmitterRelease(ast.StimbergFigure3(bias))
            ts, ys = run(model, None, 17.0, dt=dt, save_every=dt)
            calcium.plot(ts, ys["calcium"], color=color, label=f"{name}: source of {bias} uM")
            glio.plot(ts, ys["gliotransmitter"], color=color)
            modulation = tp.stimuli.Sampled(ys["gliotransmitter"], dt)
        train = tp.synapses.spike_train(spikes, t1=17_000.0, dt=dt, modulation=modulation)
        ys = tp.simulate(synapse, train, t1=17_000.0, dt=dt).ys
        bound.plot(dt * np.arange(17_001) / second, ys["bound"], color=color)
        x, at = np.asarray(ys["x"]), np.rint(spikes / dt).astype(int)
        released = 1.0 - (1.0 - x[at - 1]) * np.exp(-0.002 * dt) - x[at]
        fractions.plot(spikes - 16_500.0, released, "o-", color=color, markersize=3.5, label=name)
    calcium.axhline(0.5, color="k", linewidth=0.7, linestyle=":")
    calcium.set(title="calcium, threshold dotted", ylabel="C (uM)", xlabel="time (s)")
    glio.set(title="gliotransmitter", ylabel="$G_A$ (uM)", xlabel="time (s)")
    bound.set(title="bound presynaptic receptors", ylabel=r"$\Gamma_S$", xlabel="time (s)")
    fractions.set(title="released at each spike", ylabel="$r_S$", xlabel="time after 16.5 s (ms)")
    legend(calcium)
    legend(fractions)
    return figure


def ring() -> Figure:
    figure, axes = panels(1, 2, 10.0, 4.0, width_ratios=(1.4, 1))
    network = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(50), 50)
    driven = np.where(np.arange(50) == 25, 1.0, 0.0)
    wave = tp.stimuli.PulseTrain(driven, 20.0 * second, 50.0 * second, count=8)
    ts, ys = run(network, ast.drive(bias=wave), 400.0, dt=50.0, save_every=500.0)
    calcium = np.asarray(ys["calcium"])
    extent = (0.0, float(ts[-1]), -0.5, 49.5)
    axes[0, 0].grid(False)
    image = axes[0, 0].imshow(
        calcium.T, aspect="auto", origin="lower", extent=extent, cmap="viridis", vmax=1.0
    )
    figure.colorbar(image, ax=axes[0, 0], label="calcium (uM)")
    axes[0, 0].set(title="all cells", xlabel="time (s)", ylabel="cell")
    for cell in range(25, 30):
        axes[0, 1].plot(ts, calcium[:, cell] + 1.2 * (cell - 25), linewidth=0.9, color=BLUE)
        axes[0, 1].text(402.0, 1.2 * (cell - 25), str(cell), fontsize=8, va="bottom")
    axes[0, 1].set(title="cells 25 to 29, one above the other", xlabel="time (s)", yticks=[])
    return figure


def handy() -> Figure:
    figure, axes = panels(2, 4, 10.6, 4.0, sharex=True, sharey="row", height_ratios=(1, 2))
    shapes = (
        ("single peak", 0.2, 10.0, 0.2, 97.0),
        ("multiple peaks", 0.26, 41.0, 0.12, 200.0),
        ("plateau", 0.375, 34.0, 0.002, 138.0),
        ("long lasting", 0.55, 39.0, 0.002, 179.0),
    )
    for (above, below), (name, top, rise, rate, decay) in zip(axes.T, shapes, strict=True):
        pulse = ast.IP3Pulse(top, rise * second, rate * per_second, decay * second, 5.0 * second)
        ts, ys = run(ast.Handy(), pulse, 150.0)
        given = np.where(ts < 5.0, 0.0, jax.vmap(pulse)(jnp.asarray(ts * second)))
        above.plot(ts, given, color=ORANGE, linewidth=1.0)
        below.plot(ts, ys["calcium"], color=BLUE, linewidth=1.0)
        above.set(title=name)
        below.set(xlabel="time (s)")
    axes[0, 0].set_ylabel("IP3 (uM)")
    axes[1, 0].set_ylabel("calcium (uM)")
    return figure


def ullah() -> Figure:
    figure, axes = panels(1, 2, 8.6, 3.2)
    for rate, color in ((0.1, BLUE), (0.3, ORANGE), (1.0, GREEN)):
        made = tp.stimuli.Step(rate * per_second, start=2.0 * second, stop=7.0 * second)
        ts, ys = run(ast.Ullah(), made, 30.0)
        for ax, port in zip(axes[0], ("ip3", "calcium"), strict=True):
            ax.plot(ts, ys[port], color=color, linewidth=1.0, label=f"{rate:g} uM/s")
    for ax, name in zip(axes[0], ("IP3", "calcium"), strict=True):
        ax.axvspan(2.0, 7.0, color="0.92", zorder=0)
        ax.set(xlabel="time (s)", ylabel=f"{name} (uM)")
    legend(axes[0, 0], title="made in the grey band", title_fontsize=8)
    return figure


def nest() -> Figure:
    figure, axes = panels(3, 1, 6.4, 5.6, sharex=True)
    spike = ast.drive(spikes=ast.SpikeArrivals([1000.0], 5.0))
    ts, ys = run(ast.NESTAstrocyte(jump_size=1.0), spike, 14.0)
    ports = (("ip3", "IP3 (uM)", ORANGE), ("calcium", "calcium (uM)", BLUE), ("sic", "SIC", GREEN))
    for ax, (port, label, color) in zip(axes[:, 0], ports, strict=True):
        ax.plot(ts, ys[port], color=color, linewidth=1.2)
        ax.set_ylabel(label)
    axes[1, 0].axhline(0.19669, color="k", linewidth=0.7, linestyle=":")
    axes[2, 0].set(xlabel="time (s)", xlim=(0, 14))
    figure.align_ylabels()
    return figure


def clearance() -> Figure:
    figure, axes = panels(1, 3, 10.6, 3.2)
    model = ast.PotassiumClearance()
    without = eqx.tree_at(lambda m: m.glia.rectifier.conductance, model, jnp.asarray(0.0))
    burst = tp.stimuli.Step(60.0, start=2.0 * second, stop=3.0 * second)
    for one, name, color in ((model, "with Kir", BLUE), (without, "without", ORANGE)):
        ts, ys = run(one, burst, 30.0, dt=2.0)
        axes[0, 0].plot(ts, ys["potassium"] / 1000.0, color=color, linewidth=1.0, label=name)
    legend(axes[0, 0])
    axes[0, 0].set(title="a second of firing", xlabel="time (s)", ylabel="K+ outside (mM)")
    kir, pump = ast.InwardRectifier(), ast.SodiumPotassiumPump()
    v = jnp.linspace(-110.0, -60.0, 201)
    for outside, color in ((2.5, GREEN), (3.5, BLUE), (10.0, ORANGE)):
        reversal = 26.6401 * np.log(outside / 95.5)
        current = jax.vmap(lambda v, e=reversal, k=outside: kir(v, e, jnp.asarray(1000.0 * k)))(v)
        axes[0, 1].plot(v, current, color=color, linewidth=1.2, label=f"{outside:g} mM")
    axes[0, 1].axhline(0.0, color="k", linewidth=0.6)
    axes[0, 1].set(title="Kir", xlabel="glial voltage (mV)", ylabel="current (uA/cm2)")
    legend(axes[0, 1], title="K+ outside", title_fontsize=8)
    k = jnp.linspace(0.0, 20.0, 101)
    potassium, sodium = jax.vmap(lambda k: pump(1000.0 * k, jnp.asarray(10_000.0)))(k)
    axes[0, 2].plot(k, sodium, color=ORANGE, linewidth=1.2, label="sodium, 3 out")
    axes[0, 2].plot(k, potassium, color=BLUE, linewidth=1.2, label="potassium, 2 in")
    axes[0, 2].axhline(0.0, color="k", linewidth=0.6)
    axes[0, 2].set(title="Na/K pump", xlabel="K+ outside (mM)", ylabel="current (uA/cm2)")
    legend(axes[0, 2])
    return figure


def receptor() -> Figure:
    """Time courses, the block, and what GABA-B receptors make of the number of spikes."""
    figure, axes = panels(1, 3, 10.6, 3.2)
    receptors(axes[0, 0])
    magnesium(axes[0, 1])
    counts, t1, dt = np.arange(1, 16), 600.0, 0.25
    for make, name, color in (
        (tp.synapses.gaba_b, "GABA-B", PINK),
        (tp.synapses.gaba_a, "GABA-A", GREEN),
    ):
        model = make(1.0, pulsed=True)
        trains = [tp.synapses.spike_train(5.0 + 5.0 * np.arange(n), t1=t1, dt=dt) for n in counts]
        together = jax.tree.map(lambda *x: jnp.stack(x), *trains)

        @jax.jit
        @jax.vmap
        def highest(train: Any, model: Any = model) -> Any:
            return jnp.max(
                tp.simulate(model, train, t1=t1, dt=dt, record=conductance_of(model, 0.0)).ys
            )

        axes[0, 2].plot(counts, highest(together), "o-", color=color, markersize=4, label=name)
    axes[0, 2].set(
        title="spikes at 200 Hz", xlabel="number of spikes", ylabel="largest open fraction"
    )
    legend(axes[0, 2])
    return figure


def tsodyks_markram() -> Figure:
    figure, axes = panels(1, 3, 10.6, 3.2)
    short_term(axes[0, 0])
    rates = np.geomspace(0.05, 100.0, 200)
    for base, color in ((0.6, BLUE), (0.375, GREY), (0.05, ORANGE)):
        model = tp.synapses.TsodyksMarkram(tp.synapses.Exponential(), utilisation=base)
        released = np.asarray(model.mean_release(jnp.asarray(rates) * per_second))
        axes[0, 1].semilogx(rates, released, color=color, label=f"U = {base:g}")
        axes[0, 2].loglog(rates, released * rates, color=color)
    axes[0, 1].set(title="mean released fraction", xlabel="rate (Hz)", ylabel="$u^+ x$")
    axes[0, 2].set(title="release in a second", xlabel="rate (Hz)", ylabel="$u^+ x f$ (Hz)")
    legend(axes[0, 1])
    return figure


def stdp() -> Figure:
    figure, axes = panels(1, 2, 8.6, 3.6)
    pair_window(axes[0, 0])
    frequencies(axes[0, 1])
    axes[0, 1].set_title("Triplet rule, and data of visual cortex")
    return figure


def gap_junction() -> Figure:
    """A passive pair under a step into one of them, and two interneurons that fall into step."""
    figure, axes = panels(1, 2, 9.6, 3.4)
    nets = tp.networks
    pair = nets.gap_junctions(nets.all_to_all(2, 2, loops=False))

    def joined(cell: Any, conductance: float) -> Any:
        coupling = nets.Coupling("cells", tp.synapses.GapJunction(conductance), pair)
        return nets.Network({"cells": nets.population(cell, 2)}, couplings=[coupling])

    passive = tp.cells.ConductanceCell((tp.channels.Leak(0.1, -65.0),))
    step = tp.stimuli.Step(jnp.asarray([2.0, 0.0]), start=20.0, stop=120.0)
    record = {"cells.v": None}
    for conductance, style in ((0.02, ":"), (0.1, "-")):
        network = joined(passive, conductance)
        found = tp.simulate(network, {"cells": step}, t1=200.0, dt=0.1, record=record)
        for j, color in enumerate((BLUE, ORANGE)):
            label = f"{('driven', 'other')[j]}, {conductance:g} mS/cm2"
            v = found.ys["cells.v"][:, j]
            axes[0, 0].plot(found.ts, v, style, color=color, linewidth=1.2, label=label)
    axes[0, 0].set(title="two leaks", xlabel="time (ms)", ylabel="v (mV)", ylim=(-66, -43))
    legend(axes[0, 0], ncols=2, loc="upper center")
    network = joined(tp.cells.WangBuzsaki, 0.03)
    late = tp.stimuli.Step(jnp.asarray([1.0, 1.0]), start=jnp.asarray([0.0, 8.0]))
    found = tp.simulate(network, {"cells": late}, t1=160.0, dt=0.02, record=record)
    for j, color in enumerate((BLUE, ORANGE)):
        v = found.ys["cells.v"][:, j]
        axes[0, 1].plot(found.ts, v, color=color, linewidth=1.0, label=f"from {8 * j} ms on")
    axes[0, 1].set(title="two interneurons, 0.03 mS/cm2", xlabel="time (ms)", ylabel="v (mV)")
    legend(axes[0, 1], loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.02))
    axes[0, 1].set_ylim(None, 75.0)
    return figure


DRAWN = (
    *(li_rinzel, chi, gchi, release, ring, handy, ullah, nest, clearance),
    *(receptor, tsodyks_markram, stdp, gap_junction),
)

if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    FIGURES.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [draw.__name__ for draw in DRAWN]
    for draw in DRAWN:
        if draw.__name__ in wanted:
            draw().savefig(FIGURES / f"gallery_{draw.__name__}.png", dpi=100)
