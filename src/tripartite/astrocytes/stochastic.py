"""The receptor's gate as few channels make it: noisy."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.astrocytes.base import AbstractAstrocyte, Hears
from tripartite.core import Relaxation
from tripartite.core.arguments import require_fields


class StochasticGate(AbstractAstrocyte):
    """An astrocyte whose gate h is noisy, kept in [0, 1].

        dh = (h_inf - h) / tau dt + (h_inf - h) / sqrt(tau) dW

    Shuai and Jung, Biophys. J. 83, 87 (2002), in the form of Stimberg et al. (2019). The chapter
    does not say in which sense its noise is meant. Ito's is the default. The Milstein scheme of
    its figure 2 takes Stratonovich's, which is Ito's with half the drift, since the noise falls as
    h nears h_inf: more noise by far. After each step h is clipped. Solve it with `dt=` and `key=`.

    **Arguments:** `astrocyte`, one whose state has a gate `h`; `sense`, `"ito"` or
    `"stratonovich"`.

    **Raises:** `ValueError` for an astrocyte without one, or an unknown sense.
    """

    astrocyte: AbstractAstrocyte
    sense: Literal["ito", "stratonovich"] = eqx.field(static=True, default="ito")

    def __check_init__(self) -> None:
        if self.sense not in ("ito", "stratonovich"):
            raise ValueError(f'sense must be "ito" or "stratonovich", got {self.sense!r}.')
        require_fields(self)
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

    def hears(self) -> Hears:
        """The astrocyte's own."""
        return self.astrocyte.hears()

    def ports(self, y: Any) -> dict[str, PyTree[Array]]:
        """The astrocyte's own."""
        return self.astrocyte.ports(y)

    def relax(self, t: Array, y: Any, u: Any) -> Relaxation:
        """The astrocyte's own; in Stratonovich's sense h relaxes at half its rate."""
        found = self.astrocyte.relax(t, y, u)
        if self.sense == "ito":
            return found
        # Half of b db/dh for b = (h_inf - h) / sqrt(tau) is -(h_inf - h) / (2 tau).
        halved = (part._replace(h=0.5 * part.h) for part in (found.drive, found.decay))
        return Relaxation(*halved)

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
