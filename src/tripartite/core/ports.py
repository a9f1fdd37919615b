"""What reaches a membrane: the type that cells, synapses and stimuli share."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array


class Membrane(NamedTuple):
    """A Norton pair: a membrane receives `current - conductance * v`.

    Passing a synapse as a pair, rather than as the current it happens to carry, lets the membrane
    relax towards its reversal potential: strong synapses stay stable at any step.

    **Arguments:** `current` in uA/cm2 (or pA); `conductance` in mS/cm2 (or nS).
    """

    current: Any
    conductance: Any = 0.0


def as_membrane(u: Any, like: Array) -> Membrane:
    """Reads a cell's input: nothing, a current, or a `Membrane`.

    **Arguments:** `u` the input; `like` an array whose dtype the missing parts take.
    """
    if u is None:
        return Membrane(jnp.zeros_like(like), jnp.zeros_like(like))
    if isinstance(u, Membrane):
        return u
    return Membrane(u, jnp.zeros_like(like))
