"""Attention computed by running the circuit: write every token, read every query."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from tripartite.attention.circuit import AttentionCircuit, CircuitState, Memory
from tripartite.attention.features import AbstractFeatureMap
from tripartite.attention.fixed_point import (
    Mask,
    check_tokens,
    forget_masked,
    masked_features,
    raise_if,
    require_positive,
)
from tripartite.core import astype
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete, require_above_zero, require_axes
from tripartite.simulate import simulate

# What "has reached its output" means in `Reading.settling_time`; in float32, 100 eps.
_REACHED = 1e-6


class Reading(NamedTuple):
    """One query read by the circuit.

    - `output`: x at the end, shape (N,).
    - `state`: the whole state there.
    - `settling_time`: ms until x came within 1e-6 (in float32, 1.2e-5) of its final value,
        relative to the largest x, and stayed there, to the spacing of the records.
    - `distance`: how far the state still is from where it is heading, `AttentionCircuit.distance`.
    """

    output: Float[Array, " neurons"]
    state: CircuitState
    settling_time: Float[Array, ""]
    distance: Float[Array, ""]


class CircuitAttention(NamedTuple):
    """What `circuit_attention` returns.

    - `output`: shape (queries, d_v).
    - `settling_time`: ms, shape (queries,), see `Reading`.
    - `distance`: from rest at the end of each reading, shape (queries,).
    - `states`: how many states were integrated to read all the queries.
    """

    output: Float[Array, "queries d_v"]
    settling_time: Float[Array, " queries"]
    distance: Float[Array, " queries"]
    states: Int[Array, ""]


@checked
def write(
    circuit: AttentionCircuit,
    keys: Float[Array, "tokens processes"],
    values: Float[Array, "tokens neurons"],
    *,
    mask: Mask = None,
    t_write: float = 40.0,
    y0: CircuitState | None = None,
    memory: Memory | None = None,
    **solve: Any,
) -> tuple[CircuitState, Memory]:
    """Presents the tokens one after the other, each for a window in which x relaxes to its value.

    At the end of each window `c_ij += (lambda/M) x_i K~_j`, with x as integrated. The whole
    circuit is integrated meanwhile; a masked token is never presented.

    **Arguments:**

    - `keys`: the features K~ of the tokens; `values`: what to store with each.
    - `mask`: `False` for tokens to leave out.
    - `t_write`: ms for each token; x keeps a fraction exp(-t_write / tau_n) of the one before.
    - `y0`, `memory`: to go on from; by default at rest, and empty.
    - the rest goes to `tripartite.simulate` (`dt`, `solver`, `rtol`, `atol`, `adjoint`, ...).

    **Returns:** the state at the end, and the memory.
    """
    _check_circuit(circuit, keys, values)
    begin = circuit.init() if y0 is None else y0
    start = (begin, circuit.empty() if memory is None else memory)
    shown = jnp.ones(keys.shape[:1], bool) if mask is None else mask

    def token(carry: tuple[CircuitState, Memory], now: tuple[Array, Array, Array]) -> Any:
        after = _write_token(circuit, carry, now[0], now[1], t_write, solve)
        kept = jax.tree.map(lambda new, old: jnp.where(now[2], new, old), after, carry)
        return kept, None

    final, _ = jax.lax.scan(token, start, (keys, values, shown))
    return final


def _write_token(
    circuit: AttentionCircuit,
    before: tuple[CircuitState, Memory],
    key: Array,
    value: Array,
    t_write: float,
    solve: dict[str, Any],
) -> tuple[CircuitState, Memory]:
    y, memory = before
    u = circuit.writing(memory, key, value)
    require_above_zero("t_write", t_write, "it is how long a token is presented, in ms")
    options = {"record": lambda y: y.x, "save_every": t_write} | solve
    y = simulate(circuit, u, t1=t_write, y0=y, **options).stats["y1"]
    return y, circuit.deposit(memory, y, key)


@checked
def read(
    circuit: AttentionCircuit,
    memory: Memory,
    query: Float[Array, " processes"],
    *,
    t_read: float = 40.0,
    y0: CircuitState | None = None,
    **solve: Any,
) -> Reading:
    """Presents one query until the neurons hold its attention output.

    Calcium starts at `p_ij(0) = lambda Q~_j g_j`, neurons and synapses where they are. For several
    queries use `jax.vmap` over `query`.

    **Arguments:** `query` the features Q~; `t_read` in ms; `y0` the state before, by default at
    rest; the rest goes to `tripartite.simulate`.

    **Raises:** `ValueError` (under `jit` an Equinox run-time error) if the calcium does not sum to
    something positive: nothing would stop the synapses from growing.
    """
    require_axes("processes", query=query)
    require_above_zero("t_read", t_read, "it is how long a query is presented, in ms")
    y0 = circuit.init() if y0 is None else y0
    calcium = circuit.calcium(memory, query)
    total = jnp.sum(calcium)[None]
    y0 = y0._replace(p=require_positive("total calcium", calcium, total, None, False))
    u = circuit.reading(memory, query)
    spacing = t_read / 200 if solve.get("dt") is None else None
    options = {"record": lambda y: y.x, "save_every": spacing} | solve
    solution: Any = simulate(circuit, u, t1=t_read, y0=y0, **options)
    y = solution.stats["y1"]
    time = _settling_time(solution.ts, solution.ys)
    return Reading(y.x, y, time, circuit.distance(y, u))


def _settling_time(ts: Array, x: Float[Array, "times neurons"]) -> Float[Array, ""]:
    """The first record from which on x stays near its last value."""
    info = jnp.finfo(x.dtype)
    near = max(_REACHED, 100 * float(info.eps)) * jnp.maximum(jnp.max(jnp.abs(x[-1])), info.tiny)
    away = jnp.max(jnp.abs(x - x[-1:]), axis=-1) > near
    last_away = jnp.max(jnp.where(away, jnp.arange(ts.shape[0]), -1))
    return ts[last_away + 1]


@checked
def circuit_attention(
    features: AbstractFeatureMap,
    q: Float[Array, "queries d"],
    k: Float[Array, "tokens d"],
    v: Float[Array, "tokens d_v"],
    *,
    mask: Mask = None,
    causal: bool = False,
    gauge: str | float = "fast",
    tau_n: float = 1.0,
    tau_s: float = 1.0,
    tau_p: float | None = None,
    t_write: float = 40.0,
    t_read: float = 40.0,
    dt: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    tolerance: float | None = None,
    **solve: Any,
) -> CircuitAttention:
    """Attention of one head, by integrating the whole circuit; nothing is computed beforehand.

    All tokens are written, then every query is read by a circuit of its own that starts where the
    writing ended. Causal: one circuit writes a token, reads its query, and goes on.

    **Arguments:**

    - `features`, `q`, `k`, `v`, `mask`, `causal`: as for `linear_attention`.
    - `gauge`: `"fast"` (lambda = M), `"paper"` (lambda = 1), or lambda itself.
    - `tau_n`, `tau_s`: ms. `tau_p`: ms, by default N M tau_s / 10, so that calcium levels out ten
        times faster than tau_s whatever the sizes, and is no stiffer than that.
    - `t_write`, `t_read`: ms for each token and each query.
    - `dt`: a fixed exponential step in ms; by default adaptive steps with `rtol` and `atol`, whose
        defaults are eps^(2/3) and a tenth of it, with eps the precision of `v`.
    - `tolerance`: the largest distance from rest allowed at the end of a reading, and from the
        value at the end of a writing; by default sqrt(eps).
    - the rest goes to `tripartite.simulate` (`solver`, `adjoint`, ...).

    For several heads, `jax.vmap` over the leading axis.

    **Raises:** `ValueError` for wrong shapes, non-positive time constants, where nothing was
    written, features do not sum to something positive, `t_write` is too short, or a reading has
    not come to rest after `t_read`. Under `jit`, those about values are Equinox run-time errors.
    """
    check_tokens(q, k, v, mask, causal)
    if tolerance is not None:
        require_above_zero("tolerance", tolerance, "leave it out for sqrt(eps)")
    query_rates, key_rates = masked_features(features, q, k, mask)
    v = forget_masked(v, mask)
    _check_written(query_rates, key_rates, mask, causal)
    neurons, processes = v.shape[1], key_rates.shape[1]
    tau_p = neurons * processes * tau_s / 10 if tau_p is None else tau_p
    circuit = AttentionCircuit(neurons, processes, tau_n, tau_s, tau_p, _gauge(gauge, processes))
    circuit = astype(circuit, v.dtype)
    eps = float(jnp.finfo(v.dtype).eps)
    limit = eps**0.5 if tolerance is None else tolerance
    _check_window(t_write, tau_n, limit)
    relative = eps ** (2 / 3) if rtol is None else rtol
    absolute = 0.1 * relative if atol is None else atol
    solve = {"dt": dt, "rtol": relative, "atol": absolute} | solve
    run = _read_while_writing if causal else _read_after_writing
    readings = run(circuit, query_rates, key_rates, v, mask, t_write, t_read, solve)
    output = raise_if(
        readings.output,
        ~(readings.distance <= limit),
        f"the circuit has not come to rest {t_read} ms after query {{index}} was presented: give a "
        "longer t_read, a larger gauge, or a larger tolerance (see `distance` in the result).",
    )
    states = q.shape[0] * (neurons + 2 * neurons * processes)
    return CircuitAttention(output, readings.settling_time, readings.distance, jnp.asarray(states))


def _read_after_writing(
    circuit: AttentionCircuit,
    query_rates: Array,
    key_rates: Array,
    v: Array,
    mask: Mask,
    t_write: float,
    t_read: float,
    solve: dict[str, Any],
) -> Reading:
    y, memory = write(circuit, key_rates, v, mask=mask, t_write=t_write, **solve)
    return jax.vmap(lambda query: read(circuit, memory, query, t_read=t_read, y0=y, **solve))(
        query_rates
    )


def _read_while_writing(
    circuit: AttentionCircuit,
    query_rates: Array,
    key_rates: Array,
    v: Array,
    mask: Mask,
    t_write: float,
    t_read: float,
    solve: dict[str, Any],
) -> Reading:
    shown = jnp.ones(v.shape[:1], bool) if mask is None else mask

    def token(carry: tuple[CircuitState, Memory], now: tuple[Array, ...]) -> Any:
        query, key, value, is_shown = now
        after = _write_token(circuit, carry, key, value, t_write, solve)
        y, memory = jax.tree.map(lambda new, old: jnp.where(is_shown, new, old), after, carry)
        reading = read(circuit, memory, query, t_read=t_read, y0=y, **solve)
        return (reading.state, memory), reading

    start = (circuit.init(), circuit.empty())
    _, readings = jax.lax.scan(token, start, (query_rates, key_rates, v, shown))
    return readings


def _check_written(query_rates: Array, key_rates: Array, mask: Mask, causal: bool) -> None:
    """The refusals of `fixed_point`, before time is spent on solving."""
    key_sum = jnp.cumsum(key_rates, axis=0) if causal else jnp.sum(key_rates, axis=0)[None, :]
    total = jnp.sum(query_rates * key_sum, axis=-1)
    require_positive("total calcium", total, total, mask, causal)


def _check_window(t_write: float, tau_n: Any, limit: float) -> None:
    if is_concrete(tau_n) and not math.exp(-t_write / max(float(tau_n), 1e-300)) <= limit:
        raise ValueError(
            f"t_write = {t_write} ms is too short for neurons with tau_n = {float(tau_n)} ms to "
            f"reach a value to within {limit:.1e}: give at least "
            f"{-float(tau_n) * math.log(limit):.3g} ms."
        )


def _check_circuit(circuit: AttentionCircuit, keys: Array, values: Array) -> None:
    tokens = keys.shape[:1]
    wanted = ((*tokens, circuit.processes), (*tokens, circuit.neurons))
    if (keys.shape, values.shape) != wanted:
        raise ValueError(
            f"this circuit writes keys of shape (tokens, {circuit.processes}) with values of shape "
            f"(tokens, {circuit.neurons}), got {keys.shape} and {values.shape}."
        )


def _gauge(gauge: str | float, processes: int) -> Any:
    if gauge == "fast":
        return float(processes)
    if gauge == "paper":
        return 1.0
    if isinstance(gauge, str):
        raise ValueError(
            f'gauge must be "fast" (lambda = M), "paper" (lambda = 1) or a number, got {gauge!r}.'
        )
    return gauge
