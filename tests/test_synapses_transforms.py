"""Synapses under grad, jit and vmap, in both precisions, and what they say to bad input."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import tripartite as tp
from tripartite import synapses
from tripartite.core import Cleft
from tripartite.stimuli import AbstractStimulus

DT, T1 = 0.1, 30.0


class Wave(AbstractStimulus):
    """`mean + height * (squared sine)`: a smooth stand-in for spikes, or for gliotransmitter."""

    mean: jax.Array
    height: jax.Array
    period: jax.Array

    def __call__(self, t):
        return self.mean + self.height * jnp.sin(jnp.pi * t / self.period) ** 2

    def jumps(self):
        return jnp.zeros((0,), self.period.dtype)


def wave(*numbers):
    return Wave(*(jnp.asarray(x) for x in numbers))


def smooth_terminal(receptor=None):
    trigger = synapses.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
    receptor = synapses.DoubleExponential() if receptor is None else receptor
    return synapses.MeanFieldTsodyksMarkram(receptor, trigger=trigger)


SMOOTH = {
    "ampa": synapses.ampa,
    "nmda": synapses.nmda,
    "gaba_b": synapses.gaba_b,
    "mean field": smooth_terminal,
    "tripartite": lambda: synapses.SmoothTripartiteSynapse(smooth_terminal(), effect=0.9),
    "triplet": lambda: synapses.SmoothPlasticSynapse(
        synapses.SmoothTripartiteSynapse(smooth_terminal(synapses.Exponential()), effect=0.1),
        synapses.visual_cortex(full=True),
    ),
}
EVENTS = {
    "exponential": synapses.Exponential,
    "double": lambda: synapses.DoubleExponential(block=synapses.MagnesiumBlock()),
    "pulsed": lambda: synapses.gaba_b(pulsed=True),
    "terminal": lambda: synapses.TsodyksMarkram(synapses.ampa(pulsed=True)),
    "tripartite event": lambda: synapses.TripartiteSynapse(
        synapses.TsodyksMarkram(synapses.Exponential()), effect=0.9
    ),
    "plastic": lambda: synapses.PlasticSynapse(
        synapses.TripartiteSynapse(synapses.TsodyksMarkram(synapses.Exponential())),
        synapses.PairSTDP(),
    ),
}
ALL = SMOOTH | EVENTS


@functools.cache
def heard():
    return synapses.spike_train(
        [3.0, 8.0, 10.0, 21.0], t1=T1, dt=DT, post_times=[5.0, 9.0],
        v_pre=wave(-65.0, 90.0, 7.0), v_post=wave(-70.0, 60.0, 9.0),
        modulation=wave(0.0, 3.0, 40.0),
    )  # fmt: skip


def some(names, *slow):
    """The names, with those that are parts of the others left for `--slow`."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in slow else n for n in names]


def outputs(model, train, t1=T1):
    """Everything a network reads of a synapse, after each millisecond."""

    def ports(y):
        v = jnp.asarray(-40.0, jax.tree.leaves(y)[0].dtype)
        return model.conductance(y, v)[0], model.transmitter(y), model.ports(y).get("weight")

    sol = tp.simulate(model, train, t1=t1, dt=DT, record=ports, save_every=1.0)
    return jax.tree.map(lambda x: x[1:], sol.ys)


def relative(model, theta, rebuild):
    """The model with parameter i multiplied by 1 + theta_i."""
    numbers, structure = eqx.partition(model, eqx.is_inexact_array)
    scaled = jax.tree.map(lambda x, s: x * (1.0 + s), numbers, rebuild(theta))
    return eqx.combine(scaled, structure)


