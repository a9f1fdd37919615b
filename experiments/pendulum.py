"""Gymnasium's two inverted pendulums, several at once, with the paper's reward and windows.

He et al., Nature Computational Science 4, 584 (2024), and the code released with it: a reward for
a cart and angles near zero, and a policy that sees the last five observations.
Needs `gymnasium[mujoco]` (the extra `experiments`).
"""

from typing import Any, NamedTuple

import numpy as np

WINDOW = 5
LONGEST = 1000
FAILURE = -10.0


class Task(NamedTuple):
    """One environment: what is rewarded, and how far from zero that may be.

    `rewarded` holds, for each term, the index in the observation and the bound, in m or rad; of the
    double pendulum the observations are sines of the angles, as in the release.
    """

    name: str
    force: float
    rewarded: tuple[tuple[int, float], ...]
    slipped: tuple[tuple[int, float], ...]


TASKS = {
    # The observation is (x, theta, x_dot, theta_dot). The release unpacks it as (x, x_dot, theta,
    # theta_dot), so that what it takes for the angle is the velocity of the cart: the slip.
    "single": Task("InvertedPendulum-v5", 3.0, ((0, 1.0), (1, 0.418)), ((0, 1.0), (2, 0.418))),
    # The second angle is that of the upper pole to the lower one.
    "double": Task(
        "InvertedDoublePendulum-v5",
        1.0,
        ((0, 2.0), (1, 0.418), (2, 0.1)),
        ((0, 2.0), (1, 0.418), (2, 0.1)),
    ),
}


def shaped_reward(task: Task, observation: np.ndarray, failed: bool, slip: bool = False) -> float:
    """The sum of 5 - 10 min(|o| / bound, 1) over what is rewarded; 10 less where the pole fell.

    At most 10 a step for the single pendulum and 15 for the double one. `slip` rewards, for the
    single pendulum, the velocity that the release takes for the angle.
    """
    terms = task.slipped if slip else task.rewarded
    near = sum(5.0 - 10.0 * min(abs(float(observation[i])) / bound, 1.0) for i, bound in terms)
    return near + FAILURE * failed


class Moved(NamedTuple):
    """What one step of every pendulum gave: one row for each."""

    windows: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_windows: np.ndarray
    goes_on: np.ndarray
    earned: np.ndarray
    over: np.ndarray


class Fleet:
    """Several pendulums, each of which starts anew when it falls or has run for 1000 steps.

    An episode's first window repeats its first observation. Each start is drawn from a seed of its
    own, and `state` holds all there is to know: a fleet restored from it goes on bit by bit.
    """

    def __init__(self, task: Task, count: int, seed: int, slip: bool = False) -> None:
        import gymnasium

        self.task, self.seed, self.slip = task, seed, slip
        self.envs = [gymnasium.make(task.name).unwrapped for _ in range(count)]
        self.elapsed = np.zeros(count, int)
        self.episodes = np.zeros(count, int)
        self.windows = np.stack([self._start(i) for i in range(count)])

    def _start(self, i: int) -> np.ndarray:
        words = np.random.SeedSequence([self.seed, i, int(self.episodes[i])]).generate_state(1)
        observation, _ = self.envs[i].reset(seed=int(words[0]))
        return np.repeat(observation[None].astype(np.float32), WINDOW, axis=0)

    def step(self, actions: np.ndarray) -> Moved:
        """Every pendulum moves once, by actions in [-1, 1]; whose episode is over starts anew."""
        before = self.windows.copy()
        count = len(self.envs)
        rewards, earned = np.zeros(count, np.float32), np.zeros(count, np.float32)
        failed, after = np.zeros(count, bool), np.empty_like(before)
        for i, env in enumerate(self.envs):
            found, paid, failed[i], _, _ = env.step(self.task.force * actions[i])
            after[i] = np.concatenate([before[i, 1:], found[None].astype(np.float32)])
            rewards[i] = shaped_reward(self.task, found, bool(failed[i]), self.slip)
            earned[i] = paid
        self.elapsed += 1
        over = failed | (self.elapsed >= LONGEST)
        self.windows = after.copy()
        for i in np.flatnonzero(over):
            self.elapsed[i] = 0
            self.episodes[i] += 1
            self.windows[i] = self._start(i)
        goes_on = 1.0 - failed.astype(np.float32)
        return Moved(before, actions, rewards, after, goes_on, earned, over)

    @property
    def state(self) -> dict[str, np.ndarray]:
        import mujoco

        full = mujoco.mjtState.mjSTATE_INTEGRATION
        bodies = []
        for env in self.envs:
            body = np.empty(mujoco.mj_stateSize(env.model, full))
            mujoco.mj_getState(env.model, env.data, body, full)
            bodies.append(body)
        rest = {"elapsed": self.elapsed, "episodes": self.episodes, "windows": self.windows}
        return {"bodies": np.stack(bodies), **rest}

    def restore(self, state: Any) -> None:
        import mujoco

        for env, body in zip(self.envs, state["bodies"], strict=True):
            mujoco.mj_setState(env.model, env.data, body, mujoco.mjtState.mjSTATE_INTEGRATION)
            mujoco.mj_forward(env.model, env.data)
            # Computing what follows from the state has moved the solver's warm start.
            mujoco.mj_setState(env.model, env.data, body, mujoco.mjtState.mjSTATE_INTEGRATION)
        self.elapsed, self.episodes = state["elapsed"].copy(), state["episodes"].copy()
        self.windows = state["windows"].copy()


class Replay:
    """The last `room` transitions, in arrays; the oldest are overwritten."""

    def __init__(self, room: int, observations: int, actions: int) -> None:
        shapes = {
            "windows": (WINDOW, observations),
            "actions": (actions,),
            "rewards": (),
            "next_windows": (WINDOW, observations),
            "goes_on": (),
        }
        self.columns = {
            name: np.zeros((room, *shape), np.float32) for name, shape in shapes.items()
        }
        self.room, self.seen = room, 0

    def add(self, moved: Any) -> None:
        count = len(moved.rewards)
        rows = (self.seen + np.arange(count)) % self.room
        for name, column in self.columns.items():
            column[rows] = getattr(moved, name)
        self.seen += count

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """As many transitions as `shape` says, each as likely as any other."""
        rows = rng.integers(0, min(self.seen, self.room), shape)
        return {name: column[rows] for name, column in self.columns.items()}
