"""What `AstrocyteAttention` refuses: sizes, features, modes, shapes, and how to put them right."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.attention.features import AbstractFeatureMap, OneProcessPerToken
from tripartite.core.errors import require_counts

_MODES = ("fixed-point", "ode")


def check_sizes(num_heads: int, query_size: int, *others: int | None) -> None:
    """**Raises:** `ValueError` if there is no head, not one channel for each, or no size."""
    names = ("key_size", "value_size", "output_size", "qk_size", "vo_size")
    require_counts(**dict(zip(names, others, strict=True)))
    if num_heads < 1 or query_size < num_heads:
        raise ValueError(
            "an attention layer needs at least one head and a channel of the query for each, got "
            f"num_heads={num_heads} and query_size={query_size}."
        )


def check_mode(mode: str, time: float | None, steps: int) -> None:
    """**Raises:** `ValueError` for another mode, or a time that does not belong to it."""
    if mode not in _MODES:
        raise ValueError(f'mode must be "fixed-point" or "ode", got {mode!r}.')
    if mode == "ode" and (time is None or not time > 0):
        raise ValueError(
            f'mode="ode" reads the circuit after a time in ms: give time above 0, got {time!r}.'
        )
    if mode == "fixed-point" and time is not None:
        raise ValueError(
            f'the fixed point knows no time, got time={time!r}: leave it out, or give mode="ode".'
        )
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")


def check_features(
    features: AbstractFeatureMap | Sequence[AbstractFeatureMap], heads: int, size: int
) -> AbstractFeatureMap:
    """One map, with a leading axis of heads on its arrays if several were given.

    **Raises:** `ValueError` if there is not one for each head, if they are not of one kind, or if
    they do not take queries of this size.
    """
    if isinstance(features, AbstractFeatureMap):
        first = together = features
    else:
        if len(features) != heads:
            raise ValueError(
                f"features must be one map for all heads or one for each of the {heads}, got "
                f"{len(features)}."
            )
        kinds = {_kind(one) for one in features}
        if len(kinds) > 1:
            raise ValueError(
                "the heads' feature maps must be of one kind, with arrays of the same shapes, got "
                + ", ".join(type(one).__name__ for one in features)
                + ". Give every head the same class and number of features."
            )
        first = features[0]
        together = jax.tree.map(_stacked, *features)
    token = jax.ShapeDtypeStruct((1, size), jnp.result_type(float))
    eqx.filter_eval_shape(lambda x: (first.queries(x, x), first.keys(x)), token)
    return together


def _kind(features: AbstractFeatureMap) -> Any:
    arrays, rest = eqx.partition(features, eqx.is_array)
    return jax.tree.structure(rest), tuple(x.shape for x in jax.tree.leaves(arrays))


def _stacked(*leaves: Any) -> Any:
    return jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0]


def check_call(
    layer: Any, query: Array, key_: Array, value: Array, mask: Array | None, causal: bool
) -> None:
    """**Raises:** `ValueError` if the arrays of a call do not fit the layer or one another."""
    for name, x in (("query", query), ("key", key_), ("value", value)):
        size = getattr(layer, f"{name}_size")
        if x.ndim != 2 or x.shape[1] != size:
            raise ValueError(
                f"{name} must have shape (tokens, {size}), got {x.shape}. For a batch, use "
                "jax.vmap over the leading axis."
            )
    queries, tokens = query.shape[0], key_.shape[0]
    if value.shape[0] != tokens:
        raise ValueError(
            "key and value must both be sequences of equal length, got "
            f"{tokens} and {value.shape[0]}."
        )
    if queries == 0 or tokens == 0:
        raise ValueError(
            f"there must be at least one query and one token, got {queries} and {tokens}: a "
            "sequence of length zero has no attention."
        )
    if causal and queries != tokens:
        raise ValueError(
            "causal attention reads one query after each token: give as many queries as tokens, "
            f"got {queries} and {tokens}."
        )
    shapes = ((tokens,), (queries, tokens), (layer.num_heads, queries, tokens))
    if mask is not None and (mask.shape not in shapes or mask.dtype != bool):
        raise ValueError(
            "mask must be boolean of shape (tokens,), (queries, tokens) or (heads, queries, "
            f"tokens), that is {shapes[0]}, {shapes[1]} or {shapes[2]}, True for what may be read, "
            f"got shape {mask.shape} and dtype {mask.dtype}."
        )


def check_decoding(features: AbstractFeatureMap, imperfections: Any) -> None:
    """**Raises:** `ValueError` if there is no state of a fixed size to carry."""
    if isinstance(features, OneProcessPerToken):
        raise ValueError(
            "OneProcessPerToken has one process for each token, so that its state would grow with "
            "the text: decode with a feature map of fixed size."
        )
    if not features.tokenwise():
        raise ValueError(
            f"{type(features).__name__} scales each key by the others it comes with, so that "
            "tokens cannot be written one by one: make it with stabilise=False."
        )
    if imperfections is not None:
        raise ValueError(
            "decoding is of the ideal circuit: leave imperfections out, or integrate "
            "layer.circuit(..., causal=True)."
        )


Split = tuple[Array, Array, Array]


def require_same_shapes(before: Split, after: Split) -> Split:
    """`after`.

    **Raises:** `ValueError` if `process_heads` has changed a shape.
    """
    shapes = [tuple(x.shape for x in heads) for heads in (before, after)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"process_heads must not change the shape of the heads, got {shapes[1]} for "
            f"{shapes[0]}."
        )
    return after
