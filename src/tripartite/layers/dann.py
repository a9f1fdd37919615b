"""A dense layer by excitation and inhibition: positive weights, and units that inhibit."""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.arguments import require
from tripartite.core.errors import require_finite
from tripartite.core.numerics import quotient
from tripartite.layers.positive import require_size, unconstrained

_PAPER = "Cornford et al., ICLR 2021"


class DANNLayer(AbstractParametrised):
    """Excitation straight from the input, inhibition through units of its own (Dale's law).

        z_hat = W_EX x - W_EI (W_IX x)
        z = z_hat + b                                                  (subtractive)
        z = g z_hat / gamma + b,   gamma = (W_EI e^alpha) (W_IX x)     (shunting)

    for rates x that are not negative. Every W is positive: what is stored, and trained, is
    `ex`, `ix` and `ei`, with W = log(1 + exp(stored)), so that no optimiser can change a sign; the
    paper sets what has become negative to zero instead. A shunting layer divides by its inhibition,
    in the place of a layer normalisation; for x = 0, where both are zero, it returns b.

    It starts as in the paper: W_EX exponentially distributed with mean sqrt(2 pi / (n (2 pi - 1)))
    for n inputs, W_EI = 1 / n_i, g = 1, b = 0, alpha = log sqrt((2 pi - 1) / n). Here W_IX are the
    means of groups of rows of W_EX (weighted in W_EI by the groups' sizes, if these differ), which
    makes z_hat zero in the mean over units for every x. The paper draws W_IX, which makes it so in
    expectation alone.

    Cornford, Kalajdzievski, Leite, Lamarquette, Kullmann and Richards, "Learning to live with
    Dale's principle", ICLR 2021.

    **Arguments:** `inputs`, `outputs`: how many; `inhibitory`: how many inhibitory units (default:
    a tenth of `outputs`, rounded up); `shunting`; `key`.

    **Raises:** `ValueError` for a size that is not a positive integer, or more inhibitory units
    than outputs.
    """

    ex: Parameter = parameter(None, "1", source=_PAPER)
    ix: Parameter = parameter(None, "1", source=_PAPER)
    ei: Parameter = parameter(None, "1", source=_PAPER)
    bias: Parameter = parameter(None, "1", source=_PAPER)
    gain: Any = parameter(None, "1", source=_PAPER)
    alpha: Any = parameter(None, "1", source=_PAPER)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        inhibitory: int | None = None,
        shunting: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        n = require_size("DANNLayer", "inputs", inputs, 1)
        require("shunting", shunting, bool)
        n_out, n_inh = _sizes(outputs, inhibitory)
        self.ex, self.ix, self.ei = _start(key, n, n_out, n_inh)
        self.bias = jnp.zeros((n_out,), self.ex.dtype)
        self.gain = jnp.ones((n_out,), self.ex.dtype) if shunting else None
        level = 0.5 * math.log((2.0 * math.pi - 1.0) / n)
        self.alpha = jnp.full((n_inh,), level, self.ex.dtype) if shunting else None

    @classmethod
    def from_dense(
        cls, matrix: Any, bias: Any = None, *, inhibitory: int | None = None
    ) -> "DANNLayer":
        """The subtractive layer that equals `matrix @ x + bias`.

        Each inhibitory unit serves one group of outputs (and, weakly, the others): it takes from
        every input as much as makes the group's excitation positive.

        **Arguments:** `matrix` `[outputs, inputs]`, of either sign; `bias` `[outputs]`, or nothing.

        **Raises:** `ValueError` for a matrix without two axes, with a NaN or an infinity, or a bias
        of another length.
        """
        dense = jnp.asarray(matrix)
        if not jnp.issubdtype(dense.dtype, jnp.floating):
            dense = dense.astype(jnp.result_type(float))
        require_finite("from_dense: matrix", dense, "remove the NaN or infinity")
        if dense.ndim != 2 or 0 in dense.shape:
            raise ValueError(
                f"from_dense needs a matrix [outputs, inputs], got an array of shape {dense.shape}."
            )
        n_out, n_inh = _sizes(dense.shape[0], inhibitory)
        bias = jnp.zeros((n_out,), dense.dtype) if bias is None else jnp.asarray(bias, dense.dtype)
        if bias.shape != (n_out,):
            raise ValueError(
                f"from_dense needs one bias for each of {n_out} outputs, got shape {bias.shape}."
            )
        found = cls(dense.shape[1], n_out, inhibitory=n_inh, key=jax.random.key(0))
        stored = (*_equal(dense, n_inh), bias)
        return eqx.tree_at(lambda x: (x.ex, x.ix, x.ei, x.bias), found, stored)

    @property
    def excitation(self) -> Array:
        """W_EX `[outputs, inputs]`, positive."""
        return jax.nn.softplus(self.ex)

    @property
    def to_inhibitory(self) -> Array:
        """W_IX `[inhibitory, inputs]`, positive."""
        return jax.nn.softplus(self.ix)

    @property
    def from_inhibitory(self) -> Array:
        """W_EI `[outputs, inhibitory]`, positive."""
        return jax.nn.softplus(self.ei)

    def dense(self) -> Array:
        """`W_EX - W_EI W_IX`, `[outputs, inputs]`: the matrix that it amounts to."""
        return self.excitation - self.from_inhibitory @ self.to_inhibitory

    def __call__(self, x: Array, *, key: PRNGKeyArray | None = None) -> Array:
        """`z`, `[outputs]`, before any nonlinearity.

        **Arguments:** `x` `[inputs]`, not negative; a batch goes through `jax.vmap`; `key` is not
        used (it is there for `equinox.nn.Sequential`).

        **Raises:** `ValueError` for another shape.
        """
        n = self.ex.shape[1]
        if jnp.shape(x) != (n,):
            raise ValueError(
                f"DANNLayer takes one vector of {n} inputs, got shape {jnp.shape(x)}: map a batch "
                "with jax.vmap(layer)."
            )
        inhibition = self.to_inhibitory @ x
        given = self.from_inhibitory
        z = self.excitation @ x - given @ inhibition
        if self.alpha is None:
            return z + self.bias
        shunt = given @ (jnp.exp(self.alpha) * inhibition)
        # A quotient of zeros would put a NaN into the gradient.
        active = shunt > 0
        shunted = jnp.where(active, quotient(z, jnp.where(active, shunt, 1.0)), 0.0)
        return self.gain * shunted + self.bias


