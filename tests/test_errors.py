"""What bad input is told: what was given, what is needed, what to do."""

import re

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import astrocytes, cells, channels, layers, networks, stimuli
from tripartite.analysis import spike_times
from tripartite.attention.reading import Imperfections
from tripartite.core import AbstractDynamics, parameter
from tripartite.core.errors import SolveError
from tripartite.solvers import FixedSteps, SymmetricExponential
from tripartite.stimuli import ornstein_uhlenbeck

SQUID = cells.HodgkinHuxley()
LEAK = channels.Leak()


class Cubic(AbstractDynamics):
    rate: jax.Array = parameter(1.0, "1/ms")

    def init(self):
        return 0.5 * jnp.ones_like(self.rate)

    def vector_field(self, t, y, u):
        return self.rate * (y - y**3)


def solve(model=SQUID, stimulus=None, **settings):
    return tp.simulate(model, stimulus, **{"t1": 1.0, "dt": 0.1} | settings)


def shaped_gate(factor):
    return cells.ConductanceCell((LEAK, channels.Potassium(factor=factor)))


def start(**changes):
    return SQUID.init()._replace(**changes)


MAKING = {
    "capacitance 0": (
        lambda: cells.HodgkinHuxley(capacitance=0.0),
        "ConductanceCell.capacitance must be positive, got 0.0 uF/cm2: give a value above 0.",
    ),
    "capacitance negative in one cell of several": (
        lambda: cells.HodgkinHuxley(capacitance=[1.0, -2.0]),
        "ConductanceCell.capacitance must be positive, got [ 1. -2.] uF/cm2",
    ),
    "NaN conductance": (
        lambda: cells.HodgkinHuxley(g_sodium=np.nan),
        "Channel.conductance must be finite, got nan mS/cm2: remove the NaN or infinity.",
    ),
    "refractory time 0": (
        lambda: cells.LIF(refractory=0.0),
        "LIF.refractory must be positive, got 0.0 ms: give a value above 0.",
    ),
    "LIF leak negative": (
        lambda: cells.LIF(leak=-0.1),
        "LIF.leak must be positive, got -0.1 mS/cm2: give a value above 0.",
    ),
    "threshold below reset": (
        lambda: cells.LIF(threshold=-70.0),
        "LIF.threshold must exceed LIF.reset, got -70.0 and -60.0 mV: otherwise the cell fires",
    ),
    "no channels": (
        lambda: cells.ConductanceCell(()),
        "channels must be a tuple of at least one channel, got (): for example",
    ),
    "a list of channels": (
        lambda: cells.ConductanceCell([LEAK]),
        "channels must be a tuple of at least one channel",
    ),
    "duplicate names": (
        lambda: cells.ConductanceCell((LEAK, LEAK)),
        "channels must have distinct names, got ['leak', 'leak']: rename one of them.",
    ),
    "a rate of scale 0": (
        lambda: channels.Linoid(1.0, -40.0, 0.0),
        "Linoid.scale must not be zero, got 0.0 mV: it divides; give a value of either sign.",
    ),
    "a rate of scale 0 in one of several": (
        lambda: channels.Exponential(scale=[10.0, 0.0]),
        "Exponential.scale must not be zero, got [10.  0.] mV",
    ),
    "a steady state of scale 0": (
        lambda: channels.Boltzmann(-40.0, 0.0),
        "Boltzmann.scale must not be zero, got 0.0 mV",
    ),
    "a time constant of scale 0": (
        lambda: channels.SigmoidTime(scale=0.0),
        "SigmoidTime.scale must not be zero, got 0.0 mV",
    ),
    "a channel of scale 0": (
        lambda: channels.MorrisLecarPotassium(scale=0.0),
        "Exponential.scale must not be zero, got 0.0 mV",
    ),
    "unknown form": (
        lambda: cells.four_lif("paper"),
        'form must be "share" or "derivative", got \'paper\'.',
    ),
    "unit leak 0": (
        lambda: cells.DerivativeTVLIF(SQUID, unit_leak=0.0),
        "DerivativeTVLIF.unit_leak must be positive, got 0.0 mS/cm2",
    ),
}

