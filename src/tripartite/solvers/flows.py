"""How one leaf moves over a substep: `dy/dt = drive - decay y`, exactly or by a rational function.

Each flow is `y exp(-z) + h phi1(z) drive` with z = h decay and its own approximation R(z) to
exp(-z); phi1 is always (1 - R) / z, so that every flow keeps the leaf's fixed point, drive / decay,
exactly.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from tripartite.core.arguments import checked
from tripartite.core.numerics import exponential_weights


class AbstractFlow(eqx.Module):
    """A leaf's motion over a substep, its coefficients held."""

    # The largest step * decay that the flow is good for.
    limit: eqx.AbstractClassVar[float]

    @abc.abstractmethod
    def __call__(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """`y` after `dt` (ms); `drive` in y's unit per ms, `decay` in 1/ms."""

    def first_half(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """`y` after the half, `dt`, of a step that is split around the other blocks."""
        return self(y, drive, decay, dt)

    def second_half(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """The same for the half that ends the step."""
        return self(y, drive, decay, dt)


class Exponential(AbstractFlow):
    """`R = exp(-z)`: exact for constant coefficients, at any step. The default."""

    limit: ClassVar[float] = float("inf")

    def __call__(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """`y exp(-z) + drive dt (1 - exp(-z)) / z`."""
        survival, weight = exponential_weights(decay * dt)
        return y * survival + drive * (dt * weight)


class Pade(AbstractFlow):
    """`R = (12 - 6z + z^2) / (12 + 6z + z^2)`, the (2,2) Pade approximant of exp(-z).

    Fourth order, error z^5 / 720, and no exponential to compute. R tends
    to +1 and not to 0 for large z, so a solve by `tripartite.simulate` records the largest
    dt * decay of each leaf and fails, naming the leaf, where it exceeds 2 (R(2) is 0.143 and
    exp(-2) is 0.135).
    Baker and Graves-Morris (1996), Pade Approximants, section 1.2.
    """

    limit: ClassVar[float] = 2.0

    def __call__(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """`y + (drive - decay y) dt phi1`, with `phi1 = 12 / (12 + 6z + z^2)`."""
        z = decay * dt
        return y + (drive - decay * y) * (dt * 12.0 / (12.0 + z * (6.0 + z)))


class CrankNicolson(AbstractFlow):
    """`R = (2 - z) / (2 + z)`: the trapezoidal rule, as NEURON's `secondorder` and Jaxley offer.

    Its error is z^3 / 12. On the squid axon that cancels most of the sweep's own, and spike times
    are five times nearer than with the exponential flow; on cortical cells (Pospischil RS and FS)
    they are three to five times farther. R is negative for z > 2, an oscillation, so the same limit
    holds as for `Pade`. Crank and Nicolson (1947).

    Around the other blocks it splits into an implicit Euler half and an explicit one, so that the
    second half of one step and the first of the next, which share their coefficients, make a whole
    trapezoidal step: the staggered scheme of Hines (1984), with v known at the same time as the
    gates. Implicit, gates, explicit is its own adjoint, hence of second order.
    """

    limit: ClassVar[float] = 2.0

    def __call__(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """`y + (drive - decay y) dt phi1`, with `phi1 = 2 / (2 + z)`."""
        return y + (drive - decay * y) * (dt * 2.0 / (2.0 + decay * dt))

    def first_half(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """Implicit Euler: `(y + dt drive) / (1 + dt decay)`."""
        return (y + dt * drive) / (1.0 + dt * decay)

    def second_half(self, y: Array, drive: Array, decay: Array, dt: Array) -> Array:
        """Explicit Euler: `y + dt (drive - decay y)`."""
        return y + dt * (drive - decay * y)


@checked
def flows_of(flow: PyTree[AbstractFlow], y: PyTree[Array]) -> list[AbstractFlow]:
    """The flow of each leaf of a state, from a tree prefix of it.

    **Raises:** `ValueError` if `flow` is no tree prefix of flows.
    """
    spread: list[AbstractFlow] = []

    def add(value: Any, subtree: PyTree[Array]) -> None:
        if not isinstance(value, AbstractFlow):
            raise ValueError(f"got {value!r} among them")
        spread.extend([value] * len(jax.tree.leaves(subtree)))

    try:
        jax.tree.map(add, flow, y, is_leaf=lambda x: isinstance(x, AbstractFlow))
    except ValueError as error:
        raise ValueError(
            f"flow must be one of solvers.Exponential(), Pade() and CrankNicolson(), or a tree "
            f"prefix of the state made of them, as {type(y).__name__}(v=CrankNicolson(), ...) "
            f"({error})."
        ) from error
    return spread
