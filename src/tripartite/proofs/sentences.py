"""What becomes of sentence embeddings when attention is a circuit's: cosines and neighbours."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tripartite.attention import AbstractFeatureMap, PositiveRandom, swap_attention
from tripartite.core.arguments import checked
from tripartite.core.errors import require_axes
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.paragraphs import Reading, hidden_states

# One minus the cosine, of one process per token: far above round-off, far below what a reader of
# embeddings can tell.
_BOUNDS = {"float64": 1e-10, "float32": 1e-5}
_DRAW = 0


class SentenceAgreement(NamedTuple):
    """How near the sentence embeddings of two models are, paragraph by paragraph.

    - `mean_cosine`: over the paragraphs.
    - `worst_gap`: one minus the cosine of the worst paragraph.
    - `neighbours`: the share of paragraphs whose nearest other paragraph is the same in both. Where
        two are equally near to sqrt(eps), either counts. NaN for a single paragraph.
    """

    mean_cosine: float
    worst_gap: float
    neighbours: float

    def in_words(self) -> str:
        """The three numbers in a line."""
        return (
            f"mean cosine {self.mean_cosine:.4f}, worst {1.0 - self.worst_gap:.4f}, nearest "
            f"neighbours agree for {self.neighbours:.1%}"
        )


@checked
def sentence_embeddings(
    hidden: Float[Array, "paragraphs tokens width"], mask: Bool[Array, "paragraphs tokens"]
) -> Float[Array, "paragraphs width"]:
    """The mean of each paragraph's hidden states, of length one.

    Reimers and Gurevych 2019 (arXiv 1908.10084), section 3, mean pooling.
    """
    require_axes("paragraphs tokens width", hidden=hidden)
    require_axes("paragraphs tokens", mask=mask)
    count = jnp.sum(mask, axis=1, keepdims=True).astype(hidden.dtype)
    mean = jnp.sum(jnp.where(mask[:, :, None], hidden, 0.0), axis=1) / count
    return mean / jnp.linalg.norm(mean, axis=1, keepdims=True)


@checked
def sentence_agreement(
    original: Float[Array, "paragraphs width"], swapped: Float[Array, "paragraphs width"]
) -> SentenceAgreement:
    """Compares the embeddings of two models of the same paragraphs, each of length one."""
    require_axes("paragraphs width", original=original, swapped=swapped)
    # |a - b|^2 / 2 is one minus the cosine, without the digits that 1 - a.b would lose.
    gaps = jnp.sum((original - swapped) ** 2, axis=1) / 2
    count = original.shape[0]
    itself = jnp.eye(count, dtype=bool)
    here, there = (jnp.where(itself, -jnp.inf, x @ x.T) for x in (original, swapped))
    of_theirs = here[jnp.arange(count), jnp.argmax(there, axis=1)]
    same = of_theirs >= jnp.max(here, axis=1) - machine_epsilon() ** 0.5
    neighbours = float(jnp.mean(same)) if count > 1 else float("nan")
    return SentenceAgreement(1.0 - float(jnp.mean(gaps)), float(jnp.max(gaps)), neighbours)


def sentence_claims(
    reading: Reading,
    truth: Array,
    one_process: Callable[..., Array],
    random_features: Sequence[int],
    learned: Sequence[AbstractFeatureMap] | None,
) -> Iterator[Claim]:
    """One process per token is exact; random features must show; learned maps must beat them.

    **Arguments:** `truth`, the hidden states of the original; `one_process`, the attention by one
    process per token; `random_features`, how many to try; `learned`, a map for each layer.
    """
    original = sentence_embeddings(truth, reading.mask)
    bound = _BOUNDS[str(truth.dtype)]

    def agreement(attend: Any) -> SentenceAgreement:
        hidden = hidden_states(reading, attend)
        return sentence_agreement(original, sentence_embeddings(hidden, reading.mask))

    def random(features: int) -> SentenceAgreement:
        d_head = reading.encoder.attentions[0].d_head
        drawn = PositiveRandom(features, d_head, key=jax.random.key(_DRAW))
        return agreement(swap_attention(reading.encoder, drawn).circuits)

    found: dict[str, SentenceAgreement] = {}
    yield _exact_claim(found, lambda: agreement(one_process), bound)
    if random_features:
        yield _random_claim(found, random, random_features, bound)
    if learned is not None:
        circuits = swap_attention(reading.encoder, learned).circuits
        neurons = _hidden_neurons(learned[0], reading.encoder.attentions[0].d_head)
        yield _learned_claim(found, lambda: agreement(circuits), neurons, random(neurons))


def _exact_claim(
    found: dict[str, SentenceAgreement], measure: Callable[[], SentenceAgreement], bound: float
) -> Claim:
    def worst() -> float:
        found["exact"] = measure()
        return found["exact"].worst_gap

    return Claim(
        "sentence embeddings, one process per token: 1 - cosine of the worst paragraph",
        "real input",
        bound,
        "the hidden states agree to round-off, and the cosine misses only the square of a "
        "difference",
        worst,
        float64_only=False,
        note=lambda: found["exact"].in_words() + ".",
    )


def _random_claim(
    found: dict[str, SentenceAgreement],
    random: Callable[[int], SentenceAgreement],
    sizes: Sequence[int],
    bound: float,
) -> Claim:
    fewest = min(sizes)

    def worst() -> float:
        found.update({f"m = {m}": random(m) for m in sorted(sizes)})
        return found[f"m = {fewest}"].worst_gap

    return Claim(
        f"sentence embeddings, {fewest} positive random features: 1 - cosine of the worst "
        "paragraph",
        "negative control",
        10 * bound,
        "random features estimate each weight with the mean square error exp(|q + k|^2) / m: so "
        "rough an attention must show in the embeddings, or the claim above tests nothing",
        worst,
        above=True,
        float64_only=False,
        note=lambda: (
            "; ".join(f"m = {m}: {found[f'm = {m}'].in_words()}" for m in sorted(sizes)) + "."
        ),
    )


def _learned_claim(
    found: dict[str, SentenceAgreement],
    measure: Callable[[], SentenceAgreement],
    neurons: int,
    rival: SentenceAgreement,
) -> Claim:
    def mean() -> float:
        found["learned"] = measure()
        return found["learned"].mean_cosine

    return Claim(
        f"sentence embeddings, learned maps of {neurons} hidden neurons: mean cosine",
        "real input",
        rival.mean_cosine,
        "what as many positive random features reach: maps that do no better have learned nothing",
        mean,
        above=True,
        float64_only=False,
        note=lambda: found["learned"].in_words() + ".",
    )


def _hidden_neurons(features: AbstractFeatureMap, d_head: int) -> int:
    """How many features one head's map gives, from maps whose arrays have an axis of heads."""
    first = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, features)
    token = jax.ShapeDtypeStruct((1, d_head), jnp.result_type(float))
    return eqx.filter_eval_shape(first.keys, token).shape[-1]
