"""The ways to differentiate fixed steps: they agree, they store what they say, and refuse."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import tripartite as tp
from tripartite import cells
from tripartite.solvers import GRADIENTS, FixedSteps, Pade, SymmetricExponential

SQUID = cells.HodgkinHuxley()
# Two channels and two states: compiles in half the time.
SMALL = cells.ConductanceCell(SQUID.channels[1:])
NEWTON = diffrax.Kvaerno3(root_finder=optx.Newton(rtol=1e-8, atol=1e-8))
WAYS = pytest.mark.parametrize("way", GRADIENTS)


def mean_voltage(model, current=10.0, *, t1=5.0, dt=0.05, **settings):
    return jnp.mean(tp.simulate(model, current, t1=t1, dt=dt, **settings).ys["v"])


def leaves(tree):
    return np.array([float(x) for x in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))])


def agree(found, expected, rtol):
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max())


def gradient(model, way, **settings):
    run = eqx.filter_jit(eqx.filter_grad(lambda m: mean_voltage(m, adjoint=way, **settings)))
    return leaves(run(model))


@pytest.fixture(scope="module")
def by_diffrax():
    """diffrax's own loop and adjoint, which share nothing with ours but the solver's step."""
    return gradient(SQUID, diffrax.RecursiveCheckpointAdjoint(checkpoints=100))


@pytest.mark.gate
@WAYS
def test_every_way_is_diffrax_s_own_gradient(way, by_diffrax):
    # diffrax rounds each step's length from a difference of times: 1e-13 of it, grown by a spike.
    agree(gradient(SQUID, way), by_diffrax, 1e-9)


@WAYS
def test_every_way_is_a_finite_difference(way):
    def loss(cell):
        return mean_voltage(cell, adjoint=way)

    tp.testing.gradient_check(loss, SQUID, where=lambda c: c.capacitance).assert_ok()


@pytest.mark.gate
@pytest.mark.parametrize("save_every", [0.05, 0.35, 5.0])
def test_records_on_any_grid_have_the_same_gradient(save_every):
    """5 ms are no whole number of 0.35 ms: the last record stands alone."""
    first, *others = (gradient(SMALL, way, save_every=save_every) for way in GRADIENTS)
    for other in others:
        agree(other, first, 1e-12)


@pytest.mark.gate
def test_a_state_of_more_than_a_handful_of_numbers():
    """Four cells of two states: eight numbers, whose Jacobians are one matrix a step."""
    start = jax.tree.map(lambda x: jnp.linspace(1.0, 1.2, 4) * x, SMALL.init())
    current = jnp.array([0.0, 3.0, 6.0, 9.0])

    def gradient_of(way):
        def loss(model, current):
            return mean_voltage(model, current, y0=start, adjoint=way)

        slopes = eqx.filter_jit(jax.grad(loss, argnums=(0, 1)))(SMALL, current)
        return np.append(leaves(slopes[0]), slopes[1])

    agree(gradient_of("linearised"), gradient_of("by steps"), 1e-12)


@pytest.mark.gate
def test_what_a_record_holds_is_differentiated():
    """A method of a model is a record with parameters of its own."""

    class Scaled(eqx.Module):
        factor: jax.Array

        def __call__(self, y):
            return self.factor * y.v

    def loss(scaled, way):
        sol = tp.simulate(SQUID, 10.0, t1=1.0, dt=0.05, record=scaled, adjoint=way)
        return jnp.sum(sol.ys)

    found = [float(jax.grad(loss)(Scaled(jnp.asarray(2.0)), way).factor) for way in GRADIENTS]
    voltage = tp.simulate(SQUID, 10.0, t1=1.0, dt=0.05).ys["v"]
    np.testing.assert_allclose(found, float(jnp.sum(voltage)), rtol=1e-12)


@pytest.mark.gate
def test_second_derivatives():
    def loss(capacitance, way):
        cell = eqx.tree_at(lambda c: c.capacitance, SMALL, capacitance)
        return mean_voltage(cell, adjoint=way, t1=2.0)

    found = [jax.hessian(loss)(jnp.asarray(1.0), way) for way in ("by steps", "linearised")]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


@pytest.mark.gate
def test_noise_on_a_held_path():
    cell = cells.with_current_noise(SMALL, 0.1)
    first, *others = (gradient(cell, way, key=jax.random.key(0)) for way in GRADIENTS)
    assert np.abs(first).max() > 1e-3
    for other in others:
        agree(other, first, 1e-10)


@pytest.mark.gate
def test_a_limited_flow_is_differentiated_too():
    solver = SymmetricExponential(flow=Pade())
    first, *others = (gradient(SMALL, way, solver=solver) for way in GRADIENTS)
    for other in others:
        agree(other, first, 1e-10)


@pytest.mark.gate
def test_float32():
    cell = tp.astype(SMALL, jnp.float32)
    exact = gradient(SMALL, None)
    for way in GRADIENTS:
        # 100 steps of some ten roundings each; nothing spikes.
        agree(gradient(cell, way), exact, 100 * 10 * 2.0**-23)


@pytest.mark.gate
def test_what_is_picked():
    def picked(model, current, **settings):
        sol = tp.simulate(model, current, t1=0.5, dt=0.05, **settings)
        return sol.stats["plan"].gradient

    assert picked(SQUID, 10.0) == "FixedSteps, linearised"
    assert picked(SQUID, 10.0, adjoint="nested") == "FixedSteps, nested"
    many = jax.tree.map(lambda x: jnp.full(5, x), SQUID.init())
    assert picked(SQUID, jnp.full(5, 10.0), y0=many) == "FixedSteps, by steps"
    seen = []
    jax.vmap(lambda i: seen.append(picked(SQUID, i)) or i)(jnp.ones(3))
    jax.jit(jax.vmap(jax.grad(lambda i: seen.append(picked(SQUID, i)) or i)))(jnp.ones(3))
    assert seen == ["FixedSteps, by steps"] * 2
    # An implicit step may fail, which has to be carried from step to step.
    assert picked(SMALL, 10.0, solver=NEWTON) == "FixedSteps, by steps"
    # 800 bytes a step are too many for a solve of ten minutes.
    assert FixedSteps(1_000_000, 0.025).choose(SymmetricExponential(), SQUID.init(), None) == (
        "linearised"
    )
    assert FixedSteps(24_000_000, 0.025).choose(SymmetricExponential(), SQUID.init(), None) == (
        "by steps"
    )
    plan = str(tp.simulate(SQUID, 10.0, t1=0.5, dt=0.05).stats["plan"])
    assert "SymmetricExponential" in plan
    assert "10 of 0.05 ms" in plan
    adaptive = str(tp.simulate(SQUID, 10.0, t1=0.5).stats["plan"])
    assert "adaptive, rtol 1e-06" in adaptive


def test_a_progress_meter_runs_and_changes_nothing(capfd):
    quiet = mean_voltage(SQUID, t1=1.0)
    assert float(mean_voltage(SQUID, t1=1.0, progress=True)) == pytest.approx(float(quiet))
    assert "100.00%" in capfd.readouterr().out


@pytest.mark.gate
def test_nested_memory_grows_with_the_root_of_the_steps():
    """XLA's own count of temporary bytes, for 256 cells of four states."""
    cells_, steps = 256, 2500
    start = jax.tree.map(lambda x: jnp.full(cells_, x), SQUID.init())

    def loss(current, way):
        sol = tp.simulate(
            SQUID, current, t1=steps * 0.02, dt=0.02, y0=start, save_every=steps * 0.02, adjoint=way
        )
        return jnp.mean(sol.ys["v"])

    def temporary(way):
        compiled = jax.jit(jax.grad(lambda i: loss(i, way))).lower(jnp.full(cells_, 10.0)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    state = 4 * 8 * cells_
    # 2 sqrt(steps) states stored, and what one step needs beside them.
    assert temporary("nested") <= 4 * steps**0.5 * state
    assert temporary("by steps") >= steps * state


def test_ways_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"adjoint must be one of .* got 'checkpoint'"):
        tp.simulate(SQUID, 10.0, t1=0.5, dt=0.05, adjoint="checkpoint")
    with pytest.raises(ValueError, match="cannot fail and carries nothing from step to step"):
        tp.simulate(SQUID, 10.0, t1=0.5, dt=0.05, adjoint="linearised", solver=diffrax.Kvaerno3())
    with pytest.raises(ValueError, match="is a way to differentiate fixed steps: pass dt="):
        tp.simulate(SQUID, 10.0, t1=0.5, adjoint="nested")
    with pytest.raises(ValueError, match="gradient must be one of"):
        FixedSteps(10, 0.1, "revolve")


@pytest.mark.gate
def test_few_parameters_are_differentiated_forward():
    def loss(cell):
        return mean_voltage(cell, t1=2.0)

    one = tp.value_and_gradient(loss, SMALL, where=lambda c: c.capacitance)
    assert one.mode == "forward"
    every = tp.value_and_gradient(loss, SMALL)
    assert every.mode == "reverse"
    np.testing.assert_allclose(one.gradient.capacitance, every.gradient.capacitance, rtol=1e-10)
    np.testing.assert_allclose(one.value, every.value, rtol=1e-13)
    assert len(jax.tree.leaves(one.gradient)) == 1
    mapped = jax.jit(jax.vmap(lambda c: tp.value_and_gradient(lambda x: x**2, c)[:2]))
    np.testing.assert_allclose(mapped(jnp.arange(3.0))[1], [0.0, 2.0, 4.0])
    with pytest.raises(ValueError, match="where picks none: name parameters of the model"):
        tp.value_and_gradient(jnp.sum, jnp.arange(3))
