"""A spiking encoder as a variational information bottleneck, with beta in the loss and without.

    python -m experiments.information_plane              all of it
    python -m experiments.information_plane --kind hh    one kind of units

Alemi et al., Deep variational information bottleneck (ICLR 2017), as in section MI of He et al.'s
release: the encoder is one spiking layer and a linear map to mu and sigma = softplus(. - 5), z is
drawn 12 times, and two linear heads read it. The release computes beta = 1e-3 and does not use it
in the loss; here both are run. Bounds, in bits: I(Z;X) <= KL(q(z|x) || N(0, 1)), and
I(Z;Y) >= 2 log2(10) - the sum of both tasks' cross-entropies, where the release has log2(10).
"""

import argparse
import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import multitask, nets, pictures, report, training
from tripartite import layers

KINDS = ("lif", "slif2hh", "4lif", "hh")
BETAS = (0.0, 1e-3)
LATENT, DRAWS, EPOCHS, BATCH = 32, 12, 8, 50


class Bottleneck(eqx.Module):
    """The encoder, and a head for each of two tasks."""

    encoder: nets.Net
    heads: eqx.nn.Linear

    def __init__(self, kind, sizes, key):
        first, second, third = jax.random.split(key, 3)
        net = nets.build(kind, "fc", sizes, key=first)
        width = net.read.in_features
        half = eqx.nn.Linear(width, 2 * LATENT, key=second)
        self.encoder = eqx.tree_at(lambda n: n.read, net, half)
        self.heads = eqx.nn.Linear(LATENT, 20, key=third)

    def __call__(self, image, key):
        """Logits `[draws, tasks, 10]`, and the KL divergence to N(0, 1) in nats."""
        both = self.encoder.read(self.encoder.features(image))
        mu, sigma = both[:LATENT], jax.nn.softplus(both[LATENT:] - 5.0)
        z = mu[None] + sigma[None] * jax.random.normal(key, (DRAWS, LATENT), mu.dtype)
        logits = jax.vmap(self.heads)(z).reshape(DRAWS, 2, 10)
        kl = 0.5 * jnp.sum(mu**2 + sigma**2 - 2.0 * jnp.log(sigma) - 1.0)
        return logits, kl


def terms(model, images, labels, key):
    """Means over a batch: summed cross-entropy and KL, in nats, and the shares of right answers."""
    keys = jax.random.split(key, len(images))
    logits, kl = jax.vmap(model)(images, keys)
    each = optax.softmax_cross_entropy_with_integer_labels(
        logits, jnp.broadcast_to(labels[:, None], logits.shape[:3])
    )
    guess = jnp.argmax(jnp.mean(jax.nn.softmax(logits), axis=1), axis=-1)
    return jnp.mean(jnp.sum(each, axis=2)), jnp.mean(kl), jnp.mean(guess == labels, axis=0)


@functools.partial(eqx.filter_jit, donate="none")
def epoch(model, state, images, labels, key, rate, beta):
    """One epoch of Adam."""
    moving, fixed = eqx.partition(model, chosen(model))
    optimiser = optax.scale_by_adam(b1=0.5)
    order = jax.random.permutation(key, len(images))
    rows = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)

    def step(carry, given):
        moving, state = carry
        rows, number = given

        def loss(moving):
            noise = jax.random.fold_in(key, number)
            entropy, kl, _ = terms(eqx.combine(moving, fixed), images[rows], labels[rows], noise)
            return entropy + beta * kl

        slopes = jax.grad(loss)(moving)
        updates, state = optimiser.update(training.clipped(slopes), state)
        return (jax.tree.map(lambda x, u: x - rate * u, moving, updates), state), None

    given = (rows, jnp.arange(len(rows), dtype=jnp.int32))
    (moving, state), _ = jax.lax.scan(step, (moving, state), given)
    return eqx.combine(moving, fixed), state


def chosen(model):
    """What is trained: all that `layers.trainable` offers, but the head that is not used."""
    where = layers.trainable(model)
    nothing = jax.tree.map(lambda _: False, model.encoder.heads)
    return eqx.tree_at(lambda m: m.encoder.heads, where, nothing)


@eqx.filter_jit
def measure(model, images, labels, key):
    """Bits of I(Z;X) and of I(Z;Y), and accuracies."""
    entropy, kl, right = terms(model, images, labels, key)
    return kl / math.log(2.0), 2.0 * math.log2(10.0) - entropy / math.log(2.0), right


def run(kind, beta, *, epochs=EPOCHS, rate=1e-3, train=multitask.TRAIN, test=multitask.TEST):
    """The path in the information plane, on the test pictures, epoch by epoch; seed 1."""
    data, held = pictures.two_tasks(train, test)
    build, draw = jax.random.split(jax.random.key(1))
    model = Bottleneck(kind, nets.Sizes(), build)
    state = optax.scale_by_adam(b1=0.5).init(eqx.filter(model, chosen(model)))
    path = []
    for number in range(epochs):
        key = jax.random.fold_in(draw, number)
        model, state = epoch(
            model,
            state,
            jnp.asarray(data.images),
            jnp.asarray(data.labels),
            key,
            jnp.float32(rate),
            jnp.float32(beta),
        )
        batches = [slice(i, i + BATCH) for i in range(0, test, BATCH)]
        found = [measure(model, held.images[b], held.labels[b], key) for b in batches]
        x, y, right = (np.mean([np.asarray(f[i]) for f in found], axis=0) for i in range(3))
        path.append({"zx": float(x), "zy": float(y), "accuracy": right.tolist()})
    return path


def main():
    """Each kind with both betas, saved as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS)
    options = parser.parse_args()
    for kind in [options.kind] if options.kind else KINDS:
        paths = {str(beta): run(kind, beta) for beta in BETAS}
        print(kind, {b: path[-1] for b, path in paths.items()}, flush=True)
        report.save(f"information_{kind}", {"kind": kind, "epochs": EPOCHS, "paths": paths})


if __name__ == "__main__":
    main()
