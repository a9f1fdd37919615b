"""Spiking actors balance pendulums: `python -m experiments.reinforcement --help`.

One run is one task, one actor and one seed; it may be stopped at any time and goes on, bit by bit
as if it had not been, when the same command is given again. Needs `gymnasium[mujoco]`.
"""

import argparse
import itertools
import json
import math
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from experiments.actors import ACTORS, new_actor
from experiments.pendulum import LONGEST, TASKS, Fleet, Moved, Replay
from experiments.sac import Batch, Settings, act, act_by_mean, new_learner, updates
from tripartite.core.files import whole_file
from tripartite.layers import trainable

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "reinforcement"
# Rewards are multiplied by this before they are learned from, so that values stay below 150.
REWARD_SCALE = 0.1
PENDULUMS = 4
BATCH = 32
AT_RANDOM = 500
ROOM = 50_000
STEPS = {"single": 8000, "double": 10_000}
EVERY = 1000
SCALES, TUNING_STEPS = (3.0, 10.0), 4000
SEEDS = {"single": (0, 1, 2), "double": (0,)}
# Compiled once for all runs of one actor and scale.
ACT, ACT_BY_MEAN, UPDATES = map(eqx.filter_jit, (act, act_by_mean, updates))


class Run(NamedTuple):
    """One run. `every`: environment steps between evaluations and checkpoints."""

    task: str
    actor: str
    seed: int
    steps: int
    every: int
    scale: float
    slip: bool = False

    @property
    def name(self) -> str:
        slip = "-slip" if self.slip else ""
        return f"{self.task}-{self.actor}-scale{self.scale:g}-seed{self.seed}{slip}"


