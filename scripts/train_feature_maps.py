"""Learns small circuits for a pretrained encoder: feature maps of every head of every layer.

    python scripts/train_feature_maps.py --checkpoint DIR --features 256 --out maps.safetensors

DIR holds config.json, model.safetensors and tokenizer.json of a BERT encoder. The text to train on
is here and on the machine (training_text.py); what is compared are other sentences, of a file.
Prints what the training cost in CPU seconds and how near the embeddings come, and writes maps for
`tripartite.attention.load_feature_maps` and `swap_attention`. A training that was cut off goes on
where it stopped: it is kept beside the maps, as .attention.eqx and .embedding.eqx. Needs the `text`
extra.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from distillation import Batch, Teacher, attention_loss, embedding_loss, placed, train
from training_text import training_text

from tripartite.attention import (
    AbstractFeatureMap,
    BertEncoder,
    LearnedGaussian,
    load_bert,
    load_feature_maps,
    save_feature_maps,
    swap_attention,
    tokenize,
)

LENGTHS = (16, 32)
TOKENS_IN_A_BATCH = 320
# Batches whose keys tell the neurons where to begin.
PLACED_BY = 24
SENTENCES = Path(__file__).parent.parent / "tests" / "data" / "sentences.txt"


def batches(texts: list[str], directory: str, steps: int, draw: random.Random) -> list[Batch]:
    """Sentences of about one length together, padded to one of two lengths, in random order."""
    by_length: dict[int, list[list[int]]] = {length: [] for length in LENGTHS}
    for ids in tokenize(directory, texts):
        if len(ids) <= max(LENGTHS):
            by_length[next(length for length in LENGTHS if len(ids) <= length)].append(ids)
    made = []
    while len(made) < steps:
        fresh = []
        for length, group in by_length.items():
            size = TOKENS_IN_A_BATCH // length
            draw.shuffle(group)
            starts = range(0, len(group) - size + 1, size)
            fresh += [padded(group[start : start + size], length) for start in starts]
        draw.shuffle(fresh)
        made += fresh
    return made[:steps]


def padded(group: list[list[int]], length: int) -> Batch:
    ids, mask = np.zeros((len(group), length), np.int32), np.zeros((len(group), length), bool)
    for row, tokens in enumerate(group):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return Batch(jnp.asarray(ids), jnp.asarray(mask))


def read_kinds(path: Path) -> tuple[list[str], list[str]]:
    """The sentences of a file, one a line, and the kind of each: the last line that began `# `."""
    kinds, sentences, kind = [], [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:]
        elif line.strip():
            kinds.append(kind)
            sentences.append(line.strip())
    return kinds, sentences


def embeddings(model: Any, directory: str, sentences: list[str]) -> np.ndarray:
    """Means of the last hidden states over the tokens, of length 1."""
    tokens = tokenize(directory, sentences)
    batch = padded(tokens, max(map(len, tokens)))

    @jax.jit
    def embed(batch: Batch) -> jax.Array:
        def one(row: Batch) -> jax.Array:
            mean = row.mask.astype(jnp.float32) @ model(row.ids, row.mask)
            return mean / jnp.linalg.norm(mean)

        return jax.lax.map(one, batch, batch_size=20)

    return np.asarray(embed(batch), np.float64)


def compare(
    encoder: BertEncoder, features: Any, directory: str, sentences: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each sentence, the cosine of its two embeddings, and whether they have one neighbour."""
    both = [
        embeddings(model, directory, sentences)
        for model in (encoder, swap_attention(encoder, features))
    ]
    nearest = []
    for rows in both:
        similar = rows @ rows.T
        np.fill_diagonal(similar, -np.inf)
        nearest.append(similar.argmax(axis=1))
    return (both[0] * both[1]).sum(axis=1), nearest[0] == nearest[1]


