"""The attention layer in time and what softmax costs a brain; `docs/draw.py` draws them, too."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tripartite as tp

CALCIUM, SYNAPSES, NEURONS, OTHER = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
TOKENS, WIDTH, HEADS = 24, 16, 4
at = tp.attention


def draw_text(seed: int = 1, tokens: int = TOKENS) -> jax.Array:
    """Tokens as a trained model's: of a few kinds, not all alike."""
    return 1.5 * jax.random.normal(jax.random.key(seed), (tokens, WIDTH))


def softmax_layer(**options: Any) -> at.AstrocyteAttention:
    """One process per token, so that everything below is an error against softmax attention."""
    features = at.OneProcessPerToken()
    return at.AstrocyteAttention(HEADS, WIDTH, features=features, key=jax.random.key(0), **options)


def attention_layer_circuit() -> Figure:
    """One query of one head: calcium levels out, synapses relax, neurons come to the output."""
    x = draw_text(tokens=8)
    flaws = at.Imperfections(tau_diffusion=1.0, heterogeneity=0.3)
    layer = softmax_layer(imperfections=flaws)
    circuit = layer.circuit(x, x, x)
    run = tp.simulate(circuit, t1=8.0, dt=0.01)
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    panels = (
        ("calcium", CALCIUM, "calcium p of each process"),
        ("synapses", SYNAPSES, "tripartite synapses s"),
        ("neurons", NEURONS, "output neurons x"),
    )
    for ax, (name, color, title) in zip(figure.subplots(1, 3), panels, strict=True):
        states = np.asarray(run.ys[name][:, 0, 2]).reshape(run.ts.size, -1)
        ax.plot(run.ts, states, color=color, linewidth=0.8, alpha=0.6)
        if name == "neurons":
            for rest in np.asarray(circuit.rest().x[0, 2]):
                ax.axhline(rest, color="#000000", linewidth=0.7, linestyle=":")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="time (ms)", xlim=(0.0, 8.0))
        tidy(ax)
    return figure


@eqx.filter_jit
def error(layer: at.AstrocyteAttention, texts: jax.Array) -> jax.Array:
    """|output - softmax attention| / |softmax attention|, root mean square over texts."""
    exact = softmax_layer()
    found, expected = (jax.vmap(lambda x, f=f: f(x, x, x))(texts) for f in (layer, exact))
    return jnp.sqrt(jnp.mean((found - expected) ** 2) / jnp.mean(expected**2))


Price = tuple[str, str, np.ndarray, dict[str, list[jax.Array]]]


def prices() -> list[Price]:
    """Of each price: what it is, its axis, its values, and the error at each, by curve."""
    texts = jnp.stack([draw_text(seed) for seed in range(4)])

    def at_rest(name: str, values: np.ndarray) -> list[jax.Array]:
        flaws = [at.Imperfections(**{name: float(value)}) for value in values]
        return [error(softmax_layer(imperfections=flaw), texts) for flaw in flaws]

    spreads, halves = np.geomspace(0.02, 2.0, 7), np.geomspace(1e-4, 1.0, 9)
    taus = np.geomspace(3.0, 100.0, 9)
    uneven = {"at rest": at_rest("heterogeneity", spreads)}
    saturating = {"at rest": at_rest("saturation", halves)}
    slow = {"40 ms for each token": at_rest("tau_write", taus)}
    return [
        early(texts),
        ("uneven calcium entry", "coefficient of variation", spreads, uneven),
        diffusing(texts[:1]),
        ("saturating gliotransmission", "saturation (1 / calcium)", halves, saturating),
        ("slow writing", "neurons' time constant (ms)", taus, slow),
    ]


def early(texts: jax.Array) -> Price:
    """Reading before the circuit is at rest."""
    times = np.geomspace(0.1, 12.0, 9)
    curves = {
        f"synapses of {tau:g} ms": [
            error(softmax_layer(mode="ode", time=float(t), tau_s=tau), texts) for t in times
        ]
        for tau in (0.5, 5.0, 20.0)
    }
    return "reading early", "read after (ms)", times, curves


def diffusing(texts: jax.Array) -> Price:
    """Reading before calcium is level."""
    taus = np.geomspace(0.02, 50.0, 8)

    def layer(time: float, tau: float) -> at.AstrocyteAttention:
        flaws = at.Imperfections(tau_diffusion=float(tau))
        return softmax_layer(mode="ode", time=time, steps=128, imperfections=flaws)

    curves = {
        f"read after {time:g} ms": [error(layer(time, tau), texts) for tau in taus]
        for time in (5.0, 20.0)
    }
    return "finite diffusion", "diffusion time (ms)", taus, curves


def what_softmax_costs() -> Figure:
    """The error of the attention against each price, one at a time."""
    figure = Figure(figsize=(11.0, 6.2), layout="constrained")
    axes = np.ravel(figure.subplots(2, 3, sharey=True))
    for ax, (title, axis, values, curves) in zip(axes, prices(), strict=False):
        colors = (CALCIUM, SYNAPSES, NEURONS)
        for (label, errors), color in zip(curves.items(), colors, strict=False):
            ax.loglog(values, np.asarray(errors), "o-", color=color, markersize=3, label=label)
        ax.set_title(title, fontsize=10)
        ax.set(xlabel=axis, ylim=(1e-6, 3.0))
        ax.legend(frameon=False, fontsize=8)
        tidy(ax)
    for ax in axes[::3]:
        ax.set_ylabel("relative error of the output")
    axes[-1].set_axis_off()
    return figure


def tidy(ax: Any) -> None:
    """No box, and a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)
