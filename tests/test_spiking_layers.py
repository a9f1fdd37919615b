"""Spiking layers alone: against NumPy, under transforms, in both precisions, and their errors."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, layers, solvers

TICKS, INPUTS, UNITS = 6, 5, 4


def synapse(key, dtype=None):
    made = eqx.nn.Linear(INPUTS, UNITS, key=key)
    return made if dtype is None else tp.astype(made, dtype)


def some_inputs(key):
    return jax.random.normal(key, (TICKS, INPUTS))


def every_layer(key):
    """One of each, small; the cell's tick is 0.4 ms."""
    one, two = jax.random.split(key)
    three = tuple(synapse(k) for k in jax.random.split(one, 3))
    return {
        "lif": layers.LIFLayer(synapse(one)),
        "hh": layers.HHLayer(synapse(one), dt=0.05, steps=8, gain=60.0),
        "slif2hh": layers.SLIF2HHLayer(three, key=two),
        "release": layers.ReleaseHHLayer(synapse(one), (UNITS,), key=two),
    }


# ---- against NumPy -----------------------------------------------------------------------------


def numpy_lif(x, weight, bias, decay, threshold, reset):
    v, s, out = np.zeros(UNITS), np.zeros(UNITS), []
    for now in x:
        kept = decay * v * (1 - s) if reset == "zero" else decay * v - threshold * s
        v = kept + weight @ now + bias
        s = (v > threshold).astype(float)
        out.append(s)
    return np.stack(out), v


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_lif_is_the_released_update(reset, key):
    one, two = jax.random.split(key)
    layer = layers.LIFLayer(synapse(one), decay=0.4, reset=reset)
    x = 2.0 * some_inputs(two)
    spikes, state = layer(x)
    weight, bias = (np.asarray(a) for a in (layer.synapse.weight, layer.synapse.bias))
    expected, v = numpy_lif(np.asarray(x), weight, bias, 0.4, 0.3, reset)
    np.testing.assert_array_equal(spikes, expected)
    # Sums of five products of size 1, and six ticks.
    np.testing.assert_allclose(state.v, v, atol=1e-14)
    assert 0 < np.sum(expected) < expected.size


def test_the_four_sub_units_are_the_released_ones(key):
    """Section 2.2 of the release as equations: the fourth reads potentials of the tick before."""
    one, two = jax.random.split(key)
    layer = every_layer(one)["slif2hh"]
    x = 2.0 * some_inputs(two)
    spikes, _ = layer(x)
    v, s, out = np.zeros((4, UNITS)), np.zeros((4, UNITS)), []
    for now in np.asarray(x):
        drive = [np.asarray(m.weight) @ now + np.asarray(m.bias) for m in layer.synapse]
        drive.append(np.asarray(layer.mix) @ v[:3] + float(layer.bias))
        v = 0.2 * v * (1 - s) + np.stack(drive)
        s = (v > 0.3).astype(float)
        out.append(s)
    np.testing.assert_array_equal(spikes, np.stack(out))
    assert 0 < np.sum(spikes) < spikes.size


def test_a_squid_axon_in_a_layer_is_that_of_simulate():
    """Ticks of one step: each voltage is the solve's own, to round-off (eps times 100 mV)."""
    current, ticks = 10.0, 80
    solver = solvers.SequentialExponential(midpoint=False)
    layer = layers.HHLayer(dt=0.05, steps=1, solver=solver)

    @jax.jit
    def voltages():
        state = layer.initial_state((1,))
        each = jnp.full((1,), current)

        def tick(state, _):
            _, state = layer.step(each, state)
            return state, state.cell.v[0]

        return jax.lax.scan(tick, state, None, length=ticks)[1]

    found = tp.simulate(
        cells.HodgkinHuxley(), tp.stimuli.Constant(current), t1=4.0, dt=0.05, solver=solver
    )
    # 80 steps, of which the upstroke multiplies a deviation by up to 1e3.
    np.testing.assert_allclose(voltages(), found.ys["v"][1:], atol=1e-9)
    assert float(jnp.max(found.ys["v"])) > 30.0


