"""Any fixed-step solver, amid the model's own noise."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite.solvers.wrapped import AbstractAfterStep


class Noisy(AbstractAfterStep):
    """A step of `solver` between the two halves of the step's noise.

    The noise of a step, `spread(y, diffusion(t, y, u) * sqrt(dt) * N(0, 1))`, is read at the step's
    start (Ito's sense) and drawn once; half of it is added before the drift's step and half after.
    The drift thus sees the mean of the path between the two ends, which is the best that can be
    known from them (Clark and Cameron 1980). Strong order 1/2 and weak order 1 as Euler-Maruyama
    (Kloeden and Platen 1992, section 10.2), strong order 1 where the diffusion does not depend on
    the state; and where drift and squared diffusion are linear, as those of channels at a held
    voltage are, the stationary variance is of order 2: for a relaxation at rate r it is
    `(r dt/2) coth(r dt/2)` times the exact one, 1 + (r dt)^2/12, where all of the noise at the end
    gives 1 + r dt.

    The numbers drawn depend on the key and the step's number alone, so a path can be drawn again:
    the gradient of a solve is that of the solve with its noise held.

    **Arguments:** `solver`; `key`, a JAX key.
    """

    solver: diffrax.AbstractSolver
    key: PRNGKeyArray

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """The wrapped solver's state, and the number of the step."""
        return self.solver.init(terms, t0, t1, y0, args), jnp.zeros((), jnp.uint32)

    def inner_state(self, solver_state: Any) -> Any:
        """Without the number of the step."""
        return solver_state[0]

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: Any, made_jump: Any
    ) -> Any:
        """Half of the noise, the wrapped solver's step of `terms.contr(t0, t1)` ms, the other."""
        inner, number = solver_state
        model, stimulus = args
        size = model.diffusion(t0, y0, stimulus(t0))
        normal = _normal_like(size, jax.random.fold_in(self.key, number))
        root = 0.5 * jnp.sqrt(terms.contr(t0, t1))
        half = model.spread(y0, jax.tree.map(lambda s, n: s * (root * n), size, normal))
        # A first stage kept from before the noise would be stale: say that a jump was made.
        y, error, dense, inner, result = self.solver.step(
            terms, t0, t1, _add(y0, half), args, inner, True
        )
        return _add(y, half), error, dense, (inner, number + jnp.ones((), jnp.uint32)), result


def _add(y: PyTree[Array], change: PyTree[Array]) -> PyTree[Array]:
    return jax.tree.map(lambda x, d: x + d, y, change)


def _normal_like(size: PyTree[Array], key: PRNGKeyArray) -> PyTree[Array]:
    leaves, structure = jax.tree.flatten(size)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)
