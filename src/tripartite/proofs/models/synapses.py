"""Synapses: released fractions, facilitation, and two rules of plasticity."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import synapses
from tripartite.core.units import per_second
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.models import numbers
from tripartite.proofs.models.setting import record_of

STEP = 1.0
PAIRING_STEP = 5.0
LAGS = (10.0, -10.0)
WINDOW = (-80.0, -20.0, -1.0, 1.0, 10.0, 40.0)


@eqx.filter_jit
def _resources(synapse: Any, train: Any, bound: Array) -> Array:
    """x after each step, for each start of the bound receptors: `[cases, steps + 1]`."""

    def run(bound: Array) -> Array:
        start = synapse.init()._replace(bound=bound)
        t1 = STEP + numbers.TRAIN[-1]
        return record_of(synapse, train, y0=start, t1=t1, dt=STEP)["x"]

    return jax.vmap(run)(bound)


def fractions(terminal: synapses.TsodyksMarkram) -> Array:
    """The largest error of the released fractions after no, one and two releases of transmitter."""
    synapse = synapses.TripartiteSynapse(terminal)
    # The train starts a step after the solve.
    times = STEP + np.asarray(numbers.TRAIN)
    train = synapses.spike_train(times, t1=float(times[-1]), dt=STEP)
    before = jnp.asarray(numbers.BOUND) * jnp.exp(synapse.unbinding * STEP)
    x = _resources(synapse, train, before)
    at = np.rint(times / STEP).astype(int)
    ready = 1.0 - (1.0 - x[:, at - 1]) * jnp.exp(-STEP * terminal.recovery)
    return jnp.max(jnp.abs(ready - x[:, at] - jnp.asarray(numbers.FRACTIONS)))


def chapter_terminal() -> synapses.TsodyksMarkram:
    """The terminal of Stimberg et al. (2019)."""
    return synapses.TsodyksMarkram(synapses.Exponential())


def mean_release() -> Array:
    """The mean field at four rates: the largest error."""
    rates = jnp.asarray([0.1, 1.0, 10.0, 100.0]) * per_second
    found = chapter_terminal().mean_release(rates)
    return jnp.max(jnp.abs(found - jnp.asarray(numbers.MEAN_RELEASE)))


def facilitation() -> Array:
    """The threshold against its number, and the slope of the mean release at rate zero there.

    A terminal facilitates where its mean release grows with the rate: at the threshold the slope
    (ms) vanishes.
    """
    terminal = chapter_terminal()
    at = eqx.tree_at(lambda t: t.utilisation, terminal, terminal.facilitation_threshold())
    slope = jax.grad(at.mean_release)(jnp.zeros(()))
    off = terminal.facilitation_threshold() - numbers.FACILITATION
    # The slope's two terms are some 100 ms each: as a share of them.
    return jnp.maximum(jnp.abs(off), jnp.abs(slope) * terminal.recovery)


@eqx.filter_jit
def _weights(synapse: Any, trains: Any, t1: float, dt: float) -> Array:
    def run(train: Any) -> Array:
        record = {"w": lambda y: y.weight}
        settings = {"record": record, "save_every": t1}
        return record_of(synapse, train, t1=t1, dt=dt, **settings)["w"][-1]

    return jax.vmap(run)(trains)


def _together(trains: list[Any]) -> Any:
    return jax.tree.map(lambda *x: jnp.stack(x), *trains)


def ten_points(rule: synapses.TripletSTDP) -> Array:
    """The weight's change by sixty pairings at five frequencies, for either lag: `[2, 5]`."""
    trains, t1 = [], 20.0 + 1000.0 / numbers.FREQUENCIES[0] * 59 + 40.0
    for lag in LAGS:
        for frequency in numbers.FREQUENCIES:
            pre = 20.0 + 1000.0 / frequency * np.arange(60)
            trains.append(synapses.spike_train(pre, t1=t1, dt=PAIRING_STEP, post_times=pre + lag))
    synapse = synapses.PlasticSynapse(synapses.Exponential(), rule)
    return _weights(synapse, _together(trains), t1, PAIRING_STEP).reshape(2, 5) - 1.0


@cache
def _visual_cortex(precision: str) -> Array:
    return ten_points(synapses.visual_cortex())


def visual_cortex() -> Array:
    """The ten points of the minimal rule, solved once in each precision."""
    return _visual_cortex(str(jnp.result_type(float)))


def gap(changes: Array) -> Array:
    """The largest distance from the ten numbers."""
    return jnp.max(jnp.abs(changes - jnp.asarray(numbers.TEN_POINTS)))


def mean_squared_z() -> Array:
    """The mean squared deviation from the measured points, in standard errors."""
    errors = jnp.asarray(numbers.STANDARD_ERRORS)
    return jnp.mean(((visual_cortex() - jnp.asarray(numbers.MEASURED)) / errors) ** 2)


def pair_window() -> Array:
    """One pair of spikes against A exp(-|lag| / tau): the largest error."""
    rule = synapses.PairSTDP(tau_plus=17.0, tau_minus=34.0)
    trains = [
        synapses.spike_train([100.0], t1=200.0, dt=1.0, post_times=[100.0 + lag]) for lag in WINDOW
    ]
    synapse = synapses.PlasticSynapse(synapses.Exponential(), rule)
    change = _weights(synapse, _together(trains), 200.0, 1.0) - 1.0
    lag = np.asarray(WINDOW)
    expected = np.where(lag > 0, 5e-3 * np.exp(-lag / 17.0), -5.25e-3 * np.exp(lag / 34.0))
    return jnp.max(jnp.abs(change - jnp.asarray(expected, change.dtype)))


def claims() -> Iterator[Claim]:
    """Tsodyks and Markram, gliotransmission, and STDP."""
    eps = machine_epsilon()
    yield Claim(
        "Tsodyks-Markram, figure 3: 24 released fractions, after no, one and two releases",
        "trajectory",
        1e-9 + 320 * 4 * eps,
        "SciPy's receptors are good to 1e-10; between spikes the solution is exact, with four "
        "roundings in each of 320 steps",
        lambda: fractions(chapter_terminal()),
        float64_only=False,
    )
    yield Claim(
        "Tsodyks-Markram: mean release at 0.1, 1, 10, 100 Hz",
        "algebra",
        1e-10 + 16 * eps,
        "ten digits, and the rounding of a dozen operations",
        mean_release,
        float64_only=False,
    )
    yield Claim(
        "Tsodyks-Markram: facilitation starts below U = 0.37523, where the slope of release is 0",
        "algebra",
        1e-12 + 16 * eps,
        "twelve digits, and a difference of two numbers of order 1",
        facilitation,
        float64_only=False,
    )
    yield Claim(
        "triplet STDP: ten points, sixty pairings at 0.1 to 50 Hz",
        "trajectory",
        2e-12 + 120_000 * eps,
        "twelve digits; each of 120,000 steps multiplies traces by a factor good to an eps",
        lambda: gap(visual_cortex()),
        float64_only=False,
    )
    yield Claim(
        "triplet STDP against visual cortex: mean squared deviation in standard errors",
        "real input",
        1.0,
        "a model as good as the data deviates by their standard errors (Sjostrom et al. 2001)",
        mean_squared_z,
        float64_only=False,
    )
    yield Claim(
        "pair STDP: the window at six lags against A exp(-|lag| / tau)",
        "trajectory",
        8 * eps,
        "the weight is near 1 and is rounded there; its changes are 0.005",
        pair_window,
        float64_only=False,
    )
