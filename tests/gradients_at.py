"""Whether a value and its derivatives, forwards and in reverse, are finite at many points."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

DTYPES = {"float32": jnp.float32, "float64": jnp.float64}


def beside(values, dtype):
    """The values and, on both sides, the next floats and those some roundings away."""
    x = np.unique(np.asarray(sorted(values), dtype))
    near = 8 * np.finfo(dtype).eps * np.abs(x)
    # XLA's CPU takes what is smaller than a normal number for zero: the least that it sees.
    near = np.maximum(near, np.finfo(dtype).tiny)
    sides = (np.nextafter(x, dtype(-np.inf)), np.nextafter(x, dtype(np.inf)), x - near, x + near)
    return np.unique(np.concatenate([x, *sides]))


@eqx.filter_jit
def gradients(function, rows):
    """The value, one directional derivative and one pullback of each row."""

    def one(row):
        flat, rebuild = ravel_pytree(row)

        def all_of_it(x):
            return ravel_pytree(function(rebuild(x)))[0]

        value, along = jax.jvp(all_of_it, (flat,), (jnp.ones_like(flat),))
        return value, along, jax.vjp(all_of_it, flat)[1](jnp.ones_like(value))[0]

    return jax.vmap(one)(rows)


def must_be_finite(function, rows):
    kinds = ("value", "derivative", "gradient")
    for kind, found in zip(kinds, gradients(function, rows), strict=True):
        bad = np.argwhere(~np.isfinite(np.asarray(found)))
        if bad.size:
            leaves = jax.tree_util.tree_leaves_with_path(rows)
            at = {jax.tree_util.keystr(path): np.asarray(x[bad[0][0]]) for path, x in leaves}
            pytest.fail(f"{kind} {bad[0][1]} is not finite ({len(bad)} such numbers) at {at}")
