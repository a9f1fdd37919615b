"""The neuron-astrocyte attention circuit in continuous time (arXiv 2311.08135, appendix C)."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter
from tripartite.core.arguments import require_fields
from tripartite.stimuli import AbstractStimulus

_APPENDIX_C = "arXiv 2311.08135v2, appendix C"


class CircuitState(NamedTuple):
    """What moves, all pure numbers: N output neurons, N x M synapses, N x M astrocyte processes.

    `x` the neurons, shape (N,); `s` the tripartite synapses and `p` the calcium of the process
    around each, shape (N, M).
    """

    x: Float[Array, " neurons"]
    s: Float[Array, "neurons processes"]
    p: Float[Array, "neurons processes"]


class Memory(NamedTuple):
    """What writing leaves behind, all pure numbers.

    `weights` the Hebbian c_ij, shape (N, M); `facilitation` the presynaptic key sum
    `g_j = sum_s K~_sj`, shape (M,).
    """

    weights: Float[Array, "neurons processes"]
    facilitation: Float[Array, " processes"]


class Presented(AbstractStimulus):
    """The circuit's input, held for a window; all pure numbers.

    `reading` the neuromodulator's switch r, 0 to write and 1 to read; `query` and `key` the
    presynaptic rates Q~ and K~, shape (M,); `value` shape (N,); `weights` the c_ij so far, shape
    (N, M). Made by `AttentionCircuit.writing` and `AttentionCircuit.reading`.
    """

    reading: Float[Array, ""]
    query: Float[Array, " processes"]
    key: Float[Array, " processes"]
    value: Float[Array, " neurons"]
    weights: Float[Array, "neurons processes"]

    def __call__(self, t: Array) -> "Presented":
        return self

    def jumps(self) -> Array:
        return jnp.zeros((0,), self.value.dtype)


class AttentionCircuit(AbstractRelaxation):
    """Output neurons, tripartite synapses and diffusing astrocyte calcium that compute attention.

        tau_n dx_i/dt  = -x_i + r sum_j s_ij I_j + (1 - r) v_i,    I_j = r Q~_j + (1 - r) K~_j
        tau_s ds_ij/dt = -p_ij s_ij + c_ij
        tau_p dp_ij/dt = sum_kl (p_kl - p_ij)

    Calcium is the *decay rate* of the synapses: that is the division by the normaliser. Each
    process keeps its own calcium; total calcium is conserved, and differences between processes
    decay at N M / tau_p.

    Reading starts with `p_ij(0) = lambda Q~_j g_j` and writing adds `(lambda / M) x_i K~_j` to
    c_ij: multiplying both by lambda leaves x* alone and multiplies the rate p*/tau_s at which the
    synapses relax. The paper has lambda = 1 and p* = D/M, with D the softmax-like normaliser;
    lambda = M gives p* = D.

    **Arguments:**

    - `neurons`: N, the size of a value.
    - `processes`: M, the number of features.
    - `tau_n`, `tau_s`, `tau_p`: ms. The paper leaves them free, and x* does not depend on them.
    - `gauge`: lambda.

    **Raises:** `ValueError` if a time constant or the gauge is not positive, or a size below 1.
    """

    neurons: int = eqx.field(static=True)
    processes: int = eqx.field(static=True)
    tau_n: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="neurons")
    tau_s: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="synapses")
    tau_p: Parameter = parameter(
        1.0, "ms", positive=True, source=_APPENDIX_C, doc="calcium transport"
    )
    gauge: Parameter = parameter(1.0, "1", positive=True, source=_APPENDIX_C, trainable=False)

    # Equinox runs this beside the check of the parameters, which it does not replace.
    def __check_init__(self):
        require_fields(self)
        if self.neurons < 1 or self.processes < 1:
            raise ValueError(
                "a circuit needs at least one neuron and one process, got "
                f"neurons={self.neurons} and processes={self.processes}."
            )

    def init(self) -> CircuitState:
        """Silent neurons and synapses, and a resting calcium of 1 in every process."""
        shape, dtype = (self.neurons, self.processes), self.tau_n.dtype
        return CircuitState(
            jnp.zeros(shape[:1], dtype), jnp.zeros(shape, dtype), jnp.ones(shape, dtype)
        )

    def blocks(self) -> CircuitState:
        """Calcium first, then the synapses it clears, then the neurons they drive."""
        return CircuitState(x=2, s=1, p=0)  # pyright: ignore[reportArgumentType]

    def units(self) -> str:
        return "1"

    def input_units(self) -> str:
        return "1"

    def ports(self, y: CircuitState) -> dict[str, Array]:
        """`neurons`, `synapses` and `calcium`."""
        return {"neurons": y.x, "synapses": y.s, "calcium": y.p}

    def relax(self, t: Array, y: CircuitState, u: Presented) -> Relaxation:
        r = u.reading
        rates = r * u.query + (1.0 - r) * u.key
        seen = r * (y.s @ rates) + (1.0 - r) * u.value
        diffusion = jnp.full_like(y.p, self.neurons * self.processes) / self.tau_p
        return Relaxation(
            drive=CircuitState(
                x=seen / self.tau_n,
                s=u.weights / self.tau_s,
                p=jnp.full_like(y.p, jnp.sum(y.p) / self.tau_p),
            ),
            decay=CircuitState(
                x=jnp.full_like(y.x, 1.0 / self.tau_n), s=y.p / self.tau_s, p=diffusion
            ),
        )

    def empty(self) -> Memory:
        """The memory before anything is written."""
        dtype = self.tau_n.dtype
        return Memory(
            jnp.zeros((self.neurons, self.processes), dtype), jnp.zeros((self.processes,), dtype)
        )

    def writing(self, memory: Memory, key: Array, value: Array) -> Presented:
        """The input while a token is presented: `key` K~ of shape (M,), `value` of shape (N,)."""
        off = jnp.zeros((), self.tau_n.dtype)
        return Presented(off, jnp.zeros_like(key), key, value, memory.weights)

    def reading(self, memory: Memory, query: Array) -> Presented:
        """The input while a query is read: `query` Q~ of shape (M,)."""
        on = jnp.ones((), self.tau_n.dtype)
        nothing = jnp.zeros((self.neurons,), query.dtype)
        return Presented(on, query, jnp.zeros_like(query), nothing, memory.weights)

    def deposit(self, memory: Memory, y: CircuitState, key: Array) -> Memory:
        """The jump at the end of a token: `c_ij += (lambda/M) x_i K~_j` and `g_j += K~_j`."""
        change = (self.gauge / self.processes) * y.x[:, None] * key[None, :]
        return Memory(memory.weights + change, memory.facilitation + key)

    def calcium(self, memory: Memory, query: Array) -> Float[Array, "neurons processes"]:
        """What each process starts a reading with: `p_ij(0) = lambda Q~_j g_j`."""
        at_each_synapse = self.gauge * query * memory.facilitation
        return jnp.broadcast_to(at_each_synapse[None, :], (self.neurons, self.processes))

    def rest(self, memory: Memory, query: Array) -> CircuitState:
        """The claimed fixed point of a reading: p* the mean of p(0), s* = c/p*, x* = s* Q~.

        Stable exactly if p* > 0.
        """
        calcium = self.calcium(memory, query)
        s = memory.weights / jnp.mean(calcium)
        return CircuitState(s @ query, s, jnp.full_like(calcium, jnp.mean(calcium)))

    def distance(self, y: CircuitState, u: Presented) -> Array:
        """How far a state is from where it is heading: the largest `|drive/decay - y|`.

        Each kind of state is measured relative to its own largest; a scalar, 0 at rest.
        """
        found = self.relax(jnp.zeros((), y.x.dtype), y, u)
        pairs = zip(found.drive, found.decay, y, strict=True)
        tiny = jnp.finfo(y.x.dtype).tiny
        apart = [
            jnp.max(jnp.abs(drive - decay * now)) / jnp.maximum(jnp.max(jnp.abs(decay * now)), tiny)
            for drive, decay, now in pairs
        ]
        return jnp.max(jnp.stack(apart))
