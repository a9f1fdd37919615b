"""A current that a spike raises at once and that decays exponentially, whatever the voltage."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import Membrane, Parameter, Relaxation, as_cleft, parameter
from tripartite.synapses.base import AbstractLinearSynapse


class ExponentialCurrentState(NamedTuple):
    """`current` in uA/cm2 (or pA), positive into the cell."""

    current: Array


class ExponentialCurrent(AbstractLinearSynapse):
    """`dI/dt = -I / decay`, and `I += weight` at each spike: a current, and no conductance.

    The current-based synapse of integrate-and-fire networks and of closed forms: a spike delivers
    the charge `weight * decay` (nC/cm2), and a leaky cell of time constant tau answers with a
    difference of exponentials. It does not reverse: on a conductance cell, and wherever inputs are
    strong, `Exponential` is the better model. Exact on fixed steps: constant coefficients, spikes
    on the grid. As in Gerstner et al., Neuronal Dynamics (2014), from memory.

    **Arguments:** `weight` in uA/cm2 (or pA), negative for inhibition; `decay` in ms.

    **Raises:** `ValueError` for a time constant that is not positive.
    """

    weight: Parameter = parameter(1.0, "uA/cm2")
    decay: Parameter = parameter(5.0, "ms", positive=True)

    def init(self) -> ExponentialCurrentState:
        """No current."""
        return ExponentialCurrentState(jnp.zeros_like(self.weight))

    def units(self) -> ExponentialCurrentState:
        """The unit of the weight."""
        return ExponentialCurrentState("uA/cm2")  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: ExponentialCurrentState, u: Any) -> Relaxation:
        """Drive `weight * rate`, decay `1 / decay`."""
        zero = jnp.zeros_like(y.current)
        drive = self.weight * as_cleft(u).rate + zero
        return Relaxation(
            ExponentialCurrentState(drive), ExponentialCurrentState(1.0 / self.decay + zero)
        )

    def jump(
        self, t: Array, before: Any, y: ExponentialCurrentState, u: Any
    ) -> ExponentialCurrentState:
        """`I += weight * spike`."""
        return ExponentialCurrentState(y.current + self.weight * as_cleft(u).spike)

    def conductance(self, y: ExponentialCurrentState, v_post: Array) -> tuple[Array, Array]:
        """None, with a reversal at infinity on the side of the weight's sign: what a current is.

        The pair that a membrane receives is `membrane`'s, not the product of these.
        """
        side = jnp.where(self.weight > 0, jnp.inf, -jnp.inf).astype(y.current.dtype)
        return jnp.zeros_like(y.current), side

    def membrane(self, y: ExponentialCurrentState, v_post: Array) -> Membrane:
        """The current, and no conductance."""
        return Membrane(y.current, jnp.zeros_like(y.current))
