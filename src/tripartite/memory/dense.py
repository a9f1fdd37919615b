"""Dense associative memory of binary neurons in discrete time: each bit goes where energy falls."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core.arguments import checked
from tripartite.memory.two_layer import require_patterns

Bits = Float[Array, " neurons"]


@checked
def dense_gaps(
    patterns: Float[Array, "memories neurons"],
    state: Bits,
    function: Callable[[Array], Array],
) -> Bits:
    """By how much energy falls if a bit goes from -1 to +1, all others as they are.

        gap_i = sum_mu F(xi_mu,i + S_mu,i) - F(-xi_mu,i + S_mu,i),   S_mu,i = sum_j!=i xi_mu,j s_j

    the energy being `E = -sum_mu F(xi_mu . s)`: the update rule of Krotov and Hopfield 2016
    (arXiv 1606.01164), equation 3 as far as is remembered.

    **Arguments:** `patterns` and `state` of -1 and +1; `function` F, elementwise, such as
    `lambda z: z**4`.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    _check(patterns, state)
    others = (patterns @ state)[:, None] - patterns * state[None, :]
    return jnp.sum(function(others + patterns) - function(others - patterns), axis=0)


@checked
def dense_update(
    patterns: Float[Array, "memories neurons"],
    state: Bits,
    function: Callable[[Array], Array],
    *,
    asynchronous: bool = False,
) -> Bits:
    """One update of every bit to the sign of its gap; a bit without preference stays.

    **Arguments:** as for `dense_gaps`. `asynchronous`: one bit after the other, each seeing those
    before it, for which energy cannot rise; otherwise all at once.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    if not asynchronous:
        return _decided(dense_gaps(patterns, state, function), state)
    _check(patterns, state)

    def turn(
        carry: tuple[Bits, Array], now: tuple[Array, Array]
    ) -> tuple[tuple[Bits, Array], None]:
        (bits, overlaps), (index, column) = carry, now
        old = bits[index]
        others = overlaps - column * old
        new = _decided(jnp.sum(function(others + column) - function(others - column)), old)
        return (bits.at[index].set(new), others + column * new), None

    start = (state, patterns @ state)
    (bits, _), _ = jax.lax.scan(turn, start, (jnp.arange(state.shape[0]), patterns.T))
    return bits


def _decided(gap: Array, state: Array) -> Array:
    return jnp.where(gap == 0, state, jnp.sign(gap))


def _check(patterns: Array, state: Array) -> None:
    require_patterns("patterns", patterns)
    if state.shape != patterns.shape[1:]:
        raise ValueError(
            f"the state must have one bit for each neuron, shape {patterns.shape[1:]}, got "
            f"{state.shape}: for several states, use jax.vmap over the leading axis."
        )
