"""Any fixed-step solver, followed by the model's own noise."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite.solvers.wrapped import AbstractAfterStep


class Noisy(AbstractAfterStep):
    """Adds `diffusion(t, y, u) * sqrt(dt) * N(0, 1)` to each state after a step of `solver`.

    With the diffusion taken at the step's start this is the Euler-Maruyama treatment of an Ito
    equation `dy = f dt + diffusion dW` with independent noise on each state (Kloeden and Platen
    1992, section 10.2), the drift being stepped as accurately as `solver` does: strong order 1/2,
    weak order 1, and strong order 1 where the diffusion does not depend on the state. The numbers
    drawn depend on the key and the step's number alone, so a path can be drawn again: the gradient
    of a solve is that of the solve with its noise held.

    **Arguments:** `solver`; `key`, a JAX key.
    """

    solver: diffrax.AbstractSolver
    key: PRNGKeyArray

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """The wrapped solver's state, and the number of the step."""
        return self.solver.init(terms, t0, t1, y0, args), jnp.zeros((), jnp.uint32)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: Any, made_jump: Any
    ) -> Any:
        """The wrapped solver's step, then the noise of `terms.contr(t0, t1)` ms."""
        inner, number = solver_state
        y, error, dense, inner, result = self.solver.step(terms, t0, t1, y0, args, inner, made_jump)
        model, stimulus = args
        scale = model.diffusion(t0, y0, stimulus(t0))
        noise = _normal_like(y, jax.random.fold_in(self.key, number))
        root = jnp.sqrt(terms.contr(t0, t1))
        y = jax.tree.map(lambda x, s, n: x + s * (root * n), y, scale, noise)
        return y, error, dense, (inner, number + jnp.ones((), jnp.uint32)), result


def _normal_like(y: PyTree[Array], key: PRNGKeyArray) -> PyTree[Array]:
    leaves, structure = jax.tree.flatten(y)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)
