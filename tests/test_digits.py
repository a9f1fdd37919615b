"""The shipped digits, and the transformer that reads them."""

import json
import math
import re
from importlib import resources
from pathlib import Path

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import sklearn.datasets

from tripartite.attention import OneProcessPerToken, fixed_point
from tripartite.proofs.digits import load_digits, split_digits
from tripartite.proofs.digits_transformer import (
    DigitsTransformer,
    load_digits_transformer,
    save_digits_transformer,
    softmax_attend,
)

ASSETS = resources.files("tripartite.proofs").joinpath("assets")


@pytest.fixture(scope="module")
def held_out():
    digits = load_digits()
    test = split_digits(digits.labels).test
    return digits.images[test], digits.labels[test]


def accuracy(model, pictures, labels, attend=softmax_attend):
    logits = eqx.filter_jit(jax.vmap(lambda image: model(image, attend)))(pictures)
    return float(jnp.mean(jnp.argmax(logits, axis=-1) == labels))


def circuit_attend(q, k, v):
    return jax.vmap(lambda q, k, v: fixed_point(OneProcessPerToken(), q, k, v))(q, k, v)


def uniform_attend(q, k, v):
    return jnp.broadcast_to(jnp.mean(v, axis=1, keepdims=True), v.shape)


def test_digits_are_scikit_learns():
    shipped, theirs = load_digits(), sklearn.datasets.load_digits()
    # Sixteenths are exact in binary, so the comparison is too.
    np.testing.assert_array_equal(np.asarray(shipped.images) * 16.0, theirs.images)
    np.testing.assert_array_equal(np.asarray(shipped.labels), theirs.target)


@pytest.mark.parametrize("double", [True, False])
def test_digits_come_in_the_default_precision(double):
    with jax.enable_x64(double):
        digits = load_digits()
        expected = jnp.float64 if double else jnp.float32
    assert digits.images.dtype == expected
    assert float(digits.images.min()) == 0.0
    assert float(digits.images.max()) == 1.0


def test_split_holds_out_a_fifth_of_each_digit():
    labels = np.asarray(load_digits().labels)
    train, test = split_digits(labels)
    assert sorted([*train, *test]) == list(range(len(labels)))
    for digit in range(10):
        here, all_of_it = np.sum(labels[test] == digit), np.sum(labels == digit)
        assert abs(here - all_of_it / 5) <= 0.5
    # A pin: the stream of PCG64 is frozen by NumPy, so the shipped weights never see these.
    assert test[:8].tolist() == [0, 2, 9, 12, 24, 28, 46, 50]


def test_the_page_quotes_what_training_through_the_circuit_gave():
    """The interval from the rows by SciPy, and the rows from the file that the script wrote."""
    root = Path(__file__).parent.parent
    found = json.loads((root / "scripts/digits_through_circuit.json").read_text())
    page = (root / "docs/run_your_transformer.md").read_text()
    rows = re.findall(r"^\| \d \| ([\d.]+) \| ([\d.]+) \| (-?[\d.]+) \|$", page, re.MULTILINE)
    softmax, circuit, differences = np.array(rows, float).T
    name = "held out, per cent right"
    for shown, kind in ((softmax, "softmax"), (circuit, "circuit")):
        mean = np.mean([one[kind][name] for one in found["fifths"]], axis=0)
        # Three digits are printed.
        np.testing.assert_allclose(shown, mean, rtol=0, atol=5.1e-4)
    np.testing.assert_allclose(differences, circuit - softmax, rtol=0, atol=1.1e-3)
    error = np.std(differences, ddof=1) / len(differences) ** 0.5
    ends = scipy.stats.t.interval(0.95, len(differences) - 1, np.mean(differences), error)
    np.testing.assert_allclose(ends, found["95 % interval, points"], rtol=0, atol=2e-3)
    assert f"reaches from {ends[0]:.2f}\nto {ends[1]:.2f}" in page


def test_split_is_shuffled_within_each_digit():
    labels = np.zeros(100, dtype=int)
    assert split_digits(labels).test.tolist() != list(range(20))


