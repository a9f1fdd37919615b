"""When a cell without a spike of its own fires: its voltage crosses a threshold upwards."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.errors import is_concrete


class Crossing(AbstractParametrised):
    """A spike is an upward crossing of `threshold`, counted again after v has been below `rearm`.

    Seen at the end of a step: the spike belongs to the step in which it happens.

    **Arguments:** `threshold` and `rearm` in mV.

    **Raises:** `ValueError` if `rearm` is above `threshold`.
    """

    threshold: Parameter = parameter(0.0, "mV", trainable=False)
    rearm: Parameter = parameter(-20.0, "mV", trainable=False)

    def __check_init__(self) -> None:
        known = is_concrete(self.threshold) and is_concrete(self.rearm)
        if known and bool(jnp.any(self.rearm > self.threshold)):
            raise ValueError(
                f"Crossing.rearm must not exceed its threshold, got {self.rearm} and "
                f"{self.threshold} mV: one crossing would count twice."
            )

    def armed(self, v: Array) -> Array:
        """1 where a crossing would count, to start from: below the threshold."""
        return jnp.where(v < self.threshold, 1.0, 0.0).astype(v.dtype)

    def __call__(self, armed: Array, v: Array, after: Array) -> tuple[Array, Array]:
        """Who fired in a step (1 or 0), and who is armed for the next.

        **Arguments:** `armed` before the step; `v` at its end, and `after` the cell's own reset.
        """
        fired = (armed > 0.5) & (v >= self.threshold)
        left = jnp.where(fired, 0.0, armed)
        return fired.astype(v.dtype), jnp.where(after < self.rearm, 1.0, left).astype(v.dtype)
