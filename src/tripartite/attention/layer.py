"""A layer of attention by neurons and astrocytes, in the place of Equinox's own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from tripartite.attention.checks import (
    check_call,
    check_decoding,
    check_features,
    check_mode,
    check_sizes,
    require_same_shapes,
)
from tripartite.attention.features import AbstractFeatureMap, OneProcessPerToken
from tripartite.attention.learned import LearnedExponential
from tripartite.attention.linear_time import linear_time
from tripartite.attention.pieces import (
    AttentionState,
    Encoder,
    Piece,
    empty,
    read_piece,
    summed_in,
    write_piece,
)
from tripartite.attention.reading import Imperfections, ReadingCircuit, reached_at
from tripartite.attention.weights import pair_weights
from tripartite.attention.writing import reading_circuit
from tripartite.core import AbstractParametrised, Parameter, constant, parameter
from tripartite.core.arguments import checked
from tripartite.simulate import simulate

_APPENDIX_C = "arXiv 2311.08135v2, appendix C"

Mask = (
    Bool[Array, " tokens"]
    | Bool[Array, "queries tokens"]
    | Bool[Array, "heads queries tokens"]
    | None
)
Split = tuple[Array, Array, Array]


class AstrocyteAttention(AbstractParametrised):
    """Multi-head attention whose heads are neuron-astrocyte circuits; trainable.

    It takes the place of `equinox.nn.MultiheadAttention`: the same arguments, projections, call,
    masks, dropout and keys. Each head computes the normalised attention of its feature map, the
    circuit's fixed point: `sum_s (Q~ . K~_s) v_s / sum_s (Q~ . K~_s)` (arXiv 2311.08135,
    appendix C). With `OneProcessPerToken()` that *is* softmax attention.

    Without a mask, or with one of shape (tokens,), causal or not, time and memory are linear in
    the number of tokens. A mask of queries, dropout at work and `OneProcessPerToken` need the
    weight of every pair: time and memory are quadratic.

    **Arguments** besides those of `equinox.nn.MultiheadAttention`:

    - `features`: a feature map for all heads, or a sequence of one for each (of one kind and
        size). By default a `LearnedExponential` of `2 qk_size` features for each head.
    - `mode`: `"fixed-point"`, the output when the circuit has come to rest, in closed form (whose
        derivative is that of the implicit function theorem); or `"ode"`, the output `time` ms into
        a reading: what is missing falls by 1/e in each max(tau_n, tau_s / p) or less, with p >= 1
        the normaliser (positive maps; see `reached_at` for the law). The ideal circuit is then
        solved in closed form; with `imperfections`, by `tripartite.simulate`.
    - `time`: ms, for `"ode"` alone.
    - `tau_n`, `tau_s`: ms, of neurons and synapses.
    - `imperfections`: an `Imperfections`, for circuits with neurons, synapses and processes
        integrated one by one; linear in tokens times `vo_size` times features.
    - `steps`: fixed exponential steps of such an integration.
    - `key`: random key of the projections, of the default features and of single processes.

    **Raises:** `ValueError` for sizes, features, a mode or a time that do not fit.
    """

    query_proj: eqx.nn.Linear
    key_proj: eqx.nn.Linear
    value_proj: eqx.nn.Linear
    output_proj: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    features: AbstractFeatureMap
    imperfections: Imperfections | None
    process_key: Array = constant()
    num_heads: int = constant(static=True)
    query_size: int = constant(static=True)
    key_size: int = constant(static=True)
    value_size: int = constant(static=True)
    output_size: int = constant(static=True)
    qk_size: int = constant(static=True)
    vo_size: int = constant(static=True)
    per_head: bool = constant(static=True)
    mode: str = constant(static=True)
    # Static: an integration's length is known before it is compiled.
    time: float | None = constant(static=True)
    steps: int = constant(static=True)
    tau_n: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="neurons")
    tau_s: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="synapses")

    @checked
    def __init__(
        self,
        num_heads: int,
        query_size: int,
        key_size: int | None = None,
        value_size: int | None = None,
        output_size: int | None = None,
        qk_size: int | None = None,
        vo_size: int | None = None,
        use_query_bias: bool = False,
        use_key_bias: bool = False,
        use_value_bias: bool = False,
        use_output_bias: bool = False,
        dropout_p: float = 0.0,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        *,
        features: AbstractFeatureMap | Sequence[AbstractFeatureMap] | None = None,
        mode: str = "fixed-point",
        time: float | None = None,
        tau_n: float = 1.0,
        tau_s: float = 1.0,
        imperfections: Imperfections | None = None,
        steps: int = 256,
        key: PRNGKeyArray,
    ):
        check_sizes(num_heads, query_size, key_size, value_size, output_size, qk_size, vo_size)
        self.num_heads, self.query_size = num_heads, query_size
        self.key_size = query_size if key_size is None else key_size
        self.value_size = query_size if value_size is None else value_size
        self.output_size = query_size if output_size is None else output_size
        self.qk_size = query_size // num_heads if qk_size is None else qk_size
        self.vo_size = query_size // num_heads if vo_size is None else vo_size
        check_mode(mode, time, steps)
        self.mode, self.time, self.steps = mode, time, steps
        self.tau_n, self.tau_s, self.imperfections = tau_n, tau_s, imperfections
        # The first four as Equinox draws them: the same key makes the same projections.
        keys = jax.random.split(key, 4)
        of_features, of_processes = jax.random.split(jax.random.fold_in(key, 1))
        qk, vo = num_heads * self.qk_size, num_heads * self.vo_size
        sizes = (
            (query_size, qk, use_query_bias),
            (self.key_size, qk, use_key_bias),
            (self.value_size, vo, use_value_bias),
            (vo, self.output_size, use_output_bias),
        )
        self.query_proj, self.key_proj, self.value_proj, self.output_proj = (
            eqx.nn.Linear(i, o, use_bias=bias, dtype=dtype, key=one)
            for (i, o, bias), one in zip(sizes, keys, strict=True)
        )
        self.dropout = eqx.nn.Dropout(dropout_p, inference=inference)
        self.process_key = jax.random.key_data(of_processes)
        if features is None:
            features = [
                LearnedExponential(self.qk_size, 2 * self.qk_size, key=one)
                for one in jax.random.split(of_features, num_heads)
            ]
        self.per_head = not isinstance(features, AbstractFeatureMap)
        self.features = check_features(features, num_heads, self.qk_size)

    @classmethod
    def of(
        cls, attention: eqx.nn.MultiheadAttention, *, key: PRNGKeyArray, **options: Any
    ) -> "AstrocyteAttention":
        """The projections and dropout of an Equinox layer, with circuits for heads.

        **Arguments:** `options`: `features`, `mode` and whatever else is this class's own.
        """
        names = ("num_heads", "query_size", "key_size", "value_size", "output_size", "qk_size")
        sizes = {name: getattr(attention, name) for name in (*names, "vo_size")}
        made = cls(**sizes, **options, key=key)
        parts = ("query_proj", "key_proj", "value_proj", "output_proj", "dropout")
        return eqx.tree_at(
            lambda layer: [getattr(layer, name) for name in parts],
            made,
            [getattr(attention, name) for name in parts],
        )

    def __call__(
        self,
        query: Float[Array, "queries query_size"],
        key_: Float[Array, "tokens key_size"],
        value: Float[Array, "tokens value_size"],
        mask: Mask = None,
        *,
        causal: bool = False,
        key: PRNGKeyArray | None = None,
        inference: bool | None = None,
        process_heads: Callable[..., Split] | None = None,
    ) -> Float[Array, "queries output_size"]:
        """Attention, as by `equinox.nn.MultiheadAttention`.

        **Arguments:** as of that class, and:

        - `mask`: also of shape (tokens,), `False` for tokens that are never written (padding).
        - `causal`: query t reads tokens 0 to t, in linear time.

        Dropout acts on the normalised weights of single pairs, as in Equinox's layer.

        **Raises:** `ValueError` for shapes that do not fit; where a query has nothing to read; and
        where features do not sum to something positive. Under `jit`, the last two are Equinox
        run-time errors.
        """
        check_call(self, query, key_, value, mask, causal)
        q, k, v = self._heads(query, key_, value, process_heads)
        dropping = self._dropping(inference)
        by_pairs = mask is not None and mask.ndim > 1
        if self.imperfections is not None:
            if by_pairs or dropping:
                raise ValueError(
                    "a circuit with imperfections writes each token once, for all queries: give "
                    "a mask of shape (tokens,) or causal=True, and no dropout (inference=True)."
                )
            heads = self._read(self._circuit(q, k, v, mask, causal))
        elif by_pairs or dropping or isinstance(self.features, OneProcessPerToken):
            heads = self._by_pairs(q, k, v, mask, causal, key, inference if dropping else True)
        else:
            heads = linear_time(
                self.features,
                q,
                k,
                v,
                per_head=self.per_head,
                mask=mask,
                causal=causal,
                scale=self._scale,
                reached=self._reached(v.dtype),
            )
        return jax.vmap(self.output_proj)(heads.reshape(query.shape[0], -1))

    def circuit(
        self,
        query: Float[Array, "queries query_size"],
        key_: Float[Array, "tokens key_size"],
        value: Float[Array, "tokens value_size"],
        mask: Bool[Array, " tokens"] | None = None,
        *,
        causal: bool = False,
        process_heads: Callable[..., Split] | None = None,
    ) -> ReadingCircuit:
        """The circuit of all heads and queries, written to, at the moment when reading begins.

        `tripartite.simulate(layer.circuit(q, k, v), t1=20.0)` integrates and records it; its
        neurons, heads joined, are what `output_proj` is given.
        """
        check_call(self, query, key_, value, mask, causal)
        if mask is not None and mask.ndim > 1:
            raise ValueError(
                f"the circuit writes each token once: give a mask of shape ({key_.shape[0]},) or "
                f"causal=True, got a mask of shape {mask.shape}."
            )
        return self._circuit(*self._heads(query, key_, value, process_heads), mask, causal)

    def init_state(self) -> AttentionState:
        """Synapses and calcium before the first token of `decode`."""
        check_decoding(self.features, self.imperfections)
        encoder = self._encoder(self.value_proj.weight.dtype)
        token = jnp.zeros((1, self.num_heads, self.qk_size), encoder.dtype)
        heads, _, features = jax.eval_shape(encoder.keys, token).shape
        return empty(heads, features, self.vo_size, encoder.positive, encoder.dtype)

    def decode(
        self,
        state: AttentionState,
        query: Float[Array, " query_size"],
        key_: Float[Array, " key_size"] | None = None,
        value: Float[Array, " value_size"] | None = None,
        *,
        process_heads: Callable[..., Split] | None = None,
    ) -> tuple[AttentionState, Float[Array, " output_size"]]:
        """Writes one token, then reads its query: a line of the causal form, at constant cost.

        **Arguments:** `state` of `init_state` or of the token before; `key_` and `value` are by
        default the query. No dropout.

        **Returns:** the state to go on from, and the output.
        """
        check_decoding(self.features, self.imperfections)
        key_, value = (query if x is None else x for x in (key_, value))
        tokens = query[None], key_[None], value[None]
        check_call(self, *tokens, None, True)
        q, k, v = self._heads(*tokens, process_heads)
        encoder = self._encoder(v.dtype)
        values = jnp.swapaxes(v.astype(encoder.dtype), 0, 1)
        state = write_piece(state, Piece(encoder.keys(k), values, None), encoder.positive)
        found = read_piece(state, encoder.queries(q, k), encoder.positive)
        heads = found.drive / found.calcium[:, :, None]
        reached = self._reached(v.dtype)
        if reached is not None:
            heads = heads * reached(jnp.log(found.calcium))[:, :, None]
        return state, self.output_proj(heads.astype(v.dtype).reshape(-1))

    @property
    def _scale(self) -> float:
        return self.qk_size**-0.25

    def _encoder(self, dtype: Any) -> Encoder:
        return Encoder(self.features, self.per_head, self._scale, summed_in(dtype))

    def _heads(self, query: Array, key_: Array, value: Array, process: Any) -> Split:
        """Projected, tokens first, then heads."""

        def split(projection: eqx.nn.Linear, x: Array) -> Array:
            return jax.vmap(projection)(x).reshape(x.shape[0], self.num_heads, -1)

        heads = (
            split(self.query_proj, query),
            split(self.key_proj, key_),
            split(self.value_proj, value),
        )
        return heads if process is None else require_same_shapes(heads, process(*heads))

    def _dropping(self, inference: bool | None) -> bool:
        inference = self.dropout.inference if inference is None else inference
        p = self.dropout.p
        return not inference and not (isinstance(p, int | float) and p == 0)

    def _reached(self, dtype: Any) -> Callable[[Array], Array] | None:
        if self.mode == "fixed-point" or self.time is None:
            return None
        taus = (tau.astype(summed_in(dtype)) for tau in (self.tau_n, self.tau_s))
        return partial(reached_at, self.time, *taus)

    def _circuit(
        self, q: Array, k: Array, v: Array, mask: Array | None, causal: bool
    ) -> ReadingCircuit:
        encoder = self._encoder(v.dtype)
        given = Imperfections() if self.imperfections is None else self.imperfections
        return reading_circuit(
            encoder,
            q,
            k,
            v,
            mask=mask,
            causal=causal,
            imperfections=given,
            process_key=jax.random.wrap_key_data(self.process_key),
            taus=(self.tau_n, self.tau_s),
        )

    def _read(self, circuit: ReadingCircuit) -> Float[Array, "queries heads d_v"]:
        if self.mode == "fixed-point" or self.time is None:
            x = circuit.rest().x
        else:
            solution: Any = simulate(
                circuit,
                t1=self.time,
                dt=self.time / self.steps,
                save_every=self.time,
                record=lambda y: y.x,
            )
            x = solution.stats["y1"].x
        return jnp.swapaxes(x, 0, 1).astype(self.value_proj.weight.dtype)

    def _by_pairs(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Array | None,
        causal: bool,
        key: PRNGKeyArray | None,
        inference: bool | None,
    ) -> Float[Array, "queries heads d_v"]:
        allowed = jnp.ones((1, q.shape[0], k.shape[0]), bool)
        if mask is not None:
            allowed = allowed & mask.reshape((1,) * (3 - mask.ndim) + mask.shape)
        allowed = jnp.tril(allowed) if causal else allowed
        encoder, reached = self._encoder(v.dtype), self._reached(v.dtype)
        weights, log_calcium = pair_weights(encoder, q, k, allowed, in_time=reached is not None)
        if key is None:
            weights = self.dropout(weights, key=None, inference=inference)
        else:
            drop = partial(self.dropout, inference=inference)
            keys = jax.random.split(key, self.num_heads)
            weights = jax.vmap(lambda w, one: drop(w, key=one))(weights, keys)
        if reached is not None:
            weights = weights * reached(log_calcium)[:, :, None]
        return jnp.einsum("hts,shn->thn", weights, v.astype(encoder.dtype)).astype(v.dtype)
