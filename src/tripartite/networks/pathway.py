"""How one projection's signals move along its edges: nothing here is a parameter."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import Cleft, Membrane, Relaxation, constant
from tripartite.networks.delays import Line, LineState
from tripartite.networks.layout import Fans, Sums, fans, settled, sums
from tripartite.networks.population import Population
from tripartite.networks.projection import Projection
from tripartite.networks.terminals import Terminals, TerminalsState, terminals

# Up to this share of the cells of a population, only those that are reached have a state.
_FEW = 0.25


class ProjectionState(NamedTuple):
    """`synapses`: of each edge, or of each target; `line`: the delay's memory, if there is one."""

    synapses: Any
    line: LineState | None


class SharedState(NamedTuple):
    """`terminals`: of each edge, or a `TerminalsState`; `receptors`: of each target."""

    terminals: Any
    receptors: Any


class Pathway(eqx.Module):
    """The tables of one projection.

    **Arguments:** `pre`, `post`, `[edges]`; `fans` sums signals for synapses with one state per
    target; `into` sums what edges say to their targets; `astrocyte`, `[edges]`, one past the last
    for none, and `onto`, which sums what edges say to the astrocytes; `line` and
    `laid`, once a solve has begun: the delay's memory, and the weights as they are read; `targets`,
    how many states linear synapses have, of the cells `reached` if these are not all; `terminals`,
    of synapses that are moved at their spikes alone.
    """

    targets: int = eqx.field(static=True)
    fans: Fans | None
    into: Sums | None
    onto: Sums | None
    line: Line | None
    laid: Array | None
    terminals: Terminals | None
    pre: Array = constant()
    post: Array = constant()
    astrocyte: Array | None = constant()
    reached: Array | None = constant()

    def synapses(self, projection: Projection) -> Population:
        """The projection's synapses, as many as there are states."""
        return projection.synapses(self.targets)

    def init(self, projection: Projection) -> Any:
        """The synapses at their start."""
        found = _each(projection, self, lambda part: part.init())
        if self.terminals is None:
            return found
        return found._replace(terminals=self.terminals.init(self._terminal(projection)))

    def blocks(self, projection: Projection) -> Any:
        """The units' own."""
        found = _each(projection, self, lambda part: part.blocks())
        if self.terminals is None:
            return found
        return found._replace(terminals=self.terminals.blocks(self._terminal(projection)))

    def units(self, projection: Projection, undeclared: str) -> Any:
        """The units' own, where they are declared."""
        found = _each(projection, self, lambda part: part.units() or undeclared)
        if self.terminals is None:
            return found
        terminal = self._terminal(projection)
        return found._replace(terminals=self.terminals.units(terminal, undeclared))

    def _terminal(self, projection: Projection) -> Any:
        return self.synapses(projection).unit

    def now(self, projection: Projection, y: Any) -> Any:
        """The synapses' state, or their terminals', as it is now: one for each of `synapses`."""
        if self.terminals is not None:
            return self.terminals.now(self._terminal(projection), y.terminals)
        return y.terminals if isinstance(y, SharedState) else y

    def cleft(
        self, projection: Projection, y: ProjectionState, t: Array, v: Array, v_post: Array,
        gliotransmitter: Array | None,
    ) -> Cleft:  # fmt: skip
        """What the synapses hear within a step: voltages or rates, and gliotransmitter."""
        none = jnp.zeros((), v_post.dtype)
        trigger = projection.trigger
        if not projection.hears_spikes and self.line is not None:
            v = self.line.read(_remembered(y), projection.delay, t, self.pre)
        if self.fans is not None:
            # Settled: the rates would be worked out anew at each edge.
            rate = none if trigger is None else self.arriving(projection, settled(trigger(v)))
            return Cleft(none, self._at_targets(v_post), none, none, none, rate, none)
        if self.terminals is not None:
            heard = none if gliotransmitter is None else jnp.append(gliotransmitter, none)
            return Cleft(none, none, none, heard, none, none, none)
        v = self._along(v)
        rate = none if trigger is None else trigger(v)
        modulation = none
        if self.astrocyte is not None and gliotransmitter is not None:
            modulation = jnp.append(gliotransmitter, none)[self.astrocyte]
        return Cleft(v, v_post[self.post], none, modulation, none, rate, none)

    def lay(self, projection: Projection) -> Array:
        """The weights as the layout reads them."""
        if self.terminals is not None and self.terminals.outgoing is not None:
            return self.terminals.outgoing.lay(projection.weight)
        return projection.weight if self.fans is None else self.fans.lay(projection.weight)

    def arriving(self, projection: Projection, signal: Array) -> Array:
        """The weighted sum at each target, of a signal `[n_pre]` or, with delays, `[edges]`."""
        assert self.fans is not None
        if self._per_edge():
            return self.fans.sums(projection.weight * signal)
        return self.fans(self.lay(projection) if self.laid is None else self.laid, signal)

    def membrane(self, projection: Projection, y: ProjectionState, v_post: Array) -> Membrane:
        """What the cells of `post` receive."""
        by_edge = self.into is not None and not projection.releasing
        at = v_post[self.post] if by_edge else self._at_targets(v_post)
        own = y.synapses.receptors if projection.releasing else y.synapses
        found = projection.receptors(self.targets).each(_membrane, own, at)
        if self.reached is not None:
            none = jnp.zeros_like(v_post)
            return Membrane(*(none.at[self.reached].set(x) for x in found))
        if not by_edge:
            return found
        assert self.into is not None
        weight = projection.weight if self.laid is None else self.laid
        return Membrane(self.into(weight * found.current), self.into(weight * found.conductance))

    def spilled(self, projection: Projection, y: ProjectionState) -> Array:
        """The transmitter at each astrocyte, summed over its edges (uM)."""
        assert self.onto is not None
        if self.into is None:
            return jnp.zeros((self.onto.targets,), jnp.result_type(projection.weight))
        own = y.synapses.terminals if projection.releasing else y.synapses
        if isinstance(own, TerminalsState):
            assert own.spilled is not None
            return own.spilled
        return self.onto(self.synapses(projection).each(_transmitter, own))

    def relax(
        self, projection: Projection, t: Array, y: ProjectionState, cleft: Cleft, v_post: Array
    ) -> Any:
        """The synapses' own; the line is held. **Arguments:** `v_post`, of the cells of `post`."""
        held = held_line(y.line)
        edges = self.synapses(projection)
        if projection.releasing:
            own = y.synapses.terminals
            if self.terminals is None:
                first = edges.relax(t, own, cleft)
            else:
                first = self.terminals.relax(self._terminal(projection), t, own, cleft.modulation)
            quiet = _at_receptors(v_post)
            then = projection.receptors(self.targets).relax(t, y.synapses.receptors, quiet)
            drive, decay = (
                SharedState(first.drive, then.drive), SharedState(first.decay, then.decay)
            )  # fmt: skip
        else:
            found = edges.relax(t, y.synapses, cleft)
            drive, decay = found.drive, found.decay
        return Relaxation(ProjectionState(drive, held), ProjectionState(decay, held))

    def write(self, y: ProjectionState, said: Array, t: Array) -> LineState | None:
        """The line, if there is one, with what was `said` at the end of this step, at `t`."""
        return y.line if self.line is None else self.line.write(_remembered(y), said, t)

    def arrivals(
        self, projection: Projection, line: LineState | None, said: Array, t: Array
    ) -> Array:
        """The spikes that arrive at `t`: `[n_pre]` or, with a delay for each edge, `[edges]`."""
        if self.line is None or line is None:
            return said
        return self.line.read(line, projection.delay, t, self.pre)

    def jump(
        self, projection: Projection, t: Array, before: Any, y: Any, cleft: Cleft, said: Array,
        arrived: Array | None, v_post: Array, post_spike: Array | None,
    ) -> Any:  # fmt: skip
        """The synapses after the arrivals at `t`.

        **Arguments:** `before` and `y`, the synapses' states; `said`, the spikes that arrive;
        `arrived`, their weighted sum at each target, if it is known; `v_post` and `post_spike`,
        the voltages and the spikes of the cells of `post`.
        """
        if self.terminals is not None:
            return self._events(projection, t, before, y, said, v_post)
        if self.fans is not None:
            if arrived is None:
                arrived = self.arriving(projection, self.copied(said))
            heard = cleft._replace(spike=arrived)
        else:
            post = cleft.post_spike if post_spike is None else post_spike[self.post]
            heard = cleft._replace(spike=self._along(self.copied(said)), post_spike=post)
        if not projection.releasing:
            return self.synapses(projection).jump(t, before, y, heard)
        return self._release(projection, t, before, y, heard, v_post)

    def amounts(self, projection: Projection, said: Array) -> Array:
        """The weighted arrivals at each edge."""
        return projection.weight * self._along(said)

    def _release(
        self, projection: Projection, t: Array, before: SharedState, y: SharedState, heard: Cleft,
        v_post: Array,
    ) -> SharedState:  # fmt: skip
        """The terminals after a spike, and the receptors after all that they released."""
        assert self.into is not None
        edges, receptors = self.synapses(projection), projection.receptors(self.targets)
        out = edges.each(lambda synapse, y, u: synapse.released(y, u), y.terminals, heard)
        sums = self.into((projection.weight if self.laid is None else self.laid) * out)
        got = _at_receptors(v_post)._replace(spike=sums)
        return SharedState(
            edges.jump(t, before.terminals, y.terminals, heard),
            receptors.jump(t, before.receptors, y.receptors, got),
        )

    def _events(
        self, projection: Projection, t: Array, before: SharedState, y: SharedState, said: Array,
        v_post: Array,
    ) -> SharedState:  # fmt: skip
        """Of terminals that move at spikes alone."""
        assert self.terminals is not None
        laid = self.lay(projection) if self.laid is None else self.laid
        moved, sums = self.terminals.jump(
            self._terminal(projection), projection.weight, laid, y.terminals, said
        )
        receptors = projection.receptors(self.targets)
        got = _at_receptors(v_post)._replace(spike=sums)
        return SharedState(moved, receptors.jump(t, before.receptors, y.receptors, got))

    def copied(self, said: Array) -> Array:
        """The same signal, computed before it is read along edges, where that is worth it."""
        # Worth it only where each cell is read more often than it is computed.
        return settled(said) if not self._per_edge() and self.pre.size > said.size else said

    def _at_targets(self, v_post: Array) -> Array:
        """Of the cells of `post`, those that have a state."""
        return v_post if self.reached is None else v_post[self.reached]

    def _along(self, signal: Array) -> Array:
        """From `[n_pre]` to `[edges]`, if it is not there yet."""
        return signal if self._per_edge() else signal[self.pre]

    def _per_edge(self) -> bool:
        return self.line is not None and self.line.per_edge


