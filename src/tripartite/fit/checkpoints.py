"""Checkpoints of a fit: written whole or not at all, read without running anything."""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core.arguments import checked

File = str | os.PathLike[str]
LAYOUT = 1
_HEADER, _CONTENTS = "header", "contents"
# What reading a damaged file may come to, in zipfile, NumPy and JSON.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    OSError,
    TypeError,
    ValueError,
)
_LIBRARIES = ("tripartite", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpy")


class Checkpoint(NamedTuple):
    """What a file holds: `header`, what it belongs to, and `arrays`, by name."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


def write_checkpoint(path: File, header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Writes a checkpoint beside its place and then moves it there, in one step.

    A process that is killed leaves either the file that was there before or the new one, whole:
    `os.replace` after `fsync`. NumPy's `.npz`, with the header as JSON; nothing is pickled.
    """
    path = Path(path)
    kept = {name: np.asarray(array) for name, array in arrays.items()}
    header = header | {_CONTENTS: digest(kept)}
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    stored: Any = {_HEADER: text} | kept
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **stored)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@checked
def read_checkpoint(path: File) -> Checkpoint:
    """Reads a checkpoint of any fit and version. Nothing in the file is executed.

    `header["parameters"]` says what was fitted, and `arrays["value.NAME"]` is what was found of
    each.

    **Raises:** `ValueError` if the file is no checkpoint, or only a part of one.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"there is no checkpoint {path}.")
    try:
        # A file that NumPy cannot read it would leave open.
        with path.open("rb") as opened:
            _require_unpacked(opened)
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(bytes(arrays.pop(_HEADER)))
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} is no checkpoint of a fit, or only a part of one ({error}): delete it, or "
            "take another copy."
        ) from error
    if not isinstance(header, dict) or header.get("layout") != LAYOUT:
        found = header.get("layout") if isinstance(header, dict) else None
        raise ValueError(
            f"{path} has the checkpoint layout {found}, and this version of tripartite reads "
            f"layout {LAYOUT}: read it with the version that wrote it."
        )
    # NumPy does not read an array to the end of its entry, where a checksum would be compared.
    if header.pop(_CONTENTS, None) != digest(arrays):
        raise ValueError(f"{path} is damaged: its numbers are not those that were written.")
    return Checkpoint(header, arrays)


def _require_unpacked(file: BinaryIO) -> None:
    """**Raises:** `ValueError` for entries larger than the file: a fit's are not compressed."""
    with zipfile.ZipFile(file) as packed:
        said = sum(entry.file_size for entry in packed.infolist())
    if said > os.fstat(file.fileno()).st_size:
        raise ValueError(f"its entries are said to be {said} bytes")


def describe(packing: Any, data: Any, **more: Any) -> dict[str, Any]:
    """The header of a fit: everything that has to be the same for it to go on."""
    references = packing.references()
    return {
        "layout": LAYOUT,
        "versions": {name: version(name) for name in _LIBRARIES},
        "parameters": {
            one.name: f"{x.dtype}{list(jnp.shape(x))}, {one.constraint!r}"
            for one, x in zip(packing.picked, references, strict=True)
        },
        "model": digest(packing.model),
        "data": digest(data),
        **more,
    }


def check_same(path: File, found: dict[str, Any], here: dict[str, Any]) -> None:
    """**Raises:** `ValueError` that lists what differs between two headers."""
    changed = list(_changes("", found, here))
    if changed:
        told = "\n  ".join(changed)
        raise ValueError(
            f"{path} is the checkpoint of another fit:\n  {told}\nGive this fit a path of its own, "
            "delete the file, or go on as it was; what it found is in "
            f"fit.read_checkpoint({str(path)!r}).arrays."
        )


def _changes(name: str, found: Any, here: Any) -> Any:
    if isinstance(found, dict) and isinstance(here, dict):
        for key in dict.fromkeys([*found, *here]):
            label = f"{name} {key}".strip()
            yield from _changes(label, found.get(key, "nothing"), here.get(key, "nothing"))
    elif found != here:
        if name in ("model", "data", "starts"):
            yield f"{name}: other numbers or another structure"
        else:
            yield f"{name}: the file has {found}, this fit {here}"


def digest(tree: Any) -> str:
    """A fingerprint of a tree's structure, arrays and other leaves."""
    found = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        found.update(jax.tree_util.keystr(path).encode())
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        if eqx.is_array(leaf) or isinstance(leaf, np.ndarray):
            array = np.asarray(leaf)
            found.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        elif isinstance(leaf, bool | int | float | complex | str):
            found.update(repr(leaf).encode())
        else:
            # A function's repr has an address, another in each process.
            found.update(type(leaf).__qualname__.encode())
    return found.hexdigest()


def as_arrays(prefix: str, tree: Any) -> dict[str, Any]:
    """A tree's leaves under numbered names."""
    return {f"{prefix}.{i}": leaf for i, leaf in enumerate(jax.tree.leaves(tree))}


def from_arrays(prefix: str, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A tree of `like`'s structure from its numbered leaves.

    **Raises:** `ValueError` if one is missing, or has another shape or dtype.
    """
    leaves, structure = jax.tree.flatten(like)
    found = []
    for i, leaf in enumerate(leaves):
        array = arrays.get(f"{prefix}.{i}")
        wanted = jnp.asarray(leaf)
        if array is not None and array.dtype.kind == "V":
            array = array.view(wanted.dtype)
        if array is None or array.shape != wanted.shape or array.dtype != wanted.dtype:
            has = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
            raise ValueError(
                f"the checkpoint's {prefix}.{i} is {has}, and {wanted.dtype}{list(wanted.shape)} "
                "is needed: it was made with another optimiser."
            )
        found.append(jnp.asarray(array))
    return jax.tree.unflatten(structure, found)
