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


@pytest.mark.parametrize(
    "loss", ["attention_loss", pytest.param("embedding_loss", marks=pytest.mark.gate)]
)
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


def test_divided_neurons_are_together_what_they_were():
    maps, x = untrained(), jax.random.normal(jax.random.key(1), (2, 5, 9))
    q, k = x[..., : CONFIG["hidden_size"] // HEADS]

    def kernel(maps):
        one = jax.tree.map(lambda x: x[0, 0], maps)
        return np.asarray(jnp.exp(one.log_queries(q, k)) @ jnp.exp(one.log_keys(k)).T)

    def change(apart):
        twice = distillation.grown(maps, jax.random.key(2), apart)
        assert twice.query_weights.shape[2] == 2 * maps.query_weights.shape[2]
        return np.max(np.abs(kernel(twice) / kernel(maps) - 1.0))

    # Twice sixteen numbers of the order of 1, added up: some ten roundings.
    assert change(0.0) < 1e-14
    # Each pair is a cosh of what lies between its two, less 1: of second order, the fourth next.
    assert 3.9 < change(0.02) / change(0.01) < 4.1
