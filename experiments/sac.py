"""Soft actor-critic: twin critics, slow targets, and a temperature that finds itself.

Haarnoja et al., "Soft actor-critic algorithms and applications", arXiv 1812.05905. The policy is
any module that maps a window of observations to the mean and the logarithm of the standard
deviation of a normal distribution, whose hyperbolic tangent is the action; the critics see the
newest observation of the window. The maintained JAX implementations with SAC need PyTorch
(Stable-Baselines Jax), environments in JAX (Brax, Rejax), or stood still in 2023 (coax).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

Policy = Callable[[Float[Array, "window observation"]], tuple[Float[Array, "a"], Float[Array, "a"]]]

# Bounds of the logarithm of the standard deviation; those of the original code are -20 and 2.
LEAST_LOG_STD, MOST_LOG_STD = -5.0, 2.0


class Settings(NamedTuple):
    """What does not change while an agent learns."""

    discount: float = 0.99
    slowness: float = 0.01
    learning_rate: float = 1e-3
    width: int = 128


class Batch(NamedTuple):
    """Transitions: `goes_on` is 0 where the episode ended in failure, 1 elsewhere.

    An episode that merely ran out of time goes on.
    """

    windows: Float[Array, "batch window observation"]
    actions: Float[Array, "batch action"]
    rewards: Float[Array, " batch"]
    next_windows: Float[Array, "batch window observation"]
    goes_on: Float[Array, " batch"]


class Learner(NamedTuple):
    """All that changes while an agent learns: what a checkpoint holds."""

    policy: eqx.Module
    critics: eqx.nn.MLP
    targets: eqx.nn.MLP
    log_temperature: Float[Array, ""]
    policy_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    temperature_optimiser: optax.OptState


def squashed(
    mean: Float[Array, " a"], log_std: Float[Array, " a"], noise: Float[Array, " a"]
) -> tuple[Float[Array, " a"], Float[Array, ""]]:
    """The action tanh(mean + std noise), and the logarithm of its density.

        log p(a) = sum_i log N(u_i; mean_i, std_i) - log(1 - tanh(u_i)^2)

    where log(1 - tanh(u)^2) = 2 (log 2 - u - log(1 + exp(-2 u))), finite for every u.
    """
    u = mean + jnp.exp(log_std) * noise
    normal = -0.5 * (noise * noise + jnp.log(2.0 * jnp.pi)) - log_std
    slope = 2.0 * (jnp.log(2.0) - u - jax.nn.softplus(-2.0 * u))
    return jnp.tanh(u), jnp.sum(normal - slope)


def act(
    policy: Policy, windows: Float[Array, "batch window o"], key: PRNGKeyArray
) -> tuple[Float[Array, "batch a"], Float[Array, " batch"]]:
    """One action for each window, drawn at random, and the logarithm of its density."""
    means, log_stds = jax.vmap(policy)(windows)
    noise = jax.random.normal(key, means.shape, means.dtype)
    log_stds = jnp.clip(log_stds, LEAST_LOG_STD, MOST_LOG_STD)
    return jax.vmap(squashed)(means, log_stds, noise)


def act_by_mean(policy: Policy, windows: Float[Array, "batch window o"]) -> Float[Array, "batch a"]:
    """The tanh of the means: how an agent is evaluated."""
    return jnp.tanh(jax.vmap(policy)(windows)[0])


def values(
    critics: eqx.nn.MLP, windows: Float[Array, "batch window o"], actions: Float[Array, "batch a"]
) -> Float[Array, "2 batch"]:
    """What either critic expects of each action at the newest observation."""
    inputs = jnp.concatenate([windows[:, -1], actions], axis=1)

    @functools.partial(eqx.filter_vmap, in_axes=(eqx.if_array(0), None))
    def each(critic: eqx.nn.MLP, inputs: Array) -> Array:
        return jax.vmap(critic)(inputs)

    return each(critics, inputs)


def new_learner(
    policy: eqx.Module, observations: int, actions: int, settings: Settings, key: PRNGKeyArray
) -> Learner:
    """An agent that has learned nothing; its temperature starts at 1 for rewards of order 1."""

    @eqx.filter_vmap
    def critic(key: PRNGKeyArray) -> eqx.nn.MLP:
        return eqx.nn.MLP(observations + actions, "scalar", settings.width, 2, key=key)

    critics = critic(jax.random.split(key))
    log_temperature = jnp.zeros(())
    adam = optax.adam(settings.learning_rate)
    return Learner(
        policy,
        critics,
        critics,
        log_temperature,
        adam.init(eqx.filter(policy, eqx.is_inexact_array)),
        adam.init(eqx.filter(critics, eqx.is_inexact_array)),
        adam.init(log_temperature),
    )


def bootstrapped(
    learner: Learner, batch: Batch, settings: Settings, key: PRNGKeyArray
) -> Float[Array, " batch"]:
    """r + discount goes_on (min(Q1', Q2')(s', a') - temperature log p(a' | s')), a' drawn anew."""
    actions, densities = act(learner.policy, batch.next_windows, key)
    soft = jnp.min(values(learner.targets, batch.next_windows, actions), axis=0)
    soft = soft - jnp.exp(learner.log_temperature) * densities
    return batch.rewards + settings.discount * batch.goes_on * soft


