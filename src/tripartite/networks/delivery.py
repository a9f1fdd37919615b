"""Spikes of many projections delivered together: one look for who fired, then their edges."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from tripartite.networks.events import Fired, Rows, fired, rows
from tripartite.networks.layout import Fans
from tripartite.networks.pathway import Pathway
from tripartite.networks.population import Population
from tripartite.networks.projection import Projection

# With fewer edges than this, adding up all of them costs no more than to look for who fired.
_MANY = 8192


class Source(NamedTuple):
    """Whose signal is read: a population's, or, of a projection with a delay, its line's."""

    name: str
    delayed: bool
    size: int


class Laid(NamedTuple):
    """The weights, `[edges]` or one: of each member as its table reads them, and as the rows do."""

    tables: tuple[Array, ...]
    rows: Array


class Delivery(eqx.Module):
    """The linear projections that hear spikes, as one: their sources end to end, and their targets.

    **Arguments:** `members`, their names; `sources`, and `heard`, the number of the source of each
    member; `fans`, the table of each, for all its edges; `outgoing`, the edges of all in rows.
    """

    members: tuple[str, ...] = eqx.field(static=True)
    sources: tuple[Source, ...] = eqx.field(static=True)
    heard: tuple[int, ...] = eqx.field(static=True)
    fans: tuple[Fans, ...]
    outgoing: Rows
    laid: Laid | None = None

    def lay(self, projections: Mapping[str, Projection]) -> Laid:
        """The weights as they are read: once for a solve, not at every step."""
        members = [projections[name] for name in self.members]
        tables = tuple(f.lay(p.weight) for f, p in zip(self.fans, members, strict=True))
        if len(members) == 1:
            return Laid(tables, self.outgoing.lay(members[0].weight))
        each = [jnp.broadcast_to(p.weight, (len(p.edges),)) for p in members]
        return Laid(tables, self.outgoing.lay(jnp.concatenate(each)))

    def __call__(
        self, projections: Mapping[str, Projection], signals: Mapping[str, Array],
        delayed: Mapping[str, Array],
    ) -> dict[str, Array]:  # fmt: skip
        """For each member the weighted sum of spikes at its targets.

        **Arguments:** `signals`: the spikes of each population, `[cells]`; `delayed`: those that
        arrive now, of each projection with a delay.
        """
        read = [(delayed if source.delayed else signals)[source.name] for source in self.sources]
        signal = jnp.concatenate(read) if len(read) > 1 else read[0]
        laid = self.lay(projections) if self.laid is None else self.laid
        total = delivered(self, laid, fired(signal))
        ends = np.cumsum([f.sums.targets for f in self.fans])
        return dict(zip(self.members, jnp.split(total, ends[:-1]), strict=True))

    def all(self, tables: tuple[Array, ...], signal: Array) -> Array:
        """The sums over all edges, `[targets]`."""
        ends = np.cumsum([source.size for source in self.sources])
        parts = jnp.split(signal, ends[:-1])
        rows = zip(self.fans, tables, self.heard, strict=True)
        return jnp.concatenate([f(table, parts[k]) for f, table, k in rows])


def _add_all(delivery: Delivery, laid: Laid, found: Fired) -> Array:
    return delivery.all(laid.tables, found.signal)


def _add_few(delivery: Delivery, laid: Laid, found: Fired) -> Array:
    return delivery.outgoing.add(laid.rows, found)


def _add_by_number(delivery: Delivery, laid: Laid, found: Fired) -> Array:
    few = found.number <= found.ids.size
    return jax.lax.cond(few, _add_few, _add_all, delivery, laid, found)


@jax.custom_jvp
def delivered(delivery: Delivery, laid: Laid, found: Fired) -> Array:
    """What `delivery.all(laid.tables, found.signal)` is, by rows where few cells have fired.

    Where many have, all edges are added up, and on anything but a CPU: there a loop costs more than
    the edges. So are they for a derivative: a cell that was silent has one, by its surrogate.
    """
    return jax.lax.platform_dependent(delivery, laid, found, cpu=_add_by_number, default=_add_all)


@functools.partial(delivered.defjvp, symbolic_zeros=True)
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    delivery, laid, found = primals
    total = delivered(delivery, laid, found)
    slope = jnp.zeros_like(total)
    moved = [not isinstance(x, SymbolicZero) for x in tangents[1].tables]
    if any(moved):
        tables = (
            x if moving else jnp.zeros_like(table)
            for x, moving, table in zip(tangents[1].tables, moved, laid.tables, strict=True)
        )  # fmt: skip
        slope = slope + delivery.all(tuple(tables), found.signal)
    if not isinstance(tangents[2].signal, SymbolicZero):
        slope = slope + delivery.all(laid.tables, tangents[2].signal)
    return total, slope


def delivery(
    projections: Mapping[str, Projection],
    pathways: Mapping[str, Pathway],
    populations: Mapping[str, Population],
) -> Delivery | None:
    """The projections that are delivered together; `None` where that is not worth it."""
    members = {name: pathways[name] for name, p in projections.items() if _fits(p)}
    if sum(len(projections[name].edges) for name in members) < _MANY:
        return None
    sources, heard = [], []
    for name in members:
        p = projections[name]
        late = p.delay is not None
        source = Source(name if late else p.pre, late, populations[p.pre].size)
        sources += [] if source in sources else [source]
        heard.append(sources.index(source))
    fans = tuple(f for f in (path.fans for path in members.values()) if f is not None)
    starts = np.cumsum([0, *(source.size for source in sources)])
    onto = np.cumsum([0, *(f.sums.targets for f in fans)])
    edges = [projections[name].edges for name in members]
    pre = [e.pre + starts[k] for e, k in zip(edges, heard, strict=True)]
    post = [
        (e.post if path.reached is None else np.searchsorted(np.unique(e.post), e.post)) + k
        for e, path, k in zip(edges, members.values(), onto, strict=False)
    ]
    outgoing = rows(np.concatenate(pre), np.concatenate(post), int(starts[-1]), int(onto[-1]))
    if outgoing is None:
        return None
    return Delivery(tuple(members), tuple(sources), tuple(heard), fans, outgoing)


def _fits(p: Projection) -> bool:
    """Linear, by spikes, of which the same arrive at all targets of a cell, and some edges."""
    alike = p.delay is None or jnp.ndim(p.delay) == 0
    return p.linear and p.hears_spikes and alike and len(p.edges) > 0
