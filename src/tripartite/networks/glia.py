"""The astrocytes of a network: what reaches them, and one step of their own."""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.astrocytes import AbstractAstrocyte, AstrocyteDrive, as_drive
from tripartite.astrocytes.base import require_ip3
from tripartite.core import AbstractParametrised, Relaxation, prefix_leaves
from tripartite.core.errors import is_concrete
from tripartite.core.numerics import exponential_weights
from tripartite.networks import groups
from tripartite.networks.couplings import Coupling
from tripartite.networks.layout import settled
from tripartite.networks.population import Population

if TYPE_CHECKING:
    from tripartite.networks.network import Network, NetworkState


UNDECLARED = "unit undeclared"


class Heard(NamedTuple):
    """What one population of astrocytes remembers of the window that is under way.

    - `drive`: the integral of its input since the window began, in the input's unit times ms.
    - `spikes`, `moments`: the weighted spikes that arrived, and the sum of their ages within the
        window (ms), of astrocytes that jump at them.
    - `noise`: the increments of its sources of noise, if it has any, in sqrt(ms).
    - `path`: the drive and the decay that its state had as the window began, of astrocytes that
        something reads.
    """

    drive: Any
    spikes: Array | None
    moments: Array | None
    noise: PyTree[Array] | None
    path: Relaxation | None


class Glia(AbstractParametrised):
    """One population of astrocytes and its gap junctions, moved by itself.

    **Arguments:** `part`, the population; `couplings`, its gap junctions.
    """

    part: Population
    couplings: tuple[Coupling, ...]

    def hear(self, u: Any, like: Array) -> Any:
        """An input as arrays `[units]`: an `AstrocyteDrive`, or the IP3 of cells that take it.

        **Raises:** `ValueError` for an `AstrocyteDrive` to such cells.
        """
        plain = self._unit().hears()
        if plain == "ip3":
            return require_ip3(u, like) + like
        return AstrocyteDrive(*(x + like for x in as_drive(u, like, plain)))

    def silent(self, own: Any, *, read: bool) -> Heard:
        """Nothing heard yet. **Arguments:** `own`, the state; `read`: whether something reads it.

        What is read in the first window moves as if nothing were heard: an error of second order.
        """
        like = jnp.zeros((self.part.size,), jax.tree.leaves(own)[0].dtype)
        drive, spikes = self.hear(None, like), None
        if self._jumps_at_spikes(own, drive):
            spikes = like
        noise = None
        if self.part.noisy():
            shape = eqx.filter_eval_shape(self.part.diffusion, like[0], own, drive)
            noise = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shape)
        path = self.relax(like[0], own, drive) if read else None
        return Heard(drive, spikes, spikes, noise, path)

    def relax(self, t: Array, own: Any, drive: Any) -> Relaxation:
        """The drive and the decay of each astrocyte, among its neighbours; nothing held moves."""
        for c in self.couplings:
            flux = c.flux(self.part.each(_ip3, own))
            drive = drive._replace(coupling=drive.coupling + flux)
        found = self.part.relax(t, own, drive)
        blocks = jax.tree.unflatten(
            jax.tree.structure(own), [k is not None for k in prefix_leaves(self.part.blocks(), own)]
        )
        free = (
            jax.tree.map(lambda moves, x: x if moves else jnp.zeros_like(x), blocks, part)
            for part in (found.drive, found.decay)
        )
        return Relaxation(*free)

    def closed(self, own: Any, heard: Heard, elapsed: Array, t: Array) -> tuple[Any, Any]:
        """The state if the window ended now, at `t` (ms), and the mean input that it was given.

        One exponential step, its coefficients taken in the middle: second order. A spike's jump is
        shared between both ends, so that its mean time is its own; noise is added in halves.
        """
        safe = jnp.where(elapsed > 0, elapsed, 1.0)
        mean = jax.tree.map(lambda x: x / safe, heard.drive)
        begun, y, late = t - elapsed, own, mean
        if heard.spikes is not None and heard.moments is not None:
            later = heard.moments / safe
            y = self.part.jump(begun, y, y, mean._replace(spikes=heard.spikes - later))
            late = mean._replace(spikes=later)
        kick = None
        if heard.noise is not None:
            size = self.part.diffusion(begun, y, mean)
            kicks = jax.tree.map(lambda s, w: 0.5 * s * w, size, heard.noise)
            kick = self.part.spread(y, kicks)
        y = _added(y, kick)
        half = moved(y, self.relax(begun, y, mean), 0.5 * elapsed)
        y = _added(moved(y, self.relax(begun + 0.5 * elapsed, half, mean), elapsed), kick)
        if self.part.jumping():
            y = self.part.jump(t, own, y, late)
        return jax.tree.map(lambda a, b: jnp.where(elapsed > 0, a, b), y, own), mean

    def _jumps_at_spikes(self, own: Any, drive: Any) -> bool:
        """Whether a jump depends on spikes: to add up those of every edge has its price."""
        if not (self.part.jumping() and isinstance(drive, AstrocyteDrive)):
            return False

        def slope(spikes: Array) -> Any:
            def jumped(spikes: Array) -> Any:
                return self.part.jump(spikes[0], own, own, drive._replace(spikes=spikes))

            return eqx.filter_jvp(jumped, (spikes,), (spikes,))[1]

        return bool(jax.tree.leaves(eqx.filter_eval_shape(slope, drive.spikes)))

    def units(self, *, read: bool) -> Heard:
        """Of what is heard; a source of noise has none that is known."""
        plain = self._unit().hears() == "ip3"
        drive: Any = "uM ms" if plain else AstrocyteDrive("uM ms", "uM", "uM ms", "1")
        slopes: Any = jax.tree.map(lambda unit: f"{unit}/ms", self.part.units() or UNDECLARED)
        path = Relaxation(slopes, "1/ms") if read else None
        return Heard(drive, "1", "ms", UNDECLARED, path)  # pyright: ignore[reportArgumentType]

    def _unit(self) -> AbstractAstrocyte:
        assert isinstance(self.part.unit, AbstractAstrocyte)
        return self.part.unit


