"""The loop of a fit: what it finds, what stops it, what it says."""

import io
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import tripartite as tp
from tripartite import fit
from tripartite.fit.progress import ProgressLine


class Line(eqx.Module):
    """y = slope x + offset: the smallest model there is."""

    slope: jax.Array
    offset: jax.Array


X = np.linspace(-1.0, 2.0, 7)
DATA = 3.0 * X - 0.5


def line(slope=1.0, offset=0.0, dtype=float):
    return Line(jnp.asarray(slope, dtype), jnp.asarray(offset, dtype))


def loss(model, data):
    trace = model.slope * jnp.asarray(X, model.slope.dtype) + model.offset
    return fit.mean_square(trace, jnp.asarray(data, trace.dtype))


KINDS = {"slope": fit.Positive(), "offset": fit.Free()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_finds_the_minimum(dtype):
    model = line(dtype=dtype)
    found = fit.fit(
        model, loss, DATA, constraints=KINDS, optim=optax.adam(0.1), steps=400, progress=False
    )
    assert found.model.slope.dtype == dtype and found.steps == 400 and found.why == "steps"
    # Adam's last steps are no larger than its rate times what is left of the gradient.
    np.testing.assert_allclose(found.model.slope, 3.0, rtol=1e-3)
    np.testing.assert_allclose(found.values["offset"], -0.5, atol=1e-3)
    assert found.losses.shape == (400,) and found.loss <= found.losses.min()
    # The first loss is that of the model given: mean of (2 x - 0.5)^2.
    np.testing.assert_allclose(found.losses[0], np.mean((2 * X - 0.5) ** 2), rtol=1e-6)


def test_a_step_is_the_optimisers_on_free_numbers():
    """Plain gradient descent by hand, with the logarithm of the slope."""
    rate, slope, offset = 0.05, 1.0, 0.0
    for _ in range(3):
        off = slope * X + offset - DATA
        by_log, by_offset = 2 * np.mean(off * X) * slope, 2 * np.mean(off)
        slope, offset = slope * np.exp(-rate * by_log), offset - rate * by_offset
    for forward in (False, True):
        found = fit.fit(
            line(), loss, DATA, constraints=KINDS, optim=optax.sgd(rate), steps=3, forward=forward
        )
        np.testing.assert_allclose(found.values["slope"], slope, rtol=1e-13)
        np.testing.assert_allclose(found.values["offset"], offset, rtol=1e-13)


def test_many_starts_end_together(key):
    kinds = {"slope": fit.Interval(0.1, 10.0), "offset": fit.Interval(-5.0, 5.0)}
    many = fit.fit(
        line(), loss, DATA, constraints=kinds, optim=optax.adam(0.1), steps=300, starts=4, key=key
    )
    assert many.losses.shape == (300, 4) and many.every_loss.shape == (4,)
    assert len(set(many.losses[0])) == 4
    np.testing.assert_allclose(many.every["slope"], 3.0, rtol=0.01)
    assert list(many.every) == list(many.values) == ["slope", "offset"]
    assert many.loss == many.every_loss.min()
    assert many.model.slope == many.every["slope"][np.argmin(many.every_loss)]


def test_early_stops():
    def stopped(**more):
        settings = {"constraints": KINDS, "optim": optax.adam(0.1), "steps": 500}
        return fit.fit(line(), loss, DATA, **(settings | more))

    seen = []

    def tell(progress):
        seen.append(progress)
        return progress.step == 3

    asked = stopped(callbacks=(tell,))
    assert (asked.steps, asked.why) == (3, "callback")
    assert [p.step for p in seen] == [1, 2, 3] and seen[-1].loss == asked.losses[-1]
    near = stopped(target=1e-3)
    assert near.why == "target" and near.loss <= 1e-3 and near.steps < 200
    still = stopped(optim=optax.sgd(0.0), patience=5)
    # One step sees the loss, five more see that it does not fall.
    assert (still.steps, still.why) == (6, "patience")


def test_the_loss_may_be_noisy_and_its_keys_differ(key):
    def noisy(model, data, key):
        return loss(model, data) + jax.random.normal(key)

    found = fit.fit(line(), noisy, DATA, optim=optax.sgd(0.0), steps=5, key=key, noisy=True)
    expected = [
        loss(line(), DATA) + jax.random.normal(jax.random.fold_in(key, step)) for step in range(5)
    ]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-14)


# --- what goes wrong ------------------------------------------------------------------------------


def breaks(model, data):
    """Finite only while the slope is below 2."""
    return loss(model, data) + 0.0 * jnp.sqrt(2.0 - model.slope)


