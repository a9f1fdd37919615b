"""Models with noise of their own: the moments theory gives, the key, and the held path."""

from typing import NamedTuple

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import tripartite as tp
from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter


class Level(NamedTuple):
    x: jax.Array


class Drifting(AbstractRelaxation):
    """An Ornstein-Uhlenbeck process: dx = -(x - mean)/tau dt + std sqrt(2/tau) dW."""

    mean: Parameter = parameter(1.5, "mV")
    std: Parameter = parameter(0.5, "mV", positive=True)
    tau: Parameter = parameter(4.0, "ms", positive=True)

    def init(self):
        return Level(self.mean)

    def units(self):
        return Level("mV")

    def relax(self, t, y, u):
        return Relaxation(Level(self.mean / self.tau), Level(1.0 / self.tau))

    def diffusion(self, t, y, u):
        return Level(self.std * jnp.sqrt(2.0 / self.tau))


PATHS, DT = 4000, 0.1


def paths(model, key, t1=40.0):
    keys = jax.random.split(key, PATHS)
    return jax.vmap(lambda k: tp.simulate(model, t1=t1, dt=DT, key=k).ys["y"].x)(keys)


def test_mean_variance_and_correlation_are_the_theory_s(key):
    model = Drifting()
    x = paths(model, key)
    # Of this scheme, x' = e (x + a/2) + a/2 with a = s sqrt(2 dt/tau) N, exactly:
    # s^2 (dt/2tau) (1 + e) / (1 - e), which is 1 + (dt/tau)^2/12 times s^2.
    e = jnp.exp(-DT / model.tau)
    variance = model.std**2 * (0.5 * DT / model.tau) * (1.0 + e) / (1.0 - e)
    # Four standard errors: of a mean, and of a variance (relative sqrt(2/n)).
    assert jnp.abs(jnp.mean(x[:, -1]) - 1.5) < 4.0 * jnp.sqrt(variance / PATHS)
    assert jnp.abs(jnp.var(x[:, -1]) / variance - 1.0) < 4.0 * (2.0 / PATHS) ** 0.5
    lag = 40
    a, b = x[:, -1] - 1.5, x[:, -1 - lag] - 1.5
    correlation = jnp.mean(a * b) / variance
    assert jnp.abs(correlation - e**lag) < 4.0 / PATHS**0.5


def test_half_of_a_step_s_noise_comes_before_the_drift_and_half_after(key):
    model, slow = Drifting(), 1e12
    # The same noise on a state that hardly relaxes is the kick itself.
    still = Drifting(std=0.5 * (slow / 4.0) ** 0.5, tau=slow)
    one, kick = (tp.simulate(m, t1=DT, dt=DT, key=key).ys["y"].x[-1] - 1.5 for m in (model, still))
    # 1.5 + kick, rounded, has the kick to some 1e-15.
    chex.assert_trees_all_close(one, kick * (1.0 + jnp.exp(-DT / 4.0)) / 2.0, atol=1e-14)


def test_a_key_names_a_path():
    model = Drifting()
    one, again, other = (
        tp.simulate(model, t1=5.0, dt=DT, key=jax.random.key(seed)).ys["y"].x for seed in (1, 1, 2)
    )
    chex.assert_trees_all_equal(one, again)
    assert jnp.max(jnp.abs(one - other)) > 0.01


def test_the_gradient_is_that_of_the_held_path(key):
    def last(std):
        model = eqx.tree_at(lambda m: m.std, Drifting(), std)
        return jnp.mean(tp.simulate(model, t1=20.0, dt=DT, key=key).ys["y"].x ** 2)

    std, h = jnp.asarray(0.5), 1e-4
    # The observable is quadratic in std: the central difference is exact but for round-off / h.
    difference = (last(std + h) - last(std - h)) / (2.0 * h)
    chex.assert_trees_all_close(jax.grad(last)(std), difference, rtol=1e-9)
    chex.assert_trees_all_close(jax.jvp(last, (std,), (jnp.ones(()),))[1], difference, rtol=1e-9)


def test_float32_stays_float32(key):
    model = tp.astype(Drifting(), jnp.float32)
    solution = tp.simulate(model, t1=5.0, dt=DT, key=key)
    assert solution.ys["y"].x.dtype == jnp.float32


def test_a_noisy_model_conforms_and_a_wrong_unit_of_noise_does_not():
    class Wrong(AbstractRelaxation):
        tau: Parameter = parameter(4.0, "ms")

        def init(self):
            return Level(jnp.zeros_like(self.tau))

        def units(self):
            return Level("1")

        def relax(self, t, y, u):
            return Relaxation(Level(1.0 / self.tau), Level(1.0 / self.tau))

        def diffusion(self, t, y, u):
            return Level(0.3 / self.tau)

    tp.testing.check(Drifting()).assert_ok()
    assert "diffusion.x does not follow a change of units" in str(tp.testing.check(Wrong()))


def test_noise_that_is_not_finite_or_not_spread_does_not_conform():
    class Root(AbstractRelaxation):
        tau: Parameter = parameter(4.0, "ms")

        def init(self):
            return Level(jnp.ones_like(self.tau))

        def units(self):
            return Level("1")

        def relax(self, t, y, u):
            return Relaxation(Level(1.0 / self.tau), Level(1.0 / self.tau))

        def diffusion(self, t, y, u):
            return Level(jnp.sqrt(jnp.abs(y.x) / self.tau))

    class Pair(AbstractRelaxation):
        tau: Parameter = parameter(4.0, "ms")
        init, units, relax = Root.init, Root.units, Root.relax

        def diffusion(self, t, y, u):
            return Level(jnp.stack([y.x, y.x]) / jnp.sqrt(self.tau))

    assert "the first derivative of diffusion.x is not finite" in str(tp.testing.check(Root()))
    assert "diffusion.x is float64[2], its state float64[]" in str(tp.testing.check(Pair()))


def test_noise_needs_a_key_and_a_step_and_nothing_else_takes_a_key(key):
    with pytest.raises(ValueError, match=r"Drifting is noisy.*needs a key and a fixed step"):
        tp.simulate(Drifting(), t1=5.0, dt=DT)
    with pytest.raises(ValueError, match=r"Drifting is noisy.*needs a key and a fixed step"):
        tp.simulate(Drifting(), t1=5.0, key=key)
    with pytest.raises(ValueError, match="has no noise of its own"):
        tp.simulate(tp.cells.HodgkinHuxley(), t1=5.0, dt=DT, key=key)
