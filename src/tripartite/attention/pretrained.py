"""A pretrained BERT encoder, from a folder or the Hub, with its attention left open.

Architecture: Devlin et al. 2019 (arXiv 1810.04805); the post-norm encoder of Vaswani et al. 2017.
"""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from tripartite.attention.checkpoint import fill, open_tensors, read_config
from tripartite.attention.encoder import (
    ACTIVATIONS,
    AbstractEncoder,
    Attend,
    AttentionSize,
    for_each_layer,
    join_heads,
    softmax_heads,
    split_heads,
)
from tripartite.attention.hub import Folder, checkpoint_folder
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete

# How the fields below are spelt in a checkpoint, for those that differ.
_SPELLINGS = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "types": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
    "layers": "encoder.layer",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "gather": "attention.output.dense",
    "norm_attention": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm_output": "output.LayerNorm",
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The sizes and choices of a BERT encoder, under the names that `config.json` uses."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12


class BertLayer(eqx.Module):
    """One layer of the encoder: attention and a two-layer perceptron, each added and normalised."""

    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    gather: eqx.nn.Linear
    norm_attention: eqx.nn.LayerNorm
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear
    norm_output: eqx.nn.LayerNorm
    heads: int = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __init__(self, config: BertConfig, *, key: PRNGKeyArray):
        width, hidden = config.hidden_size, config.intermediate_size
        keys = jax.random.split(key, 6)
        self.query, self.key, self.value, self.gather = (
            eqx.nn.Linear(width, width, key=one) for one in keys[:4]
        )
        self.norm_attention = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.widen = eqx.nn.Linear(width, hidden, key=keys[4])
        self.narrow = eqx.nn.Linear(hidden, width, key=keys[5])
        self.norm_output = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.heads = config.num_attention_heads
        self.activation = config.hidden_act

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        mask: Bool[Array, " tokens"],
        attend: Attend,
    ) -> Float[Array, "tokens width"]:
        q, k, v = (
            split_heads(jax.vmap(projection)(x), self.heads)
            for projection in (self.query, self.key, self.value)
        )
        scale = q.shape[-1] ** -0.25
        attended = join_heads(attend(q * scale, k * scale, v, mask))
        x = jax.vmap(self.norm_attention)(x + jax.vmap(self.gather)(attended))
        y = ACTIVATIONS[self.activation](jax.vmap(self.widen)(x))
        return jax.vmap(self.norm_output)(x + jax.vmap(self.narrow)(y))


