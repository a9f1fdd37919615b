"""The neuron-astrocyte memory: equations, energy, transport, recall with and without it."""

import functools

import equinox as eqx
import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.memory import LogCosh, NeuronAstrocyteMemory, NeuronAstrocyteState, retrieve

TAUS = {"tau_n": 0.7, "tau_s": 1.3, "tau_p": 2.1}
LEAKS = {"leak_n": 0.8, "leak_s": 0.6, "leak_p": 1.4}
GAINS = {"neuron": LogCosh(1.5), "synapse": LogCosh(0.9), "process": LogCosh(2.0)}


def symmetric_state(n, seed=0):
    rng = np.random.default_rng(seed)
    s, p = rng.standard_normal((2, n, n))
    return rng.standard_normal(n), s + s.T, p + p.T


def transport_of(patterns, c):
    """T itself, N^4 numbers, as the paper writes it."""
    return c * np.einsum("mi,mj,mk,ml->ijkl", patterns, patterns, patterns, patterns)


@functools.cache
def small():
    patterns = np.random.default_rng(1).standard_normal((2, 4))
    memory = NeuronAstrocyteMemory(patterns, transport=0.3, **TAUS, **LEAKS, **GAINS)
    return memory, transport_of(patterns, 0.3)


def test_the_energy_and_its_gradient_are_the_written_equations():
    memory, transport = small()
    x, s, p = symmetric_state(4)
    b = np.array([0.2, -0.1, 0.4, 0.0])
    phi, g, psi = np.tanh(1.5 * x), np.tanh(0.9 * s), np.tanh(2.0 * p)
    carried = np.einsum("ijkl,kl->ij", transport, psi)
    y = NeuronAstrocyteState(*map(jnp.asarray, (x, s, p)))

    @eqx.filter_jit
    def everything(memory, y, b):
        slope = memory.vector_field(jnp.zeros(()), y, b)
        rate = jax.jvp(lambda y: memory.energy(y, b), (y,), (slope,))[1]
        return slope, memory.energy(y, b), rate, memory.dissipation(y, b), memory.residual(y, b)

    slope, energy, rate, dissipation, residual = everything(memory, y, jnp.asarray(b))
    dx = (-0.8 * x + g @ phi + b) / 0.7
    ds = (-0.6 * s + np.outer(phi, phi) + psi) / 1.3
    dp = (-1.4 * p + carried + g) / 2.1
    for found, expected in zip(slope, (dx, ds, dp), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    expected = 0.8 * (x @ phi - np.sum(np.log(np.cosh(1.5 * x))) / 1.5) - b @ phi
    expected += 0.3 * (np.sum(s * g) - np.sum(np.log(np.cosh(0.9 * s))) / 0.9)
    expected += 0.7 * (np.sum(p * psi) - np.sum(np.log(np.cosh(2.0 * p))) / 2.0)
    expected -= 0.5 * phi @ g @ phi + 0.5 * np.sum(psi * g) + 0.25 * np.sum(psi * carried)
    np.testing.assert_allclose(energy, expected, rtol=1e-12)
    # Quadratic form of theory, with the Hessians beta (1 - a^2).
    theory = -0.7 * np.sum(1.5 * (1 - phi**2) * dx**2)
    theory -= 0.65 * np.sum(0.9 * (1 - g**2) * ds**2) + 1.05 * np.sum(2.0 * (1 - psi**2) * dp**2)
    np.testing.assert_allclose(dissipation, theory, rtol=1e-11)
    np.testing.assert_allclose(rate, theory, atol=1e-10)
    worst = max(np.abs(0.7 * dx).max(), np.abs(1.3 * ds).max(), np.abs(2.1 * dp).max())
    np.testing.assert_allclose(residual, worst, rtol=1e-12)


def test_transport_is_never_formed():
    """No intermediate has more than K N or N^2 numbers: T would have N^4 = 160,000."""
    memory = NeuronAstrocyteMemory(np.ones((25, 20)))
    jaxpr = jax.make_jaxpr(lambda y: memory.vector_field(jnp.zeros(()), y, None))(memory.init())

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (np.prod(v.aval.shape) for v in equation.outvars)
            for inner in jax.extend.core.jaxprs_in_params(equation.params):
                yield from sizes(inner)

    assert max(sizes(jaxpr.jaxpr)) == 25 * 20


def test_the_published_start_is_the_fixed_point_of_theory():
    """alpha = gamma = 0: psi = -phi phi, g = T phi phi stop s and p; x then sees T phi phi phi."""
    rng = np.random.default_rng(2)
    patterns = rng.choice([-1.0, 1.0], (3, 12))
    memory = NeuronAstrocyteMemory(patterns, leak_s=0.0, leak_p=0.0)
    cue = rng.standard_normal(12)

    @eqx.filter_jit
    def fields(memory, cue):
        y, reduced = memory.start(cue, processes=True, synapses=True), memory.reduced()
        at_rest, t = reduced.start(cue), jnp.zeros(())
        slopes = memory.vector_field(t, y, None), reduced.vector_field(t, at_rest, None)
        return *slopes, reduced.energy(at_rest)

    slope, field, reduced_energy = fields(memory, jnp.asarray(cue))
    # artanh near 1, where phi phi of the largest cues is, loses digits: 1e-10 of 1e-16 / (1 - a).
    assert np.max(np.abs(slope.s)) < 1e-10 and np.max(np.abs(slope.p)) < 1e-10
    phi = np.tanh(5 * cue)
    drive = patterns.T @ (patterns @ phi) ** 3 / 12**3
    np.testing.assert_allclose(slope.x, drive - cue, atol=1e-12)
    # So does the reduced memory, its hidden neurons at rest.
    np.testing.assert_allclose(field.v, drive - cue, atol=1e-12)
    energy = cue @ phi - np.sum(np.log(np.cosh(5 * cue))) / 5
    energy -= np.sum((patterns @ phi) ** 4) / 4 / 12**3
    np.testing.assert_allclose(reduced_energy, energy, rtol=1e-12)


def cued(n, count, seeds):
    """Patterns for each seed, and the first of them with an eighth of its bits flipped."""
    patterns, cues = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x = rng.choice([-1.0, 1.0], (count, n))
        cues.append(x[0] * np.where(rng.permutation(n) < n // 8, -1.0, 1.0))
        patterns.append(x)
    return np.array(patterns), np.array(cues)


@eqx.filter_jit
def run(memories, cues, processes, t1, tolerance):
    """The activity at the end, the energy on the way, the residual and the asymmetry."""

    @eqx.filter_vmap(in_axes=(eqx.if_array(0), 0))
    def one(memory, cue):
        solution = tp.simulate(
            memory,
            t1=t1,
            y0=memory.start(cue, processes=processes),
            rtol=tolerance,
            atol=tolerance,
            save_every=0.5,
            record=lambda y: memory.energy(y),
        )
        y = solution.stats["y1"]
        return y.x, solution.ys, memory.residual(y), jnp.max(jnp.abs(y.s - y.s.T))

    return one(memories, cues)


def memories_of(patterns, transport, **parameters):
    """One memory for each set of patterns and each transport and tau_p."""

    @eqx.filter_vmap
    def make(patterns, transport, tau_p):
        return NeuronAstrocyteMemory(patterns, transport=transport, tau_p=tau_p, **parameters)

    return make(*map(jnp.asarray, (patterns, transport, np.ones(len(patterns)))))


@pytest.mark.gate
def test_recall_needs_the_transport():
    """From silent synapses, ten seeds: every pattern recalled with T, none without it.

    Energy falls all the way, and everything comes to rest.
    """
    n, seeds = 16, 10
    patterns, cues = cued(n, 2, range(seeds))
    strong = NeuronAstrocyteMemory.strong_transport(patterns[0])
    assert float(strong.transport) == 4 / n**2 and float(strong.neuron.beta) == 10 / n
    transport = np.repeat([4.0 / n**2, 0.0], seeds)
    memories = memories_of(np.tile(patterns, (2, 1, 1)), transport, neuron=LogCosh(10.0 / n))
    x, energies, residual, asymmetry = run(memories, np.tile(cues, (2, 1)), False, 30.0, 1e-8)
    overlap = np.mean(np.sign(x) * np.tile(patterns[:, 0], (2, 1)), axis=1)
    assert np.mean(np.abs(overlap[:seeds])) > 0.95 and np.min(overlap[:seeds]) > 0.8
    np.testing.assert_array_equal(overlap[seeds:], 0.75)  # the cue's own
    assert np.min(np.abs(x)) > 1.0  # activity, not the sign of a vanishing one
    # Energies of some N^2 = 256 are rounded to 1e-13 and known along the path to its tolerance.
    assert np.max(np.diff(energies, axis=1)) < 1e-9
    # What is left of tau dy/dt after 30 time constants; the solver's tolerance of states of 16.
    assert np.max(residual) < 1e-6 and np.max(asymmetry) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("n", "count"), [(32, 3), (64, 6)])
def test_recall_needs_the_transport_in_larger_memories(n, count):
    patterns, cues = cued(n, count, range(10))
    for transport, low, high in ((4.0 / n**2, 0.97, 1.0), (0.0, 0.75, 0.75)):
        memories = memories_of(patterns, np.full(10, transport), neuron=LogCosh(10.0 / n))
        x, energies, residual, _ = run(memories, cues, False, 30.0, 1e-8)
        overlap = np.mean(np.sign(x) * patterns[:, 0], axis=1)
        assert low <= np.mean(overlap) <= high
        assert np.max(np.diff(energies, axis=1)) < 1e-9 and np.max(residual) < 1e-5


@pytest.mark.slow
def test_silent_synapses_and_set_processes_leave_an_echo():
    """psi = -phi phi at the start, s = 0, with the authors' gains and c = 1/N^3: no recall.

    Activity dies out, for the synapses turn negative and stay. What T does is to turn what is left
    towards the pattern (or its negative): |overlap| 1 with it; without it, all neurons are one up
    to a sign, and the cue's overlap stays.
    """
    n, seeds = 16, 10
    patterns, cues = cued(n, 2, range(seeds))
    transport = np.repeat([1.0 / n**3, 0.0], seeds)
    memories = memories_of(np.tile(patterns, (2, 1, 1)), transport)
    x, energies, _, _ = run(memories, np.tile(cues, (2, 1)), True, 5.0, 1e-10)
    overlap = np.abs(np.mean(np.sign(x) * np.tile(patterns[:, 0], (2, 1)), axis=1))
    assert np.mean(overlap[:seeds]) > 0.95 and np.mean(overlap[seeds:]) < 0.8
    assert np.max(np.abs(x[:seeds])) < 2e-2
    assert np.median(np.abs(x[seeds:])) < 1e-3 * np.median(np.abs(x[:seeds]))
    assert np.max(np.diff(energies, axis=1)) < 1e-9


@pytest.mark.slow
def test_the_published_start_does_not_test_the_transport():
    """The tutorial's start recalls with T taken out of the dynamics, too."""
    patterns, cues = cued(16, 2, range(10))
    full = memories_of(patterns, np.full(10, 16.0**-3))
    for memories in (full, memories_of(patterns, np.zeros(10))):

        @eqx.filter_jit
        @eqx.filter_vmap(in_axes=(eqx.if_array(0), eqx.if_array(0), 0))
        def recalled(complete, memory, cue):
            y0 = complete.start(cue, processes=True, synapses=True)
            return retrieve(memory, cue, y0=y0, t1=30.0).output

        found = recalled(full, memories, cues)
        np.testing.assert_array_equal(np.sign(found), patterns[:, 0])


def test_writing_one_by_one_is_storing_all():
    patterns = np.random.default_rng(4).choice([-1.0, 1.0], (3, 6))
    memory = NeuronAstrocyteMemory.empty(6, 3)
    write = eqx.filter_jit(NeuronAstrocyteMemory.write)
    psi = jnp.asarray(symmetric_state(6)[1])
    for count, pattern in enumerate(patterns, start=1):
        memory = write(memory, jnp.asarray(pattern))
        explicit = np.einsum("ijkl,kl->ij", transport_of(patterns[:count], 6.0**-3), psi)
        np.testing.assert_allclose(memory.carried(psi), explicit, atol=1e-13)
    with pytest.raises(ValueError, match="all 3 places of this memory are taken"):
        memory.write(jnp.ones(6))
    with pytest.raises(eqx.EquinoxRuntimeError, match="all 3 places of this memory are taken"):
        write(memory, jnp.ones(6))
    with pytest.raises(ValueError, match=r"one bit for each neuron, shape \(6,\), got \(5,\)"):
        NeuronAstrocyteMemory.empty(6, 3).write(jnp.ones(5))


@pytest.mark.slow
def test_patterns_survive_further_writes():
    """N = 32, written one by one, with recalls in between: 12 patterns, and every one survives."""
    n, count = 32, 12
    patterns, rng = (
        np.random.default_rng(6).choice([-1.0, 1.0], (count, n)),
        np.random.default_rng(5),
    )
    cues = [x * np.where(rng.permutation(n) < n // 8, -1.0, 1.0) for x in patterns]

    @eqx.filter_jit
    def recalled(memory, cues):
        def one(cue):
            return retrieve(memory, cue, t1=20.0).output

        return jax.vmap(one)(cues)

    memory = NeuronAstrocyteMemory.strong_transport(np.zeros((count, n)))
    for written in range(1, count + 1):
        memory = memory.write(jnp.asarray(patterns[written - 1]))
        if written in (1, 2, 4, 8, 12):
            found = np.sign(recalled(memory, jnp.asarray(cues)))
            np.testing.assert_array_equal(found[:written], patterns[:written])


def test_float32_gradients_and_an_older_memory():
    patterns = jnp.asarray(np.random.default_rng(7).choice([-1.0, 1.0], (2, 8)), jnp.float32)
    memory = NeuronAstrocyteMemory.strong_transport(np.zeros((3, 8)))
    memory = tp.astype(memory, jnp.float32)
    for pattern in patterns:  # the second is written after the first, and leaves it in place
        memory = memory.write(pattern)
    cue = patterns[0].at[0].multiply(-1.0)

    @eqx.filter_jit
    def outcome(memory):
        solver = tp.solvers.SequentialExponential(midpoint=False)
        found = retrieve(memory, cue, t1=10.0, dt=0.25, solver=solver)
        return jnp.sum(found.output * patterns[0]), found

    (overlap, found), slope = eqx.filter_value_and_grad(outcome, has_aux=True)(memory)
    assert found.output.dtype == jnp.float32
    np.testing.assert_array_equal(np.sign(found.output), patterns[0])
    assert np.isfinite(slope.transport) and slope.patterns.dtype == jnp.float32
    # A neuron on the right side of a fixed point is the surer the greater its gain.
    assert float(overlap) > 7 and slope.neuron.beta > 0


@pytest.mark.slow
def test_conforms():
    memory, _ = small()
    tp.testing.check(memory, jnp.ones(4)).assert_ok()


def test_refusals():
    with pytest.raises(ValueError, match=r"NeuronAstrocyteMemory\.patterns must have one row for"):
        NeuronAstrocyteMemory(np.ones(3))
    with pytest.raises(ValueError, match=r"NeuronAstrocyteMemory\.tau_p must be positive"):
        NeuronAstrocyteMemory(np.ones((1, 3)), tau_p=-1.0)
    with pytest.raises(ValueError, match="no synapse can send T phi phi of this cue"):
        NeuronAstrocyteMemory(np.ones((1, 3)), transport=1.0).start(jnp.ones(3), synapses=True)
