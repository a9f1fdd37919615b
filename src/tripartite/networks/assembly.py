"""Checks the parts of a network against one another, and lays out what connects them."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.astrocytes import AbstractAstrocyte
from tripartite.cells import AbstractCell
from tripartite.core import AbstractRelaxation, prefix_leaves
from tripartite.core.arguments import require
from tripartite.core.errors import is_concrete
from tripartite.networks import astrocyte_steps
from tripartite.networks.couplings import Coupling
from tripartite.networks.delays import LineState, line
from tripartite.networks.pathway import Pathway, pathway
from tripartite.networks.population import Population, shared
from tripartite.networks.projection import Projection
from tripartite.synapses import AbstractLinearSynapse

if TYPE_CHECKING:
    from tripartite.networks.network import Network

Populations = dict[str, Population]
Projections = dict[str, Projection]


def named_populations(
    given: Mapping[str, AbstractRelaxation] | Iterable[tuple[str, AbstractRelaxation]],
) -> Populations:
    """**Raises:** `ValueError` for two of one name, none at all, or anything but units."""
    require("populations", given, Iterable)
    found: Populations = {}
    for name, part in _pairs(given):
        if name in found:
            raise ValueError(f"two populations are called {name!r}: give each its own name.")
        if "." in name or "->" in name:
            raise ValueError(
                f"a population's name is part of records' names, got {name!r}: no dot or arrow."
            )
        if not isinstance(part, AbstractRelaxation):
            raise ValueError(
                f"population {name!r} must be made by networks.population, got "
                f"{type(part).__name__}."
            )
        found[name] = part if isinstance(part, Population) else shared(part, 1)
    if not found:
        raise ValueError("a network needs at least one population.")
    return found


def _pairs(given: Any) -> Iterable[tuple[str, Any]]:
    return given.items() if isinstance(given, Mapping) else given


def named_projections(given: Iterable[Projection], populations: Populations) -> Projections:
    """**Raises:** `ValueError` for two of one name, or a population that is not there or unfit."""
    require("projections", given, Iterable)
    found: Projections = {}
    for p in given:
        if p.name in found or p.name in populations:
            raise ValueError(
                f"two parts are called {p.name!r}: give one of them another name, Projection(..., "
                "name=...)."
            )
        for end in (p.pre, p.post):
            _require(populations, end, AbstractCell, f"projection {p.name!r}", "cells")
        if p.astrocytes is not None:
            owner, worn = f"projection {p.name!r}", p.astrocytes.population
            _require(populations, worn, AbstractAstrocyte, owner, "astrocytes")
            if p.linear and not populations[worn].jumping():
                raise ValueError(
                    f"{owner}: {type(p.unit).__name__} spills no transmitter and is not modulated, "
                    f"and {worn!r} hears no spikes: use a TripartiteSynapse or its smooth form."
                )
        _require_dale(p, populations[p.post])
        found[p.name] = p
    return found


def _require(populations: Populations, name: str, kind: type, owner: str, what: str) -> None:
    if name not in populations:
        raise ValueError(
            f"{owner} names the population {name!r}, which the network does not have: it has "
            f"{', '.join(map(repr, populations))}."
        )
    if not isinstance(populations[name].unit, kind):
        raise ValueError(
            f"{owner} needs {what} in {name!r}, got {type(populations[name].unit).__name__}."
        )


def _require_dale(p: Projection, post: Population) -> None:
    """**Raises:** `ValueError` for a reversal on the wrong side of where the target starts."""
    if p.sign is None:
        return
    start = post.each(lambda cell: cell.voltage(cell.init()))
    units = p.receptors(post.size)
    at = start if p.linear or p.releasing else start[p.edges.post]
    _, reversal = units.each(lambda s, v: s.conductance(s.init(), v), at)
    if not (is_concrete(reversal) and is_concrete(at)):
        return
    above = np.asarray(reversal) > np.asarray(at)
    if np.any(above != (p.sign == "excitatory")):
        raise ValueError(
            f"projection {p.name!r} is {p.sign}, with a reversal of {np.unique(reversal)[0]} mV on "
            f"cells that start at {np.unique(at)[0]} mV: an excitatory one must lie above, an "
            "inhibitory one not; change the reversal or the sign."
        )


def checked_couplings(given: Iterable[Coupling], populations: Populations) -> tuple[Coupling, ...]:
    """**Raises:** `ValueError` for a population that is not there, unfit or too small."""
    require("couplings", given, Iterable)
    found = tuple(given)
    for c in found:
        kind, what = (
            (AbstractCell, "cells") if c.electrical() else (AbstractAstrocyte, "astrocytes")
        )
        _require(populations, c.population, kind, "a coupling", what)
        part = populations[c.population]
        c.require_within(part.size)
        if not c.electrical():
            # Raises for an astrocyte whose IP3 is its input.
            eqx.filter_eval_shape(lambda a: a.ip3(a.init()), part.unit)
    return found


def pathways(projections: Projections, populations: Populations) -> dict[str, Pathway]:
    """The tables of each projection."""
    # A cell with gates costs so much more than a conductance that spreading a few of them over all
    # cells is dearer than a conductance for each.
    few = membranes_alone(populations, projections)
    found = {}
    for name, p in projections.items():
        worn = None if p.astrocytes is None else populations[p.astrocytes.population].size
        n_pre, n_post = populations[p.pre].size, populations[p.post].size
        found[name] = pathway(p, n_pre, n_post, worn, few=few)
    return found


def served(projections: Projections, populations: Populations) -> dict[str, Array]:
    """How many synapses each astrocyte ensheathes, at least 1, of the populations that do."""
    counts: dict[str, np.ndarray] = {}
    for p in projections.values():
        if p.astrocytes is not None:
            name, index = p.astrocytes.population, p.astrocytes.astrocyte
            number = np.bincount(index[index >= 0], minlength=populations[name].size)
            counts[name] = counts.get(name, 0) + number
    return {name: jnp.asarray(np.maximum(n, 1), jnp.int32) for name, n in counts.items()}


def asked_for_spikes(projections: Projections) -> list[str]:
    """The populations whose spikes something hears; synapses of each edge hear both ends'."""
    names = set()
    for p in projections.values():
        if p.hears_spikes:
            names |= {p.pre} if p.linear else {p.pre, p.post}
    return sorted(names)