def update(learner: Learner, batch: Batch, settings: Settings, key: PRNGKeyArray) -> Learner:
    """One step of Adam for the critics, then one for the policy, then one for the temperature.

    Critics: mean squared distance to `bootstrapped`. Policy: the mean of temperature log p(a | s) -
    min(Q1, Q2)(s, a). Temperature: so that the mean of -log p is the target entropy, minus the
    number of actions. The targets then move to the critics by the share `slowness`.
    """
    next_key, key = jax.random.split(key)
    adam = optax.adam(settings.learning_rate)
    goal = bootstrapped(learner, batch, settings, next_key)

    def critic_loss(critics: eqx.nn.MLP) -> Array:
        return jnp.mean((values(critics, batch.windows, batch.actions) - goal[None]) ** 2)

    critics, critic_optimiser = _stepped(
        adam,
        eqx.filter_grad(critic_loss)(learner.critics),
        learner.critic_optimiser,
        learner.critics,
    )
    temperature = jnp.exp(learner.log_temperature)

    def policy_loss(policy: Policy) -> tuple[Array, Array]:
        actions, densities = act(policy, batch.windows, key)
        worth = jnp.min(values(critics, batch.windows, actions), axis=0)
        return jnp.mean(temperature * densities - worth), jnp.mean(densities)

    slope, density = eqx.filter_grad(policy_loss, has_aux=True)(learner.policy)
    policy, policy_optimiser = _stepped(adam, slope, learner.policy_optimiser, learner.policy)
    # d/d(log temperature) of -log_temperature (log p + target entropy).
    excess = jnp.asarray(batch.actions.shape[1], density.dtype) - density
    log_temperature, temperature_optimiser = _stepped(
        adam, excess, learner.temperature_optimiser, learner.log_temperature
    )
    targets = jax.tree.map(
        lambda slow, fast: slow + settings.slowness * (fast - slow) if eqx.is_array(slow) else slow,
        learner.targets,
        critics,
    )
    return Learner(
        policy,
        critics,
        targets,
        log_temperature,
        policy_optimiser,
        critic_optimiser,
        temperature_optimiser,
    )


def updates(learner: Learner, batches: Batch, settings: Settings, key: PRNGKeyArray) -> Learner:
    """One `update` for each of the batches, stacked along their first axis, in one program."""
    arrays, rest = eqx.partition(learner, eqx.is_array)

    def one(arrays: Learner, drawn: tuple[Batch, PRNGKeyArray]) -> tuple[Learner, None]:
        batch, key = drawn
        found = update(eqx.combine(arrays, rest), batch, settings, key)
        return eqx.filter(found, eqx.is_array), None

    keys = jax.random.split(key, batches.rewards.shape[0])
    return eqx.combine(jax.lax.scan(one, arrays, (batches, keys))[0], rest)


def _stepped(
    adam: optax.GradientTransformation, slope: Array, state: optax.OptState, what: Array
) -> tuple[Array, optax.OptState]:
    moves, state = adam.update(slope, state)
    return eqx.apply_updates(what, moves), state
