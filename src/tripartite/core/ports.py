"""What reaches a membrane and what reaches a synapse: types that models and stimuli share."""

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


class Cleft(NamedTuple):
    """What a synapse hears of its two cells and of its astrocyte.

    **Arguments:**

    - `v_pre`, `v_post`: the membrane potentials on either side, mV.
    - `spike`, `post_spike`: 1 where a presynaptic (postsynaptic) spike arrived at the end of this
        step, else 0. Read between steps, in `jump`. A fraction is that share of a spike; a linear
        synapse takes any amount.
    - `modulation`: the concentration of gliotransmitter at the terminal, uM.
    - `rate`, `post_rate`: firing rates in 1/ms, for forms that are driven by rates.
    """

    v_pre: Any
    v_post: Any
    spike: Any = 0.0
    modulation: Any = 0.0
    post_spike: Any = 0.0
    rate: Any = 0.0
    post_rate: Any = 0.0


def as_cleft(u: Any) -> Cleft:
    """Reads a synapse's input.

    **Raises:** `ValueError` for anything but a `Cleft`: a synapse has no default neighbours.
    """
    if not isinstance(u, Cleft):
        raise ValueError(
            f"a synapse's input is a core.Cleft, got {type(u).__name__}: put the synapse into a "
            "network, or drive it alone with synapses.spike_train(...)."
        )
    return u
