"""What soft actor-critic makes of a linear-quadratic regulator, whose best policy is known.

    x' = A x + B u,   cost = sum_t discount^t (x^T Q x + u^T R u)

A double integrator in steps of 0.2; the best policy is u = -K x, and its cost x^T P x, where P
solves the discrete algebraic Riccati equation of sqrt(discount) A and sqrt(discount) B. The entropy
that the agent is also paid for leaves the best mean as it is, for it adds the same to every x.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from experiments.policies import DensePolicy
from experiments.sac import Batch, Learner, Policy, Settings, act, act_by_mean, new_learner, updates

SETTINGS = Settings(discount=0.95, width=64)
A = np.asarray([[1.0, 0.2], [0.0, 1.0]])
B = np.asarray([[0.02], [0.2]])
Q = np.diag([1.0, 0.1])
R = np.asarray([[1.0]])
# An action of 1 is a force of 2.5. The best at the corners of the starting square is 1.5,
# so that the bound on actions costs the best policy nothing.
FORCE, SQUARE = 2.5, 0.8
EPISODE = 10
AGENTS = 8
BATCH = 64


class Memory(NamedTuple):
    """Every transition, oldest first, in arrays of the final size."""

    states: Float[Array, "n 2"]
    actions: Float[Array, "n 1"]
    rewards: Float[Array, " n"]
    next_states: Float[Array, "n 2"]


def riccati() -> tuple[np.ndarray, np.ndarray]:
    """The cost matrix P and the gain K of the best policy (SciPy's `solve_discrete_are`)."""
    from scipy.linalg import solve_discrete_are

    a, b = np.sqrt(SETTINGS.discount) * A, np.sqrt(SETTINGS.discount) * B
    p = solve_discrete_are(a, b, Q, R)
    return p, np.linalg.solve(R + b.T @ p @ b, b.T @ p @ a)


def starts(key: PRNGKeyArray, count: int) -> Float[Array, "count 2"]:
    """States drawn from a square."""
    return jax.random.uniform(key, (count, 2), minval=-SQUARE, maxval=SQUARE)


def move(x: Float[Array, "n 2"], action: Float[Array, "n 1"]) -> tuple[Array, Array]:
    """The next states, and the rewards."""
    a, b, q, r = (jnp.asarray(matrix, x.dtype) for matrix in (A, B, Q, R))
    u = FORCE * action
    cost = jnp.sum(x * (x @ q), axis=1) + jnp.sum(u * (u @ r), axis=1)
    return x @ a.T + u @ b.T, -cost


@eqx.filter_jit
def cost_of(policy: Policy, x: Float[Array, "n 2"], steps: int = 200) -> Float[Array, " n"]:
    """The discounted cost of the policy's means from each start; 0.95^200 is 4e-5."""

    def one(x: Array, t: Array) -> tuple[Array, Array]:
        x, reward = move(x, act_by_mean(policy, x[:, None]))
        return x, -reward * SETTINGS.discount ** t.astype(x.dtype)

    return jnp.sum(jax.lax.scan(one, x, jnp.arange(steps))[1], axis=0)


@eqx.filter_jit
def train(steps: int, count: int, key: PRNGKeyArray) -> Learner:
    """An agent after `steps` steps of eight systems at once, with `count` updates a step.

    Every 10 steps the systems start anew; that ends no episode, so that the value of a state is the
    infinite sum which Riccati's equation is about.
    """
    policy_key, learner_key, key = jax.random.split(key, 3)
    learner = new_learner(DensePolicy(2, 1, 64, key=policy_key), 2, 1, SETTINGS, learner_key)
    arrays, rest = eqx.partition(learner, eqx.is_array)
    room = AGENTS * steps
    memory = Memory(
        jnp.zeros((room, 2)), jnp.zeros((room, 1)), jnp.zeros((room,)), jnp.zeros((room, 2))
    )

    def one(carry: tuple[Learner, Memory, Array], t: Array) -> tuple[tuple, None]:
        arrays, memory, x = carry
        learner = eqx.combine(arrays, rest)
        keys = jax.random.split(jax.random.fold_in(key, t), 4)
        x = jnp.where(t % EPISODE == 0, starts(keys[0], AGENTS), x)
        actions, _ = act(learner.policy, x[:, None], keys[1])
        found, rewards = move(x, actions)
        memory = _remembered(memory, Memory(x, actions, rewards, found), t)
        batches = _drawn(memory, (count, BATCH), AGENTS * (t + 1), keys[2])
        learner = updates(learner, batches, SETTINGS, keys[3])
        return (eqx.filter(learner, eqx.is_array), memory, found), None

    start = (arrays, memory, starts(key, AGENTS))
    (arrays, _, _), _ = jax.lax.scan(one, start, jnp.arange(steps))
    return eqx.combine(arrays, rest)


def _remembered(memory: Memory, new: Memory, t: Array) -> Memory:
    put = functools.partial(jax.lax.dynamic_update_slice_in_dim, start_index=AGENTS * t, axis=0)
    return jax.tree.map(put, memory, new)


def _drawn(memory: Memory, shape: tuple[int, int], filled: Array, key: PRNGKeyArray) -> Batch:
    rows = jax.random.randint(key, shape, 0, filled)
    some = jax.tree.map(lambda column: column[rows], memory)
    return Batch(
        some.states[:, :, None],
        some.actions,
        some.rewards,
        some.next_states[:, :, None],
        jnp.ones_like(some.rewards),
    )


def ratio(learner: Learner, key: PRNGKeyArray, count: int = 1000) -> float:
    """The agent's cost over the best policy's, from random starts."""
    x = starts(key, count)
    best = np.einsum("ni,ij,nj->n", np.asarray(x), riccati()[0], np.asarray(x))
    return float(np.mean(np.asarray(cost_of(learner.policy, x))) / np.mean(best))
