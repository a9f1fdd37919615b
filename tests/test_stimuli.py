"""Stimuli: values, jumps, axes, interpolation, noise, synaptic bombardment."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from oracles import observed_order
from tripartite.core import Membrane
from tripartite.stimuli import (
    Constant,
    PulseTrain,
    Ramp,
    Sampled,
    Step,
    as_stimulus,
    ornstein_uhlenbeck,
    point_conductances,
)


def along(stimulus, ts):
    """The stimulus at each time, as one compiled and mapped call."""
    return np.asarray(jax.jit(jax.vmap(stimulus))(jnp.asarray(ts)))


def test_constant():
    np.testing.assert_array_equal(along(Constant(3), [-1.0, 0.0, 1e6]), 3.0)
    assert Constant(3).jumps().shape == (0,)


def test_step_starts_with_its_start_and_ends_before_its_stop():
    step = Step(2.0, start=5.0, stop=9.0)
    ts = [0.0, np.nextafter(5.0, 0), 5.0, 7.0, np.nextafter(9.0, 0), 9.0]
    np.testing.assert_array_equal(along(step, ts), [0, 0, 2, 2, 2, 0])
    np.testing.assert_array_equal(step.jumps(), [5.0, 9.0])
    assert float(Step(2.0)(jnp.asarray(1e9))) == 2.0


def test_pulse_train():
    train = PulseTrain(3.0, width=0.1, period=0.3, count=4, start=0.2)
    onsets = 0.2 + 0.3 * np.arange(4)
    np.testing.assert_array_equal(np.sort(train.jumps()), np.sort([*onsets, *(onsets + 0.1)]))
    middle = np.array([*(onsets + 0.05), *(onsets + 0.2), 0.1, 1.5])
    np.testing.assert_array_equal(along(train, middle), [3, 3, 3, 3, 0, 0, 0, 0, 0, 0])


JUMPING = [
    Step(2.0, start=0.3, stop=0.9),
    PulseTrain(3.0, width=0.1, period=0.3, count=40, start=0.2),
    Sampled([1.0, 5.0, 2.0, 7.0, 3.0, 8.0, 4.0], 0.3, 0.1, interpolation="previous"),
]


@pytest.mark.parametrize("stimulus", JUMPING, ids=lambda s: type(s).__name__)
def test_a_value_changes_where_jumps_says(stimulus):
    """Within 8 eps, the inset by which a fixed step reads its input from inside."""
    jumps = np.asarray(stimulus.jumps())
    if isinstance(stimulus, Sampled):
        # The first sample is held before its time, too.
        jumps = jumps[1:]
    inset = 8 * 2.0**-52 * jumps
    before, after = along(stimulus, jumps - inset), along(stimulus, jumps + inset)
    assert (before != after).all()
    np.testing.assert_array_equal(before, along(stimulus, jumps - 1e-3))
    np.testing.assert_array_equal(after, along(stimulus, jumps + 1e-3))


@pytest.mark.parametrize("stimulus", [JUMPING[0], JUMPING[2]], ids=lambda s: type(s).__name__)
def test_a_value_changes_to_the_last_bit_where_jumps_says(stimulus):
    """For an adaptive solver steps from the number before a jump to the number after it.

    Compiled, as in a solve: a product and a sum that are not fused round once more.
    """
    jumps = np.asarray(jax.jit(lambda s: s.jumps())(stimulus))
    jumps = jumps[1:] if isinstance(stimulus, Sampled) else jumps
    assert (along(stimulus, np.nextafter(jumps, 0.0)) != along(stimulus, jumps)).all()


def test_ramp():
    ramp = Ramp(0.4, start=5.0, stop=10.0, initial=-1.0)
    np.testing.assert_allclose(along(ramp, [0, 5, 7.5, 10, 99]), [-1, -1, 0, 1, 1], atol=1e-15)
    np.testing.assert_array_equal(ramp.jumps(), [5.0, 10.0])


def test_a_leading_axis_means_one_per_unit():
    amplitude, start = [1.0, 2.0, 3.0], [0.0, 1.0, 2.0]
    t = jnp.asarray(1.5)
    np.testing.assert_array_equal(Constant(amplitude)(t), amplitude)
    np.testing.assert_array_equal(Step(amplitude, start)(t), [1, 2, 0])
    np.testing.assert_array_equal(Ramp(amplitude, start)(t), [1.5, 1.0, 0.0])
    np.testing.assert_array_equal(Sampled([[0.0, 2.0], [4.0, 8.0]], 2.0)(t), [1.5, 7.0])
    train = PulseTrain(amplitude, width=[0.4, 0.6, 0.9], period=1.0, count=2)
    np.testing.assert_array_equal(train(t), [0, 2, 3])
    assert set(np.asarray(train.jumps())) == {0.0, 0.4, 0.6, 0.9, 1.0, 1.4, 1.6, 1.9}
    np.testing.assert_array_equal(Step(amplitude, start).jumps(), [0, 1, 2, np.inf])


@pytest.mark.parametrize(("interpolation", "order"), [("previous", 1), ("linear", 2), ("cubic", 3)])
def test_interpolation_has_its_order(interpolation, order):
    spacings, errors = [0.2, 0.1, 0.05, 0.025], []
    # Away from the ends, where the cubic goes on straight; the points share no grid.
    ts = np.linspace(1.0, 3.0, 1777)
    for spacing in spacings:
        grid = spacing * np.arange(round(4 / spacing) + 1)
        sampled = Sampled(np.sin(2 * grid), spacing, interpolation=interpolation)
        errors.append(np.abs(along(sampled, ts) - np.sin(2 * ts)).max())
    assert observed_order(errors, spacings) == pytest.approx(order, abs=0.1)


def test_interpolation_reproduces_polynomials_and_its_samples():
    grid = 1.0 + 0.5 * np.arange(9)
    ts = np.linspace(1.5, 4.5, 61)
    line, parabola = 3 * grid - 1, grid**2 - 3 * grid
    np.testing.assert_allclose(along(Sampled(line, 0.5, 1.0), ts), 3 * ts - 1, rtol=1e-14)
    cubic = Sampled(parabola, 0.5, 1.0, interpolation="cubic")
    np.testing.assert_allclose(along(cubic, ts), ts**2 - 3 * ts, atol=1e-14)
    values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, 6.0, 5.0]
    for interpolation in ("previous", "linear", "cubic"):
        sampled = Sampled(values, 0.5, 1.0, interpolation=interpolation)
        np.testing.assert_allclose(along(sampled, grid), values, rtol=1e-15)
        # The end values are held.
        np.testing.assert_array_equal(along(sampled, [-3.0, 99.0]), [3.0, 5.0])


def test_the_cubic_is_once_differentiable_at_its_samples():
    sampled = Sampled([3.0, -1.0, 4.0, 1.0, -5.0, 9.0], 0.5, interpolation="cubic")
    slope = jax.vmap(jax.grad(lambda t: sampled(t)))
    inner = 0.5 * jnp.arange(1.0, 5.0)
    # The slope moves by its own derivative (about 100 per ms^2) times 2e-9 ms.
    np.testing.assert_allclose(slope(inner - 1e-9), slope(inner + 1e-9), atol=1e-6)
    assert sampled.jumps().shape == (0,)
    np.testing.assert_array_equal(Sampled([1.0, 2.0, 3.0], 0.5, 1.0).jumps(), [1.0, 1.5, 2.0])


def test_a_sampled_tree():
    pair = Membrane(np.arange(4.0), 2 * np.arange(4.0))
    value = Sampled(pair, 1.0)(jnp.asarray(1.5))
    chex.assert_trees_all_close(value, Membrane(jnp.asarray(1.5), jnp.asarray(3.0)), rtol=0)


@pytest.mark.parametrize(
    "stimulus", [Constant(1.0), Step(1.0), Ramp(1.0), Sampled([1.0, 2.0], 1.0)]
)
def test_a_stimulus_in_float32(stimulus):
    value = tp.astype(stimulus, jnp.float32)(jnp.asarray(0.5, jnp.float32))
    assert value.dtype == jnp.float32


def test_a_stimulus_is_differentiable_in_its_parameters():
    gradient = jax.grad(lambda s: s(jnp.asarray(7.0)))(Ramp(0.4, start=5.0))
    assert [float(x) for x in (gradient.slope, gradient.start, gradient.initial)] == [
        2.0,
        -0.4,
        1.0,
    ]


def test_what_counts_as_a_stimulus():
    for given in (3, 3.0, np.float32(3), np.array(3), jnp.array(3.0)):
        stimulus = as_stimulus(given, jnp.float32)
        assert stimulus(jnp.zeros(())).dtype == jnp.float32
        assert float(stimulus(jnp.zeros(()))) == 3.0
    assert float(as_stimulus(None, jnp.float64)(jnp.zeros(()))) == 0.0
    step = Step(1.0)
    assert as_stimulus(step, jnp.float64) is step


def test_noise_has_its_moments(key):
    n, mean, std, tau, spacing = 40_000, 3.0, 2.0, 5.0, 0.7
    path = ornstein_uhlenbeck(
        mean=mean, std=std, tau=tau, t1=2.0, spacing=spacing, shape=(n,), key=key
    ).values
    assert path.shape == (n, 4)
    x = np.asarray(path)
    for now in (x[:, 0], x[:, -1]):
        # n independent paths: standard errors of a mean and of a standard deviation.
        assert now.mean() == pytest.approx(mean, abs=4 * std / np.sqrt(n))
        assert now.std() == pytest.approx(std, abs=4 * std / np.sqrt(2 * n))
    for lag in (1, 3):
        rho = np.exp(-lag * spacing / tau)
        found = np.corrcoef(x[:, 0], x[:, lag])[0, 1]
        assert found == pytest.approx(rho, abs=4 * (1 - rho**2) / np.sqrt(n))


def test_noise_is_its_key_s_alone(key):
    first, again = (ornstein_uhlenbeck(mean=0, std=1, tau=2, t1=10, key=key) for _ in range(2))
    chex.assert_trees_all_equal(first, again)
    other = ornstein_uhlenbeck(mean=0, std=1, tau=2, t1=10, key=jax.random.split(key)[0])
    assert not np.allclose(first.values, other.values)
    assert first.length() == 201
    still = ornstein_uhlenbeck(mean=7, std=0, tau=2, t1=1, key=key)
    np.testing.assert_array_equal(still.values, 7.0)


def test_synaptic_bombardment_has_the_published_conductances(key):
    n, e_e, e_i = 20_000, 10.0, -75.0
    bombardment = point_conductances(t1=0.05, key=key, shape=(n,), reversals=(e_e, e_i))
    current, conductance = (np.asarray(x)[:, 0] for x in bombardment.values)
    g_i = (current - e_e * conductance) / (e_i - e_e)
    g_e = conductance - g_i
    # Destexhe et al. 2001, table 1, from nS of a cell of 34,636 um2 to mS/cm2.
    per_area = 1e-6 / 34636e-8
    for g, mean, std in ((g_e, 12.1, 3.0), (g_i, 57.3, 6.6)):
        assert g.mean() == pytest.approx(mean * per_area, abs=4 * std * per_area / np.sqrt(n))
        assert g.std() == pytest.approx(std * per_area, abs=4 * std * per_area / np.sqrt(2 * n))
    # Independent of one another.
    assert abs(np.corrcoef(g_e, g_i)[0, 1]) < 4 / np.sqrt(n)


def test_a_conductance_is_never_negative(key):
    weak = point_conductances(
        t1=50.0, key=key, excitatory=(0.1, 3.0, 2.7), inhibitory=(0.0, 1.0, 10.0)
    )
    assert float(jnp.min(weak.values.conductance)) >= 0.0
    assert float(jnp.max(weak.values.conductance)) > 0.0
