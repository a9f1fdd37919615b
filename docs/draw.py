"""Draws every figure of these pages: `python docs/draw.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from draw_attention import attention_layer_circuit, what_softmax_costs
from draw_gallery import channels, gallery
from matplotlib.figure import Figure

import tripartite as tp

FIGURES = Path(__file__).parent / "figures"
DURATION = 80.0
# Okabe and Ito's palette: distinct to colour-blind readers, too.
INPUT, VOLTAGE, INHIBITION = "#D55E00", "#0072B2", "#009E73"


def examples() -> dict[str, tp.stimuli.AbstractStimulus]:
    """One of each kind, as on the page (uA/cm2 and ms)."""
    st, (first, second) = tp.stimuli, jax.random.split(jax.random.key(3))
    wave = 8.0 + 8.0 * np.sin(2.0 * np.pi * np.arange(161) / 40.0)
    noise = st.ornstein_uhlenbeck(mean=6.0, std=4.0, tau=5.0, t1=DURATION, key=first)
    return {
        "Step(10, start=10, stop=60)": st.Step(10.0, start=10.0, stop=60.0),
        "PulseTrain(20, width=1, period=15, count=4, start=10)": st.PulseTrain(
            20.0, 1.0, 15.0, count=4, start=10.0
        ),
        "Ramp(0.3, start=10, stop=70)": st.Ramp(0.3, start=10.0, stop=70.0),
        "Sampled(wave, spacing=0.5)": st.Sampled(wave, 0.5),
        "ornstein_uhlenbeck(mean=6, std=4, tau=5)": noise,
        "point_conductances(), a passive membrane": st.point_conductances(t1=DURATION, key=second),
    }


def stimuli() -> Figure:
    """Each stimulus over the voltage of a Hodgkin-Huxley cell (or a passive one) under it."""
    figure = Figure(figsize=(10.0, 8.4), layout="constrained")
    boxes = figure.subfigures(3, 2, hspace=0.04, wspace=0.03)
    for box, (title, stimulus) in zip(np.ravel(boxes), examples().items(), strict=True):
        top, bottom = box.subplots(2, sharex=True, height_ratios=(1, 1.4))
        # The squid axon is too leaky to be moved by a cortical cell's synapses.
        is_pair = isinstance(stimulus(jnp.zeros(())), tp.core.Membrane)
        cell = passive_membrane() if is_pair else tp.cells.HodgkinHuxley()
        solution = tp.simulate(cell, stimulus, t1=DURATION, dt=0.02)
        draw_input(top, np.asarray(solution.ts), jax.vmap(stimulus)(solution.ts))
        bottom.plot(solution.ts, solution.ys["v"], color=VOLTAGE, linewidth=1.2)
        bottom.set(ylabel="v (mV)", xlabel="time (ms)", xlim=(0, DURATION))
        bottom.set_ylim((-80, -50) if is_pair else (-85, 55))
        top.set_title(title, fontsize=9, family="monospace")
        for ax in (top, bottom):
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(alpha=0.25, linewidth=0.5)
        box.align_ylabels()
    return figure


def passive_membrane() -> tp.cells.ConductanceCell:
    """The leak of the cell of Destexhe et al. (2001), from the mean voltage of its bombardment."""
    return tp.cells.ConductanceCell((tp.channels.Leak(0.045, -80.0),), v_init=-65.0)


def draw_input(ax: Any, ts: np.ndarray, u: Any) -> None:
    """A current as it is; a Norton pair as its conductance and its mean reversal."""
    if not isinstance(u, tp.core.Membrane):
        ax.plot(ts, u, color=INPUT, linewidth=1.2)
        ax.set_ylabel("I\n(uA/cm2)")
        return
    # With reversals of 0 and -75 mV, the pair's current is the inhibitory conductance times -75.
    inhibitory = u.current / -75.0
    ax.plot(ts, inhibitory, color=INHIBITION, linewidth=1.0, label="inhibitory")
    ax.plot(ts, u.conductance - inhibitory, color=INPUT, linewidth=1.0, label="excitatory")
    ax.set_ylabel("g\n(mS/cm2)")
    ax.set_ylim(0.0, 1.5 * float(jnp.max(inhibitory)))
    ax.legend(frameon=False, ncols=2, fontsize=8, loc="upper right")


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    tp.plots.draw_all(list(tp.proofs.__all__), FIGURES)
    stimuli().savefig(FIGURES / "stimuli.png", dpi=110)
    gallery().savefig(FIGURES / "gallery.png", dpi=110)
    channels().savefig(FIGURES / "channels.png", dpi=110)
    channel_noise().savefig(FIGURES / "channel_noise.png", dpi=110)
    attention_layer_circuit().savefig(FIGURES / "attention_layer_circuit.png", dpi=130)
    what_softmax_costs().savefig(FIGURES / "what_softmax_costs.png", dpi=130)
