"""What the attention circuit does without one of its parts: each must break the theorem."""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import simulate
from tripartite.attention import AttentionCircuit, CircuitState, PositiveRandom, Presented, write
from tripartite.core import AbstractRelaxation, Relaxation
from tripartite.proofs.attention.inputs import CANCELLATION, Case, draw
from tripartite.proofs.attention.trajectory import solver_tolerance
from tripartite.proofs.certificate import Claim

MUTATIONS = (
    "nothing changed",
    "calcium diffusion off",
    "normaliser off (synapses decay at 1/tau_s)",
    "keys not summed (calcium from the last key alone)",
)
_TOKENS, _FEATURES, _NEURONS = 12, 8, 3


class Mutant(AbstractRelaxation):
    """The attention circuit with the diffusion of calcium, or the division by it, switched off.

    **Arguments:** `circuit` the original; `diffuses` 1, or 0 where calcium stays put; `divides` 1,
    or 0 where synapses decay at 1/tau_s instead of p/tau_s.
    """

    circuit: AttentionCircuit
    diffuses: Array
    divides: Array

    def init(self) -> CircuitState:
        return self.circuit.init()

    def blocks(self) -> CircuitState:
        return self.circuit.blocks()

    def relax(self, t: Array, y: CircuitState, u: Presented) -> Relaxation:
        found = self.circuit.relax(t, y, u)
        undivided = (1.0 - self.divides) / self.circuit.tau_s
        return Relaxation(
            found.drive._replace(p=self.diffuses * found.drive.p),
            found.decay._replace(
                s=self.divides * found.decay.s + undivided, p=self.diffuses * found.decay.p
            ),
        )


def control_claims() -> Iterator[Claim]:
    """Each mutation misses linear attention by ten thousand times the trajectory's bound."""
    gaps = functools.cache(mutant_gaps)
    for index, name in enumerate(MUTATIONS[1:], start=1):
        yield Claim(
            name=f"control: {name}",
            rung="negative control",
            bound=1e4 * 10 * CANCELLATION * solver_tolerance(),
            why="ten thousand times the bound under which the circuit itself arrives",
            measure=functools.partial(lambda i: gaps()[i], index),
            above=True,
        )


def mutant_gaps() -> list[float]:
    """How far each of `MUTATIONS` ends from linear attention, relative to the largest value."""
    case = _case()
    queries, keys = case.rates()
    circuit = AttentionCircuit(_NEURONS, _FEATURES, tau_p=2.4, gauge=8.0)

    def run(diffuses: Array, divides: Array, sums: Array) -> Array:
        y, memory = write(circuit, keys, case.v, dt=1.0)
        key_sum = sums * memory.facilitation + (1.0 - sums) * keys[-1]
        y0 = y._replace(p=circuit.calcium(memory._replace(facilitation=key_sum), queries[0]))
        u = circuit.reading(memory, queries[0])
        solution = simulate(Mutant(circuit, diffuses, divides), u, t1=80.0, y0=y0, dt=1.0)
        return solution.stats["y1"].x

    # One row for each mutation: the switch that it turns off.
    outputs = jax.jit(jax.vmap(run))(*(1.0 - jnp.eye(4)[1:]))
    gaps = jnp.max(jnp.abs(outputs - case.target()), axis=-1) / jnp.max(jnp.abs(case.v))
    return [float(gap) for gap in gaps]


def _case() -> Case:
    features = PositiveRandom(_FEATURES, 4, key=jax.random.key(9), stabilise=False)
    q, k, v = draw(9, (1, 4), (_TOKENS, 4), (_TOKENS, _NEURONS))
    return Case("positive random", features, 0.5 * q, 0.5 * k, v)
