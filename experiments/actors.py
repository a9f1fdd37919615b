"""The actors that are compared: one spiking layer between the observations and two dense heads.

He et al., Nature Computational Science 4, 584 (2024), and the code released with it; of the units,
the Hodgkin-Huxley one obeys the real equations here, where the release has random constants in the
place of its rates.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from experiments.policies import DensePolicy
from tripartite.core.surrogates import Rectangular
from tripartite.layers import HHLayer, LIFLayer, SLIF2HHLayer

UNITS = 32
HEAD = 64
# What the release sets for its pendulums; its window of 0.4 on either side of the threshold.
DECAY, LIF_THRESHOLD, SLIF_THRESHOLD, WINDOW = 0.2, 0.2, 0.8, 0.8
# A linear map of a few observations starts with a bias between -0.5 and 0.5 or less. With this many
# uA/cm2 for 1 it reaches from silence to repetitive firing, which begins at 6.3.
HH_GAIN = 20.0
# Below about -500 uA/cm2 an axon is pulled so far down (-1600 mV) that its rates overflow in
# float32, and all that is learned becomes NaN. The synapse's output is cut here, at 200 uA/cm2.
HH_MOST_INPUT = 10.0
# Each of five observations is shown for 2 ms, in pieces that a gradient computes again; a spike is
# whole, and to a derivative as wide as an action potential is high (the layer's default).
HH_DT, HH_STEPS, HH_PIECES = 0.05, 10, 4
# In 10 ms an axon of Hodgkin and Huxley fires twice at most; a unit on a clock, at every tick.
HH_MOST, TICKS = 2.0, 3
ACTORS = ("lif", "slif2hh", "4lif", "dense", "hh")


class SpikingActor(eqx.Module):
    """A policy for `sac`: `heads(how often each unit fires in the window)`.

    Every observation, times `scale`, is shown to the layer for `repeats` ticks; the layer starts
    from rest at each decision. What it fires, divided by `most`, goes to two networks of two hidden
    layers: the mean of the action, and the logarithm of its standard deviation.
    """

    layer: Any
    mean: eqx.nn.MLP
    log_std: eqx.nn.MLP
    scale: float = eqx.field(static=True)
    repeats: int = eqx.field(static=True)
    most: float = eqx.field(static=True)

    def rates(self, window: Float[Array, "window observation"]) -> Float[Array, " features"]:
        """How often each unit (and sub-unit) fires in the window, over the most it can."""
        inputs = jnp.repeat(self.scale * window, self.repeats, axis=0)
        return jnp.ravel(jnp.sum(self.layer(inputs)[0], axis=0)) / self.most

    def __call__(self, window: Float[Array, "window observation"]) -> tuple[Array, Array]:
        rates = self.rates(window)
        return self.mean(rates), self.log_std(rates)


def new_actor(
    name: str, observations: int, actions: int, scale: float, key: PRNGKeyArray
) -> eqx.Module:
    """An actor before it learns; `scale` multiplies the observations.

    **Raises:** `ValueError` for a name that is none of `ACTORS`.
    """
    layer_key, mean_key, std_key = jax.random.split(key, 3)
    if name == "dense":
        return DensePolicy(observations, actions, HEAD, key=key)
    layer, repeats, most = _layer(name, observations, layer_key)
    features = {"slif2hh": 4 * UNITS, "4lif": 4 * UNITS}.get(name, UNITS)
    heads = [eqx.nn.MLP(features, actions, HEAD, 2, key=k) for k in (mean_key, std_key)]
    return SpikingActor(layer, *heads, scale, repeats, most)


def _cut(x: Array) -> Array:
    return jnp.clip(x, -HH_MOST_INPUT, HH_MOST_INPUT)


def _layer(name: str, observations: int, key: PRNGKeyArray) -> tuple[Any, int, float]:
    """The layer, for how many ticks an observation is shown, and the most a unit can fire."""

    def synapse(key: PRNGKeyArray, units: int = UNITS) -> eqx.nn.Linear:
        return eqx.nn.Linear(observations, units, key=key)

    window = Rectangular(width=WINDOW)
    ticks = 5.0 * TICKS
    if name == "hh":
        bounded = eqx.nn.Sequential([synapse(key), eqx.nn.Lambda(_cut)])
        layer = HHLayer(bounded, dt=HH_DT, steps=HH_STEPS, gain=HH_GAIN)
        return layer, HH_PIECES, HH_MOST
    if name == "slif2hh":
        *keys, mix_key = jax.random.split(key, 4)
        maps = tuple(synapse(k) for k in keys)
        layer = SLIF2HHLayer(
            maps, decay=DECAY, threshold=SLIF_THRESHOLD, surrogate=window, key=mix_key
        )
        return layer, TICKS, ticks
    if name not in ("lif", "4lif"):
        raise ValueError(f"an actor is one of {', '.join(ACTORS)}, got {name!r}.")
    units = 4 * UNITS if name == "4lif" else UNITS
    layer = LIFLayer(synapse(key, units), decay=DECAY, threshold=LIF_THRESHOLD, surrogate=window)
    return layer, TICKS, ticks
