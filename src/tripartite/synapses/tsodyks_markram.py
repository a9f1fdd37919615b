"""Short-term depression and facilitation: spike by spike, and its mean field."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import (
    Cleft,
    Membrane,
    Parameter,
    Relaxation,
    as_cleft,
    has_jump,
    parameter,
    units,
)
from tripartite.synapses.base import (
    AbstractEventTerminal,
    AbstractLinearSynapse,
    AbstractSynapse,
    NoReceptor,
    require_range,
)
from tripartite.synapses.smooth_spikes import SmoothSpikes

# Modeling neuron-glia interactions with the Brian 2 simulator, in Computational Glioscience.
CHAPTER = "Stimberg et al. 2019, table of parameters"


class TsodyksMarkramState(NamedTuple):
    """`u`: utilisation; `x`: available resources; `transmitter` in uM; `receptor`: its own."""

    u: Array
    x: Array
    transmitter: Array
    receptor: Any


class AbstractTsodyksMarkram(AbstractSynapse):
    """A terminal with resources x, of which each spike releases the fraction u.

    Tsodyks, Pawelzik and Markram, Neural Comput 10, 821 (1998); the transmitter in the cleft as in
    Stimberg et al. (2019). The released fraction r drives `receptor`, and the transmitter that
    spills to the astrocyte.
    """

    receptor: eqx.AbstractVar[AbstractSynapse]
    utilisation: eqx.AbstractVar[Any]
    recovery: eqx.AbstractVar[Any]
    forgetting: eqx.AbstractVar[Any]
    content: eqx.AbstractVar[Any]
    dilution: eqx.AbstractVar[Any]
    clearance: eqx.AbstractVar[Any]

    @abc.abstractmethod
    def relax_with(
        self, t: Array, y: TsodyksMarkramState, u: Any, utilisation: Array
    ) -> Relaxation:
        """The relaxation at a utilisation that something else (gliotransmitter) has set."""

    def init(self) -> TsodyksMarkramState:
        """Rested: all resources available, nothing facilitated, a clear cleft."""
        zero = jnp.zeros_like(self.utilisation)
        return TsodyksMarkramState(zero, jnp.ones_like(zero), zero, self.receptor.init())

    def units(self) -> TsodyksMarkramState:
        """Two pure numbers, uM and the receptor's."""
        return TsodyksMarkramState("1", "1", "uM", self.receptor.units())  # pyright: ignore[reportArgumentType]

    def blocks(self) -> TsodyksMarkramState:
        """The terminal and the receptor's own blocks."""
        return TsodyksMarkramState(0, 0, 0, self.receptor.blocks())  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: TsodyksMarkramState, u: Any) -> Relaxation:
        """At the terminal's own utilisation."""
        return self.relax_with(t, y, u, self.utilisation)

    def conductance(self, y: TsodyksMarkramState, v_post: Array) -> tuple[Array, Array]:
        """The receptor's."""
        return self.receptor.conductance(y.receptor, v_post)

    def membrane(self, y: TsodyksMarkramState, v_post: Array) -> Membrane:
        """The receptor's."""
        return self.receptor.membrane(y.receptor, v_post)

    def transmitter(self, y: TsodyksMarkramState) -> Array:
        """The concentration around the synapse, uM."""
        return y.transmitter

    def facilitation_threshold(self) -> Array:
        """`recovery / (recovery + forgetting)`: facilitating below this utilisation."""
        return self.recovery / (self.recovery + self.forgetting)

    def mean_release(self, rate: Array) -> Array:
        """The released fraction per spike at a Poisson `rate` (1/ms), in the mean field.

        `u+ x` with `u+ = U (forgetting + f) / (forgetting + U f)` and
        `x = recovery / (recovery + u+ f)`.
        """
        base = self.utilisation
        at_spike = base * (self.forgetting + rate) / (self.forgetting + base * rate)
        return at_spike * self.recovery / (self.recovery + at_spike * rate)


