"""Constraints outside the model, and packing: exact round trips, volumes, draws, errors."""

import equinox as eqx
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import fit


class Bag(eqx.Module):
    """A model with one parameter of each kind."""

    rate: jax.Array
    shares: jax.Array
    weights: jax.Array
    level: jax.Array
    count: jax.Array


KINDS = {
    "rate": fit.Positive(),
    "shares": fit.Simplex(),
    "weights": fit.Sign(),
    "level": fit.Interval(-80.0, -40.0),
}


def EVERY(bag):
    return bag.level, bag.rate, bag.shares, bag.weights


def bag(rate=2.0, shares=(0.2, 0.3, 0.5), weights=(1.0, -3.0), level=-60.0, dtype=float):
    arrays = (jnp.asarray(x, dtype) for x in (rate, shares, weights, level))
    return Bag(*arrays, jnp.asarray(3))


@st.composite
def bags(draw, dtype, signs=None):
    """Values of many sizes, each within its constraint."""
    positive = st.floats(1e-6, 1e6)
    parts = np.array(draw(st.lists(st.floats(1e-3, 1.0), min_size=3, max_size=3)), dtype)
    signs = signs or draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=2, max_size=2))
    sizes = draw(st.lists(positive, min_size=2, max_size=2))
    # Not so near a bound that the distance to it is all rounding.
    level = draw(st.floats(-79.9, -40.1))
    weights = np.array(signs) * np.array(sizes)
    return bag(draw(positive), parts / parts.sum(), weights, level, dtype)


