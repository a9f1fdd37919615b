"""A pretrained vision transformer, from a folder or the Hub, with its attention left open.

Architecture: Dosovitskiy et al. 2021 (arXiv 2010.11929), equations 1 to 4, in the layout of
google/vit-base-patch16-224: a pre-norm encoder with a class token before the patches.
"""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.attention.checkpoint import Tensors, fill, open_tensors, read_config
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
from tripartite.core.errors import require_counts

# How the fields below are spelt in a checkpoint, for those that differ.
_SPELLINGS = {
    "class_token": "embeddings.cls_token",
    "positions": "embeddings.position_embeddings",
    "patches": "embeddings.patch_embeddings.projection",
    "layers": "encoder.layer",
    "norm_before": "layernorm_before",
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "gather": "attention.output.dense",
    "norm_after": "layernorm_after",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "layernorm",
}
_CLASSES = "classifier.weight"


@dataclasses.dataclass(frozen=True)
class ViTConfig:
    """The sizes and choices of a vision transformer, under the names that `config.json` uses."""

    image_size: int
    patch_size: int
    num_channels: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12


class PatchProjection(eqx.Module):
    """Each square patch of a picture through one affine map, row after row of patches."""

    weight: Float[Array, "width channels side side"]
    bias: Float[Array, " width"]

    def __call__(self, image: Float[Array, "channels height columns"]) -> Array:
        channels, height, columns = image.shape
        side = self.weight.shape[-1]
        tiles = image.reshape(channels, height // side, side, columns // side, side)
        projected = jnp.einsum("cyixj,wcij->yxw", tiles, self.weight)
        return projected.reshape(-1, self.bias.size) + self.bias[None, :]


class ViTLayer(eqx.Module):
    """One layer of the encoder: attention and a two-layer perceptron, each normalised before."""

    norm_before: eqx.nn.LayerNorm
    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    gather: eqx.nn.Linear
    norm_after: eqx.nn.LayerNorm
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear
    heads: int = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __init__(self, config: ViTConfig, *, key: PRNGKeyArray):
        width, hidden = config.hidden_size, config.intermediate_size
        keys = jax.random.split(key, 6)
        self.norm_before = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.query, self.key, self.value, self.gather = (
            eqx.nn.Linear(width, width, key=one) for one in keys[:4]
        )
        self.norm_after = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.widen = eqx.nn.Linear(width, hidden, key=keys[4])
        self.narrow = eqx.nn.Linear(hidden, width, key=keys[5])
        self.heads = config.num_attention_heads
        self.activation = config.hidden_act

    def __call__(
        self, x: Float[Array, "tokens width"], attend: Attend
    ) -> Float[Array, "tokens width"]:
        y = jax.vmap(self.norm_before)(x)
        q, k, v = (
            split_heads(jax.vmap(projection)(y), self.heads)
            for projection in (self.query, self.key, self.value)
        )
        scale = q.shape[-1] ** -0.25
        x = x + jax.vmap(self.gather)(join_heads(attend(q * scale, k * scale, v)))
        y = ACTIVATIONS[self.activation](jax.vmap(self.widen)(jax.vmap(self.norm_after)(x)))
        return x + jax.vmap(self.narrow)(y)


class ViTEncoder(AbstractEncoder):
    """A vision transformer: one picture in, the last hidden state out.

    `encoder(image, attend=...)`:

    - `image`: shape (channels, size, size), normalised as the checkpoint's own preprocessing does
        (for google/vit-base-patch16-224, brightness from -1 to 1).
    - `attend(q, k, v)`: the attention; takes and returns arrays of shape (heads, tokens, d_head),
        q and k each already divided by d_head^(1/4). By default softmax's. One for all layers, or
        a sequence of one for each.

    Returns the last hidden state after the closing normalisation, shape (1 + patches, width), the
    class token first. For a batch, `jax.vmap`. `classify` makes logits of it.

    **Raises:** `ValueError` for a picture of another shape or not of floating-point numbers.
    """

    class_token: Float[Array, "1 1 width"]
    positions: Float[Array, "1 tokens width"]
    patches: PatchProjection
    layers: tuple[ViTLayer, ...]
    norm: eqx.nn.LayerNorm
    classifier: eqx.nn.Linear | None
    image_size: int = eqx.field(static=True)

    @checked
    def __init__(self, config: ViTConfig, classes: int | None = None, *, key: PRNGKeyArray):
        require_counts(classes=classes)
        first, positions, patches, last, *layers = jax.random.split(
            key, 4 + config.num_hidden_layers
        )
        width, side = config.hidden_size, config.patch_size
        count = (config.image_size // side) ** 2
        shape = (width, config.num_channels, side, side)
        spread = (config.num_channels * side * side) ** -0.5
        self.class_token = 0.02 * jax.random.normal(first, (1, 1, width))
        self.positions = 0.02 * jax.random.normal(positions, (1, 1 + count, width))
        self.patches = PatchProjection(
            spread * jax.random.normal(patches, shape), jnp.zeros((width,))
        )
        self.layers = tuple(ViTLayer(config, key=layer) for layer in layers)
        self.norm = eqx.nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.classifier = None if classes is None else eqx.nn.Linear(width, classes, key=last)
        self.image_size = config.image_size

    @property
    def attentions(self) -> tuple[AttentionSize, ...]:
        width = self.class_token.shape[-1]
        return tuple(AttentionSize(layer.heads, width // layer.heads) for layer in self.layers)

    def __call__(
        self,
        image: Float[Array, "channels size size"],
        *,
        attend: Attend | Sequence[Attend] = softmax_heads,
    ) -> Float[Array, "tokens width"]:
        image, size = jnp.asarray(image), self.image_size
        shape = (self.patches.weight.shape[1], size, size)
        if image.shape != shape or not jnp.issubdtype(image.dtype, jnp.floating):
            raise ValueError(
                f"the encoder reads one picture of floating-point numbers of shape {shape} "
                f"(channels first), got shape {image.shape} and dtype {image.dtype}. Resize it and "
                "normalise it as the checkpoint's preprocessing says; for a batch, use jax.vmap."
            )
        patches = self.patches(image.astype(self.class_token.dtype))
        x = jnp.concatenate([self.class_token[0], patches]) + self.positions[0]
        for layer, one in zip(self.layers, for_each_layer(attend, len(self.layers)), strict=True):
            x = layer(x, one)
        return jax.vmap(self.norm)(x)

    def classify(self, hidden: Float[Array, "tokens width"]) -> Float[Array, " classes"]:
        """The logits of the checkpoint's classes, from the last hidden state.

        **Raises:** `ValueError` if the checkpoint has no classifier.
        """
        if self.classifier is None:
            raise ValueError(
                "this checkpoint has no classifier: read the hidden state, or load one that was "
                "trained to classify."
            )
        return self.classifier(hidden[0])


@checked
def load_vit(directory: Folder, dtype: DTypeLike = float) -> ViTEncoder:
    """Reads a vision transformer in the layout of google/vit-base-patch16-224.

    `config.json` and `model.safetensors`, names with or without the prefix `vit.`. Weights stored
    in half precision or bfloat16 are converted; a pooler is left out, a classifier is kept.

    **Arguments:** as of `load_bert`: `directory`, the checkpoint's folder or its id on the Hub;
    `dtype`, precision of the weights, by default JAX's own.

    **Raises:** as `load_bert` does: `ImportError` without the `text` extra; `ValueError` if a file
    is missing or broken, the architecture or activation is not supported, or a tensor is absent,
    has an unexpected shape, or is not finite.
    """
    folder = checkpoint_folder(directory)
    config = _config(folder)
    with open_tensors(folder, "ViT") as tensors:
        tensors.require_layers(config.num_hidden_layers)
        shapes = eqx.filter_eval_shape(ViTEncoder, config, _classes(tensors), key=jax.random.key(0))
        return fill(shapes, tensors, _SPELLINGS, dtype)


def _classes(tensors: Tensors) -> int | None:
    return tensors.shape(_CLASSES)[0] if tensors.find(_CLASSES) is not None else None


def _config(folder: Folder) -> ViTConfig:
    """The encoder's sizes: whole square patches, biased projections, an activation known here."""
    config, instead = read_config(folder), "Choose a ViT checkpoint."
    config.choice("model_type", ("vit",), None, instead)
    config.choice("qkv_bias", (True,), True, instead)
    activation = config.choice("hidden_act", tuple(ACTIVATIONS), "gelu", instead)
    sizes = {
        field.name: config.size(field.name)
        for field in dataclasses.fields(ViTConfig)
        if field.type is int
    }
    config.require_whole_heads()
    if sizes["image_size"] % sizes["patch_size"]:
        raise ValueError(
            f"{config.path}: image_size {sizes['image_size']} does not divide into patches of "
            f"patch_size {sizes['patch_size']}."
        )
    epsilon = config.positive("layer_norm_eps", ViTConfig.layer_norm_eps)
    return ViTConfig(**sizes, hidden_act=activation, layer_norm_eps=epsilon)
