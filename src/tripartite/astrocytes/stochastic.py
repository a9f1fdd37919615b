"""The receptor's gate as few channels make it: noisy."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.astrocytes.base import AbstractAstrocyte
from tripartite.core import Relaxation


class StochasticGate(AbstractAstrocyte):
    """An astrocyte whose gate h is an Ito process, kept in [0, 1].

        dh = (h_inf - h) / tau dt + (h_inf - h) / sqrt(tau) dW

    Shuai and Jung, Biophys. J. 83, 87 (2002), in the form of Stimberg et al. (2019), whose Milstein
    scheme leaves the sense of the noise open; Ito's is taken. After each step h is clipped. Solve
    it with `dt=` and `key=`.

    **Arguments:** `astrocyte`, one whose state has a gate `h`.

    **Raises:** `ValueError` for an astrocyte without one.
    """

    astrocyte: AbstractAstrocyte

    def __check_init__(self) -> None:
        fields = getattr(self.astrocyte.init(), "_fields", ())
        if "h" not in fields:
            raise ValueError(
                f"StochasticGate needs a state with a gate h, got {type(self.astrocyte).__name__} "
                f"with {fields}: wrap the cell itself, and put a release around both."
            )

    def init(self) -> Any:
        """The astrocyte's own."""
        return self.astrocyte.init()

    def blocks(self) -> Any:
        """The astrocyte's own."""
        return self.astrocyte.blocks()

    def units(self) -> Any:
        """The astrocyte's own."""
        return self.astrocyte.units()

    def input_units(self) -> Any:
        """The astrocyte's own."""
        return self.astrocyte.input_units()

    def calcium(self, y: Any) -> Array:
        """The astrocyte's own."""
        return self.astrocyte.calcium(y)

    def ip3(self, y: Any) -> Array:
        """The astrocyte's own."""
        return self.astrocyte.ip3(y)

    def ports(self, y: Any) -> dict[str, PyTree[Array]]:
        """The astrocyte's own."""
        return self.astrocyte.ports(y)

    def relax(self, t: Array, y: Any, u: Any) -> Relaxation:
        """The astrocyte's own."""
        return self.astrocyte.relax(t, y, u)

    def diffusion(self, t: Array, y: Any, u: Any) -> dict[str, Array]:
        """One source, of size (h_inf - h) / sqrt(tau): h's slope over the root of its rate."""
        found = self.astrocyte.relax(t, y, u)
        return {"h": found.derivative(y).h / jnp.sqrt(found.decay.h)}

    def spread(self, y: Any, kicks: dict[str, Array]) -> Any:
        """The source moves h alone."""
        return jax.tree.map(jnp.zeros_like, y)._replace(h=kicks["h"])

    def jump(self, t: Array, before: Any, y: Any, u: Any) -> Any:
        """The astrocyte's own jump, and h clipped to [0, 1]."""
        y = self.astrocyte.jump(t, before, y, u)
        return y._replace(h=jnp.clip(y.h, 0.0, 1.0))
