"""Data for the attention theorems' figures."""

from typing import Any, NamedTuple

import jax
import numpy as np

from tripartite import simulate
from tripartite.attention import AttentionCircuit, OneProcessPerToken, linear_attention, write


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


def calcium_and_synapses(*, t1: float = 16.0, tau_p: float = 24.0) -> Relaxing:
    """Six tokens written into a circuit of 3 neurons and 6 processes each, and one query read.

    **Arguments:** `t1` how long to follow the reading, ms; `tau_p` ms: calcium differences decay at
    18 / tau_p per ms, and tau_n = tau_s = 1 ms.
    """
    of_q, of_k, of_v = jax.random.split(jax.random.key(14), 3)
    features = OneProcessPerToken()
    q, k = jax.random.normal(of_q, (1, 4)), jax.random.normal(of_k, (6, 4))
    v = jax.random.normal(of_v, (6, 3))
    circuit = AttentionCircuit(3, 6, tau_p=tau_p, gauge=6.0)
    query = features.queries(q, k)[0]
    y, memory = write(circuit, features.keys(k), v, dt=1.0)
    solution: Any = simulate(
        circuit,
        circuit.reading(memory, query),
        t1=t1,
        y0=y._replace(p=circuit.calcium(memory, query)),
        record="state",
        save_every=t1 / 240,
    )
    rest = circuit.rest(memory, query)
    return Relaxing(
        ts=np.asarray(solution.ts),
        calcium=np.asarray(solution.ys.p),
        synapses=np.asarray(solution.ys.s),
        neurons=np.asarray(solution.ys.x),
        target=np.asarray(linear_attention(features, q, k, v)[0]),
        synapse_target=np.asarray(rest.s),
        calcium_target=float(rest.p[0, 0]),
    )
