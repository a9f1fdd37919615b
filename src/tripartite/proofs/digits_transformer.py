"""A small vision transformer that reads handwritten digits, with its attention left open.

Pre-norm encoder after Dosovitskiy et al. 2021 (arXiv 2010.11929, equations 1 to 4), with the mean
over tokens in place of the class token.
"""

import os
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.attention import AbstractEncoder, AttentionSize, softmax_attention
from tripartite.core.arguments import checked
from tripartite.core.errors import require_counts

_PATCH = 2
_TOKENS = 16
_DIGITS = 10

HeadArray = Float[Array, "heads tokens d_head"]
Attend = Callable[[HeadArray, HeadArray, HeadArray], HeadArray]


def softmax_attend(q: HeadArray, k: HeadArray, v: HeadArray) -> HeadArray:
    """Softmax attention of every head: the one this transformer was trained with."""
    return jax.vmap(softmax_attention)(q, k, v)


class Block(eqx.Module):
    """One encoder block: attention and a two-layer perceptron, each normalised before and added."""

    norm_attention: eqx.nn.LayerNorm
    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    output: eqx.nn.Linear
    norm_perceptron: eqx.nn.LayerNorm
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, hidden: int, *, key: PRNGKeyArray):
        keys = jax.random.split(key, 6)
        self.norm_attention = eqx.nn.LayerNorm(width)
        self.query = eqx.nn.Linear(width, width, key=keys[0])
        self.key = eqx.nn.Linear(width, width, key=keys[1])
        self.value = eqx.nn.Linear(width, width, key=keys[2])
        self.output = eqx.nn.Linear(width, width, key=keys[3])
        self.norm_perceptron = eqx.nn.LayerNorm(width)
        self.widen = eqx.nn.Linear(width, hidden, key=keys[4])
        self.narrow = eqx.nn.Linear(hidden, width, key=keys[5])
        self.heads = heads

    def _split_heads(self, x: Float[Array, "tokens width"]) -> HeadArray:
        return x.reshape(x.shape[0], self.heads, -1).transpose(1, 0, 2)

    def __call__(
        self, x: Float[Array, "tokens width"], attend: Attend
    ) -> Float[Array, "tokens width"]:
        y = jax.vmap(self.norm_attention)(x)
        q, k, v = (
            self._split_heads(jax.vmap(projection)(y))
            for projection in (self.query, self.key, self.value)
        )
        scale = q.shape[-1] ** -0.25
        attended = attend(q * scale, k * scale, v).transpose(1, 0, 2).reshape(x.shape)
        x = x + jax.vmap(self.output)(attended)
        y = jax.vmap(self.widen)(jax.vmap(self.norm_perceptron)(x))
        return x + jax.vmap(self.narrow)(jax.nn.gelu(y, approximate=False))


class DigitsTransformer(AbstractEncoder):
    """A vision transformer for 8 by 8 pictures: sixteen 2 by 2 patches are its tokens.

    Calling it on a picture of shape (8, 8), brightness from 0 to 1, returns the ten logits.
    `attend(q, k, v)` takes and returns arrays of shape (heads, tokens, d_head), with q and k each
    already divided by d_head^(1/4), so any attention of that signature can take softmax's place;
    a sequence gives one to each layer.

    **Arguments** of a randomly initialised one:

    - `width`: size of a token's vector; `heads`, a divisor of it: number of attention heads.
    - `layers`: number of encoder blocks; `hidden`: units in the middle of each perceptron.
    - `key`: random key of the weights.

    **Raises:** `ValueError` if `heads` does not divide `width`, or for a picture of another shape.
    """

    embed: eqx.nn.Linear
    positions: Float[Array, "tokens width"]
    blocks: tuple[Block, ...]
    norm: eqx.nn.LayerNorm
    classify: eqx.nn.Linear

    @checked
    def __init__(
        self,
        *,
        width: int = 32,
        heads: int = 4,
        layers: int = 2,
        hidden: int = 64,
        key: PRNGKeyArray,
    ):
        require_counts(width=width, heads=heads, layers=layers, hidden=hidden)
        if width % heads:
            raise ValueError(
                f"width {width} cannot be split over {heads} heads: choose a number of heads that "
                "divides the width."
            )
        embed, positions, classify, *blocks = jax.random.split(key, 3 + layers)
        self.embed = eqx.nn.Linear(_PATCH**2, width, key=embed)
        self.positions = 0.02 * jax.random.normal(positions, (_TOKENS, width))
        self.blocks = tuple(Block(width, heads, hidden, key=block) for block in blocks)
        self.norm = eqx.nn.LayerNorm(width)
        self.classify = eqx.nn.Linear(width, _DIGITS, key=classify)

    @property
    def attentions(self) -> tuple[AttentionSize, ...]:
        width = self.norm.shape[0]
        return tuple(AttentionSize(block.heads, width // block.heads) for block in self.blocks)

    def __call__(
        self, image: Float[Array, "8 8"], attend: Attend | Sequence[Attend] = softmax_attend
    ) -> Float[Array, " 10"]:
        if image.shape != (8, 8):
            raise ValueError(
                f"the digits transformer was given a picture of shape {image.shape}; it reads one "
                "picture of shape (8, 8). Use jax.vmap for a batch of pictures."
            )
        x = jax.vmap(self.embed)(_patches(image)) + self.positions
        attends = attend if isinstance(attend, Sequence) else [attend] * len(self.blocks)
        for block, one in zip(self.blocks, attends, strict=True):
            x = block(x, one)
        return self.classify(jnp.mean(jax.vmap(self.norm)(x), axis=0))


def _patches(image: Float[Array, "8 8"]) -> Float[Array, "16 4"]:
    rows = image.shape[0] // _PATCH
    tiles = image.reshape(rows, _PATCH, rows, _PATCH).transpose(0, 2, 1, 3)
    return tiles.reshape(_TOKENS, _PATCH**2)


def save_digits_transformer(model: DigitsTransformer, path: str | os.PathLike[str]) -> None:
    """Write a transformer's weights as a compressed NumPy archive of float32 arrays."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(model, eqx.is_inexact_array))
    arrays: dict[str, Any] = {_name(at): np.asarray(leaf, np.float32) for at, leaf in leaves}
    np.savez_compressed(path, **arrays)


@checked
def load_digits_transformer(dtype: DTypeLike = float) -> DigitsTransformer:
    """The digits transformer shipped with the package: two layers, four heads, width 32.

    It was trained by `scripts/train_digits_transformer.py` on `split_digits(labels).train`.

    **Arguments:** `dtype`, the precision of the weights; by default JAX's own (float64 under
    `jax_enable_x64`).
    """
    skeleton = eqx.filter_eval_shape(DigitsTransformer, key=jax.random.key(0))
    source = resources.files("tripartite.proofs").joinpath("assets/digits_transformer.npz")
    with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return jax.tree_util.tree_map_with_path(
            lambda at, _: jnp.asarray(stored[_name(at)], dtype=dtype), skeleton
        )


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
