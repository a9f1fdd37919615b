"""What the solvers that add something to the end of another's step have in common."""

from typing import Any

import diffrax
import equinox as eqx

from tripartite.core.arguments import require_fields


class AbstractAfterStep(diffrax.AbstractWrappedSolver):
    """A solver that takes the step of `solver` and then changes the state it arrived at."""

    solver: eqx.AbstractVar[diffrax.AbstractSolver]

    def __check_init__(self) -> None:
        require_fields(self)

    @property
    def term_structure(self) -> Any:
        """The wrapped solver's."""
        return self.solver.term_structure

    @property
    def interpolation_cls(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The wrapped solver's."""
        return self.solver.interpolation_cls

    @property
    def root_finder(self) -> Any:
        """The wrapped solver's, which diffrax asks for if that one is implicit."""
        solver: Any = self.solver
        return solver.root_finder

    @property
    def scan_kind(self) -> Any:
        """The wrapped solver's, which diffrax asks for if that one is a Runge-Kutta method."""
        solver: Any = self.solver
        return solver.scan_kind

    def order(self, terms: Any) -> int | None:
        """The wrapped solver's, for the drift between the changes."""
        return self.solver.order(terms)

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The wrapped solver's."""
        return self.solver.func(terms, t0, y0, args)

    def inner_state(self, solver_state: Any) -> Any:
        """The part of this solver's own state that is the wrapped solver's."""
        return solver_state