def test_assets_are_small_and_say_where_they_come_from():
    size = {path.name: len(path.read_bytes()) for path in ASSETS.iterdir()}
    assert size["digits.npz"] < 60_000
    assert size["digits_transformer.npz"] < 300_000
    notice = ASSETS.joinpath("NOTICE.md").read_text(encoding="utf-8")
    assert all(word in notice for word in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"))


def test_shipped_weights_are_plain_float32_arrays():
    with np.load(str(ASSETS.joinpath("digits_transformer.npz")), allow_pickle=False) as stored:
        assert {stored[name].dtype for name in stored} == {np.dtype(np.float32)}
        assert all(np.isfinite(stored[name]).all() for name in stored)


def test_shipped_transformer_reads_the_held_out_fifth(held_out):
    assert accuracy(load_digits_transformer(), *held_out) >= 0.96


def test_shipped_transformer_needs_its_attention(held_out):
    """If attention did nothing, replacing it by a circuit would prove nothing."""
    assert accuracy(load_digits_transformer(), *held_out, uniform_attend) < 0.6


def test_shipped_transformer_is_large_enough_and_its_scores_moderate(held_out):
    model = load_digits_transformer()
    assert len(model.blocks) >= 2
    assert min(block.heads for block in model.blocks) >= 4
    scores = []

    def attend(q, k, v):
        chex.assert_shape([q, k, v], (4, 16, 8))
        scores.append(float(jnp.max(jnp.abs(jnp.einsum("hqd,hkd->hqk", q, k)))))
        return softmax_attend(q, k, v)

    for picture in held_out[0][:20]:
        model(picture, attend)
    assert len(scores) == 20 * len(model.blocks)
    assert max(scores) < 4


def erf_gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


def normalise(layer, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-5)
    return centred / deviation * np.asarray(layer.weight) + np.asarray(layer.bias)


def affine(layer, x):
    return x @ np.asarray(layer.weight).T + np.asarray(layer.bias)


def reference_logits(model, image):
    """The same forward pass, token by token and head by head, in NumPy."""
    corners = [(row, column) for row in range(0, 8, 2) for column in range(0, 8, 2)]
    patches = np.stack([image[r : r + 2, c : c + 2].ravel() for r, c in corners])
    x = affine(model.embed, patches) + np.asarray(model.positions)
    for block in model.blocks:
        y = normalise(block.norm_attention, x)
        q, k, v = (affine(layer, y) for layer in (block.query, block.key, block.value))
        heads = []
        for head in range(block.heads):
            columns = slice(8 * head, 8 * head + 8)
            weights = np.exp(q[:, columns] @ k[:, columns].T / np.sqrt(8))
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, columns])
        x = x + affine(block.output, np.concatenate(heads, axis=1))
        y = erf_gelu(affine(block.widen, normalise(block.norm_perceptron, x)))
        x = x + affine(block.narrow, y)
    return affine(model.classify, normalise(model.norm, x).mean(axis=0))


def test_forward_pass_agrees_with_numpy(held_out):
    model = load_digits_transformer()
    for picture in held_out[0][:3]:
        # Some hundred additions per logit, of terms up to ten, each rounded at 1e-16.
        expected = reference_logits(model, np.asarray(picture))
        np.testing.assert_allclose(model(picture), expected, rtol=0, atol=1e-12)


def test_circuit_takes_softmaxs_place(held_out):
    model, pictures = load_digits_transformer(), held_out[0][:8]
    logits = jax.vmap(model)(pictures)
    swapped = jax.vmap(lambda image: model(image, circuit_attend))(pictures)
    chex.assert_trees_all_close(swapped, logits, rtol=0, atol=1e-12)


def test_float32_follows_float64(held_out):
    picture = held_out[0][0]
    logits = load_digits_transformer(jnp.float32)(picture.astype(jnp.float32))
    assert logits.dtype == jnp.float32
    # Rounding of about 6e-8 in each of some thousand operations, of random sign.
    expected = load_digits_transformer(jnp.float64)(picture)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


def test_under_jit_vmap_and_grad(held_out):
    model, pictures = load_digits_transformer(), held_out[0][:2]
    one_by_one = jnp.stack([model(picture) for picture in pictures])
    batched = eqx.filter_jit(eqx.filter_vmap(model))(pictures)
    chex.assert_trees_all_close(batched, one_by_one, rtol=0, atol=1e-12)

    def logit(scale):
        return model(scale * pictures[0])[3]

    step = 1e-5
    slope = (logit(1.0 + step) - logit(1.0 - step)) / (2 * step)
    # Central differences: error of order step^2 plus 1e-16 / step.
    assert float(jax.grad(logit)(1.0)) == pytest.approx(float(slope), abs=1e-7)


def test_saved_weights_come_back(tmp_path):
    model = load_digits_transformer()
    save_digits_transformer(model, tmp_path / "weights.npz")
    with (
        np.load(tmp_path / "weights.npz", allow_pickle=False) as again,
        np.load(str(ASSETS.joinpath("digits_transformer.npz")), allow_pickle=False) as shipped,
    ):
        assert set(again) == set(shipped)
        assert all(np.array_equal(again[name], shipped[name]) for name in shipped)


def test_heads_must_divide_the_width(key):
    with pytest.raises(ValueError, match="width 32 cannot be split over 5 heads: choose"):
        DigitsTransformer(heads=5, key=key)


def test_a_batch_is_refused_with_the_way_out(held_out):
    with pytest.raises(ValueError, match=r"shape \(2, 8, 8\).*\(8, 8\).*jax\.vmap"):
        load_digits_transformer()(held_out[0][:2])