class TsodyksMarkram(AbstractTsodyksMarkram, AbstractEventTerminal):
    """Between spikes `du/dt = -forgetting u`, `dx/dt = recovery (1 - x)`, `dY/dt = -clearance Y`.

    At a spike, in this order: `u += U (1 - u)`, `r = u x`, `x -= r`, `Y += dilution content r`, and
    the receptor hears the amount r. Exact on fixed steps. Stimberg et al. (2019); the defaults are
    their table's, with rates given there per second.

    **Arguments:**

    - `receptor`: a synapse driven by spikes (`Exponential`, `DoubleExponential`, `PulsedSynapse`).
    - `utilisation`: U, in (0, 1].
    - `recovery` (Omega_d), `forgetting` (Omega_f), `clearance` (Omega_c) in 1/ms.
    - `content`: transmitter in the vesicles, uM; `dilution`: the volume of the vesicles over that
        of the cleft.

    **Raises:** `ValueError` for a utilisation outside (0, 1], a rate or concentration that is not
    positive, or a receptor that does not hear spikes.
    """

    receptor: AbstractSynapse
    utilisation: Parameter = parameter(0.6, "1", source=CHAPTER)
    recovery: Parameter = parameter(2 * units.per_second, "1/ms", positive=True, source=CHAPTER)
    forgetting: Parameter = parameter(
        3.33 * units.per_second, "1/ms", positive=True, source=CHAPTER
    )
    content: Parameter = parameter(500 * units.millimolar, "uM", positive=True, source=CHAPTER)
    dilution: Parameter = parameter(0.005, "1", positive=True, source=CHAPTER)
    clearance: Parameter = parameter(40 * units.per_second, "1/ms", positive=True, source=CHAPTER)

    def __check_init__(self) -> None:
        _check_utilisation(self)
        if not (isinstance(self.receptor, AbstractSynapse) and has_jump(self.receptor)):
            raise ValueError(
                "TsodyksMarkram.receptor must be a synapse driven by spikes, got "
                f"{type(self.receptor).__name__}: use Exponential, DoubleExponential or "
                "PulsedSynapse (ampa(pulsed=True), for example)."
            )

    def relax_with(
        self, t: Array, y: TsodyksMarkramState, u: Any, utilisation: Array
    ) -> Relaxation:
        """Constant coefficients: the utilisation matters at spikes alone."""
        inner = self.receptor.relax(t, y.receptor, as_cleft(u)._replace(rate=0.0))
        zero = jnp.zeros_like(y.u)
        return Relaxation(
            TsodyksMarkramState(zero, self.recovery + zero, zero, inner.drive),
            TsodyksMarkramState(
                self.forgetting + zero, self.recovery + zero, self.clearance + zero, inner.decay
            ),
        )

    def receptors(self) -> AbstractSynapse:
        """`receptor`."""
        return self.receptor

    def terminal_alone(self) -> "TsodyksMarkram":
        """The same terminal on a `NoReceptor`."""
        return eqx.tree_at(lambda terminal: terminal.receptor, self, NoReceptor())

    def bound(self, y: TsodyksMarkramState) -> None:
        """Nothing."""

    def with_bound(self, y: TsodyksMarkramState, bound: None) -> TsodyksMarkramState:
        """The same state."""
        return y

    def clearing(self) -> Array:
        """`clearance`."""
        return self.clearance

    def released(self, y: TsodyksMarkramState, u: Any) -> Array:
        """`(u + U (1 - u)) x` at the terminal's own utilisation, times the spike."""
        return self.release(y, as_cleft(u), self.utilisation)

    def release(self, y: TsodyksMarkramState, u: Cleft, utilisation: Array) -> Array:
        """`(u + U (1 - u)) x` at a given utilisation U, times the spike.

        Linear in the spike: a share of it releases that share, and a surrogate's gradient passes.
        """
        return (y.u + utilisation * (1.0 - y.u)) * y.x * u.spike

    def jump(self, t: Array, before: Any, y: TsodyksMarkramState, u: Any) -> TsodyksMarkramState:
        """One release at the terminal's own utilisation, where there is a spike."""
        return self.fire(t, before, y, as_cleft(u), self.utilisation)

    def fire(
        self,
        t: Array,
        before: TsodyksMarkramState,
        y: TsodyksMarkramState,
        u: Cleft,
        utilisation: Array,
    ) -> TsodyksMarkramState:
        """One release at a given utilisation, where there is a spike (0, 1 or a share of one)."""
        released = self.release(y, u, utilisation)
        heard = u._replace(spike=released)
        return TsodyksMarkramState(
            y.u + utilisation * (1.0 - y.u) * u.spike,
            y.x - released,
            y.transmitter + self.dilution * self.content * released,
            self.receptor.jump(t, before.receptor, y.receptor, heard),
        )


