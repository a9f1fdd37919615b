"""The measured tables of the page on memories: `python docs/measure_memory.py` (two minutes)."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tripartite import memory as mem

NEURONS = 100
CAPACITIES = ((2, 21, 10_000), (3, 723, 1_000), (4, 14_476, 100))  # power, memories, draws
WRITTEN, DRAWS = (8, 12, 16, 20, 24), 4


def share(z: float) -> float:
    """Phi, the normal distribution."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def finite_sums(n: int, memories: int) -> float:
    """The rate of wrong bits with the moments of finite sums.

    The signal is N^n - (N - 2)^n. Every other memory adds (S + 1)^n - (S - 1)^n with a random
    sign, S a sum of N - 1 random bits.
    """
    ups = range(NEURONS)
    squares = (
        math.comb(NEURONS - 1, up) * ((s + 1) ** n - (s - 1) ** n) ** 2
        for up, s in zip(ups, range(1 - NEURONS, NEURONS, 2), strict=True)
    )
    variance = (memories - 1) * sum(squares) / 2 ** (NEURONS - 1)
    return share(-(NEURONS**n - (NEURONS - 2) ** n) / math.sqrt(variance))


def mean_and_error(of_draws: Any, digits: int = 4) -> str:
    """The mean of independent draws and its standard error, from their spread."""
    error = np.std(of_draws, ddof=1) / np.sqrt(len(of_draws))
    return f"{np.mean(of_draws):.{digits}f} ± {error:.{digits}f}"


def single_bits(n: int, memories: int, draws: int) -> str:
    """A row: wrong bits of a stored pattern, one at a time and swept; seed n."""
    rng = np.random.default_rng(n)

    @jax.jit
    def wrong(patterns: Any) -> Any:
        x = 2.0 * patterns - 1.0
        gaps = mem.dense_gaps(x, x[0], lambda z: z**n)
        swept = mem.dense_update(x, x[0], lambda z: z**n, asynchronous=True)
        return jnp.mean(gaps * x[0] <= 0), jnp.mean(swept != x[0])

    rates = np.array([wrong(rng.integers(0, 2, (memories, NEURONS))) for _ in range(draws)])
    factor = math.prod(range(1, 2 * n - 2, 2))
    theory = share(-math.sqrt(NEURONS ** (n - 1) / (factor * memories)))
    columns = [f"{theory:.4f}", f"{finite_sums(n, memories):.4f}", *map(mean_and_error, rates.T)]
    return f"| {n} | {memories:,} | {' | '.join(columns)} |"


@eqx.filter_jit
def recalled(memory: Any, cues: Any, dt: float | None) -> Any:
    """What the neurons send out 20 ms after each cue, in adaptive steps or fixed ones."""
    return jax.vmap(lambda cue: mem.retrieve(memory, cue, t1=20.0, dt=dt).output)(cues)


def survivors(neurons: int, dt: float | None, seed: int) -> list[int]:
    """How many of the patterns written so far are recalled in every bit, as writing goes on."""
    rng = np.random.default_rng(seed)
    patterns = rng.choice([-1.0, 1.0], (WRITTEN[-1], neurons))
    cues = [x * np.where(rng.permutation(neurons) < neurons // 8, -1.0, 1.0) for x in patterns]
    memory = mem.NeuronAstrocyteMemory.strong_transport(np.zeros_like(patterns))
    counts = []
    for written, pattern in enumerate(patterns, start=1):
        memory = memory.write(jnp.asarray(pattern))
        if written in WRITTEN:
            right = np.sign(recalled(memory, jnp.asarray(cues), dt)) == patterns
            counts.append(int(np.sum(np.all(right, axis=1)[:written])))
    return counts


def main() -> None:
    """Both tables, as the page has them; of the second, seeds 0 to 3."""
    print("| n | K | theory | with the moments of finite sums | measured | in a sweep |")
    print("|---|---|---|---|---|---|")
    for row in CAPACITIES:
        print(single_bits(*row))
    print("\n| N | steps |", " | ".join(f"of {written}" for written in WRITTEN), "|")
    print("|---|---|" + "---|" * len(WRITTEN))
    for neurons, dt in ((32, None), (32, 0.1), (64, None)):
        counts = np.array([survivors(neurons, dt, seed) for seed in range(DRAWS)])
        cells = [mean_and_error(column, 2) for column in counts.T]
        steps = "adaptive" if dt is None else f"{dt} ms"
        print(f"| {neurons} | {steps} |", " | ".join(cells), "|")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