# A tripartite terminal with spikes on the grid is smooth in its parameters, too: they move no
# spike.
@pytest.mark.parametrize(
    "name", some([*SMOOTH, "tripartite event"], "ampa", "gaba_b", "mean field", "tripartite")
)
def test_gradients(name):
    model, train = ALL[name](), heard()
    zeros, rebuild = ravel_pytree(jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_array)))
    sizes = [float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(outputs(model, train))]

    def loss(theta):
        found = jax.tree.leaves(outputs(relative(model, theta, rebuild), train))
        weight = jnp.sin(0.3 * jnp.arange(1.0, T1 + 1.0)) + 1.5
        return sum(jnp.mean(weight * x) / (s or 1.0) for x, s in zip(found, sizes, strict=True))

    step = 2e-3
    shifts = step * jnp.asarray([1.0, -1.0, 2.0, -2.0])
    rows = (shifts[:, None, None] * jnp.eye(zeros.size)[None, :, :]).reshape(-1, zeros.size)
    values = jax.jit(jax.vmap(loss))(rows).reshape(4, -1)
    # Fourth order: step^4 / 30 = 5e-13 of the fifth derivative, and round-off eps / step = 1e-13.
    finite = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step)
    # Forward along one direction with a share of every parameter: compiling all of them is dear.
    along = 1.0 + 0.5 * jnp.cos(jnp.arange(1.0, zeros.size + 1.0))
    reverse = jax.jit(jax.grad(loss))(zeros)
    _, forward = jax.jit(lambda x: jax.jvp(loss, (x,), (along,)))(zeros)
    largest = float(jnp.max(jnp.abs(finite)))
    assert largest > 0.1
    np.testing.assert_allclose(reverse, finite, rtol=0, atol=1e-5 * largest)
    assert float(jnp.abs(reverse @ along - forward)) < 1e-8 * largest
    # A gradient of nothing would pass as well: most parameters matter.
    assert np.mean(np.abs(np.asarray(reverse)) > 1e-6 * largest) > 0.5


def test_gradient_through_a_spike_is_the_surrogate_s():
    # `spike` multiplies what it causes, so that a surrogate's gradient passes through the jump.
    model = synapses.TripartiteSynapse(synapses.TsodyksMarkram(synapses.Exponential()))
    y, v = model.init(), jnp.asarray(-65.0)

    def conductance(spike):
        after = model.jump(jnp.asarray(1.0), y, y, Cleft(v, v, spike))
        return model.conductance(after, v)[0]

    # g = weight (u + U (1 - u)) x spike.
    value, slope = jax.value_and_grad(conductance)(jnp.asarray(1.0))
    assert float(value) == pytest.approx(0.05 * 0.6)
    assert float(slope) == pytest.approx(0.05 * 0.6)


@pytest.mark.parametrize("name", ["nmda", "tripartite event"])
def test_edges_are_independent(name):
    """vmap over weights and spikes equals one synapse at a time, to fused rounding."""
    model, train = ALL[name](), heard()
    spikes = jnp.stack([train.spikes, jnp.roll(train.spikes, 17), 0 * train.spikes])
    scale = jnp.asarray([0.5, 1.0, 2.0])

    def solve(factor, arriving):
        zeros, rebuild = ravel_pytree(jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_array)))
        one = relative(model, zeros.at[0].set(0.1 * factor), rebuild)
        return outputs(one, eqx.tree_at(lambda s: s.spikes, train, arriving))

    together = jax.jit(jax.vmap(solve))(scale, spikes)
    single = jax.jit(solve)
    for i in range(3):
        alone = single(scale[i], spikes[i])
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-12, atol=1e-18)


def test_edges_as_arrays():
    """The same class with an array of weights, without vmap: elementwise code."""
    weights = jnp.asarray([0.1, 0.2, 0.7])
    train = synapses.spike_train([3.0], t1=10.0, dt=DT)
    many = tp.simulate(synapses.Exponential(weights), train, t1=10.0, dt=DT).ys["g"]
    one = tp.simulate(synapses.Exponential(1.0), train, t1=10.0, dt=DT).ys["g"]
    np.testing.assert_allclose(many, one[:, None] * weights[None, :], rtol=1e-13)


@pytest.mark.parametrize(
    "name", some(ALL, "ampa", "nmda", "mean field", "tripartite", "terminal", "tripartite event")
)
def test_conforms(name):
    u = Cleft(*(jnp.asarray(x) for x in (-20.0, -50.0, 1.0, 0.5, 1.0, 0.02, 0.03)))
    tp.testing.check(ALL[name](), u).assert_ok()


@pytest.mark.parametrize("name", ["tripartite", "plastic"])
def test_float32_follows_float64(name):
    model, train = ALL[name](), heard()
    double = outputs(model, train, 10.0)
    single = outputs(*tp.astype((model, train), jnp.float32), 10.0)
    for a, b in zip(jax.tree.leaves(double), jax.tree.leaves(single), strict=True):
        assert b.dtype == jnp.float32
        # 100 steps of a few roundings each; the rest of the fourth power of the G-protein.
        scale = float(jnp.max(jnp.abs(a))) + 1e-30
        assert float(jnp.max(jnp.abs(a - b.astype(a.dtype)))) < 2e-4 * scale


