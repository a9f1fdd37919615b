"""Kozachkov, Slotine and Krotov's associative memory of neurons, synapses and an astrocyte."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.core import Parameter, parameter
from tripartite.core.errors import is_concrete, require_numbers
from tripartite.memory.energy import AbstractEnergyMemory, Layer
from tripartite.memory.lagrangians import EvenPower, LogCosh
from tripartite.memory.two_layer import TwoLayerMemory, require_patterns

_PAPER = "arXiv 2311.08135v2"
_CODE = "the authors' tutorial, naam"


class NeuronAstrocyteState(NamedTuple):
    """N neurons `x`; a synapse `s` and an astrocyte process `p` for each pair, (N, N); pure."""

    x: Float[Array, " neurons"]
    s: Float[Array, "neurons neurons"]
    p: Float[Array, "neurons neurons"]


class NeuronAstrocyteMemory(AbstractEnergyMemory):
    """Memories stored in how an astrocyte carries calcium between its processes.

        tau_n dx_i/dt  = -lambda x_i + sum_j g_ij phi_j + b_i
        tau_s ds_ij/dt = -alpha s_ij + phi_i phi_j + psi_ij
        tau_p dp_ij/dt = -gamma p_ij + sum_kl T_ijkl psi_kl + g_ij

        E = lambda [x . phi - L_n] + alpha/2 [s . g - L_s] + gamma/2 [p . psi - L_p]
            - sum_ij g_ij phi_i phi_j / 2 - sum_ij psi_ij g_ij / 2
            - sum_ijkl T_ijkl psi_ij psi_kl / 4 - b . phi

    with phi = tanh(beta x), g = tanh(beta s), psi = tanh(beta p), and the transport
    `T_ijkl = c sum_mu xi_i xi_j xi_k xi_l` over the patterns xi^mu. Kozachkov, Slotine and Krotov,
    Neuron-astrocyte associative memory (arXiv 2311.08135), energy-based case. T is never formed:
    `T psi = c sum_mu xi xi^T (xi^T psi xi)` costs K N^2. The dynamics are the energy's own
    gradient, which also keeps s and p symmetric if they start so.

    **Arguments:**

    - `patterns`: xi, shape (K, N), of -1 and +1; a row of zeros is a place for one more (`write`).
    - `transport`: c, by default 1/N^3 as in the authors' code (the paper writes 1); 0 cuts the
        processes off from one another.
    - `tau_n`, `tau_s`, `tau_p`: ms.
    - `leak_n`, `leak_s`, `leak_p`: lambda, alpha and gamma, 1 as in the authors' code. With alpha =
        gamma = 0, as in the paper's theory, fixed points are those of a dense associative memory
        (`reduced`), as far as (s, p) are concerned always saddles.
    - `neuron`, `synapse`, `process`: the Lagrangians; by default `LogCosh(5.0)`.

    The input is b, one number for each neuron.

    **Raises:** `ValueError` if `patterns` is not a matrix, or a time constant is not positive.
    """

    neuron: LogCosh
    synapse: LogCosh
    process: LogCosh
    patterns: Parameter = parameter(None, "1", source="the memories", doc="xi")
    transport: Parameter = parameter(None, "1", source=_CODE, doc="c")
    tau_n: Parameter = parameter(1.0, "ms", positive=True, source=_CODE, doc="neurons")
    tau_s: Parameter = parameter(1.0, "ms", positive=True, source=_CODE, doc="synapses")
    tau_p: Parameter = parameter(1.0, "ms", positive=True, source=_CODE, doc="processes")
    leak_n: Parameter = parameter(1.0, "1", source=_CODE, doc="lambda")
    leak_s: Parameter = parameter(1.0, "1", source=_CODE, doc="alpha")
    leak_p: Parameter = parameter(1.0, "1", source=_CODE, doc="gamma")

    def __init__(
        self,
        patterns: Any,
        *,
        transport: Any = None,
        tau_n: Any = 1.0,
        tau_s: Any = 1.0,
        tau_p: Any = 1.0,
        leak_n: Any = 1.0,
        leak_s: Any = 1.0,
        leak_p: Any = 1.0,
        neuron: LogCosh | None = None,
        synapse: LogCosh | None = None,
        process: LogCosh | None = None,
    ):
        require_numbers(patterns=patterns)
        self.patterns = patterns
        self.transport = np.shape(patterns)[-1] ** -3.0 if transport is None else transport
        self.tau_n, self.tau_s, self.tau_p = tau_n, tau_s, tau_p
        self.leak_n, self.leak_s, self.leak_p = leak_n, leak_s, leak_p
        self.neuron = LogCosh(5.0) if neuron is None else neuron
        self.synapse = LogCosh(5.0) if synapse is None else synapse
        self.process = LogCosh(5.0) if process is None else process

    def __check_init__(self):
        require_patterns("NeuronAstrocyteMemory.patterns", self.patterns)

    @classmethod
    def strong_transport(cls, patterns: Any, **parameters: Any) -> "NeuronAstrocyteMemory":
        """A memory whose transport alone decides what is recalled, from silent synapses.

        `c = 4 / N^2`, with which processes come to `psi = xi xi^T` of the pattern nearest to the
        cue and stay there, and neurons with a gain of 10 / N: at rest a synapse then weighs
        psi_ij against phi_i phi_j, and a neuron that is wrong must not be so sure of itself that
        the two cancel. Chosen for this library.
        """
        n = np.shape(patterns)[-1]
        chosen = {"transport": 4.0 / n**2, "neuron": LogCosh(10.0 / n)}
        return cls(patterns, **(chosen | parameters))

    @classmethod
    def empty(cls, neurons: int, capacity: int, **parameters: Any) -> "NeuronAstrocyteMemory":
        """A memory of `neurons` with places for `capacity` patterns and none stored.

        **Raises:** `ValueError` if either is below 1.
        """
        return cls(np.zeros((capacity, neurons)), **parameters)

    def write(self, pattern: Float[Array, " neurons"]) -> "NeuronAstrocyteMemory":
        """The memory with one more pattern: `T_ijkl += c xi_i xi_j xi_k xi_l`, by Hebb's rule.

        It takes the first free place, so that shapes stay and nothing compiles again.

        **Raises:** `ValueError` (under `jit` an Equinox run-time error) if no place is free, or
        the pattern has another size.
        """
        if jnp.shape(pattern) != self.patterns.shape[1:]:
            raise ValueError(
                f"a pattern must have one bit for each neuron, shape {self.patterns.shape[1:]}, "
                f"got {jnp.shape(pattern)}."
            )
        free = jnp.all(self.patterns == 0, axis=-1)
        full = ~jnp.any(free)
        message = (
            f"all {self.patterns.shape[0]} places of this memory are taken: make one with a larger "
            "capacity."
        )
        if is_concrete(full):
            if bool(full):
                raise ValueError(message)
        else:
            pattern = eqx.error_if(pattern, full, message)
        patterns = self.patterns.at[jnp.argmax(free)].set(pattern)
        return eqx.tree_at(lambda m: m.patterns, self, patterns)

    def carried(self, psi: Float[Array, "neurons neurons"]) -> Float[Array, "neurons neurons"]:
        """`T psi`: what calcium transport brings to each process."""
        along = jnp.sum((self.patterns @ psi) * self.patterns, axis=-1)
        return self.transport * (self.patterns.T @ (along[:, None] * self.patterns))

    def init(self) -> NeuronAstrocyteState:
        """Everything at zero, where nothing moves."""
        n = self.patterns.shape[1]
        dtype = self.patterns.dtype
        pairs = jnp.zeros((n, n), dtype)
        return NeuronAstrocyteState(jnp.zeros((n,), dtype), pairs, pairs)

    def start(
        self, cue: Float[Array, " neurons"], *, processes: bool = False, synapses: bool = False
    ) -> NeuronAstrocyteState:
        """The neurons at the cue; synapses and processes silent, unless asked for.

        **Arguments:** `processes`: set p so that `psi_ij = -phi_i phi_j`; `synapses`: set s so that
        `g = T phi phi`. The authors' tutorial does both: then the answer is in the start, and
        comes out even if T is taken out of the dynamics.

        **Raises:** `ValueError` (under `jit` an Equinox run-time error) if `T phi phi` reaches 1,
        which no synapse can send.
        """
        phi = jax.grad(self.neuron)(cue)
        psi = -phi[:, None] * phi[None, :]
        s = p = jnp.zeros_like(psi)
        if processes:
            p = self.process.inverse(psi)
        if synapses:
            s = self.synapse.inverse(_reachable(-self.carried(psi)))
        return NeuronAstrocyteState(cue, s, p)

    def blocks(self) -> NeuronAstrocyteState:
        """Processes, then synapses, then neurons."""
        return NeuronAstrocyteState(x=2, s=1, p=0)  # pyright: ignore[reportArgumentType]

    def ports(self, y: NeuronAstrocyteState) -> dict[str, Array]:
        """`neurons`, `synapses` and `calcium`."""
        return {"neurons": y.x, "synapses": y.s, "calcium": y.p}

    def layers(self) -> tuple[Layer, Layer, Layer]:
        return (
            Layer(self.neuron, self.tau_n, self.leak_n),
            Layer(self.synapse, self.tau_s, self.leak_s, 0.5),
            Layer(self.process, self.tau_p, self.leak_p, 0.5),
        )

    def interaction(self, activations: NeuronAstrocyteState, u: Any) -> Float[Array, ""]:
        """`-g.phi phi/2 - psi.g/2 - psi.T psi/4 - b.phi`."""
        phi, g, psi = activations
        along = jnp.sum((self.patterns @ psi) * self.patterns, axis=-1)
        stored = -0.25 * self.transport * jnp.sum(along * along)
        coupled = -0.5 * (phi @ (g @ phi)) - 0.5 * jnp.sum(psi * g) + stored
        return coupled if u is None else coupled - jnp.sum(u * phi)

    def reduced(self, tau_h: Any = 0.1) -> TwoLayerMemory:
        """The dense associative memory that has the fixed points of alpha = gamma = 0, lambda = 1.

        `tau_n dx_i/dt = -x_i + sum_jkl T_ijkl phi_j phi_k phi_l`: `E = [x . phi - L_n] - sum_mu
        F(xi^mu . phi)` with `F(z) = c z^4 / 4`. As a memory of two layers it keeps N + K units
        where the astrocyte has N + 2 N^2, and its hidden neurons need `tau_h` (ms).
        """
        scaled = jnp.sqrt(jnp.sqrt(self.transport)) * self.patterns
        return TwoLayerMemory(scaled, self.neuron, EvenPower(4), self.tau_n, tau_h)


def _reachable(g: Array) -> Array:
    message = (
        "no synapse can send T phi phi of this cue, which reaches 1: start from silent synapses "
        "(synapses=False), or lower the transport."
    )
    beyond = jnp.any(jnp.abs(g) >= 1)
    if not is_concrete(beyond):
        return eqx.error_if(g, beyond, message)
    if bool(beyond):
        raise ValueError(message)
    return g