def held_line(line: LineState | None) -> LineState | None:
    """The coefficients of a line, which no step moves."""
    return None if line is None else LineState(*(jnp.zeros_like(x) for x in line))


def _each(projection: Projection, path: Pathway, function: Any) -> Any:
    """A function of the synapses: where they share receptors, of the terminals and of those."""
    synapses = function(path.synapses(projection))
    if not projection.releasing:
        return synapses
    return SharedState(synapses, function(projection.receptors(path.targets)))


def _at_receptors(v_post: Array) -> Cleft:
    """What receptors hear that terminals share, between spikes: the voltage of their cell."""
    none = jnp.zeros((), v_post.dtype)
    return Cleft(none, v_post, none, none, none, none, none)


def _membrane(synapse: Any, y: Any, v_post: Array) -> Membrane:
    return synapse.membrane(y, v_post)


def _transmitter(synapse: Any, y: Any) -> Array:
    return synapse.transmitter(y)


def _remembered(y: ProjectionState) -> LineState:
    assert y.line is not None
    return y.line


def pathway(
    projection: Projection, n_pre: int, n_post: int, n_astrocytes: int | None, *, few: bool
) -> Pathway:
    """The tables for populations of these sizes.

    **Arguments:** `few`: whether cells that no edge reaches may do without a state.

    **Raises:** `ValueError` for an edge from, to or with a unit that is not there.
    """
    edges, name = projection.edges, projection.name
    edges.require_within(n_pre, n_post, name)
    astrocyte = onto = None
    if projection.astrocytes is not None and n_astrocytes is not None:
        given = projection.astrocytes.astrocyte
        if given.size and given.max() >= n_astrocytes:
            raise ValueError(
                f"{name}: an edge has astrocyte {given.max()}, and there are {n_astrocytes} in "
                f"{projection.astrocytes.population!r}, counted from 0."
            )
        astrocyte = jnp.asarray(np.where(given < 0, n_astrocytes, given), jnp.int32)
        onto = sums(given, n_astrocytes)
    targets, post, reached = n_post, edges.post, None
    if projection.linear:
        cells = np.unique(edges.post)
        if few and 0 < len(cells) <= _FEW * n_post:
            targets, post = len(cells), np.searchsorted(cells, edges.post)
            reached = jnp.asarray(cells, jnp.int32)
    into = None if projection.linear else sums(edges.post, n_post)
    return Pathway(
        targets,
        fans(edges.pre, post, n_pre, targets) if projection.linear else None,
        into,
        onto,
        None,
        None,
        terminals(projection, n_pre, n_post, into, onto, astrocyte),
        jnp.asarray(edges.pre, jnp.int32),
        jnp.asarray(edges.post, jnp.int32),
        astrocyte,
        reached,
    )
