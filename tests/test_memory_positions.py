"""Fast weights, recurrent positions, the grid world that needs no training, and sensory layers."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import attention as at
from tripartite import memory as mem

SIDE, STIMULI, STEPS = 11, 45, 2000
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
PERIODS = (4.3, 6.1, 8.7)
DIRECTIONS = np.radians([0.0, 60.0, 120.0])
WAVES = np.array(
    [
        2 * np.pi / period * np.array([np.cos(a), np.sin(a)])
        for period in PERIODS
        for a in DIRECTIONS
    ]
)


@pytest.mark.parametrize("keep", [1.0, 0.9])
def test_fast_weights_are_linear_attention(keep):
    """x_read = g G^T L_g L_x X with diagonal L: Whittington et al. 2022."""
    rng = np.random.default_rng(0)
    x, g = rng.random((12, 5)), rng.standard_normal((12, 4))
    query = rng.standard_normal(4)
    memory = mem.HebbianFastWeights(5, 4, keep=keep, rate=0.5)
    weights = memory.write_all(jnp.asarray(x), jnp.asarray(g))
    assert weights.shape == (20, 20)
    diagonal = 0.5 * keep ** np.arange(11, -1, -1.0) * g.sum(axis=1) * x.sum(axis=1)
    expected = (query @ g.T * diagonal) @ x
    np.testing.assert_allclose(memory.read(weights, jnp.asarray(query)), expected, atol=1e-10)
    one_by_one = memory.empty()
    for now in zip(jnp.asarray(x[:3]), jnp.asarray(g[:3]), strict=True):
        one_by_one = memory.write(one_by_one, *now)
    np.testing.assert_allclose(
        one_by_one, memory.write_all(jnp.asarray(x[:3]), jnp.asarray(g[:3])), atol=1e-14
    )


def walk(seed):
    """A random walk in a square world: places, actions, stimuli of places, and zero-shot steps.

    A step is zero-shot if its place has been visited and the edge to it has not been taken.
    """
    rng = np.random.default_rng(seed)
    place, places, actions = rng.integers(0, SIDE, 2), [], []
    for _ in range(STEPS):
        places.append(place)
        allowed = [a for a in range(4) if np.all((place + MOVES[a]) // SIDE == 0)]
        actions.append(rng.choice(allowed))
        place = place + MOVES[actions[-1]]
    nodes = np.array(places) @ [SIDE, 1]
    zero_shot, visited, taken = np.zeros(STEPS, bool), {nodes[0]}, set()
    for t in range(1, STEPS):
        edge = (nodes[t - 1], actions[t - 1])
        zero_shot[t] = nodes[t] in visited and edge not in taken
        visited.add(nodes[t])
        taken.add(edge)
    return nodes, np.array(actions), rng.integers(0, STIMULI, SIDE**2), zero_shot


@functools.cache
def encoding():
    return mem.RecurrentPosition.rotations(WAVES, MOVES)


@eqx.filter_jit
def explore(position, actions, stimuli):
    """What is expected at each step before it is seen; the memory neurons on the way; the end."""
    memory = mem.PlaceMemory()
    path = position.walk(actions[:-1])

    def step(contents, now):
        e, x = now
        expected = memory.read(contents, e)
        contents = memory.write(contents, e, x)
        return contents, (expected, memory.neurons(contents, e))

    empty = memory.empty(SIDE**2 + 9, 2 * len(WAVES), STIMULI)
    return jax.lax.scan(step, empty, (path, stimuli))


@functools.cache
def explored(seed):
    nodes, actions, of_node, zero_shot = walk(seed)
    shown = jax.nn.one_hot(of_node[nodes], STIMULI, dtype=float)
    contents, (expected, neurons) = explore(encoding(), jnp.asarray(actions), shown)
    right = np.argmax(expected, axis=-1) == of_node[nodes]
    return nodes, zero_shot, right, np.asarray(neurons), int(contents.taken)


@pytest.mark.parametrize("seed", range(3))
def test_known_places_are_foreseen_on_new_paths(seed):
    """Training-free, 11 x 11 places, 45 stimuli: chance is 0.022."""
    nodes, zero_shot, right, _, taken = explored(seed)
    assert zero_shot.sum() > 200 and np.mean(right[zero_shot]) >= 0.99
    assert taken == len(set(nodes))


@pytest.mark.parametrize("seed", range(3))
def test_memory_neurons_are_place_cells(seed):
    """Once all is known, each neuron is active (above 1/2) on one node, and each node has one."""
    nodes, _, _, neurons, taken = explored(seed)
    late = slice(STEPS // 2, None)
    active = neurons[late] > 0.5
    np.testing.assert_array_equal(active.sum(axis=1), 1)
    fields = {(int(n), int(node)) for n, node in zip(active.argmax(1), nodes[late], strict=True)}
    assert len(fields) == len({n for n, _ in fields}) == len({node for _, node in fields}) > 60
    assert taken <= SIDE**2


def test_moves_undo_one_another_and_commute():
    w = np.asarray(encoding().transitions)
    east, north = w[0], w[1]
    np.testing.assert_allclose(east @ w[2], np.eye(18), atol=1e-14)
    np.testing.assert_allclose(east @ north, north @ east, atol=1e-14)
    # Against plane waves: after two steps along the second axis and one along the first.
    r = np.array([1.0, 2.0])
    waves = np.stack([np.cos(WAVES @ r), np.sin(WAVES @ r)], axis=-1).ravel()
    path = encoding().walk(jnp.array([0, 1, 0]))
    np.testing.assert_allclose(path[-1], waves, atol=1e-14)
    rectified = mem.RecurrentPosition(w, path[1], rectified=True)
    np.testing.assert_allclose(rectified(path[1], 0), np.maximum(path[1] @ east, 0), atol=1e-14)


def test_hexagonal_bands_make_a_grid_cell():
    """Bands at 60 degrees score above 1, one band below 0.2, and noise about 0."""
    side, period = 40, PERIODS[2]
    rows = [0] * (side - 1)
    there = [*rows, 1], [*[2] * (side - 1), 1]  # back and forth over every place
    actions = jnp.asarray([a for i in range(side) for a in there[i % 2]][:-1])
    bands = np.array(encoding().walk(actions)).reshape(side, side, -1)
    bands[1::2] = bands[1::2, ::-1]
    cosines = jnp.asarray(bands[:, :, [12, 14, 16]])
    score = jax.jit(lambda rates: mem.grid_score(rates, 2 / np.sqrt(3) * period))
    assert score(jnp.sum(cosines, axis=-1)) > 1.0
    assert score(cosines[:, :, 0]) < 0.2
    assert abs(score(jnp.asarray(np.random.default_rng(0).standard_normal((side, side))))) < 0.3


def test_likeness_of_an_empty_memory():
    memory = mem.PlaceMemory()
    empty = memory.empty(2, 3, 4)
    e = jnp.array([1.0, 0.0, 0.0])
    np.testing.assert_array_equal(memory.neurons(empty, e), 0.0)
    once = memory.write(empty, e, jnp.ones(4))
    again = memory.write(once, 2 * e, jnp.zeros(4))  # the same place, whatever is there
    np.testing.assert_array_equal(memory.read(again, e), 1.0)
    assert int(again.taken) == 1
    full = memory.write(again, e[::-1], jnp.ones(4))
    with pytest.raises(eqx.EquinoxRuntimeError, match="all 2 places of this memory are taken"):
        memory.write(full, jnp.array([0.0, 1.0, 0.0]), jnp.ones(4))


QUERIES = jnp.asarray(np.random.default_rng(1).standard_normal((3, 2)))


@eqx.filter_jit
def sense(cell, observations):
    """Messages of a sensory layer: one neuron a channel, all alike, and astrocyte attention.

    A channel's current drives its neuron for 5 ms. Where that neuron then is (its voltage and its
    potassium gate) is the key, the current the value; the queries belong to the astrocytes.
    """

    def neuron(current):
        solver = tp.solvers.SequentialExponential(midpoint=False)
        y = tp.simulate(cell, current, t1=5.0, dt=0.05, solver=solver, save_every=5.0).stats["y1"]
        return jnp.stack([y.v / 50.0, *jax.tree.leaves(y)[1:]])[:2]

    keys = jax.vmap(neuron)(observations)
    return at.fixed_point(at.EluPlusOne(), QUERIES, keys, observations[:, None])


def test_a_sensory_layer_does_not_mind_the_order_of_its_channels():
    """After Tang and Ha 2021 (arXiv 2109.02869), with a neuron for their recurrent network."""
    cell = tp.cells.MorrisLecar()
    observations = np.random.default_rng(2).uniform(0.0, 60.0, 6)
    message = sense(cell, jnp.asarray(observations))
    shuffled = observations[np.random.default_rng(3).permutation(6)]
    np.testing.assert_allclose(sense(cell, jnp.asarray(shuffled)), message, atol=1e-6)
    # As many channels again, each shown twice: no new parameters, and the same mean.
    twice = sense(cell, jnp.asarray(np.tile(observations, 2)))
    np.testing.assert_allclose(twice, message, atol=1e-6)
    # It does mind what is observed: another channel is another message.
    other = sense(cell, jnp.asarray(observations + np.array([30.0, 0, 0, 0, 0, 0])))
    assert np.max(np.abs(other - message)) > 1e-2


def test_refusals():
    with pytest.raises(ValueError, match="needs stimuli and positions of at least 1"):
        mem.HebbianFastWeights(0, 3)
    weights = mem.HebbianFastWeights(2, 3)
    with pytest.raises(ValueError, match=r"position g of shape \(3,\), got g of shape \(2,\)"):
        weights.read(weights.empty(), jnp.ones(2))
    with pytest.raises(ValueError, match=r"transitions of shape \(actions, n, n\) and a start"):
        mem.RecurrentPosition(jnp.ones((4, 3, 3)), jnp.ones(2))
    with pytest.raises(ValueError, match=r"got \(3,\) and \(4, 2\)"):
        mem.RecurrentPosition.rotations([1.0, 2.0, 3.0], MOVES)
    with pytest.raises(ValueError, match="needs sizes of at least 1, got capacity=0"):
        mem.PlaceMemory().empty(0, 1, 1)
    with pytest.raises(ValueError, match=r"larger than 1\.5 times a spacing"):
        mem.grid_score(jnp.ones((5, 5)), 10.0)
