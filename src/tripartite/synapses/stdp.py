"""Rules of spike-timing-dependent plasticity: traces of spikes, and what they do to a weight."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.arguments import require
from tripartite.synapses.base import require_range

_SONG = "Song, Miller & Abbott 2000, Nat Neurosci 3, 919"
_PFISTER = "Pfister & Gerstner 2006, visual cortex, all-to-all, minimal"


class AbstractSTDP(AbstractParametrised):
    """Traces that each spike raises and that decay, and a weight change read off them.

    `pre` and `post` are spikes at one instant, or rates (1/ms): the same formulas then give the
    change of the weight, or its derivative. Traces are read before their own spike raises them.
    """

    nearest: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def init(self) -> PyTree[Array]:
        """Traces of no spikes."""

    @abc.abstractmethod
    def time_constants(self) -> PyTree[Array]:
        """Of each trace, ms."""

    @abc.abstractmethod
    def drives(self, pre: Array, post: Array) -> PyTree[Array]:
        """Which of the two raises each trace."""

    @abc.abstractmethod
    def change(self, y: PyTree[Array], pre: Array, post: Array) -> Array:
        """The weight's change: potentiation by `post`, depression by `pre`."""

    def raised(self, y: PyTree[Array], pre: Array, post: Array) -> PyTree[Array]:
        """The traces after spikes: higher by one, or set to one if only the nearest counts."""
        heard = self.drives(pre, post)
        if self.nearest:
            return jax.tree.map(lambda x, spike: x + spike * (1.0 - x), y, heard)
        return jax.tree.map(lambda x, spike: x + spike, y, heard)

    def relax(self, y: PyTree[Array], pre: Array, post: Array) -> tuple[Any, Any]:
        """Drive and decay (1/ms) of the traces at two rates (1/ms); without spikes, at zero."""
        drive = jax.tree.map(lambda x, rate: rate + jnp.zeros_like(x), y, self.drives(pre, post))
        free = jax.tree.map(lambda x, tau: 1.0 / tau + jnp.zeros_like(x), y, self.time_constants())
        return drive, jax.tree.map(jnp.add, free, drive) if self.nearest else free


class PairTraces(NamedTuple):
    """`pre` and `post`, pure numbers."""

    pre: Array
    post: Array


class PairSTDP(AbstractSTDP):
    """For each pair of spikes s apart: `A+ exp(-s / tau_plus)` if pre came first, else minus `A-`.

    Post first, the change is `-A- exp(-s / tau_minus)`: Song, Miller and Abbott, Nat Neurosci 3,
    919 (2000).

    **Arguments:** `potentiation` (A+) and `depression` (A-), not negative, per pair; `tau_plus` and
    `tau_minus` in ms; `nearest`: a spike pairs with the last of the other side alone.

    **Raises:** `ValueError` for a negative amplitude or a time constant that is not positive.
    """

    potentiation: Parameter = parameter(5e-3, "1", source=_SONG)
    depression: Parameter = parameter(5.25e-3, "1", source=_SONG)
    tau_plus: Parameter = parameter(20.0, "ms", positive=True, source=_SONG)
    tau_minus: Parameter = parameter(20.0, "ms", positive=True, source=_SONG)
    nearest: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        _check_amplitudes(self, "potentiation", "depression")

    def init(self) -> PairTraces:
        """Both zero."""
        zero = jnp.zeros_like(self.tau_plus)
        return PairTraces(zero, zero)

    def time_constants(self) -> PairTraces:
        """`tau_plus` of the presynaptic trace, `tau_minus` of the postsynaptic one."""
        return PairTraces(self.tau_plus, self.tau_minus)

    def drives(self, pre: Array, post: Array) -> PairTraces:
        """Each by its own side."""
        return PairTraces(pre, post)

    def change(self, y: PairTraces, pre: Array, post: Array) -> Array:
        """`post potentiation y.pre - pre depression y.post`."""
        return post * self.potentiation * y.pre - pre * self.depression * y.post


class TripletTraces(NamedTuple):
    """`r1`, `r2` of presynaptic and `o1`, `o2` of postsynaptic spikes, pure numbers."""

    r1: Array
    r2: Array
    o1: Array
    o2: Array


