"""Terminals moved at their spikes alone, and what astrocytes bind once for each of these."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from tripartite.core import Cleft, Relaxation, constant
from tripartite.core.numerics import exponential_weights
from tripartite.networks.events import Rows, fired, rows
from tripartite.networks.layout import Sums
from tripartite.networks.projection import Projection
from tripartite.synapses import AbstractEventTerminal

# With fewer edges than this, to move them all costs no more than to look for who fired.
_MANY = 8192

# A terminal that has been left alone for so many of its shortest time constants is brought up to
# date: a derivative is carried back over that time by a growing exponential, exp(20) at most.
_STALE = 20.0


class TerminalsState(NamedTuple):
    """Terminals that are moved at their spikes alone.

    `held`: of each edge, as its cell's last spike left it; `age`, `[cells of pre]`: the steps
    since; `bound`: what gliotransmitter moves, of each astrocyte and, last, without one;
    `spilled`: the transmitter at each astrocyte, summed over its edges (uM).
    """

    held: Any
    age: Array
    bound: Any
    spilled: Array | None


class _Result(NamedTuple):
    """`held` and `age` after a step; the weighted releases at each target; what spilled."""

    held: Any
    age: Array
    sums: Array
    spilled: Array | None


class Terminals(eqx.Module):
    """The tables of one projection's terminals.

    **Arguments:** `outgoing`: the edges of each cell in a row, `None` to move all at every step;
    `dt`: the step in ms, once a solve has begun; `into` and `onto`: what sums edges at targets and
    at astrocytes; `senders` and `astrocytes`: how many there are; `pre`, `[edges]`; `worn`, the
    astrocyte of each edge, one past the last for none.
    """

    outgoing: Rows | None
    into: Sums
    onto: Sums | None
    senders: int = eqx.field(static=True)
    astrocytes: int = eqx.field(static=True)
    dt: float | None = eqx.field(static=True)
    pre: Array = constant()
    worn: Array = constant()

    def init(self, synapse: AbstractEventTerminal) -> TerminalsState:
        """All at rest, nobody having fired."""
        start = synapse.init()
        zero = jnp.zeros_like(jax.tree.leaves(start)[0])

        def each(y: Any, number: int) -> Any:
            return jax.tree.map(lambda x: jnp.broadcast_to(x, (number, *x.shape)), y)

        return TerminalsState(
            each(synapse.with_bound(start, None), self.pre.size),
            each(zero, self.senders),
            each(synapse.bound(start), self.astrocytes + 1),
            None if self.onto is None else each(zero, self.astrocytes),
        )

    def blocks(self, synapse: AbstractEventTerminal) -> TerminalsState:
        """What moves at spikes is held within a step; the rest is integrated first."""
        bound = None if synapse.bound(synapse.init()) is None else 0
        return TerminalsState(None, None, bound, None if self.onto is None else 0)  # pyright: ignore[reportArgumentType]

    def units(self, synapse: AbstractEventTerminal, undeclared: str) -> TerminalsState:
        """The synapse's own, steps, and uM."""
        found, spilled = synapse.units(), None if self.onto is None else "uM"
        held = synapse.with_bound(found, None) if found else undeclared
        bound = synapse.bound(found) if found else undeclared
        return TerminalsState(held, "1", bound, spilled)  # pyright: ignore[reportArgumentType]

    def relax(
        self, synapse: AbstractEventTerminal, t: Array, y: TerminalsState, modulation: Array
    ) -> Relaxation:
        """Binding and clearance. **Arguments:** `modulation`, one number, or as `bound` (uM)."""
        still = jax.tree.map(jnp.zeros_like, y)
        drive = decay = still
        if y.bound is not None:
            everywhere = synapse.with_bound(synapse.init(), y.bound)
            found = synapse.relax(t, everywhere, _quiet(y.age)._replace(modulation=modulation))
            drive = drive._replace(bound=synapse.bound(found.drive))
            decay = decay._replace(bound=synapse.bound(found.decay))
        if y.spilled is not None:
            decay = decay._replace(spilled=synapse.clearing() + still.spilled)
        return Relaxation(drive, decay)

    def now(self, synapse: AbstractEventTerminal, y: TerminalsState) -> Any:
        """Every edge's terminal as it is now, `[edges]`.

        **Raises:** `ValueError` before the step is known.
        """
        bound = jax.tree.map(lambda x: x[self.worn], y.bound)
        held = _moved(y.held, _alone(synapse, y.age), self._elapsed(y.age)[self.pre])
        return synapse.with_bound(held, bound)

    def jump(
        self, synapse: AbstractEventTerminal, weight: Array, laid: Array, y: TerminalsState,
        spikes: Array,
    ) -> tuple[TerminalsState, Array]:  # fmt: skip
        """The terminals after the `spikes`, `[cells]`; the weighted releases at each target."""
        age = y.age + 1.0
        fastest = jax.tree.leaves(_alone(synapse, age).decay)
        late = self._elapsed(age) * jnp.max(jnp.stack(fastest)) > _STALE
        touched = jax.lax.stop_gradient((spikes != 0) | late)
        given = _Given(self, synapse, weight, laid, y.held, age, y.bound, spikes)
        found = _fire(given, touched)
        spilled = None if y.spilled is None else y.spilled + found.spilled
        return TerminalsState(found.held, found.age, y.bound, spilled), found.sums

    def _elapsed(self, age: Array) -> Array:
        """The time (ms) since each cell's last spike."""
        if self.dt is None:
            raise ValueError(
                "terminals that move at spikes count steps since the last one: read them after "
                "network.at_step(dt)."
            )
        return self.dt * age