def test_an_action_potential_crosses_the_gate_once():
    """G rises from below 2e-4 (-62 mV) to above 1 - 2e-5 (33 mV): one, whatever the step."""
    gate = layers.GateCrossing(threshold=-20.0, width=5.0)
    for steps in (20, 7):
        v = jnp.asarray([-62.0, *np.linspace(-60.0, 40.0, steps), *np.linspace(39.0, -75.0, steps)])
        amounts, memory = [], gate.start(v[0])
        for x in v[1:]:
            amount, memory = gate(memory, x, x, jnp.asarray(0.0))
            amounts.append(float(amount))
        assert sum(amounts) == pytest.approx(1.0, abs=3e-4)
    # And the derivative of what one step adds is the gate's slope, s (1 - s) / width.
    slope = jax.grad(lambda v: gate(jnp.asarray(0.1), v, v, v)[0])(jnp.asarray(-18.0))
    s = 1.0 / (1.0 + np.exp(-0.4))
    assert float(slope) == pytest.approx(s * (1 - s) / 5.0, rel=1e-12)


# ---- composability -----------------------------------------------------------------------------


@functools.cache
def _answers(precision):
    """Spikes and slopes of every layer: alone and jitted, in one program for each precision."""
    keys = jax.random.split(jax.random.key(7), 2)
    model = tp.astype(every_layer(keys[0]), precision)
    batch = jax.random.normal(keys[1], (3, TICKS, INPUTS), jnp.float64).astype(precision)

    def total(model, x):
        spikes = {name: layer(x)[0] for name, layer in model.items()}
        return sum(jnp.sum(s * s) for s in spikes.values()), spikes

    @eqx.filter_jit
    def run(model, batch):
        one = eqx.filter_value_and_grad(total, has_aux=True)(model, batch[0])
        many = jax.vmap(lambda x: total(model, x)[1])(batch)
        return one, many

    return model, batch, run(model, batch)


@pytest.mark.parametrize("precision", [jnp.float32, jnp.float64])
def test_jit_vmap_and_grad_in_both_precisions(precision):
    model, batch, ((value, slopes), many) = _answers(precision)
    (_, spikes) = value
    for name in model:
        assert many[name].dtype == spikes[name].dtype == precision
        # One example of a batch and one alone are the same program but for the matrix product.
        tolerance = 2e-4 if precision == jnp.float32 else 1e-9
        np.testing.assert_allclose(many[name][0], spikes[name], atol=tolerance)
    for leaf in jax.tree.leaves(eqx.filter(slopes, eqx.is_inexact_array)):
        assert bool(jnp.all(jnp.isfinite(leaf)))
    for name, maps in (("lif", 0), ("hh", 0), ("slif2hh", 1)):
        inner = slopes[name].synapse[0] if maps else slopes[name].synapse
        assert float(jnp.sum(jnp.abs(inner.weight))) > 0.0, name
    # What is not learnt has no derivative.
    assert float(slopes["lif"].threshold) == 0.0
    assert float(slopes["hh"].cell.capacitance) == 0.0
    # Alone, operation by operation, it spikes alike.
    alone, _ = model["lif"](batch[0])
    np.testing.assert_array_equal(alone, spikes["lif"])


def test_float32_and_float64_spike_alike():
    """Whole spikes of LIF units and of axons; no voltage is within round-off of a threshold."""
    few, many = (_answers(p)[2][0][0][1] for p in (jnp.float32, jnp.float64))
    for name in ("lif", "hh"):
        np.testing.assert_array_equal(few[name], many[name])
    assert np.sum(many["hh"]) > 0


def test_a_state_carries_on(key):
    """Two halves are the whole; a held input is the same input at each tick."""
    one, two = jax.random.split(key)
    layer, x = every_layer(one)["slif2hh"], some_inputs(two)
    whole, end = layer(x)
    first, state = layer(x[:2])
    second, last = layer(x[2:], state)
    np.testing.assert_array_equal(jnp.concatenate([first, second]), whole)
    np.testing.assert_array_equal(last.v, end.v)
    held, _ = layer.hold(x[0], TICKS)
    repeated, _ = layer(jnp.broadcast_to(x[0], x.shape))
    np.testing.assert_array_equal(held, repeated)


def test_rematerialising_changes_no_gradient():
    x = jnp.broadcast_to(jnp.asarray([9.0, 3.0]), (3, 2))

    def slope(remat):
        layer = layers.HHLayer(dt=0.05, steps=5, remat=remat, crossing=layers.GateCrossing())
        return jax.jit(jax.grad(lambda x: jnp.sum(layer(x)[0] ** 2)))(x)

    # The same operations twice, in another order of sums.
    np.testing.assert_allclose(slope(True), slope(False), rtol=1e-9)


