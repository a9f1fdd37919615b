"""Train the digits transformer through the circuit, and with softmax, from the same five starts.

    python scripts/train_digits_through_circuit.py [--fifths N] [--epochs N] [--seeds N]

Every attention is the fixed point of a circuit whose maps (`LearnedExponential`, one for each head
of each layer, m = 2 d_head hidden neurons by default) are trained with the rest. For each seed the
other weights, the pictures of each batch and their jitter are those of the softmax transformer, and
so are the optimiser, the rates and the number of epochs, so that the difference is paired. A
held-out fifth is looked at once, at the end; with `--fifths` all is done again for others, and a
seed's difference is the mean over them. All seeds train together, as one batch of models.
`--validate` holds out a fifth of the pictures to learn from instead, and never sees the others: for
choosing the number of hidden neurons.
"""

import argparse
import itertools
import json
import time
from importlib.metadata import version
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats
from sklearn.model_selection import StratifiedKFold
from train_digits_transformer import (
    BATCH,
    LABEL_SMOOTHING,
    PEAK_RATE,
    WEIGHT_DECAY,
    jitter,
)

from tripartite.attention import LearnedExponential, swap_attention
from tripartite.proofs import load_digits, split_digits
from tripartite.proofs.digits import Split
from tripartite.proofs.digits_transformer import DigitsTransformer

RESULTS = Path(__file__).with_name("digits_through_circuit.json")


def softmax_model(key):
    return DigitsTransformer(key=key)


def circuit_model(key, features):
    """The same transformer, with a map for each head of each layer."""
    model = DigitsTransformer(key=key)
    maps = []
    for number, size in enumerate(model.attentions):
        keys = jax.random.split(jax.random.fold_in(key, number), size.heads)
        maps.append(
            eqx.filter_vmap(lambda one, d=size.d_head: LearnedExponential(d, features, key=one))(
                keys
            )
        )
    return swap_attention(model, maps)


def loss(model, images, labels, key):
    moved = jax.vmap(jitter)(images, jax.random.split(key, len(images)))
    targets = optax.smooth_labels(jax.nn.one_hot(labels, 10), LABEL_SMOOTHING)
    return jnp.mean(optax.softmax_cross_entropy(jax.vmap(model)(moved), targets))


def train(make, keys, images, labels, epochs, name):
    """AdamW with a cosine schedule; one epoch of all seeds is one compiled scan."""
    steps = len(images) // BATCH
    schedule = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, 5 * steps, epochs * steps)
    optimiser = optax.adamw(schedule, weight_decay=WEIGHT_DECAY)

    def begin(key):
        start, key = jax.random.split(key)
        model = make(start)
        return model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)), key

    def step(carry, batch):
        model, state, key = carry
        key, draw = jax.random.split(key)
        value, grads = eqx.filter_value_and_grad(loss)(model, images[batch], labels[batch], draw)
        updates, state = optimiser.update(grads, state, model)
        return (eqx.apply_updates(model, updates), state, key), value

    @jax.jit
    @jax.vmap
    def epoch(carry):
        model, state, key = carry
        key, draw = jax.random.split(key)
        order = jax.random.permutation(draw, len(images))[: steps * BATCH].reshape(steps, BATCH)
        carry, values = jax.lax.scan(step, (model, state, key), order)
        return carry, jnp.mean(values)

    carry = jax.jit(jax.vmap(begin))(keys)
    for number in range(epochs):
        carry, values = epoch(carry)
        if (number + 1) % 10 == 0:
            spent = time.process_time()
            print(f"{name} epoch {number + 1} loss {np.round(values, 4)} {spent:.0f} s", flush=True)
    return carry[0]


@jax.jit
def right(models, images, labels):
    """The share of pictures that each model names rightly."""
    logits = jax.vmap(lambda model: jax.vmap(model)(images))(models)
    return jnp.mean(jnp.argmax(logits, -1) == labels[None, :], axis=1)


def interval(differences):
    """Mean, and its 95 % interval by Student's t over the seeds."""
    mean, error = np.mean(differences), stats.sem(differences)
    half = float(stats.t.ppf(0.975, len(differences) - 1) * error)
    return float(mean), [float(mean - half), float(mean + half)]


def fifths(labels, count):
    """That of the shipped transformer, and others of the pictures that it learns from."""
    first = split_digits(labels)
    others = StratifiedKFold(4, shuffle=True, random_state=0).split(
        first.train, np.asarray(labels)[first.train]
    )
    rest = (first.train[held_out] for _, held_out in others)
    for held_out in itertools.islice(itertools.chain([first.test], rest), count):
        yield Split(np.setdiff1d(np.arange(len(labels)), held_out), held_out)


def one_fifth(chosen, digits, split):
    """All seeds with both, and what each gets right of the pictures that were held out."""
    keys = jax.random.split(jax.random.key(0), chosen.seeds)
    makers = {"softmax": softmax_model, "circuit": lambda key: circuit_model(key, chosen.features)}
    found = {"pictures held out": len(split.test)}
    for name, make in makers.items():
        began = time.process_time()
        pictures = [digits.images[split.train], digits.labels[split.train]]
        models = train(make, keys, *pictures, chosen.epochs, name)
        spent = time.process_time() - began
        held_out = 100 * np.asarray(
            right(models, digits.images[split.test], digits.labels[split.test])
        )
        learnt = 100 * np.asarray(right(models, *pictures))
        leaves = jax.tree.leaves(eqx.filter(models, eqx.is_inexact_array))
        found[name] = {
            "held out, per cent right": np.round(held_out.astype(float), 3).tolist(),
            "learnt from, per cent right": np.round(learnt.astype(float), 3).tolist(),
            "weights": sum(x.size for x in leaves) // chosen.seeds,
            "CPU seconds, all seeds": round(spent),
        }
        print(name, found[name], flush=True)
    return found


def report(chosen, done):
    """What the file says: each seed's difference is a mean over the fifths."""
    pairs = [
        np.mean([one[name]["held out, per cent right"] for one in done], axis=0)
        for name in ("circuit", "softmax")
    ]
    differences = pairs[0] - pairs[1]
    mean, ends = interval(differences)
    return {
        "command": "python scripts/train_digits_through_circuit.py "
        f"--epochs {chosen.epochs} --seeds {chosen.seeds} --features {chosen.features} "
        f"--fifths {chosen.fifths}" + " --validate" * chosen.validate,
        "epochs": chosen.epochs,
        "hidden neurons of each head": chosen.features,
        "fifths": done,
        "circuit minus softmax, points": np.round(differences, 3).tolist(),
        "mean difference, points": round(mean, 3),
        "95 % interval, points": np.round(ends, 3).tolist(),
        "versions": {name: version(name) for name in ("jax", "equinox", "optax")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--fifths", type=int, default=3, choices=range(1, 6))
    parser.add_argument("--validate", action="store_true")
    chosen = parser.parse_args()
    digits = load_digits()
    if chosen.validate:
        split = split_digits(digits.labels)
        inner = split_digits(digits.labels[split.train])
        splits = [Split(split.train[inner.train], split.train[inner.test])]
    else:
        splits = list(fifths(digits.labels, chosen.fifths))
    done = []
    for split in splits:
        done.append(one_fifth(chosen, digits, split))
        # Each fifth is kept as it is done.
        chosen.out.write_text(json.dumps(report(chosen, done), indent=2) + "\n")
    print(chosen.out.read_text())


if __name__ == "__main__":
    main()
