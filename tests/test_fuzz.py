"""Random parameters, plausible and absurd: a finite result or a failure that is named; never else.

Each batch is one compiled solve of many cases, of which half have parameters within a factor of two
or so, and half have some of theirs multiplied by up to a million, made zero or turned round. What a
constructor would refuse is put in all the same, as an optimiser may.
"""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tripartite as tp
from fuzzed_models import MODELS
from tripartite.core.errors import SolveError

CASES = 128


def mixed(x, key):
    """`CASES` values in the place of one: half near it, half absurd."""
    near, far, which, sign = jax.random.split(key, 4)
    shape = (CASES, *x.shape)
    x = jnp.broadcast_to(x, shape)
    plausible = x * jnp.exp(0.4 * jax.random.normal(near, shape, x.dtype))
    wild = x * 10.0 ** jax.random.uniform(far, shape, x.dtype, -6.0, 6.0)
    kind = jax.random.randint(which, shape, 0, 8)
    wild = jnp.where(kind == 0, 0.0, jnp.where(kind == 1, -wild, wild))
    # Only one parameter in three is absurd, else no case would come far.
    odd = (jnp.arange(CASES) >= CASES // 2).reshape(-1, *(1,) * (x.ndim - 1))
    odd = odd & (jax.random.uniform(sign, shape) < 0.33)
    return jnp.where(odd, wild.astype(x.dtype), plausible)


def batch(model, largest, seed):
    """The model's numbers and the stimuli of all cases."""
    numbers, rest = eqx.partition(model, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(numbers)
    keys = jax.random.split(jax.random.key(seed), len(leaves) + 1)
    many = [mixed(x, key) for x, key in zip(leaves, keys[1:], strict=True)]
    dtype = leaves[0].dtype
    drive = None
    if largest is not None:
        drive = largest * jax.random.uniform(keys[0], (CASES,), dtype, -0.2, 1.0)
    return jax.tree.unflatten(structure, many), rest, drive


def solve(numbers, rest, drive, dt, *, throw=False):
    solution = tp.simulate(
        eqx.combine(numbers, rest), drive, t1=200 * dt, dt=dt, save_every=20 * dt, throw=throw
    )
    end = jax.tree.leaves(solution.stats["y1"])
    finite = [jnp.all(jnp.isfinite(x)) for x in (*end, *jax.tree.leaves(solution.ys))]
    return solution.result == tp.RESULTS.successful, jnp.all(jnp.stack(finite))


@functools.cache
def solver_of(dt):
    return eqx.filter_jit(
        eqx.filter_vmap(
            lambda numbers, rest, drive: solve(numbers, rest, drive, dt), in_axes=(0, None, 0)
        )
    )


def fuzz(name, dtype, seed):
    make, largest, dt = MODELS[name]
    model = tp.astype(make(), dtype)
    numbers, rest, drive = batch(model, largest, seed)
    good, finite = solver_of(dt)(numbers, rest, drive)
    silent = np.flatnonzero(np.asarray(good) & ~np.asarray(finite))
    assert silent.size == 0, f"{name}: cases {silent[:5]} of seed {seed} end in a silent NaN"
    # Plausible parameters nearly always have a solution.
    assert np.mean(np.asarray(good)[: CASES // 2]) > 0.5
    failed = np.flatnonzero(~np.asarray(good))
    if failed.size:
        one = jax.tree.map(lambda x: x[failed[0]], (numbers, drive))
        check_report(one, rest, dt)
    return failed.size


def check_report(one, rest, dt):
    numbers, drive = one
    with pytest.raises((SolveError, ValueError)) as raised:
        solve(numbers, rest, drive, dt, throw=True)
    told = str(raised.value)
    if isinstance(raised.value, SolveError):
        assert re.search(r"state \S+.* \(.+?\)", told), told
        assert re.search(r"\d ms|dt times the decay", told), told


@given(seed=st.integers(0, 2**31 - 1))
@settings(max_examples=2, deadline=None)
def test_squid_axons_end_in_a_number_or_a_named_failure(seed):
    fuzz("HodgkinHuxley", jnp.float64, seed)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_ends_in_a_number_or_a_named_failure(name, dtype):
    # 47 models, two precisions and 128 cases: 12,032.
    fuzz(name, dtype, 0)


def test_the_fuzz_covers_ten_thousand_cases():
    assert 2 * len(MODELS) * CASES >= 10_000


def test_a_silent_nan_would_be_found(monkeypatch):
    class Lies:
        """A solve that ends in NaN and calls itself successful."""

        result = tp.RESULTS.successful
        ys = jnp.asarray([jnp.nan])
        stats = {"y1": jnp.asarray(jnp.nan)}  # noqa: RUF012

    monkeypatch.setattr(tp, "simulate", lambda *a, **k: Lies())
    good, finite = solve({}, {}, None, 0.1)
    assert bool(good)
    assert not bool(finite)