def test_a_loss_that_becomes_nan_names_the_parameter_and_the_step(tmp_path):
    path = tmp_path / "fit.npz"
    settings = {"constraints": KINDS, "optim": optax.adam(0.1), "checkpoint": path}
    with pytest.raises(fit.FitError) as raised:
        fit.fit(line(), breaks, DATA, steps=100, checkpoint_every=1000, **settings)
    error = raised.value
    assert error.parameters == ("slope",)
    assert f"step {error.step}: the loss became nan. It comes of slope = 2." in str(error)
    assert f"The last good state is kept in {path}" in str(error)
    # The first loss that is not finite: one step before, all was well.
    assert np.isfinite(breaks(error.model, DATA)) and 1.8 < error.model.slope < 2.0
    kept = fit.read_checkpoint(path).arrays
    assert len(kept["losses"]) == error.step - 1 and np.all(np.isfinite(kept["losses"]))
    # With a smaller rate it goes on from there.
    settings["optim"] = optax.adam(0.001)
    assert fit.fit(line(), breaks, DATA, steps=error.step, **settings).steps == error.step


def test_a_derivative_that_is_not_finite_is_named():
    def cusp(model, data):
        return jnp.sqrt(model.offset - model.offset) + loss(model, data)

    with pytest.raises(fit.FitError) as raised:
        fit.fit(line(), cusp, DATA, steps=3)
    assert "step 0: the derivative is not finite with respect to offset." in str(raised.value)
    assert "start from a model whose loss is finite" in str(raised.value)
    assert raised.value.model is None


def test_one_start_of_many_may_fail(key):
    kinds = {"slope": fit.Interval(1.0, 3.5), "offset": fit.Free()}
    many = fit.fit(line(1.5), breaks, DATA, constraints=kinds, steps=2, starts=16, key=key)
    failed = np.asarray(many.every["slope"]) > 2.0
    assert 0 < failed.sum() < 16
    assert np.all(np.isinf(many.every_loss[failed]))
    assert np.all(np.isfinite(many.every_loss[~failed])) and np.isfinite(many.loss)


def test_a_solve_that_fails_inside_the_loss_is_named():
    def solved(cell, data):
        current = jnp.where(cell.capacitance > 1.0, 0.0, jnp.nan)
        return jnp.mean(tp.simulate(cell, current, t1=0.1, dt=0.05).ys["v"]) * 1e-9

    cell = tp.cells.ConductanceCell((tp.channels.Leak(),))
    with pytest.raises(fit.FitError) as raised:
        fit.fit(cell, solved, None, where=lambda c: c.capacitance, steps=2)
    assert "step 0: the loss could not be computed" in str(raised.value)
    assert "state .v (mV) is infinite or NaN at t1" in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1"),
        ({"starts": 3}, "need a key, and nothing else does"),
        ({"key": jax.random.key(0)}, "need a key, and nothing else does"),
        ({"starts": []}, "starts must hold at least one model"),
        ({"starts": 0, "key": jax.random.key(0)}, "starts must be at least 1, got 0"),
        ({"tolerance": -1.0}, "tolerance must not be negative"),
        ({"loss": lambda model, data: model.slope[None]}, "must be a floating-point scalar"),
        ({"where": lambda model: ()}, "where picks nothing"),
        ({"constraints": fit.Interval(5.0, 6.0)}, "slope must lie between 5 and 6"),
    ],
)
def test_settings_that_make_no_fit_are_refused(settings, words):
    with pytest.raises(ValueError) as raised:
        fit.fit(line(), settings.pop("loss", loss), DATA, **settings)
    assert words in str(raised.value)


# --- progress -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_for_terminals_unless_asked(monkeypatch):
    def printed(stream, show):
        monkeypatch.setattr(sys, "stderr", stream)
        told = ProgressLine(100, show)
        told.update(1, 5.0, 5.0)
        told.written -= 1.0
        told.begun -= 2.0
        told.update(21, 0.25, 0.125)
        told.close(100, 0.25, 0.125, "steps")
        return stream.getvalue()

    assert printed(io.StringIO(), None) == "" and printed(Terminal(), False) == ""
    live = printed(Terminal(), None)
    assert "\rfit: step 21/100, loss 0.25, best 0.125, 10 steps/s, 8 s left" in live
    assert live.endswith(", steps\n")
    plain = printed(io.StringIO(), True)
    assert plain.count("\n") == 1 and "\r" not in plain and "step 100/100" in plain