def test_the_smooth_count_has_its_exact_derivative():
    """Against central differences of the whole layer, with no surrogate: h^2 and round-off."""
    # A gate that the peak, of 35 to 40 mV, leaves half open.
    layer = layers.HHLayer(dt=0.05, steps=40, crossing=layers.GateCrossing(35.0, 10.0))

    @jax.jit
    def count(scale):
        return jnp.sum(layer(scale * jnp.full((2, 1), 12.0))[0])

    h = 1e-4
    slope = jax.grad(count)(jnp.asarray(1.0))
    ends = [float(count(jnp.asarray(1.0 + e))) for e in (2 * h, h, -h, -2 * h)]
    # Of fourth order: h^4 / 30 times a fifth derivative, and round-off of 1e-12 / h.
    expected = (-ends[0] + 8 * ends[1] - 8 * ends[2] + ends[3]) / (12 * h)
    assert float(slope) == pytest.approx(expected, rel=1e-7, abs=1e-7)
    assert abs(float(slope)) > 1e-2


@pytest.mark.parametrize("map_", ["conv", "dann", "mlp", "none"])
def test_any_map_is_a_synapse(map_, key):
    if map_ == "conv":
        layer = layers.LIFLayer(eqx.nn.Conv2d(1, 3, 3, padding=1, key=key))
        spikes, state = layer(jnp.ones((TICKS, 1, 6, 6)))
        assert spikes.shape == (TICKS, 3, 6, 6) and state.v.shape == (3, 6, 6)
    elif map_ == "dann":
        layer = layers.LIFLayer(layers.DANNLayer(INPUTS, UNITS, key=key))
        assert layer(jnp.ones((TICKS, INPUTS)))[0].shape == (TICKS, UNITS)
    elif map_ == "mlp":
        # Its activation is a leaf that is no array.
        layer = layers.LIFLayer(eqx.nn.MLP(INPUTS, UNITS, 3, 1, key=key))
        assert layer(jnp.ones((TICKS, INPUTS)))[0].shape == (TICKS, UNITS)
    else:
        assert layers.LIFLayer()(jnp.ones((TICKS, UNITS)))[0].shape == (TICKS, UNITS)


@pytest.mark.gate
@pytest.mark.parametrize("cell", [cells.PospischilRS, cells.MorrisLecar, cells.WangBuzsaki])
def test_any_conductance_cell_is_a_unit(cell):
    layer = layers.HHLayer(cell=cell(), steps=3, crossing=layers.Level(-50.0))
    spikes, state = layer(jnp.zeros((2, 2)))
    assert spikes.shape == (2, 2) and bool(jnp.all(jnp.isfinite(state.cell.v)))


def test_whole_spikes_by_a_crossing_with_a_surrogate():
    """networks.Crossing counts 1 for an action potential, and a surrogate lets it learn."""
    layer = layers.HHLayer(dt=0.05, steps=40)

    @jax.jit
    def run(current):
        spikes = layer(jnp.full((3, 1), 1.0) * current)[0]
        return jnp.sum(spikes), spikes

    (total, spikes), slope = jax.value_and_grad(run, has_aux=True)(jnp.asarray(20.0))
    # At 20 uA/cm2 the first spike is at 1.271 ms (theta 0 mV), the next 12 ms later.
    np.testing.assert_array_equal(spikes[:, 0], [1.0, 0.0, 0.0])
    assert float(total) == 1.0 and float(slope) > 0.0


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("current", [-2000.0, 2000.0])
def test_axons_pulled_out_of_any_range_stay_numbers(current, dtype):
    layer = tp.astype(layers.HHLayer(dt=0.05, steps=100, gain=1.0), dtype)

    def spikes(current):
        out, state = layer(jnp.full((4, 1), current, dtype))
        return jnp.sum(out), state

    (value, state), slope = jax.value_and_grad(spikes, has_aux=True)(jnp.asarray(current, dtype))
    # The first rates to leave float32 did so near -1,600 mV.
    assert current > 0 or float(jnp.min(state.cell.v)) < -1600.0
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((value, state, slope)))


def test_the_scan_s_body_is_lean():
    """In the compiled program, each rate, each flow and the gate is computed once a step."""
    layer = layers.HHLayer(dt=0.05, steps=3, crossing=layers.GateCrossing())
    text = jax.jit(lambda x: layer(x)[0]).lower(jnp.zeros((2, UNITS))).compile().as_text()
    assert text.count(" while(") == 2
    # The exponentials of alpha and beta of m, h and n, those of four flows, and the gate's.
    assert text.count(" exponential(") + text.count(" logistic(") <= 6 + 4 + 1
    for word in ("gather", "scatter", "sort", "custom-call", "dot", "concatenate", "transpose"):
        assert f" {word}(" not in text, word