def glia_of(network: "Network", name: str) -> Glia:
    """The astrocytes of one population, with their gap junctions."""
    couplings = tuple(c for c in network.couplings if c.population == name)
    return Glia(network.populations[name], couplings)


def moved(y: PyTree[Array], found: Relaxation, dt: Array) -> PyTree[Array]:
    """`y` after `dt` (ms) with its drive and its decay held."""

    def move(x: Array, drive: Array, decay: Array) -> Array:
        survival, weight = exponential_weights(decay * dt)
        return x * survival + drive * (dt * weight)

    return jax.tree.map(move, y, found.drive, found.decay)


def _added(y: PyTree[Array], kick: PyTree[Array] | None) -> PyTree[Array]:
    return y if kick is None else jax.tree.map(lambda x, d: x + d, y, kick)


def drive(network: "Network", name: str, y: "NetworkState", u: Any) -> Any:
    """The stimulus, the transmitter and the neighbours' IP3 of a population of astrocytes."""
    coupled = [c for c in network.couplings if c.population == name]
    part, own = network.populations[name], y.populations[name]
    none = jnp.zeros((part.size,), jax.tree.leaves(own)[0].dtype)
    if name not in network.served and not coupled:
        _require_allowed(part, own, u)
    if network.astrocyte_steps is not None:
        # Neighbours' IP3 is read as their step is taken.
        u, coupled = glia_of(network, name).hear(u, none), []
    if name not in network.served and not coupled:
        return u
    given = as_drive(u, none)
    spilled, coupling = none, given.coupling + none
    states = groups.apart(y)
    for key, p in network.projections.items():
        if p.astrocytes is not None and p.astrocytes.population == name:
            spilled = spilled + network.pathways[key].spilled(p, states[key])
    if name in network.served:
        spilled = spilled / network.served[name].astype(none.dtype)
    for c in coupled:
        coupling = coupling + c.flux(part.each(_ip3, own))
    return AstrocyteDrive(given.glutamate + spilled, coupling, given.bias, given.spikes)


def _require_allowed(part: Population, y: Any, u: Any) -> None:
    """**Raises:** `ValueError`, the unit's own, for a negative input that it cannot take."""
    if u is None or isinstance(u, AstrocyteDrive) or not is_concrete(u):
        return
    worst, t = float(np.min(np.asarray(u))), jnp.zeros((), jax.tree.leaves(y)[0].dtype)
    if worst < 0:
        eqx.filter_eval_shape(lambda y: part.each(lambda unit, y: unit.relax(t, y, worst), y), y)


def with_spikes(network: "Network", name: str, u: Any, arrived: dict[str, Any]) -> Any:
    """An astrocyte's drive with the weighted spikes that arrived at its synapses."""
    for projection, amounts in arrived.items():
        path, worn = network.pathways[projection], network.projections[projection].astrocytes
        if worn is not None and worn.population == name:
            assert path.onto is not None
            u = u._replace(spikes=u.spikes + path.onto(amounts))
    return u


def gliotransmitter(part: Population, own: Any) -> Array:
    """Outside each astrocyte (uM), computed before it is read along edges."""
    return settled(part.each(lambda astrocyte, y: astrocyte.gliotransmitter(y), own))


def _ip3(astrocyte: Any, y: Any) -> Array:
    return astrocyte.ip3(y)
