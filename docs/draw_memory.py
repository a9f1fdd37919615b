"""The figures of the page on memories: `python docs/draw_memory.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp
from tripartite import memory as mem

FIGURES = Path(__file__).parent / "figures"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.75"


def energy_descent(energy: Any, weights: Any) -> None:
    """Model B, a noisy cue, hidden neurons faster and slower than the features."""
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((12, 16))
    cue = jnp.asarray(patterns[0] + 0.7 * rng.standard_normal(16))
    for tau_h, color in ((0.01, BLUE), (0.1, GREEN), (1.0, ORANGE), (10.0, PINK)):
        memory = mem.TwoLayerMemory.model_b(patterns, tau_h=tau_h)
        y0 = memory.start(cue)._replace(h=jnp.zeros(12))
        solution = tp.simulate(memory, t1=12.0, y0=y0, save_every=0.005, record="state")
        energies = jax.vmap(memory.energy)(solution.ys)
        energy.plot(solution.ts[1:], energies[1:], color=color, label=f"{tau_h:g}")
    energy.set(title="model B: energy falls for any tau_h", xlabel="time (ms)", ylabel="energy")
    energy.set_xscale("log")
    energy.legend(frameon=False, fontsize=8, title="tau_h / tau_f", title_fontsize=8)
    memory = mem.TwoLayerMemory.model_b(patterns, tau_h=1.0)
    y0 = memory.start(cue)._replace(h=jnp.zeros(12))
    solution = tp.simulate(memory, t1=12.0, y0=y0, record="state")
    shares = np.asarray(jax.vmap(jax.grad(memory.hidden))(solution.ys.h))
    weights.plot(solution.ts, shares[:, 1:], color=GREY, linewidth=0.8)
    weights.plot(solution.ts, shares[:, 0], color=BLUE, label="the cued memory")
    weights.set(title="its hidden neurons: softmax", xlabel="time (ms)", ylabel="activation")
    weights.legend(frameon=False, fontsize=8)


def recall(axes: Any) -> None:
    """A letter with an eighth of its bits flipped, read with and without transport."""
    rng = np.random.default_rng(3)
    rows = (
        "########",
        "#......#",
        "#.####.#",
        "#.#..#.#",
        "#.#..#.#",
        "#.####.#",
        "#......#",
        "########",
    )
    square = np.array([[1.0 if c == "#" else -1.0 for c in row] for row in rows])
    patterns = np.stack([square.ravel(), *rng.choice([-1.0, 1.0], (3, 64))])
    cue = jnp.asarray(patterns[0] * np.where(rng.permutation(64) < 10, -1.0, 1.0))
    on = mem.NeuronAstrocyteMemory.strong_transport(patterns)
    off = eqx.tree_at(lambda m: m.transport, on, jnp.zeros(()))
    overlap, falling, cued, *found = axes
    for memory, name, color, ax in (
        (on, "with T", BLUE, found[0]),
        (off, "T = 0", ORANGE, found[1]),
    ):
        solution = tp.simulate(memory, t1=12.0, y0=memory.start(cue), record="state")
        phi = jax.vmap(memory.activations)(solution.ys).x
        overlap.plot(solution.ts, phi @ patterns[0] / 64, color=color, label=name)
        falling.plot(solution.ts, jax.vmap(memory.energy)(solution.ys), color=color, label=name)
        ax.imshow(np.sign(solution.ys.x[-1]).reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
        ax.set_title(f"recalled, {name}")
    cued.imshow(np.sign(cue).reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
    cued.set_title("the cue, 10 of 64 bits wrong")
    overlap.set(title="neurons and astrocyte: overlap", xlabel="time (ms)", ylabel="overlap")
    falling.set(title="their energy", xlabel="time (ms)", ylabel="energy")
    overlap.legend(frameon=False, fontsize=8)
    for ax in (cued, *found):
        ax.set(xticks=[], yticks=[])


def main() -> None:
    """The two-layer memory in the first row, the neuron-astrocyte memory below."""
    figure = Figure(figsize=(10.5, 8.0), layout="constrained")
    grid = figure.add_gridspec(3, 6)
    top = [figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3:])]
    middle = [figure.add_subplot(grid[1, :3]), figure.add_subplot(grid[1, 3:])]
    bottom = [figure.add_subplot(grid[2, 2 * i : 2 * i + 2]) for i in range(3)]
    energy_descent(*top)
    recall([*middle, *bottom])
    for ax in (*top, *middle):
        ax.spines[["top", "right"]].set_visible(False)
    for ax in (*top, *middle, *bottom):
        ax.title.set_fontsize(10)
    figure.savefig(FIGURES / "memory.png", dpi=100)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    FIGURES.mkdir(exist_ok=True)
    main()
