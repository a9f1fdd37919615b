"""A BERT checkpoint read from a folder, against BERT's forward pass written in NumPy."""

import json
import sys

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.flax
import safetensors.numpy

from tripartite.attention import OneProcessPerToken, fixed_point
from tripartite.attention.checkpoint import tokenize
from tripartite.attention.encoder import ACTIVATIONS, softmax_heads
from tripartite.attention.pretrained import load_bert

from .bert_checkpoints import (
    CONFIG,
    WORDS,
    random_tensors,
    reference_hidden_state,
    tanh_gelu,
    write_checkpoint,
)

IDS = np.array([2, 10, 14, 17, 11, 4, 3])
# Each of some 1e4 roundings of 1e-16 may pass through layer normalisation, which here magnifies
# at most tenfold: 1e-11. The issue is the formula, and a wrong one differs in the first digits.
FORMULA = {"rtol": 0, "atol": 1e-10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def encoder(folder):
    return load_bert(folder)


def test_hidden_state_is_berts(encoder):
    hidden = encoder(jnp.asarray(IDS))
    assert hidden.shape == (7, 24)
    assert hidden.dtype == jnp.float64
    np.testing.assert_allclose(hidden, reference_hidden_state(random_tensors(), IDS), **FORMULA)


@pytest.mark.parametrize("given", [bool, int])
def test_masked_tokens_are_not_read(encoder, given):
    mask = np.array([1, 1, 0, 1, 1, 1, 0])
    hidden = encoder(jnp.asarray(IDS), jnp.asarray(mask, dtype=given))
    expected = reference_hidden_state(random_tensors(), IDS, mask)
    np.testing.assert_allclose(hidden, expected, **FORMULA)
    changed = encoder(jnp.asarray(IDS).at[2].set(20), jnp.asarray(mask, dtype=given))
    read = np.flatnonzero(mask)
    np.testing.assert_array_equal(changed[read], hidden[read])


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gelu_new", tanh_gelu),
        ("gelu_pytorch_tanh", tanh_gelu),
        ("relu", lambda x: np.maximum(x, 0)),
    ],
)
def test_activation_is_the_configs(tmp_path, name, function):
    folder = write_checkpoint(tmp_path, config={"hidden_act": name})
    expected = reference_hidden_state(random_tensors(), IDS, activation=function)
    np.testing.assert_allclose(load_bert(folder)(jnp.asarray(IDS)), expected, **FORMULA)


def test_checkpoint_of_bert_with_a_head(tmp_path, encoder):
    """The prefix `bert.`, layer normalisation's older names, and a head that is left out."""
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {"cls.predictions.bias": np.zeros(40)}
    for name, tensor in random_tensors().items():
        for new_end, old_end in old.items():
            name = name.replace(new_end, old_end)
        tensors[f"bert.{name}"] = tensor
    chex.assert_trees_all_equal(load_bert(write_checkpoint(tmp_path, tensors=tensors)), encoder)


