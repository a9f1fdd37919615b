"""Data for the attention theorems' figures."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from tripartite import simulate
from tripartite.attention import (
    AttentionCircuit,
    CircuitState,
    OneProcessPerToken,
    linear_attention,
    write,
)
from tripartite.core.arguments import checked
from tripartite.proofs.attention.inputs import draw


class Relaxing(NamedTuple):
    """One query being read: calcium spreads, synapses relax, neurons reach the attention output.

    - `ts`: ms, shape (times,).
    - `calcium`, `synapses`: shape (times, N, M); `neurons`: shape (times, N).
    - `target`: linear attention, shape (N,); `synapse_target`: c / p*, shape (N, M);
        `calcium_target`: p*, the mean of the calcium at the start.
    """

    ts: np.ndarray
    calcium: np.ndarray
    synapses: np.ndarray
    neurons: np.ndarray
    target: np.ndarray
    synapse_target: np.ndarray
    calcium_target: float


@checked
def calcium_and_synapses(*, t1: float = 16.0, tau_p: float = 24.0) -> Relaxing:
    """Six tokens written into a circuit of 3 neurons and 6 processes each, and one query read.

    **Arguments:** `t1` how long to follow the reading, ms; `tau_p` ms: calcium differences decay at
    18 / tau_p per ms, and tau_n = tau_s = 1 ms.
    """
    q, k, v = draw(14, (1, 4), (6, 4), (6, 3))
    features, circuit = OneProcessPerToken(), AttentionCircuit(3, 6, tau_p=tau_p, gauge=6.0)

    @jax.jit
    def run(q: Array, k: Array, v: Array) -> tuple[Any, CircuitState]:
        query = features.queries(q, k)[0]
        y, memory = write(circuit, features.keys(k), v, dt=1.0)
        y0 = y._replace(p=circuit.calcium(memory, query))
        u = circuit.reading(memory, query)
        shown = simulate(circuit, u, t1=t1, y0=y0, record="state", save_every=t1 / 240)
        return (shown.ts, shown.ys), circuit.rest(memory, query)

    (ts, shown), rest = run(q, k, v)
    return Relaxing(
        ts=np.asarray(ts),
        calcium=np.asarray(shown.p),
        synapses=np.asarray(shown.s),
        neurons=np.asarray(shown.x),
        target=np.asarray(linear_attention(features, q, k, v)[0]),
        synapse_target=np.asarray(rest.s),
        calcium_target=float(rest.p[0, 0]),
    )