class _Given(NamedTuple):
    """What decides how terminals move at the end of a step."""

    tables: Terminals
    synapse: AbstractEventTerminal
    weight: Array
    laid: Array
    held: Any
    age: Array
    bound: Any
    spikes: Array


def _all(given: _Given, touched: Bool[Array, " cells"]) -> _Result:
    """Every edge, whether its cell fired or not: differentiable.

    An edge left alone has a derivative by its cell's spike, too: what that would have changed now,
    carried back to the time of which the state is.
    """
    tables, synapse, age = given.tables, given.synapse, given.age
    elapsed, here = tables._elapsed(age)[tables.pre], touched[tables.pre]
    bound = jax.tree.map(lambda x: x[tables.worn], given.bound)
    alone = _alone(synapse, age)
    was = _moved(given.held, alone, elapsed)
    now, released, spilled = _after(synapse, was, bound, given.spikes[tables.pre])

    def kept(held: Array, now: Array, was: Array, decay: Array) -> Array:
        return jnp.where(here, now, held + (now - was) * jnp.exp(decay * elapsed))

    return _Result(
        jax.tree.map(kept, given.held, now, was, alone.decay),
        jnp.where(touched, 0.0, age),
        tables.into(given.weight * released),
        None if tables.onto is None else tables.onto(spilled),
    )