def same(a, b):
    return all(
        np.array_equal(np.asarray(x), np.asarray(y))
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_packing_and_unpacking_changes_not_one_bit(dtype):
    # Compiled, where operations are fused: that is where rounding could differ.
    @jax.jit
    def there_and_back(model, z):
        packing = fit.pack(model, EVERY, KINDS)
        return packing.unpack(z), packing.pack(model)

    zero = jnp.zeros(1 + 1 + 2 + 2, dtype)

    @hypothesis.given(bags(dtype))
    def check(model):
        back, packed = there_and_back(model, zero)
        assert same(back, model) and same(packed, zero)

    check()


def test_the_round_trip_is_exact_operation_by_operation_too():
    model = bag(shares=np.array([0.1, 0.2, 0.7]))
    packing = fit.pack(model, EVERY, KINDS)
    assert packing.zero().shape == (6,) and not np.any(packing.zero())
    assert same(packing.unpack(packing.zero()), model)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_another_model_comes_back_to_rounding(dtype):
    reference = fit.pack(bag(dtype=dtype), EVERY, KINDS)
    pack, unpack = jax.jit(reference.pack), jax.jit(reference.unpack)

    @hypothesis.given(bags(dtype, signs=[1.0, -1.0]))
    def check(model):
        back = unpack(pack(model))
        # A logarithm of at most ln(1e6 / 1) = 14 is rounded by 14 eps, and its exponential is off
        # by as many relative; the ratio and the product add a few more. The log-odds of the
        # interval lie within ln(40 / 0.1) = 6, of a number of size 80, rounded against the bound:
        # a level's own distance to it, 0.1 at least, is known to 80 eps.
        eps = np.finfo(dtype).eps
        for name in ("rate", "shares", "weights"):
            np.testing.assert_allclose(getattr(back, name), getattr(model, name), rtol=32 * eps)
        np.testing.assert_allclose(back.level, model.level, atol=40 * 32 * eps, rtol=0)

    check()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_free_number_leaves_the_constraint(dtype):
    packing = fit.pack(bag(dtype=dtype), EVERY, KINDS)
    unpack = jax.jit(packing.unpack)
    slopes = jax.jit(jax.jacfwd(lambda z: unpack(z).level))
    for size in (1.0, 30.0, 1e4, 1e30):
        for sign in (-1, 1):
            z = jnp.full(6, sign * size, dtype).at[2].multiply(-1.0)
            model = unpack(z)
            assert model.rate > 0 and np.isfinite(model.rate)
            assert np.all(model.shares > 0)
            assert np.isclose(model.shares.sum(), 1.0, rtol=0, atol=8 * np.finfo(dtype).eps)
            assert np.all(np.sign(model.weights) == [1.0, -1.0])
            assert -80.0 <= model.level <= -40.0
            assert np.all(np.isfinite(slopes(z)))


def test_maps_are_those_of_the_books():
    """Against SciPy-free NumPy: the exponential, the logistic curve, the softmax."""
    packing = fit.pack(bag(), EVERY, KINDS)
    z = np.array([0.7, -0.4, 0.3, -0.2, 0.5, 1.1])
    found = jax.jit(packing.values)(jnp.asarray(z))
    odds = (20.0 / 20.0) * np.exp(z[0])
    np.testing.assert_allclose(found["level"], -80.0 + 40.0 * odds / (1.0 + odds), rtol=1e-14)
    np.testing.assert_allclose(found["rate"], 2.0 * np.exp(z[1]), rtol=1e-14)
    logits = np.log([0.2, 0.3, 0.5]) + np.array([z[2], z[3], 0.0])
    np.testing.assert_allclose(found["shares"], np.exp(logits) / np.exp(logits).sum(), rtol=1e-14)
    np.testing.assert_allclose(found["weights"], [np.exp(z[4]), -3.0 * np.exp(z[5])], rtol=1e-14)


def test_volumes_are_the_jacobians():
    packing = fit.pack(bag(), EVERY, KINDS)
    z = jnp.asarray([0.7, -0.4, 0.3, -0.2, 0.5, 1.1])

    def independent(z):
        """The values without the last share, which the others set."""
        level, rate, shares, weights = packing.values(z).values()
        return jnp.concatenate([level[None], rate[None], shares[:-1], weights])

    jacobian = np.asarray(jax.jit(jax.jacfwd(independent))(z))
    # Determinants by NumPy's LU: a few eps for each of six rows.
    np.testing.assert_allclose(
        jax.jit(packing.log_volume)(z), np.log(abs(np.linalg.det(jacobian))), rtol=0, atol=1e-13
    )


def test_draws_fill_their_ranges_and_obey(key):
    kinds = {**KINDS, "rate": fit.Positive(spread=2.0), "weights": fit.Sign(spread=5.0)}
    packing = fit.pack(bag(), EVERY, kinds)
    draw = jax.jit(jax.vmap(lambda k: packing.values(packing.draw(k))))
    drawn = draw(jax.random.split(key, 2000))
    rate, level, weights = (np.asarray(drawn[name]) for name in ("rate", "level", "weights"))
    # The largest of 2,000 uniform draws is within 1 % of the end, but once in e^20.
    for x, low, high in (
        (np.log2(rate), 0.0, 2.0),
        (level, -80.0, -40.0),
        (np.log(weights[:, 0]) / np.log(5.0), -1.0, 1.0),
        (np.log(-weights[:, 1] / 3.0) / np.log(5.0), -1.0, 1.0),
    ):
        slack = 0.01 * (high - low)
        assert low <= x.min() < low + slack and high - slack < x.max() <= high
        # A uniform mean is off by 1 / sqrt(12 n) of the range; five of them.
        off = abs(x.mean() - 0.5 * (low + high)) / (high - low)
        assert off < 5.0 / np.sqrt(12.0 * 2000)
    shares = np.asarray(drawn["shares"])
    np.testing.assert_allclose(shares.sum(1), 1.0, rtol=1e-14)
    # Uniform on the simplex of three: each share has mean 1/3 and variance 1/18.
    np.testing.assert_allclose(shares.mean(0), 1 / 3, atol=5 / np.sqrt(18 * 2000))


def test_names_units_and_defaults_of_a_cell():
    cell = tp.cells.HodgkinHuxley()

    def where(cell):
        return cell.channels[2].reversal, cell.capacitance, cell.channels[0].conductance

    packing = fit.pack(cell, where, {"sodium.conductance": fit.Positive()})
    assert packing.names == (
        "channels.leak.reversal",
        "capacitance",
        "channels.sodium.conductance",
    )
    assert [one.unit for one in packing.picked] == ["mV", "uF/cm2", "mS/cm2"]
    kinds = [type(one.constraint).__name__ for one in packing.picked]
    assert kinds == ["Free", "Positive", "Positive"]  # a capacitance is declared positive
    # A tree of the structure of where's answer says the same, and one for all as well.
    tree = (fit.Free(10.0), fit.Positive(), fit.Positive())
    assert [one.constraint for one in fit.pack(cell, where, tree).picked] == list(tree)
    one = fit.pack(cell, lambda c: c.capacitance, fit.Interval(0.5, 2.0))
    assert isinstance(one.picked[0].constraint, fit.Interval)
    # By default all that is trainable: v_init is not.
    everything = fit.pack(cell).names
    assert "capacitance" in everything and "v_init" not in everything


def test_labels_number_the_entries():
    assert fit.pack(bag(), EVERY, KINDS).labels() == [
        "level", "rate", "shares[0]", "shares[1]", "weights[0]", "weights[1]",
    ]  # fmt: skip


CELL = tp.cells.HodgkinHuxley()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit.pack(CELL, lambda c: ()), "where picks nothing"),
        (lambda: fit.pack(CELL, lambda c: c.pool), "where picks nothing"),
        (lambda: fit.pack(bag(), lambda b: b.count), "count is no floating-point array (int"),
        (lambda: fit.pack(bag(), lambda b: b.rate + 1), "not compute from them"),
        (lambda: fit.pack(bag(), lambda b: (b.rate, b.rate)), "picks rate twice"),
        (
            lambda: fit.pack(bag(rate=-1.0), EVERY, KINDS),
            "rate must be positive, as Positive says, got -1.0",
        ),
        (
            lambda: fit.pack(bag(level=-30.0), EVERY, KINDS),
            "level must lie between -80 and -40, as Interval says, got -30.0",
        ),
        (
            lambda: fit.pack(bag(shares=(0.2, 0.2, 0.5)), EVERY, KINDS),
            "shares must add up to 1, as Simplex says",
        ),
        (
            lambda: fit.pack(bag(weights=(0.0, 1.0)), EVERY, KINDS),
            "weights must not be zero, which has no sign to keep",
        ),
        (
            lambda: fit.pack(bag(), EVERY, {**KINDS, "weights": fit.Sign(-1)}),
            "weights must be negative, as Sign says",
        ),
        (
            lambda: fit.pack(CELL, lambda c: c.capacitance, {"leak.conductance": fit.Positive()}),
            "'leak.conductance' names none of the parameters picked: capacitance",
        ),
        (
            lambda: fit.pack(CELL, None, {"conductance": fit.Positive()}),
            "'conductance' names 3 of the parameters picked",
        ),
        (
            lambda: fit.pack(CELL, lambda c: c.capacitance, {"capacitance": "positive"}),
            "must be one of fit.Positive, Interval",
        ),
        (
            lambda: fit.pack(CELL, lambda c: (c.capacitance,), (fit.Free(), fit.Free())),
            "constraints must have the structure of what where picks",
        ),
        (lambda: fit.pack(CELL, None, (fit.Free(),)), "constraints without where"),
        (
            lambda: fit.pack(
                eqx.tree_at(lambda b: b.rate, bag(), jnp.asarray(1.0, jnp.float32)), EVERY, KINDS
            ),
            "one dtype, got float32 and float64",
        ),
        (lambda: fit.pack(bag(), EVERY, KINDS).pack(CELL), "has another structure"),
        (
            lambda: fit.pack(bag(), EVERY, KINDS).pack(bag(weights=(-1.0, -1.0))),
            "weights = [-1. -1.] cannot be reached from the reference [ 1. -3.] under Sign",
        ),
        (lambda: fit.Interval(1.0, 1.0), "Interval needs low < high"),
        (lambda: fit.Positive(spread=1.0), "a factor above 1, got 1.0"),
        (lambda: fit.Sign(2), "Sign.sign must be 1, -1 or None, got 2"),
        (lambda: fit.Free(0.0), "Free.scale must be positive"),
        (lambda: fit.Simplex(-1.0), "Simplex.total must be positive"),
    ],
)
def test_errors_say_what_to_do(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)
