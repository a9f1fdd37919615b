"""Rung 5: networks of level-spike units, and real pictures as currents."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import analysis, cells, simulate
from tripartite.core import AbstractDynamics, signal
from tripartite.proofs.certificate import Claim
from tripartite.proofs.digits import load_digits

LEVEL = -40.0
PICTURES = 6


class LevelSpikeNetwork(AbstractDynamics):
    """Layers of cells; each sends its weight wherever its voltage is above -40 mV.

    The network of the released code (time_varied_simulation): a spike is a level, not an event,
    and the next layer's current is `weights @ (v > -40)`. Nothing is reset.

    **Arguments:** `unit`, the cell every neuron is; `weights`, one matrix per layer after the
    first, uA/cm2 per presynaptic spike.
    """

    unit: cells.AbstractCell
    weights: Any = signal()

    def sizes(self) -> list[int]:
        """The number of neurons of each layer."""
        return [self.weights[0].shape[1], *[w.shape[0] for w in self.weights]]

    def init(self) -> tuple[Any, ...]:
        """Every neuron at its unit's start."""
        y = self.unit.init()
        return tuple(
            jax.tree.map(lambda x, n=size: jnp.broadcast_to(x, (n, *x.shape)), y)
            for size in self.sizes()
        )

    def ports(self, y: tuple[Any, ...]) -> dict[str, Array]:
        """`spike`: the level of every neuron of every layer, in order."""
        return {"spike": jnp.concatenate([self._levels(layer) for layer in y])}

    def vector_field(self, t: Array, y: tuple[Any, ...], u: Array) -> tuple[Any, ...]:
        """Each layer's cells, driven by the input (first layer) or by the levels before it."""
        currents = [u]
        for weight, layer in zip(self.weights, y[:-1], strict=True):
            levels = self._levels(layer).astype(weight.dtype)
            currents.append(weight @ levels)
        field = jax.vmap(lambda state, i: self.unit.vector_field(t, state, i))
        return tuple(field(layer, i) for layer, i in zip(y, currents, strict=True))

    def _levels(self, layer: Any) -> Array:
        return jax.vmap(self.unit.voltage)(layer) > LEVEL


def claims() -> Iterator[Claim]:
    """The XOR circuit, a 64-32-10 network on digits, and digits as currents."""
    why = "levels are booleans: equal or not, and voltages 1e-9 mV apart agree on them"
    note_of = {"xor": (xor_levels, "XOR"), "digits": (digit_levels, "64-32-10")}
    for name, text in (
        ("xor", "XOR circuit, 4 inputs, 40 ms"),
        ("digits", f"64-32-10 network on {PICTURES} handwritten digits, 20 ms"),
    ):
        compute, _ = note_of[name]
        yield Claim(
            f"{text}: samples at which a level-spike trace differs, both forms",
            "real input",
            0.0,
            why,
            lambda compute=compute: differing(compute()),
        )
        yield Claim(
            f"{text}: layers that spike in it (the comparison is not of silence)",
            "real input",
            2.0 if name == "xor" else 3.0,
            "the number of layers",
            lambda compute=compute: active_layers(compute()),
            above=True,
        )
    yield Claim(
        "digits as currents: pixels whose spike counts differ (100 pictures, 6,400 cells, 50 ms)",
        "real input",
        0.0,
        "counts are integers",
        digit_counts_differ,
        float64_only=False,
        note=lambda: f"{int(jnp.sum(digit_counts(cells.HodgkinHuxley)))} spikes in all.",
    )


def _hodgkin_huxley() -> cells.ConductanceCell:
    # The released code starts at -70 mV with the gates near their steady state there.
    return cells.HodgkinHuxley(v_init=-70.0)


def _forms() -> tuple[cells.AbstractCell, ...]:
    cell = _hodgkin_huxley()
    return cell, cells.TVLIF(cell), cells.DerivativeTVLIF(cell)


def _levels(weights: tuple[Array, ...], inputs: Array, t1: float) -> list[tuple[Array, list[int]]]:
    """For each form of the unit: levels `[input, T, neuron]`, and the layers' sizes."""
    found = []
    for unit in _forms():
        network = LevelSpikeNetwork(unit, weights)

        def run(u: Array, network: LevelSpikeNetwork = network) -> Array:
            solution: Any = simulate(network, u, t1=t1, dt=0.01, solver=diffrax.Euler())
            return solution.ys["spike"]

        found.append((eqx.filter_jit(jax.vmap(run))(inputs), network.sizes()))
    return found


@functools.cache
def xor_levels() -> list[tuple[Array, list[int]]]:
    """Two input neurons at 0 or 40 uA/cm2, one output driven by 20 (spike_1 - spike_2)."""
    inputs = jnp.asarray([[0.0, 0.0], [0.0, 40.0], [40.0, 0.0], [40.0, 40.0]])
    return _levels((jnp.asarray([[20.0, -20.0]]),), inputs, 40.0)


@functools.cache
def digit_levels() -> list[tuple[Array, list[int]]]:
    """Pixels times 40 uA/cm2 into 64 neurons; fixed random weights, 0.6 +- 1.2 and 1 +- 2."""
    rng = np.random.default_rng(7)
    weights = (
        jnp.asarray(0.6 + 1.2 * rng.standard_normal((32, 64))),
        jnp.asarray(1.0 + 2.0 * rng.standard_normal((10, 32))),
    )
    images = load_digits().images[:PICTURES].reshape(PICTURES, 64)
    return _levels(weights, 40.0 * images, 20.0)


def differing(found: list[tuple[Array, list[int]]]) -> Array:
    """The number of samples at which a form's levels are not the cell's."""
    (truth, _), *others = found
    return jnp.sum(jnp.stack([jnp.sum(levels != truth) for levels, _ in others]))


def active_layers(found: list[tuple[Array, list[int]]]) -> float:
    """How many layers have at least one level spike."""
    levels, sizes = found[0]
    edges = np.cumsum([0, *sizes])
    return float(sum(bool(levels[..., a:b].any()) for a, b in itertools.pairwise(edges)))


def digit_counts(make: Any) -> Array:
    """Spike counts `[picture * pixel]` of one cell per pixel, its current 20 times the pixel."""
    cell = make()
    currents = 20.0 * load_digits().images[:100].reshape(-1)
    y0 = jax.tree.map(lambda x: jnp.broadcast_to(x, currents.shape), cell.init())
    solution: Any = simulate(cell, currents, t1=50.0, dt=0.025, y0=y0, save_every=0.1)
    return jnp.sum(analysis.spike_mask(solution.ys["v"]), axis=0)


def digit_counts_differ() -> Array:
    """The number of pixels at which the cell and its integrators count different spikes."""
    return jnp.sum(digit_counts(cells.HodgkinHuxley) != digit_counts(cells.four_lif))
