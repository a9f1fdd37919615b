"""Losses between traces, sample by sample."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from tripartite.core.arguments import checked
from tripartite.core.errors import require_above_zero, require_finite


@checked
def residuals(
    trace: PyTree[Array], recorded: PyTree[Array], noise: PyTree[Array] = 1.0
) -> Float[Array, " n"]:
    """`(trace - recorded) / noise`, all samples in one row.

    **Arguments:** `trace` and `recorded`, arrays or trees of one structure; `noise`, the standard
    deviation of a sample in their unit, one number or such a tree, of what broadcasts.

    **Raises:** `ValueError` for another structure or shape, a recording that is not finite, or
    noise that is not positive.
    """
    if jax.tree.structure(trace) != jax.tree.structure(recorded):
        raise ValueError(
            f"recorded must have the trace's structure, {jax.tree.structure(trace)}, got "
            f"{jax.tree.structure(recorded)}."
        )
    if jax.tree.structure(noise) != jax.tree.structure(trace):
        if jax.tree.structure(noise) != jax.tree.structure(0.0):
            raise ValueError(
                f"noise must be one number or have the trace's structure, "
                f"{jax.tree.structure(trace)}, got {jax.tree.structure(noise)}."
            )
        noise = jax.tree.map(lambda _: noise, trace)
    return jnp.concatenate([jnp.ravel(x) for x in _scaled(trace, recorded, noise)])


@checked
def mean_square(trace: PyTree[Array], recorded: PyTree[Array], noise: PyTree[Array] = 1.0) -> Array:
    """The mean of `((trace - recorded) / noise)^2`: about 1 where a model is right.

    Arguments and errors as `residuals`. Smooth wherever the trace is.
    """
    return jnp.mean(residuals(trace, recorded, noise) ** 2)


@checked
def negative_log_likelihood(
    trace: PyTree[Array], recorded: PyTree[Array], noise: PyTree[Array]
) -> Array:
    """-log p(recorded | trace) for independent Gaussian noise, without its constant.

        sum of ((trace - recorded) / noise)^2 / 2

    The constant, the sum of log(noise sqrt(2 pi)), is left out: the noise is known, not fitted.
    Arguments and errors as `residuals`.
    """
    return 0.5 * jnp.sum(residuals(trace, recorded, noise) ** 2)


def _scaled(trace: Any, recorded: Any, noise: Any) -> list[Array]:
    rows = zip(*map(jax.tree.leaves, (trace, recorded, noise)), strict=True)
    found = []
    for x, y, s in rows:
        if jnp.shape(x) != jnp.shape(y):
            raise ValueError(
                f"recorded must have the trace's shape, {jnp.shape(x)}, got {jnp.shape(y)}: "
                "sample both at the same times (save_every=)."
            )
        require_finite("recorded", y, "cut out what was not recorded")
        require_above_zero("noise", s, "it is the standard deviation of a sample")
        x = jnp.asarray(x)
        scale = jnp.broadcast_to(jnp.asarray(s, x.dtype), x.shape)
        found.append((x - jnp.asarray(y, x.dtype)) / scale)
    return found