class BertEncoder(AbstractEncoder):
    """A BERT encoder: token numbers in, the last hidden state out.

    `encoder(token_ids, attention_mask, attend=...)`:

    - `token_ids`: whole numbers of shape (tokens,), all of the first segment type.
    - `attention_mask`: shape (tokens,), zero or `False` where a token is padding; by default all
        are read. The hidden state at a padded token means nothing.
    - `attend(q, k, v, mask)`: the attention; takes and returns arrays of shape
        (heads, tokens, d_head), q and k each already divided by d_head^(1/4), and the mask as
        booleans. By default softmax's. One for all layers, or a sequence of one for each.

    Returns the last hidden state, shape (tokens, width). For a batch, `jax.vmap`.

    **Raises:** `ValueError` for wrong shapes or dtypes, more tokens than positions, or token
    numbers outside the vocabulary (under `jit`, an Equinox run-time error).
    """

    words: eqx.nn.Embedding
    positions: eqx.nn.Embedding
    types: eqx.nn.Embedding
    norm: eqx.nn.LayerNorm
    layers: tuple[BertLayer, ...]

    @checked
    def __init__(self, config: BertConfig, *, key: PRNGKeyArray):
        words, positions, types, *layers = jax.random.split(key, 3 + config.num_hidden_layers)
        width = config.hidden_size
        self.words = eqx.nn.Embedding(config.vocab_size, width, key=words)
        self.positions = eqx.nn.Embedding(config.max_position_embeddings, width, key=positions)
        self.types = eqx.nn.Embedding(config.type_vocab_size, width, key=types)
        self.norm = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layers = tuple(BertLayer(config, key=layer) for layer in layers)

    @property
    def attentions(self) -> tuple[AttentionSize, ...]:
        width = self.words.embedding_size
        return tuple(AttentionSize(layer.heads, width // layer.heads) for layer in self.layers)

    @property
    def max_tokens(self) -> int:
        """The longest text it has positions for."""
        return self.positions.num_embeddings

    def __call__(
        self,
        token_ids: Int[Array, " tokens"],
        attention_mask: Bool[Array, " tokens"] | Int[Array, " tokens"] | None = None,
        *,
        attend: Attend | Sequence[Attend] = softmax_heads,
    ) -> Float[Array, "tokens width"]:
        ids = self._checked_ids(jnp.asarray(token_ids))
        given = jnp.ones(ids.shape) if attention_mask is None else jnp.asarray(attention_mask)
        mask = given.astype(bool)
        if mask.shape != ids.shape:
            raise ValueError(
                f"attention_mask must have one entry for each token, got shape {mask.shape} for "
                f"token_ids of shape {ids.shape}."
            )
        position, segment = self.positions.weight[: ids.size], self.types.weight[:1]
        x = jax.vmap(self.norm)(self.words.weight[ids] + segment + position)
        attends = for_each_layer(attend, len(self.layers))
        for layer, one in zip(self.layers, attends, strict=True):
            x = layer(x, mask, one)
        return x

    def _checked_ids(self, ids: Int[Array, " tokens"]) -> Int[Array, " tokens"]:
        if ids.ndim != 1 or not jnp.issubdtype(ids.dtype, jnp.integer):
            raise ValueError(
                f"token_ids must be whole numbers of shape (tokens,), got shape {ids.shape} and "
                f"dtype {ids.dtype}. For a batch, use jax.vmap."
            )
        if not 1 <= ids.size <= self.max_tokens:
            raise ValueError(
                f"the encoder reads 1 to {self.max_tokens} tokens, got {ids.size}. Cut the text "
                "into shorter pieces."
            )
        outside = (ids < 0) | (ids >= self.words.num_embeddings)
        message = (
            f"token_ids must lie between 0 and {self.words.num_embeddings - 1}, the vocabulary of "
            "this checkpoint. Use the tokenizer that came with it."
        )
        if not is_concrete(outside):
            return eqx.error_if(ids, outside, message)
        if bool(outside.any()):
            raise ValueError(message)
        return ids


@checked
def load_bert(directory: Folder, dtype: DTypeLike = float) -> BertEncoder:
    """Reads a BERT checkpoint: `config.json` and `model.safetensors`.

    Weights stored in half precision or bfloat16 are converted; a pooler or a task's head is left
    out. Nothing in the folder is executed, and nothing is downloaded from a folder's name.

    **Arguments:**

    - `directory`: the checkpoint's folder; or a Hub id such as
        `"sentence-transformers/all-MiniLM-L6-v2"`: a string `owner/name` that names no folder here
        is fetched by `huggingface_hub`, which keeps it in its cache (config.json,
        model.safetensors and tokenizer.json, nothing else).
    - `dtype`: precision of the weights; by default JAX's own (float64 under `jax_enable_x64`).

    **Raises:** `ImportError` naming the `text` extra where it is missing; `ValueError` if the
    folder or a file is missing or broken, the Hub has no such repository or cannot be reached, the
    architecture, activation or position embedding is not supported, or a tensor is absent, has an
    unexpected shape, or is not finite.
    """
    folder = checkpoint_folder(directory)
    config = _config(folder)
    with open_tensors(folder, "BERT") as tensors:
        tensors.require_layers(config.num_hidden_layers)
        skeleton = eqx.filter_eval_shape(BertEncoder, config, key=jax.random.key(0))
        return fill(skeleton, tensors, _SPELLINGS, dtype)


def _config(folder: Folder) -> BertConfig:
    """The encoder's sizes: those of BERT with absolute positions and an activation known here."""
    config, instead = read_config(folder), "Choose a BERT encoder checkpoint."
    config.choice("model_type", ("bert",), None, instead)
    config.choice("position_embedding_type", ("absolute",), "absolute", instead)
    activation = config.choice("hidden_act", tuple(ACTIVATIONS), "gelu", instead)
    config.choice("is_decoder", (False,), False, instead)
    sizes = {
        field.name: config.size(field.name)
        for field in dataclasses.fields(BertConfig)
        if field.type is int
    }
    config.require_whole_heads()
    epsilon = config.positive("layer_norm_eps", BertConfig.layer_norm_eps)
    return BertConfig(**sizes, hidden_act=activation, layer_norm_eps=epsilon)