def _sizes(outputs: Any, inhibitory: Any) -> tuple[int, int]:
    n_out = require_size("DANNLayer", "outputs", outputs, 1)
    if inhibitory is None:
        return n_out, -(-n_out // 10)
    return n_out, require_size("DANNLayer", "inhibitory", inhibitory, 1, n_out)


# One program each: operation by operation, a layer would take seconds to make the first time.
@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _start(key: PRNGKeyArray, n: int, n_out: int, n_inh: int) -> tuple[Array, Array, Array]:
    """What is stored of the three weights at the start."""
    scale = math.sqrt(2.0 * math.pi / (n * (2.0 * math.pi - 1.0)))
    excitation = scale * jax.random.exponential(key, (n_out, n))
    member = _groups(n_out, n_inh)
    share = jnp.asarray(member.mean(axis=1), excitation.dtype)
    rows = jnp.asarray(member / member.sum(axis=1, keepdims=True), excitation.dtype)
    given = jnp.broadcast_to(share, (n_out, n_inh))
    return unconstrained(excitation), unconstrained(rows @ excitation), unconstrained(given)


@functools.partial(jax.jit, static_argnums=1)
def _equal(dense: Array, n_inh: int) -> tuple[Array, Array, Array]:
    """What is stored of three weights that amount to `dense`."""
    member = jnp.asarray(_groups(dense.shape[0], n_inh))
    # Weights of the size of the matrix's own: near zero, the softplus is flat.
    room = jnp.mean(jnp.abs(dense))
    room = jnp.where(room > 0, room, 1.0)
    deepest = jnp.where(member[:, :, None], jnp.maximum(-dense, 0.0)[None, :, :], 0.0)
    taken = jnp.max(deepest, axis=1) + room
    given = jnp.where(member.T, 1.0, 0.1 / n_inh).astype(dense.dtype)
    return unconstrained(dense + given @ taken), unconstrained(taken), unconstrained(given)


def _groups(n_out: int, n_inh: int) -> np.ndarray:
    """`[inhibitory, outputs]`: which outputs belong to which, in runs of almost equal length."""
    return np.arange(n_out)[None, :] * n_inh // n_out == np.arange(n_inh)[:, None]
