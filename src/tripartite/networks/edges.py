"""Which cell reaches which: edges as integer arrays, and the rules that draw them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from tripartite.core.arguments import checked
from tripartite.core.errors import as_numbers, is_concrete, require_count, require_counts
from tripartite.core.progress import shown_while


@dataclasses.dataclass(frozen=True, eq=False)
class Edges:
    """One entry per edge: the index of the cell it comes from, and of the one it goes to.

    Two objects are never equal, so that one of them is a cheap key for a compiled solve: build
    edges once and use them again.

    **Arguments:** `pre` and `post`, integers `[edges]`, counted from 0.

    **Raises:** `ValueError` for arrays of unequal length, of another type than integers, or with a
    negative entry.
    """

    pre: Int[np.ndarray, " edges"]
    post: Int[np.ndarray, " edges"]

    def __post_init__(self) -> None:
        for name in ("pre", "post"):
            given = np.asarray(getattr(self, name))
            if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
                raise ValueError(
                    f"Edges.{name} must be a list of integers, got {given.dtype} of shape "
                    f"{given.shape}: give the index of a cell for each edge."
                )
            if given.size and given.min() < 0:
                raise ValueError(f"Edges.{name} counts cells from 0, got {given.min()}.")
            object.__setattr__(self, name, given.astype(np.int32))
        if len(self.pre) != len(self.post):
            raise ValueError(
                f"Edges needs as many pre as post, got {len(self.pre)} and {len(self.post)}."
            )

    def __len__(self) -> int:
        return len(self.pre)

    def require_within(self, n_pre: int, n_post: int, where: str) -> None:
        """**Raises:** `ValueError` for an edge from or to a cell that is not there."""
        for side, cells, count in (("pre", self.pre, n_pre), ("post", self.post, n_post)):
            if cells.size and cells.max() >= count:
                raise ValueError(
                    f"{where}: an edge has {side} = {cells.max()}, and there are {count} cells, "
                    "counted from 0: build the edges for populations of these sizes."
                )


def generator(key: PRNGKeyArray) -> np.random.Generator:
    """NumPy's generator, seeded by a JAX key: edges are drawn before anything is compiled.

    **Raises:** `ValueError` for a traced key.
    """
    if not is_concrete(key):
        raise ValueError(
            "edges are drawn with a key known before tracing, got a traced one: build them outside "
            "of jit, and the network, with its parameters, inside it if need be."
        )
    if not isinstance(key, jax.Array | np.ndarray):
        raise ValueError(f"key must be a JAX key, such as jax.random.key(0), got {key!r}.")
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return np.random.default_rng(np.asarray(jax.random.key_data(key) if typed else key).ravel())


def require_probability(name: str, value: Any) -> float:
    """**Raises:** `ValueError` if it lies outside [0, 1]."""
    if as_numbers(name, value).ndim or not 0.0 <= float(value) <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value}: it is a probability.")
    return float(value)


def sorted_by_post(pre: np.ndarray, post: np.ndarray) -> Edges:
    """Edges in order of the cell they go to, then of the one they come from."""
    order = np.lexsort((pre, post))
    return Edges(pre[order], post[order])


@checked
def all_to_all(n_pre: int, n_post: int, *, loops: bool = True) -> Edges:
    """Every cell to every cell.

    **Arguments:** `n_pre`, `n_post` the sizes; `loops=False` leaves out edges from a cell to
    itself, within one population.
    """
    require_count("n_pre", n_pre, 1)
    require_count("n_post", n_post, 1)
    post, pre = np.divmod(np.arange(n_pre * n_post), n_pre)
    return _without_loops(pre, post, loops)


@checked
def one_to_one(n: int) -> Edges:
    """Cell i to cell i."""
    cells = np.arange(require_count("n", n, 1))
    return Edges(cells, cells)


@checked
@shown_while("drawing edges")
def bernoulli(n_pre: int, n_post: int, p: float, *, key: PRNGKeyArray, loops: bool = True) -> Edges:
    """Each pair is joined with probability `p`, whatever the others are.

    Drawn by the gaps between joined pairs, which are geometric: the cost is that of the edges, not
    of the pairs. **Arguments:** as `all_to_all`; `key` a JAX key.
    """
    pairs = require_count("n_pre", n_pre, 1) * require_count("n_post", n_post, 1)
    if require_probability("p", p) == 0.0:
        return Edges(np.zeros(0, int), np.zeros(0, int))
    rng, at = generator(key), np.zeros(0, np.int64)
    last = -1
    while last < pairs:
        # Enough in one go but for six standard deviations.
        mean = (pairs - last) * p
        gaps = rng.geometric(p, int(mean + 6.0 * np.sqrt(mean) + 8.0))
        found = last + np.cumsum(gaps)
        at, last = np.concatenate([at, found]), int(found[-1])
    post, pre = np.divmod(at[at < pairs], n_pre)
    return _without_loops(pre, post, loops)


@checked
@shown_while("drawing edges")
def fixed_fan_in(
    n_pre: int, n_post: int, k: int, *, key: PRNGKeyArray, loops: bool = True
) -> Edges:
    """Each cell hears exactly `k` different cells, every set of `k` equally likely.

    **Arguments:** as `all_to_all`; `k` at most the cells there are; `key` a JAX key.
    """
    require_count("n_post", n_post, 1)
    others = require_count("n_pre", n_pre, 1) - (not loops)
    chosen = subsets(n_post, others, require_count("k", k, 0, others), generator(key))
    post = np.repeat(np.arange(n_post), k)
    pre = chosen.ravel()
    # Drawn among the others: those from the cell itself on move up by one.
    return Edges(pre if loops else pre + (pre >= post), post)


@checked
@shown_while("drawing edges")
def fixed_fan_out(
    n_pre: int, n_post: int, k: int, *, key: PRNGKeyArray, loops: bool = True
) -> Edges:
    """Each cell reaches exactly `k` different cells: `fixed_fan_in` the other way round."""
    require_counts(n_post=n_post, n_pre=n_pre)
    turned = fixed_fan_in(n_post, n_pre, k, key=key, loops=loops)
    return sorted_by_post(turned.post, turned.pre)


def _without_loops(pre: np.ndarray, post: np.ndarray, loops: bool) -> Edges:
    if loops:
        return Edges(pre, post)
    kept = pre != post
    return Edges(pre[kept], post[kept])


def subsets(rows: int, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """For each row `k` different numbers below `n`, sorted.

    Repeats are drawn again until there are none, which is drawing one by one and passing over what
    was drawn before: every subset is equally likely. Of more than half it is quicker to draw which
    to leave out.
    """
    if 2 * k > n:
        out = np.ones((rows, n), bool)
        left_out = subsets(rows, n, n - k, rng)
        np.put_along_axis(out, left_out, values=False, axis=1)
        return np.nonzero(out)[1].reshape(rows, k)
    drawn = np.sort(rng.integers(0, n, (rows, k), dtype=np.int64), axis=1)
    while True:
        again = np.zeros(drawn.shape, bool)
        again[:, 1:] = drawn[:, 1:] == drawn[:, :-1]
        if not again.any():
            return drawn
        drawn[again] = rng.integers(0, n, int(again.sum()))
        drawn.sort(axis=1)