def asked_for_crossings(projections: Projections, populations: Populations) -> tuple[str, ...]:
    """Of those, the ones whose cells have no spike of their own."""

    def own(cell: Any) -> Any:
        return cell.ports(cell.init())

    return tuple(
        name
        for name in asked_for_spikes(projections)
        if "spike" not in eqx.filter_eval_shape(own, populations[name].unit)
    )


def membranes_alone(populations: Populations, projections: Projections) -> bool:
    """Whether the cells are of one block each, and all synapses linear."""

    def blocks(cell: Any) -> set[int | None]:
        return set(prefix_leaves(cell.blocks(), eqx.filter_eval_shape(cell.init)))

    cells = [p.unit for p in populations.values() if isinstance(p.unit, AbstractCell)]
    linear = all(isinstance(p.unit, AbstractLinearSynapse) for p in projections.values())
    return linear and all(blocks(cell) <= {0, None} for cell in cells)


def begun(network: "Network", dt: float | None) -> "Network":
    """The network with its weights laid out, its delays and astrocytes in steps of `dt` ms."""
    if dt is not None and dt <= 0:
        raise ValueError(f"dt must be positive, got {dt} ms.")
    for name, part in network.populations.items():
        ready = part.at_step(dt)
        if ready is not part:
            network = eqx.tree_at(lambda n, name=name: n.populations[name], network, ready)
    together = network.delivery
    if together is not None:
        laid = together.lay(network.projections)
        network = eqx.tree_at(lambda n: n.delivery.laid, network, laid, is_leaf=lambda x: x is None)
    network = eqx.tree_at(
        lambda n: n.astrocyte_steps,
        network,
        astrocyte_steps.steps_for(network, dt),
        is_leaf=lambda x: x is None or isinstance(x, astrocyte_steps.AstrocyteSteps),
    )
    for name, p in network.projections.items():
        if together is None or name not in together.members:
            network = eqx.tree_at(
                lambda n, name=name: n.pathways[name].laid,
                network,
                network.pathways[name].lay(p),
                is_leaf=lambda x: x is None,
            )
        moved = network.pathways[name].terminals
        if moved is not None:
            network = eqx.tree_at(
                lambda n, name=name: n.pathways[name].terminals,
                network,
                dataclasses.replace(moved, dt=dt),
            )
        if dt is None or p.delay is None or p.max_delay is None:
            continue
        found, delay = line(f"projection {name!r}", p.delay, p.max_delay, dt)
        network = eqx.tree_at(
            lambda n, name=name: (n.pathways[name].line, n.projections[name].delay),
            network,
            (found, delay),
            is_leaf=lambda x: x is None,
        )
    return network


def mapped(network: "Network") -> "Network":
    """The network without a look for who fired."""
    # Asked of the network itself: `tree_at` shows something else in the place of what is not there.
    apart = [name for name, path in network.pathways.items() if path.terminals is not None]

    def looks(n: "Network") -> list[Any]:
        return [n.delivery, *(n.pathways[name].terminals.outgoing for name in apart)]  # pyright: ignore[reportOptionalMemberAccess]

    none = [None] * len(looks(network))
    return eqx.tree_at(looks, network, none, is_leaf=lambda x: x is None)


def line_units(signal: str) -> Any:
    """Of the signals remembered, the slot and the time."""
    return LineState(signal, "1", "ms")  # pyright: ignore[reportArgumentType]
