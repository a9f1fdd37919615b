"""How six-fold symmetric a map of firing is."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.core.errors import require_numbers
from tripartite.core.numerics import length


def grid_score(rates: Float[Array, "rows columns"], spacing: float) -> Float[Array, ""]:
    """The score of grid cells: between -2 and 2, high for a map with hexagonal symmetry.

    A map without variance has a score of 0.

    The smaller of the autocorrelogram's correlations with itself turned by 60 and 120 degrees,
    less the largest of those at 30, 90 and 150.

    The usual score (Sargolini et al. 2006, from memory): Pearson correlations at
    every shift of the map against itself, within a ring that leaves out the peak in the middle and
    takes in the six around it, here from 0.5 to 1.5 times the distance of neighbouring fields.

    **Arguments:** `rates` in any unit; `spacing`: the distance of neighbouring fields, in pixels
    (for a sum of plane waves, 2 / sqrt(3) times their wavelength).

    **Raises:** `ValueError` if the ring does not fit into the map, or `rates` is not a matrix.
    """
    require_numbers(rates=rates, spacing=spacing)
    if rates.ndim != 2 or not 1.5 <= 1.5 * spacing <= min(rates.shape) - 1:
        raise ValueError(
            "grid_score needs a map of rates, a matrix, larger than 1.5 times a spacing of at "
            f"least one pixel, got shape {rates.shape} and spacing {spacing}."
        )
    correlogram = _autocorrelogram(rates)
    size = int(np.ceil(1.5 * spacing))
    axis = np.arange(-size, size + 1, dtype=float)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    distance = np.hypot(x, y)
    ring = (distance >= 0.5 * spacing) & (distance <= 1.5 * spacing)
    y, x = y[ring], x[ring]
    middle = np.asarray(rates.shape) - 1

    def turned(degrees: float) -> Array:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        places = [middle[0] + s * x + c * y, middle[1] + c * x - s * y]
        places = [jnp.asarray(place, rates.dtype) for place in places]
        return jax.scipy.ndimage.map_coordinates(correlogram, places, order=1, mode="nearest")

    at = {d: _correlation(turned(0.0), turned(d)) for d in (30.0, 60.0, 90.0, 120.0, 150.0)}
    return jnp.minimum(at[60.0], at[120.0]) - jnp.maximum(
        at[30.0], jnp.maximum(at[90.0], at[150.0])
    )


def _correlation(a: Array, b: Array) -> Array:
    """Pearson's; 0 where a variance vanishes."""
    a, b = a - jnp.mean(a), b - jnp.mean(b)
    size = length(a) * length(b)
    return jnp.where(size > 0, jnp.sum(a * b) / jnp.where(size > 0, size, 1.0), 0.0)


def _autocorrelogram(rates: Float[Array, "rows columns"]) -> Float[Array, "shifts_y shifts_x"]:
    """Pearson's correlation of the map with itself at each shift, over where the two overlap.

    Shifts run from -(rows - 1) to rows - 1, likewise for columns; 0 where a variance vanishes.
    """
    ones = jnp.ones_like(rates)
    centred = rates - jnp.mean(rates)

    def overlap(a: Array, b: Array) -> Array:
        return jax.scipy.signal.correlate(a, b, mode="full", method="fft")

    count = jnp.round(overlap(ones, ones))
    product, left, right = overlap(centred, centred), overlap(centred, ones), overlap(ones, centred)
    squares = overlap(centred * centred, ones), overlap(ones, centred * centred)
    variance = (count * squares[0] - left * left) * (count * squares[1] - right * right)
    floor = 1e-12 * jnp.max(variance)
    safe = jnp.where(variance > floor, variance, 1.0)
    return jnp.where(variance > floor, (count * product - left * right) / jnp.sqrt(safe), 0.0)
