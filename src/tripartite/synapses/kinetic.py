"""Synapses with kinetic receptors: transmitter in the cleft, graded or in pulses."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import AbstractParametrised, Parameter, Relaxation, as_cleft, parameter
from tripartite.core.arguments import require
from tripartite.core.numerics import logistic
from tripartite.synapses.base import AbstractSynapse, require_weight
from tripartite.synapses.magnesium import MagnesiumBlock
from tripartite.synapses.schemes import KINETIC, AbstractScheme, GProtein, TwoState

_RELEASE = "Destexhe, Mainen & Sejnowski 1994, J Comput Neurosci 1, 195"


class GradedRelease(AbstractParametrised):
    """Transmitter as a smooth function of the presynaptic voltage.

    `T = peak / (1 + exp(-(v_pre - half) / slope))`: Destexhe, Mainen and Sejnowski,
    J Comput Neurosci 1, 195 (1994). **Arguments:** `peak` in uM; `half` and `slope` in mV.
    """

    peak: Parameter = parameter(1000.0, "uM", positive=True, source=_RELEASE)
    half: Parameter = parameter(2.0, "mV", source=_RELEASE)
    slope: Parameter = parameter(5.0, "mV", positive=True, source=_RELEASE)

    def __call__(self, v_pre: Array) -> Array:
        """The concentration at `v_pre` (mV), uM."""
        return self.peak * logistic((v_pre - self.half) / self.slope)


class GradedState(NamedTuple):
    """`receptors`, as the scheme defines them."""

    receptors: Any


class GradedSynapse(AbstractSynapse):
    """Kinetic receptors that follow the presynaptic voltage smoothly: differentiable throughout.

    `g = weight * open fraction * B(v_post)`.

    **Arguments:** `scheme` the receptors' kinetics; `weight` the maximal conductance, mS/cm2 (or
    nS), not negative; `reversal` in mV; `block` a `MagnesiumBlock`, or `None`; `release` the
    transmitter's dependence on the voltage.

    **Raises:** `ValueError` for a negative weight.
    """

    scheme: AbstractScheme
    weight: Parameter = parameter(0.1, "mS/cm2")
    reversal: Parameter = parameter(0.0, "mV")
    block: MagnesiumBlock | None = None
    release: GradedRelease = eqx.field(default_factory=GradedRelease)

    def __check_init__(self) -> None:
        require_weight("GradedSynapse", self.weight)

    def init(self) -> GradedState:
        """The receptors without transmitter."""
        return GradedState(self.scheme.init())

    def units(self) -> GradedState:
        """The scheme's."""
        return GradedState(self.scheme.units())

    def relax(self, t: Array, y: GradedState, u: Any) -> Relaxation:
        """The scheme's relaxation at `release(v_pre)`."""
        drive, decay = self.scheme.relax(y.receptors, self.release(as_cleft(u).v_pre))
        return Relaxation(GradedState(drive), GradedState(decay))

    def conductance(self, y: GradedState, v_post: Array) -> tuple[Array, Array]:
        """`(weight * open fraction * B(v_post), reversal)`."""
        g = self.weight * self.scheme.open_fraction(y.receptors)
        return (g if self.block is None else g * self.block(v_post)), self.reversal


class PulsedState(NamedTuple):
    """`receptors`; `concentration` of the pulse, uM; `left`, how long it still lasts, ms."""

    receptors: Any
    concentration: Array
    left: Array