class TripletSTDP(AbstractSTDP):
    """`w -= o1 (A2- + A3- r2)` at a presynaptic spike, `w += r1 (A2+ + A3+ o2)` at a postsynaptic.

    Pfister and Gerstner, J Neurosci 26, 9673 (2006). With independent Poisson spikes the mean drift
    is `f_pre (A3+ tau_plus tau_y f_post^2 - A2- tau_minus f_post)` (for A2+ = A3- = 0): the rule of
    Bienenstock, Cooper and Munro, with its threshold at `A2- tau_minus / (A3+ tau_plus tau_y)`.

    **Arguments:** `pair_potentiation` (A2+), `triplet_potentiation` (A3+), `pair_depression` (A2-)
    and `triplet_depression` (A3-), not negative; `tau_plus`, `tau_x` (of r1, r2), `tau_minus`,
    `tau_y` (of o1, o2) in ms; `nearest`: a spike sets its traces to 1 instead of adding 1;
    `source`: where the numbers come from, for `tripartite.summary`.

    **Raises:** `ValueError` for a negative amplitude or a time constant that is not positive.
    """

    pair_potentiation: Parameter = parameter(0.0, "1")
    triplet_potentiation: Parameter = parameter(6.5e-3, "1")
    pair_depression: Parameter = parameter(7.1e-3, "1")
    triplet_depression: Parameter = parameter(0.0, "1")
    tau_plus: Parameter = parameter(16.8, "ms", positive=True)
    tau_x: Parameter = parameter(101.0, "ms", positive=True)
    tau_minus: Parameter = parameter(33.7, "ms", positive=True)
    tau_y: Parameter = parameter(114.0, "ms", positive=True)
    nearest: bool = eqx.field(static=True, default=False)
    source: str = eqx.field(static=True, default=_PFISTER)

    def __check_init__(self) -> None:
        _check_amplitudes(
            self, "pair_potentiation", "triplet_potentiation", "pair_depression",
            "triplet_depression",
        )  # fmt: skip

    def init(self) -> TripletTraces:
        """All zero."""
        zero = jnp.zeros_like(self.tau_plus)
        return TripletTraces(zero, zero, zero, zero)

    def time_constants(self) -> TripletTraces:
        """`tau_plus`, `tau_x`, `tau_minus`, `tau_y`."""
        return TripletTraces(self.tau_plus, self.tau_x, self.tau_minus, self.tau_y)

    def drives(self, pre: Array, post: Array) -> TripletTraces:
        """r by the presynaptic side, o by the postsynaptic."""
        return TripletTraces(pre, pre, post, post)

    def change(self, y: TripletTraces, pre: Array, post: Array) -> Array:
        """`post r1 (A2+ + A3+ o2) - pre o1 (A2- + A3- r2)`."""
        up = y.r1 * (self.pair_potentiation + self.triplet_potentiation * y.o2)
        down = y.o1 * (self.pair_depression + self.triplet_depression * y.r2)
        return post * up - pre * down

    def modification_threshold(self) -> Array:
        """The postsynaptic rate (1/ms) at which independent Poisson spikes leave the weight alone.

        For A3- = 0: `(A2- tau_minus - A2+ tau_plus) / (A3+ tau_plus tau_y)`.
        """
        down = self.pair_depression * self.tau_minus - self.pair_potentiation * self.tau_plus
        return down / (self.triplet_potentiation * self.tau_plus * self.tau_y)


def visual_cortex(*, full: bool = False) -> TripletSTDP:
    """The triplet rule fitted to visual cortex, all-to-all (Pfister and Gerstner 2006).

    **Arguments:** `full`: all four amplitudes, rather than the minimal two.
    """
    require("full", full, bool)
    if full:
        return TripletSTDP(
            pair_potentiation=5e-10,
            triplet_potentiation=6.2e-3,
            pair_depression=7e-3,
            triplet_depression=2.3e-4,
            tau_y=125.0,
            source=_PFISTER.replace("minimal", "full"),
        )
    return TripletSTDP()


def hippocampus() -> TripletSTDP:
    """The minimal triplet rule fitted to hippocampal culture, nearest spikes (same paper)."""
    return TripletSTDP(
        pair_potentiation=4.6e-3,
        triplet_potentiation=9.1e-3,
        pair_depression=3.0e-3,
        tau_y=48.0,
        nearest=True,
        source="Pfister & Gerstner 2006, hippocampal culture, nearest, minimal",
    )


def _check_amplitudes(rule: AbstractSTDP, *names: str) -> None:
    why = "the rule itself says which way each term moves the weight"
    for name in names:
        require_range(type(rule).__name__, name, getattr(rule, name), 0.0, np.inf, why)
