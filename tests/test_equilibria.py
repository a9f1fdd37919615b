"""Equilibria, their stability and bifurcations, rates and phase planes, against known values."""

from typing import NamedTuple

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.core import AbstractDynamics, Parameter, parameter


class Plane(NamedTuple):
    x: jax.Array
    z: jax.Array


class Fold(AbstractDynamics):
    """dx/dt = a + x - x^3/3, dz/dt = -(z - x)/tau: folds at x = +-1, where a = -+2/3."""

    a: Parameter = parameter(0.0, "1/ms")
    tau: Parameter = parameter(3.0, "ms")

    def init(self):
        return Plane(jnp.full_like(self.a, -2.1), jnp.full_like(self.a, -2.1))

    def vector_field(self, t, y, u):
        return Plane(self.a + y.x - y.x**3 / 3.0, (y.x - y.z) / self.tau)


class Spiral(AbstractDynamics):
    """The normal form of a Hopf bifurcation at mu = 0, with angular frequency w (1/ms)."""

    mu: Parameter = parameter(-0.5, "1/ms")
    w: Parameter = parameter(0.4, "1/ms")

    def init(self):
        return Plane(jnp.full_like(self.mu, 0.01), jnp.full_like(self.mu, 0.0))

    def vector_field(self, t, y, u):
        square = y.x**2 + y.z**2
        return Plane(
            self.mu * y.x - self.w * y.z - square * y.x, self.w * y.x + self.mu * y.z - square * y.z
        )


# E_L, v, m, h, n: computed once, independently, with NumPy.
RESTS = [
    (-54.387, -64.99638, 0.052955, 0.595994, 0.317732),
    (-54.4, -64.99972, 0.052934, 0.596111, 0.317681),
    (-54.3, -64.97405, 0.053095, 0.595213, 0.318075),
]


@pytest.mark.parametrize(("e_leak", "v", "m", "h", "n"), RESTS)
def test_hodgkin_huxley_rests_where_it_should(e_leak, v, m, h, n):
    y = tp.analysis.steady_state(tp.cells.HodgkinHuxley(e_leak=e_leak))
    assert y.v == pytest.approx(v, abs=1e-5)
    found = [y.gates["sodium"]["m"], y.gates["sodium"]["h"], y.gates["potassium"]["n"]]
    # The table has six digits.
    np.testing.assert_allclose(found, [m, h, n], atol=1e-6)


def test_the_rest_is_differentiable_by_the_implicit_function_theorem():
    def rest(current):
        return tp.analysis.steady_state(tp.cells.HodgkinHuxley(), current).v

    h = 1e-4
    difference = (rest(jnp.asarray(1.0 + h)) - rest(jnp.asarray(1.0 - h))) / (2 * h)
    # Central difference: h^2 of truncation and (tolerance 2e-12) / h of round-off.
    assert jax.grad(rest)(jnp.asarray(1.0)) == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.gate
def test_under_vmap_and_in_float32():
    rests = eqx.filter_vmap(lambda i: tp.analysis.steady_state(tp.cells.HodgkinHuxley(), i).v)(
        jnp.array([0.0, 1.0])
    )
    assert rests[0] == pytest.approx(-64.99638, abs=1e-5)
    with jax.enable_x64(False):
        y = tp.analysis.steady_state(tp.cells.HodgkinHuxley())
        chex.assert_type(y.v, jnp.float32)
        assert y.v == pytest.approx(-64.99638, abs=1e-3)


def test_eigenvalues_of_a_known_matrix():
    model = Spiral()
    y = Plane(jnp.asarray(0.0), jnp.asarray(0.0))
    np.testing.assert_allclose(
        np.asarray(tp.analysis.jacobian(model, y)), [[-0.5, -0.4], [0.4, -0.5]], atol=1e-14
    )
    found = np.asarray(tp.analysis.eigenvalues(model, y))
    np.testing.assert_allclose(sorted(found.imag), [-0.4, 0.4], atol=1e-14)
    np.testing.assert_allclose(found.real, -0.5, atol=1e-14)


def test_both_hopf_points_of_hodgkin_huxley():
    cell = tp.cells.HodgkinHuxley()
    branch = tp.analysis.follow_equilibria(lambda i: (cell, i), 0.0, 200.0)
    (first, second), folds = branch.hopf, branch.folds
    assert first.parameter == pytest.approx(9.775, abs=0.01)
    assert second.parameter == pytest.approx(154.522, abs=0.01)
    assert first.state.v == pytest.approx(-59.654, abs=1e-3)
    assert second.state.v == pytest.approx(-43.058, abs=1e-3)
    assert first.frequency == pytest.approx(93.3, abs=0.1)
    assert second.frequency == pytest.approx(169.2, abs=0.1)
    assert folds == ()
    inside = (branch.parameter > 9.8) & (branch.parameter < 154.5)
    assert not branch.stable[inside].any()
    assert branch.stable[~inside & (np.abs(branch.parameter - 82) > 73)].all()