def _few(given: _Given, touched: Bool[Array, " cells"]) -> _Result:
    """The edges of the cells that are `touched` alone, one cell after the other, in place."""
    tables, synapse = given.tables, given.synapse
    assert tables.outgoing is not None
    outgoing, dtype = tables.outgoing, given.age.dtype
    alone, elapsed = _alone(synapse, given.age), tables._elapsed(given.age)
    worn = jnp.append(tables.worn, jnp.int32(tables.astrocytes))
    sums = jnp.zeros((outgoing.targets + 1,), dtype)
    spilled = None if tables.onto is None else jnp.zeros((tables.astrocytes + 1,), dtype)

    def one(cell: Array, carry: Any) -> Any:
        held, sums, spilled = carry
        row = outgoing.row[cell]
        edge, post, at = outgoing.edge[row], outgoing.post[row], worn[outgoing.edge[row]]
        was = jax.tree.map(lambda x: x.at[edge].get(mode="clip"), held)
        was = _moved(was, alone, elapsed[cell])
        bound = jax.tree.map(lambda x: x[at], given.bound)
        now, released, spilling = _after(synapse, was, bound, given.spikes[cell])
        held = jax.tree.map(lambda x, new: x.at[edge].set(new, mode="drop"), held, now)
        weight = given.laid if jnp.ndim(given.laid) == 0 else given.laid[row]
        sums = sums.at[post].add(weight * released)
        return held, sums, None if spilled is None else spilled.at[at].add(spilling)

    def some(carry: Any) -> Any:
        left, inner = carry
        found = fired(left)
        number = jnp.minimum(found.number, found.ids.size)
        ranks = jnp.arange(found.ids.size, dtype=number.dtype)
        inner = jax.lax.fori_loop(0, number, lambda k, c: one(found.ids[k], c), inner)
        done = jnp.where(ranks < number, found.ids, left.size)
        return left.at[done].set(0.0, mode="drop"), inner

    start = (touched.astype(dtype), (given.held, sums, spilled))
    _, (held, sums, spilled) = jax.lax.while_loop(lambda c: jnp.any(c[0] != 0), some, start)
    age = jnp.where(touched, 0.0, given.age)
    return _Result(held, age, sums[:-1], None if spilled is None else spilled[:-1])


@eqx.filter_custom_jvp
def _fire(given: _Given, touched: Bool[Array, " cells"]) -> _Result:
    """The terminals after a step. A loop pays on a CPU alone; a derivative is that of all edges."""
    if given.tables.outgoing is None:
        return _all(given, touched)
    return jax.lax.platform_dependent(given, touched, cpu=_few, default=_all)


@_fire.def_jvp
def _(primals: Any, tangents: Any) -> tuple[_Result, _Result]:
    return eqx.filter_jvp(_all, primals, tangents)


def _after(synapse: Any, was: Any, bound: Any, spike: Array) -> tuple[Any, Array, Array]:
    """After a spike of this size: what is held, what was released, and what that spilled (uM)."""
    y, heard = synapse.with_bound(was, bound), _quiet(spike)._replace(spike=spike)
    after = synapse.jump(jnp.zeros((), spike.dtype), y, y, heard)
    spilled = synapse.transmitter(after) - synapse.transmitter(y)
    return synapse.with_bound(after, None), synapse.released(y, heard), spilled


def _alone(synapse: Any, like: Array) -> Relaxation:
    """The coefficients between spikes, which are constant."""
    quiet = _quiet(like)
    found = synapse.relax(quiet.v_pre, synapse.init(), quiet)
    return Relaxation(synapse.with_bound(found.drive, None), synapse.with_bound(found.decay, None))


def _moved(y: Any, alone: Relaxation, elapsed: Array) -> Any:
    """`y` after so many ms without a spike."""

    def move(x: Array, drive: Array, decay: Array) -> Array:
        survival, weight = exponential_weights(decay * elapsed)
        return x * survival + drive * (elapsed * weight)

    return jax.tree.map(move, y, alone.drive, alone.decay)


def _quiet(like: Array) -> Cleft:
    none = jnp.zeros((), like.dtype)
    return Cleft(none, none, none, none, none, none, none)


def terminals(
    p: Projection, senders: int, targets: int, into: Sums | None, onto: Sums | None, worn: Any
) -> Terminals | None:
    """The tables; `None` where terminals cannot be moved so, or it is not worth it."""
    alike = p.delay is None or jnp.ndim(p.delay) == 0
    if not (p.releasing and isinstance(p.synapse, AbstractEventTerminal) and alike):
        return None
    if len(p.edges) < _MANY or into is None:
        return None
    outgoing = rows(p.edges.pre, p.edges.post, senders, targets)
    if outgoing is None:
        return None
    astrocytes = 0 if onto is None else onto.targets
    if worn is None:
        worn = np.zeros(len(p.edges))
    pre, worn = (jnp.asarray(x, jnp.int32) for x in (p.edges.pre, worn))
    return Terminals(outgoing, into, onto, senders, astrocytes, None, pre, worn)
