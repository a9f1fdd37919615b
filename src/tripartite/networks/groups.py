"""What projections do in a step: those alike as one, with their states in a stack, others alone."""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import Cleft, Membrane, Relaxation
from tripartite.networks.pathway import Pathway, ProjectionState, held_line
from tripartite.networks.population import shared
from tripartite.networks.projection import Projection

if TYPE_CHECKING:
    from tripartite.networks.network import Network, NetworkState

Voltages = dict[str, Array]


class GroupedState(NamedTuple):
    """`apart`: by projection, with `None` for synapses in a stack; `stacks`: one for each group."""

    apart: dict[str, ProjectionState]
    stacks: tuple[Any, ...]


class Group(eqx.Module):
    """Linear projections of one class, each onto as many cells: their synapses are one array.

    **Arguments:** `members`, their names, in order of the populations that they go to; `posts`:
    those, and how many go there; `targets`: how many states each has; `unit`: one synapse, with
    an axis `[members]` on each parameter.
    """

    members: tuple[str, ...] = eqx.field(static=True)
    posts: tuple[tuple[str, int], ...] = eqx.field(static=True)
    targets: int = eqx.field(static=True)
    unit: Any

    def each(self, function: Any, *args: Any) -> Any:
        """`function(unit, *args)` for every state: of arrays `[members, targets]`."""
        arrays, rest = eqx.partition(self.unit, eqx.is_array)

        def one(arrays: Any, *args: Any) -> Any:
            return shared(eqx.combine(arrays, rest), self.targets).each(function, *args)

        axes = (0, *(jax.tree.map(lambda x: 0 if jnp.ndim(x) else None, arg) for arg in args))
        return jax.vmap(one, in_axes=axes, axis_size=len(self.members))(arrays, *args)

    def relax(self, t: Array, y: Any, v: Voltages) -> Relaxation:
        """The synapses' own."""
        return self.each(lambda synapse, y, u: synapse.relax(t, y, u), y, self._cleft(v))

    def jump(self, t: Array, before: Any, y: Any, v: Voltages, arrived: Array) -> Any:
        """The synapses after the sums of spikes that `arrived` at each member's targets."""
        u = self._cleft(v)._replace(spike=arrived)

        def jump(synapse: Any, before: Any, y: Any, u: Cleft) -> Any:
            return synapse.jump(t, before, y, u)

        return self.each(jump, before, y, u)

    def membranes(self, y: Any, v: Voltages) -> dict[str, Membrane]:
        """What the cells of each population receive of all members together."""
        at = self._cleft(v).v_post
        each, found, first = self.each(lambda s, y, v: s.membrane(y, v), y, at), {}, 0
        for post, number in self.posts:
            rows = slice(first, first + number)
            found[post] = Membrane(*(jnp.sum(x[rows], axis=0) for x in each))
            first += number
        return found

    def _cleft(self, v: Voltages) -> Cleft:
        rows = jnp.concatenate(
            [jnp.broadcast_to(v[post], (n, self.targets)) for post, n in self.posts]
        )
        none = jnp.zeros((), rows.dtype)
        return Cleft(none, rows, none, none, none, none, none)


def alike(
    projections: dict[str, Projection], pathways: dict[str, Pathway]
) -> tuple[tuple[str, ...], ...]:
    """Two projections or more that hear spikes, of one class, onto equally many cells; by target.

    To be asked for as a network is made: a dictionary that has been through `jit` is in another
    order, and those that follow each other in the delivery of spikes are read without a copy.
    """
    found: list[tuple[Any, list[str]]] = []
    for name, p in projections.items():
        path = pathways[name]
        if not (p.linear and p.hears_spikes and path.reached is None and len(p.edges) > 0):
            continue
        leaves, structure = jax.tree.flatten(p.synapse)
        shapes = [(jnp.shape(x), jnp.result_type(x)) for x in leaves]
        # With a delay of its own for each edge it is not delivered with the others.
        key = (structure, shapes, path.targets, p.delay is not None and jnp.ndim(p.delay) > 0)
        known = next((names for other, names in found if other == key), None)
        if known is None:
            found.append((key, [name]))
        else:
            known.append(name)
    return tuple(
        tuple(sorted(names, key=lambda name: projections[name].post))
        for _, names in found
        if len(names) > 1
    )


def groups(network: "Network") -> tuple[Group, ...]:
    """The synapses of projections that are alike."""
    return tuple(_group(network, members) for members in network.alike)


def _group(network: "Network", members: tuple[str, ...]) -> Group:
    projections = network.projections
    posts = [projections[name].post for name in members]
    counted = tuple((post, posts.count(post)) for post in sorted(set(posts)))
    unit = jax.tree.map(lambda *x: jnp.stack(x), *(projections[name].synapse for name in members))
    return Group(members, counted, network.pathways[members[0]].targets, unit)


def pack(network: "Network", y: "NetworkState") -> "NetworkState":
    """The state with what is in groups stacked."""
    if not network.groups:
        return y
    inside = _members(network)
    apart = {
        name: own._replace(synapses=None) if name in inside else own
        for name, own in y.projections.items()
    }
    stacks = tuple(
        jax.tree.map(lambda *x: jnp.stack(x), *(y.projections[name].synapses for name in g.members))
        for g in network.groups
    )
    return y._replace(projections=GroupedState(apart, stacks))