@pytest.mark.gate
def test_a_branch_is_followed_in_float32():
    with jax.enable_x64(False):
        cell = tp.cells.HodgkinHuxley()
        hopf = tp.analysis.follow_equilibria(lambda i: (cell, i), 5.0, 15.0, step=0.1).hopf
    # Newton stops at eps^(2/3), 2.4e-5 of the way of 10 uA/cm2 walked.
    assert [point.parameter for point in hopf] == pytest.approx([9.7754], abs=5e-3)


def test_a_branch_is_followed_round_its_folds():
    def along(a):
        return eqx.tree_at(lambda m: m.a, Fold(), a), None

    branch = tp.analysis.follow_equilibria(along, -1.0, 1.0)
    first, second = branch.folds
    # Exactly at x = -1 and x = 1; located by 50 bisections of a step.
    assert first.parameter == pytest.approx(2.0 / 3.0, abs=1e-9)
    assert second.parameter == pytest.approx(-2.0 / 3.0, abs=1e-9)
    assert first.state.x == pytest.approx(-1.0, abs=1e-5)
    middle = np.abs(np.asarray(branch.states.x)) < 0.99
    assert middle.any()
    assert not branch.stable[middle].any()
    assert branch.hopf == ()


def test_a_hopf_point_has_its_parameter_and_frequency():
    def along(mu):
        return eqx.tree_at(lambda m: m.mu, Spiral(), mu), None

    (hopf,) = tp.analysis.follow_equilibria(along, -0.5, 0.5).hopf
    assert hopf.parameter == pytest.approx(0.0, abs=1e-9)
    assert hopf.frequency == pytest.approx(1000.0 * 0.4 / (2 * np.pi), rel=1e-9)


# Rates under a step, over 500 ms: computed once, independently, with NumPy (RK4).
RATES = {5.0: 0.0, 6.2: 0.0, 6.5: 55.06, 8.0: 62.47, 10.0: 68.32, 12.0: 72.92, 20.0: 86.47}


def test_the_f_i_curve_of_hodgkin_huxley():
    found = tp.analysis.f_i_curve(
        tp.cells.HodgkinHuxley(), list(RATES), dt=0.02, solver=tp.solvers.ClassicalRK4()
    )
    np.testing.assert_allclose(found, list(RATES.values()), atol=0.3)


@pytest.mark.gate
def test_followed_down_firing_stops_between_6_25_and_6_26():
    currents = np.concatenate([[10.0, 8.0, 7.0, 6.5], np.arange(6.30, 6.239, -0.01)])
    rates = tp.analysis.f_i_curve(
        tp.cells.HodgkinHuxley(), currents, carry=True, solver=tp.solvers.ClassicalRK4()
    )
    firing = currents[rates > 0]
    assert firing.min() == pytest.approx(6.26, abs=1e-9)
    assert rates[currents > 6.255].min() == pytest.approx(50.6, abs=0.5)
    # From rest the same currents do not fire: the two states coexist.
    at_rest = tp.analysis.f_i_curve(tp.cells.HodgkinHuxley(), [6.26], y0=_rest_at(6.26))
    assert at_rest[0] == 0.0


def _rest_at(current):
    return tp.analysis.steady_state(tp.cells.HodgkinHuxley(), jnp.asarray(current))


def test_the_phase_plane_has_the_flow_on_its_grid():
    plane = tp.analysis.phase_plane(Fold(), (-2.0, 2.0), (-1.0, 1.0), points=21)
    x, z = np.meshgrid(plane.x, plane.y)
    np.testing.assert_allclose(plane.dx, x - x**3 / 3, atol=1e-14)
    np.testing.assert_allclose(plane.dy, (x - z) / 3.0, atol=1e-14)


def test_held_states_stay_out_of_the_equilibrium():
    cell = tp.cells.LIF()
    assert tp.analysis.jacobian(cell, cell.init()).shape == (2, 2)


def test_wrong_words():
    cell = tp.cells.HodgkinHuxley()
    with pytest.raises(ValueError, match="start and stop must differ"):
        tp.analysis.follow_equilibria(lambda i: (cell, i), 1.0, 1.0)
    with pytest.raises(ValueError, match=r"currents must have shape \[n\], got \(\)"):
        tp.analysis.f_i_curve(cell, 3.0)
    with pytest.raises(ValueError, match="two different numbers from 0 to 3, got"):
        tp.analysis.phase_plane(cell, (-80.0, 40.0), (0.0, 1.0), states=(0, 4))
