"""The certificate that a pretrained BERT runs on astrocytes, for a checkpoint the user names."""

import os
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from tripartite.attention import (
    AbstractFeatureMap,
    CircuitHeads,
    OneProcessPerToken,
    softmax_heads,
)
from tripartite.core.arguments import checked
from tripartite.proofs.certificate import (
    Certificate,
    Check,
    Claim,
    Theorem,
    certify,
    machine_epsilon,
)
from tripartite.proofs.paragraphs import (
    NEEDED_PARAGRAPHS,
    Reading,
    hidden_states,
    read_paragraphs,
    read_text,
)
from tripartite.proofs.sentences import sentence_claims

THEOREM = Theorem(
    name="transformer_runs_on_astrocytes",
    statement=(
        "A pretrained transformer encoder whose every attention, in every layer and head, is "
        "replaced by the fixed point of a neuron-astrocyte circuit with one astrocyte process per "
        "token computes the same last hidden state."
    ),
    latex=(
        r"x^*_{\mu}=\sum_j\frac{c_{\cdot j}}{p^*_\mu}\,e^{q_\mu\cdot k_j}"
        r"=\sum_j\operatorname{softmax}_j(q_\mu\cdot k_j)\,v_j"
    ),
    assumptions=(
        "self-attention alone is astrocytic; embeddings, layer normalisation and perceptrons are "
        "the checkpoint's own",
        "each query is read at rest: the circuit's fixed point, not its transient",
    ),
    source="arXiv 2311.08135v2, appendix C; weights and text are the user's",
)


@checked
def transformer_runs_on_astrocytes(
    directory: str | os.PathLike[str],
    text: str | os.PathLike[str],
    *,
    maps: Sequence[AbstractFeatureMap] | None = None,
    random_features: Sequence[int] = (128, 512, 2048),
    max_tokens: int = 128,
    precision: str = "float64",
    on_check: Callable[[str, Check], None] | None = None,
) -> Certificate:
    """Swaps every attention of a BERT checkpoint for the circuit and compares the outcome.

    The circuit's fixed point stands in for softmax in every layer and head; the last hidden state
    of every token of every paragraph is compared, and so are the paragraphs' sentence embeddings
    (mean over tokens, normalised): their cosine, and who is whose nearest neighbour. The same is
    measured for positive random features and for learned maps, which only approximate softmax.

    **Arguments:**

    - `directory`: a folder with config.json, model.safetensors and tokenizer.json, or a Hub id.
    - `maps`: learned feature maps of this checkpoint, one for each layer, see `swap_attention`.
    - `random_features`: how many positive random features to try; none for no trial.
    - `text`: a UTF-8 text file, its paragraphs separated by blank lines; at least 20 of them are
        needed for the certificate to pass.
    - `max_tokens`: longer paragraphs are cut to this many tokens (or to the encoder's own limit).
    - `precision`, `on_check`: as for every certificate, see `certify`.

    **Raises:** `ValueError` if the text cannot be read, or the checkpoint (see `load_bert`), the
    maps do not fit it, or `max_tokens` is below 3; `ImportError` without the `text` extra.

    Source: arXiv 2311.08135v2, appendix C.
    """
    if max_tokens < 3:
        raise ValueError(
            f"max_tokens must be at least 3 (a word between two special tokens), got {max_tokens}."
        )
    paragraphs = read_paragraphs(text)

    def claims() -> Iterator[Claim]:
        reading = read_text(directory, paragraphs, max_tokens)
        truth = hidden_states(reading, softmax_heads)
        yield from _claims(reading, truth, len(paragraphs))
        yield from sentence_claims(reading, truth, circuit_heads, random_features, maps)

    return certify(THEOREM, claims, precision=precision, on_check=on_check)


def _claims(reading: Reading, truth: Array, paragraphs: int) -> Iterator[Claim]:
    layers, heads = len(reading.encoder.layers), reading.encoder.layers[0].heads
    yield Claim(
        "paragraphs read",
        "real input",
        float(NEEDED_PARAGRAPHS),
        "fewer are too few for a verdict: add paragraphs, separated by blank lines",
        lambda: float(paragraphs),
        above=True,
        float64_only=False,
        note=lambda: f"{int(reading.mask.sum())} tokens; {reading.cut} paragraphs were cut.",
    )
    yield Claim(
        f"last hidden state, all {layers} layers of {heads} heads swapped, over its largest entry",
        "real input",
        _round_off_bound(reading, truth),
        "round-off of sums over the tokens, times this network's measured sensitivity to errors "
        "in its attention; at most 1e-6 in float64",
        lambda: _gap(reading, truth, circuit_heads),
        float64_only=False,
    )
    yield Claim(
        "normaliser off (calcium stays at 1): last hidden state, over its largest entry",
        "negative control",
        1e-2,
        "each output is then too long by its normaliser, 1 to the number of tokens, while layer "
        "normalisation keeps hidden states of order one: must break the swap",
        lambda: _gap(reading, truth, unnormalised_heads),
        above=True,
        float64_only=False,
    )


def circuit_heads(q: Array, k: Array, v: Array, mask: Bool[Array, " tokens"]) -> Array:
    """Every head's attention as the circuit's fixed point, one process per token."""
    return CircuitHeads(OneProcessPerToken())(q, k, v, mask)


def unnormalised_heads(q: Array, k: Array, v: Array, mask: Bool[Array, " tokens"]) -> Array:
    """The circuit with calcium held at 1: s* = c instead of c / p*, a named mutation."""
    features = OneProcessPerToken()

    def head(q: Array, k: Array, v: Array) -> Array:
        written = features.keys(k) * mask.astype(k.dtype)[:, None]
        return features.queries(q, k) @ (written.T @ v)

    return jax.vmap(head)(q, k, v)


def _gap(reading: Reading, truth: Array, attend: Callable) -> float:
    """Largest difference made by `attend`, over the largest entry of the hidden state."""
    difference = jnp.abs(hidden_states(reading, attend) - truth)
    return float(jnp.max(difference) / jnp.max(jnp.abs(truth)))


def _round_off_bound(reading: Reading, truth: Array) -> float:
    """How far round-off alone may move the hidden state, over its largest entry.

    Softmax and the circuit both sum over the tokens, for the output and for the normaliser, and
    round a few times per exponential: 16 (tokens) eps of each attention's output covers both.
    How much of that reaches the last hidden state is the network's own sensitivity, measured by
    moving every attention's output by sqrt(eps) of itself, up or down at random.
    """
    eps = machine_epsilon()

    def moved_heads(q: Array, k: Array, v: Array, mask: Array) -> Array:
        output = softmax_heads(q, k, v, mask)
        signs = jax.random.rademacher(jax.random.key(0), output.shape, output.dtype)
        return output * (1.0 + eps**0.5 * signs)

    sensitivity = _gap(reading, truth, moved_heads) / eps**0.5
    tokens = reading.token_ids.shape[1]
    # 4.5e9 eps is 1e-6 in float64: a network that magnified round-off beyond it proves nothing.
    return min(16 * tokens * sensitivity, 4.5e9) * eps
