"""Arrays and a JSON header in one sealed file: the container of all that the library saves.

It is a safetensors file (https://github.com/huggingface/safetensors): the length of a JSON header
in eight bytes, the header, and the arrays' bytes one after the other. Any reader of that format
opens it. In the header's `__metadata__` stand what kind of file it is, and the SHA-256 of all else
that it holds, so that a damaged file is refused rather than read as other numbers.

Reading executes nothing and allocates no more than the file is long.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from tripartite.core.files import Location, whole_file

# The version of the layout of the header; the library's own version stands beside it.
FORMAT = 1

_CODES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
}
# Without a code in safetensors: their bytes are stored, and the header says whose they are.
_AS_BYTES = (
    "complex64",
    "complex128",
    "int4",
    "uint4",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
)
DTYPES = (*_CODES, *_AS_BYTES)
_BYTES = "U8"
_META = "__metadata__"
# A header of 100 MB is safetensors' own limit.
_LONGEST = 100_000_000
_AXES = 32
_LARGEST = 2**48


class Content(NamedTuple):
    """What a file holds: its header, its arrays by name, and who wrote it."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    written_by: str


def write(path: Location, kind: str, header: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file whole or not at all.

    **Arguments:** `kind`, a word that `read` will ask for; `header`, anything that JSON holds;
    `arrays` of numbers, of any dtype of NumPy's or JAX's.

    **Raises:** `ValueError` for an array of objects or of text, or a folder that is not there.
    """
    entries: dict[str, Any] = {}
    blocks: list[np.ndarray] = []
    kinds: dict[str, list[Any]] = {}
    offset = 0
    for name, array in arrays.items():
        kept = np.ascontiguousarray(array).reshape(array.shape)
        dtype = kept.dtype.name
        if dtype not in DTYPES:
            raise ValueError(f"{name} is an array of {dtype}, which no file keeps: give numbers.")
        block = kept.astype(kept.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        shape = list(kept.shape)
        if dtype in _AS_BYTES:
            kinds[name], shape = [dtype, shape], [block.size]
        entries[name] = {
            "dtype": _CODES.get(dtype, _BYTES),
            "shape": shape,
            "data_offsets": [offset, offset + block.size],
        }
        offset += block.size
        blocks.append(block)
    about = {
        "format": FORMAT,
        "kind": kind,
        "library": version("tripartite"),
        "bytes": kinds,
        "header": header,
    }
    content = {_META: {"tripartite": _dumps(about)}, **entries}
    digest = _digest(content, blocks)
    content[_META]["sha256"] = digest
    text = _padded(content)
    with whole_file(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for block in blocks:
            file.write(block.data)


def read(path: Location, kind: str) -> Content:
    """Reads a file that `write` wrote.

    **Raises:** `ValueError`, naming the file, for one that is not there, damaged, of another kind
    or of a later format.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}.")
    with open(path, "rb") as file:
        text, content, data = _parsed(file, path)
    meta = content.get(_META)
    if not isinstance(meta, dict) or not isinstance(meta.get("tripartite"), str):
        raise ValueError(f"{path} was not written by tripartite: it holds no description of ours.")
    try:
        canonical = text == _padded(content)
        seal = meta.pop("sha256", None)
        whole = canonical and seal == _digest(content, [data])
    except RecursionError as error:
        raise damaged(path, "its header is nested too deep") from error
    if not whole:
        raise ValueError(
            f"{path} is damaged: its contents are not those that were written (SHA-256). Take "
            "another copy of it."
        )
    about = _about(path, meta["tripartite"], kind)
    del content[_META]
    arrays, kinds, rest = {}, about["bytes"], data
    for name, entry in content.items():
        arrays[name], rest = _array(path, name, entry, kinds.get(name), rest, len(data))
    if len(rest):
        raise damaged(path, f"{len(rest)} bytes belong to no array")
    return Content(about["header"], arrays, f"tripartite {about['library']}")


def damaged(path: Location, what: str) -> ValueError:
    """The error for a file whose contents make no sense."""
    return ValueError(f"{path} is damaged or was not written by tripartite: {what}.")


def _dumps(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _digest(content: dict[str, Any], blocks: list[Any]) -> str:
    digest = hashlib.sha256(_dumps(content).encode("utf-8", "surrogatepass"))
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _padded(content: dict[str, Any]) -> bytes:
    text = _dumps(content).encode("utf-8", "surrogatepass")
    return text + b" " * (-len(text) % 8)


def _parsed(file: BinaryIO, path: Path) -> tuple[bytes, dict[str, Any], memoryview]:
    """The header, as it stands and as it is read, and the bytes of the arrays."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _LONGEST):
        raise damaged(path, f"a header of {length} bytes in a file of {size}")
    text = file.read(length)
    content = loads(path, text)
    if not isinstance(content, dict):
        raise damaged(path, "its header is no JSON object")
    return text, content, memoryview(file.read())


def loads(path: Location, text: str | bytes) -> Any:
    """JSON of a file. **Raises:** `ValueError`, naming the file, for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"its header is not JSON ({error})") from error


def _about(path: Path, text: str, kind: str) -> dict[str, Any]:
    about = loads(path, text)
    if not isinstance(about, dict) or set(about) != {
        "format",
        "kind",
        "library",
        "bytes",
        "header",
    }:
        raise damaged(path, "it does not say what it holds")
    if not isinstance(about["format"], int) or not isinstance(about["bytes"], dict):
        raise damaged(path, "it does not say in which format")
    if about["format"] > FORMAT:
        raise ValueError(
            f"{path} has format {about['format']}, of tripartite {about['library']}; this "
            f"version, {version('tripartite')}, reads formats up to {FORMAT}: update tripartite."
        )
    if about["kind"] != kind:
        raise ValueError(f"{path} holds a {about['kind']}, and a {kind} was asked for.")
    if not isinstance(about["header"], dict):
        raise damaged(path, "its description is no JSON object")
    return about


def _array(
    path: Path, name: str, entry: Any, kind: Any, rest: memoryview, total: int
) -> tuple[np.ndarray, memoryview]:
    """The array whose bytes begin `rest`, and the bytes after it."""
    match entry:
        case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            dtype = next((known for known, c in _CODES.items() if c == code), None)
        case _:
            raise damaged(path, f"the entry of array {name!r} is {entry!r}")
    match kind:
        case None:
            pass
        case [str(dtype), list(full)] if dtype in _AS_BYTES and shape == [end - begin]:
            shape = full
        case _:
            raise damaged(path, f"array {name!r} is said to hold {kind!r}")
    whole = all(type(n) is int and n >= 0 for n in shape) and len(shape) <= _AXES
    # Without its axes of zero, too, a shape must be one that an array can have.
    if dtype is None or not whole or math.prod(n or 1 for n in shape) > _LARGEST:
        raise damaged(path, f"array {name!r} is of type {code!r} and shape {shape}")
    kept = jnp.dtype(dtype)
    # In whole numbers of any size: a shape may be absurd, and nothing is allocated yet.
    size = math.prod(shape) * kept.itemsize
    if begin != total - len(rest) or end - begin != size or size > len(rest):
        raise damaged(path, f"array {name!r} of shape {shape} is said to be bytes {begin} to {end}")
    little = np.frombuffer(rest[:size], kept.newbyteorder("<"))
    return little.astype(kept).reshape(shape), rest[size:]
