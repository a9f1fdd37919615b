"""Models saved and loaded: bit for bit, by name alone, with an error for whatever a file cannot."""

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from safetensors.numpy import load_file

import tripartite as tp
from killing import kill_amid_a_write
from network_models import recurrent
from tripartite import cells, io, networks, synapses
from tripartite.core import archive
from tripartite.io import registry

DATA = Path(__file__).parent / "data"


class Halved(eqx.Module):
    """A user's own module, with a static function."""

    inner: Any
    power: int = eqx.field(static=True, default=2)
    shape: Any = None


class Pair(NamedTuple):
    one: Any
    two: Any = 3.0


def halve(x):
    return 0.5 * x


def same(a: Any, b: Any, where: str = "model") -> None:
    """Field by field, static ones too, down to the bits of every array."""
    assert type(a) is type(b), where
    if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        assert a.dtype == b.dtype, where
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    if isinstance(a, jax.Array | np.ndarray | np.generic):
        assert a.dtype == b.dtype and np.shape(a) == np.shape(b), where
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), where
    elif isinstance(a, tuple | list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for name in a:
            same(a[name], b[name], f"{where}[{name!r}]")
    elif dataclasses.is_dataclass(a) and not isinstance(a, type):
        assert set(vars(a)) == set(vars(b)), where
        for name in vars(a):
            same(getattr(a, name), getattr(b, name), f"{where}.{name}")
    else:
        assert a == b or (a != a and b != b), where


def through(path, model, **options):
    io.save(path, model)
    return io.load(path, **options)


def test_every_class_of_the_library_that_has_defaults(tmp_path):
    made = {}
    for name, found in registry.known().items():
        if not (name.startswith("tripartite.") and isinstance(found, type)):
            continue
        if issubclass(found, tuple):
            needed = len(found._fields) > len(found._field_defaults)
        else:
            missing = dataclasses.MISSING
            fields = dataclasses.fields(found)
            needed = any(f.default is missing and f.default_factory is missing for f in fields)
        if not needed and not found.__name__.startswith("Abstract"):
            made[name] = found()
    # Constructors of their own, and parts that need others.
    made |= {"hh": cells.HodgkinHuxley(), "pair": Pair(jnp.zeros(2))}
    assert len(made) > 40 and "tripartite.cells.LIF" in made
    same(made, through(tmp_path / "x", made, classes=(Pair,)))


def small_network():
    cell = networks.population(cells.HodgkinHuxley, 3)
    glia = networks.population(tp.astrocytes.LiRinzel, 2)
    edges = networks.all_to_all(3, 3)
    p = networks.Projection("e", "e", synapses.ampa(), edges, weight=0.1, delay=0.5)
    return networks.Network({"e": cell, "g": glia}, [p])


@pytest.mark.parametrize("make", [small_network, lambda: recurrent(0.1, delay=1.0)])
def test_a_network_with_delays(tmp_path, make):
    network = make().at_step(0.1)
    loaded = through(tmp_path / "x", network)
    same(network, loaded)
    same(network.init(), loaded.init())
    # One object of edges stays one: it is told apart from others by identity.
    edges = {id(p.edges) for p in loaded.projections.values()}
    assert len(edges) == 1


def test_a_loaded_cell_runs_as_the_saved_one_without_another_compilation(tmp_path):
    compiled = []

    @eqx.filter_jit
    def solve(cell):
        compiled.append(cell)
        return tp.simulate(cell, 10.0, t1=0.5, dt=0.05).ys["v"]

    cell = eqx.tree_at(lambda c: c.capacitance, cells.HodgkinHuxley(), jnp.asarray([1.1])[0])
    before = solve(cell)
    after = solve(through(tmp_path / "x", cell))
    assert before.tolist() == after.tolist() and len(compiled) == 1


def test_every_dtype_and_a_key_bit_for_bit(tmp_path):
    values = {
        name: jnp.asarray(np.array([[0, 1, 1], [1, 0, 1]]).astype(jnp.dtype(name)))
        for name in archive.DTYPES
    }
    bits = np.array([0x7FF8000000000123, 0x8000000000000000, 1], np.uint64)
    values |= {
        "bits": jnp.asarray(bits.view(np.float64)),
        "empty": jnp.zeros((0, 3)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.float32(0.1),
        "keys": jax.random.split(jax.random.key(1), 3),
        "rbg": jax.random.key(1, impl="rbg"),
        "plain": (None, True, 3, -0.0, float("nan"), float("-inf"), 2j, "ü", [1.5], {(1, "a"): 2}),
        "dtypes": (jnp.float32, np.float32, jnp.dtype(jnp.bfloat16)),
    }
    loaded = through(tmp_path / "x", values)
    same(values, loaded)
    assert loaded["bits"].view(jnp.uint64).tolist() == bits.tolist()
    assert np.signbit(loaded["plain"][3])


def test_a_shared_leaf_is_stored_once_and_stays_shared(tmp_path):
    w = jnp.arange(4.0)
    loaded = through(tmp_path / "x", {"a": w, "b": [w], "c": w + 0})
    assert loaded["a"] is loaded["b"][0] and loaded["a"] is not loaded["c"]
    assert set(load_file(tmp_path / "x")) == {"model['a']", "model['c']"}


def test_the_file_is_a_safetensors_file_with_named_parts(tmp_path):
    io.save(tmp_path / "x", cells.LIF(capacitance=2.5))
    found = load_file(tmp_path / "x")
    assert found["model.capacitance"] == 2.5 and found["model.capacitance"].dtype == np.float64


def test_networks_of_equinox_and_states_of_optax(tmp_path, key):
    perceptron = eqx.nn.MLP(2, 3, 4, 2, activation=jax.nn.softplus, key=key)
    state = optax.adam(1e-3).init(eqx.filter(perceptron, eqx.is_array))
    loaded = through(tmp_path / "x", (perceptron, state))
    same((perceptron, state), loaded)
    assert loaded[0].activation is jax.nn.softplus


def test_classes_of_the_user_s_own(tmp_path):
    model = Halved(cells.LIF(), 3, halve)
    with pytest.raises(ValueError, match=r"x needs 'halve', which is not of this library: pass"):
        through(tmp_path / "x", model)
    same(model, io.load(tmp_path / "x", classes=(Halved, halve)))
    same(model, io.load(tmp_path / "x", classes={"Halved": Halved, "halve": halve}))
    with pytest.raises(ValueError, match=r"classes must hold modules, NamedTuples, .* got 3"):
        io.load(tmp_path / "x", classes=(3,))
    other = type("Halved", (eqx.Module,), {})
    with pytest.raises(ValueError, match="two of classes are called 'Halved': give a dictionary"):
        io.load(tmp_path / "x", classes=(Halved, other))


def a_closure():
    rate = 2.0
    return lambda x: rate * x


def named_closure():
    rate = 2.0

    def scaled(x):
        return rate * x

    return scaled


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda x: x, r"model\.shape is a lambda or .* define it with def"),
        (named_closure(), r"model\.shape is a lambda or a function made within a function"),
        (functools.partial(halve), r"model\.shape is functools.partial.*which a file cannot keep"),
        ({1, 2}, r"model\.shape is \{1, 2\}, which a file cannot keep"),
        (np.array(["a"]), r"model\.shape is an array of <U1"),
        (np.array([None]), r"model\.shape is an array of object"),
        ({"a": [0, b"x"]}, r"model\.shape\['a'\]\[1\] is b'x'"),
        ({frozenset(): 1}, r"model\.shape has the key frozenset\(\)"),
    ],
)
def test_what_a_file_cannot_keep_is_named(tmp_path, value, words):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(ValueError, match=words):
        io.save(tmp_path / "x", Halved(jnp.zeros(2), 2, value))
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_traced_array_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"model is traced, .*: save outside of jit"):
        jax.jit(lambda x: io.save(tmp_path / "x", x))(jnp.zeros(2))


