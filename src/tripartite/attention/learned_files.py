"""Trained feature maps as a safetensors file: arrays and a line of text, nothing that runs."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from tripartite.attention.checkpoint import Folder
from tripartite.attention.features import AbstractPositiveFeatureMap
from tripartite.attention.learned import LearnedExponential, LearnedGaussian

_FORMAT = "tripartite feature maps, version 1"
_SIZES = {"dimension": int, "features": int, "stabilise": bool}
# What a header may name, and the arguments that shape its arrays.
_KINDS: dict[str, tuple[Callable[..., AbstractPositiveFeatureMap], dict[str, type]]] = {
    "LearnedExponential": (LearnedExponential, {**_SIZES, "both_signs": bool}),
    "LearnedGaussian": (LearnedGaussian, _SIZES),
}


def save_feature_maps(
    path: Folder,
    maps: AbstractPositiveFeatureMap | Sequence[AbstractPositiveFeatureMap],
    *,
    dtype: DTypeLike | None = None,
) -> None:
    """Writes trained maps to a safetensors file, the arrays of entry n under `n.name`.

    **Arguments:**

    - `path`: the file to write.
    - `maps`: one map, or one for each layer of a transformer, as `swap_attention` takes them; the
        arrays of each may have a leading axis of heads.
    - `dtype`: precision to store, by default that of the arrays; float16 halves float32's size.

    **Raises:** `ImportError` naming the `text` extra where it is missing; `ValueError` for a map of
    a kind that is not trained, no map at all, or numbers beyond the range of `dtype`.
    """
    safetensors = _safetensors()
    listed = [maps] if isinstance(maps, AbstractPositiveFeatureMap) else list(maps)
    if not listed:
        raise ValueError("there is no feature map to save: give one, or one for each layer.")
    tensors, headers = {}, []
    for number, one in enumerate(listed):
        headers.append(_header(one))
        for name, array in _arrays(one).items():
            stored = np.asarray(array).astype(array.dtype if dtype is None else dtype)
            if not np.isfinite(stored).all():
                raise ValueError(
                    f"map {number}: {name} holds numbers that are not finite in {stored.dtype}. "
                    "Store it in a wider dtype, or train again from finite numbers."
                )
            tensors[f"{number}.{name}"] = np.ascontiguousarray(stored)
    metadata = {"format": _FORMAT, "maps": json.dumps(headers)}
    safetensors.numpy.save_file(tensors, str(path), metadata=metadata)


def load_feature_maps(
    path: Folder, dtype: DTypeLike = float
) -> tuple[AbstractPositiveFeatureMap, ...]:
    """Reads what `save_feature_maps` wrote: a tuple with an entry for each map, to be swapped in.

    Nothing in the file is executed: its header names one of this library's trained kinds, and
    every array must have the shape that follows from the header.

    **Arguments:** `path`; `dtype`, precision of the arrays, by default JAX's own.

    **Raises:** `ImportError` without the `text` extra; `ValueError` saying what is wrong if the
    file is missing, is no safetensors file, was not written by `save_feature_maps`, names a kind
    this version does not know, or holds an array of another shape, or numbers that are not finite.
    """
    file = Path(path)
    headers, tensors = _read(file)
    loaded = [_rebuild(file, n, header, tensors, dtype) for n, header in enumerate(headers)]
    expected = {f"{n}.{name}" for n, one in enumerate(loaded) for name in _arrays(one)}
    if extra := sorted(set(tensors) - expected):
        raise ValueError(f"{file} holds arrays that no map of its header has: {', '.join(extra)}.")
    return tuple(loaded)


def _arrays(one: AbstractPositiveFeatureMap) -> dict[str, jax.Array]:
    fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    return {name: value for name, value in fields.items() if not isinstance(value, bool)}


def _header(one: AbstractPositiveFeatureMap) -> dict[str, Any]:
    if not isinstance(one, LearnedExponential | LearnedGaussian):
        raise ValueError(
            f"only trained maps are saved ({', '.join(_KINDS)}), got {type(one).__name__}: the "
            "others are made again by their constructor."
        )
    *heads, rows, dimension = one.query_weights.shape
    if len(heads) > 1:
        raise ValueError(
            "the arrays of a map may have one leading axis, of heads, got query_weights of shape "
            f"{one.query_weights.shape}. Save one map for each layer."
        )
    arguments = {"dimension": dimension, "features": rows, "stabilise": one.stabilise}
    if isinstance(one, LearnedExponential):
        arguments["both_signs"] = one.both_signs
        arguments["features"] = 2 * rows if one.both_signs else rows
    return {"kind": type(one).__name__, "heads": heads, "arguments": arguments}


def _rebuild(
    file: Path, number: int, header: object, tensors: dict[str, np.ndarray], dtype: DTypeLike
) -> AbstractPositiveFeatureMap:
    """The map that a header describes, with the file's arrays."""
    match header:
        case {"kind": str(kind), "heads": [] | [int()] as heads, "arguments": dict(arguments)}:
            pass
        case _:
            raise ValueError(
                f"{file}: map {number} of its header must say kind, heads and arguments, got "
                f"{header!r}."
            )
    if kind not in _KINDS:
        raise ValueError(
            f"{file}: map {number} is a {kind!r}, but this version knows {', '.join(_KINDS)}."
        )
    make, expected = _KINDS[kind]
    given = {name: type(value) for name, value in arguments.items()}
    if given != expected:
        raise ValueError(
            f"{file}: map {number}, a {kind}, needs {_signature(expected)}, got {arguments!r}."
        )
    try:
        skeleton = eqx.filter_eval_shape(partial(make, **arguments), key=jax.random.key(0))
    except ValueError as error:
        raise ValueError(f"{file}: map {number}: {error}") from error
    arrays = {}
    for name, leaf in _arrays(skeleton).items():
        array = _checked(file, f"{number}.{name}", tensors, (*heads, *leaf.shape))
        arrays[name] = jnp.asarray(array, dtype)
    return eqx.tree_at(
        lambda one: [getattr(one, name) for name in arrays], skeleton, list(arrays.values())
    )


