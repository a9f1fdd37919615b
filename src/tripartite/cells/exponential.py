"""Exponential integrate-and-fire cells: alone, and with adaptation (AdEx)."""

from typing import Any, Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.cells.resetting import AbstractResettingCell, FiringState, RecoveringState
from tripartite.core import Membrane, Parameter, Relaxation, as_membrane, parameter
from tripartite.core.surrogates import AbstractSurrogate

_FOURCAUD = "Fourcaud-Trocme et al. 2003, from memory"
_NAUD = "Naud et al. 2008, as adapted in Brian2's example"

Pattern = Literal[
    "tonic",
    "adapting",
    "initial burst",
    "bursting",
    "delayed accelerating",
    "delayed bursting",
    "transient",
    "irregular",
]


class EIF(AbstractResettingCell):
    """`C dv/dt = -g_L (v - E_L) + g_L D exp((v - V_T) / D) + I`; at `v >= threshold`, `v = reset`.

    The exponential integrate-and-fire cell of Fourcaud-Trocme, Hansel, van Vreeswijk and Brunel, J.
    Neurosci. 23, 11628 (2003). Above `V_T` the exponential takes over, and v reaches any threshold
    in a moment: where exactly `threshold` cuts it hardly matters. No refractory time.

    **Arguments:** `slope` is D, how sharp the onset is; `onset` is V_T.

    **Raises:** `ValueError` if the threshold does not exceed the reset, or for a value that is not
    positive where it has to be.
    """

    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True, source=_FOURCAUD)
    leak: Parameter = parameter(0.1, "mS/cm2", positive=True, source=_FOURCAUD)
    rest: Parameter = parameter(-65.0, "mV", source=_FOURCAUD)
    slope: Parameter = parameter(3.48, "mV", positive=True, source=_FOURCAUD)
    onset: Parameter = parameter(-59.9, "mV", source=_FOURCAUD)
    threshold: Parameter = parameter(0.0, "mV", source="a choice, far above the onset")
    reset: Parameter = parameter(-68.0, "mV", source=_FOURCAUD)
    surrogate: AbstractSurrogate | None = None

    def init(self) -> FiringState:
        """At `rest`."""
        return FiringState(self.rest, jnp.zeros_like(self.rest))

    def units(self) -> FiringState:
        """mV and a pure number."""
        return FiringState(v="mV", spike="1")  # pyright: ignore[reportArgumentType]

    def set_back(self, y: FiringState) -> FiringState:
        """v at the reset."""
        return y._replace(v=jnp.broadcast_to(self.reset, y.v.shape))

    def relax(self, t: Array, y: FiringState, u: Any) -> Relaxation:
        """The leak, and an exponential drive."""
        membrane = as_membrane(u, y.v)
        upstroke = self.slope * jnp.exp((_cut(self, y.v) - self.onset) / self.slope)
        zero = jnp.zeros_like(y.spike)
        drive = self.leak * (self.rest + upstroke) + membrane.current
        decay = self.leak + membrane.conductance
        return Relaxation(
            FiringState(drive / self.capacitance, zero), FiringState(decay / self.capacitance, zero)
        )


