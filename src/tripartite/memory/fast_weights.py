"""The Hebbian memory of the Tolman-Eichenbaum machine, which is linear attention."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.arguments import require_fields

_TEM_T = "Whittington, Warren and Behrens 2022 (arXiv 2112.04035)"

Weights = Float[Array, "pairs pairs"]


class HebbianFastWeights(AbstractParametrised):
    """Outer products of place cells, written at each step and read with a position alone.

        write:  p = flatten(x^T g),  M <- keep M + rate p^T p
        read:   q = flatten(1^T g),  x_read = sum over g of (q M)

    Place cells p are conjunctions of a stimulus x and a position g. The reading *is* linear
    attention, with a diagonal weight for each memory:

        x_read = sum_tau keep^(T - tau) rate (g . g_tau) (1 . g_tau) (1 . x_tau) x_tau

    Whittington, Warren and Behrens 2022 (arXiv 2112.04035), one linear attractor step. All pure
    numbers. M has (stimuli positions)^2 entries, whatever the number of memories.

    **Arguments:** `stimuli`, `positions`: the sizes of x and g; `keep`: what a write leaves of M;
    `rate` of Hebb's rule.

    **Raises:** `ValueError` if a size is below 1.
    """

    stimuli: int = eqx.field(static=True)
    positions: int = eqx.field(static=True)
    keep: Parameter = parameter(1.0, "1", source=_TEM_T)
    rate: Parameter = parameter(1.0, "1", source=_TEM_T)

    def __check_init__(self):
        require_fields(self)
        if self.stimuli < 1 or self.positions < 1:
            raise ValueError(
                "HebbianFastWeights needs stimuli and positions of at least 1, got "
                f"stimuli={self.stimuli} and positions={self.positions}."
            )

    def empty(self) -> Weights:
        """The weights before anything is written."""
        size = self.stimuli * self.positions
        return jnp.zeros((size, size), self.rate.dtype)

    def write(
        self, weights: Weights, x: Float[Array, " stimuli"], g: Float[Array, " positions"]
    ) -> Weights:
        """The weights after stimulus `x` was met at position `g`.

        **Raises:** `ValueError` for wrong shapes.
        """
        self._check(g, x)
        place = (x[:, None] * g[None, :]).ravel()
        return self.keep * weights + self.rate * place[:, None] * place[None, :]

    def write_all(
        self, x: Float[Array, "steps stimuli"], g: Float[Array, "steps positions"]
    ) -> Weights:
        """The weights after a walk, one write for each step."""

        def step(weights: Weights, now: tuple[Array, Array]) -> Any:
            return self.write(weights, *now), None

        return jax.lax.scan(step, self.empty(), (x, g))[0]

    def read(self, weights: Weights, g: Float[Array, " positions"]) -> Float[Array, " stimuli"]:
        """What was met at position `g`, as far as it is told apart from others.

        **Raises:** `ValueError` for a wrong shape.
        """
        self._check(g)
        query = jnp.tile(g, self.stimuli)
        return jnp.sum((query @ weights).reshape(self.stimuli, self.positions), axis=-1)

    def _check(self, g: Array, x: Array | None = None) -> None:
        if g.shape != (self.positions,) or (x is not None and x.shape != (self.stimuli,)):
            given = f"g of shape {g.shape}" + ("" if x is None else f" and x of shape {x.shape}")
            raise ValueError(
                f"these weights bind a stimulus x of shape ({self.stimuli},) to a position g of "
                f"shape ({self.positions},), got {given}: for a whole walk use write_all, or "
                "jax.vmap."
            )
