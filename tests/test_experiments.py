"""The experiments' data, nets and training: small, by wording, and that they learn at all."""

import gzip
import json
import struct

import equinox as eqx
import jax
import numpy as np
import pytest

pytest.importorskip("sklearn")
from experiments import (
    information_plane,
    multitask,
    nets,
    pictures,
    report,
    robustness,
    training,
    write,
)
from tripartite import layers


def idx(array, kind=0x08):
    """An IDX file's bytes, as the MNIST database describes them."""
    head = bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def folder_of(path, images, labels):
    for part in ("train", "test"):
        for what, array in (("images", images), ("labels", labels)):
            (path / pictures.FILES[part, what]).write_bytes(idx(array))
    return path


# ---- data --------------------------------------------------------------------------------------


def test_the_pictures_that_come_with_the_project():
    train, test = pictures.load(), pictures.load(part="test")
    assert train.images.shape == (700, 28, 28) and test.images.shape == (200, 28, 28)
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(10, 70))
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 20))
    assert train.images.dtype == np.float32 and 0.0 <= train.images.min() < train.images.max() == 1


def test_an_idx_file_is_read_as_written(tmp_path):
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "small.gz").write_bytes(gzip.compress(idx(array)))
    for name in ("plain", "small.gz"):
        np.testing.assert_array_equal(pictures.read_idx(tmp_path / name, 3), array)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (idx(np.zeros((2, 3, 4)))[:-5], r"is truncated: its header says \(2, 3, 4\), which is 24"),
        (idx(np.zeros((2, 3, 4))) + b"xy", r"is too long: .* and more follow"),
        (idx(np.zeros((2, 3, 4)))[:9], "is truncated: it ends within its header"),
        (idx(np.zeros(5)), "begins with 00000801, but .* with 3 axes .* magic number 00000803"),
        (idx(np.zeros((2, 3, 4)), kind=0x0D), "magic number 00000803: is it another file"),
        (b"", "begins with nothing"),
        (gzip.compress(idx(np.zeros((2, 3, 4))))[:-12], "damaged gzip file: fetch it again"),
    ],
    ids=["truncated", "long", "header", "axes", "type", "empty", "gzip"],
)
def test_a_file_that_is_no_idx_file(raw, words, tmp_path):
    (tmp_path / "file").write_bytes(raw)
    with pytest.raises(ValueError, match=words):
        pictures.read_idx(tmp_path / "file", 3)


def test_a_folder_that_does_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"get the four files .*github.com"):
        pictures.load(tmp_path)
    folder_of(tmp_path, np.zeros((3, 4, 4)), np.asarray([0, 9, 10]))
    with pytest.raises(ValueError, match="labels must be whole numbers from 0 to 9, got 10"):
        pictures.load(tmp_path)
    assert pictures.load(tmp_path, classes=11).labels.tolist() == [0, 9, 10]
    folder_of(tmp_path, np.zeros((3, 4, 4)), np.asarray([0, 1]))
    with pytest.raises(ValueError, match="3 pictures, but 2 labels"):
        pictures.load(tmp_path)


def test_digits_are_scaled_up():
    """Bilinear with corners on corners: corners stay, and an even ramp stays an even ramp."""
    digits = pictures.digits(28)
    assert digits.images.shape == (1797, 28, 28) and digits.images.max() <= 1.0
    ramp = np.arange(8, dtype=np.float32)[None, None, :] * np.ones((1, 8, 1), np.float32)
    large = pictures.resize(ramp, 15)
    # Sums of two float32 products.
    np.testing.assert_allclose(large[0, 4], np.linspace(0.0, 7.0, 15), atol=2e-6)


def test_an_overlay_has_both_pictures_and_both_labels():
    first = pictures.Labelled(np.full((2, 5, 5), 0.5, np.float32), np.asarray([3, 4]))
    second = pictures.Labelled(np.full((3, 4, 4), 0.75, np.float32), np.asarray([0, 1, 2]))
    found = pictures.overlay(first, second, 6, side=8)
    assert found.images.shape == (6, 8, 8) and found.labels.shape == (6, 2)
    expected = np.zeros((8, 8), np.float32)
    expected[:5, :5] = 0.5
    expected[4:, 4:] = 0.75
    for image in found.images:
        np.testing.assert_array_equal(image, expected)
    # Each picture as often as any other, and another seed pairs otherwise.
    assert np.bincount(found.labels[:, 0])[3:].tolist() == [3, 3]
    assert np.bincount(found.labels[:, 1]).tolist() == [2, 2, 2]
    others = [pictures.overlay(first, second, 6, side=8, seed=s).labels.tolist() for s in range(4)]
    assert len({str(x) for x in others}) > 1
    with pytest.raises(ValueError, match="none larger than side=4: give a larger side"):
        pictures.overlay(first, second, 6, side=4)
    with pytest.raises(ValueError, match="whole numbers from 0 to 3, got 4"):
        pictures.overlay(first, second, 6, side=8, classes=4)


def test_no_picture_is_in_both_parts():
    train, test = pictures.two_tasks(900, 300)
    assert train.images.shape == (900, 36, 36) and test.labels.shape == (300, 2)
    # Where no digit is; some clothes leave it black.
    black = np.zeros((8, 28), np.float32).tobytes()
    seen = [{x[:8, :28].tobytes() for x in part.images} - {black} for part in (train, test)]
    assert len(seen[0]) > 400 and len(seen[1]) > 100 and not seen[0] & seen[1]


