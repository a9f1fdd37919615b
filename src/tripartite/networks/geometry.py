"""Edges that follow from where cells are: by distance, on a lattice, a ring, in a small world."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tripartite.core.arguments import checked
from tripartite.core.errors import require_above_zero, require_count
from tripartite.core.progress import shown_while
from tripartite.networks.edges import (
    Edges,
    generator,
    require_probability,
    sorted_by_post,
)

# Pairs looked at in one go: some 30 MB of distances.
_CHUNK = 4_000_000


@checked
@shown_while("drawing edges")
def distance_dependent(
    pre: Float[np.ndarray, "n_pre dimensions"],
    post: Float[np.ndarray, "n_post dimensions"],
    probability: Callable[[np.ndarray], np.ndarray],
    *,
    key: PRNGKeyArray,
    period: float | None = None,
    loops: bool = True,
) -> Edges:
    """Each pair is joined with a probability that depends on how far apart the two are.

    Every pair is looked at, so the cost is that of the pairs.

    **Arguments:** `pre`, `post`: where the cells are, `[cells, dimensions]` in any unit of length;
    `probability` from distances to probabilities, in array code; `key` a JAX key; `period`: the
    length after which space repeats itself, or `None`; `loops=False` leaves out edges from a cell
    to itself, within one population.

    **Raises:** `ValueError` for positions of unequal dimension, or a probability outside [0, 1].
    """
    pre, post = (np.asarray(x, float) for x in (pre, post))
    if pre.ndim != 2 or post.ndim != 2 or pre.shape[1] != post.shape[1]:
        raise ValueError(
            "positions must be [cells, dimensions] of one dimension, got shapes "
            f"{pre.shape} and {post.shape}."
        )
    if period is not None:
        require_above_zero("period", period, "leave it out for space without end")
    rng, found = generator(key), []
    step = max(1, _CHUNK // max(1, len(pre)))
    for first in range(0, len(post), step):
        apart = post[first : first + step, None, :] - pre[None, :, :]
        if period is not None:
            apart -= period * np.round(apart / period)
        chance = np.asarray(probability(np.sqrt(np.sum(apart**2, axis=-1))), float)
        if chance.size and not (chance.min() >= 0.0 and chance.max() <= 1.0):
            raise ValueError(
                "probability must return values in [0, 1] for every distance, got "
                f"{chance.min()} to {chance.max()}."
            )
        rows, columns = np.nonzero(rng.random(chance.shape) < chance)
        found.append(np.stack([columns, rows + first]))
    sources, targets = np.concatenate(found, axis=1) if found else np.zeros((2, 0), int)
    kept = slice(None) if loops else sources != targets
    return Edges(sources[kept], targets[kept])


@checked
@shown_while("drawing edges")
def lattice(shape: Sequence[int], radius: float = 1.0, *, periodic: bool = False) -> Edges:
    """Each point of a grid to all others within `radius` of it, the spacing being 1.

    **Arguments:** `shape` of the grid, its points numbered with the last axis fastest; `radius` in
    spacings; `periodic`: whether opposite sides are neighbours.

    **Raises:** `ValueError` for a periodic side too short for the radius.
    """
    require_above_zero("radius", radius, "it is in spacings of the lattice")
    sides = [require_count("a side of the lattice", side, 1) for side in shape]
    reach = int(np.floor(radius))
    if periodic and any(side <= 2 * reach for side in sides):
        raise ValueError(
            f"a periodic side must be longer than twice the radius, got {shape} with radius "
            f"{radius}: a point would be its own neighbour, or another's twice."
        )
    points = np.stack(np.unravel_index(np.arange(np.prod(sides)), sides), axis=1)
    found = []
    for offset in itertools.product(range(-reach, reach + 1), repeat=len(sides)):
        if not 0 < np.sum(np.square(offset)) <= radius**2:
            continue
        other = points + offset
        inside = np.all((other >= 0) & (other < sides), axis=1) | periodic
        near = np.ravel_multi_index(tuple((other[inside] % sides).T), tuple(sides))
        found.append(np.stack([near, np.nonzero(inside)[0]]))
    sources, targets = np.concatenate(found, axis=1) if found else np.zeros((2, 0), int)
    return sorted_by_post(sources, targets)


@checked
def ring(n: int, neighbours: int = 1) -> Edges:
    """Each of `n` cells to the `neighbours` nearest on either side.

    **Raises:** `ValueError` for fewer than `2 neighbours + 1` cells.
    """
    require_count("n", n, 2 * require_count("neighbours", neighbours, 1) + 1)
    return lattice((n,), neighbours, periodic=True)


@checked
@shown_while("drawing edges")
def small_world(n: int, neighbours: int, p: float, *, key: PRNGKeyArray) -> Edges:
    """A ring of which each edge, with probability `p`, starts at another cell instead.

    Watts and Strogatz, Nature 393, 440 (1998), for directed edges: each cell goes on hearing
    `2 neighbours` different cells, never itself. **Arguments:** as `ring`; `key` a JAX key.
    """
    rng = generator(key)
    regular = ring(n, neighbours)
    rows = regular.pre.reshape(n, -1).astype(np.int64)
    moved = rng.random(rows.shape) < require_probability("p", p)
    itself = np.arange(n)[:, None]
    # A moved edge may not repeat another, nor start at its own end: it is drawn until it does not.
    rows = np.where(moved, -1 - np.arange(rows.shape[1])[None, :], rows)
    while (waiting := rows < 0).any():
        trial = np.where(waiting, rng.integers(0, n, rows.shape), rows)
        order = np.argsort(np.where(waiting, trial + 0.5, trial), axis=1, kind="stable")
        ordered = np.take_along_axis(trial, order, axis=1)
        repeated = np.zeros(rows.shape, bool)
        repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        bad = np.zeros(rows.shape, bool)
        np.put_along_axis(bad, order, repeated, axis=1)
        rows = np.where(waiting & ~bad & (trial != itself), trial, rows)
    return sorted_by_post(rows.ravel(), regular.post.astype(np.int64))
