"""Transformers whose attention is left open: softmax's place is taken at the call."""

import abc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float

from tripartite.attention.fixed_point import softmax_attention
from tripartite.core.arguments import checked

HeadArray = Float[Array, "heads tokens d_head"]
# Of q, k, v and, where the transformer has one, the mask.
Attend = Callable[..., HeadArray]

# Of a perceptron's hidden units, under the names that checkpoints use.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_new": partial(jax.nn.gelu, approximate=True),
    "gelu_pytorch_tanh": partial(jax.nn.gelu, approximate=True),
    "relu": jax.nn.relu,
}


class AttentionSize(NamedTuple):
    """The attention of one layer: how many heads it has, and the size of a query of each."""

    heads: int
    d_head: int


class AbstractEncoder(eqx.Module):
    """A transformer called with `attend=`, which stands for the attention of its layers.

    `attend(q, k, v)`, or `attend(q, k, v, mask)`, takes and returns arrays of shape
    (heads, tokens, d_head), q and k each already divided by d_head^(1/4). One for all layers, or a
    sequence of one for each.
    """

    @property
    @abc.abstractmethod
    def attentions(self) -> tuple[AttentionSize, ...]:
        """The size of each layer's attention, the first layer's first."""

    @abc.abstractmethod
    def __call__(self, *args: Any, attend: Attend | Sequence[Attend], **kwargs: Any) -> Array:
        """Its output with `attend` for attention."""


@checked
def softmax_heads(
    q: HeadArray, k: HeadArray, v: HeadArray, mask: Bool[Array, " tokens"] | None = None
) -> HeadArray:
    """`softmax_attention` of every head, over the tokens where `mask` is true."""
    return jax.vmap(partial(softmax_attention, mask=mask))(q, k, v)


def split_heads(x: Float[Array, "tokens width"], heads: int) -> HeadArray:
    """The channels of each head: equal shares of the width, in order."""
    return x.reshape(x.shape[0], heads, -1).transpose(1, 0, 2)


def join_heads(x: HeadArray) -> Float[Array, "tokens width"]:
    """The inverse of `split_heads`."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def for_each_layer(attend: Attend | Sequence[Attend], layers: int) -> Sequence[Attend]:
    """The attention of each layer.

    **Raises:** `ValueError` if there is not one for each.
    """
    if not isinstance(attend, Sequence):
        return [attend] * layers
    if len(attend) != layers:
        raise ValueError(
            f"attend must be one function for all layers or one for each of the {layers}, got "
            f"{len(attend)}."
        )
    return attend