def _signature(expected: dict[str, type]) -> str:
    return ", ".join(f"{name} ({kind.__name__})" for name, kind in expected.items())


def _checked(
    file: Path, name: str, tensors: dict[str, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    if name not in tensors:
        raise ValueError(f"{file} has no array {name!r}; it holds {', '.join(sorted(tensors))}.")
    array = tensors[name]
    if array.shape != shape or not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{file}: {name} must be floating-point of shape {shape}, as its header says, got "
            f"shape {array.shape} and dtype {array.dtype}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{file}: {name} holds numbers that are not finite; it is damaged.")
    return array


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Feature maps are kept in safetensors files, which needs the package safetensors of the "
            '`text` extra: pip install "tripartite[text]".'
        ) from error
    return safetensors


def _read(file: Path) -> tuple[list, dict[str, np.ndarray]]:
    safetensors = _safetensors()
    if not file.is_file():
        raise ValueError(f"{file} is not a file: name one that save_feature_maps wrote.")
    try:
        with safetensors.safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{file} is not a readable safetensors file ({error}). Write it again with "
            "save_feature_maps."
        ) from error
    if metadata.get("format") != _FORMAT:
        raise ValueError(
            f"{file} has the format {metadata.get('format')!r}, but {_FORMAT!r} is read. Write it "
            "with save_feature_maps of this version."
        )
    try:
        headers = json.loads(metadata.get("maps", ""))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: the list of maps in its header is not JSON ({error}).") from error
    if not isinstance(headers, list) or not headers:
        raise ValueError(f"{file}: its header must list at least one map, got {headers!r}.")
    return headers, tensors
