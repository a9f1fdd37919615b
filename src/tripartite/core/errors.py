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


def whole_number(name: str, value: Any) -> int:
    """`value` as a Python integer.

    **Raises:** `ValueError` if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a whole number, got {value!r}.")
    return int(value)


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


class SolveError(RuntimeError):
    """A solve that failed: the message names the state, its unit, the time and what to try."""