def test_files_that_are_not_there_or_are_others(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file .*x\."):
        io.load(tmp_path / "x")
    archive.write(tmp_path / "x", "run", {}, {})
    with pytest.raises(ValueError, match=r"x holds a run, and a model was asked for\."):
        io.load(tmp_path / "x")


def test_numbers_of_64_bits_where_jax_has_32(tmp_path):
    io.save(tmp_path / "x", jnp.arange(2.0))
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(ValueError, match="holds float64 numbers, and JAX is set to 32 bits"):
            io.load(tmp_path / "x")
        small = cells.LIF()
        same(small, through(tmp_path / "x", small))
    finally:
        jax.config.update("jax_enable_x64", True)


def edited(source, target, change):
    """The file with its description changed by `change`, sealed again."""
    content = archive.read(source, "model")
    archive.write(target, "model", change(json.loads(json.dumps(content.header))), content.arrays)


def test_a_file_of_an_older_version_loads_or_says_what_changed(tmp_path):
    source, target = tmp_path / "x", tmp_path / "y"
    io.save(source, Halved(cells.LIF(), 3))

    def load(change):
        edited(source, target, lambda header: change(header["tree"]["fields"], header) or header)
        return io.load(target, classes=(Halved,))

    # A field that has come since takes its default; one without a default is named.
    assert load(lambda fields, _: fields.pop("power") and None).power == 2
    with pytest.raises(ValueError, match=r"y was written by tripartite \S+, where Halved had no f"):
        load(lambda fields, _: fields.pop("inner") and None)
    with pytest.raises(ValueError, match=r"had a field 'old'; now its fields are 'inner', 'power'"):
        load(lambda fields, _: fields.update(old=1))

    def renamed(fields, _):
        fields["inner"]["class"] = "tripartite.cells.OldLIF"

    with pytest.raises(ValueError, match=r"tripartite\.cells\.OldLIF is not in tripartite \S+: it"):
        load(renamed)
    moved = {"Halved": Halved, "tripartite.cells.OldLIF": cells.LIF}
    same(Halved(cells.LIF(), 3), io.load(target, classes=moved))


def test_a_later_format_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "FORMAT", 2)
    io.save(tmp_path / "x", 1)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"x has format 2, of tripartite \S+; this .*: update"):
        io.load(tmp_path / "x")


