"""The gradient check finds a wrong derivative, and a solve too loose for its gradient."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.summary import walk_parameters
from tripartite.testing import gradient_check
from tripartite.testing.differences import LEVELS, extrapolated_difference


class Pair(AbstractParametrised):
    rate: Parameter = parameter(2.0, "1/ms")
    weights: Parameter = parameter(1.0, "1")


def polynomial(pair):
    return pair.rate**3 * jnp.sum(pair.weights**2)


PAIR = Pair(2.0, [1.0, -3.0, 0.0])


@pytest.mark.parametrize(
    ("function", "slope"),
    [(np.exp, 1.0), (np.sin, 1.0), (lambda x: 1 / (1 + 9 * x) - 4.0, -9.0), (lambda x: x**2, 0.0)],
)
def test_differences_are_as_good_as_they_say(function, slope):
    found, uncertainty = extrapolated_difference(function, 1e-3)
    assert abs(found - slope) <= uncertainty
    # Two columns of the tableau leave h^6 (1e-18 of the ninth power of 9), so rounding decides:
    # eps times a value of 4 over the finest steps.
    assert uncertainty < 1e-8


def test_a_jump_within_the_first_steps_is_seen_through():
    # A line of slope 5 but for the innermost tenth of the first step. The constant makes the
    # coarse steps, where rounding is least, the ones that look best.
    def f(x):
        return 1.0 + np.where(abs(x) > 1e-4, 5.0 * x, np.sin(x))

    found, uncertainty = extrapolated_difference(f, 1e-3)
    assert abs(found - 1.0) <= uncertainty < 1e-3


def test_noise_is_reported():
    noise = 1e-7

    def f(x):
        return np.sin(x) + noise * np.sin(1e9 * x + 0.4)

    found, uncertainty = extrapolated_difference(f, 1e-3)
    assert abs(found - 1.0) <= 2 * uncertainty
    # Between the noise over the first step and over the last.
    assert 0.1 * noise / 1e-3 < uncertainty < 2 * noise / (1e-3 / 2 ** (LEVELS - 1))


def test_each_parameter_has_its_row():
    report = gradient_check(polynomial, PAIR)
    report.assert_ok()
    rate, weights = report.rows
    assert (rate.parameter, weights.parameter) == ("rate", "weights")
    # p dL/dp of rate^3 (1 + 9): three times its value.
    for found in (rate.reverse, rate.forward, rate.difference):
        assert found == pytest.approx(240.0, rel=1e-9)
    assert weights.forward == pytest.approx(weights.reverse, rel=1e-12)
    assert str(report).startswith("2 derivative(s), tolerance 0.001: all ok\nparameter ")


def test_where_and_directions():
    (row,) = gradient_check(polynomial, PAIR, where=lambda p: p.rate).rows
    assert row.parameter == "rate"
    report = gradient_check(polynomial, PAIR, directions=3)
    report.assert_ok()
    assert [row.parameter for row in report.rows] == [f"direction {i}" for i in (1, 2, 3)]
    assert len({row.difference for row in report.rows}) == 3
    again = gradient_check(polynomial, PAIR, directions=3, seed=1)
    assert again.rows[0].difference != report.rows[0].difference


def test_channels_have_their_names():
    cell = tp.cells.HodgkinHuxley()

    def slope(cell):
        return cell.vector_field(0.0, cell.init()._replace(v=jnp.asarray(-40.0)), 10.0).v

    report = gradient_check(slope, cell)
    report.assert_ok()
    names = [row.parameter for row in report.rows]
    assert "channels.sodium.gates.m.opening.midpoint" in names
    assert "channels.leak.reversal" in names
    assert set(names) == {path for path, _, _ in walk_parameters(cell)}


def scaled_derivative(factor):
    """x^2, whose rule for derivatives has its factor wrong."""

    @jax.custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda primal, tangent: (primal[0] ** 2, factor * primal[0] * tangent[0]))
    return square


def test_a_wrong_rule_is_found():
    at = jnp.asarray(3.0)
    gradient_check(scaled_derivative(2.0), at).assert_ok()
    report = gradient_check(scaled_derivative(2.02), at)
    assert report.rows[0].verdict == "wrong"
    assert report.rows[0].error == pytest.approx(0.01, rel=1e-6)
    with pytest.raises(
        AssertionError, match=r"1 wrong.*\n.*\n.*wrong\nwrong: a derivative written"
    ):
        report.assert_ok()
    gradient_check(scaled_derivative(2.02), at, tolerance=0.02).assert_ok()


def test_a_wrong_rule_of_reverse_mode_alone_is_found():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (2.0 * x**2 * g,))
    report = gradient_check(cube, jnp.asarray(2.0))
    (row,) = report.rows
    assert (row.forward, row.verdict) == (None, "wrong")
    assert report.notes[0].startswith("forward mode does not work here: can't apply forward-mode")


def test_a_derivative_that_is_not_finite_is_found():
    def unguarded(x):
        return jnp.where(x > 2.0, jnp.sqrt(x - 2.0), x)

    report = gradient_check(unguarded, jnp.asarray(1.0))
    assert report.rows[0].verdict == "not finite"
    with pytest.raises(AssertionError, match="guard the pole"):
        report.assert_ok()


def test_noise_leaves_it_undecided():
    def noisy(x):
        return x**2 + jax.lax.stop_gradient(1e-5 * jnp.sin(1e9 * x))

    report = gradient_check(noisy, jnp.asarray(1.0))
    assert report.rows[0].verdict == "undecided"
    with pytest.raises(AssertionError, match="the difference is noisy: pass reference="):
        report.assert_ok()
    gradient_check(noisy, jnp.asarray(1.0), reference=lambda x: x**2).assert_ok()


def mean_voltage(cell, tolerance):
    """Of an adapting cell over 200 ms."""
    sol = tp.simulate(
        cell, 1.5, t1=200.0, rtol=tolerance, atol=tolerance, save_every=0.1, max_steps=16_384
    )
    return jnp.mean(sol.ys["v"])


@functools.cache
def adapting(tolerance):
    """The value at `tolerance`, and its derivatives against differences at 1e-10."""
    loss, tight = (functools.partial(mean_voltage, tolerance=x) for x in (tolerance, 1e-10))
    cell = tp.cells.PospischilRS()
    report = gradient_check(
        loss, cell, reference=tight, where=lambda c: [channel.conductance for channel in c.channels]
    )
    return float(loss(cell)), report


@pytest.mark.gate
def test_a_loose_solve_with_a_right_value_has_a_wrong_gradient():
    (loose, report), (tight, _) = adapting(1e-5), adapting(1e-8)
    assert loose == pytest.approx(tight, rel=1e-4)
    slow = {row.parameter: row for row in report.rows}["channels.m_potassium.conductance"]
    assert slow.verdict == "wrong"
    assert abs(slow.reverse / slow.difference - 1.0) > 0.05
    with pytest.raises(AssertionError, match="a solve too loose for its gradient: tighten"):
        report.assert_ok()


@pytest.mark.gate
def test_a_tight_solve_has_the_right_gradient():
    _, report = adapting(1e-8)
    report.assert_ok()
    assert max(row.error for row in report.rows) < 1e-4


@pytest.mark.gate
def test_fixed_steps_have_the_derivative_of_their_own_solution():
    def last(cell):
        return tp.simulate(cell, 10.0, t1=4.0, dt=0.05).ys["v"][-1]

    cell = tp.cells.HodgkinHuxley()
    chosen = {"where": lambda c: [channel.conductance for channel in c.channels]}
    report = gradient_check(last, cell, tolerance=1e-6, **chosen)
    report.assert_ok()
    # In both modes, which agree as two orders of the same sums do.
    for row in report.rows:
        assert row.forward == pytest.approx(row.reverse, rel=1e-10)


REFUSED = {
    "float32": (
        lambda: gradient_check(jnp.sum, jnp.ones(2, jnp.float32)),
        "gradient_check needs float64, got float32: a difference of rounded values would decide "
        "nothing. Make the model inside `with jax.enable_x64(True):` and check it there.",
    ),
    "nothing to vary": (
        lambda: gradient_check(lambda at: jnp.asarray(1.0), {"n": 3}),
        "at must hold floating-point arrays to differentiate by",
    ),
    "a vector": (
        lambda: gradient_check(lambda at: 2.0 * at, jnp.ones(3)),
        "the loss must give one real number, got ShapeDtypeStruct(shape=(3,), dtype=float64): "
        "reduce it, for example by jnp.mean.",
    ),
    "a reference that is a vector": (
        lambda: gradient_check(jnp.sum, jnp.ones(3), reference=lambda at: at),
        "the reference must give one real number",
    ),
    "a pair": (
        lambda: gradient_check(lambda at: (at, at), jnp.ones(())),
        "the loss must give one real number, got tuple",
    ),
    "no rule at all": (
        lambda: gradient_check(no_rule, jnp.ones(())),
        "the loss cannot be differentiated: reverse mode does not work here: ",
    ),
}


def no_rule(x):
    return jax.pure_callback(np.asarray, jax.ShapeDtypeStruct((), x.dtype), x)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_told(name):
    act, words = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(words)):
        act()


def test_an_error_of_the_loss_itself_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        gradient_check(lambda at: at / (1 // 0), jnp.ones(()))


def test_float64_switched_off():
    pair = eqx.tree_at(lambda p: p.rate, PAIR, jnp.asarray(2.0))
    with jax.enable_x64(False), pytest.raises(ValueError, match="float64, which is switched off"):
        gradient_check(polynomial, pair)
