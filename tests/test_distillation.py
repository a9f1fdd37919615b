"""Feature maps learnt from a pretrained encoder, on a small random checkpoint."""

import importlib.util
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention import LearnedGaussian, load_bert, swap_attention

from .bert_checkpoints import CONFIG, write_checkpoint

SCRIPT = Path(__file__).parent.parent / "scripts" / "distillation.py"
SPEC = importlib.util.spec_from_file_location("distillation", SCRIPT)
distillation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(distillation)
LAYERS, HEADS = CONFIG["num_hidden_layers"], CONFIG["num_attention_heads"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_bert(write_checkpoint(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def teacher(encoder):
    return distillation.Teacher.of(encoder)


def batch_of(seed):
    ids = np.random.default_rng(seed).integers(0, CONFIG["vocab_size"], (4, 7))
    mask = np.arange(7)[None, :] < np.array([7, 5, 3, 7])[:, None]
    return distillation.Batch(jnp.asarray(ids), jnp.asarray(mask))


def untrained():
    keys = jax.random.split(jax.random.key(0), (LAYERS, HEADS))
    d_head = CONFIG["hidden_size"] // HEADS
    return jax.vmap(jax.vmap(lambda key: LearnedGaussian(d_head, 16, hidden=4, key=key)))(keys)


def by_layer(maps):
    return [jax.tree.map(lambda x, n=n: x[n], maps) for n in range(LAYERS)]


@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_trained_is_what_swap_attention_runs(encoder, teacher, swapped):
    maps, batch = untrained(), batch_of(0)
    states, embeddings = jax.jit(distillation.hidden_states)(
        maps if swapped else None, teacher, batch
    )
    model = swap_attention(encoder, by_layer(maps)) if swapped else encoder
    expected = jax.jit(jax.vmap(model))(*batch)
    for row, mask in enumerate(np.asarray(batch.mask)):
        # Sums over 36 units and 7 tokens in two layers, in another order: 1e-11 is 5e4 eps.
        truth = np.asarray(expected[row])[mask]
        np.testing.assert_allclose(np.asarray(states[-1, row])[mask], truth, atol=1e-11)
        mean = truth.mean(0)
        np.testing.assert_allclose(embeddings[row], mean / np.linalg.norm(mean), atol=1e-11)


@pytest.mark.gate
@pytest.mark.parametrize("loss", ["attention_loss", "embedding_loss"])
def test_losses_fall_and_a_training_cut_off_goes_on_the_same(teacher, loss, tmp_path, monkeypatch):
    loss = getattr(distillation, loss)
    batches = [batch_of(0)] * 100

    def train(path):
        # optax's Adam mixes dtypes.
        with jax.numpy_dtype_promotion("standard"):
            return distillation.train(untrained(), loss, teacher, batches, 1e-2, path)

    whole = train(tmp_path / "whole")
    before, after = (float(loss(maps, teacher, batches[0])) for maps in (untrained(), whole.maps))
    assert 0 <= after < 0.5 * before
    saved = []
    keep = distillation.eqx.tree_serialise_leaves

    def cut(file, progress):
        keep(file, progress)
        saved.append(progress)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(distillation.eqx, "tree_serialise_leaves", cut)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    monkeypatch.undo()
    again = train(tmp_path / "cut")
    assert int(saved[0].steps) == 50
    chex.assert_trees_all_equal(again.maps, whole.maps)


def without_bends():
    keys = jax.random.split(jax.random.key(0), (LAYERS, HEADS))
    d_head = CONFIG["hidden_size"] // HEADS
    return jax.vmap(jax.vmap(lambda key: LearnedGaussian(d_head, 6, key=key)))(keys)


def test_neurons_begin_where_keys_are(encoder, teacher):
    batches = [batch_of(0), batch_of(1)]
    maps = distillation.placed(without_bends(), teacher, batches, jax.random.key(3))
    keys = np.asarray(distillation.keys_of(teacher, batches))
    shown = sum(int(np.sum(batch.mask)) for batch in batches)
    assert keys.shape == (LAYERS, HEADS, shown, CONFIG["hidden_size"] // HEADS)
    # Of the first sentence, layer by layer, as the encoder itself computes them.
    own, batch = [], batches[0]

    def attend(q, k, v, mask):
        own.append(k)
        return distillation.softmax_weights(q, k, mask) @ v

    x = teacher.read(batch)[0]
    for layer in encoder.layers:
        x = layer(x, batch.mask[0], attend)
    # 36 units in two layers, in another order: some hundred roundings of numbers near 1.
    np.testing.assert_allclose(keys[:, :, : len(x)], np.stack(own), atol=1e-12)
    q = np.random.default_rng(2).normal(size=keys.shape)
    for at in np.ndindex(LAYERS, HEADS):
        one, k = jax.tree.map(lambda leaf, at=at: leaf[at], maps), keys[at]
        mu = np.asarray(one.query_weights)
        apart = np.sum((k[:, None] - mu[None]) ** 2, axis=-1)
        square = 1.0 / np.mean(np.min(apart, axis=1))
        of_keys = np.asarray(one.log_keys(jnp.asarray(k)))
        np.testing.assert_allclose(of_keys, -0.5 * square * apart, rtol=1e-9, atol=1e-9)
        of_queries = np.asarray(one.log_queries(jnp.asarray(q[at]), jnp.asarray(k)))
        np.testing.assert_allclose(of_queries, q[at] @ mu.T, atol=1e-12)


def test_centres_move_to_the_middle_of_their_keys():
    middles = 10.0 * np.eye(4)
    keys = jnp.asarray(np.concatenate([middles + 0.1 * sign for sign in (-1, 1)]))
    # From any four keys, each of another pair, the middles of pairs are reached in one move.
    seeds = jax.random.split(jax.random.key(0), 40)
    found, widths = jax.jit(jax.vmap(lambda key: distillation.centres(keys, 4, key)))(seeds)
    reached = [np.allclose(np.sort(mu, axis=0), np.sort(middles, axis=0)) for mu in found]
    assert any(reached)
    # 0.1 to all four sides: a mean square of 0.04.
    np.testing.assert_allclose(widths[reached.index(True)], 1.0 / 0.04, rtol=1e-9)


def test_too_few_keys_to_begin_from(teacher):
    maps = untrained()
    with pytest.raises(ValueError, match="16 neurons need as many keys to begin from, got 15"):
        few = distillation.Batch(*(x[:3] for x in batch_of(0)))
        distillation.placed(maps, teacher, [few], jax.random.key(0))