class PulsedSynapse(AbstractSynapse):
    """Kinetic receptors that see a square pulse of transmitter after each spike.

    Destexhe, Mainen and Sejnowski, Neural Comput 6, 14 (1994): while the pulse lasts the receptors
    relax with constant coefficients, so that two-state receptors are exact on fixed steps where
    `duration` is a whole number of them. A spike within a pulse starts it anew. A share of a spike
    releases that share of the concentration.

    **Arguments:** as `GradedSynapse`; `peak` in uM and `duration` in ms, of the pulse.

    **Raises:** `ValueError` for a negative weight, or a peak or duration that is not positive.
    """

    scheme: AbstractScheme
    weight: Parameter = parameter(0.1, "mS/cm2")
    reversal: Parameter = parameter(0.0, "mV")
    block: MagnesiumBlock | None = None
    peak: Parameter = parameter(1000.0, "uM", positive=True, source=KINETIC)
    duration: Parameter = parameter(1.0, "ms", positive=True, source=KINETIC)

    def __check_init__(self) -> None:
        require_weight("PulsedSynapse", self.weight)

    def init(self) -> PulsedState:
        """The receptors without transmitter, and no pulse."""
        zero = jnp.zeros_like(self.weight)
        return PulsedState(self.scheme.init(), zero, zero)

    def units(self) -> PulsedState:
        """The scheme's, uM and ms."""
        return PulsedState(self.scheme.units(), "uM", "ms")  # pyright: ignore[reportArgumentType]

    def blocks(self) -> PulsedState:
        """The concentration only jumps."""
        return PulsedState(0, None, 0)  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: PulsedState, u: Any) -> Relaxation:
        """The scheme's relaxation at the pulse's concentration; the clock runs down."""
        on = jnp.where(y.left > 0, 1.0, 0.0).astype(y.left.dtype)
        drive, decay = self.scheme.relax(y.receptors, on * y.concentration)
        zero = jnp.zeros_like(y.left)
        return Relaxation(PulsedState(drive, zero, -on), PulsedState(decay, zero, zero))

    def timed(self) -> tuple[str, ...]:
        """The end of a pulse."""
        return ("PulsedSynapse",)

    def jump(self, t: Array, before: Any, y: PulsedState, u: Any) -> PulsedState:
        """A spike starts a pulse."""
        spike = as_cleft(u).spike
        # Round-off of some subtractions of dt must not make the pulse a step longer.
        left = jnp.where(y.left > 1e-4 * self.duration, y.left, 0.0)
        return PulsedState(
            y.receptors,
            jnp.where(spike > 0, self.peak * spike, y.concentration),
            jnp.where(spike > 0, self.duration, left),
        )

    def conductance(self, y: PulsedState, v_post: Array) -> tuple[Array, Array]:
        """`(weight * open fraction * B(v_post), reversal)`."""
        g = self.weight * self.scheme.open_fraction(y.receptors)
        return (g if self.block is None else g * self.block(v_post)), self.reversal


def _synapse(pulsed: bool, scheme: AbstractScheme, *rest: PyTree) -> AbstractSynapse:
    require("pulsed", pulsed, bool)
    return PulsedSynapse(scheme, *rest) if pulsed else GradedSynapse(scheme, *rest)


def ampa(weight: Any = 0.1, *, reversal: float = 0.0, pulsed: bool = False) -> AbstractSynapse:
    """AMPA receptors: 1.1 /(mM ms) and 0.19 /ms (Destexhe et al. 1998).

    **Arguments:** `weight` the maximal conductance, mS/cm2 (or nS); `reversal` in mV; `pulsed`:
    pulses of transmitter after spikes, rather than a smooth function of the voltage.
    """
    return _synapse(pulsed, TwoState(1.1e-3, 0.19, KINETIC), weight, reversal)


def nmda(
    weight: Any = 0.1, *, magnesium: float = 1000.0, reversal: float = 0.0, pulsed: bool = False
) -> AbstractSynapse:
    """NMDA receptors: 0.072 /(mM ms), 0.0066 /ms and the block of Jahr and Stevens (1990).

    Destexhe et al. (1998). **Arguments:** as `ampa`; `magnesium` in uM.
    """
    block = MagnesiumBlock(magnesium)
    return _synapse(pulsed, TwoState(7.2e-5, 6.6e-3, KINETIC), weight, reversal, block)


def gaba_a(weight: Any = 0.1, *, reversal: float = -80.0, pulsed: bool = False) -> AbstractSynapse:
    """GABA-A receptors: 5 /(mM ms) and 0.18 /ms (Destexhe et al. 1998).

    **Arguments:** as `ampa`.
    """
    return _synapse(pulsed, TwoState(5e-3, 0.18, KINETIC), weight, reversal)


def gaba_b(weight: Any = 0.1, *, reversal: float = -95.0, pulsed: bool = False) -> AbstractSynapse:
    """GABA-B receptors: `GProtein`, with the potassium reversal (Destexhe et al. 1998).

    They respond to bursts and hardly to one spike: four G-proteins have to bind.
    **Arguments:** as `ampa`.
    """
    return _synapse(pulsed, GProtein(), weight, reversal)
