"""Trained feature maps in one file: arrays and what shapes them, nothing that runs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from tripartite.attention.features import AbstractFeatureMap, AbstractPositiveFeatureMap
from tripartite.attention.learned import LearnedExponential, LearnedGaussian
from tripartite.core import archive
from tripartite.core.arguments import checked
from tripartite.core.files import Location

_KIND = "feature maps"
_SIZES = {"dimension": int, "features": int, "stabilise": bool}
# What a file may name, and the arguments that shape its arrays.
_CLASSES: dict[str, tuple[Callable[..., AbstractPositiveFeatureMap], dict[str, type]]] = {
    "LearnedExponential": (LearnedExponential, {**_SIZES, "both_signs": bool}),
    "LearnedGaussian": (LearnedGaussian, {**_SIZES, "hidden": int}),
}


@checked
def save_feature_maps(
    path: Location,
    maps: AbstractFeatureMap | Sequence[AbstractFeatureMap],
    *,
    dtype: DTypeLike | None = None,
) -> None:
    """Writes trained maps to a safetensors file, the arrays of entry n under `n.name`.

    **Arguments:**

    - `path`: the file to write, whole or not at all.
    - `maps`: one map, or one for each layer of a transformer, as `swap_attention` takes them; the
        arrays of each may have a leading axis of heads.
    - `dtype`: precision to store, by default that of the arrays; float16 halves float32's size.

    **Raises:** `ValueError` for a map of a kind that is not trained, no map at all, numbers beyond
    the range of `dtype`, or a folder that is not there.
    """
    listed = [maps] if isinstance(maps, AbstractFeatureMap) else list(maps)
    if not listed:
        raise ValueError("there is no feature map to save: give one, or one for each layer.")
    headers = [_header(one) for one in listed]
    arrays = {}
    for number, one in enumerate(listed):
        for path_in, leaf in jax.tree_util.tree_leaves_with_path(one):
            name, array = f"{number}.{_name(path_in)}", np.asarray(leaf)
            with np.errstate(over="ignore"):
                arrays[name] = array if dtype is None else array.astype(dtype)
            if not np.isfinite(arrays[name]).all():
                raise ValueError(
                    f"{name} holds numbers that are not finite in {arrays[name].dtype}. Store them "
                    "in a wider dtype, or train again from finite numbers."
                )
    archive.write(path, _KIND, {"maps": headers}, arrays)


@checked
def load_feature_maps(
    path: Location, dtype: DTypeLike = float
) -> tuple[AbstractPositiveFeatureMap, ...]:
    """Reads what `save_feature_maps` wrote: a tuple with an entry for each map, to be swapped in.

    Nothing in the file is executed: it names one of this library's trained maps, and every array
    must have the shape that follows from the sizes it gives.

    **Arguments:** `path`; `dtype`, precision of the arrays, by default JAX's own.

    **Raises:** `ValueError` saying what is wrong if the file is missing, damaged or of another
    kind, names a map this version does not know, or holds an array of another shape, one that
    belongs to no map, or numbers that are not finite.
    """
    content = archive.read(path, _KIND)
    headers, arrays = content.header.get("maps"), dict(content.arrays)
    if not isinstance(headers, list) or not headers:
        raise archive.damaged(path, f"it must list at least one map, got {headers!r}")
    maps = [_rebuilt(path, n, header, arrays, dtype) for n, header in enumerate(headers)]
    if arrays:
        raise archive.damaged(path, f"arrays that belong to no map: {', '.join(sorted(arrays))}")
    return tuple(maps)


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _header(one: AbstractFeatureMap) -> dict[str, Any]:
    if not isinstance(one, LearnedExponential | LearnedGaussian):
        raise ValueError(
            f"only trained maps are saved ({', '.join(_CLASSES)}), got {type(one).__name__}: the "
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
        arguments["features"] = 2 * rows if one.both_signs else rows
        arguments["both_signs"] = one.both_signs
    else:
        arguments["hidden"] = one.query_bend.offset.shape[-1]
    return {"class": type(one).__name__, "heads": heads, "arguments": arguments}


def _rebuilt(
    path: Location, number: int, header: Any, arrays: dict[str, np.ndarray], dtype: DTypeLike
) -> AbstractPositiveFeatureMap:
    """The map that a header describes, with its arrays taken out of `arrays`."""
    match header:
        case {"class": str(name), "heads": [] | [int()] as heads, "arguments": dict(arguments)}:
            pass
        case _:
            raise archive.damaged(
                path, f"map {number} must say class, heads and arguments, got {header!r}"
            )
    if name not in _CLASSES:
        raise ValueError(
            f"{path}: map {number} is a {name!r}, but this version of tripartite knows "
            f"{', '.join(_CLASSES)}. Update it."
        )
    make, expected = _CLASSES[name]
    if {key: type(value) for key, value in arguments.items()} != expected:
        needed = ", ".join(f"{key} ({kind.__name__})" for key, kind in expected.items())
        raise archive.damaged(path, f"map {number}, {name}, needs {needed}, got {arguments!r}")
    try:
        skeleton = eqx.filter_eval_shape(partial(make, **arguments), key=jax.random.key(0))
    except ValueError as error:
        raise archive.damaged(path, f"map {number}: {error}") from error

    def taken(path_in: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        array = _checked(path, f"{number}.{_name(path_in)}", arrays, (*heads, *leaf.shape))
        return jnp.asarray(array, dtype)

    return jax.tree_util.tree_map_with_path(taken, skeleton)


def _checked(
    path: Location, name: str, arrays: dict[str, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    if name not in arrays:
        raise archive.damaged(path, f"it has no array {name!r}")
    array = arrays.pop(name)
    if array.shape != shape or not jnp.issubdtype(array.dtype, jnp.floating):
        raise archive.damaged(
            path,
            f"{name} must be floating-point of shape {shape}, as its map says, but has shape "
            f"{array.shape} and dtype {array.dtype}",
        )
    if not np.isfinite(array).all():
        raise archive.damaged(path, f"{name} holds numbers that are not finite")
    return array
