"""Which astrocyte ensheathes which synapse."""

import dataclasses

import numpy as np
from jaxtyping import Int, PRNGKeyArray

from tripartite.core.arguments import checked, require_fields
from tripartite.core.errors import require_count
from tripartite.core.progress import shown_while
from tripartite.networks.edges import (
    Edges,
    generator,
    require_probability,
    subsets,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Ensheathed:
    """The astrocyte of each edge: it hears the edge's transmitter, and modulates its release.

    **Arguments:** `population`: the name of the astrocytes; `astrocyte`, `[edges]`: an index into
    it, or -1 for an edge without one.

    **Raises:** `ValueError` for indices that are not integers, or below -1.
    """

    population: str
    astrocyte: Int[np.ndarray, " edges"]

    def __post_init__(self) -> None:
        require_fields(self)
        given = np.asarray(self.astrocyte)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise ValueError(
                f"Ensheathed.astrocyte must be a list of integers, got {given.dtype} of shape "
                f"{given.shape}: give one index for each edge, -1 for none."
            )
        if given.size and given.min() < -1:
            raise ValueError(
                f"Ensheathed.astrocyte counts from 0, with -1 for an edge without one, got "
                f"{given.min()}."
            )
        object.__setattr__(self, "astrocyte", given.astype(np.int32))


@checked
@shown_while("drawing astrocytes of edges")
def ensheathe(
    edges: Edges,
    population: str,
    n: int,
    *,
    key: PRNGKeyArray,
    p: float = 1.0,
    pool_size: int | None = None,
) -> Ensheathed:
    """Gives each edge, with probability `p`, an astrocyte from the pool of its target cell.

    As NEST's `third_factor_bernoulli_with_pool` with random pools: edges are independent, and the
    astrocyte is drawn evenly from the pool. With `p=1` every edge has one.

    **Arguments:** `edges`; `population`: the astrocytes' name, and `n` their number; `key` a JAX
    key; `pool_size`: how many different astrocytes serve one target cell (default: all).

    **Raises:** `ValueError` for a probability outside [0, 1], or a pool larger than `n`.
    """
    require_count("n", n, 1)
    size = n if pool_size is None else require_count("pool_size", pool_size, 1, n)
    rng = generator(key)
    chosen = rng.random(len(edges)) < require_probability("p", p)
    member = rng.integers(0, size, len(edges))
    if size < n and len(edges):
        pools = subsets(int(edges.post.max()) + 1, n, size, rng)
        member = pools[edges.post, member]
    return Ensheathed(population, np.where(chosen, member, -1))
