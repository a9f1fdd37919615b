"""The tripartite synapse: release that an astrocyte's transmitter turns down, or up."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import Membrane, Parameter, Relaxation, as_cleft, parameter, units
from tripartite.synapses.base import AbstractEventTerminal, AbstractSynapse, require_range
from tripartite.synapses.tsodyks_markram import (
    CHAPTER,
    AbstractTsodyksMarkram,
    MeanFieldTsodyksMarkram,
    TsodyksMarkram,
    TsodyksMarkramState,
)


class TripartiteState(NamedTuple):
    """`terminal`: Tsodyks and Markram's; `bound`: fraction of presynaptic receptors (Gamma_S)."""

    terminal: TsodyksMarkramState
    bound: Array


class AbstractTripartiteSynapse(AbstractSynapse):
    """A terminal whose utilisation moves from its own towards `effect` with Gamma_S.

    `dGamma_S/dt = binding G_A (1 - Gamma_S) - unbinding Gamma_S`, and at each release
    `U = (1 - Gamma_S) U* + effect Gamma_S`: De Pitta et al., PLoS Comput Biol 7, e1002293 (2011);
    Stimberg et al. (2019). G_A is the gliotransmitter, `Cleft.modulation`.
    """

    terminal: eqx.AbstractVar[AbstractTsodyksMarkram]
    effect: eqx.AbstractVar[Any]
    binding: eqx.AbstractVar[Any]
    unbinding: eqx.AbstractVar[Any]

    def __check_init__(self) -> None:
        require_range(
            type(self).__name__, "effect", self.effect, 0.0, 1.0,
            "it is the utilisation at full modulation: below the terminal's own it decreases "
            "release, above it increases release",
        )  # fmt: skip

    def init(self) -> TripartiteState:
        """A rested terminal without gliotransmitter."""
        return TripartiteState(self.terminal.init(), jnp.zeros_like(self.effect))

    def units(self) -> TripartiteState:
        """The terminal's and a pure number."""
        return TripartiteState(self.terminal.units(), "1")  # pyright: ignore[reportArgumentType]

    def blocks(self) -> TripartiteState:
        """The terminal's, and the bound receptors with its first."""
        return TripartiteState(self.terminal.blocks(), 0)  # pyright: ignore[reportArgumentType]

    def utilisation(self, y: TripartiteState) -> Array:
        """`(1 - Gamma_S) U* + effect Gamma_S`, a pure number."""
        return self.terminal.utilisation + (self.effect - self.terminal.utilisation) * y.bound

    def relax(self, t: Array, y: TripartiteState, u: Any) -> Relaxation:
        """The terminal at the modulated utilisation, and the binding of gliotransmitter."""
        inner = self.terminal.relax_with(t, y.terminal, u, self.utilisation(y))
        bind = self.binding * as_cleft(u).modulation + jnp.zeros_like(y.bound)
        return Relaxation(
            TripartiteState(inner.drive, bind), TripartiteState(inner.decay, bind + self.unbinding)
        )

    def conductance(self, y: TripartiteState, v_post: Array) -> tuple[Array, Array]:
        """The receptor's."""
        return self.terminal.conductance(y.terminal, v_post)

    def membrane(self, y: TripartiteState, v_post: Array) -> Membrane:
        """The receptor's."""
        return self.terminal.membrane(y.terminal, v_post)

    def transmitter(self, y: TripartiteState) -> Array:
        """The concentration around the synapse, uM."""
        return self.terminal.transmitter(y.terminal)

    def ports(self, y: TripartiteState) -> dict[str, Any]:
        """The terminal's states, and `bound`."""
        return self.terminal.ports(y.terminal) | {"bound": y.bound}


class TripartiteSynapse(AbstractTripartiteSynapse, AbstractEventTerminal):
    """Spike by spike: a `TsodyksMarkram` terminal under gliotransmission. For fixed steps.

    **Arguments:**

    - `terminal`: a `TsodyksMarkram`.
    - `effect`: alpha, the utilisation at full modulation, in [0, 1]. Below the terminal's own U
        gliotransmission decreases release (the default, 0, silences it); above, it increases it.
    - `binding` in 1/(uM ms), `unbinding` in 1/ms.

    **Raises:** `ValueError` for an effect outside [0, 1], a rate that is not positive, or another
    kind of terminal.
    """

    terminal: TsodyksMarkram
    effect: Parameter = parameter(0.0, "1", source=CHAPTER)
    binding: Parameter = parameter(
        1.5 * units.per_second, "1/(uM ms)", positive=True, source=CHAPTER
    )
    unbinding: Parameter = parameter(0.5 * units.per_minute, "1/ms", positive=True, source=CHAPTER)

    def __check_init__(self) -> None:
        _check_terminal(self, TsodyksMarkram, "SmoothTripartiteSynapse")

    def receptors(self) -> AbstractSynapse:
        """The terminal's."""
        return self.terminal.receptor

    def terminal_alone(self) -> "TripartiteSynapse":
        """The same synapse on a `NoReceptor`."""
        return eqx.tree_at(lambda synapse: synapse.terminal, self, self.terminal.terminal_alone())

    def bound(self, y: TripartiteState) -> Array:
        """Gamma_S."""
        return y.bound

    def with_bound(self, y: TripartiteState, bound: Any) -> TripartiteState:
        """The same terminal with another Gamma_S."""
        return y._replace(bound=bound)

    def clearing(self) -> Array:
        """The terminal's `clearance`."""
        return self.terminal.clearance

    def released(self, y: TripartiteState, u: Any) -> Array:
        """The terminal's release at the modulated utilisation."""
        return self.terminal.release(y.terminal, as_cleft(u), self.utilisation(y))

    def jump(self, t: Array, before: TripartiteState, y: TripartiteState, u: Any) -> Any:
        """A release at the modulated utilisation, where there is a spike."""
        cleft = as_cleft(u)
        terminal = self.terminal.fire(t, before.terminal, y.terminal, cleft, self.utilisation(y))
        return TripartiteState(terminal, y.bound)


class SmoothTripartiteSynapse(AbstractTripartiteSynapse):
    """Driven by a rate, or smoothly by the presynaptic voltage: differentiable throughout.

    **Arguments:** as `TripartiteSynapse`, with a `MeanFieldTsodyksMarkram` as its `terminal`.

    **Raises:** `ValueError` as `TripartiteSynapse`.
    """

    terminal: MeanFieldTsodyksMarkram
    effect: Parameter = parameter(0.0, "1", source=CHAPTER)
    binding: Parameter = parameter(
        1.5 * units.per_second, "1/(uM ms)", positive=True, source=CHAPTER
    )
    unbinding: Parameter = parameter(0.5 * units.per_minute, "1/ms", positive=True, source=CHAPTER)

    def __check_init__(self) -> None:
        _check_terminal(self, MeanFieldTsodyksMarkram, "TripartiteSynapse")


def _check_terminal(synapse: AbstractTripartiteSynapse, kind: type, other: str) -> None:
    if not isinstance(synapse.terminal, kind):
        raise ValueError(
            f"{type(synapse).__name__}.terminal must be a {kind.__name__}, got "
            f"{type(synapse.terminal).__name__}: change the terminal, or use {other}."
        )
