"""Gliotransmitter, released each time calcium rises through a threshold, and cleared again."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.astrocytes.base import AbstractAstrocyte, Hears
from tripartite.core import AbstractParametrised, Parameter, Relaxation, has_jump, parameter
from tripartite.core.arguments import require_fields
from tripartite.core.errors import is_concrete
from tripartite.core.numerics import logistic
from tripartite.core.units import millimolar, per_second

_SOURCE = "Stimberg et al. 2019"


class Vesicles(AbstractParametrised):
    """What an astrocyte releases, how much at once, and how it comes back.

        dx/dt = Omega_A (1 - x),   dG/dt = -Omega_e G;   at a release G += rho G_T U x,  x -= U x

    Stimberg et al. (2019), Computational Glioscience: x is the share of gliotransmitter that is
    ready, G its concentration outside the cell.

    **Arguments:**

    - `threshold` (C_theta): calcium at which vesicles fuse, uM.
    - `share` (U_A): of what is ready, released at once.
    - `content` (rho_e G_T): what all of it would add outside the cell, uM: the vesicles' 200 mM
        times their share of the volume outside, 6.5e-4.
    - `recycling` (Omega_A), `clearance` (Omega_e): 1/ms.

    **Raises:** `ValueError` if a parameter is not positive, or the share is not below 1.
    """

    threshold: Parameter = parameter(0.5, "uM", positive=True, source=_SOURCE)
    share: Parameter = parameter(0.6, "1", positive=True, source=_SOURCE)
    content: Parameter = parameter(6.5e-4 * 200.0 * millimolar, "uM", positive=True, source=_SOURCE)
    recycling: Parameter = parameter(0.6 * per_second, "1/ms", positive=True, source=_SOURCE)
    clearance: Parameter = parameter(60.0 * per_second, "1/ms", positive=True, source=_SOURCE)

    def __check_init__(self) -> None:
        if is_concrete(self.share) and np.any(np.asarray(self.share) >= 1.0):
            raise ValueError(
                f"Vesicles.share must be below 1, got {self.share}: no release takes all there is."
            )


class ReleaseState(NamedTuple):
    """`astrocyte`: the cell's own state; `ready`, a share; `transmitter` in uM; `armed`, 1 or 0."""

    astrocyte: Any
    ready: Array
    transmitter: Array
    armed: Array


class SmoothReleaseState(NamedTuple):
    """`astrocyte`: the cell's own state; `ready`, a share; `transmitter` in uM."""

    astrocyte: Any
    ready: Array
    transmitter: Array


class GliotransmitterRelease(AbstractAstrocyte):
    """An astrocyte that releases when its calcium crosses the threshold upwards.

    One release for each upward crossing: armed again once calcium is below the threshold. The
    crossing is seen at the end of a step, so the time of a release is late by up to `dt`, and
    what was released is exact. Solve it with `dt=`.

    The gradient is that of the path with its release times held: whatever moves a release in time
    without adding one has derivative zero here. `SmoothRelease` has the whole gradient.

    **Arguments:** `astrocyte`, any astrocyte; `vesicles`, see `Vesicles`.
    """

    astrocyte: AbstractAstrocyte
    vesicles: Vesicles = eqx.field(default_factory=Vesicles)

    def init(self) -> ReleaseState:
        """All vesicles ready, none released; armed if calcium starts below the threshold."""
        inner = self.astrocyte.init()
        zero = jnp.zeros_like(self.astrocyte.calcium(inner))
        below = self.astrocyte.calcium(inner) < self.vesicles.threshold
        return ReleaseState(inner, zero + 1.0, zero, jnp.where(below, zero + 1.0, zero))

    def blocks(self) -> ReleaseState:
        """The cell's own; what is ready and released in the middle; the flag only jumps."""
        return ReleaseState(self.astrocyte.blocks(), 1, 1, None)  # pyright: ignore[reportArgumentType]

    def units(self) -> ReleaseState:
        """The cell's own, a pure number, uM, a pure number."""
        return ReleaseState(self.astrocyte.units(), "1", "uM", "1")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> Any:
        """The cell's own."""
        return self.astrocyte.input_units()

    def calcium(self, y: ReleaseState) -> Array:
        """The cell's own."""
        return self.astrocyte.calcium(y.astrocyte)

    def ip3(self, y: ReleaseState) -> Array:
        """The cell's own."""
        return self.astrocyte.ip3(y.astrocyte)

    def gliotransmitter(self, y: ReleaseState) -> Array:
        """`transmitter` in uM."""
        return y.transmitter

    def hears(self) -> Hears:
        """The cell's own."""
        return self.astrocyte.hears()

    def ports(self, y: ReleaseState) -> dict[str, PyTree[Array]]:
        """The cell's own, with `gliotransmitter` (uM) and the share `ready`."""
        return {
            **self.astrocyte.ports(y.astrocyte),
            "gliotransmitter": y.transmitter,
            "ready": y.ready,
        }

    def relax(self, t: Array, y: ReleaseState, u: Any) -> Relaxation:
        """The cell's own; recycling and clearance, exponentials between releases."""
        inner = self.astrocyte.relax(t, y.astrocyte, u)
        zero, v = jnp.zeros_like(y.ready), self.vesicles
        return Relaxation(
            ReleaseState(inner.drive, v.recycling, zero, zero),
            ReleaseState(inner.decay, v.recycling, v.clearance, zero),
        )

    def jump(self, t: Array, before: ReleaseState, y: ReleaseState, u: Any) -> ReleaseState:
        """The cell's own jump; then, above the threshold and armed, a release."""
        inner = self.astrocyte.jump(t, before.astrocyte, y.astrocyte, u)
        above = self.astrocyte.calcium(inner) > self.vesicles.threshold
        released = jnp.where(above & (y.armed > 0.5), self.vesicles.share * y.ready, 0.0)
        armed = jnp.where(above, jnp.zeros_like(y.armed), jnp.ones_like(y.armed))
        transmitter = y.transmitter + self.vesicles.content * released
        return ReleaseState(inner, y.ready - released, transmitter, armed)

    def diffusion(self, t: Array, y: ReleaseState, u: Any) -> PyTree[Array]:
        """The cell's own."""
        return self.astrocyte.diffusion(t, y.astrocyte, u)

    def spread(self, y: ReleaseState, kicks: PyTree[Array]) -> ReleaseState:
        """The cell's own; no noise on the release itself."""
        still = jax.tree.map(jnp.zeros_like, y)
        return still._replace(astrocyte=self.astrocyte.spread(y.astrocyte, kicks))

    def noisy(self) -> bool:
        """Whether the cell is."""
        return self.astrocyte.noisy()


