"""The figures of the page on synapses: `python docs/draw_synapses.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

FIGURES = Path(__file__).parent / "figures"
# Okabe and Ito's palette: distinct to colour-blind readers, too.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
s = tp.synapses


def receptors(ax: Any) -> None:
    """Conductance after one spike, for one maximal conductance (GABA-B after ten)."""
    shown = (
        ("AMPA", s.ampa(1.0, pulsed=True), [5.0], BLUE),
        ("GABA-A", s.gaba_a(1.0, pulsed=True), [5.0], GREEN),
        ("NMDA at 0 mV", s.nmda(1.0, pulsed=True), [5.0], ORANGE),
        ("GABA-B, ten spikes", s.gaba_b(1.0, pulsed=True), list(np.arange(5.0, 55.0, 5.0)), PURPLE),
    )
    for name, model, times, colour in shown:
        train = s.spike_train(times, t1=300.0, dt=0.25)
        g = tp.simulate(model, train, t1=300.0, dt=0.25, record=conductance_of(model, 0.0))
        ax.plot(g.ts, g.ys, color=colour, label=name, linewidth=1.3)
    ax.set(title="Kinetic receptors", xlabel="time (ms)", ylabel="open fraction", xlim=(0, 300))
    ax.set_ylim(0, 1.0)
    ax.legend(frameon=False, fontsize=8)


def conductance_of(model: Any, v: float) -> Any:
    return lambda y: model.conductance(y, jnp.asarray(v))[0]


def magnesium(ax: Any) -> None:
    """The unblocked fraction against the voltage."""
    v = jnp.linspace(-100.0, 60.0, 200)
    for millimolar, colour in ((0.1, GREEN), (1.0, BLUE), (2.0, ORANGE)):
        block = s.MagnesiumBlock(millimolar * tp.core.units.millimolar)
        ax.plot(v, block(v), color=colour, label=f"{millimolar:g} mM", linewidth=1.3)
    ax.set(title="NMDA: block by magnesium", xlabel="v_post (mV)", ylabel="unblocked fraction")
    ax.set(xlim=(-100, 60), ylim=(0, 1))
    ax.legend(frameon=False, fontsize=8)


def short_term(ax: Any) -> None:
    """A depressing and a facilitating terminal under the same train."""
    times = [50.0 * k for k in range(1, 11)]
    for name, base, colour in (("U = 0.6", 0.6, BLUE), ("U = 0.05", 0.05, ORANGE)):
        # Of one peak, so that the shapes can be compared.
        model = s.TsodyksMarkram(s.Exponential(1.0, decay=10.0), utilisation=base)
        train = s.spike_train(times, t1=600.0, dt=0.5)
        solution = tp.simulate(model, train, t1=600.0, dt=0.5)
        g = np.asarray(solution.ys["receptor"].g)
        ax.plot(solution.ts, g / g.max(), color=colour, label=name, linewidth=1.2)
    ax.set(title="Depression and facilitation", xlabel="time (ms)", xlim=(0, 600), ylim=(0, 1.25))
    ax.set_ylabel("g / largest g")
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")


def gliotransmission(ax: Any) -> None:
    """Release at ten spikes, with and without gliotransmitter, for both signs of its effect."""
    times = np.arange(1, 11) * 100.0 + 2000.0
    pulse = tp.stimuli.Step(8.0, start=1500.0, stop=1600.0)
    cases = (
        ("none", 0.0, 0.0, BLUE, "o"),
        ("alpha = 0", 0.0, pulse, ORANGE, "v"),
        ("alpha = 1", 1.0, pulse, GREEN, "^"),
    )
    for name, effect, glio, colour, marker in cases:
        terminal = s.TsodyksMarkram(s.Exponential(), utilisation=0.4)
        model = s.TripartiteSynapse(terminal, effect=effect)
        train = s.spike_train(times, t1=3100.0, dt=1.0, modulation=glio)
        x = np.asarray(tp.simulate(model, train, t1=3100.0, dt=1.0).ys["x"])
        at = np.rint(times).astype(int)
        released = 1.0 - (1.0 - x[at - 1]) * np.exp(-0.002) - x[at]
        ax.plot(times - 2000.0, released, color=colour, marker=marker, markersize=4,
                label=name, linewidth=1.0)  # fmt: skip
    ax.set(title="Gliotransmission (U = 0.4)", xlabel="spike at (ms)", ylabel="released fraction")
    ax.set_ylim(0, 1.0)
    ax.legend(frameon=False, fontsize=8)


def pair_window(ax: Any) -> None:
    """The change of the weight by one pair of spikes."""
    lags = np.arange(-100.0, 101.0, 2.0)
    lags = lags[lags != 0]
    model = s.PlasticSynapse(s.Exponential(), s.PairSTDP())
    trains = [s.spike_train([150.0], t1=300.0, dt=1.0, post_times=[150.0 + x]) for x in lags]
    change = weights_after(model, trains, 300.0, 1.0) - 1.0
    ax.axhline(0.0, color="0.7", linewidth=0.8)
    for side in (lags < 0, lags > 0):
        ax.plot(lags[side], 1e3 * change[side], color=BLUE, linewidth=1.4)
    ax.set(title="Pair rule", xlabel="post after pre by (ms)", ylabel="change of weight (0.001)")
    ax.set_xlim(-100, 100)


def weights_after(model: Any, trains: list[Any], t1: float, dt: float) -> np.ndarray:
    """The final weight under each train: one compiled solve for all."""
    batch = jax.tree.map(lambda *x: jnp.stack(x), *trains)

    def solve(train: Any) -> Any:
        record = {"w": lambda y: y.weight}
        return tp.simulate(model, train, t1=t1, dt=dt, record=record, save_every=t1).ys["w"][-1]

    return np.asarray(jax.jit(jax.vmap(solve))(batch))


def frequencies(ax: Any) -> None:
    """Sixty pairings at several frequencies, beside the data of Sjostrom et al. (2001)."""
    rates = np.array([0.1, 10.0, 20.0, 40.0, 50.0])
    fine = np.array([0.1, 5.0, 10.0, 20.0, 25.0, 40.0, 50.0])
    data = {
        10.0: ((-0.04, 0.14, 0.29, 0.53, 0.56), (0.05, 0.10, 0.14, 0.11, 0.26)),
        -10.0: ((-0.29, -0.41, -0.34, 0.56, 0.75), (0.08, 0.11, 0.10, 0.32, 0.19)),
    }
    model = s.PlasticSynapse(s.Exponential(), s.visual_cortex())
    for (lag, (mean, error)), colour in zip(data.items(), (BLUE, ORANGE), strict=True):
        t1, trains = 600.0e3, []
        for rate in fine:
            pre = 20.0 + 1000.0 / rate * np.arange(60)
            trains.append(s.spike_train(pre, t1=t1, dt=5.0, post_times=pre + lag))
        change = weights_after(model, trains, t1, 5.0) - 1.0
        ax.plot(fine, change, color=colour, linewidth=1.3, label=f"{lag:+g} ms")
        ax.errorbar(rates, mean, error, color=colour, fmt="o", markersize=4, capsize=2)
    ax.axhline(0.0, color="0.7", linewidth=0.8)
    ax.set(title="Triplet rule, 60 pairings", xlabel="frequency (Hz)", ylabel="change of weight")
    ax.legend(frameon=False, fontsize=8)


def synapses() -> Figure:
    """Six panels: receptors, block, short-term plasticity, gliotransmission, two STDP rules."""
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    panels = (receptors, magnesium, short_term, gliotransmission, pair_window, frequencies)
    for ax, draw in zip(figure.subplots(2, 3).ravel(), panels, strict=True):
        draw(ax)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
    return figure


def at_work() -> Figure:
    """The solve of the page on the tripartite synapse: two bursts, and a release between them."""
    nets, dt, t1 = tp.networks, 1.0, 8000.0
    burst = 100.0 * np.arange(10)
    times = np.concatenate([500.0 + burst, 6500.0 + burst])
    synapse = s.TripartiteSynapse(s.TsodyksMarkram(s.Exponential(0.1), dilution=0.001))
    astrocyte = tp.astrocytes.GliotransmitterRelease(tp.astrocytes.StimbergFigure2())
    around = nets.Ensheathed("astro", np.array([0]))
    network = nets.Network(
        {
            "pre": nets.population(tp.cells.SpikeSource, 1, times=times[None]),
            "post": nets.population(tp.cells.LIF, 1),
            "astro": nets.population(astrocyte, 1),
        },
        [nets.Projection("pre", "post", synapse, nets.one_to_one(1), astrocytes=around)],
    )
    shown = (
        ("pre->post.x", "$x$", BLUE),
        ("pre->post.transmitter", "$Y_S$ (uM)", BLUE),
        ("astro.ip3", "$I$ (uM)", ORANGE),
        ("astro.calcium", "$C$ (uM)", ORANGE),
        ("astro.gliotransmitter", "$G_A$ (uM)", ORANGE),
        ("pre->post.bound", r"$\Gamma_S$", PURPLE),
    )
    record = {name: 0 for name, _, _ in shown}
    ys = tp.simulate(network, t1=t1, dt=dt, record=record).ys
    figure = Figure(figsize=(8.0, 8.6), layout="constrained")
    axes = figure.subplots(8, 1, height_ratios=(0.3, 1, 1, 1, 1, 1, 1, 1.7))
    axes[0].vlines(times / 1000.0, 0.0, 1.0, color="k", linewidth=1.0)
    axes[0].set(yticks=[], ylabel="spikes", title="two bursts of ten spikes")
    ts = dt * np.arange(round(t1 / dt) + 1) / 1000.0
    for ax, (name, label, colour) in zip(axes[1:7], shown, strict=True):
        ax.plot(ts, ys[name], color=colour, linewidth=1.2)
        ax.set_ylabel(label)
    axes[4].axhline(0.5, color="k", linewidth=0.7, linestyle=":")
    for ax in axes[:7]:
        ax.set_xlim(0.0, 8.0)
        ax.tick_params(labelbottom=ax is axes[6])
    axes[6].set_xlabel("time (s)")
    x, at = np.asarray(ys["pre->post.x"]), np.rint(times / dt).astype(int)
    released = 1.0 - (1.0 - x[at - 1]) * np.exp(-0.002 * dt) - x[at]
    for k, (name, colour) in enumerate((("first burst", BLUE), ("second burst", PURPLE))):
        axes[7].plot(np.arange(1, 11), released[10 * k : 10 * k + 10], "o-", color=colour,
                     markersize=4, label=name)  # fmt: skip
    axes[7].set(xlabel="spike of the burst", ylabel="$r_S$", xticks=range(1, 11), ylim=(0, 0.65))
    axes[7].legend(frameon=False, fontsize=9)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    return figure


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    synapses().savefig(FIGURES / "synapses.png", dpi=110)
    at_work().savefig(FIGURES / "tripartite_at_work.png", dpi=100)
