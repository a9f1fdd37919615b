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
from tripartite.networks.layout import Fans, fans
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


class Table(eqx.Module):
    """The edges of some members, `names`: what they read from `first` on of all signals."""

    names: tuple[str, ...] = eqx.field(static=True)
    first: int = eqx.field(static=True)
    fans: Fans

    def lay(self, projections: Mapping[str, Projection]) -> Array:
        """Their weights as the table reads them."""
        members = [projections[name] for name in self.names]
        if len(members) == 1:
            return self.fans.lay(members[0].weight)
        if all(jnp.ndim(p.weight) == 0 for p in members):
            share = self.fans.sums.targets // len(members)
            rows = [jnp.broadcast_to(p.weight, (share, 1)) for p in members]
            return jnp.concatenate(rows)
        each = [jnp.broadcast_to(p.weight, (len(p.edges),)) for p in members]
        return self.fans.lay(jnp.concatenate(each))

    def __call__(self, laid: Array, signal: Array) -> Array:
        """The weighted sums at their targets."""
        return self.fans(laid, signal[self.first : self.first + self.fans.sources])


class Delivery(eqx.Module):
    """The linear projections that hear spikes, as one: their sources end to end, and their targets.

    **Arguments:** `members`, their names, and how many targets each has; `sources`; `tables`, for
    all their edges; `outgoing`, the edges of all in rows.
    """

    members: tuple[str, ...] = eqx.field(static=True)
    targets: tuple[int, ...] = eqx.field(static=True)
    sources: tuple[Source, ...] = eqx.field(static=True)
    tables: tuple[Table, ...]
    outgoing: Rows
    laid: Laid | None = None

    def lay(self, projections: Mapping[str, Projection]) -> Laid:
        """The weights as they are read: once for a solve, not at every step."""
        members = [projections[name] for name in self.members]
        tables = tuple(table.lay(projections) for table in self.tables)
        if len(members) == 1:
            return Laid(tables, self.outgoing.lay(members[0].weight))
        each = [jnp.broadcast_to(p.weight, (len(p.edges),)) for p in members]
        return Laid(tables, self.outgoing.lay(jnp.concatenate(each)))

    def __call__(
        self, projections: Mapping[str, Projection], signals: Mapping[str, Array],
        delayed: Mapping[str, Array],
    ) -> Array:  # fmt: skip
        """The weighted sums of spikes at the targets of all members, end to end.

        **Arguments:** `signals`: the spikes of each population, `[cells]`; `delayed`: those that
        arrive now, of each projection with a delay.
        """
        read = [(delayed if source.delayed else signals)[source.name] for source in self.sources]
        signal = jnp.concatenate(read) if len(read) > 1 else read[0]
        laid = self.lay(projections) if self.laid is None else self.laid
        return delivered(self, laid, fired(signal))

    def rows(self, total: Array, names: tuple[str, ...]) -> Array:
        """Of the sums those at members with equally many targets, `[names, targets]`."""
        firsts = [self._first(name) for name in names]
        size = self.targets[self.members.index(names[0])]
        if firsts == list(range(firsts[0], firsts[0] + len(names) * size, size)):
            return total[firsts[0] : firsts[0] + len(names) * size].reshape(len(names), size)
        return jnp.stack([total[k : k + size] for k in firsts])

    def _first(self, name: str) -> int:
        return sum(self.targets[: self.members.index(name)])

    def all(self, tables: tuple[Array, ...], signal: Array) -> Array:
        """The sums over all edges, `[targets]`."""
        found = [t(laid, signal) for t, laid in zip(self.tables, tables, strict=True)]
        return found[0] if len(found) == 1 else jnp.concatenate(found)


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
    alike: tuple[tuple[str, ...], ...],
) -> Delivery | None:
    """The projections that are delivered together; `None` where that is not worth it.

    **Arguments:** `alike`: names that are to follow one another.
    """
    order = dict.fromkeys([name for names in alike for name in names] + list(projections))
    members = {name: pathways[name] for name in order if _fits(projections[name])}
    if sum(len(projections[name].edges) for name in members) < _MANY:
        return None
    sources, heard = [], []
    for name in members:
        p = projections[name]
        late = p.delay is not None
        source = Source(name if late else p.pre, late, populations[p.pre].size)
        sources += [] if source in sources else [source]
        heard.append(sources.index(source))
    targets = tuple(path.targets for path in members.values())
    starts = np.cumsum([0, *(source.size for source in sources)])
    onto = np.cumsum([0, *targets])
    edges = [projections[name].edges for name in members]
    pre = [e.pre + starts[k] for e, k in zip(edges, heard, strict=True)]
    post = [
        (e.post if path.reached is None else np.searchsorted(np.unique(e.post), e.post)) + k
        for e, path, k in zip(edges, members.values(), onto, strict=False)
    ]
    outgoing = rows(np.concatenate(pre), np.concatenate(post), int(starts[-1]), int(onto[-1]))
    if outgoing is None:
        return None
    firsts = {name: int(starts[k]) for name, k in zip(members, heard, strict=True)}
    joined = {name: x for name, *x in zip(members, pre, post, strict=True)}
    tables = _tables(members, firsts, joined, int(starts[-1]))
    return Delivery(tuple(members), targets, tuple(sources), tables, outgoing)


def _tables(
    members: Mapping[str, Pathway], firsts: dict[str, int],
    edges: dict[str, list[np.ndarray]], size: int,
) -> tuple[Table, ...]:  # fmt: skip
    """Members one after the other that are laid out alike share a table.

    **Arguments:** `firsts`: where the signal of each begins in one of `size`; `edges`: cells of
    that one, and targets of all.
    """
    runs: list[tuple[Any, list[str]]] = []
    for name, path in members.items():
        assert path.fans is not None
        key = (path.fans.dense, path.fans.sums.kind, path.targets)
        if runs and runs[-1][0] == key:
            runs[-1][1].append(name)
        else:
            runs.append((key, [name]))
    found, onto = [], 0
    for (dense, kind, targets), names in runs:
        one = None
        if len(names) > 1 and not dense and kind != "scatter":
            pre, post = (np.concatenate([edges[name][k] for name in names]) for k in (0, 1))
            one = fans(pre, post - onto, size, len(names) * targets)
        onto += len(names) * targets
        if one is not None and not one.dense and one.sums.kind != "scatter":
            found.append(Table(tuple(names), 0, one))
            continue
        alone = [(name, members[name].fans) for name in names]
        found += [Table((name,), firsts[name], own) for name, own in alone if own is not None]
    return tuple(found)


def _fits(p: Projection) -> bool:
    """Linear, by spikes, of which the same arrive at all targets of a cell, and some edges."""
    alike = p.delay is None or jnp.ndim(p.delay) == 0
    return p.linear and p.hears_spikes and alike and len(p.edges) > 0