def test_resplits_are_stratified_and_differ():
    pairs = pictures.resplits(repeats=2)
    for train, test in pairs:
        assert len(train.images) == 700
        np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 20))
    assert not np.array_equal(pairs[0][1].images, pairs[1][1].images)


# ---- training ----------------------------------------------------------------------------------


@pytest.fixture
def everyday():
    """As the scripts run: float32, and JAX's ordinary promotion, which optax's Adam needs."""
    jax.config.update("jax_enable_x64", False)
    with jax.numpy_dtype_promotion("standard"):
        yield
    jax.config.update("jax_enable_x64", True)


TINY = nets.Sizes(side=12, hidden=8, channels=(2, 2), kernel=3, stride=1, steps=4)


@pytest.mark.usefixtures("everyday")
@pytest.mark.parametrize("kind", ["lif", "hh"])
def test_two_steps_of_training_lower_the_loss(kind):
    rng = np.random.default_rng(0)
    data = pictures.Labelled(
        rng.random((20, 12, 12), np.float32), rng.integers(0, 10, (20, 2)).astype(np.int32)
    )
    net = nets.build(kind, "fc", TINY, key=jax.random.key(0))
    before = net
    net, history, seconds = training.train(
        net, data, epochs=4, rate=1e-2, key=jax.random.key(1), batch=10
    )
    assert len(history) == 4 and history[-1] < history[0] and seconds > 0
    # The synapses moved; the neurons' own constants did not.
    assert not np.array_equal(net.body[0].synapse.weight, before.body[0].synapse.weight)
    fixed = [eqx.filter(x, layers.trainable(x), inverse=True) for x in (net, before)]
    for a, b in zip(*map(jax.tree.leaves, fixed), strict=True):
        np.testing.assert_array_equal(a, b)
    assert training.accuracy(net, data).shape == (2,)


@pytest.mark.gate
@pytest.mark.usefixtures("everyday")
@pytest.mark.parametrize("kind", nets.KINDS)
@pytest.mark.parametrize("shape", ["fc", "conv"])
def test_every_net_answers_and_is_counted(kind, shape):
    net = nets.build(kind, shape, TINY, key=jax.random.key(0))
    image = np.random.default_rng(1).random((12, 12), np.float32)
    assert jax.jit(lambda x: net(x))(image).shape == (2, 10)
    assert layers.multiply_accumulates(lambda net, x: net(x), net, image) > 0
    assert report.step_memory(net, image[None], np.zeros((1, 2), np.int32)) > 0


def test_noise_of_both_kinds():
    data = pictures.Labelled(np.zeros((400, 12, 12), np.float32), np.zeros((400, 2), np.int32))
    fixed = robustness.fixed_pattern(data, 50, 0).images
    np.testing.assert_array_equal(fixed[0], fixed[399])
    fresh = robustness.fresh_noise(data, 50, 0).images
    assert not np.array_equal(fresh[0], fresh[1])
    # 57,600 normal numbers: relative error of a standard deviation 0.003.
    assert np.std(fresh) == pytest.approx(50 / 255, rel=0.02)


@pytest.mark.usefixtures("everyday")
def test_the_bottleneck_s_bounds():
    """KL by hand for a head that gives mu = 1, sigma = softplus(-5); I(Z;Y) <= 2 log2(10)."""
    model = information_plane.Bottleneck("ann", TINY, jax.random.key(0))
    latent = information_plane.LATENT
    zero = np.zeros_like(model.encoder.read.weight)
    bias = np.concatenate([np.ones(latent), np.zeros(latent)]).astype(np.float32)
    model = eqx.tree_at(lambda m: (m.encoder.read.weight, m.encoder.read.bias), model, (zero, bias))
    images, labels = np.zeros((4, 12, 12), np.float32), np.zeros((4, 2), np.int32)
    zx, zy, right = information_plane.measure(model, images, labels, jax.random.key(1))
    sigma = np.log1p(np.exp(-5.0))
    kl = 0.5 * latent * (1.0 + sigma**2 - 2.0 * np.log(sigma) - 1.0)
    # Sums of 32 float32 terms of size 5.
    assert float(zx) == pytest.approx(kl / np.log(2.0), rel=1e-5)
    assert float(zy) < 2.0 * np.log2(10.0) and right.shape == (2,)


# ---- what is reported --------------------------------------------------------------------------


def test_an_interval_is_student_s():
    """For 1, 2, 3, 4, 5: standard deviation sqrt(2.5), t of 4 degrees of freedom 2.776445."""
    mean, half = report.interval([1, 2, 3, 4, 5])
    assert mean == 3.0 and half == pytest.approx(2.776445 * np.sqrt(2.5 / 5.0), rel=1e-6)


def test_the_page_shows_what_the_results_say():
    page = write.PAGES / "index.md"
    text = page.read_text()
    assert text.count("<!-- table: ") >= 2 and write.filled(text) == text
    assert write.filled(text.replace("| 92.9 |", "| 99.9 |")) == text


def test_every_result_has_its_command():
    found = sorted(report.RESULTS.glob("*.json"))
    assert found
    for path in found:
        assert json.loads(path.read_text())["command"].startswith("python -m experiments."), path
    assert multitask.RATES == {"fc": (1e-3, 3e-3), "conv": (3e-3, 1e-2)}
