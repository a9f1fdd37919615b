"""Records by name: a port of a population or of a projection, at some of its units."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.networks.astrocyte_steps import astrocytes
from tripartite.networks.glia import Glia, glia_of
from tripartite.networks.pathway import Pathway
from tripartite.networks.population import Population
from tripartite.networks.projection import Projection

if TYPE_CHECKING:
    from tripartite.networks.network import Network


class Probe(eqx.Module):
    """A function of a network's state: one port of one part, at `at` (`None`: everywhere).

    `receptors`: whether it is the state of receptors that terminals share, of each target; `glia`:
    for astrocytes with a step of their own, what ends their window at a record; `pathway` and
    `projection`: those of synapses.
    """

    units: Population
    part: str = eqx.field(static=True)
    port: str = eqx.field(static=True)
    synapses: bool = eqx.field(static=True)
    size: int = eqx.field(static=True)
    receptors: bool = eqx.field(static=True)
    reached: Array | None
    at: Any
    glia: Glia | None
    pathway: Pathway | None
    projection: Projection | None

    def __call__(self, y: Any) -> PyTree[Array]:
        own = y.projections[self.part].synapses if self.synapses else y.populations[self.part]
        if self.receptors:
            own = own.receptors
        elif self.pathway is not None and self.projection is not None:
            own = self.pathway.now(self.projection, own)
        if self.glia is not None and y.windows is not None:
            elapsed, now, heard = y.windows
            own, _ = self.glia.closed(own, heard[self.part], elapsed, now)
        found = own if self.receptors else self.units.ports(own)[self.port]
        if self.reached is not None:
            start = self.units.ports(self.units.init())[self.port]
            found = jax.tree.map(self._spread, start, found)
        return found if self.at is None else jax.tree.map(lambda x: x[self.at], found)

    def _spread(self, start: Array, found: Array) -> Array:
        """One value for each cell: at its start where no edge ends."""
        unmoved = jnp.broadcast_to(start[0], (self.size, *found.shape[1:]))
        return unmoved.at[self.reached].set(found)


def find_port(network: "Network", name: str, at: Any) -> Probe:
    """**Raises:** `ValueError` for an unknown name or port, or an index out of range."""
    part, dot, port = name.rpartition(".")
    known = (*network.populations, *network.projections)
    if not dot or part not in known:
        raise ValueError(
            f'{name!r} names no part of the network: write "part.port", with one of '
            f"{', '.join(map(repr, known))}."
        )
    units = network.part(part)
    ports = eqx.filter_eval_shape(lambda unit: unit.ports(unit.init()), units.unit)
    if port not in ports:
        raise ValueError(f"{part!r} has no port {port!r}: it has {', '.join(map(repr, ports))}.")
    size, reached, synapses = units.size, None, part in network.projections
    if synapses and network.pathways[part].reached is not None:
        reached = network.pathways[part].reached
        size = network.populations[network.projections[part].post].size
    shared = synapses and network.projections[part].releasing and port == "receptor"
    if shared:
        size = network.pathways[part].targets
    apart = network.astrocyte_steps is not None and part in astrocytes(network)
    glia = glia_of(network, part) if apart else None
    index = _index(name, at, size)
    return Probe(
        units, part, port, synapses, size, shared, reached, index, glia,
        network.pathways.get(part), network.projections.get(part),
    )  # fmt: skip


def _index(name: str, at: Any, size: int) -> Any:
    if at is None or at is Ellipsis:
        return None
    cells = np.arange(size)[at] if isinstance(at, slice) else np.asarray(at)
    if cells.dtype.kind not in "iu" or cells.ndim > 1:
        raise ValueError(
            f"record={{{name!r}: ...}} takes an index, a list of them, a slice or None, got {at!r}."
        )
    if cells.size and (cells.min() < 0 or cells.max() >= size):
        raise ValueError(
            f"record={{{name!r}: ...}} asks for units {cells.min()} to {cells.max()}, and there "
            f"are {size}, counted from 0."
        )
    return jnp.asarray(cells, jnp.int32)