STIMULI = {
    "NaN amplitude": (
        lambda: stimuli.Step(np.nan),
        "Step.amplitude must be finite, got nan at flat index 0 (1 such values): remove the NaN",
    ),
    "NaN stop": (lambda: stimuli.Step(1.0, stop=np.nan), "Step.stop must be finite, got nan"),
    "infinite start": (
        lambda: stimuli.Ramp(1.0, start=np.inf),
        "Ramp.start must be finite, got inf",
    ),
    "NaN sample": (
        lambda: stimuli.Sampled([[0.0, 1.0], [2.0, np.nan]], 0.1),
        "Sampled.values must be finite, got nan at flat index 3 (1 such values)",
    ),
    "one sample": (
        lambda: stimuli.Sampled([1.0], 0.1),
        "Sampled.values needs two samples or more, got 1.",
    ),
    "spacing 0": (
        lambda: stimuli.Sampled([1.0, 2.0], 0.0),
        "Sampled.spacing must be positive, got 0.0 ms.",
    ),
    "unknown interpolation": (
        lambda: stimuli.Sampled([1.0, 2.0], 0.1, interpolation="spline"),
        'Sampled.interpolation must be "linear", "previous" or "cubic", got \'spline\'.',
    ),
    "wide pulses": (
        lambda: stimuli.PulseTrain(1.0, width=3.0, period=2.0, count=2),
        "PulseTrain.width must lie in (0, period], got width 3.0 ms and period 2.0 ms: shorten",
    ),
    "no pulses": (
        lambda: stimuli.PulseTrain(1.0, width=1.0, period=2.0, count=0),
        "PulseTrain.count must be at least 1, got 0.",
    ),
    "noise tau 0": (
        lambda: ornstein_uhlenbeck(mean=0, std=1, tau=0, t1=1, key=jax.random.key(0)),
        "tau must be positive, got 0 ms.",
    ),
    "noise std negative": (
        lambda: ornstein_uhlenbeck(mean=0, std=-1, tau=1, t1=1, key=jax.random.key(0)),
        "std must not be negative, got -1.",
    ),
    "a list": (
        lambda: solve(SQUID, [1.0, 2.0]),
        "a stimulus must be a number, an array (one value per unit) or a tripartite.stimuli "
        "object, got list: wrap samples in stimuli.Sampled, or subclass AbstractStimulus.",
    ),
    "True": (lambda: solve(SQUID, True), "a stimulus must be a number"),
    "NaN": (lambda: solve(SQUID, np.nan), "Constant.amplitude must be finite, got nan"),
}