def frozen_model():
    """What `tests/data/saved_0_1_0.safetensors` was made of, in format 1."""
    channels = (tp.channels.Leak(conductance=0.25, reversal=-61.5),)
    cell = cells.ConductanceCell(channels, capacitance=1.5)
    weights = jnp.asarray([0.5, -2.0, 3.0], jnp.bfloat16)
    return {"cell": tp.astype(cell, jnp.float32), "weights": weights, "key": jax.random.key(7)}


def test_a_file_frozen_in_format_1_loads():
    loaded = io.load(DATA / "saved_0_1_0.safetensors")
    same(frozen_model(), loaded)
    assert float(loaded["cell"].channels[0].conductance) == 0.25
    assert float(loaded["cell"].capacitance) == 1.5
    assert loaded["weights"].astype(jnp.float32).tolist() == [0.5, -2.0, 3.0]


LOOP = """
import sys, numpy as np
from tripartite import io
number = 0
while True:
    io.save(sys.argv[1], {"a": np.full(200_000, number), "b": np.full(200_000, number)})
    number += 1
"""


@pytest.mark.gate
def test_a_kill_amid_a_save_leaves_a_whole_model(tmp_path):
    program = [sys.executable, "-c", LOOP, str(tmp_path / "x")]
    with subprocess.Popen(program) as writer:
        kill_amid_a_write(writer, tmp_path / "x")
    loaded = io.load(tmp_path / "x")
    assert len(set(loaded["a"].tolist()) | set(loaded["b"].tolist())) == 1
