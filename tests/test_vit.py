"""Reading a vision transformer's checkpoint: what is refused, and how it is said."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention import PositiveRandom, load_vit, swap_attention

from .vit_checkpoints import random_images, random_tensors, write_checkpoint

NAME = "vit.encoder.layer.1.attention.attention.key.weight"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_vit(write_checkpoint(tmp_path_factory.mktemp("vit")))


def test_names_without_a_prefix_and_no_classifier(tmp_path, encoder):
    tensors = {
        name.removeprefix("vit."): tensor
        for name, tensor in random_tensors().items()
        if name.startswith("vit.")
    }
    bare = load_vit(write_checkpoint(tmp_path, tensors=tensors))
    assert bare.classifier is None
    same = eqx.tree_at(lambda e: e.classifier, encoder, None)
    assert eqx.tree_equal(bare, same)
    with pytest.raises(ValueError, match=r"this checkpoint has no classifier: read the hidden"):
        bare.classify(jnp.zeros((10, 24)))


def test_a_swapped_one_attends_by_its_map(encoder):
    """Positive random features of one head, in NumPy, in the place of the first layer's softmax."""
    seen = []

    def spy(q, k, v):
        seen.append((q, k, v))
        return v

    image = jnp.asarray(random_images()[0])
    features = PositiveRandom(16, 8, key=jax.random.key(0))
    swapped = swap_attention(encoder, features)
    encoder(image, attend=spy)
    q, k, v = (np.asarray(x) for x in seen[0])
    projection = np.asarray(features.projection)
    rates = [np.exp(x @ projection.T - (x * x).sum(-1, keepdims=True) / 2) for x in (q, k)]
    weights = np.einsum("hqm,hkm->hqk", *rates)
    expected = np.einsum("hqk,hkd->hqd", weights / weights.sum(-1, keepdims=True), v)
    # Sums of ten to twenty terms of order one.
    np.testing.assert_allclose(swapped.circuits[0](*seen[0]), expected, rtol=0, atol=1e-12)
    assert swapped.circuits[1].features is swapped.circuits[0].features


def test_a_missing_tensor_is_named(tmp_path):
    tensors = random_tensors()
    del tensors[NAME]
    bare = NAME.removeprefix("vit.")
    with pytest.raises(ValueError, match=rf"no tensor '{bare}', with .*'vit\.'; .* of a ViT enc"):
        load_vit(write_checkpoint(tmp_path, tensors=tensors))


@pytest.mark.parametrize(
    ("name", "shape", "needed"),
    [
        (NAME, (24, 23), r"\(24, 24\)"),
        ("vit.embeddings.position_embeddings", (1, 17, 24), r"\(1, 10, 24\)"),
        ("vit.embeddings.patch_embeddings.projection.weight", (24, 1, 4, 4), r"\(24, 3, 4, 4\)"),
        ("classifier.bias", (6,), r"\(5,\)"),
    ],
)
def test_an_oddly_shaped_tensor_is_named_with_both_shapes(tmp_path, name, shape, needed):
    tensors = {**random_tensors(), name: np.zeros(shape)}
    with pytest.raises(ValueError, match=rf"'{name}' has shape .*, but config.* for {needed}"):
        load_vit(write_checkpoint(tmp_path, tensors=tensors))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, r"model_type is 'bert', but only 'vit' is supported\. Choose a V"),
        ({"qkv_bias": False}, r"qkv_bias is False, but only True is supported"),
        ({"hidden_act": "swish"}, r"hidden_act is 'swish', but only 'gelu' or"),
        ({"image_size": [12, 12]}, r"image_size is \[12, 12\]; it must be a whole number"),
        ({"image_size": 14}, r"image_size 14 does not divide into patches of patch_size 4"),
        ({"num_attention_heads": 5}, r"hidden_size 24 cannot be split over.*heads 5"),
    ],
)
def test_a_config_that_cannot_be_followed(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_vit(write_checkpoint(tmp_path, config=change))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"config\.json is not valid JSON"),
        ("model.safetensors", r"is not a readable safetensors file"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_half_written_file_is_named(tmp_path, name, message, share):
    path = write_checkpoint(tmp_path) / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=message):
        load_vit(tmp_path)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((12, 12, 3)), r"shape \(3, 12, 12\) \(channels first\), got shape \(12, 12, 3\)"),
        (np.zeros((2, 3, 12, 12)), r"got shape \(2, 3, 12, 12\) .*use jax\.vmap"),
        (np.zeros((3, 12, 12), int), r"floating-point numbers .*dtype int64"),
    ],
)
def test_a_picture_that_does_not_fit(encoder, image, message):
    with pytest.raises(ValueError, match=message):
        encoder(image)
