"""Feature maps: how a query and a key become the rates of presynaptic neurons.

Linear attention weighs token s for query mu by `Q~_mu . K~_s`. Queries and keys come in already
divided by d^(1/4) each, so that their plain product is the usual score q.k / sqrt(d).
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractParametrised

Tokens = Float[Array, "tokens d"]
Rates = Float[Array, "tokens features"]


class AbstractFeatureMap(AbstractParametrised):
    """Turns the queries and keys of one head into features, one per presynaptic neuron.

    A factor of a query's own, and one factor common to all keys, cancel in the attention: a map
    may choose both freely (they are the gauge of the circuit). A factor of each key's own would
    change the weights.

    Heads are independent circuits: use `jax.vmap`.
    """

    @abc.abstractmethod
    def queries(self, q: Tokens, k: Tokens) -> Rates:
        """The features of the queries, shape (queries, features).

        **Arguments:** `q` of shape (queries, d) and `k` of shape (tokens, d), each divided by
        d^(1/4). The keys are for maps whose neurons stand for tokens; most maps ignore them.
        """

    @abc.abstractmethod
    def keys(self, k: Tokens) -> Rates:
        """The features of the keys, shape (tokens, features); `k` divided by d^(1/4)."""

    def tokenwise(self) -> bool:
        """Whether a token's features are the same whichever tokens come with it.

        Only then can tokens be written piece by piece, each piece through the map on its own.
        """
        return True


class AbstractPositiveFeatureMap(AbstractFeatureMap):
    """A map known by the logarithms of its features, which are then positive however small.

    `log_queries` and `log_keys` are exact for every token by itself. A factor that overflows, or
    that vanishes, is avoided where features are summed: each feature's largest logarithm so far
    is a factor of that feature, which goes from the keys to the queries and cancels.

    `stabilise`: in `queries` and `keys`, leave out each query's own largest logarithm and one
    over all keys. The attention is unchanged, and nothing overflows.
    """

    stabilise: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        """The logarithms of the features of the queries, finite; arguments as of `queries`."""

    @abc.abstractmethod
    def log_keys(self, k: Tokens) -> Rates:
        """The logarithms of the features of the keys, finite; argument as of `keys`."""

    def queries(self, q: Tokens, k: Tokens) -> Rates:
        exponents = self.log_queries(q, k)
        if self.stabilise:
            exponents = exponents - jax.lax.stop_gradient(jnp.max(exponents, -1, keepdims=True))
        return jnp.exp(exponents)

    def keys(self, k: Tokens) -> Rates:
        exponents = self.log_keys(k)
        if self.stabilise:
            # One for all keys: one for each would change the attention weights.
            exponents = exponents - jax.lax.stop_gradient(jnp.max(exponents))
        return jnp.exp(exponents)


class EluPlusOne(AbstractFeatureMap):
    """`phi(x) = elu(x) + 1`: d features, all positive.

    Katharopoulos et al. 2020, Transformers are RNNs (arXiv 2006.16236), equation 7. Attention with
    it is not an approximation of softmax attention.
    """

    def queries(self, q: Tokens, k: Tokens) -> Rates:
        return jax.nn.elu(q) + 1.0

    def keys(self, k: Tokens) -> Rates:
        return jax.nn.elu(k) + 1.0


class OneProcessPerToken(AbstractFeatureMap):
    """One neuron, and one astrocyte process per output, for each token: softmax, exactly.

    `K~ = identity` over the tokens and `Q~_mu,j = exp(q_mu . k_j - max_j q_mu . k_j)`: linear
    attention of these features *is* softmax attention, in any dimension, at the price of as many
    features as tokens. The maximum is a factor of the query's own and cancels.

    **Arguments:** `causal`: take the maximum over tokens 0 to t for query t alone, so that what
    comes later cannot even slow the circuit down; there must be as many queries as tokens.

    **Raises:** `ValueError` if `causal` and the numbers of queries and tokens differ.
    """

    causal: bool = eqx.field(static=True, default=False)

    def queries(self, q: Tokens, k: Tokens) -> Rates:
        scores = q @ k.T
        if self.causal:
            if q.shape[0] != k.shape[0]:
                raise ValueError(
                    "causal features need as many queries as tokens, got "
                    f"{q.shape[0]} and {k.shape[0]}: use OneProcessPerToken() instead."
                )
            scores = jnp.where(jnp.tri(k.shape[0], dtype=bool), scores, -jnp.inf)
        # The maximum cancels in value and in derivative; holding it constant says so to autodiff.
        return jnp.exp(scores - jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True)))

    def keys(self, k: Tokens) -> Rates:
        return jnp.eye(k.shape[0], dtype=k.dtype)

    def tokenwise(self) -> bool:
        return False


def require_tokens(name: str, x: Array, dimension: int | None = None) -> None:
    """Checks that `x` is a list of tokens of one head.

    **Raises:** `ValueError` if `x` is not a floating array of shape (tokens, dimension).
    """
    last = "d" if dimension is None else str(dimension)
    wrong_size = dimension is not None and x.shape[-1:] != (dimension,)
    if x.ndim != 2 or wrong_size or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be a floating-point array of shape (tokens, {last}), got shape {x.shape} "
            f"and dtype {x.dtype}. For several heads or pictures, use jax.vmap over the leading "
            "axis."
        )
