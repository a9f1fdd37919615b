"""A network of populations, projections and couplings: itself a relaxation, like any cell."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.astrocytes import AbstractAstrocyte
from tripartite.cells import AbstractCell
from tripartite.core import (
    AbstractRelaxation,
    Cleft,
    Events,
    Membrane,
    Relaxation,
    as_membrane,
    constant,
)
from tripartite.core.progress import Waiting
from tripartite.networks import assembly, astrocyte_steps, firing, glia, groups
from tripartite.networks.astrocyte_steps import AstrocyteStep, AstrocyteSteps, Windows
from tripartite.networks.couplings import Coupling
from tripartite.networks.delivery import Delivery, delivery
from tripartite.networks.groups import Group
from tripartite.networks.pathway import Pathway, ProjectionState
from tripartite.networks.population import Population
from tripartite.networks.projection import Projection
from tripartite.networks.records import Probe, find_port


class NetworkState(NamedTuple):
    """The states of the parts, by name.

    `populations`; `armed`: what each cell's `Crossing` remembers, of populations that are asked for
    spikes and have none of their own; `projections`; `windows`, of astrocytes with a step of
    their own.
    """

    populations: dict[str, Any]
    armed: dict[str, Array]
    projections: dict[str, ProjectionState]
    windows: Windows | None = None


class Signals(NamedTuple):
    """What is read of a state before anything is relaxed."""

    v: dict[str, Array]
    clefts: dict[str, Cleft]
    inputs: dict[str, Any]


class Network(AbstractRelaxation):
    """Populations, the projections between them, and couplings within them.

    Evaluated in fixed lines: voltages; transmitter and gliotransmitter; conductances and drives;
    each part's own relaxation. Spikes act at the end of the step in which they were fired, or a
    delay later. An astrocyte hears the mean transmitter of the synapses it ensheathes.

    Its input is a dictionary: what a cell takes (a current, a `Membrane`), for astrocytes an
    `AstrocyteDrive` (`astrocytes.drive(...)`), a number being glutamate.

    **Arguments:**

    - `populations`: name to `Population` (a single unit is a population of one), or pairs.
    - `projections`: any number of `Projection`.
    - `couplings`: any number of `Coupling`.
    - `astrocyte_step`: on fixed steps, the step of the astrocytes in ms, a multiple of `dt`; `None`
        for `dt` itself; `"auto"`: 10 ms where there are cells and 100 units or more.

    **Raises:** `ValueError` for two parts of one name; a part of a population that is not there or
    of another kind; an index out of range; a reversal on the wrong side under Dale's law.
    """

    populations: dict[str, Population]
    projections: dict[str, Projection]
    couplings: tuple[Coupling, ...]
    pathways: dict[str, Pathway]
    served: dict[str, Array]
    delivery: Delivery | None
    alike: tuple[tuple[str, ...], ...] = eqx.field(static=True)
    groups: tuple[Group, ...]
    crossing: tuple[str, ...] = eqx.field(static=True)
    astrocyte_steps: AstrocyteSteps | None
    astrocyte_step: AstrocyteStep = constant(static=True)

    def __init__(
        self,
        populations: Mapping[str, AbstractRelaxation] | Iterable[tuple[str, AbstractRelaxation]],
        projections: Iterable[Projection] = (),
        couplings: Iterable[Coupling] = (),
        astrocyte_step: AstrocyteStep = "auto",
    ) -> None:
        with Waiting("building the network"):
            self.populations = assembly.named_populations(populations)
            self.projections = assembly.named_projections(projections, self.populations)
            self.couplings = assembly.checked_couplings(couplings, self.populations)
            self.pathways = assembly.pathways(self.projections, self.populations)
            self.served = assembly.served(self.projections, self.populations)
            self.alike = groups.alike(self.projections, self.pathways)
            self.delivery = delivery(self.projections, self.pathways, self.populations, self.alike)
            self.groups = ()
            self.crossing = assembly.asked_for_crossings(self.projections, self.populations)
            self.astrocyte_steps = None
            self.astrocyte_step = astrocyte_steps.checked_step(astrocyte_step, self)

    def at_step(self, dt: float | None) -> "Network":
        """The network with its delays counted in steps of `dt` (ms), its weights laid out.

        **Raises:** `ValueError` for a delay shorter than a step, or longer than its line; for an
        `astrocyte_step` that is no multiple of it.
        """
        return assembly.begun(self, dt)

    def mapped(self) -> "Network":
        """The network with all its edges added up at every step, for several solves at a time.

        Delivery by who fired would take as long in each of them as the busiest one needs.
        """
        return assembly.mapped(self)

    def packed(self) -> "Network":
        """The network on a state in which linear projections of one class are one array."""
        return eqx.tree_at(lambda n: n.groups, self, groups.groups(self))

    def pack(self, y: NetworkState) -> NetworkState:
        """The state of the packed network."""
        return groups.pack(self, y)

    def unpack(self, y: NetworkState) -> NetworkState:
        """The state by projection."""
        return groups.unpack(self, y)

    def init(self) -> NetworkState:
        """Every part at its own start; nothing under way.

        **Raises:** `ValueError` with delays whose step is not known yet.
        """
        populations = {name: part.init() for name, part in self.populations.items()}
        v = {name: self.voltage(name, populations) for name in self.cells()}
        armed = {name: self.populations[name].crossing.start(v[name]) for name in self.crossing}
        projections = {}
        for name, projection in self.projections.items():
            path, start = self.pathways[name], None
            if projection.delay is not None:
                if path.line is None:
                    raise ValueError(
                        f"projection {name!r} has a delay, which is remembered in steps: start "
                        "from network.at_step(dt).init(), or leave y0 to simulate."
                    )
                sent = v[projection.pre]
                start = path.line.init(jnp.zeros_like(sent) if projection.hears_spikes else sent)
            projections[name] = ProjectionState(path.init(projection), start)
        steps = self.astrocyte_steps
        windows = None if steps is None else steps.init(self, populations)
        return NetworkState(populations, armed, projections, windows)

    def blocks(self) -> NetworkState:
        """The units' own; synapses one later, with the gates of their cells.

        But before the cells, if no cell has gates and every synapse is linear: the symmetric sweep
        takes its last block whole and the others in halves, and halves of a conductance that only
        decays cost less than those of a membrane.
        """
        shift = -1 if assembly.membranes_alone(self.populations, self.projections) else 1
        apart = dict.fromkeys(self._apart())
        return NetworkState(
            {name: part.blocks() for name, part in self.populations.items()} | apart,
            dict.fromkeys(self.crossing),  # pyright: ignore[reportArgumentType]
            groups.blocks(self, shift),
            None if self.astrocyte_steps is None else self.astrocyte_steps.blocks(self),
        )

    def units(self) -> NetworkState:
        """The units' own, where they are declared."""
        lines = {
            name: ProjectionState(path.units(p, glia.UNDECLARED), self._line_unit(name))
            for (name, p), path in zip(
                self.projections.items(), self.pathways.values(), strict=True
            )
        }
        return NetworkState(
            {name: part.units() or glia.UNDECLARED for name, part in self.populations.items()},
            {name: self.populations[name].crossing.unit() for name in self.crossing},  # pyright: ignore[reportArgumentType]
            lines,
            None if self.astrocyte_steps is None else self.astrocyte_steps.units(self),
        )

    def _line_unit(self, name: str) -> Any:
        signal = "1" if self.projections[name].hears_spikes else "mV"
        return None if self.pathways[name].line is None else assembly.line_units(signal)

    def inputs(self) -> tuple[str, ...]:
        """The names of the populations."""
        return tuple(self.populations)

    def input_units(self) -> dict[str, Any]:
        """Each population's own."""
        return {name: part.input_units() for name, part in self.populations.items()}

    def ports(self, y: NetworkState) -> dict[str, PyTree[Array]]:
        """Those of every population, as `"exc.v"`."""
        return {
            f"{name}.{port}": value
            for name, part in self.populations.items()
            for port, value in part.ports(astrocyte_steps.recorded(self, y, name)).items()
        }

    def probe(self, name: str, at: Any = None) -> Probe:
        """What `record={"exc.v": at}` records: a port of a population or of a projection.

        **Arguments:** `name`: part and port, with a dot; `at`: an index, a list of them, a slice,
        or `None` for all.

        **Raises:** `ValueError` for an unknown name, with those that are known, or an index out of
        range.
        """
        return find_port(self, name, at)

    def part(self, name: str) -> Population:
        """The units of a population, or the synapses of a projection."""
        if name in self.populations:
            return self.populations[name]
        return self.pathways[name].synapses(self.projections[name])

    def jumping(self) -> tuple[str, ...]:
        """Cells with a reset, projections that hear spikes or have a delay, astrocytes apart."""
        cells = [
            f"population {name!r} ({', '.join(part.jumping())})"
            for name, part in self.populations.items()
            if part.jumping()
        ]
        apart = [f"population {name!r} (steps of its own)" for name in self._apart()]
        acting = [n for n, p in self.projections.items() if p.hears_spikes or p.delay is not None]
        projections = [f"projection {name!r}" for name in acting]
        return (*cells, *apart, *projections)

    def clocked(self) -> tuple[str, ...]:
        """Of those, what cannot be located: delays, clocks of synapses, astrocytes that jump."""
        return firing.clocked(self, self._apart())

    def located(self) -> bool:
        """Whether any cell fires by itself, or is heard to."""
        return bool(self.parts())

    def parts(self) -> tuple[tuple[str, int], ...]:
        """The populations that fire, and where each starts among the events; then their number."""
        return firing.parts(self)

    def flows(self) -> bool:
        """Whether all populations do, and nothing connects them."""
        alone = not (self.projections or self.couplings)
        return alone and all(part.flows() for part in self.populations.values())

    def events(self, t: Array, y: NetworkState, u: Any) -> Events:
        """Those of all cells, the populations end to end."""
        return firing.events(self, t, y, u)

    def occur(self, which: Array, t: Array, y: NetworkState, u: Any) -> NetworkState:
        """A cell fires, and its spikes arrive at once; or is ready again."""
        return firing.occur(self, which, t, y, u)

    def begin(self, t: Array, y: NetworkState) -> NetworkState:
        """Every population's own."""
        begun = {
            name: part.begin(t, y.populations[name]) for name, part in self.populations.items()
        }
        return y._replace(populations=y.populations | begun)

    def apart(self) -> str:
        """The astrocytes with a step of their own."""
        return astrocyte_steps.described(self)

    def _apart(self) -> list[str]:
        return [] if self.astrocyte_steps is None else astrocyte_steps.astrocytes(self)

    def noisy(self) -> bool:
        """Whether a population is."""
        return any(part.noisy() for part in self.populations.values())

    def diffusion(self, t: Array, y: NetworkState, u: Any) -> dict[str, Any]:
        """The noise of each population that has any."""
        inputs, apart = self.read(t, y, u).inputs, self._apart()
        found = {
            name: part.diffusion(t, y.populations[name], inputs[name])
            for name, part in self.populations.items()
            if part.noisy() and name not in apart
        }
        return found | astrocyte_steps.unit_noise(y.windows)

    def spread(self, y: NetworkState, kicks: dict[str, Any]) -> NetworkState:
        """Each population's own; nothing else is kicked."""
        still = jax.tree.map(jnp.zeros_like, y)
        moved = {
            name: self.populations[name].spread(y.populations[name], kick)
            for name, kick in kicks.items()
            if name not in self._apart()
        }
        windows = astrocyte_steps.kicked(still.windows, kicks)
        return still._replace(populations=still.populations | moved, windows=windows)

    def relax(self, t: Array, y: NetworkState, u: Any) -> Relaxation:
        """Every part's own, with what the others give it."""
        found, apart = self.read(t, y, u), self._apart()
        populations = {
            name: part.relax(t, y.populations[name], found.inputs[name])
            if name not in apart
            else astrocyte_steps.held(y.populations[name])
            for name, part in self.populations.items()
        }
        drives, decays = groups.relax(self, t, y, found.clefts, found.v)
        held = jax.tree.map(jnp.zeros_like, y.armed)
        windows = astrocyte_steps.listening(y.windows, found.inputs)
        return Relaxation(
            NetworkState(_drives(populations), held, drives, windows.drive),
            NetworkState(_decays(populations), held, decays, windows.decay),
        )

    def jump(self, t: Array, before: NetworkState, y: NetworkState, u: Any) -> NetworkState:
        """Cells reset and fire; spikes arrive at synapses; then astrocytes jump."""
        found = self.read(t, y, u)
        after = dict(y.populations)
        for name in self.cells():
            after[name] = self._reset(name, t, before, y, found.inputs[name])
        spikes, armed = firing.spikes(self, t, y, found.v, after)
        projections, arrived = groups.jump(self, t, before, y, found.clefts, found.v, spikes)
        given = {
            name: glia.with_spikes(self, name, found.inputs[name], arrived)
            for name in self.populations
            if name not in found.v
        }
        if self.astrocyte_steps is not None:
            moved, windows = self.astrocyte_steps.jump(self, t, y, given)
            return NetworkState(after | moved, armed, projections, windows)
        for name, u in given.items():
            after[name] = self._reset(name, t, before, y, u)
        return NetworkState(after, armed, projections)

    def _reset(self, name: str, t: Array, before: NetworkState, y: NetworkState, u: Any) -> Any:
        part, own = self.populations[name], y.populations[name]
        return part.jump(t, before.populations[name], own, u) if part.jumping() else own

    def cells(self) -> list[str]:
        """The names of the populations with a voltage."""
        return [n for n, part in self.populations.items() if isinstance(part.unit, AbstractCell)]

    def voltage(self, name: str, y: dict[str, Any]) -> Array:
        """Of the cells of a population, mV."""
        return self.populations[name].each(lambda cell, y: cell.voltage(y), y[name])

    def read(self, t: Array, y: NetworkState, u: Any) -> Signals:
        """The lines of the evaluation before the last."""
        v = {name: self.voltage(name, y.populations) for name in self.cells()}
        glio = {
            name: glia.gliotransmitter(self.populations[name], astrocyte_steps.read(y, name))
            for name in self.served
        }
        clefts = groups.clefts(self, t, y, v, glio)
        given, reaching = u or {}, groups.membranes(self, y, v)
        inputs = {
            name: self._input(name, y, v, given.get(name), reaching) for name in self.populations
        }
        return Signals(v, clefts, inputs)

    def _input(
        self, name: str, y: NetworkState, v: dict[str, Array], u: Any,
        reaching: dict[str, list[Membrane]],
    ) -> Any:  # fmt: skip
        """What reaches one population."""
        for x in jax.tree.leaves(u):
            if jnp.shape(x) and jnp.shape(x)[0] != self.populations[name].size:
                raise ValueError(
                    f"the stimulus of {name!r} has shape {jnp.shape(x)}, for "
                    f"{self.populations[name].size} units: give one number, or one for each"
                )
        if name in v:
            return _received(v[name], u, reaching[name])
        if isinstance(self.populations[name].unit, AbstractAstrocyte):
            return glia.drive(self, name, y, u)
        return u


def _received(v: Array, u: Any, reaching: list[Membrane]) -> Membrane:
    """The stimulus, and what the synapses and the electrical junctions give to cells."""
    current, conductance = as_membrane(u, v)
    for more in reaching:
        current, conductance = current + more.current, conductance + more.conductance
    return Membrane(current, conductance)


def _drives(parts: dict[str, Relaxation]) -> dict[str, Any]:
    return {name: part.drive for name, part in parts.items()}


def _decays(parts: dict[str, Relaxation]) -> dict[str, Any]:
    return {name: part.decay for name, part in parts.items()}
