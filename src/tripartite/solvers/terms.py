"""How a model enters diffrax: as drive and decay, or as a plain vector field."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import AbstractDynamics, AbstractRelaxation, Relaxation, prefix_leaves
from tripartite.core.arguments import checked


class RelaxationTerm(diffrax.AbstractTerm):
    """`vf` returns a `Relaxation` that also carries the order of its blocks.

    diffrax wraps a user's term and forwards only `vf`, `contr` and `prod`, so what the exponential
    solvers need of the model has to travel in `vf`'s value. `args` is `(model, stimulus)`.
    """

    def vf(self, t: Any, y: PyTree[Array], args: Any) -> Relaxation:
        """The drive, the decay and the blocks at `t` (ms) and `y`."""
        model, stimulus = args
        found = model.relax(t, y, stimulus(t))
        return Relaxation(found.drive, found.decay, prefix_leaves(model.blocks(), y))

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        """The length of a step, ms."""
        return t1 - t0

    def prod(self, vf: Relaxation, control: Any) -> PyTree[Array]:
        """The change over `control` ms at frozen drive alone (required by diffrax)."""
        return jax.tree.map(lambda drive: drive * control, vf.drive)


def _vector_field(t: Any, y: PyTree[Array], args: Any) -> PyTree[Array]:
    model, stimulus = args
    return model.vector_field(t, y, stimulus(t))


@checked
def term_for(model: AbstractDynamics, solver: diffrax.AbstractSolver) -> diffrax.AbstractTerm:
    """The term that `solver` wants of `model`.

    **Raises:** `ValueError` for an exponential solver on a model without drive and decay.
    """
    if solver.term_structure is not RelaxationTerm:
        return diffrax.ODETerm(_vector_field)
    if not isinstance(model, AbstractRelaxation):
        raise ValueError(
            f"{type(solver).__name__} needs a drive and a decay, which {type(model).__name__} does "
            "not give: implement `relax` (inherit from AbstractRelaxation), or choose a solver for "
            "plain vector fields such as solvers.ClassicalRK4() or diffrax.Tsit5()."
        )
    return RelaxationTerm()


class ExactStep(diffrax.AbstractTerm):
    """A term whose step is said outright: its length, and the open interval of its stages.

    In float32, t1 - t0 far from zero is not dt. And an input that jumps where two steps meet has to
    be read from inside each of them: a Runge-Kutta stage at the very end of a step would read the
    next step's input, and the method would be of first order.
    """

    term: diffrax.AbstractTerm
    dt: float
    start: Array
    end: Array

    def vf(self, t: Any, y: PyTree[Array], args: Any) -> Any:
        """The wrapped term's, with `t` kept off both ends of the step."""
        # A step boundary, a jump's time and their comparison are each rounded, to a few eps.
        size = jnp.maximum(jnp.abs(self.start), jnp.abs(self.end))
        inset = jnp.minimum(8 * float(jnp.finfo(size.dtype).eps) * size, self.dt / 4)
        return self.term.vf(jnp.clip(t, self.start + inset, self.end - inset), y, args)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        """`dt`, in the time's dtype."""
        return jnp.asarray(self.dt, jnp.result_type(t0))

    def prod(self, vf: Any, control: Any) -> PyTree[Array]:
        """The wrapped term's."""
        return self.term.prod(vf, control)