class MeanFieldTsodyksMarkram(AbstractTsodyksMarkram):
    """The same terminal at a firing rate f: smooth, so that it can be differentiated throughout.

    `du/dt = -forgetting u + U (1 - u) f`, `u+ = u + U (1 - u)`,
    `dx/dt = recovery (1 - x) - u+ x f`, `dY/dt = -clearance Y + dilution content u+ x f`: the mean
    over Poisson trains, but for the correlation of u and x (Tsodyks, Pawelzik and Markram 1998).
    The rate is `Cleft.rate`, or with a `trigger` a smooth function of the presynaptic
    voltage, which then counts a spike as its area.

    **Arguments:** as `TsodyksMarkram`; `receptor` a linear synapse (`Exponential`,
    `DoubleExponential`); `trigger` a `SmoothSpikes`, or `None`.

    **Raises:** `ValueError` as `TsodyksMarkram`, and for a receptor that is not linear.
    """

    receptor: AbstractSynapse
    utilisation: Parameter = parameter(0.6, "1", source=CHAPTER)
    recovery: Parameter = parameter(2 * units.per_second, "1/ms", positive=True, source=CHAPTER)
    forgetting: Parameter = parameter(
        3.33 * units.per_second, "1/ms", positive=True, source=CHAPTER
    )
    content: Parameter = parameter(500 * units.millimolar, "uM", positive=True, source=CHAPTER)
    dilution: Parameter = parameter(0.005, "1", positive=True, source=CHAPTER)
    clearance: Parameter = parameter(40 * units.per_second, "1/ms", positive=True, source=CHAPTER)
    trigger: SmoothSpikes | None = None

    def __check_init__(self) -> None:
        _check_utilisation(self)
        if not isinstance(self.receptor, AbstractLinearSynapse):
            raise ValueError(
                "MeanFieldTsodyksMarkram.receptor must be linear, to be driven by a mean release, "
                f"got {type(self.receptor).__name__}: use Exponential or DoubleExponential."
            )

    def relax_with(
        self, t: Array, y: TsodyksMarkramState, u: Any, utilisation: Array
    ) -> Relaxation:
        """Facilitation, depletion and spilling at the present rate."""
        cleft = as_cleft(u)
        rate = cleft.rate if self.trigger is None else self.trigger(cleft.v_pre)
        zero = jnp.zeros_like(y.u)
        gain = utilisation * rate + zero
        depletion = (y.u + utilisation * (1.0 - y.u)) * rate
        released = depletion * y.x
        inner = self.receptor.relax(t, y.receptor, cleft._replace(rate=released))
        spilling = self.dilution * self.content * released
        return Relaxation(
            TsodyksMarkramState(gain, self.recovery + zero, spilling, inner.drive),
            TsodyksMarkramState(
                self.forgetting + gain,
                self.recovery + depletion,
                self.clearance + zero,
                inner.decay,
            ),
        )


def _check_utilisation(terminal: AbstractTsodyksMarkram) -> None:
    require_range(
        type(terminal).__name__, "utilisation", terminal.utilisation, 0.0, 1.0,
        "it is the fraction of the resources that a first spike releases", above=True,
    )  # fmt: skip