class Agent:
    """A learner, what it remembers, and its pendulums."""

    def __init__(self, run: Run) -> None:
        task = TASKS[run.task]
        self.run, self.settings = run, Settings()
        self.fleet = Fleet(task, PENDULUMS, run.seed, run.slip)
        observations = self.fleet.windows.shape[2]
        actor_key, learner_key, self.key = jax.random.split(jax.random.key(run.seed), 3)
        actor = new_actor(run.actor, observations, 1, run.scale, actor_key)
        self.learner = new_learner(actor, observations, 1, self.settings, learner_key)
        self.replay = Replay(min(ROOM, run.steps), observations, 1)
        self.steps, self.cpu = 0, 0.0
        self.curve: list[dict[str, Any]] = []

    def advance(self) -> None:
        """The steps up to the next evaluation, the evaluation, and its line of the curve."""
        started, rewards = time.process_time(), []
        for _ in range(self.run.every // PENDULUMS):
            moved = self._step()
            rewards.append(moved.rewards)
        require_finite(self.run.name, self.steps, self.learner)
        line = {"steps": self.steps, "training_reward": float(np.mean(rewards)), **self.evaluate()}
        line["temperature"] = float(np.exp(self.learner.log_temperature))
        self.curve.append(line)
        self.cpu += time.process_time() - started

    def _step(self) -> Moved:
        """Every pendulum moves once; then as many updates as there are pendulums."""
        rng = np.random.default_rng([self.run.seed, self.steps])
        act_key, update_key = jax.random.split(jax.random.fold_in(self.key, self.steps))
        if self.steps < AT_RANDOM:
            actions = rng.uniform(-1.0, 1.0, (PENDULUMS, 1)).astype(np.float32)
        else:
            actions = np.asarray(ACT(self.learner.policy, self.fleet.windows, act_key)[0])
        moved = self.fleet.step(actions)
        self.replay.add(moved._replace(rewards=REWARD_SCALE * moved.rewards))
        self.steps += PENDULUMS
        if self.steps >= AT_RANDOM:
            batches = Batch(**self.replay.draw(rng, (PENDULUMS, BATCH)))
            self.learner = UPDATES(self.learner, batches, self.settings, update_key)
        return moved

    def evaluate(self) -> dict[str, Any]:
        """One episode of each of four fresh pendulums, the same at every evaluation, by the means.

        Gymnasium's own return of each, and the mean over steps of the paper's reward.
        """
        fleet = Fleet(TASKS[self.run.task], PENDULUMS, 10_000 + self.run.seed, self.run.slip)
        running = np.ones(PENDULUMS, bool)
        returns, rewards = np.zeros(PENDULUMS), []
        for _ in range(LONGEST):
            moved = fleet.step(np.asarray(ACT_BY_MEAN(self.learner.policy, fleet.windows)))
            returns += running * moved.earned
            rewards.extend(moved.rewards[running].tolist())
            running = running & ~moved.over
            if not running.any():
                break
        return {"returns": returns.tolist(), "reward": float(np.mean(rewards))}

    def save(self, path: Path) -> None:
        """All of it in one file, which is there whole or not at all."""
        leaves = jax.tree.leaves(eqx.filter(self.learner, eqx.is_array))
        facts = {"steps": self.steps, "cpu": self.cpu, "curve": self.curve}
        arrays = {
            **{f"learner_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)},
            **{f"fleet_{name}": array for name, array in self.fleet.state.items()},
            **{f"replay_{name}": c[: self.replay.seen] for name, c in self.replay.columns.items()},
            "seen": np.asarray(self.replay.seen),
            "facts": np.asarray(json.dumps(facts)),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.savez(file, **arrays)

    def load(self, path: Path) -> None:
        arrays, rest = eqx.partition(self.learner, eqx.is_array)
        shape = jax.tree.structure(arrays)
        with np.load(path) as saved:
            leaves = [jax.numpy.asarray(saved[f"learner_{i}"]) for i in range(shape.num_leaves)]
            self.fleet.restore({name: saved[f"fleet_{name}"] for name in self.fleet.state})
            self.replay.seen = int(saved["seen"])
            for name, column in self.replay.columns.items():
                column[: self.replay.seen] = saved[f"replay_{name}"]
            facts = json.loads(str(saved["facts"]))
        self.learner = eqx.combine(jax.tree.unflatten(shape, leaves), rest)
        self.steps, self.cpu, self.curve = facts["steps"], facts["cpu"], facts["curve"]


def require_finite(name: str, steps: int, learner: Any) -> None:
    """**Raises:** `ValueError` for a learner with a number that is not finite."""
    leaves = jax.tree.leaves(eqx.filter(learner, eqx.is_inexact_array))
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise ValueError(
            f"{name}: after {steps} steps what is learned is no longer finite, and so neither are "
            "its actions. The checkpoint before is kept: look at the currents into the units and "
            "at the gradients from there on."
        )


def carry_out(run: Run, results: Path, scratch: Path, seconds: float = math.inf) -> None:
    """The run, from its checkpoint if there is one; its curve is written at every evaluation.

    After so many `seconds` it stops at the next evaluation.
    """
    began, agent, checkpoint = time.monotonic(), Agent(run), scratch / f"{run.name}.npz"
    if checkpoint.exists():
        agent.load(checkpoint)
    numbers = jax.tree.leaves(eqx.filter(agent.learner.policy, trainable(agent.learner.policy)))
    while agent.steps < run.steps and time.monotonic() - began < seconds:
        agent.advance()
        agent.save(checkpoint)
        found = {
            "run": run._asdict(),
            "parameters": sum(x.size for x in numbers),
            "cpu_seconds": round(agent.cpu, 1),
            "versions": {name: version(name) for name in ("jax", "gymnasium", "mujoco")},
            "curve": agent.curve,
        }
        results.mkdir(parents=True, exist_ok=True)
        with whole_file(results / f"{run.name}.json") as file:
            file.write((json.dumps(found, indent=1) + "\n").encode())
        line = agent.curve[-1]
        print(f"{run.name}: {line['steps']} steps, returns {np.round(line['returns'])}", flush=True)


def tuning(actor: str) -> list[Run]:
    """What each actor is tuned by: two scales of its observations, one seed, one task."""
    return [Run("single", actor, 100, TUNING_STEPS, EVERY, scale) for scale in SCALES]


def score(found: dict[str, Any]) -> float:
    """The mean return over all evaluations of a run: the area under its curve."""
    return float(np.mean([line["returns"] for line in found["curve"]]))


def tuned(actor: str, results: Path) -> float:
    """The scale with the best score, once both are there.

    **Raises:** `ValueError` if tuning is not complete.
    """
    scores = {}
    for run in tuning(actor):
        path = results / "tuning" / f"{run.name}.json"
        found = json.loads(path.read_text()) if path.exists() else {"curve": []}
        if not found["curve"] or found["curve"][-1]["steps"] < run.steps:
            raise ValueError(
                f"{run.name} is missing: first give the command "
                f"`python -m experiments.reinforcement tune {actor}`."
            )
        scores[run.scale] = score(found)
    return max(scores, key=lambda scale: scores[scale])


def everything(results: Path, scratch: Path, seconds: float) -> None:
    """All actors are tuned; then come all runs, one seed after the other."""
    began = time.monotonic()

    def left() -> float:
        return seconds - (time.monotonic() - began)

    for run in (run for actor in ACTORS for run in tuning(actor)):
        carry_out(run, results / "tuning", scratch, left())
    for task, seeds in SEEDS.items():
        for seed, actor in itertools.product(seeds, ACTORS):
            if left() <= 0.0:
                return
            run = Run(task, actor, seed, STEPS[task], EVERY, tuned(actor, results))
            carry_out(run, results / "runs", scratch, left())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("tune", "run", "all"))
    parser.add_argument("actor", choices=ACTORS, nargs="?", default="hh")
    parser.add_argument("--task", choices=tuple(TASKS), default="single")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of the environment")
    parser.add_argument("--scale", type=float, help="of observations; default: the tuned one")
    parser.add_argument("--slip", action="store_true", help="the released reward, with its slip")
    parser.add_argument("--seconds", type=float, default=math.inf, help="then stop; go on later")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--scratch", type=Path, default=HERE.parent / "build" / "reinforcement")
    given = parser.parse_args()
    if given.what == "all":
        return everything(given.results, given.scratch, given.seconds)
    if given.what == "tune":
        for run in tuning(given.actor):
            carry_out(run, given.results / "tuning", given.scratch, given.seconds)
        return None
    scale = tuned(given.actor, given.results) if given.scale is None else given.scale
    steps = STEPS[given.task] if given.steps is None else given.steps
    run = Run(given.task, given.actor, given.seed, steps, EVERY, scale, given.slip)
    return carry_out(run, given.results / "runs", given.scratch, given.seconds)


if __name__ == "__main__":
    main()
