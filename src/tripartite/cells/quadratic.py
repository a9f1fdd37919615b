"""Quadratic integrate-and-fire cells: alone (QIF), and with recovery (Izhikevich)."""

from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.cells.resetting import AbstractResettingCell, FiringState, RecoveringState
from tripartite.core import Parameter, Relaxation, as_membrane, parameter
from tripartite.core.errors import is_concrete
from tripartite.core.surrogates import AbstractSurrogate

_CHOSEN = "a choice: a membrane of 10 ms with 15 mV from rest to where it takes off"
_IZHIKEVICH = "Izhikevich 2003, from memory"

Kind = Literal["RS", "IB", "CH", "FS", "LTS", "TC", "RZ"]


class QIF(AbstractResettingCell):
    """`C dv/dt = g (v - rest) (v - critical) / (critical - rest) + I`; at `threshold`, to `reset`.

    The normal form of the onset of firing (Ermentrout and Kopell, SIAM J. Appl. Math. 46, 233
    (1986); in this form Latham et al., J. Neurophysiol. 83, 808 (2000)). Near rest it is a leak of
    `g`; beyond `critical` v runs away. Under a constant current the time between spikes is, with
    k = g / (C (critical - rest)), m = (rest + critical) / 2 and
    s = sqrt(I / (k C) - (critical - rest)^2 / 4),

        (arctan((threshold - m) / s) - arctan((reset - m) / s)) / (k s).

    **Arguments:** `leak` is g. The current that makes it fire is above g (critical - rest) / 4.

    **Raises:** `ValueError` if the threshold does not exceed the reset, or `critical` not `rest`.
    """

    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True, source=_CHOSEN)
    leak: Parameter = parameter(0.1, "mS/cm2", positive=True, source=_CHOSEN)
    rest: Parameter = parameter(-65.0, "mV", source=_CHOSEN)
    critical: Parameter = parameter(-50.0, "mV", source=_CHOSEN)
    threshold: Parameter = parameter(30.0, "mV", source="a choice, far above `critical`")
    reset: Parameter = parameter(-70.0, "mV", source="a choice, below rest")
    surrogate: AbstractSurrogate | None = None

    def __check_init__(self) -> None:
        known = is_concrete(self.critical) and is_concrete(self.rest)
        if known and np.any(np.asarray(self.critical) <= np.asarray(self.rest)):
            raise ValueError(
                f"QIF.critical must exceed QIF.rest, got {self.critical} and {self.rest} mV: it "
                "would run away from rest."
            )

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
        """The parabola as a drive; only what the input conducts decays."""
        membrane, v = as_membrane(u, y.v), _cut(self, y.v)
        zero = jnp.zeros_like(y.spike)
        parabola = (v - self.rest) * (v - self.critical) / (self.critical - self.rest)
        drive = (self.leak * parabola + membrane.current) / self.capacitance
        return Relaxation(
            FiringState(drive, zero), FiringState(membrane.conductance / self.capacitance, zero)
        )


class Izhikevich(AbstractResettingCell):
    """`dv/dt = 0.04 v^2 + 5 v + 140 - w + I / C`, `dw/dt = a (b v - w)`; at 30 mV a spike.

    Then `v = reset` (the paper's c) and `w += increment` (d). Izhikevich, IEEE Trans. Neural Netw.
    14, 1569 (2003), whose u is w here. The paper's current is a rate of v; divided by C = 1 uF/cm2
    it is a current density like any cell's. `izhikevich` makes the seven types of its figure 2.

    **Arguments:** `curvature`, `linear`, `constant`: the three numbers of the parabola; `rate` is
    a; `sensitivity` is b; `v_init`, where v starts, with w at b v.

    **Raises:** `ValueError` if the threshold does not exceed the reset, or for a value that is not
    positive where it has to be.
    """

    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True)
    curvature: Parameter = parameter(0.04, "1/(ms mV)", positive=True, source=_IZHIKEVICH)
    linear: Parameter = parameter(5.0, "1/ms", source=_IZHIKEVICH)
    constant: Parameter = parameter(140.0, "mV/ms", source=_IZHIKEVICH)
    rate: Parameter = parameter(0.02, "1/ms", positive=True, source=_IZHIKEVICH)
    sensitivity: Parameter = parameter(0.2, "1/ms", source=_IZHIKEVICH)
    reset: Parameter = parameter(-65.0, "mV", source=_IZHIKEVICH)
    increment: Parameter = parameter(8.0, "mV/ms", source=_IZHIKEVICH)
    threshold: Parameter = parameter(30.0, "mV", source=_IZHIKEVICH)
    v_init: Parameter = parameter(-65.0, "mV", trainable=False, source=_IZHIKEVICH)
    surrogate: AbstractSurrogate | None = None

    def init(self) -> RecoveringState:
        """`v_init`, and w at its nullcline."""
        w = self.sensitivity * self.v_init
        return RecoveringState(self.v_init, w, jnp.zeros_like(w))

    def units(self) -> RecoveringState:
        """mV, mV/ms and a pure number."""
        return RecoveringState(v="mV", w="mV/ms", spike="1")  # pyright: ignore[reportArgumentType]

    def set_back(self, y: RecoveringState) -> RecoveringState:
        """v at the reset, w raised."""
        return y._replace(v=jnp.broadcast_to(self.reset, y.v.shape), w=y.w + self.increment)

    def relax(self, t: Array, y: RecoveringState, u: Any) -> Relaxation:
        """The parabola as a drive; the recovery follows v."""
        membrane, v = as_membrane(u, y.v), _cut(self, y.v)
        zero = jnp.zeros_like(y.spike)
        parabola = (self.curvature * v + self.linear) * v + self.constant
        drive = parabola - y.w + membrane.current / self.capacitance
        rate = jnp.broadcast_to(self.rate, y.w.shape)
        return Relaxation(
            RecoveringState(drive, self.rate * self.sensitivity * v, zero),
            RecoveringState(membrane.conductance / self.capacitance, rate, zero),
        )


def _cut(cell: QIF | Izhikevich, v: Array) -> Array:
    """v, held some way above the threshold: a step that goes too far there must not overflow."""
    return jnp.minimum(v, 2.0 * cell.threshold - cell.reset)


# a, b, c and d (1/ms, 1/ms, mV, mV/ms).
_KINDS: dict[Kind, tuple[float, float, float, float]] = {
    "RS": (0.02, 0.2, -65.0, 8.0),
    "IB": (0.02, 0.2, -55.0, 4.0),
    "CH": (0.02, 0.2, -50.0, 2.0),
    "FS": (0.1, 0.2, -65.0, 2.0),
    "LTS": (0.02, 0.25, -65.0, 2.0),
    "TC": (0.02, 0.25, -65.0, 0.05),
    "RZ": (0.1, 0.26, -65.0, 2.0),
}


def izhikevich(kind: Kind) -> Izhikevich:
    """One of the seven types of Izhikevich (2003), figure 2.

    **Arguments:** `kind`: `"RS"`, regular spiking; `"IB"`, intrinsically bursting; `"CH"`,
    chattering; `"FS"`, fast spiking; `"LTS"`, low-threshold spiking; `"TC"`, thalamo-cortical;
    `"RZ"`, resonator.

    **Raises:** `ValueError` for any other.
    """
    if kind not in _KINDS:
        known = ", ".join(map(repr, get_args(Kind)))
        raise ValueError(f"kind must be one of {known}, got {kind!r}.")
    rate, sensitivity, reset, increment = _KINDS[kind]
    return Izhikevich(rate=rate, sensitivity=sensitivity, reset=reset, increment=increment)
