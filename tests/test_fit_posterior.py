"""The posterior density of a fit, and a sampler on a problem whose posterior is known."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import fit

CELL = tp.cells.ConductanceCell((tp.channels.Leak(0.3, -54.0),))
HELD = np.array([-90.0, -70.0, -50.0, -30.0])
CLAMP = fit.VoltageClamp(HELD, -65.0, t1=0.2, dt=0.05)
NOISE = 2.0


def where(cell):
    return cell.channels[0].conductance, cell.channels[0].reversal


def problem():
    """Current under a clamp, I = g v - g E: linear in (g, g E), with Gaussian noise.

    Flat in (g, g E), that is with a prior g in (g, E), the posterior of (g, g E) is Gaussian: mean
    and covariance by NumPy.
    """
    rng = np.random.default_rng(4)
    current = 0.5 * (HELD[:, None] + 70.0) + NOISE * rng.normal(size=(4, 5))
    design = np.stack([np.repeat(HELD, 5), -np.ones(20)], axis=1)
    covariance = NOISE**2 * np.linalg.inv(design.T @ design)
    mean = covariance @ design.T @ current.ravel() / NOISE**2
    density = fit.log_density(
        CELL,
        lambda cell, data: fit.negative_log_likelihood(CLAMP(cell), data, NOISE),
        jnp.asarray(current),
        where=where,
        constraints=(fit.Positive(), fit.Free(10.0)),
        log_prior=lambda values: jnp.log(values["channels.leak.conductance"]),
    )
    return density, mean, covariance


def linear(density, z):
    """(g, g E) at free numbers."""
    g, e = density.packing.values(z).values()
    return jnp.stack([g, g * e])


def test_the_density_is_the_gaussian_in_the_free_numbers():
    density, mean, covariance = problem()
    at = jnp.asarray(np.random.default_rng(5).normal(size=(5, 2)) * 0.3)
    found = np.asarray(jax.jit(jax.vmap(density))(at))
    points = np.asarray(jax.vmap(lambda z: linear(density, z))(at)) - mean
    quadratic = -0.5 * np.einsum("ki,ij,kj->k", points, np.linalg.inv(covariance), points)
    # Carried over to z by NumPy: (g, gE) = (g0 e^z0, g (E0 + 10 z1)), of determinant 10 g^2.
    g = 0.3 * np.exp(np.asarray(at)[:, 0])
    expected = quadratic + np.log(10.0 * g**2)
    # Up to a constant; sums of 20 squares of at most 1e4.
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-10, atol=1e-8)
    slopes = jax.jit(jax.grad(density))(at[0])
    assert np.all(np.isfinite(slopes))


@pytest.mark.gate
@pytest.mark.skipif(
    importlib.util.find_spec("blackjax") is None, reason="needs blackjax (the extra posterior)"
)
def test_nuts_finds_mean_and_covariance(key):
    import blackjax

    density, mean, covariance = problem()
    # Where the posterior is, and how wide: for the sampler's mass matrix.
    best = jnp.asarray([np.log(mean[0] / 0.3), (mean[1] / mean[0] + 54.0) / 10.0])
    widths = jnp.diag(jnp.linalg.inv(-jax.hessian(density)(best)))
    nuts = blackjax.nuts(density, step_size=0.5, inverse_mass_matrix=widths)
    draws, chains = 500, 4

    def chain(key):
        def step(state, key):
            state, _ = nuts.step(key, state)
            return state, linear(density, state.position)

        return jax.lax.scan(step, nuts.init(best), jax.random.split(key, draws))[1]

    samples = np.asarray(jax.jit(jax.vmap(chain))(jax.random.split(key, chains)))
    effective = np.asarray(
        blackjax.diagnostics.effective_sample_size(jnp.asarray(samples), 0, 1)
    ).min()
    assert effective > 200
    flat = samples.reshape(-1, 2)
    widths = np.sqrt(np.diag(covariance))
    # Monte Carlo: a mean is off by width / sqrt(n), a covariance by sqrt(2 / n) of the variances'
    # geometric mean at most; five of them, n the effective number.
    assert np.all(np.abs(flat.mean(0) - mean) < 5.0 * widths / np.sqrt(effective))
    off = np.abs(np.cov(flat.T) - covariance) / np.outer(widths, widths)
    assert np.all(off < 5.0 * np.sqrt(2.0 / effective))
