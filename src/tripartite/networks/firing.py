"""Who fires in a network, and what the spikes do where they arrive: in steps, or located."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import Events
from tripartite.networks import assembly, groups

if TYPE_CHECKING:
    from tripartite.networks.network import Network, NetworkState, Signals


def spikes(
    network: "Network", t: Array, y: "NetworkState", v: dict[str, Array], after: dict[str, Any]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Who fired in a step, of the populations that are asked, and who is armed."""
    found, armed = {}, {}
    for name in assembly.asked_for_spikes(network.projections):
        part = network.populations[name]
        if name in network.crossing:
            settled = network.voltage(name, after)
            found[name], armed[name] = part.crossing(y.armed[name], v[name], settled, t)
        else:
            found[name] = part.ports(after[name])["spike"]
    return found, armed


def parts(network: "Network") -> tuple[tuple[str, int], ...]:
    """The populations that fire and where each starts, counted end to end; then their number."""
    found, start = [], 0
    for name in network.cells():
        part = network.populations[name]
        if part.located() or name in network.crossing:
            found.append((name, start))
            start += part.size
    return (*found, ("", start)) if found else ()


def clocked(network: "Network", apart: list[str]) -> tuple[str, ...]:
    """What needs a fixed step, by name."""
    cells = network.cells()
    found = []
    for name, part in network.populations.items():
        needs = part.clocked() if name in cells else part.jumping()
        if name in network.crossing and not part.crossing.located():
            needs = (*needs, type(part.crossing).__name__)
        elif name in network.crossing and part.located():
            # Two kinds of event of one cell: its reset, and what others hear of it.
            needs = (*needs, "a reset that is not what its targets hear")
        if needs:
            found.append(f"population {name!r} ({', '.join(needs)})")
    found += [f"population {name!r} (steps of its own)" for name in apart]
    for name, p in network.projections.items():
        needs = p.unit.timed() if p.hears_spikes else ()
        if p.releasing:
            # Their state holds an empty part, which diffrax's adaptive loops do not take.
            needs = (*needs, "terminals that share receptors")
        if p.delay is not None or needs:
            found.append(f"projection {name!r} ({', '.join(needs) or 'a delay'})")
    return tuple(found)


def events(network: "Network", t: Array, y: "NetworkState", u: Any) -> Events:
    """Those of all cells, the populations end to end."""
    own = list(_each(network, t, y, network.read(t, y, u)).values())
    return Events(*(jnp.concatenate(field) for field in zip(*own, strict=True)))


def _each(network: "Network", t: Array, y: "NetworkState", read: "Signals") -> dict[str, Events]:
    found = {}
    for name, _ in parts(network)[:-1]:
        part = network.populations[name]
        if name in network.crossing:
            own = part.crossing.events(y.armed[name], read.v[name], t)
        else:
            own = part.events(t, y.populations[name], read.inputs[name])
        assert own is not None
        found[name] = own
    return found


def occur(network: "Network", which: Array, t: Array, y: "NetworkState", u: Any) -> "NetworkState":
    """A cell fires, and its spikes arrive at once; or is ready again."""
    read, starts = network.read(t, y, u), dict(parts(network))
    after, armed, fired = dict(y.populations), dict(y.armed), {}
    for name, own in _each(network, t, y, read).items():
        part = network.populations[name]
        mine = which[starts[name] : starts[name] + part.size]
        fired[name] = (mine & own.spikes).astype(own.distance.dtype)
        if name in network.crossing:
            armed[name] = part.crossing.occur(y.armed[name], mine, t)
        else:
            after[name] = part.occur(mine, t, y.populations[name], read.inputs[name])
    projections, _ = groups.jump(network, t, y, y, read.clefts, read.v, fired)
    return y._replace(populations=after, armed=armed, projections=projections)
