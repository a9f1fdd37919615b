"""Checks of what a user passes in: each names what was given, what is needed and what to do."""

from typing import Any

import jax.core
import numpy as np


def is_concrete(value: Any) -> bool:
    """Whether `value` holds numbers now, rather than standing for them inside `jit`."""
    return not isinstance(value, jax.core.Tracer)


def concrete_float(name: str, value: Any) -> float:
    """`value` as a finite Python number.

    **Raises:** `ValueError` if it is traced, not a scalar, or not finite.
    """
    if not is_concrete(value):
        raise ValueError(
            f"{name} must be a number known before tracing, got a traced value: it fixes the "
            "number of steps. Pass it as a Python float."
        )
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in "iuf" or not np.isfinite(array):
        raise ValueError(f"{name} must be a finite number in ms, got {value!r}.")
    return float(array)


def as_numbers(name: str, value: Any) -> np.ndarray:
    """`value` as a NumPy array of numbers.

    **Raises:** `ValueError` if it is something else.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be a number or an array of numbers, got {value!r}.")
    return array


def require_numbers(**given: Any) -> None:
    """**Raises:** `ValueError` by its name for what is known to be no finite number."""
    for name, value in given.items():
        if is_concrete(value):
            require_finite(name, as_numbers(name, value), "give a number")


def require_count(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as a Python integer.

    **Raises:** `ValueError` if it is not a whole number in `[low, high]`.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limit = "" if high is None else f" and at most {high}"
        raise ValueError(f"{name} must be a whole number, at least {low}{limit}, got {value!r}.")
    return int(value)


def require_counts(**given: Any) -> None:
    """**Raises:** `ValueError` by its name for what is not a whole number above 0, or `None`."""
    for name, value in given.items():
        if value is not None:
            require_count(name, value, 1)


def require_axes(axes: str, **given: Any) -> None:
    """**Raises:** `ValueError` by its name for an array of another number of axes."""
    for name, value in given.items():
        if np.ndim(value) != len(axes.split()):
            raise ValueError(
                f"{name} must have the axes ({', '.join(axes.split())}), got shape "
                f"{np.shape(value)}: for more of them use jax.vmap."
            )


def require_finite(name: str, value: Any, remedy: str) -> None:
    """**Raises:** `ValueError` if a concrete array holds a NaN or an infinity."""
    if is_concrete(value):
        values = np.asarray(value)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise ValueError(
                f"{name} must be finite, got {values.ravel()[bad[0]]} at flat index {bad[0]} "
                f"({bad.size} such values): {remedy}."
            )


def require_above_zero(name: str, value: Any, remedy: str) -> None:
    """**Raises:** `ValueError` for a number known now that is not finite, or not above zero."""
    if is_concrete(value):
        values = as_numbers(name, value)
        if not np.all((values > 0) & np.isfinite(values)):
            raise ValueError(f"{name} must be positive and finite, got {np.min(values)}: {remedy}.")


def require_tolerances(**given: Any) -> None:
    """**Raises:** `ValueError` by its name for one that is negative, or if all are zero."""
    known = {name: np.asarray(x) for name, x in given.items() if x is not None and is_concrete(x)}
    for name, value in known.items():
        if np.any(value < 0):
            raise ValueError(f"{name} must not be negative, got {value}: it bounds an error.")
    if len(known) == len(given) and not any(np.any(value > 0) for value in known.values()):
        raise ValueError(f"{' and '.join(given)} must not be zero: no step is without error.")


class SolveError(RuntimeError):
    """A solve that failed: the message names the state, its unit, the time and what to try."""
