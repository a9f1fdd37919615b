"""BERT and ViT against transformers and torch, on random checkpoints (script in tests/peers)."""

import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention import OneProcessPerToken, load_bert, load_vit, swap_attention

from . import bert_checkpoints, vit_checkpoints

HERE = Path(__file__).parent
SCRIPT, STORED = HERE / "peers/transformers_models.py", HERE / "data/transformers_models.npz"
with np.load(STORED, allow_pickle=False) as stored:
    THEIRS = dict(stored)
READ = THEIRS["mask"].astype(bool)
# Hidden states of order one. float64: some 1e4 roundings of 1e-16, magnified at most tenfold by
# layer normalisation; float32: as many of 6e-8 that add up at random, hence 100 of them.
BOUNDS = {"float64": 1e-10, "float32": 1e-5}


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    return bert_checkpoints.write_checkpoint(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory):
    return vit_checkpoints.write_checkpoint(tmp_path_factory.mktemp("vit"))


@eqx.filter_jit
def read_text(encoder, ids, mask):
    return jax.vmap(encoder)(ids, mask), jax.vmap(swap_attention(encoder, OneProcessPerToken()))(
        ids, mask
    )


@eqx.filter_jit
def look(encoder, images):
    def one(image):
        hidden = encoder(image)
        swapped = swap_attention(encoder, OneProcessPerToken())(image)
        return hidden, encoder.classify(hidden), swapped

    return jax.vmap(one)(images)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_bert_is_theirs_and_so_is_the_swapped_one(bert_folder, precision):
    encoder = load_bert(bert_folder, precision)
    for hidden in read_text(encoder, THEIRS["ids"], THEIRS["mask"]):
        assert hidden.dtype == precision
        np.testing.assert_allclose(
            hidden[READ], THEIRS[f"bert.{precision}"][READ], rtol=0, atol=BOUNDS[precision]
        )


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_vit_is_theirs_and_so_is_the_swapped_one(vit_folder, precision):
    images = jnp.asarray(vit_checkpoints.random_images(), precision)
    hidden, logits, swapped = look(load_vit(vit_folder, precision), images)
    assert hidden.dtype == logits.dtype == precision
    bound = {"rtol": 0, "atol": BOUNDS[precision]}
    np.testing.assert_allclose(hidden, THEIRS[f"vit.{precision}"], **bound)
    np.testing.assert_allclose(logits, THEIRS[f"vit.logits.{precision}"], **bound)
    np.testing.assert_allclose(swapped, THEIRS[f"vit.{precision}"], **bound)


@pytest.mark.slow
def test_the_frozen_numbers_are_what_transformers_computes(tmp_path):
    pytest.importorskip("transformers", reason="transformers is not installed (reference extra)")
    fresh = tmp_path / "fresh.npz"
    subprocess.run([sys.executable, SCRIPT, fresh], check=True, capture_output=True)
    with np.load(fresh, allow_pickle=False) as computed:
        for name in sorted({*THEIRS} - {"version"}):
            bound = BOUNDS["float32" if "float32" in name else "float64"]
            np.testing.assert_allclose(computed[name], THEIRS[name], rtol=0, atol=bound)
