"""The reading of many queries as one circuit, with what a brain would pay for being a brain."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.attention.circuit import CircuitState
from tripartite.core import (
    AbstractParametrised,
    AbstractRelaxation,
    Parameter,
    Relaxation,
    parameter,
    parameters_of,
)
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete
from tripartite.core.numerics import exponential_weights

_APPENDIX_C = "arXiv 2311.08135v2, appendix C"
_IDEAL = "zero is the ideal of " + _APPENDIX_C


class Imperfections(AbstractParametrised):
    """What the circuit's attention is free of by assumption; zero (the default) is the ideal.

    **Arguments:**

    - `heterogeneity`: the coefficient of variation of the calcium that each process lets in:
        `p_ij(0) = M z_ij Q~_j g_j` with z log-normal of mean 1, drawn once for each process.
    - `tau_diffusion`: ms; differences of calcium between the processes of an astrocyte decay with
        it (`tau_p / N M` of the circuit). At zero they are gone before the synapses move.
    - `saturation`: the inverse of the calcium at which gliotransmission is half of its largest:
        synapses decay at `p / (1 + saturation p)` instead of p, so that they rest at
        `c (1/p + saturation)`. The release by gliotransmitter of the circuit of 2023, saturating.
    - `tau_write`: ms; the output neurons come to a token's value with it while the token is
        written, and keep a share `exp(-window / tau_write)` of what they held before.
    - `window`: ms for each token.

    **Raises:** `ValueError` if one is negative, or `window` is not positive.
    """

    heterogeneity: Parameter = parameter(0.0, "1", source=_IDEAL, doc="of calcium entry")
    tau_diffusion: Parameter = parameter(0.0, "ms", source=_IDEAL, doc="calcium diffusion")
    saturation: Parameter = parameter(0.0, "1", source=_IDEAL, doc="of gliotransmission")
    tau_write: Parameter = parameter(0.0, "ms", source=_IDEAL, doc="neurons, when written to")
    window: Parameter = parameter(
        40.0, "ms", positive=True, source="chosen: that of circuit_attention", doc="for each token"
    )

    # Equinox runs this beside the check of the parameters, which it does not replace.
    def __check_init__(self):
        for name, info, value in parameters_of(self):
            if is_concrete(value) and np.any(np.asarray(value) < 0):
                raise ValueError(
                    f"Imperfections.{name} must not be negative, got {value} {info.unit}: zero is "
                    "the ideal circuit."
                )

    def entry(self, normal: Array) -> Array:
        """z: log-normal of mean 1 from standard normal numbers."""
        # The double `where`: the root has no derivative at zero.
        variance = jnp.log1p(self.heterogeneity**2)
        spread = jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
        spread = jnp.where(variance > 0, spread, 0.0)
        return jnp.exp(spread * normal - variance / 2)

    def held(self, values: Float[Array, "tokens heads d_v"], shown: Array) -> Array:
        """What the output neurons hold at the end of each token's window."""
        slow = self.tau_write > 0
        kept = jnp.exp(-self.window / jnp.where(slow, self.tau_write, 1.0))
        kept = jnp.where(slow, kept, 0.0)

        def token(x: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            value, is_shown = now
            x = jnp.where(is_shown, value + (x - value) * kept, x)
            return x, x

        return jax.lax.scan(token, jnp.zeros_like(values[0]), (values, shown))[1]


class ReadingCircuit(AbstractRelaxation):
    """The circuit of `AttentionCircuit` while it reads, for H heads and T queries at once.

        tau_n dx_i/dt  = -x_i + sum_j s_ij Q~_j
        tau_s ds_ij/dt = -p_ij / (1 + saturation p_ij) s_ij + c_ij
        tau_d dp_ij/dt = mean_kl p_kl - p_ij,    p_ij(0) = M z_ij Q~_j g_j

    in the gauge lambda = M, so that p comes to rest at the normaliser of the attention. Every
    query of every head has neurons, synapses and processes of its own: it is read from rest.
    `simulate(layer.circuit(q, k, v), t1=20.0)` records `neurons` x, shape (time, heads, queries,
    d_v), and `synapses` s and `calcium` p, shape (time, heads, queries, d_v, features).

    Made by `AstrocyteAttention.circuit`. Fields: `rates` Q~, shape (heads, queries, features);
    `weights` c, shape (heads, queries or 1, d_v, features); `entry` p(0), shape (heads, queries,
    d_v, features), all pure numbers; `tau_n`, `tau_s`, `tau_diffusion` in ms; `saturation`.
    """

    rates: Parameter = parameter(None, "1", trainable=False)
    weights: Parameter = parameter(None, "1", trainable=False)
    entry: Parameter = parameter(None, "1", trainable=False)
    tau_n: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="neurons")
    tau_s: Parameter = parameter(1.0, "ms", positive=True, source=_APPENDIX_C, doc="synapses")
    tau_diffusion: Parameter = parameter(0.0, "ms", source=_IDEAL, doc="calcium diffusion")
    saturation: Parameter = parameter(0.0, "1", source=_IDEAL, doc="of gliotransmission")

    def _mean(self, p: Array) -> Array:
        # Counted from one process: once all are level, rounding does not make their level drift.
        one = p[..., :1, :1]
        return one + jnp.mean(p - one, axis=(-2, -1), keepdims=True)

    def init(self) -> CircuitState:
        """Silent neurons and synapses; calcium as let in, or levelled out if diffusion is instant.

        Nothing else is instant: with `tau_diffusion` zero, calcium is constant.
        """
        spread = jnp.broadcast_to(self._mean(self.entry), self.entry.shape)
        p = jnp.where(self.tau_diffusion > 0, self.entry, spread)
        return CircuitState(jnp.zeros_like(p[..., 0]), jnp.zeros_like(p), p)

    def blocks(self) -> CircuitState:
        """Calcium first, then the synapses it clears, then the neurons they drive."""
        return CircuitState(x=2, s=1, p=0)  # pyright: ignore[reportArgumentType]

    def units(self) -> str:
        return "1"

    def ports(self, y: CircuitState) -> dict[str, Array]:
        """`neurons`, `synapses` and `calcium`."""
        return {"neurons": y.x, "synapses": y.s, "calcium": y.p}

    def _clearance(self, p: Array) -> Array:
        return p / (1.0 + self.saturation * p)

    def relax(self, t: Array, y: CircuitState, u: object = None) -> Relaxation:
        leveling = 1.0 / jnp.where(self.tau_diffusion > 0, self.tau_diffusion, 1.0)
        driven = jnp.einsum("htnm,htm->htn", y.s, self.rates)
        return Relaxation(
            drive=CircuitState(
                x=driven / self.tau_n,
                s=jnp.broadcast_to(self.weights, y.s.shape) / self.tau_s,
                p=jnp.broadcast_to(self._mean(y.p), y.p.shape) * leveling,
            ),
            decay=CircuitState(
                x=jnp.full_like(y.x, 1.0 / self.tau_n),
                s=self._clearance(y.p) / self.tau_s,
                p=jnp.full_like(y.p, leveling),
            ),
        )

    def rest(self) -> CircuitState:
        """Where it comes to rest: p the mean of p(0), s = c / clearance, x = sum_j s_ij Q~_j."""
        p = jnp.broadcast_to(self._mean(self.entry), self.entry.shape)
        s = self.weights / self._clearance(p)
        return CircuitState(jnp.einsum("htnm,htm->htn", s, self.rates), s, p)


@checked
def reached_at(time: float, tau_n: Array, tau_s: Array, log_calcium: Array) -> Array:
    """The share of its fixed point that the ideal circuit has reached, `time` ms into a reading.

    With calcium levelled out, p is constant and the cascade of synapses and neurons is linear:
    with a = p time / tau_s and b = time / tau_n, the share is
    `1 - exp(-b) - b (exp(-a) - exp(-b)) / (b - a)`, whatever the values.
    """
    a = jnp.exp(log_calcium) * (time / tau_s)
    b = jnp.broadcast_to(time / tau_n, a.shape)
    _, mean = exponential_weights(jnp.abs(b - a))
    return 1.0 - jnp.exp(-b) - b * jnp.exp(-jnp.minimum(a, b)) * mean
