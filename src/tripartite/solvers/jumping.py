"""Any solver, followed by the model's own jump."""

from typing import Any

import diffrax

from tripartite.solvers.wrapped import AbstractAfterStep


class Jumping(AbstractAfterStep):
    """At the end of each step of `solver`, applies the model's `jump` (a reset, a clock)."""

    solver: diffrax.AbstractSolver

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """The wrapped solver's."""
        return self.solver.init(terms, t0, t1, y0, args)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: Any, made_jump: Any
    ) -> Any:
        """The wrapped solver's step, then the jump at `t1`."""
        # A first stage kept from before the last jump would be stale: always say that one was made.
        y, error, dense, solver_state, result = self.solver.step(
            terms, t0, t1, y0, args, solver_state, True
        )
        model, stimulus = args
        y = model.jump(t1, y0, y, stimulus(t1))
        return y, error, dense, solver_state, result
