"""The test settings themselves: keys print their seed, slow tests wait, numerics are strict."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

pytest_plugins = ["pytester"]

SUITE = """
import jax
import pytest

def test_fails(key):
    assert jax.random.uniform(key) > 2

@pytest.mark.slow
def test_slow():
    pass

@pytest.mark.gate
def test_of_the_gate():
    pass
"""


@pytest.fixture
def suite(pytester):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n    slow: slow\n    gate: gate")
    pytester.makepyfile(SUITE)
    cache = jax.config.jax_compilation_cache_dir
    yield pytester
    # The inner run has pointed the cache of compiled functions into its own folder.
    jax.config.update("jax_compilation_cache_dir", cache)


def test_a_failure_prints_the_seed_of_its_key(suite):
    shown = suite.runpytest_inprocess("--seed", "3").stdout
    shown.re_match_lines([r".*random key.*", r"key = jax\.random\.key\(\d+\) .*--seed 3.*"])


def test_another_seed_draws_another_key(suite):
    def key(seed: str) -> str:
        lines = suite.runpytest_inprocess("--seed", seed).outlines
        return next(line for line in lines if line.startswith("key = jax.random.key("))

    assert key("1").split("(pytest")[0] != key("2").split("(pytest")[0]
    assert key("1") == key("1")


@pytest.mark.parametrize(
    ("arguments", "passed", "failed", "deselected"),
    [
        ([], 0, 1, 2),
        (["--slow"], 2, 1, 0),
        (["-m", "slow"], 1, 0, 2),
        (["-m", "gate and not slow"], 1, 0, 2),
    ],
    ids=["default", "--slow", "-m slow", "-m gate"],
)
def test_slow_tests_wait_to_be_asked_for(suite, arguments, passed, failed, deselected):
    result = suite.runpytest_inprocess(*arguments)
    result.assert_outcomes(passed=passed, failed=failed, deselected=deselected)


def test_numerics_are_strict(key):
    assert jax.random.normal(key).dtype == jnp.float64
    with pytest.raises(jax.dtypes.TypePromotionError):
        jnp.ones((), jnp.float32) + jnp.ones((), jnp.float64)
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)