def test_smooth_synapses_solve_adaptively():
    model = SMOOTH["tripartite"]()
    train = synapses.spike_train(
        t1=T1, dt=DT, v_pre=wave(-65.0, 90.0, 7.0), modulation=wave(0.0, 3.0, 40.0)
    )
    adaptive = tp.simulate(model, train, t1=T1, rtol=1e-9, atol=1e-9).stats["y1"]
    fixed = [tp.simulate(model, train, t1=T1, dt=dt).stats["y1"] for dt in (0.2, 0.1)]
    gaps = [abs(float(y.terminal.x - adaptive.terminal.x)) for y in fixed]
    # Second order in the step.
    assert gaps[0] / gaps[1] == pytest.approx(4.0, abs=0.6)
    with pytest.raises(ValueError, match="TripartiteSynapse jumps between steps"):
        tp.simulate(EVENTS["tripartite event"](), train, t1=T1)


def trained(**changed):
    return synapses.spike_train(**{"times": [1.0], "t1": 10.0, "dt": 0.1} | changed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: synapses.Exponential(-0.1),
            r"Exponential\.weight must lie in \[0, infinity\), got -0\.1: a conductance has",
        ),
        (lambda: synapses.GapJunction(-1.0), r"GapJunction\.weight must lie in \[0, infinity\)"),
        (lambda: synapses.ampa(-1.0, pulsed=True), r"PulsedSynapse\.weight must lie in"),
        (lambda: synapses.ampa(-1.0), r"GradedSynapse\.weight must lie in"),
        (lambda: synapses.Exponential(decay=0.0), r"Exponential\.decay must be positive, got 0"),
        (
            lambda: synapses.DoubleExponential(rise=6.0),
            r"rise must be shorter than its decay, got rise 6\.0 ms and decay 5\.0 ms: swap them",
        ),
        (lambda: synapses.nmda(magnesium=-1.0), r"MagnesiumBlock\.magnesium must lie in"),
        (
            lambda: synapses.TsodyksMarkram(synapses.Exponential(), utilisation=0.0),
            r"TsodyksMarkram\.utilisation must lie in \(0, 1\], got 0\.0: it is the fraction",
        ),
        (
            lambda: synapses.MeanFieldTsodyksMarkram(synapses.Exponential(), utilisation=1.2),
            r"MeanFieldTsodyksMarkram\.utilisation must lie in \(0, 1\], got 1\.2",
        ),
        (
            lambda: synapses.TsodyksMarkram(synapses.ampa()),
            r"receptor must be a synapse driven by spikes, got GradedSynapse: use Exponential",
        ),
        (
            lambda: synapses.MeanFieldTsodyksMarkram(synapses.ampa(pulsed=True)),
            r"receptor must be linear, to be driven by a mean release, got PulsedSynapse",
        ),
        (
            lambda: synapses.TripartiteSynapse(smooth_terminal()),
            r"must be a TsodyksMarkram, got MeanFieldTsodyksMarkram: change the terminal, or use S",
        ),
        (
            lambda: synapses.TripartiteSynapse(
                synapses.TsodyksMarkram(synapses.Exponential()), effect=-0.1
            ),
            r"TripartiteSynapse\.effect must lie in \[0, 1\], got -0\.1: it is the utilisation",
        ),
        (
            lambda: trained(times=[1.03]),
            r"times must lie in \(0, 10\] ms on the grid of dt = 0\.1 ms, got 1\.03 ms: round",
        ),
        (lambda: trained(times=[0.0]), r"times must lie in \(0, 10\] ms .* got 0\.0 ms"),
        (
            lambda: trained(times=[0.3, 0.3]),
            r"two of times fall on the step that ends at 0\.3 ms: a cell fires once in a step",
        ),
        (lambda: trained(post_times=[11.0]), r"post_times must lie in \(0, 10\] ms"),
        (lambda: trained(dt=0.0), r"needs 0 < dt <= t1, got dt = 0\.0 and t1 = 10\.0 ms"),
        (
            lambda: tp.simulate(synapses.Exponential(), 1.0, t1=1.0, dt=0.1),
            r"a synapse's input is a core\.Cleft, got .*: put the synapse into a network, or drive",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_spikes_arrive_at_the_end_of_their_step():
    train = trained(times=[0.3, 10.0])
    counts = [float(train(jnp.asarray(t)).spike) for t in (0.2, 0.3, 0.4, 10.0, 10.1, 0.0)]
    assert counts == [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
