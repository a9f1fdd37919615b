"""Strict numerics, reproducible keys and the markers `slow` and `gate`, for every test."""

import zlib
from collections.abc import Generator
from pathlib import Path

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# A first example compiles, which takes seconds; every run draws the same examples.
hypothesis.settings.register_profile(
    "tripartite", deadline=None, max_examples=25, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("tripartite")

_SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run all tests: slow and gate, too")
    parser.addoption("--seed", type=int, default=0, help="another value draws other random keys")


def pytest_configure(config: pytest.Config) -> None:
    # Compilation is most of the suite's time: a second run reads its executables from here.
    if config.pluginmanager.has_plugin("cacheprovider"):
        cache: Path = config.cache.mkdir("xla")
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


_WAITING = {"slow", "gate"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    asked = {mark for mark in _WAITING if mark in config.getoption("-m")}
    marks = [{mark.name for mark in item.iter_markers()} & _WAITING for item in items]
    waits = [bool(found) and not found & asked for found in marks]
    if any(waits):
        out = [item for item, left in zip(items, waits, strict=True) if left]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item, left in zip(items, waits, strict=True) if not left]


@pytest.fixture(autouse=True, scope="module")
def _compiled_for_this_file_alone() -> Generator[None, None, None]:
    """A file's executables go with it: kept, those of the whole suite fill gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A typed key, different for each test and the same at every run with the same `--seed`."""
    run = request.config.getoption("--seed")
    seed = zlib.crc32(f"{run} {request.node.nodeid}".encode())
    request.node.stash[_SEED] = seed
    return jax.random.key(seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and _SEED in item.stash:
        run = item.config.getoption("--seed")
        line = f"key = jax.random.key({item.stash[_SEED]})    (pytest --seed {run})"
        report.sections.append(("random key", line))
    return report
