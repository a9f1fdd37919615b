"""Gradients at the poles of every model: finite, forwards and in reverse, in both precisions.

A pole is where a rate's argument, a concentration or an occupied share is zero, or where two
parameters meet. They are read off a model: a state is put on every parameter of its own unit (the
midpoint of a rate, the half of a Hill function), on zero and on the floats beside it; a parameter
on zero, or on another one of its module, where the constructor allows it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from fuzzed_models import FIELDS, MODELS
from gradients_at import DTYPES, beside, must_be_finite
from tripartite.core import AbstractRelaxation, parameters_of, prefix_leaves
from tripartite.summary import walk_parameters

ast = tp.astrocytes
EVERY = {name: (make, largest) for name, (make, largest, _) in MODELS.items()} | FIELDS
RANDOM = 48


def spread(units, tree):
    """The unit of each leaf; `None` where it is not told, as for a current alone."""
    try:
        return prefix_leaves(units, tree)
    except ValueError:
        return (None,) * len(jax.tree.leaves(tree))


def poles_of_states(model, y, u, dtype):
    """For each leaf of the state and of the input, the values at which something may go wrong."""
    known = {}
    for _, info, value in walk_parameters(model):
        if eqx.is_inexact_array(value):
            known.setdefault(info.unit, set()).update(np.ravel(value).tolist())
    everything = set().union(*known.values())
    units = (*spread(model.units(), y), *spread(model.input_units(), u))
    found = []
    for unit in units:
        mine = everything if unit is None else known.get(unit, set())
        ends = {0.0, 1.0} if unit == "1" else {0.0, -40.0, -55.0} if unit == "mV" else {0.0}
        found.append(beside(ends | mine, dtype))
    return found


def states(model, y, u, dtype, rng):
    """A batch of states and inputs: one leaf on each of its poles, all on random ones, or near."""
    leaves, structure = jax.tree.flatten((y, u))
    leaves = [np.asarray(x, dtype) for x in leaves]
    found = poles_of_states(model, y, u, dtype)
    rows = [leaves]
    for i, poles in enumerate(found):
        for pole in poles:
            rows.append([np.full_like(x, pole) if i == j else x for j, x in enumerate(leaves)])
    for _ in range(RANDOM):
        rows.append([rng.choice(p, x.shape) for p, x in zip(found, leaves, strict=True)])
        kick = [rng.normal(0.0, 1.0, x.shape).astype(dtype) for x in leaves]
        rows.append([x * (1 + 0.3 * k) for x, k in zip(leaves, kick, strict=True)])
        rows.append([x + k * np.abs(x).max() for x, k in zip(leaves, kick, strict=True)])
    stacked = [jnp.asarray(np.stack(column), dtype) for column in zip(*rows, strict=True)]
    y, u = jax.tree.unflatten(structure, stacked)
    # What drives an astrocyte are concentrations, which a negative number is refused for.
    return y, jax.tree.map(jnp.abs, u) if isinstance(model, ast.AbstractAstrocyte) else u


def modules_of(tree):
    parts = jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, eqx.Module) and x is not tree)
    for part in (x for x in parts if isinstance(x, eqx.Module)):
        yield part
        yield from modules_of(part)


def allowed(model):
    """Whether every constructor in the model would take its values."""
    try:
        for part in (model, *modules_of(model)):
            for kind in type(part).__mro__:
                if "__check_init__" in kind.__dict__:
                    kind.__check_init__(part)
    except ValueError:
        return False
    return True


def with_a_parameter_on_a_pole(model, dtype):
    """The models that differ in one number: zero, or at or beside another of the same module."""
    leaves, structure = jax.tree.flatten(model)
    index = {id(leaf): i for i, leaf in enumerate(leaves)}
    for part in (model, *modules_of(model)):
        mine = [(info, value) for _, info, value in parameters_of(part) if id(value) in index]
        for info, value in mine:
            same = {float(np.ravel(v)[0]) for other, v in mine if other.unit == info.unit}
            # What divides may be as small as one likes: its inverse overflows, which is no pole.
            far = np.setdiff1d(beside(same, dtype), beside({0.0}, dtype))
            for number in (0.0, *far):
                new = list(leaves)
                new[index[id(value)]] = jnp.full_like(value, number)
                changed = jax.tree.unflatten(structure, new)
                if allowed(changed):
                    yield changed


def outputs(model, y, u):
    """All that a solve asks of a model."""
    t = jnp.asarray(0.37, jax.tree.leaves(y)[0].dtype)
    found = [model.init(), model.jump(t, y, y, u), model.ports(y)]
    if model.noisy():
        found.append(model.spread(y, model.diffusion(t, y, u)))
    if isinstance(model, AbstractRelaxation):
        coefficients = model.relax(t, y, u)
        found += [coefficients.drive, coefficients.decay, coefficients.derivative(y)]
    else:
        found.append(model.vector_field(t, y, u))
    if isinstance(model, tp.synapses.AbstractSynapse):
        found.append(model.membrane(y, u.v_post))
    return found


def repeated(tree, number):
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (number, *x.shape)), tree)


def joined(*trees):
    return jax.tree.map(lambda *x: jnp.concatenate(x), *trees)


def fuzz(name, dtype):
    make, u = EVERY[name]
    model, u = tp.astype((make(), jax.tree.map(jnp.asarray, u)), dtype)
    numbers, rest = eqx.partition(model, eqx.is_inexact_array)
    y = states(model, model.init(), u, dtype, np.random.default_rng(1))
    many = repeated(numbers, len(jax.tree.leaves(y)[0]))
    changed = [
        eqx.filter(m, eqx.is_inexact_array) for m in with_a_parameter_on_a_pole(model, dtype)
    ]
    changed = jax.tree.map(lambda *x: jnp.stack(x), *changed)
    starts = jax.vmap(lambda numbers: eqx.combine(numbers, rest).init())(changed)
    u = repeated(u, len(jax.tree.leaves(starts)[0]))
    rows = joined((many, y), (changed, (starts, u)))
    must_be_finite(lambda row: outputs(eqx.combine(row[0], rest), *row[1]), rows)


def test_gradients_at_every_pole_of_a_cell_and_of_an_astrocyte():
    fuzz("MorrisLecar", jnp.float32)
    fuzz("GlutamateUptake", jnp.float64)


@pytest.mark.gate
def test_gradients_at_every_pole_of_larger_ones():
    fuzz("HodgkinHuxley", jnp.float32)
    fuzz("GChI", jnp.float32)
    solved("HodgkinHuxley", jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_gradients_at_every_pole_of_every_model(name, dtype):
    fuzz(name, dtype)


def solved(name, dtype, most=64):
    """A short solve from each pole: where it ends well, its gradients are finite, too."""
    make, drive, dt = MODELS[name]
    model, u = tp.astype((make(), jax.tree.map(jnp.asarray, drive)), dtype)
    numbers, rest = eqx.partition(model, eqx.is_inexact_array)
    y, u = states(model, model.init(), u, dtype, np.random.default_rng(2))
    picked = np.linspace(0, len(jax.tree.leaves(y)[0]) - 1, most).astype(int)
    rows = jax.tree.map(lambda x: x[picked], (repeated(numbers, 1 + picked[-1]), y, u))

    def function(row):
        numbers, y, u = row
        model = eqx.combine(numbers, rest)
        solution = tp.simulate(model, u, t1=4 * dt, dt=dt, y0=y, throw=False)
        return solution.result == tp.RESULTS.successful, solution.stats["y1"]

    good = np.asarray(jax.jit(jax.vmap(lambda row: function(row)[0]))(rows))
    assert np.mean(good) > 0.5
    must_be_finite(lambda row: function(row)[1], jax.tree.map(lambda x: x[good], rows))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_a_solve_that_starts_at_a_pole(name, dtype):
    solved(name, dtype)


class Unguarded(tp.core.AbstractRelaxation):
    """`x / (1 - exp(-x))` as a rate, written plainly: 0 / 0 where v is at the midpoint."""

    midpoint: jax.Array = tp.core.parameter(-40.0, "mV")

    def init(self):
        return self.midpoint - 25.0

    def units(self):
        return "mV"

    def relax(self, t, y, u):
        x = (y - self.midpoint) / 10.0
        return tp.core.Relaxation(-y, x / (1.0 - jnp.exp(-x)))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_a_pole_without_guard_is_found(monkeypatch, dtype):
    monkeypatch.setitem(EVERY, "unguarded", (Unguarded, None))
    with pytest.raises(pytest.fail.Exception, match="not finite"):
        fuzz("unguarded", dtype)
