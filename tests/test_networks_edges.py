"""Edge builders: exact counts, statistics against their laws, sizes, keys and error texts."""

import time

import jax
import numpy as np
import pytest

from tripartite import networks


def pairs(edges):
    return set(zip(edges.pre.tolist(), edges.post.tolist(), strict=True))


def test_all_to_all_and_one_to_one():
    assert pairs(networks.all_to_all(3, 2)) == {(i, j) for i in range(3) for j in range(2)}
    assert pairs(networks.all_to_all(3, 3, loops=False)) == {
        (i, j) for i in range(3) for j in range(3) if i != j
    }
    assert pairs(networks.one_to_one(4)) == {(i, i) for i in range(4)}


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("k", [0, 3, 17])
def test_fixed_fans(key, k, loops):
    heard = networks.fixed_fan_in(20, 20, k, key=key, loops=loops)
    reached = networks.fixed_fan_out(20, 20, k, key=key, loops=loops)
    assert len(pairs(heard)) == len(heard) == 20 * k == len(pairs(reached))
    np.testing.assert_array_equal(np.bincount(heard.post, minlength=20), k)
    np.testing.assert_array_equal(np.bincount(reached.pre, minlength=20), k)
    assert loops or not any(i == j for i, j in pairs(heard) | pairs(reached))


@pytest.mark.parametrize("k", [2, 7])
def test_every_cell_is_as_likely(key, k):
    """4,000 subsets of 10: each cell is in k/10 of them, within five standard deviations."""
    fan = networks.fixed_fan_in(10, 4000, k, key=key)
    counts = np.bincount(fan.pre, minlength=10)
    spread = np.sqrt(4000 * (k / 10) * (1 - k / 10))
    np.testing.assert_allclose(counts, 400 * k, atol=5 * spread, rtol=0)
    # And so is each pair of cells: k (k - 1) / 90 of the subsets have a given one.
    table = np.zeros((4000, 10))
    table[fan.post, fan.pre] = 1
    together = (table.T @ table)[np.triu_indices(10, 1)]
    chance = k * (k - 1) / 90
    spread = np.sqrt(4000 * chance * (1 - chance))
    np.testing.assert_allclose(together, 4000 * chance, atol=5 * spread, rtol=0)


def test_bernoulli(key):
    edges = networks.bernoulli(300, 200, 0.1, key=key)
    assert len(pairs(edges)) == len(edges)
    # Five standard deviations of a binomial count, in total and for each cell (six: 500 of them).
    assert abs(len(edges) - 6000) < 5 * np.sqrt(60000 * 0.1 * 0.9)
    out, into = np.bincount(edges.pre, minlength=300), np.bincount(edges.post, minlength=200)
    assert np.abs(out - 20).max() < 6 * np.sqrt(200 * 0.09)
    assert np.abs(into - 30).max() < 6 * np.sqrt(300 * 0.09)
    assert len(networks.bernoulli(9, 5, 1.0, key=key)) == 45
    assert len(networks.bernoulli(9, 5, 0.0, key=key)) == 0
    assert len(networks.bernoulli(9, 9, 1.0, key=key, loops=False)) == 72


def test_distance_dependent(key):
    x = np.arange(100.0)[:, None]
    near = networks.distance_dependent(x, x, lambda d: np.where(d <= 2, 1.0, 0.0), key=key)
    assert pairs(near) == {(i, j) for i in range(100) for j in range(100) if abs(i - j) <= 2}
    ring = networks.distance_dependent(
        x, x, lambda d: np.where(d <= 2, 1.0, 0.0), key=key, period=100.0, loops=False
    )
    assert len(ring) == 400 and (99, 0) in pairs(ring)
    some = networks.distance_dependent(x, x, lambda d: 0.3 + 0.0 * d, key=key)
    assert abs(len(some) - 3000) < 5 * np.sqrt(10000 * 0.21)


def test_lattice_and_ring():
    square = networks.lattice((3, 4))
    # 2 * (3 * 3 + 2 * 4) neighbours on a 3 x 4 grid.
    assert len(square) == len(pairs(square)) == 34
    assert {j for i, j in pairs(square) if i == 5} == {1, 4, 6, 9}
    assert len(networks.lattice((4, 5), 1.5, periodic=True)) == 20 * 8
    assert pairs(networks.ring(5, 2)) == {(i, j) for i in range(5) for j in range(5) if i != j}
    assert len(networks.ring(50, 3)) == 300