SOLVING = {
    "t1 = t0": (lambda: solve(t0=1.0), "t1 must be after t0, got t0 = 1.0 ms and t1 = 1.0 ms."),
    "t1 < t0": (lambda: solve(t1=-1.0), "t1 must be after t0"),
    "t1 infinite": (lambda: solve(t1=np.inf), "t1 must be a finite number, got inf."),
    "t1 text": (lambda: solve(t1="10"), "t1 must be a finite number, got '10'."),
    "t1 traced": (
        lambda: jax.jit(lambda t: solve(t1=t).ys)(1.0),
        "t1 must be a number known before tracing, got a traced value: it fixes the number of "
        "steps. Pass it as a Python float.",
    ),
    "dt 0": (lambda: solve(dt=0), "dt must be positive, got 0.0 ms."),
    "dt negative": (lambda: solve(dt=-0.1), "dt must be positive, got -0.1 ms."),
    "dt NaN": (lambda: solve(dt=np.nan), "dt must be a finite number or None, got nan."),
    "dt below float32's spacing": (
        lambda: solve(tp.astype(SQUID, jnp.float32), t0=9_999.0, t1=1e4, dt=0.001),
        "dt = 0.001 ms is below the spacing of float32 numbers at 10000.0 ms, 0.000977 ms: take "
        "a larger dt, solve in pieces from t0 = 0, or use float64.",
    ),
    "a broken number of steps": (
        lambda: solve(dt=0.3),
        "t1 - t0 = 1.0 ms must be a whole number of steps of dt = 0.3 ms: take "
        "dt = 0.333333333333 or move t1.",
    ),
    "save_every between steps": (
        lambda: solve(save_every=0.25),
        "save_every must be a whole number of steps, got 0.25 ms with dt = 0.1 ms: give a multiple",
    ),
    "save_every 0, adaptive": (
        lambda: solve(dt=None, save_every=0.0),
        "save_every must be positive, got 0.0 ms.",
    ),
    "save_every NaN": (lambda: solve(save_every=np.nan), "save_every must be a finite number"),
    "a clock without dt": (
        lambda: solve(astrocytes.NESTAstrocyte(), dt=None),
        "NESTAstrocyte jumps between steps (a reset or a clock) and needs a fixed step: pass dt=,",
    ),
    "exponential without dt": (
        lambda: solve(dt=None, solver=SymmetricExponential()),
        "SymmetricExponential takes fixed steps: pass dt=, or choose a solver with an error "
        "estimate such as diffrax.Tsit5().",
    ),
    "exponential without relax": (
        lambda: solve(Cubic(), solver=SymmetricExponential()),
        "SymmetricExponential needs a drive and a decay, which Cubic does not give: implement "
        "`relax` (inherit from AbstractRelaxation), or choose a solver for plain vector fields",
    ),
    "no model": (
        lambda: solve("cell"),
        "model must be an AbstractDynamics, such as cells.HodgkinHuxley(), got 'cell'.",
    ),
    "unknown record": (
        lambda: solve(record="voltage"),
        'record must be None (the model\'s own ports), "state", a function of the state or a '
        "dictionary of such functions, got 'voltage'.",
    ),
    "y0 of another structure": (
        lambda: solve(y0=jnp.asarray(-65.0)),
        "y0 must have the structure of ConductanceCell.init(), ",
    ),
    "NaN in y0": (
        lambda: solve(y0=start(v=jnp.asarray(np.nan))),
        "y0.v must be finite, got nan at flat index 0 (1 such values): start from finite values.",
    ),
    "y0 of another precision": (
        lambda: solve(y0=tp.astype(start(), jnp.float32)),
        "the model holds float64 numbers and the state float32 ones: cast one of them with "
        "tripartite.astype.",
    ),
    "y0 of two precisions": (
        lambda: solve(y0=start(v=jnp.zeros((), jnp.float32))),
        "the state must have floating-point leaves of one dtype, got ['float32', 'float64']: make "
        "it from the parameters, or cast it with tripartite.astype.",
    ),
    "a stimulus of another precision": (
        lambda: solve(SQUID, tp.astype(stimuli.Step(1.0), jnp.float32)),
        "the stimulus holds float32 numbers and the state float64 ones",
    ),
    "a stimulus for two": (
        lambda: solve(SQUID, jnp.ones(2)),
        "ConductanceCell: state .v (mV) has shape () and its derivative (2,), with a stimulus of "
        "shape (2,): y0 or the stimulus has an axis that the state has not; to run several at "
        "once, map simulate over them with eqx.filter_vmap.",
    ),
    "a stimulus for two, adaptive": (
        lambda: solve(SQUID, jnp.ones(2), dt=None),
        "has shape () and its derivative (2,), with a stimulus of shape (2,)",
    ),
    "parameters for two": (
        lambda: solve(cells.HodgkinHuxley(g_sodium=[100.0, 120.0])),
        "state .v (mV) has shape () and its derivative (2,), with a stimulus of shape (): "
        "channels.sodium.conductance of shape (2,) has an axis that the state has not; to run",
    ),
    "a conductance of the wrong length": (
        lambda: solve(cells.HodgkinHuxley(v_init=jnp.zeros(5), g_leak=jnp.ones(3))),
        "channels.leak.conductance of shape (3,) has an axis that the state has not; to run",
    ),
    "a gate's parameter of the wrong length": (
        lambda: solve(shaped_gate(jnp.ones(3))),
        "state .v (mV) has shape () and its derivative (3,), with a stimulus of shape (): "
        "channels.potassium.gates.n.factor of shape (3,) has an axis that the state has not; to",
    ),
    "many of the wrong length": (
        lambda: solve(jax.tree.map(lambda x: jnp.stack([x, x]), SQUID), y0=SQUID.init()),
        "channels.sodium.gates.h.opening.scale of shape (2,) and 26 more parameters have an axis",
    ),
    "y0 for two": (
        lambda: solve(y0=start(v=jnp.zeros(2))),
        "to run several at once, map simulate over them with eqx.filter_vmap.",
    ),
    "shapes that do not meet": (
        lambda: solve(SQUID, jnp.ones(3), y0=start(v=jnp.zeros(2))),
        "ConductanceCell does not run on this state and stimulus (",
    ),
    "a replay for other channels": (
        lambda: solve(cells.TVLIF(SQUID, stimuli.Constant([1.0, 2.0]))),
        "replay must give one conductance per channel, shape [3], got (2,): stack the traces in "
        "the order of cell.channels.",
    ),
    "steps counted, adaptive": (
        lambda: solve(dt=None, adjoint=FixedSteps(10, 0.1)),
        "FixedSteps needs ConstantStepSize(), got PIDController: leave `adjoint` to simulate, or "
        "pass diffrax.RecursiveCheckpointAdjoint() for adaptive steps.",
    ),
}

READING = {
    "v not of ts's length": (
        lambda: spike_times(np.arange(3.0), np.zeros(4)),
        "spike_times needs ts of shape [T] and v of shape [T, ...] with T of at least 2, got "
        "(3,) and (4,): put time first.",
    ),
    "one sample": (lambda: spike_times([0.0], [1.0]), "with T of at least 2, got (1,) and (1,)"),
    "rearm above threshold": (
        lambda: spike_times([0.0, 1.0], [0.0, 1.0], threshold=-30.0),
        "rearm must not exceed threshold, got -20.0 and -30.0 mV: a spike re-arms the detector",
    ),
    "a summary of no model": (
        lambda: tp.summary(3),
        "model must be an AbstractDynamics, such as cells.HodgkinHuxley(), got 3.",
    ),
}