class SmoothRelease(AbstractAstrocyte):
    """An astrocyte that releases while its calcium rises through the threshold: no jump.

        dx/dt = Omega_A (1 - x) - r x,      dG/dt = rho G_T r x - Omega_e G
        r = -ln(1 - U) d/dt sigma((C - C_theta) / w)  while C rises, else 0

    A full rise multiplies x by exp(-(-ln(1 - U))) = 1 - U, whatever its speed, so that what is
    released is that of `GliotransmitterRelease` as the width w goes to 0, spread over the time that
    calcium takes for some 4 w. It re-arms by itself: a fall releases nothing.

    Its bias, on the second cell of figure 3 of Stimberg et al. (2019): with w = 0.02 uM what is
    released differs by less than 3 % from the jump's, with w = 0.005 uM by less than 1 %, falling
    in proportion to w; the peak of G is lower, as release then lasts as long as clearance. A rise
    that ends within some w of the threshold releases a part, where the jump releases all or none.

    **Arguments:** `astrocyte`, any astrocyte that does not jump; `vesicles`, see `Vesicles`;
    `width` (w), uM.

    **Raises:** `ValueError` for an astrocyte that jumps, or a width that is not positive.
    """

    astrocyte: AbstractAstrocyte
    vesicles: Vesicles = eqx.field(default_factory=Vesicles)
    width: Parameter = parameter(0.02, "uM", positive=True)

    def __check_init__(self) -> None:
        require_fields(self)
        if has_jump(self.astrocyte):
            raise ValueError(
                f"{type(self.astrocyte).__name__} jumps between steps, and a smooth release does "
                "not: wrap it in GliotransmitterRelease, or choose another astrocyte."
            )

    def init(self) -> SmoothReleaseState:
        """All vesicles ready, none released."""
        inner = self.astrocyte.init()
        zero = jnp.zeros_like(self.astrocyte.calcium(inner))
        return SmoothReleaseState(inner, zero + 1.0, zero)

    def blocks(self) -> SmoothReleaseState:
        """The cell's own; what is ready and released in the middle."""
        return SmoothReleaseState(self.astrocyte.blocks(), 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> SmoothReleaseState:
        """The cell's own, a pure number, uM."""
        return SmoothReleaseState(self.astrocyte.units(), "1", "uM")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> Any:
        """The cell's own."""
        return self.astrocyte.input_units()

    def calcium(self, y: SmoothReleaseState) -> Array:
        """The cell's own."""
        return self.astrocyte.calcium(y.astrocyte)

    def ip3(self, y: SmoothReleaseState) -> Array:
        """The cell's own."""
        return self.astrocyte.ip3(y.astrocyte)

    def gliotransmitter(self, y: SmoothReleaseState) -> Array:
        """`transmitter` in uM."""
        return y.transmitter

    def hears(self) -> Hears:
        """The cell's own."""
        return self.astrocyte.hears()

    def ports(self, y: SmoothReleaseState) -> dict[str, PyTree[Array]]:
        """The cell's own, with `gliotransmitter` (uM) and the share `ready`."""
        return {
            **self.astrocyte.ports(y.astrocyte),
            "gliotransmitter": y.transmitter,
            "ready": y.ready,
        }

    def relax(self, t: Array, y: SmoothReleaseState, u: Any) -> Relaxation:
        """The cell's own; release at the rate r, recycling and clearance."""
        inner, v = self.astrocyte.relax(t, y.astrocyte, u), self.vesicles
        rising = jnp.maximum(self.astrocyte.calcium(inner.derivative(y.astrocyte)), 0.0)
        crossed = logistic((self.calcium(y) - v.threshold) / self.width)
        rate = -jnp.log1p(-v.share) * crossed * (1.0 - crossed) * rising / self.width
        return Relaxation(
            SmoothReleaseState(inner.drive, v.recycling, v.content * rate * y.ready),
            SmoothReleaseState(inner.decay, v.recycling + rate, v.clearance),
        )
