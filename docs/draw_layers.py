"""The figure of the page on spiking layers: `python docs/draw_layers.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from tripartite import layers, networks

HERE = Path(__file__).parent
# Okabe and Ito's palette: distinct to colour-blind readers, too.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GATE = layers.GateCrossing(threshold=-20.0, width=5.0)
DT, STEPS = 0.05, 400


def voltages(currents: Any) -> tuple[np.ndarray, np.ndarray]:
    """The voltage and what the gate has counted, at each step of 20 ms."""
    layer = layers.HHLayer(dt=DT, steps=1, crossing=GATE)

    def tick(state: Any, _: None) -> Any:
        spikes, state = layer.step(currents, state)
        return state, (state.cell.v, spikes)

    start = layer.initial_state(currents.shape)
    v, spikes = jax.jit(lambda: jax.lax.scan(tick, start, None, length=STEPS)[1])()
    return np.asarray(v), np.cumsum(np.asarray(spikes), axis=0)


def counts(currents: Any, crossing: Any) -> np.ndarray:
    """What a crossing counts in 20 ms at each current."""
    layer = layers.HHLayer(dt=DT, steps=STEPS, crossing=crossing)
    return np.asarray(jax.jit(lambda x: layer(x[None])[0][0])(currents))


def left(top: Any, bottom: Any) -> None:
    currents = (2.0, 5.0, 15.0)
    v, counted = voltages(jnp.asarray(currents))
    t = DT * np.arange(1, STEPS + 1)
    for i, (current, colour) in enumerate(zip(currents, (GREEN, BLUE, ORANGE), strict=True)):
        top.plot(t, v[:, i], color=colour, linewidth=1.2, label=f"{current:g} uA/cm2")
        bottom.plot(t, counted[:, i], color=colour, linewidth=1.2)
    top.axhline(-20.0, color="0.6", linestyle=":", linewidth=1.0)
    top.set(title="Squid axons in a layer", ylabel="v (mV)")
    top.legend(frameon=False, fontsize=8, loc="upper right")
    bottom.set(ylabel="counted", xlabel="time (ms)")


def middle(ax: Any) -> None:
    currents = jnp.linspace(0.0, 25.0, 301)
    whole = counts(currents, networks.Crossing())
    ax.plot(currents, whole, color="0.7", linewidth=3.0, label="crossings of 0 mV")
    for gate, colour in (
        (GATE, BLUE),
        (layers.GateCrossing(threshold=-40.0, width=10.0), ORANGE),
    ):
        label = f"gate at {float(gate.threshold):g} mV, width {float(gate.width):g}"
        ax.plot(currents, counts(currents, gate), color=colour, linewidth=1.2, label=label)
    ax.set(title="Spikes in 20 ms", xlabel="current (uA/cm2)", ylabel="count")
    ax.legend(frameon=False, fontsize=8, loc="lower right")


def right(axes: Any) -> None:
    """Four units under constant currents, 15 ticks (leaky integrators) or 20 ms (axons)."""
    weak = jnp.asarray([0.2, 0.28, 0.4, 0.8])
    four = layers.SLIF2HHLayer(key=jax.random.key(3))
    trains = {
        "LIF": (layers.LIFLayer().hold(weak, 15)[0], BLUE),
        "s-LIF2HH": (four.hold(jnp.stack([weak, 1.2 * weak, 0.8 * weak]), 15)[0], GREEN),
        "HH": (layers.HHLayer(gain=20.0, crossing=networks.Crossing()).hold(weak, 20)[0], ORANGE),
    }
    for ax, (name, (spikes, colour)) in zip(axes, trains.items(), strict=True):
        found = np.asarray(spikes)
        rows = np.moveaxis(found, 1, -1).reshape(len(found), -1) if found.ndim == 3 else found
        for row, train in enumerate(rows.T):
            ax.eventplot(np.flatnonzero(train), lineoffsets=row, linelengths=0.7, colors=colour)
        ax.set(
            ylabel=name,
            yticks=[],
            ylim=(-0.8, rows.shape[1] - 0.2),
            xlim=(-0.5, 19.5),
            xticks=range(0, 20, 5),
        )
    axes[0].set_title("Four units: 15 ticks, or 20 ms")
    axes[-1].set_xlabel("tick")


def main() -> None:
    figure = Figure(figsize=(12, 4), layout="constrained")
    grid = figure.add_gridspec(6, 3)
    left(figure.add_subplot(grid[:4, 0]), figure.add_subplot(grid[4:, 0]))
    middle(figure.add_subplot(grid[:, 1]))
    right([figure.add_subplot(grid[2 * i : 2 * i + 2, 2]) for i in range(3)])
    figure.savefig(HERE / "figures" / "spiking_layers.png", dpi=110)


if __name__ == "__main__":
    main()
