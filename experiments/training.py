"""One way to train every net: Adam with a cosine schedule on the sum of the tasks' losses."""

import functools
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from tripartite import layers


def losses(net, images, labels):
    """The mean over a batch of the summed cross-entropies of all tasks."""
    logits = jax.vmap(net)(images)
    each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(jnp.sum(each, axis=1))


def clipped(slopes):
    """Gradients scaled to a norm of at most 1: those through an action potential can be huge."""
    size = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(slopes)))
    return jax.tree.map(lambda x: x / jnp.maximum(size, 1.0), slopes)


@functools.partial(eqx.filter_jit, donate="none")
def _epoch(net, state, images, labels, order, rates, decay):
    """All batches of one epoch; `rates` is the learning rate of each."""
    chosen = layers.trainable(net)
    optimiser = optax.scale_by_adam()
    moving, fixed = eqx.partition(net, chosen)

    def step(carry, given):
        moving, state = carry
        rows, rate = given

        def loss(moving):
            return losses(eqx.combine(moving, fixed), images[rows], labels[rows])

        value, slopes = jax.value_and_grad(loss)(moving)
        updates, state = optimiser.update(clipped(slopes), state)
        moving = jax.tree.map(lambda x, u: x - rate * (u + decay * x), moving, updates)
        return (moving, state), value

    (moving, state), values = jax.lax.scan(step, (moving, state), (order, rates))
    return eqx.combine(moving, fixed), state, jnp.mean(values)


def train(net, data, *, epochs, rate, key, batch=50, decay=1e-3, noise=None):
    """The trained net, the mean loss of each epoch, and the process's CPU seconds.

    Adam with decoupled weight decay, on gradients of a norm of at most 1; the learning rate falls
    from `rate` to zero as a cosine. The first epoch's compilation is in the seconds.

    **Arguments:** `data`, pictures with labels `[n]` or `[n, tasks]`; `noise(key, images)`, fresh
    pictures for each epoch, or nothing.
    """
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    labels = labels if labels.ndim == 2 else labels[:, None]
    batches = len(images) // batch
    moving = eqx.filter(net, layers.trainable(net))
    state = optax.scale_by_adam().init(moving)
    progress = np.linspace(0.0, 1.0, epochs * batches, endpoint=False)
    rates = (0.5 * rate * (1.0 + np.cos(np.pi * progress))).astype(np.float32)
    begin, history = time.process_time(), []
    for epoch in range(epochs):
        shuffle, fresh = jax.random.split(jax.random.fold_in(key, epoch))
        order = jax.random.permutation(shuffle, len(images))[: batches * batch]
        given = images if noise is None else noise(fresh, images)
        these = rates[epoch * batches : (epoch + 1) * batches]
        net, state, loss = _epoch(
            net, state, given, labels, order.reshape(batches, batch), these, jnp.float32(decay)
        )
        history.append(float(loss))
    return net, history, time.process_time() - begin


@eqx.filter_jit
def _guess(net, images):
    return jnp.argmax(jax.vmap(net)(images), axis=-1)


def accuracy(net, data, batch=50):
    """The share of right answers of each task."""
    labels = np.asarray(data.labels)
    labels = labels if labels.ndim == 2 else labels[:, None]
    pieces = [data.images[i : i + batch] for i in range(0, len(labels), batch)]
    found = np.concatenate([np.asarray(_guess(net, jnp.asarray(x))) for x in pieces])
    return np.mean(found == labels, axis=0)
