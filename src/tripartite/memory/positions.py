"""Positions that follow actions, and a memory of what was met where."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import length, quotient

_TEM_T = "Whittington, Warren and Behrens 2022 (arXiv 2112.04035)"

Position = Float[Array, " positions"]


class RecurrentPosition(AbstractParametrised):
    """A position encoding that an action carries along: `e_{t+1} = sigma(e_t W_a)`.

    The recurrent position encoding of the TEM-transformer, Whittington, Warren and Behrens 2022
    (arXiv 2112.04035); sigma is the identity or rectification.

    **Arguments:** `transitions` W, shape (actions, n, n); `start` e_0, shape (n,); pure numbers.
    `rectified`: whether sigma is relu.

    **Raises:** `ValueError` for shapes that do not fit.
    """

    transitions: Parameter = parameter(None, "1", source=_TEM_T)
    start: Parameter = parameter(None, "1", source=_TEM_T)
    rectified: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        size = self.start.shape[-1:]
        if self.start.ndim != 1 or self.transitions.shape[1:] != 2 * size:
            raise ValueError(
                "RecurrentPosition needs transitions of shape (actions, n, n) and a start of shape "
                f"(n,), got {self.transitions.shape} and {self.start.shape}."
            )

    @classmethod
    def rotations(cls, waves: Any, moves: Any) -> "RecurrentPosition":
        """Plane waves that every move shifts: nothing to train.

        Each wave k has two neurons, cos(k . r) and sin(k . r), and a move by d turns them by k . d;
        turns commute and undo one another, so that a place looks the same from every path.

        **Arguments:** `waves` k, shape (m, 2), radians per unit of length; `moves` d, shape
        (actions, 2).

        **Raises:** `ValueError` for shapes that do not fit.
        """
        waves, moves = np.asarray(waves, float), np.asarray(moves, float)
        if waves.ndim != 2 or moves.ndim != 2 or waves.shape[1] != moves.shape[1]:
            raise ValueError(
                "rotations needs waves of shape (m, d) and moves of shape (actions, d), got "
                f"{waves.shape} and {moves.shape}."
            )
        angles = moves @ waves.T
        count = waves.shape[0]
        transitions = np.zeros((len(moves), 2 * count, 2 * count))
        even, odd = 2 * np.arange(count), 2 * np.arange(count) + 1
        transitions[:, even, even] = transitions[:, odd, odd] = np.cos(angles)
        transitions[:, even, odd] = np.sin(angles)
        transitions[:, odd, even] = -np.sin(angles)
        return cls(transitions, np.tile([1.0, 0.0], count))

    def __call__(self, e: Position, action: Int[Array, ""] | int) -> Position:
        """The position after an action."""
        moved = e @ self.transitions[action]
        return jax.nn.relu(moved) if self.rectified else moved

    def walk(self, actions: Int[Array, " steps"]) -> Float[Array, "steps_and_one positions"]:
        """The positions from the start on, one before each action and one after the last."""

        def step(e: Position, action: Array) -> tuple[Position, Position]:
            moved = self(e, action)
            return moved, moved

        _, after = jax.lax.scan(step, self.start, jnp.asarray(actions))
        return jnp.concatenate([self.start[None, :], after])


class PlaceContents(NamedTuple):
    """What a `PlaceMemory` holds: places for `capacity` pairs, of which `taken` are."""

    positions: Float[Array, "capacity positions"]
    stimuli: Float[Array, "capacity stimuli"]
    taken: Int[Array, ""]


class PlaceMemory(AbstractParametrised):
    """One memory neuron for each position met, and a softmax among them: attention over the past.

        neurons = softmax(gain log(n) c(e, E)),    x = neurons @ X

    with n the number of memories, E and X their positions and stimuli and c the cosine. The
    TEM-transformer's reading with Q = K = positions and V = stimuli (Whittington, Warren and
    Behrens 2022, arXiv 2112.04035), whose memory neurons behave as place cells do. A memory is
    added only where none like it exists.

    **Arguments:** `gain` of the softmax, and `novelty`: the cosine from which on a position is a
    known one; pure numbers, chosen for this library.

    **Raises:** `ValueError` if either is not positive.
    """

    gain: Parameter = parameter(40.0, "1", positive=True, source="this library")
    novelty: Parameter = parameter(0.999, "1", positive=True, source="this library")

    def empty(self, capacity: int, positions: int, stimuli: int) -> PlaceContents:
        """Contents with nothing in them.

        **Raises:** `ValueError` if a size is below 1.
        """
        if min(capacity, positions, stimuli) < 1:
            raise ValueError(
                "PlaceMemory.empty needs sizes of at least 1, got "
                f"capacity={capacity}, positions={positions} and stimuli={stimuli}."
            )
        dtype = self.gain.dtype
        return PlaceContents(
            jnp.zeros((capacity, positions), dtype),
            jnp.zeros((capacity, stimuli), dtype),
            jnp.zeros((), int),
        )

    def likeness(self, contents: PlaceContents, e: Position) -> Float[Array, " capacity"]:
        """The cosine of `e` with each stored position; -1 where none is stored."""
        lengths = length(contents.positions) * length(e)
        cosine = quotient(contents.positions @ e, jnp.where(lengths > 0, lengths, 1.0))
        return jnp.where(self._in_use(contents), cosine, -1.0)

    def neurons(self, contents: PlaceContents, e: Position) -> Float[Array, " capacity"]:
        """The activity of each memory neuron at `e`: they sum to 1, or to 0 if there is none."""
        used = self._in_use(contents)
        number = jnp.maximum(contents.taken, 1).astype(e.dtype)
        scores = self.gain * jnp.log(number) * (self.likeness(contents, e) - 1.0)
        raised = jnp.where(used, jnp.exp(scores - jnp.max(scores)), 0.0)
        return quotient(raised, jnp.maximum(jnp.sum(raised), jnp.finfo(e.dtype).tiny))

    def read(self, contents: PlaceContents, e: Position) -> Float[Array, " stimuli"]:
        """What was met at `e`: a mixture of the stored stimuli."""
        return self.neurons(contents, e) @ contents.stimuli

    def write(
        self, contents: PlaceContents, e: Position, x: Float[Array, " stimuli"]
    ) -> PlaceContents:
        """The contents after stimulus `x` was met at `e`.

        **Raises:** an Equinox run-time error if a new position finds no free place.
        """
        new = ~jnp.any(self.likeness(contents, e) >= self.novelty)
        capacity = contents.positions.shape[0]
        count = eqx.error_if(
            contents.taken,
            new & (contents.taken >= capacity),
            f"all {capacity} places of this memory are taken: make one with a larger capacity.",
        )
        positions = contents.positions.at[count].set(e, mode="drop")
        stimuli = contents.stimuli.at[count].set(x, mode="drop")
        kept = PlaceContents(positions, stimuli, count + 1)
        return jax.tree.map(lambda a, b: jnp.where(new, a, b), kept, contents)

    def _in_use(self, contents: PlaceContents) -> Array:
        return jnp.arange(contents.positions.shape[0]) < contents.taken