def results(
    encoder: BertEncoder, features: AbstractFeatureMap | tuple, directory: str, path: Path
) -> dict[str, Any]:
    """Mean and worst cosine and nearest-neighbour agreement, over all and over each kind."""
    kinds, sentences = read_kinds(path)
    cosines, agree = compare(encoder, features, directory, sentences)
    found: dict[str, Any] = {}
    for kind in ("all", *dict.fromkeys(kinds)):
        chosen = np.array([kind in ("all", one) for one in kinds])
        found[kind] = {
            "sentences": int(chosen.sum()),
            "cosine_mean": round(float(cosines[chosen].mean()), 5),
            "cosine_worst": round(float(cosines[chosen].min()), 4),
            "agreement": round(float(agree[chosen].mean()), 4),
        }
    return found


def start(encoder: BertEncoder, features: int, hidden: int, seed: int) -> LearnedGaussian:
    """Untrained maps, with leading axes of layers and heads."""
    shape = len(encoder.attentions), encoder.attentions[0].heads
    keys = jax.random.split(jax.random.key(seed), shape)
    make = lambda key: LearnedGaussian(  # noqa: E731
        encoder.attentions[0].d_head, features, hidden=hidden, key=key
    )
    return jax.vmap(jax.vmap(make))(keys)


def layers_of(maps: Any) -> tuple[Any, ...]:
    count = len(jax.tree.leaves(maps)[0])
    return tuple(jax.tree.map(lambda x, n=n: x[n], maps) for n in range(count))


def learn(encoder: BertEncoder, options: argparse.Namespace) -> tuple[Any, float, int]:
    """Both stages: the maps, the CPU seconds that they cost, and how many sentences there were."""
    began = time.process_time()
    texts = training_text(options.seed)
    held_out = set(read_kinds(options.sentences)[1])
    texts = [text for text in texts if text not in held_out]
    steps = options.attention_steps + options.embedding_steps
    data = batches(texts, options.checkpoint, steps, random.Random(options.seed))
    print(f"{len(texts)} sentences to train on", flush=True)
    teacher = Teacher.of(encoder)
    maps = start(encoder, options.features, options.hidden, options.seed)
    maps = placed(maps, teacher, data[:PLACED_BY], jax.random.key(options.seed))
    cost = time.process_time() - began
    for name, loss, rate, part in (
        ("attention", attention_loss, options.attention_rate, data[: options.attention_steps]),
        ("embedding", embedding_loss, options.embedding_rate, data[options.attention_steps :]),
    ):
        if part:
            kept = options.out.with_suffix(f".{name}.eqx")
            maps, _, _, spent = train(maps, loss, teacher, part, rate, kept)
            cost += float(spent)
    return maps, cost, len(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", required=True, help="folder of a BERT encoder")
    parser.add_argument("--features", type=int, default=256, help="hidden neurons of each head")
    parser.add_argument("--hidden", type=int, default=32, help="units that bend queries and keys")
    parser.add_argument("--attention-steps", type=int, default=7500)
    parser.add_argument("--attention-rate", type=float, default=2e-2)
    parser.add_argument("--embedding-steps", type=int, default=2500)
    parser.add_argument("--embedding-rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="to compare on")
    parser.add_argument("--out", type=Path, required=True, help="where to write the maps")
    parser.add_argument("--results", type=Path, help="where to write the results, as JSON")
    options = parser.parse_args()
    encoder = load_bert(options.checkpoint, jnp.float32)
    maps, cost, sentences = learn(encoder, options)
    save_feature_maps(options.out, layers_of(maps), dtype=jnp.float16)
    kept = load_feature_maps(options.out, jnp.float32)
    found = results(encoder, kept, options.checkpoint, options.sentences)
    report = {
        "features": options.features,
        "begun_at": "keys",
        "sentences": sentences,
        "hidden": options.hidden,
        "steps": [options.attention_steps, options.embedding_steps],
        "rates": [options.attention_rate, options.embedding_rate],
        "seed": options.seed,
        "training_cpu_s": round(cost),
        "file_bytes": options.out.stat().st_size,
        "results": found,
    }
    json.dump(report, sys.stdout, indent=1)
    if options.results:
        options.results.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