ALL = {**MAKING, **STIMULI, **SOLVING, **READING}


@pytest.mark.parametrize("name", ALL)
def test_bad_input_is_told(name):
    act, words = ALL[name]
    with pytest.raises(ValueError, match=re.escape(words)):
        act()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"saveat": diffrax.SaveAt(dense=True)}, "records at t0, at t1 and at every n-th step"),
        ({"saveat": diffrax.SaveAt(ts=[0.5])}, r"use SaveAt\(t0=, t1=, steps=n\)"),
        ({"event": diffrax.Event(lambda *_, **__: False)}, "runs no events: solve with adaptive"),
    ],
    ids=["dense", "ts", "events"],
)
def test_counted_steps_refuse_what_they_cannot_do(asked, words):
    term = diffrax.ODETerm(lambda t, y, args: -y)
    settings = {"stepsize_controller": diffrax.ConstantStepSize(), "adjoint": FixedSteps(10, 0.1)}
    with pytest.raises(ValueError, match="FixedSteps .*" + words):
        diffrax.diffeqsolve(term, diffrax.Euler(), 0.0, 1.0, 0.1, 1.0, **settings | asked)


@pytest.mark.parametrize(
    ("current", "t1", "dt"),
    # Current without measure; and a gate of 0.1 ms under an explicit step of five times that.
    [(1e6, 2.0, 0.1), (10.0, 100.0, 0.5)],
)
def test_a_solve_that_blows_up_names_state_unit_and_time(current, t1, dt):
    words = (
        rf"ConductanceCell: state \.v \(mV\) was last finite at [\d.e+-]+ ms of {t1:g} ms "
        rf"\({round(t1 / dt)} steps; 4 of 4 states lost\)\. A state became infinite or NaN\. Try a "
        "smaller dt, or adaptive"
    )
    with pytest.raises(SolveError, match=words):
        solve(SQUID, current, t1=t1, dt=dt, solver=diffrax.Euler())


def test_a_solve_that_runs_out_of_steps_names_the_fastest_state():
    words = (
        r"ConductanceCell: the solve stopped at [\d.]+ ms after 4 steps, where state \S+ \(\S+\) "
        r"moves fastest\. The maximum number of solver steps was reached.*loosen rtol, or use an "
        r"implicit solver such as diffrax\.Kvaerno5\(\)"
    )
    with pytest.raises(SolveError, match=words):
        solve(SQUID, 10.0, t1=50.0, dt=None, max_steps=4)


def test_inside_jit_a_blow_up_names_its_state_at_run_time():
    run = eqx.filter_jit(lambda i: solve(SQUID, i, t1=2.0, solver=diffrax.Euler()).ys["v"])
    assert np.isfinite(run(1.0)).all()
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"state \.v \(mV\) is infinite or NaN at t1"):
        run(1e6)


def test_a_traced_parameter_of_a_bad_value_is_caught_as_a_blow_up():
    # Its value is unknown when the cell is made inside jit; the solve says what came of it.
    run = eqx.filter_jit(lambda c: solve(cells.HodgkinHuxley(capacitance=c), 10.0).ys["v"])
    with pytest.raises(eqx.EquinoxRuntimeError, match="infinite or NaN"):
        run(jnp.asarray(0.0))


UNDER_JIT = {
    "LIF": (cells.LIF, lambda cell: tp.simulate(cell, t1=1.0, dt=0.1)),
    "Crossing": (networks.Crossing, lambda x: networks.Crossing(x.threshold, x.rearm)),
    "Vesicles": (astrocytes.Vesicles, lambda x: astrocytes.Vesicles(share=x.share)),
    "IP3Pulse": (
        lambda: astrocytes.IP3Pulse(amplitude=1.0, rise=1.0, rate=1.0, decay=1.0),
        lambda x: astrocytes.IP3Pulse(amplitude=x.amplitude, rise=1.0, rate=1.0, decay=1.0),
    ),
    "QIF": (cells.QIF, lambda x: cells.QIF(critical=x.critical, rest=x.rest)),
    "EIF": (cells.EIF, lambda x: cells.EIF(threshold=x.threshold, reset=x.reset)),
    "LIFLayer": (
        lambda: layers.LIFLayer(jax.nn.relu),
        lambda x: layers.LIFLayer(jax.nn.relu, decay=x.decay, threshold=x.threshold),
    ),
    "Imperfections": (Imperfections, lambda x: Imperfections(saturation=x.saturation)),
}


@pytest.mark.parametrize("name", UNDER_JIT)
def test_known_values_are_checked_under_jit(name):
    """A jax operation on them would be traced there, and have no truth."""
    make, use = UNDER_JIT[name]
    made = make()
    assert jax.jit(lambda x: (use(made), x)[1])(2.0) == 2.0