@pytest.mark.parametrize("stored", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_weights_stored_in_few_bits_are_converted(tmp_path, stored):
    tensors = {name: jnp.asarray(t, stored) for name, t in random_tensors().items()}
    folder = write_checkpoint(tmp_path, tensors=tensors, save=safetensors.flax.save_file)
    encoder = load_bert(folder)
    # Every one of these formats is a subset of float64.
    exact = {name: np.asarray(t.astype(jnp.float64)) for name, t in tensors.items()}
    assert encoder.words.weight.dtype == jnp.float64
    np.testing.assert_allclose(
        encoder(jnp.asarray(IDS)), reference_hidden_state(exact, IDS), **FORMULA
    )


def test_float32_follows_float64(folder, encoder):
    single = load_bert(folder, jnp.float32)(jnp.asarray(IDS))
    assert single.dtype == jnp.float32
    # FORMULA's argument with roundings of 6e-8.
    np.testing.assert_allclose(single, encoder(jnp.asarray(IDS)), rtol=0, atol=1e-4)


def test_precision_is_jaxs_own_by_default(folder):
    with jax.enable_x64(False):
        assert load_bert(folder).words.weight.dtype == jnp.float32


def test_under_jit_vmap_and_grad(encoder):
    ids = jnp.stack([jnp.asarray(IDS), jnp.asarray(IDS[::-1].copy())])
    one_by_one = jnp.stack([encoder(row) for row in ids])
    batched = eqx.filter_jit(eqx.filter_vmap(encoder))(ids)
    chex.assert_trees_all_close(batched, one_by_one, rtol=0, atol=1e-10)

    def total(scale):
        def attend(q, k, v, mask):
            return softmax_heads(scale * q, k, v, mask)

        return jnp.sum(encoder(ids[0], attend=attend)[:, 0])

    step = 1e-5
    slope = (total(1.0 + step) - total(1.0 - step)) / (2 * step)
    # Central differences: error of order step^2 plus 1e-15 / step.
    assert float(jax.grad(total)(1.0)) == pytest.approx(float(slope), abs=1e-7)


def test_attention_is_handed_scaled_heads_and_the_mask(encoder):
    mask = jnp.asarray([True] * 6 + [False])
    seen = []

    def attend(q, k, v, given):
        chex.assert_shape([q, k, v], (3, 7, 8))
        chex.assert_trees_all_equal(given, mask)
        seen.append((q, k))
        return softmax_heads(q, k, v, given)

    encoder(jnp.asarray(IDS), mask, attend=attend)
    assert len(seen) == 2
    layer, (q, k) = encoder.layers[0], seen[0]
    x = jax.vmap(encoder.norm)(
        encoder.words.weight[IDS] + encoder.types.weight[:1] + encoder.positions.weight[:7]
    )
    scores = jax.vmap(layer.query)(x)[:, 8:16] @ jax.vmap(layer.key)(x)[:, 8:16].T / np.sqrt(8.0)
    chex.assert_trees_all_close(q[1] @ k[1].T, scores, rtol=0, atol=1e-12)


def test_circuit_takes_softmaxs_place(encoder):
    def attend(q, k, v, mask):
        circuit = OneProcessPerToken()
        return jax.vmap(lambda q, k, v: fixed_point(circuit, q, k, v, mask=mask))(q, k, v)

    mask = jnp.asarray([True] * 5 + [False] * 2)
    swapped = encoder(jnp.asarray(IDS), mask, attend=attend)
    chex.assert_trees_all_close(swapped, encoder(jnp.asarray(IDS), mask), **FORMULA)


def test_tokens_frame_the_words(folder):
    known, unknown = tokenize(folder, ["The astrocyte listens.", "zebra"])
    assert [WORDS[i] for i in known] == ["[CLS]", "the", "astrocyte", "listens", ".", "[SEP]"]
    assert [WORDS[i] for i in unknown] == ["[CLS]", "[UNK]", "[SEP]"]


def test_tokens_are_cut_only_on_request(folder):
    """The file itself asks for padding to 20 and truncation to 6; neither is obeyed."""
    long = "the neuron waits " * 8
    assert len(tokenize(folder, [long])[0]) == 3 * 8 + 2
    cut = tokenize(folder, [long], max_tokens=10)[0]
    assert len(cut) == 10
    assert cut[-1] == WORDS.index("[SEP]")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a folder\. A checkpoint is a folder"):
        load_bert(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    (write_checkpoint(tmp_path) / name).unlink()
    with pytest.raises(ValueError, match=rf"has no file {name}\. A checkpoint is a folder"):
        load_bert(tmp_path)


def test_a_missing_tokenizer_is_named(tmp_path):
    (write_checkpoint(tmp_path) / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"has no file tokenizer\.json"):
        tokenize(tmp_path, ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{broken", r"config\.json is not valid JSON \(.*line 1"),
        (b"\xff\xfe", r"config\.json is not valid JSON \(.*utf-8"),
        (b"[1]", r"config\.json must hold a JSON object, got list"),
    ],
)
def test_a_broken_config(tmp_path, text, message):
    (write_checkpoint(tmp_path) / "config.json").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        load_bert(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"{", r"tokenizer\.json is not valid JSON"), (b"{}", r"has no 'model' entry")],
)
def test_a_broken_tokenizer(tmp_path, text, message):
    (write_checkpoint(tmp_path) / "tokenizer.json").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        tokenize(tmp_path, ["a"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, r"model_type is 'gpt2', but only 'bert' is supported"),
        (
            {"position_embedding_type": "relative_key"},
            r"position_embedding_type is 'relative_key', but only 'absolute' is supported",
        ),
        ({"hidden_act": "swish"}, r"hidden_act is 'swish', but only 'gelu' or 'gelu_new' or"),
        ({"is_decoder": True}, r"is_decoder is True, but only False is supported"),
        ({"hidden_size": None}, r"hidden_size is None; it must be a whole number, at least 1"),
        ({"vocab_size": 0}, r"vocab_size is 0; it must be a whole number"),
        ({"num_hidden_layers": True}, r"num_hidden_layers is True; it must be a whole number"),
        ({"num_attention_heads": 5}, r"hidden_size 24 cannot be split over.*heads 5"),
        ({"layer_norm_eps": 0.0}, r"layer_norm_eps must be a positive number, got 0\.0"),
        ({"layer_norm_eps": "1e-12"}, r"layer_norm_eps must be a positive number, got '1e-12'"),
    ],
)
def test_a_config_that_cannot_be_followed(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_bert(write_checkpoint(tmp_path, config=change))


def test_a_config_without_a_size(tmp_path):
    config = {name: value for name, value in CONFIG.items() if name != "intermediate_size"}
    (write_checkpoint(tmp_path) / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"intermediate_size is missing; it must be a whole"):
        load_bert(tmp_path)


@pytest.mark.parametrize("text", [b"hello", b"\x80\x02}q\x00." * 20])
def test_a_file_that_is_not_safetensors(tmp_path, text):
    (write_checkpoint(tmp_path) / "model.safetensors").write_bytes(text)
    with pytest.raises(ValueError, match=r"is not a readable safetensors file \(.*again"):
        load_bert(tmp_path)


def test_a_truncated_safetensors_file(tmp_path):
    path = write_checkpoint(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"is not a readable safetensors file"):
        load_bert(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"config\.json is not valid JSON"),
        ("model.safetensors", r"is not a readable safetensors file"),
        ("tokenizer.json", r"tokenizer\.json is not valid JSON .*Download it again"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_half_written_file_is_named(tmp_path, name, message, share):
    path = write_checkpoint(tmp_path) / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=message):
        tokenize(tmp_path, ["a"])
        load_bert(tmp_path)


NAME = "encoder.layer.1.attention.self.key.weight"


def test_a_missing_tensor_is_named(tmp_path):
    tensors = random_tensors()
    del tensors[NAME]
    with pytest.raises(ValueError, match=rf"has no tensor '{NAME}', with or without .*holds 36"):
        load_bert(write_checkpoint(tmp_path, tensors=tensors))


def test_an_oddly_shaped_tensor_is_named_with_both_shapes(tmp_path):
    tensors = {**random_tensors(), NAME: np.zeros((24, 23))}
    with pytest.raises(ValueError, match=rf"'{NAME}' has shape \(24, 23\).*asks for \(24, 24\)"):
        load_bert(write_checkpoint(tmp_path, tensors=tensors))


def test_a_quantised_tensor_is_named(tmp_path):
    tensors = {**random_tensors(), NAME: np.zeros((24, 24), np.int8)}
    with pytest.raises(ValueError, match=rf"'{NAME}' holds int8, but weights must be floating"):
        load_bert(write_checkpoint(tmp_path, tensors=tensors))


def test_a_damaged_tensor_is_named(tmp_path):
    tensors = random_tensors()
    tensors[NAME][3, 4] = np.nan
    with pytest.raises(ValueError, match=rf"'{NAME}' holds numbers that are not finite"):
        load_bert(write_checkpoint(tmp_path, tensors=tensors))


@pytest.mark.parametrize("package", ["safetensors", "tokenizers"])
def test_a_missing_extra_is_named(folder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    read = load_bert if package == "safetensors" else lambda path: tokenize(path, ["a"])
    with pytest.raises(ImportError, match=rf"package {package}.*`text` extra.*tripartite\[text\]"):
        read(folder)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.zeros((2, 3), int), r"shape \(tokens,\), got shape \(2, 3\).*use jax\.vmap"),
        (np.zeros(3), r"whole numbers.*dtype float64"),
        (np.zeros(33, int), r"reads 1 to 32 tokens, got 33"),
        (np.zeros(0, int), r"reads 1 to 32 tokens, got 0"),
        (np.array([1, 40]), r"between 0 and 39, the vocabulary"),
        (np.array([-1, 4]), r"between 0 and 39, the vocabulary"),
    ],
)
def test_bad_tokens(encoder, ids, message):
    with pytest.raises(ValueError, match=message):
        encoder(jnp.asarray(ids))


def test_bad_tokens_under_jit(encoder):
    with pytest.raises(eqx.EquinoxRuntimeError, match="between 0 and 39"):
        eqx.filter_jit(encoder)(jnp.asarray([1, 40]))


def test_a_mask_of_another_length(encoder):
    with pytest.raises(ValueError, match=r"one entry for each token, got shape \(3,\).*\(7,\)"):
        encoder(jnp.asarray(IDS), jnp.ones(3, bool))


def test_every_activation_is_tested_or_the_default():
    assert set(ACTIVATIONS) == {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"}
