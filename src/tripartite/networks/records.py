"""Records by name: a port of a population or of a projection, at some of its units."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.networks.population import Population

if TYPE_CHECKING:
    from tripartite.networks.network import Network


class Probe(eqx.Module):
    """A function of a network's state: one port of one part, at `at` (`None`: everywhere)."""

    units: Population
    part: str = eqx.field(static=True)
    port: str = eqx.field(static=True)
    synapses: bool = eqx.field(static=True)
    at: Any

    def __call__(self, y: Any) -> PyTree[Array]:
        own = y.projections[self.part].synapses if self.synapses else y.populations[self.part]
        found = self.units.ports(own)[self.port]
        return found if self.at is None else jax.tree.map(lambda x: x[self.at], found)


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
    return Probe(units, part, port, part in network.projections, _index(name, at, units.size))


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