def unpack(network: "Network", y: "NetworkState") -> "NetworkState":
    """The state by projection again."""
    if not isinstance(y.projections, GroupedState):
        return y
    states = dict(y.projections.apart)
    for group, stack in zip(network.groups, y.projections.stacks, strict=True):
        for k, name in enumerate(group.members):
            own = jax.tree.map(lambda x, k=k: x[k], stack)
            states[name] = states[name]._replace(synapses=own)
    return y._replace(projections=states)


def apart(y: "NetworkState") -> dict[str, ProjectionState]:
    """The states by projection: the synapses of those that are in no group."""
    return y.projections.apart if isinstance(y.projections, GroupedState) else y.projections


def _members(network: "Network") -> set[str]:
    return {name for group in network.groups for name in group.members}


def _alone(network: "Network") -> dict[str, tuple[Projection, Pathway]]:
    """The projections that are in no group."""
    inside = _members(network)
    parts = network.projections.items()
    return {name: (p, network.pathways[name]) for name, p in parts if name not in inside}


def blocks(network: "Network", shift: int) -> Any:
    """The synapses' own, so much later."""

    def later(k: Any) -> Any:
        return jax.tree.map(lambda k: k + shift, k)

    found = dict.fromkeys(network.projections, ProjectionState(None, None))
    for name, (p, path) in _alone(network).items():
        found[name] = ProjectionState(later(path.blocks(p)), None)
    if not network.groups:
        return found
    return GroupedState(found, tuple(later(group.unit.blocks()) for group in network.groups))


def clefts(
    network: "Network", t: Array, y: "NetworkState", v: Voltages, glio: dict[str, Array]
) -> dict[str, Cleft]:
    """What each projection in no group hears within a step."""
    found, own = {}, apart(y)
    for name, (p, path) in _alone(network).items():
        modulation = None if p.astrocytes is None else glio[p.astrocytes.population]
        found[name] = path.cleft(p, own[name], t, v[p.pre], v[p.post], modulation)
    return found


def membranes(network: "Network", y: "NetworkState", v: Voltages) -> dict[str, list[Membrane]]:
    """What synapses and electrical junctions give to each population of cells."""
    found, own = {name: [] for name in v}, apart(y)
    for name, (p, path) in _alone(network).items():
        found[p.post].append(path.membrane(p, own[name], v[p.post]))
    if isinstance(y.projections, GroupedState):
        for group, stack in zip(network.groups, y.projections.stacks, strict=True):
            for post, more in group.membranes(stack, v).items():
                found[post].append(more)
    for c in network.couplings:
        if c.population in v:
            found[c.population].append(c.membrane(v[c.population]))
    return found


def relax(
    network: "Network", t: Array, y: "NetworkState", heard: dict[str, Cleft], v: Voltages
) -> tuple[Any, Any]:
    """The drives and the decays of all projections, in the layout of their state."""
    own, drives, decays = apart(y), {}, {}
    for name, p in network.projections.items():
        if name in heard:
            found = network.pathways[name].relax(p, t, own[name], heard[name], v[p.post])
        else:
            still = ProjectionState(None, held_line(own[name].line))
            found = Relaxation(still, still)
        drives[name], decays[name] = found.drive, found.decay
    if not isinstance(y.projections, GroupedState):
        return drives, decays
    rows = zip(network.groups, y.projections.stacks, strict=True)
    moved = [group.relax(t, stack, v) for group, stack in rows]
    return (
        GroupedState(drives, tuple(x.drive for x in moved)),
        GroupedState(decays, tuple(x.decay for x in moved)),
    )


def jump(
    network: "Network", t: Array, before: "NetworkState", y: "NetworkState",
    heard: dict[str, Cleft], v: Voltages, spikes: dict[str, Array],
) -> tuple[Any, dict[str, Array]]:  # fmt: skip
    """The projections after what arrives at `t`, and weighted spikes at edges under astrocytes."""
    lines, arriving, own = {}, {}, apart(y)
    for name, p in network.projections.items():
        said = (spikes if p.hears_spikes else v)[p.pre]
        path = network.pathways[name]
        lines[name] = path.write(own[name], said, t)
        if p.hears_spikes:
            arriving[name] = path.arrivals(p, lines[name], said, t)
    together, total = network.delivery, jnp.zeros(0)
    if together is not None:
        total = together(network.projections, spikes, arriving)
    synapses, amounts, earlier = {n: state.synapses for n, state in own.items()}, {}, apart(before)
    for name, said in arriving.items():
        p, path = network.projections[name], network.pathways[name]
        if p.astrocytes is not None:
            amounts[name] = path.amounts(p, said)
        if name in heard:
            got = None
            if together is not None and name in together.members:
                got = together.rows(total, (name,))[0]
            synapses[name] = path.jump(
                p, t, earlier[name].synapses, synapses[name], heard[name], said, got,
                v[p.post], spikes.get(p.post),
            )  # fmt: skip
    states = {name: ProjectionState(synapses[name], lines[name]) for name in lines}
    now, was = y.projections, before.projections
    if not (isinstance(now, GroupedState) and isinstance(was, GroupedState)):
        return states, amounts
    rows = zip(network.groups, was.stacks, now.stacks, strict=True)
    stacks = []
    for group, last, stack in rows:
        if together is not None and group.members[0] in together.members:
            got = together.rows(total, group.members)
        else:
            got = jnp.stack([_arriving(network, name, arriving[name]) for name in group.members])
        stacks.append(group.jump(t, last, stack, v, got))
    return GroupedState(states, tuple(stacks)), amounts


def _arriving(network: "Network", name: str, said: Array) -> Array:
    path = network.pathways[name]
    return path.arriving(network.projections[name], path.copied(said))