# ---- what is trained, and what it costs --------------------------------------------------------


def test_only_synapses_are_trained_unless_asked(key):
    model = every_layer(key) | {"readout": synapse(key)}
    chosen = layers.trainable(model)
    assert chosen["lif"].synapse.weight and not chosen["lif"].threshold
    assert chosen["slif2hh"].mix and not chosen["slif2hh"].decay
    assert not any(jax.tree.leaves(chosen["hh"].cell)) and chosen["readout"].bias
    assert not chosen["release"].rates and not chosen["release"].dt
    learnt = layers.trainable(layers.LIFLayer(synapse(key), learn=True))
    assert learnt.threshold and learnt.decay and not learnt.surrogate.width
    weights = INPUTS * UNITS + UNITS
    assert layers.parameter_count(model) == 6 * weights + 4 + weights


def test_multiplications_are_counted(key):
    conv = eqx.nn.Conv2d(2, 3, 3, stride=2, key=key)
    assert layers.multiply_accumulates(conv, jnp.ones((2, 7, 7))) == 3 * 3 * 3 * 2 * 9

    def looped(x):
        return jax.lax.scan(lambda y, _: (jax.jit(lambda z: z @ z)(y), None), x, None, length=5)[0]

    assert layers.multiply_accumulates(looped, jnp.ones((4, 4))) == 5 * 64
    both = lambda x: jax.lax.cond(x[0, 0] > 0, lambda y: y @ y, lambda y: y, x)  # noqa: E731
    assert layers.multiply_accumulates(both, jnp.ones((4, 4))) == 64

    def endless(x):
        return jax.lax.while_loop(lambda y: y[0, 0] < 9.0, lambda y: y @ y, x)

    with pytest.raises(ValueError, match=r"how often a while loop runs: use lax\.scan"):
        layers.multiply_accumulates(endless, jnp.ones((4, 4)))


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.LIFLayer(threshold=0.0), "threshold must exceed the reset"),
        (lambda: layers.LIFLayer(decay=1.0), "share of a potential that is left after a tick"),
        (lambda: layers.LIFLayer(reset="hard"), r"reset must be one of \('zero', 'subtract'\)"),
        (lambda: layers.LIFLayer(3), "synapse must be a map such as equinox.nn.Linear"),
        (lambda: layers.LIFLayer(surrogate=0.5), "for example core.surrogates.FastSigmoid"),
        (lambda: layers.SLIF2HHLayer(abs, key=jax.random.key(0)), "a tuple of three maps"),
        (lambda: layers.HHLayer(steps=0), "steps must be a whole number of at least 1"),
        (lambda: layers.HHLayer(dt=0.0), "dt must be positive"),
        (lambda: layers.HHLayer(cell=cells.LIF()), "For units that reset use LIFLayer"),
        (lambda: layers.HHLayer(cell=3), "any cells.ConductanceCell"),
        (lambda: layers.HHLayer(crossing=3), "one of GateCrossing, Level, networks.Crossing"),
        (lambda: layers.GateCrossing(width=0.0), "width must be positive"),
    ],
)
def test_a_layer_that_cannot_be(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_inputs_that_do_not_fit(key):
    model = every_layer(key)
    lif = model["lif"]
    with pytest.raises(ValueError, match=r"needs inputs \[time, ...\], got shape \(5,\)"):
        lif(jnp.ones(INPUTS))
    with pytest.raises(ValueError, match=r"initial_state\(shape of the units\), and map a batch"):
        lif(jnp.ones((TICKS, INPUTS)), lif.initial_state((UNITS + 1,)))
    narrow = eqx.tree_at(lambda m: m.synapse, lif, synapse(key, jnp.float32))
    with pytest.raises(ValueError, match=r"currents are float32, the state is float64: cast one"):
        narrow(jnp.ones((TICKS, INPUTS), jnp.float32))
    with pytest.raises(ValueError, match="ticks must be a whole number of at least 1"):
        lif.hold(jnp.ones(INPUTS), 0)
    with pytest.raises(ValueError, match=r"inputs \[time, 3, ...units\]"):
        layers.SLIF2HHLayer(key=key)(jnp.ones((TICKS, 2, UNITS)))
    with pytest.raises(ValueError, match="a current for each of three sub-units"):
        layers.ConjunctiveLIFLayer()(jnp.ones((TICKS, UNITS)))
    with pytest.raises(ValueError, match=r"was made for units of shape \(4,\), each with its"):
        layers.ReleaseHHLayer(None, (UNITS,), key=key)(jnp.ones((TICKS, 2)))
