"""Damaged files of the kinds that others write too: an error that names the file, or a whole load.

Pretrained checkpoints, feature maps, checkpoints of fits, pictures and texts: two hundred
accidents to each, and two hundred pieces of its JSON replaced. Twenty of each run by default, all
in `--full`.
"""

import copy
import gzip
import json
import random
import resource
import struct
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bert_checkpoints
import vit_checkpoints
from damage import JUNK, damaged, places
from tripartite import attention, fit
from tripartite.proofs.paragraphs import read_paragraphs

FEW = 20
# The whole process may grow by so much while such files of a few kilobytes are read.
MEGABYTES = 400


def maps(folder):
    key = jax.random.key(0)
    made = [
        attention.LearnedExponential(3, 4, key=key),
        attention.LearnedGaussian(3, 4, hidden=2, key=key),
    ]
    attention.save_feature_maps(folder / "maps", made)


def fitted(folder):
    settings = {"constraints": fit.Free(), "checkpoint_every": 1, "steps": 2}
    fit.fit(jnp.ones(2), lambda x, _: jnp.sum(x**2), None, checkpoint=folder / "fit", **settings)


def bert(folder):
    pytest.importorskip("safetensors")
    bert_checkpoints.write_checkpoint(folder)


def vit(folder):
    pytest.importorskip("safetensors")
    vit_checkpoints.write_checkpoint(folder)


def read_tokens(folder):
    pytest.importorskip("tokenizers")
    return attention.tokenize(folder, ["the astrocyte listens"], max_tokens=8)


def idx(folder):
    header = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 3, 4)
    (folder / "idx").write_bytes(header + bytes(range(24)))


def zipped(folder):
    idx(folder)
    (folder / "idx").write_bytes(gzip.compress((folder / "idx").read_bytes(), mtime=0))


def pictures(folder):
    pytest.importorskip("sklearn")
    from experiments.pictures import read_idx

    return read_idx(folder / "idx", 3)


def text(folder):
    (folder / "text").write_text("Glia listen.\n\nNeurons speak: naïvely, às vezes.\n\n", "utf-8")


# What writes a folder, the file in it that is damaged, and what reads it.
KINDS = {
    "feature maps": (maps, "maps", lambda f: attention.load_feature_maps(f / "maps")),
    "fit": (fitted, "fit", lambda f: fit.read_checkpoint(f / "fit")),
    "BERT sizes": (bert, "config.json", attention.load_bert),
    "BERT tensors": (bert, "model.safetensors", attention.load_bert),
    "BERT tokens": (bert, "tokenizer.json", read_tokens),
    "ViT sizes": (vit, "config.json", attention.load_vit),
    "ViT tensors": (vit, "model.safetensors", attention.load_vit),
    "pictures": (idx, "idx", pictures),
    "zipped pictures": (zipped, "idx", pictures),
    "text": (text, "text", lambda f: read_paragraphs(f / "text")),
}


def heads(data):
    """Accidents to the length that a safetensors or an IDX file begins with, and other files."""
    for head in (b"\xff" * 8, (2**40).to_bytes(8, "little"), bytes(8), bytes((0, 0, 8, 3))):
        yield head + data[8:]
    yield data[:8] + b"\xff" * 8 + data[16:]
    yield from (b"", b"\0", b"{}", b"[]", b"null", random.Random(2).randbytes(500))
    yield b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    yield b'{"hidden_size": ' + b"9" * 5000 + b"}"


def bytes_of(data, count):
    chance = random.Random(5)
    yield from heads(data)
    for _ in range(count):
        yield damaged(data, chance)


def read_all(kind, folder, files):
    """Each of such contents either loads, or a plain error names the file; in time, and space."""
    _, name, read = KINDS[kind]
    path = folder / name
    space = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    modules, refused, number = set(sys.modules), 0, 0
    for number, data in enumerate(files, 1):
        path.write_bytes(data)
        started = time.process_time()
        try:
            read(folder)
        except ValueError as error:
            assert type(error) is ValueError, (number, error)
            assert name in str(error), (number, error)
            refused += 1
        assert time.process_time() - started < 10.0, number
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - space < 1024 * MEGABYTES
    assert set(sys.modules) - modules == set()
    return refused / number


def made(kind, tmp_path):
    make, name, read = KINDS[kind]
    make(tmp_path)
    read(tmp_path)
    return (tmp_path / name).read_bytes()


# Of some an accident may leave another file that is whole: other weights, words or brightnesses.
@pytest.mark.parametrize("count", [FEW, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_accidents(tmp_path, kind, count):
    data = made(kind, tmp_path)
    refused = read_all(kind, tmp_path, bytes_of(data, count))
    assert refused == 1.0 if kind == "feature maps" else refused > 0.2


def forged(value, count):
    """A piece of JSON with one place of it something else."""
    chance = random.Random(6)
    for _ in range(count):
        changed = copy.deepcopy(value)
        node, key = chance.choice(places(changed, []))
        if isinstance(node, dict) and chance.random() < 0.2:
            del node[key]
        else:
            node[key] = copy.deepcopy(chance.choice(JUNK))
        yield json.dumps(changed).encode()


@pytest.mark.parametrize("count", [FEW, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["BERT sizes", "ViT sizes", "BERT tokens"])
def test_forged_json(tmp_path, kind, count):
    value = json.loads(made(kind, tmp_path))
    assert read_all(kind, tmp_path, forged(value, count)) > 0.2


@pytest.mark.parametrize("count", [FEW, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["BERT tensors", "ViT tensors"])
def test_forged_headers(tmp_path, kind, count):
    """Shapes, offsets and names of dtypes of a safetensors file that are not so."""
    data = made(kind, tmp_path)
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    names = ["F8_E4M3", "BF16", "I64", "F4", "OBJECT", "F64", ""]

    def files():
        chance = random.Random(7)
        for text in forged(header, count):
            yield len(text).to_bytes(8, "little") + text + rest
            swapped = copy.deepcopy(header)
            entry = swapped[chance.choice([name for name in swapped if name != "__metadata__"])]
            entry["dtype"] = chance.choice(names)
            text = json.dumps(swapped).encode()
            yield len(text).to_bytes(8, "little") + text + rest

    assert read_all(kind, tmp_path, files()) > 0.5


SIZES = ["vocab_size", "hidden_size", "num_hidden_layers", "max_position_embeddings", "image_size"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["BERT sizes", "ViT sizes"])
def test_sizes_beyond_memory(tmp_path, kind, size):
    value = json.loads(made(kind, tmp_path))
    if size in value:
        files = [json.dumps(value | {size: 240 * 10**n}).encode() for n in (3, 7, 12, 18)]
        assert read_all(kind, tmp_path, files) == 1.0


def test_a_zipped_file_that_swells(tmp_path):
    """A few kilobytes that unpack to two gigabytes are not unpacked."""
    made("pictures", tmp_path)
    swollen = gzip.compress((tmp_path / "idx").read_bytes()) + gzip.compress(bytes(2**21)) * 1000
    assert read_all("pictures", tmp_path, [swollen]) == 1.0


def test_arrays_in_a_checkpoint_of_a_fit_that_swell(tmp_path):
    """Its entries are not packed, so that what says it is larger than the file is refused."""
    made("fit", tmp_path)
    np.savez_compressed(tmp_path / "big", header=np.zeros(2**26, np.uint8))
    assert read_all("fit", tmp_path, [(tmp_path / "big.npz").read_bytes()]) == 1.0
