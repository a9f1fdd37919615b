"""The certificate for a checkpoint the user names, on a small random one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention.encoder import softmax_heads
from tripartite.attention.pretrained import load_bert
from tripartite.proofs import transformer
from tripartite.proofs.transformer import (
    circuit_heads,
    read_paragraphs,
    transformer_runs_on_astrocytes,
    unnormalised_heads,
)

from .bert_checkpoints import WORDS, random_tensors, write_checkpoint

SWAP = "last hidden state, all 2 layers of 3 heads swapped, over its largest entry"
CONTROL = "normaliser off (calcium stays at 1): last hidden state, over its largest entry"


def paragraph(random, words):
    return "\n".join(random.choice(WORDS[4:], words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Twenty paragraphs of 1 to 40 words; the encoder has positions for 32 tokens."""
    random = np.random.default_rng(1)
    file = tmp_path_factory.mktemp("text") / "text.txt"
    blocks = [paragraph(random, words) for words in np.linspace(1, 40, 20).astype(int)]
    file.write_text("\n \n\n".join(blocks), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def certificate(folder, text):
    return transformer_runs_on_astrocytes(folder, text)


def by_name(certificate):
    return {check.name: check for check in certificate.checks}


def test_the_swap_is_exact_to_round_off(certificate):
    certificate.assert_ok()
    checks = by_name(certificate)
    assert set(checks) == {"paragraphs read", SWAP, CONTROL}
    assert checks[SWAP].rung == "real input"
    assert 0 < checks[SWAP].measured < checks[SWAP].bound <= 1e-6


def test_the_control_breaks_the_swap(certificate):
    check = by_name(certificate)[CONTROL]
    assert check.rung == "negative control"
    assert check.above
    assert check.measured > 1e4 * by_name(certificate)[SWAP].bound


def test_the_report_counts_paragraphs_and_tokens(certificate, text):
    check = by_name(certificate)["paragraphs read"]
    lengths = [len(p.split()) + 2 for p in read_paragraphs(text)]
    assert check.measured == 20
    assert check.note == (
        f"{sum(min(n, 32) for n in lengths)} tokens; {sum(n > 32 for n in lengths)} paragraphs "
        "were cut."
    )


def test_each_check_is_announced(folder, text, certificate):
    seen = []
    transformer_runs_on_astrocytes(
        folder, text, max_tokens=8, on_check=lambda name, check: seen.append((name, check.name))
    )
    assert seen == [("transformer_runs_on_astrocytes", c.name) for c in certificate.checks]


def test_float32_has_its_own_bound(folder, text, certificate):
    single = transformer_runs_on_astrocytes(folder, text, precision="float32")
    single.assert_ok()
    ratio = by_name(single)[SWAP].bound / by_name(certificate)[SWAP].bound
    # The ratio of the two epsilons is 2^29; the sensitivity is measured anew in each precision.
    assert 2**27 < ratio < 2**31


def test_fewer_than_twenty_paragraphs_give_no_verdict(folder, tmp_path):
    (tmp_path / "short.txt").write_text("the neuron waits\n\nthe astrocyte listens")
    certificate = transformer_runs_on_astrocytes(folder, tmp_path / "short.txt")
    check = by_name(certificate)["paragraphs read"]
    assert check.passed is False
    assert "fewer are too few for a verdict: add paragraphs" in check.why
    assert by_name(certificate)[SWAP].passed
    with pytest.raises(AssertionError, match="paragraphs read: measured 2, bound"):
        certificate.assert_ok()


def test_a_wrong_circuit_fails_the_swap(folder, text, monkeypatch):
    """The check itself can fail: softmax at another temperature is not round-off."""

    def colder(q, k, v, mask):
        return softmax_heads(q * (1 + 1e-6), k, v, mask)

    monkeypatch.setattr(transformer, "circuit_heads", colder)
    assert by_name(transformer_runs_on_astrocytes(folder, text))[SWAP].passed is False


def test_a_network_that_magnifies_errors_gets_a_wider_bound(tmp_path, text, certificate):
    """Sharp attention hands errors on from layer to layer; the bound follows its sensitivity."""
    sharp = {
        name: (30 if "attention.self" in name else 1) * tensor
        for name, tensor in random_tensors().items()
    }
    folder = write_checkpoint(tmp_path / "sharp", tensors=sharp)
    check = by_name(transformer_runs_on_astrocytes(folder, text))[SWAP]
    assert check.passed
    assert 10 * by_name(certificate)[SWAP].bound < check.bound <= 1e-6


def test_every_attention_of_every_layer_is_swapped(folder):
    encoder = load_bert(folder)
    calls = []

    def attend(*inputs):
        calls.append(inputs[0].shape)
        return circuit_heads(*inputs)

    encoder(jnp.asarray([2, 10, 3]), attend=attend)
    assert calls == [(3, 3, 8)] * 2


def test_the_mutation_lacks_exactly_the_normaliser(key):
    q, k, v = jax.random.normal(key, (3, 2, 6, 4))
    mask = jnp.asarray([True] * 5 + [False])
    scores = np.einsum("hqd,hkd->hqk", q, k)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True)) * np.asarray(mask)
    normaliser = weights.sum(axis=-1, keepdims=True)
    expected = normaliser * np.asarray(circuit_heads(q, k, v, mask))
    # Sums of six products of order one.
    chex.assert_trees_all_close(unnormalised_heads(q, k, v, mask), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("content", "paragraphs"),
    [
        (b"one\ntwo\n\nthree", ["one two", "three"]),
        (b"\xef\xbb\xbfone\r\ntwo\r\n \t\r\n\r\nthree\n\n", ["one two", "three"]),
        ("caf\u00e9  noir".encode(), ["caf\u00e9 noir"]),
    ],
)
def test_paragraphs_are_what_blank_lines_separate(tmp_path, content, paragraphs):
    (tmp_path / "text.txt").write_bytes(content)
    assert read_paragraphs(tmp_path / "text.txt") == paragraphs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"holds no text: it needs at least 20 paragraphs, separated by blank lines"),
        (b" \n\n\t\n", r"holds no text"),
        (b"caf\xe9", r"is not UTF-8 text \(.* at byte 3\)\. Save it as UTF-8"),
    ],
)
def test_a_text_that_cannot_be_read(folder, tmp_path, content, message):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        transformer_runs_on_astrocytes(folder, tmp_path / "text.txt")


def test_a_text_that_is_not_there(folder, tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a file: name a text file"):
        transformer_runs_on_astrocytes(folder, tmp_path / "nowhere")


def test_too_few_tokens(folder, text):
    with pytest.raises(ValueError, match=r"max_tokens must be at least 3 .*got 2"):
        transformer_runs_on_astrocytes(folder, text, max_tokens=2)


def test_a_checkpoint_that_cannot_be_read(text, tmp_path):
    with pytest.raises(ValueError, match=r"has no file config\.json"):
        transformer_runs_on_astrocytes(tmp_path, text)
