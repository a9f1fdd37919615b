"""The networks that are compared: one body of units each, and the same read-out for all."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import layers, solvers
from tripartite.core import surrogates

KINDS = ("lif", "hh", "slif2hh", "4lif", "ann")
TICKS = {"lif": 15, "slif2hh": 15, "4lif": 15, "release_hh": 15, "ann": 1, "hh": 20}


class Rectifier(eqx.Module):
    """A rate unit in the place of a spiking one: `max(W x, 0)`, at every tick the same."""

    synapse: Any

    def hold(self, x: Array, ticks: int) -> tuple[Array, None]:
        return jnp.broadcast_to(jax.nn.relu(self.synapse(x)), (ticks, *self._shape(x))), None

    def __call__(self, inputs: Array) -> tuple[Array, None]:
        return jax.nn.relu(jax.vmap(self.synapse)(inputs)), None

    def _shape(self, x: Array) -> tuple[int, ...]:
        return jax.eval_shape(self.synapse, x).shape


class Net(eqx.Module):
    """Spiking layers, their mean over time, a linear layer of 50, and a head of ten for each task.

    As in He et al. (2024): the picture stays for all ticks; after each convolution spikes are
    averaged over 2 x 2; a unit of four sub-units is read by all four, and sends their sum on.

    **Arguments:** `scale`: squid axons fire once or twice in a picture's 20 ms, so that their
    count, not their mean, is of order 1; `hold`: a picture that stays goes through the first
    synapse once, where the released code applies it at each tick, with the same result.
    """

    body: Any
    read: eqx.nn.Linear
    heads: eqx.nn.Linear
    ticks: int = eqx.field(static=True)
    fourfold: bool = eqx.field(static=True)
    hold: bool = eqx.field(static=True)
    scale: float = eqx.field(static=True, default=1.0)

    def features(self, image: Array) -> Array:
        """The mean over time of all spike trains that are read, times `scale`."""
        body = self.body() if isinstance(self.body, eqx.nn.Shared) else self.body
        conv = isinstance(_first_map(body[0].synapse), eqx.nn.Conv2d)
        x = image[None] if conv else image.reshape(-1)
        spikes = None
        for number, layer in enumerate(body):
            if number == 0 and self.hold:
                spikes, _ = layer.hold(x, self.ticks)
            elif number == 0:
                spikes, _ = layer(jnp.broadcast_to(x, (self.ticks, *x.shape)))
            else:
                spikes, _ = layer(jnp.sum(spikes, axis=1) if self.fourfold else spikes)
            spikes = _pooled(spikes) if conv else spikes
        return self.scale * jnp.mean(spikes, axis=0).reshape(-1)

    def __call__(self, image: Array) -> Array:
        """Logits `[tasks, 10]` of a picture `[height, width]`."""
        return self.heads(self.read(self.features(image))).reshape(-1, 10)


def _first_map(synapse):
    return synapse[0] if isinstance(synapse, tuple) else synapse


def _pooled(x):
    """The mean over 2 x 2 of the last two axes; an odd last row or column is dropped."""
    height, width = (n // 2 for n in x.shape[-2:])
    cut = x[..., : 2 * height, : 2 * width]
    return cut.reshape(*x.shape[:-2], height, 2, width, 2).mean(axis=(-3, -1))


class Sizes(eqx.Module):
    """How large a net is; the defaults are those of the tables here, `FULL` the paper's."""

    side: int = eqx.field(static=True, default=36)
    tasks: int = eqx.field(static=True, default=2)
    hidden: int = eqx.field(static=True, default=128)
    channels: tuple[int, int] = eqx.field(static=True, default=(4, 8))
    kernel: int = eqx.field(static=True, default=5)
    stride: int = eqx.field(static=True, default=4)
    steps: int = eqx.field(static=True, default=20)


FULL = Sizes(hidden=512, channels=(10, 10), kernel=3, stride=1)


def build(kind, shape, sizes, *, key, hold=True):
    """A net of `kind` (of `KINDS`, or `"release_hh"`), `"fc"` or `"conv"`."""
    body_key, read_key, head_key = jax.random.split(key, 3)
    body = (_fc if shape == "fc" else _conv)(kind, sizes, body_key)
    many = {"slif2hh": 4, "4lif": 4}.get(kind, 1)
    if shape == "fc":
        width = sizes.hidden * many
    else:
        side = sides(sizes)[1] // 2
        width = sizes.channels[1] * many * side**2
    return Net(
        body,
        eqx.nn.Linear(width, 50, key=read_key),
        eqx.nn.Linear(50, 10 * sizes.tasks, key=head_key),
        TICKS[kind],
        kind == "slif2hh",
        hold,
        float(TICKS["hh"]) if kind == "hh" else 1.0,
    )


def sides(sizes):
    """The side of each convolution's output."""
    first = (sizes.side + 2 * (sizes.kernel // 2) - sizes.kernel) // sizes.stride + 1
    return first, first // 2


def _fc(kind, sizes, key):
    widths = (sizes.side**2, sizes.hidden * (4 if kind == "4lif" else 1))

    def synapse(key):
        return eqx.nn.Linear(*widths, key=key)

    return (_units(kind, "fc", synapse, (widths[1],), sizes, key),)


def _conv(kind, sizes, key):
    many = 4 if kind == "4lif" else 1
    first, second = (many * n for n in sizes.channels)
    side, keys = sides(sizes), jax.random.split(key, 2)
    pad = sizes.kernel // 2

    def one(key):
        return eqx.nn.Conv2d(1, first, sizes.kernel, sizes.stride, pad, key=key)

    def two(key):
        return eqx.nn.Conv2d(first, second, 3, 1, 1, key=key)

    body = (
        _units(kind, "conv", one, (first, side[0], side[0]), sizes, keys[0]),
        _units(kind, "conv", two, (second, side[1], side[1]), sizes, keys[1]),
    )
    if kind != "slif2hh":
        return body
    # One map of the three potentials serves both layers, as released.
    return eqx.nn.Shared(
        body, where=lambda b: (b[1].mix, b[1].bias), get=lambda b: (b[0].mix, b[0].bias)
    )


def _units(kind, shape, synapse, units, sizes, key):
    """Units of one layer, with the constants of the released nets where they come from there."""
    first, second = jax.random.split(key)
    window = surrogates.Rectangular(width=1.0)
    if kind == "ann":
        return Rectifier(synapse(first))
    if kind in ("lif", "4lif"):
        return layers.LIFLayer(synapse(first), decay=0.2, threshold=0.3, surrogate=window)
    if kind == "slif2hh":
        maps = tuple(synapse(k) for k in jax.random.split(first, 3))
        theta, decay = (2.0, 0.5) if shape == "fc" else (0.3, 0.2)
        return layers.SLIF2HHLayer(maps, threshold=theta, decay=decay, key=second)
    if kind == "release_hh":
        dt, theta = (0.01, 0.2) if shape == "fc" else (0.1, 2.3)
        return layers.ReleaseHHLayer(synapse(first), units, dt=dt, threshold=theta, key=second)
    return hh_layer(synapse(first), sizes)


def hh_layer(synapse, sizes):
    """Squid axons in steps of 0.05 ms; at the default sizes a tick is 1 ms."""
    return layers.HHLayer(
        synapse,
        dt=0.05,
        steps=sizes.steps,
        gain=20.0,
        solver=solvers.SequentialExponential(midpoint=False),
    )
