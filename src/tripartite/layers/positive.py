"""Weights that no optimiser can make negative, and the checks that layers share."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


@jax.jit
def unconstrained(weight: Array) -> Array:
    """What is stored for a positive `weight`: `log(exp(w) - 1)`, the inverse of softplus.

    Unlike a rectified weight, which has no gradient once it is cut off, its softplus is positive
    and has a gradient wherever an optimiser may take it.
    """
    return weight + jnp.log(-jnp.expm1(-weight))


def require_size(owner: str, name: str, value: Any, low: int, high: int | None = None) -> int:
    """**Raises:** `ValueError` for anything but an integer in `[low, high]`."""
    end = "" if high is None else f" and at most {high}"
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if (
        found is None
        or isinstance(value, bool)
        or found < low
        or (high is not None and found > high)
    ):
        raise ValueError(
            f"{owner}: {name} must be a whole number of at least {low}{end}, got {value!r}."
        )
    return found
