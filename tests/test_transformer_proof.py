"""The certificate for a checkpoint the user names, on a small random one."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention import LearnedExponential
from tripartite.attention.encoder import softmax_heads
from tripartite.attention.pretrained import load_bert
from tripartite.proofs import attention_by_map, transformer
from tripartite.proofs.sentences import sentence_agreement, sentence_embeddings
from tripartite.proofs.transformer import (
    circuit_heads,
    read_paragraphs,
    transformer_runs_on_astrocytes,
    unnormalised_heads,
)

from .bert_checkpoints import WORDS, random_tensors, reference_hidden_state, write_checkpoint

SWAP = "last hidden state, all 2 layers of 3 heads swapped, over its largest entry"
CONTROL = "normaliser off (calcium stays at 1): last hidden state, over its largest entry"
EXACT = "sentence embeddings, one process per token: 1 - cosine of the worst paragraph"
RANDOM = "sentence embeddings, 4 positive random features: 1 - cosine of the worst paragraph"
LEARNED = "sentence embeddings, learned maps of 8 hidden neurons: mean cosine"


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


def prove(folder, text, **options):
    """Without the trial of random features, which one certificate below has."""
    return transformer_runs_on_astrocytes(folder, text, **{"random_features": (), **options})


@pytest.fixture(scope="module")
def certificate(folder, text):
    return transformer_runs_on_astrocytes(folder, text, random_features=(64, 4), maps=learned())


def learned():
    """Untrained maps: for each head of each layer, the cosh of its channels, at no time softmax."""
    one = LearnedExponential(8, 8, key=jax.random.key(0))
    heads = jax.tree.map(lambda x: jnp.stack([x] * 3), one)
    return [heads] * 2


def by_name(certificate):
    return {check.name: check for check in certificate.checks}


def test_the_swap_is_exact_to_round_off(certificate):
    certificate.assert_ok()
    checks = by_name(certificate)
    assert set(checks) == {"paragraphs read", SWAP, CONTROL, EXACT, RANDOM, LEARNED}
    assert checks[SWAP].rung == "real input"
    assert 0 < checks[SWAP].measured < checks[SWAP].bound <= 1e-6


def test_the_control_breaks_the_swap(certificate):
    check = by_name(certificate)[CONTROL]
    assert check.rung == "negative control"
    assert check.above
    assert check.measured > 1e4 * by_name(certificate)[SWAP].bound


def test_sentence_embeddings_of_one_process_per_token_are_the_models_own(certificate):
    check = by_name(certificate)[EXACT]
    assert check.rung == "real input"
    assert (check.bound, check.passed) == (1e-10, True)
    assert check.note == ("mean cosine 1.0000, worst 1.0000, nearest neighbours agree for 100.0%.")


def test_random_features_show_in_the_embeddings_and_less_so_the_more_there_are(certificate):
    check = by_name(certificate)[RANDOM]
    assert check.rung == "negative control"
    assert check.above
    assert check.measured > check.bound == 1e-9
    cosines = re.findall(r"m = (\d+): mean cosine ([\d.]+), worst ([\d.]+), nearest", check.note)
    (few, mean_few, worst), (many, mean_many, _) = cosines
    assert (few, many) == ("4", "64")
    # The mean square error is as 1 / m.
    assert float(mean_few) < float(mean_many) < 1
    assert float(worst) == pytest.approx(1 - check.measured, abs=1e-4)


def test_learned_maps_are_held_against_as_many_random_features(certificate):
    check = by_name(certificate)[LEARNED]
    assert check.above
    assert 0 < check.bound < 1
    assert f"mean cosine {check.measured:.4f}, worst" in check.note


@pytest.mark.gate
def test_attention_of_one_head_by_each_map(folder, text):
    found = attention_by_map(folder, text, random_features=16)
    titles = ["softmax", "one process per token", "16 random features"]
    assert list(found.weights) == titles
    # Positions 0 to 23 of the first paragraph of 8 to 24 tokens, between the two special ones.
    words = next(p.split() for p in read_paragraphs(text) if 8 <= len(p.split()) + 2 <= 24)
    assert found.tokens == ["[CLS]", *words, "[SEP]"]
    size = len(found.tokens)
    for weights in found.weights.values():
        assert weights.shape == (size, size)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    softmax, exact, rough = (found.weights[title] for title in titles)
    # Round-off of two layers, as in test_pretrained.
    np.testing.assert_allclose(exact, softmax, rtol=0, atol=1e-10)
    assert np.max(np.abs(rough - softmax)) > 1e-3
    seen = []

    def weigh(layer, head, q, k):
        weights = np.exp(q @ k.T)
        seen.append((layer, head, weights / weights.sum(axis=1, keepdims=True)))
        return weights

    ids = np.array([WORDS.index(word) for word in found.tokens])
    reference_hidden_state(random_tensors(), ids, weigh=weigh)
    varied = max(seen, key=lambda each: np.sum(np.var(each[2], axis=0)))
    assert varied[:2] == (found.layer, found.head)
    np.testing.assert_allclose(varied[2], softmax, rtol=0, atol=1e-10)


def test_embeddings_and_their_agreement_by_hand():
    hidden = jnp.asarray(
        [[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]], [[1.0, 1.0], [7.0, 7.0], [5.0, 5.0]]]
    )
    mask = jnp.asarray([[True, True, False], [True, False, False]])
    found = sentence_embeddings(hidden, mask)
    # The means are (1.5, 2) and (1, 1): lengths 2.5 and sqrt(2).
    expected = np.array([[0.6, 0.8], [0.5**0.5, 0.5**0.5]])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    # Three directions at 0, 40 and 90 degrees, then the second turned to 50: cosines 1, cos(10) and
    # 1; the nearest of the first stays the second, that of the second moves from the first to the
    # third, that of the third stays the second.
    before, after = (jnp.deg2rad(jnp.asarray(x)) for x in ([0.0, 40.0, 90.0], [0.0, 50.0, 90.0]))
    agreement = sentence_agreement(
        *(jnp.stack([jnp.cos(x), jnp.sin(x)], 1) for x in (before, after))
    )
    gap = 1 - np.cos(np.deg2rad(10.0))
    assert agreement.worst_gap == pytest.approx(gap, rel=1e-12)
    assert agreement.mean_cosine == pytest.approx(1 - gap / 3, rel=1e-12)
    assert agreement.neighbours == pytest.approx(2 / 3)


def test_the_report_counts_paragraphs_and_tokens(certificate, text):
    check = by_name(certificate)["paragraphs read"]
    lengths = [len(p.split()) + 2 for p in read_paragraphs(text)]
    assert check.measured == 20
    assert check.note == (
        f"{sum(min(n, 32) for n in lengths)} tokens; {sum(n > 32 for n in lengths)} paragraphs "
        "were cut."
    )


@pytest.mark.gate
def test_each_check_is_announced(folder, text, certificate):
    seen = []
    prove(folder, text, max_tokens=8, on_check=lambda name, check: seen.append((name, check.name)))
    # The certificate of the fixture has a trial of random features and of learned maps besides.
    names = [c.name for c in certificate.checks][:4]
    assert seen == [("transformer_runs_on_astrocytes", name) for name in names]


@pytest.mark.gate
def test_float32_has_its_own_bound(folder, text, certificate):
    single = prove(folder, text, precision="float32")
    single.assert_ok()
    ratio = by_name(single)[SWAP].bound / by_name(certificate)[SWAP].bound
    # The ratio of the two epsilons is 2^29; the sensitivity is measured anew in each precision.
    assert 2**27 < ratio < 2**31


@pytest.mark.gate
def test_fewer_than_twenty_paragraphs_give_no_verdict(folder, tmp_path):
    (tmp_path / "short.txt").write_text("the neuron waits\n\nthe astrocyte listens")
    certificate = prove(folder, tmp_path / "short.txt")
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
    assert by_name(prove(folder, text))[SWAP].passed is False


def test_a_network_that_magnifies_errors_gets_a_wider_bound(tmp_path, text, certificate):
    """Sharp attention hands errors on from layer to layer; the bound follows its sensitivity."""
    sharp = {
        name: (30 if "attention.self" in name else 1) * tensor
        for name, tensor in random_tensors().items()
    }
    folder = write_checkpoint(tmp_path / "sharp", tensors=sharp)
    check = by_name(prove(folder, text))[SWAP]
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
