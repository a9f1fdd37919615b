"""One head's attention as softmax, and as the circuit with each feature map, on one paragraph."""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.attention import (
    AbstractFeatureMap,
    BertEncoder,
    OneProcessPerToken,
    PositiveRandom,
    load_bert,
    softmax_heads,
    swap_attention,
    token_names,
    tokenize,
)
from tripartite.core.arguments import checked
from tripartite.core.errors import require_counts
from tripartite.proofs.paragraphs import read_paragraphs

_SHORTEST, _LONGEST = 8, 24
_DRAW = 0


class AttentionByMap(NamedTuple):
    """The weights of one head, `{title: [queries, keys]}`, the tokens, and which head it is."""

    weights: dict[str, np.ndarray]
    tokens: list[str]
    layer: int
    head: int


@checked
def attention_by_map(
    directory: str | os.PathLike[str],
    text: str | os.PathLike[str],
    *,
    maps: Sequence[AbstractFeatureMap] | None = None,
    random_features: int = 2048,
) -> AttentionByMap:
    """Attention weights of the original and of the neuron-astrocyte models, to be drawn.

    The paragraph is the first of 8 to 24 tokens (else the first, cut to 24), the head the one whose
    weights differ most from query to query in the original. Each model reads the paragraph with
    all of its attention swapped, so that errors of earlier layers show as well.

    **Arguments:** as of `transformer_runs_on_astrocytes`. `tripartite.plots.attention_maps` draws
    `weights`.

    **Raises:** as `transformer_runs_on_astrocytes` does.
    """
    require_counts(random_features=random_features)
    encoder = load_bert(directory)
    ids = jnp.asarray(_paragraph(directory, text, encoder.max_tokens))
    d_head = encoder.attentions[0].d_head
    drawn = PositiveRandom(random_features, d_head, key=jax.random.key(_DRAW))
    swaps: dict[str, Any] = {
        "one process per token": OneProcessPerToken(),
        f"{random_features} random features": drawn,
    }
    if maps is not None:
        swaps["learned maps"] = maps
    original = _weights(encoder, softmax_heads, ids)
    layers, heads = original.shape[:2]
    spread = jnp.sum(jnp.var(original, axis=2), axis=-1)
    layer, head = np.unravel_index(int(jnp.argmax(spread)), (layers, heads))
    weights = {"softmax": np.asarray(original[layer, head])}
    for title, features in swaps.items():
        circuits = swap_attention(encoder, features).circuits
        weights[title] = np.asarray(_weights(encoder, circuits, ids)[layer, head])
    tokens = token_names(directory, ids.tolist())
    return AttentionByMap(weights, tokens, int(layer), int(head))


def _paragraph(directory: Any, text: Any, most: int) -> list[int]:
    paragraphs = read_paragraphs(text)
    longest = min(_LONGEST, most)
    lengths = map(len, tokenize(directory, paragraphs))
    fitting = (i for i, length in enumerate(lengths) if _SHORTEST <= length <= longest)
    chosen = paragraphs[next(fitting, 0)]
    return tokenize(directory, [chosen], max_tokens=longest)[0]


@eqx.filter_jit
def _weights(
    encoder: BertEncoder, attend: Any, ids: Array
) -> Float[Array, "layers heads queries keys"]:
    """The weights of every head: what its attention makes of values that name their token."""
    seen: list[Array] = []

    def watched(inner: Callable[..., Array]) -> Callable[..., Array]:
        def attended(q: Array, k: Array, v: Array, mask: Array) -> Array:
            names = jnp.eye(k.shape[1], dtype=v.dtype)
            seen.append(inner(q, k, jnp.broadcast_to(names, (k.shape[0], *names.shape)), mask))
            return seen[-1] @ v

        return attended

    each = attend if isinstance(attend, Sequence) else [attend] * len(encoder.layers)
    encoder(ids, attend=[watched(one) for one in each])
    return jnp.stack(seen)
