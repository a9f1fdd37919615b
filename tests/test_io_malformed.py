"""Files that are damaged or made to deceive: an error that names the file, and nothing else.

Every kind that the library reads of its own: models, checkpoints of runs, solutions.
"""

import copy
import hashlib
import json
import random
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from damage import JUNK, damaged, places
from tripartite import cells, io
from tripartite.core import archive

MUTATIONS = 200


def make_model(path):
    io.save(path, {"cell": cells.HodgkinHuxley(), "w": jnp.arange(6.0), "s": np.float32(1)})


def run(path, amplitude=2.0):
    cell = cells.LIF()
    return tp.simulate(cell, amplitude, t1=1.0, dt=0.1, checkpoint=path, every=0.5)


def make_solution(path):
    cell = cells.LIF()
    io.save_solution(path, tp.simulate(cell, 2.0, t1=1.0, dt=0.1), cell)


# What writes a file, what reads it, and whether reading needs an extra.
KINDS = {
    "model": (make_model, io.load, None),
    "run": (run, run, None),
    "solution": (make_solution, io.load_solution, "netCDF4"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_accidents(tmp_path, kind):
    make, read, extra = KINDS[kind]
    if extra is not None:
        pytest.importorskip(extra)
    path, chance = tmp_path / "file-x", random.Random(3)
    make(path)
    data = path.read_bytes()
    read(path)
    for i in range(MUTATIONS):
        changed = damaged(data, chance)
        assert changed != data
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="file-x") as raised:
            read(path)
        assert type(raised.value) is ValueError, (i, raised.value)


def opened(path):
    """The description of a safetensors file of ours, its other entries, and its data."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    about = json.loads(entries.pop("__metadata__")["tripartite"])
    return about, entries, data[8 + length :]


def sealed(path, about, entries, data):
    """Writes such a file with a seal that fits, as somebody who knows the format would."""

    def dumps(x):
        return json.dumps(x, separators=(",", ":"), ensure_ascii=False)

    text = about if isinstance(about, str) else dumps(about)
    content = {"__metadata__": {"tripartite": text}, **entries}
    seal = hashlib.sha256(dumps(content).encode() + data).hexdigest()
    content["__metadata__"]["sha256"] = seal
    header = dumps(content).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


@pytest.mark.parametrize("kind", ["model", "run"])
def test_deceit(tmp_path, kind):
    """One place of the header is something else, under a seal that fits.

    What still makes sense loads, such as another number; the rest is refused, and nothing that a
    file names is imported.
    """
    make, read, _ = KINDS[kind]
    path, chance = tmp_path / "file-x", random.Random(4)
    make(path)
    original = opened(path)
    modules, refused = set(sys.modules), 0
    for _ in range(MUTATIONS):
        about, entries, data = copy.deepcopy(original)
        node, key = chance.choice(places([about, entries], []))
        if isinstance(node, dict) and chance.random() < 0.2:
            del node[key]
        else:
            node[key] = copy.deepcopy(chance.choice(JUNK))
        try:
            sealed(path, about, entries, data)
        except (UnicodeEncodeError, AttributeError):
            continue
        try:
            read(path)
        except ValueError as error:
            assert "file-x" in str(error), error
            refused += 1
    assert refused > MUTATIONS / 3
    assert set(sys.modules) == modules


def nested(depth):
    return '{"list":[' * depth + "]}" * depth


def about(text="1", kind="model", **changes):
    header = {"tree": "TREE", "objects": []}
    found = {"format": 1, "kind": kind, "library": "0.1.0", "bytes": {}, "header": header}
    return json.dumps(found | changes).replace('"TREE"', text)


def array(shape, begin=0, end=8, dtype="F64"):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}


DECEITS = {
    "nested 50,000 deep": (about(nested(50_000)), {}, b""),
    "nested 500 deep": (about(nested(500)), {}, b""),
    "a long number": (about("9" * 5000), {}, b""),
    "a shape beyond memory": (about(), array([2**62, 2**62]), bytes(8)),
    "a shape of nothing beyond memory": (about(), array([2**62, 0], 0, 0), b""),
    "many axes": (about(), array([1] * 1000), bytes(8)),
    "a negative axis": (about(), array([-1]), bytes(8)),
    "offsets beyond the end": (about(), array([2**40], 0, 2**43), bytes(8)),
    "offsets that go back": (about(), array([1], 8, 0), bytes(8)),
    "data that no array has": (about(), {}, bytes(8)),
    "an unknown dtype": (about(), array([1], dtype="OBJECT"), bytes(8)),
    "bytes of an unknown dtype": (
        about(bytes={"a": ["object", [1]]}),
        array([8], dtype="U8"),
        bytes(8),
    ),
    "no description": ("3", {}, b""),
    "no format": (about(format="1"), {}, b""),
    "no tree": (about(header={}), {}, b""),
    "another kind": (about(kind="x"), {}, b""),
    "a function to call": (about('{"function":"os.system"}'), {}, b""),
    "an array that is not there": (about('{"array":"b","of":"jax"}'), {}, b""),
    "an object within itself": (
        about(header={"tree": 1, "objects": [{"object": 0}]}),
        {},
        b"",
    ),
}


@pytest.mark.parametrize("what", DECEITS)
def test_a_deceit_is_refused_at_once(tmp_path, what):
    path = tmp_path / "file-x"
    sealed(path, *DECEITS[what])
    started = time.process_time()
    with pytest.raises(ValueError, match="file-x"):
        io.load(path)
    assert time.process_time() - started < 1.0


def test_headers_that_lie_about_their_length(tmp_path):
    path = tmp_path / "file-x"
    for length in (2**63, 10**8, 9, 0):
        path.write_bytes(length.to_bytes(8, "little") + b"[]      ")
        with pytest.raises(ValueError, match="file-x"):
            archive.read(path, "model")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="file-x"):
        archive.read(path, "model")
