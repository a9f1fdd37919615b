"""A transformer's attention replaced by neuron-astrocyte circuits, layer by layer and head by head.

The fixed point of a circuit is the normalised attention of its feature map (arXiv 2311.08135v2,
appendix C); which map decides how close that comes to the softmax a checkpoint was trained with.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from tripartite.attention.checks import check_features
from tripartite.attention.encoder import AbstractEncoder, AttentionSize, HeadArray
from tripartite.attention.features import AbstractFeatureMap
from tripartite.attention.linear_time import linear_time
from tripartite.core.arguments import checked, require_fields

# One for every head of every layer, or for each layer: all heads stacked, or a list of heads.
Features = AbstractFeatureMap | Sequence[AbstractFeatureMap | Sequence[AbstractFeatureMap]]


class CircuitHeads(eqx.Module):
    """The attention of every head of one layer as its circuit's fixed point: an `attend`.

    **Arguments:**

    - `features`: a map of one head, used for all; or, with `per_head`, one whose arrays have a
        leading axis of heads.

    Called with q, k and v of shape (heads, tokens, d_head), q and k each divided by d_head^(1/4),
    and by choice a mask of shape (tokens,), `False` for tokens that are never written. Linear in
    the number of tokens for every map but `OneProcessPerToken`; safe in float32 (`linear_time`).

    **Raises:** `ValueError` for wrong shapes, no token, all tokens masked, or features that do not
    sum to something positive; under `jit`, what concerns values is an Equinox run-time error.
    """

    features: AbstractFeatureMap
    per_head: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        require_fields(self)

    def __call__(
        self, q: HeadArray, k: HeadArray, v: HeadArray, mask: Bool[Array, " tokens"] | None = None
    ) -> HeadArray:
        _check_heads(q, k, v, mask)
        q, k, v = (jnp.swapaxes(x, 0, 1) for x in (q, k, v))
        attended = linear_time(self.features, q, k, v, per_head=self.per_head, mask=mask)
        return jnp.swapaxes(attended, 0, 1)


class AstrocyteEncoder(eqx.Module):
    """A transformer whose every attention is the fixed point of neuron-astrocyte circuits.

    Called as the transformer is. Its fields are the transformer, `encoder`, and the `circuits` of
    its layers, whose `features` can be trained like any leaf.
    """

    encoder: AbstractEncoder
    circuits: tuple[CircuitHeads, ...]

    def __check_init__(self) -> None:
        require_fields(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """The transformer's output; arguments are its own, all but `attend`."""
        return self.encoder(*args, attend=self.circuits, **kwargs)

    @property
    def features(self) -> tuple[AbstractFeatureMap, ...]:
        """The feature map of each layer."""
        return tuple(circuit.features for circuit in self.circuits)


@checked
def swap_attention(model: AbstractEncoder, features: Features) -> AstrocyteEncoder:
    """`model` with every attention replaced by the circuit's fixed point.

    With `OneProcessPerToken()` the output is the model's own to round-off: that circuit *is*
    softmax attention. With any other map it is the attention of that map.

    **Arguments:**

    - `model`: a `BertEncoder`, a `ViTEncoder` or any other `AbstractEncoder`.
    - `features`: one map of one head, used by every head of every layer; or a sequence with an
        entry for each layer: a map whose arrays have a leading axis of heads (`jax.vmap` of its
        constructor over keys makes one), or a sequence of maps, one for each head.

    Works under `jit`, `vmap` and `grad`, also with `features` as what is differentiated.

    **Raises:** `ValueError` naming the layer if there is not an entry for each, not a map for each
    of its heads, or if one does not take queries of the size of its head.
    """
    sizes = model.attentions
    if isinstance(features, AbstractFeatureMap):
        for number, size in enumerate(sizes):
            _check_map(features, number, size)
        return AstrocyteEncoder(model, (CircuitHeads(features),) * len(sizes))
    if len(features) != len(sizes):
        raise ValueError(
            "features must be one map for every head of every layer, or a sequence with an entry "
            f"for each of the {len(sizes)} layers, got {len(features)} entries."
        )
    circuits = [_circuit(*each) for each in zip(features, range(len(sizes)), sizes, strict=True)]
    return AstrocyteEncoder(model, tuple(circuits))


def _circuit(
    features: AbstractFeatureMap | Sequence[AbstractFeatureMap], number: int, size: AttentionSize
) -> CircuitHeads:
    if not isinstance(features, AbstractFeatureMap):
        features = _stacked(features, number, size)
    shapes = [x.shape for x in jax.tree.leaves(eqx.filter(features, eqx.is_array))]
    if any(shape[:1] != (size.heads,) for shape in shapes):
        raise ValueError(
            f"layer {number} has {size.heads} heads, so the arrays of its feature map must have a "
            f"leading axis of {size.heads}, got shapes {', '.join(map(str, shapes))}. Stack one "
            "map for each head, or give one map instead of a sequence to use it everywhere."
        )
    first = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, features)
    _check_map(first, number, size)
    return CircuitHeads(features, per_head=True)


def _stacked(
    features: Sequence[AbstractFeatureMap], number: int, size: AttentionSize
) -> AbstractFeatureMap:
    try:
        return check_features(features, size.heads, size.d_head)
    except ValueError as error:
        raise ValueError(f"layer {number}: {error}") from error


def _check_map(features: AbstractFeatureMap, number: int, size: AttentionSize) -> None:
    """**Raises:** `ValueError` if a map of one head does not take its queries and keys."""
    token = jax.ShapeDtypeStruct((1, size.d_head), jnp.result_type(float))
    try:
        found = eqx.filter_eval_shape(lambda x: (features.queries(x, x), features.keys(x)), token)
    except ValueError as error:
        raise ValueError(
            f"layer {number} has heads of d_head {size.d_head}, which its feature map "
            f"({type(features).__name__}) does not take: {error}"
        ) from error
    if found[0].shape != found[1].shape:
        raise ValueError(
            f"layer {number}: {type(features).__name__} gives features of shape {found[0].shape} "
            f"for a query and {found[1].shape} for a key; a circuit needs as many of both."
        )


def _check_heads(q: Array, k: Array, v: Array, mask: Array | None) -> None:
    fits = q.ndim == k.ndim == v.ndim == 3 and k.shape[:2] == v.shape[:2]
    if not fits or q.shape[::2] != k.shape[::2] or 0 in (q.shape[1], k.shape[1]):
        raise ValueError(
            "q, k and v must each have shape (heads, tokens, d_head), with a value for each key "
            f"and at least one token, got {q.shape}, {k.shape} and {v.shape}. For a batch, use "
            "jax.vmap."
        )
    if mask is not None and (mask.shape != k.shape[1:2] or mask.dtype != bool):
        raise ValueError(
            f"mask must be boolean of shape {k.shape[1:2]}, True for the tokens that count, got "
            f"shape {mask.shape} and dtype {mask.dtype}."
        )