def test_small_world(key):
    regular, moved = networks.ring(500, 4), networks.small_world(500, 4, 0.2, key=key)
    assert pairs(networks.small_world(500, 4, 0.0, key=key)) == pairs(regular)
    np.testing.assert_array_equal(np.bincount(moved.post, minlength=500), 8)
    assert len(pairs(moved)) == 4000 and not any(i == j for i, j in pairs(moved))
    kept = len(pairs(moved) & pairs(regular))
    # A moved edge comes back to one of the ring's own with a chance below 8/490.
    assert abs(kept - 3200) < 5 * np.sqrt(4000 * 0.16) + 800 * 8 / 490


def test_ensheathed(key):
    edges = networks.fixed_fan_in(50, 40, 10, key=key)
    every = networks.ensheathe(edges, "astro", 20, key=key)
    assert every.astrocyte.shape == (400,) and every.astrocyte.min() >= 0
    np.testing.assert_allclose(
        np.bincount(every.astrocyte, minlength=20), 20, atol=5 * np.sqrt(400 * 0.05 * 0.95)
    )
    half = networks.ensheathe(edges, "astro", 20, key=key, p=0.5)
    assert abs(np.sum(half.astrocyte >= 0) - 200) < 5 * np.sqrt(100)
    assert np.all(networks.ensheathe(edges, "astro", 20, key=key, p=0.0).astrocyte == -1)
    few = networks.ensheathe(edges, "astro", 20, key=key, pool_size=2)
    assert max(len(set(few.astrocyte[edges.post == j])) for j in range(40)) == 2


def test_a_key_decides(key):
    other = jax.random.key(12345)
    for draw in (
        lambda k: networks.bernoulli(30, 30, 0.2, key=k),
        lambda k: networks.fixed_fan_in(30, 30, 5, key=k),
        lambda k: networks.small_world(30, 2, 0.5, key=k),
    ):
        assert pairs(draw(key)) == pairs(draw(key)) != pairs(draw(other))
    legacy = jax.random.PRNGKey(7)
    assert len(networks.bernoulli(30, 30, 1.0, key=legacy)) == 900


def test_a_million_edges_in_two_seconds(key):
    """CPU time, since other work may share the machine."""
    for draw in (
        lambda: networks.bernoulli(10_000, 10_000, 0.01, key=key),
        lambda: networks.fixed_fan_in(10_000, 10_000, 100, key=key),
        lambda: networks.fixed_fan_out(10_000, 10_000, 100, key=key),
    ):
        start = time.process_time()
        assert abs(len(draw()) - 1_000_000) < 10_000
        assert time.process_time() - start < 2.0


MISTAKES = {
    "as many pre as post, got 2 and 1": lambda k: networks.Edges([0, 1], [0]),
    "Edges.pre must be a list of integers": lambda k: networks.Edges([0.5], [0]),
    "counts cells from 0, got -1": lambda k: networks.Edges([-1], [0]),
    r"k must be a whole number, at least 0 and at most 4": lambda k: networks.fixed_fan_in(
        5, 5, 5, key=k, loops=False
    ),
    r"p must lie in \[0, 1\], got 1.5": lambda k: networks.bernoulli(5, 5, 1.5, key=k),
    "n must be a whole number, at least 5": lambda k: networks.ring(4, 2),
    "longer than twice the radius": lambda k: networks.lattice((3, 2), periodic=True),
    "of one dimension, got shapes": lambda k: networks.distance_dependent(
        np.zeros((3, 1)), np.zeros((3, 2)), np.exp, key=k
    ),
    r"probability must return values in \[0, 1\]": lambda k: networks.distance_dependent(
        np.zeros((3, 1)), np.zeros((3, 1)), lambda d: d + 2.0, key=k
    ),
    "pool_size must be a whole number, at least 1 and at most 3": lambda k: networks.ensheathe(
        networks.one_to_one(3), "astro", 3, key=k, pool_size=4
    ),
    "with -1 for an edge without one": lambda k: networks.Ensheathed("astro", [-2]),
    "must be a list of integers": lambda k: networks.Ensheathed("astro", [0.5]),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text, key):
    with pytest.raises(ValueError, match=text):
        MISTAKES[text](key)
