"""Gradients of every astrocyte in every parameter, in both modes, against differences."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import tripartite as tp
from tripartite import astrocytes as ast
from tripartite.solvers import AllAtOnceExponential

SLOW = pytest.mark.slow


def ring_of_three():
    start = jnp.array([1.0, 0.2, 0.4])
    network = ast.AstrocyteNetwork(ast.DePittaFM(), ast.ThresholdCoupling(), ast.ring(3), 3)
    return network, network.init()._replace(ip3=start)


def alone(model):
    return model, model.init()


def figure_2():
    # Not from IP3 equal to the source's level: there the printed flux jumps, by 6e-6 of its most.
    model = ast.StimbergFigure2()
    return model, model.init()._replace(ip3=jnp.asarray(0.05))


# The model and its start, its input, and how long it is solved (ms).
CASES = {
    "GChI": pytest.param(figure_2, 5.0, 1500.0, marks=SLOW),
    "smooth release": (
        lambda: alone(ast.SmoothRelease(ast.StimbergFigure3(1.25))), 1.0, 1200.0
    ),
    "LiRinzel": pytest.param(lambda: alone(ast.LiRinzel()), 0.5, 1500.0, marks=SLOW),
    "ChI": pytest.param(lambda: alone(ast.DePittaAM()), 2.5, 1500.0, marks=SLOW),
    "Handy": pytest.param(lambda: alone(ast.Handy()), 0.3, 1500.0, marks=SLOW),
    "Ullah": pytest.param(lambda: alone(ast.Ullah()), 1e-3, 1500.0, marks=SLOW),
    "NEST": pytest.param(
        lambda: alone(ast.NESTAstrocyte(jump_size=1.0)),
        ast.drive(spikes=ast.SpikeArrivals([100.0], 10.0)), 1500.0, marks=SLOW,
    ),
    "ring": pytest.param(ring_of_three, 0.5, 1500.0, marks=SLOW),
}  # fmt: skip


@pytest.mark.parametrize(("make", "u", "t1"), CASES.values(), ids=CASES)
def test_gradients(make, u, t1):
    model, start = make()
    moving, fixed = eqx.partition(model, eqx.is_inexact_array)
    values, rebuild = ravel_pytree(moving)
    scale = jnp.where(values == 0.0, 1e-3, jnp.abs(values))
    weights = jnp.cos(jnp.arange(ravel_pytree(start)[0].size, dtype=values.dtype))

    def observed(shares):
        """All states, mixed and averaged over the solve, as each parameter changes by a share."""
        changed = eqx.combine(rebuild(values + shares * scale), fixed)
        # One evaluation of the rates in a step: the model is under test here, not the solver.
        solver = AllAtOnceExponential()
        run = functools.partial(tp.simulate, changed, u, t1=t1, dt=10.0, solver=solver)
        ys = run(y0=start, record=lambda y: ravel_pytree(y)[0]).ys
        return jnp.mean(ys @ weights)

    @jax.jit
    def everything(zero):
        h, steps = 1e-4, jnp.eye(values.size)
        shifts = h * jnp.array([1.0, -1.0, 2.0, -2.0])
        a, b, c, d = jax.vmap(jax.vmap(observed))(shifts[:, None, None] * steps[None])
        # The fourth order: errors of h^4, and of round-off, some 1e-14 / h.
        differences = (8 * (a - b) - (c - d)) / (12 * h)
        return jax.grad(observed)(zero), jax.jacfwd(observed)(zero), differences

    reverse, forward, differences = map(np.asarray, everything(jnp.zeros_like(values)))
    largest = np.max(np.abs(forward))
    assert largest > 1e-3
    np.testing.assert_allclose(forward, differences, rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(forward, reverse, rtol=0, atol=1e-8 * largest)
    # Every parameter but those that hold no derivative here moves something.
    assert np.mean(np.abs(forward) > 1e-9 * largest) > 0.5
