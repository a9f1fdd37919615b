"""Krotov and Hopfield's memory of feature and hidden neurons, and its key-value form."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter
from tripartite.core.errors import require_numbers
from tripartite.memory.energy import AbstractEnergyMemory, Lagrangian, Layer
from tripartite.memory.lagrangians import (
    Absolute,
    Identity,
    LogSumExp,
    ReluPower,
    Spherical,
)

_KROTOV_HOPFIELD = "Krotov and Hopfield 2021 (arXiv 2008.06996)"


class TwoLayerState(NamedTuple):
    """`v`, the feature neurons, shape (N_f,), and `h`, the hidden ones, (N_h,); pure numbers."""

    v: Float[Array, " features"]
    h: Float[Array, " hidden"]


class TwoLayerMemory(AbstractEnergyMemory):
    """A memory of two layers whose synapses join pairs of neurons only.

        tau_f dv_i/dt  = sum_mu xi_mu,i f_mu - v_i + I_i,     f = grad L_h(h)
        tau_h dh_mu/dt = sum_i xi_mu,i g_i - h_mu,            g = grad L_v(v)

        E = [(v - I) . g - L_v] + [h . f - L_h] - f . xi g

    Krotov and Hopfield 2021 (arXiv 2008.06996), equations 1 to 4. With hidden neurons that are
    fast, it is a dense associative memory; `model_b` is then softmax attention. Its biological
    claim is that many-body synapses are not needed; the weights are still symmetric.

    **Arguments:**

    - `patterns`: xi, shape (N_h, N_f), a pure number: one hidden neuron for each memory.
    - `feature`, `hidden`: the Lagrangians L_v and L_h; by default those of model B.
    - `tau_f`, `tau_h`: ms; the paper leaves them free, and fixed points do not depend on them.

    The input is I, one number for each feature neuron.

    **Raises:** `ValueError` if `patterns` is not a matrix, or a time constant not positive.
    """

    patterns: Parameter = parameter(None, "1", source="the memories", doc="xi")
    feature: Lagrangian = Identity()
    hidden: Lagrangian = eqx.field(default_factory=LogSumExp)
    tau_f: Parameter = parameter(1.0, "ms", positive=True, source=_KROTOV_HOPFIELD)
    tau_h: Parameter = parameter(0.1, "ms", positive=True, source=_KROTOV_HOPFIELD)

    def __check_init__(self):
        require_patterns("TwoLayerMemory.patterns", self.patterns)

    @classmethod
    def model_a(
        cls, patterns: Any, power: int = 3, feature: Lagrangian | None = None, **taus: Any
    ) -> "TwoLayerMemory":
        """Dense associative memory: `L_h = sum relu(h)^n / n` and `L_v = sum |v|`.

        **Arguments:** `power`: n. `feature`: another L_v, such as the smooth `LogCosh(beta)`.
        """
        return cls(patterns, Absolute() if feature is None else feature, ReluPower(power), **taus)

    @classmethod
    def model_b(cls, patterns: Any, beta: Any = 1.0, **taus: Any) -> "TwoLayerMemory":
        """Attention: `L_h = log sum exp(beta h) / beta` and `L_v = sum v^2 / 2`."""
        return cls(patterns, Identity(), LogSumExp(beta), **taus)

    @classmethod
    def model_c(cls, patterns: Any, power: int = 3, **taus: Any) -> "TwoLayerMemory":
        """Spherical memory: `L_h = sum relu(h)^n / n` and `L_v = |v|`."""
        return cls(patterns, Spherical(), ReluPower(power), **taus)

    def init(self) -> TwoLayerState:
        """Silent neurons."""
        hidden, features = self.patterns.shape
        dtype = self.patterns.dtype
        return TwoLayerState(jnp.zeros((features,), dtype), jnp.zeros((hidden,), dtype))

    def start(self, cue: Float[Array, " features"]) -> TwoLayerState:
        """The cue in the feature neurons, and hidden neurons that have come to it."""
        return TwoLayerState(cue, self.patterns @ jax.grad(self.feature)(cue))

    def blocks(self) -> TwoLayerState:
        """The hidden neurons first, then the feature neurons that they drive."""
        return TwoLayerState(v=1, h=0)  # pyright: ignore[reportArgumentType]

    def ports(self, y: TwoLayerState) -> dict[str, Array]:
        """`features` and `hidden`."""
        return {"features": y.v, "hidden": y.h}

    def layers(self) -> tuple[Layer, Layer]:
        return Layer(self.feature, self.tau_f), Layer(self.hidden, self.tau_h)

    def interaction(self, activations: TwoLayerState, u: Any) -> Float[Array, ""]:
        """`-f . xi g - I . g`."""
        coupled = -(activations.h @ (self.patterns @ activations.v))
        return coupled if u is None else coupled - jnp.sum(u * activations.v)


class KeyValueState(NamedTuple):
    """`x`, what is read out, shape (d_v,), and `h`, the hidden neurons, (N_h,); pure numbers."""

    x: Float[Array, " d_v"]
    h: Float[Array, " hidden"]


class KeyValueMemory(AbstractRelaxation):
    """A clamped query, hidden neurons that compare it with keys, and neurons that read values.

        tau_h dh_mu/dt = K_mu . q - h_mu,     tau_x dx/dt = sum_mu V_mu f_mu - x,   f = grad L_h(h)

    Model B of Krotov and Hopfield 2021 with the feature neurons held at the query and a linear
    read-out of other values: it comes to rest at `softmax(beta q K^T) V`, softmax attention of
    one query. The query is the input, of shape (d,), and may move in time.

    **Arguments:** `keys` (N_h, d) and `values` (N_h, d_v), pure numbers; `hidden` the Lagrangian
    L_h; `tau_h`, `tau_x` in ms.

    **Raises:** `ValueError` if there are not as many keys as values, or a time constant is not
    positive.
    """

    keys: Parameter = parameter(None, "1", source="the memories")
    values: Parameter = parameter(None, "1", source="the memories")
    hidden: Lagrangian = eqx.field(default_factory=LogSumExp)
    tau_h: Parameter = parameter(1.0, "ms", positive=True, source=_KROTOV_HOPFIELD)
    tau_x: Parameter = parameter(1.0, "ms", positive=True, source=_KROTOV_HOPFIELD)

    def __check_init__(self):
        require_patterns("KeyValueMemory.keys", self.keys)
        require_patterns("KeyValueMemory.values", self.values)
        if self.keys.shape[0] != self.values.shape[0]:
            raise ValueError(
                "KeyValueMemory needs one value for each key, got keys of shape "
                f"{self.keys.shape} and values of shape {self.values.shape}."
            )

    def init(self) -> KeyValueState:
        """Silent neurons."""
        hidden, size = self.values.shape
        dtype = self.values.dtype
        return KeyValueState(jnp.zeros((size,), dtype), jnp.zeros((hidden,), dtype))

    def blocks(self) -> KeyValueState:
        """The hidden neurons first, then what they drive."""
        return KeyValueState(x=1, h=0)  # pyright: ignore[reportArgumentType]

    def units(self) -> str:
        return "1"

    def input_units(self) -> str:
        return "1"

    def ports(self, y: KeyValueState) -> dict[str, Array]:
        """`output`, and `memories`: the activation of each hidden neuron."""
        return {"output": y.x, "memories": jax.grad(self.hidden)(y.h)}

    def relax(self, t: Array, y: KeyValueState, u: Any) -> Relaxation:
        read = jax.grad(self.hidden)(y.h) @ self.values
        return Relaxation(
            drive=KeyValueState(read / self.tau_x, (self.keys @ u) / self.tau_h),
            decay=KeyValueState(
                jnp.full_like(y.x, 1.0 / self.tau_x), jnp.full_like(y.h, 1.0 / self.tau_h)
            ),
        )


def require_patterns(name: str, patterns: Array) -> None:
    """**Raises:** `ValueError` if `patterns` is not a matrix with a row for each memory."""
    require_numbers(**{name: patterns})
    if patterns.ndim != 2 or 0 in patterns.shape:
        raise ValueError(
            f"{name} must have one row for each memory and at least one, shape (memories, "
            f"neurons), got shape {patterns.shape}: for one memory, add a leading axis."
        )