class AdEx(AbstractResettingCell):
    """The EIF with `tau_w dw/dt = a (v - E_L) - w` taken from its current, and `w += b` per spike.

        C dv/dt = -g_L (v - E_L) + g_L D exp((v - V_T) / D) - w + I

    Brette and Gerstner, J. Neurophysiol. 94, 3637 (2005). A whole cell, in pA, nS and pF. `adex`
    makes it with the eight firing patterns of Naud et al. (2008); the defaults are its tonic one.

    **Arguments:** `slope` is D, `onset` is V_T, `coupling` is a, `adaptation_time` is tau_w,
    `increment` is b.

    **Raises:** `ValueError` if the threshold does not exceed the reset, or for a value that is not
    positive where it has to be.
    """

    capacitance: Parameter = parameter(200.0, "pF", positive=True, source=_NAUD)
    leak: Parameter = parameter(10.0, "nS", positive=True, source=_NAUD)
    rest: Parameter = parameter(-70.0, "mV", source=_NAUD)
    onset: Parameter = parameter(-50.0, "mV", source=_NAUD)
    slope: Parameter = parameter(2.0, "mV", positive=True, source=_NAUD)
    coupling: Parameter = parameter(2.0, "nS", source=_NAUD)
    adaptation_time: Parameter = parameter(30.0, "ms", positive=True, source=_NAUD)
    increment: Parameter = parameter(0.0, "pA", source=_NAUD)
    reset: Parameter = parameter(-58.0, "mV", source=_NAUD)
    threshold: Parameter = parameter(0.0, "mV", source=_NAUD)
    surrogate: AbstractSurrogate | None = None

    def init(self) -> RecoveringState:
        """At `rest`, w at 0."""
        zero = jnp.zeros_like(self.rest)
        return RecoveringState(self.rest, zero, zero)

    def units(self) -> RecoveringState:
        """mV, pA and a pure number."""
        return RecoveringState(v="mV", w="pA", spike="1")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> Any:
        """A current and a conductance, of the whole cell."""
        return Membrane("pA", "nS")

    def set_back(self, y: RecoveringState) -> RecoveringState:
        """v at the reset, w raised."""
        return y._replace(v=jnp.broadcast_to(self.reset, y.v.shape), w=y.w + self.increment)

    def relax(self, t: Array, y: RecoveringState, u: Any) -> Relaxation:
        """The leak and an exponential drive; the adaptation follows v."""
        membrane, v = as_membrane(u, y.v), _cut(self, y.v)
        zero = jnp.zeros_like(y.spike)
        upstroke = self.slope * jnp.exp((v - self.onset) / self.slope)
        drive = self.leak * (self.rest + upstroke) - y.w + membrane.current
        decay = self.leak + membrane.conductance
        rate = 1.0 / self.adaptation_time
        return Relaxation(
            RecoveringState(drive / self.capacitance, rate * self.coupling * (v - self.rest), zero),
            RecoveringState(decay / self.capacitance, jnp.broadcast_to(rate, y.w.shape), zero),
        )


def _cut(cell: EIF | AdEx, v: Array) -> Array:
    """v, held some way above the threshold: a step that goes too far there must not overflow."""
    return jnp.minimum(v, cell.threshold + 5.0 * cell.slope)


# C, g_L, E_L, a, tau_w, b, V_r, the current (pF, nS, mV, nS, ms, pA, mV, pA); V_T -50 mV, D 2 mV.
_PATTERNS: dict[Pattern, tuple[float, ...]] = {
    "tonic": (200.0, 10.0, -70.0, 2.0, 30.0, 0.0, -58.0, 500.0),
    "adapting": (200.0, 12.0, -70.0, 2.0, 300.0, 60.0, -58.0, 500.0),
    "initial burst": (130.0, 18.0, -58.0, 4.0, 150.0, 120.0, -50.0, 400.0),
    "bursting": (200.0, 10.0, -58.0, 2.0, 120.0, 100.0, -46.0, 210.0),
    "delayed accelerating": (200.0, 12.0, -70.0, -10.0, 300.0, 0.0, -58.0, 300.0),
    "delayed bursting": (100.0, 10.0, -65.0, -10.0, 90.0, 30.0, -47.0, 110.0),
    "transient": (100.0, 10.0, -65.0, 10.0, 90.0, 100.0, -47.0, 180.0),
    "irregular": (100.0, 12.0, -60.0, -11.0, 130.0, 30.0, -48.0, 160.0),
}


def adex(pattern: Pattern) -> AdEx:
    """The AdEx cell with one of its eight firing patterns under `adex_current(pattern)`.

    Naud, Marcille, Clopath and Gerstner, Biol. Cybern. 99, 335 (2008), table 1, as adapted to the
    paper's figures in Brian2's example of it.

    **Arguments:** `pattern`: `"tonic"`, `"adapting"`, `"initial burst"`, `"bursting"`,
    `"delayed accelerating"`, `"delayed bursting"`, `"transient"` or `"irregular"`.

    **Raises:** `ValueError` for any other.
    """
    c, leak, rest, a, tau, b, reset, _ = _row(pattern)
    return AdEx(
        capacitance=c,
        leak=leak,
        rest=rest,
        coupling=a,
        adaptation_time=tau,
        increment=b,
        reset=reset,
    )


def adex_current(pattern: Pattern) -> float:
    """The constant current (pA) under which `adex(pattern)` fires so. **Raises:** as `adex`."""
    return _row(pattern)[-1]


def _row(pattern: Any) -> tuple[float, ...]:
    if pattern not in _PATTERNS:
        known = ", ".join(map(repr, get_args(Pattern)))
        raise ValueError(f"no firing pattern {pattern!r}: give one of {known}.")
    return _PATTERNS[pattern]
