"""Solutions to and from xarray, and NetCDF files of them, with a unit on every variable."""

import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core import AbstractDynamics, archive
from tripartite.core.arguments import checked
from tripartite.core.files import Location, whole_file
from tripartite.failures import RESULTS
from tripartite.io.variables import Variable, variables

if TYPE_CHECKING:
    import xarray

_RESULTS = ("successful", "max_steps_reached", "non_finite", "beyond_flow")
# After the last byte of a NetCDF file, which its own readers ignore: a digest of all before it.
_SEAL = b"tripartite sha256 "
_LENGTH = len(_SEAL) + 64


@checked
def to_xarray(
    solution: diffrax.Solution,
    model: AbstractDynamics,
    *,
    units: dict[str, str] | None = None,
) -> "xarray.Dataset":
    """A solution as a labelled dataset: one variable for each record, over `time` in ms.

    A record of several units has the dimension `unit`; of a network, `"exc.v"` has `exc_unit`.
    Where a record is a state, or a part or a sum of states, its `units` are those that the model
    declares.

    **Arguments:** `solution` of one `simulate`; `model`, the one that was solved; `units`: those of
    other records, by name.

    **Raises:** `ImportError` without the `io` extra; `ValueError` for a traced or a mapped
    solution, or for `units` of a record that is not there.
    """
    xarray = _xarray()
    found = variables(solution, model, units or {})
    data = {v.name: (v.dims, np.asarray(v.values), _attributes(v)) for v in found}
    time = ("time", np.asarray(solution.ts), {"units": "ms", "long_name": "time"})
    attributes: dict[str, Any] = {
        "model": type(model).__name__,
        "result": _result_name(solution),
        "num_steps": int(solution.stats["num_steps"]),
        "tripartite": version("tripartite"),
    }
    for line in filter(None, str(solution.stats.get("plan", "")).splitlines()):
        name, _, what = line.partition(": ")
        attributes[name] = what
    return xarray.Dataset(data, coords={"time": time}, attrs=attributes)


@checked
def from_xarray(dataset: "xarray.Dataset") -> diffrax.Solution:
    """The solution of which `to_xarray` made a dataset: `ts`, `ys` by name, and its result.

    **Raises:** `ValueError` for a dataset without `time` in ms, or of an unknown result.
    """
    name = dataset.attrs.get("result", _RESULTS[0])
    if "time" not in dataset.coords or dataset["time"].attrs.get("units") != "ms":
        raise ValueError("the dataset must have a coordinate `time` with the attribute units: ms.")
    if name not in _RESULTS:
        raise ValueError(f"the dataset's result must be one of {_RESULTS}, got {name!r}.")
    ts = jnp.asarray(dataset["time"].values)
    return diffrax.Solution(
        t0=ts[0],
        t1=ts[-1],
        ts=ts,
        ys={str(key): jnp.asarray(x.values) for key, x in dataset.data_vars.items()},
        interpolation=None,
        stats={"num_steps": int(dataset.attrs.get("num_steps", 0))},
        result=getattr(RESULTS, name),
        solver_state=None,
        controller_state=None,
        made_jump=None,
        event_mask=None,
    )


@checked
def save_solution(
    path: Location,
    solution: diffrax.Solution,
    model: AbstractDynamics,
    *,
    units: dict[str, str] | None = None,
) -> None:
    """Writes `to_xarray(solution, model, units=units)` to a NetCDF 4 file, whole or not at all.

    Any reader of NetCDF opens it. `load_solution` reads it back.

    **Raises:** as `to_xarray` does, and `ValueError` for a folder that is not there.
    """
    dataset = to_xarray(solution, model, units=units)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "solution.nc"
        dataset.to_netcdf(file, engine="netcdf4", format="NETCDF4")
        data = file.read_bytes()
    with whole_file(path) as file:
        file.write(data + _SEAL + hashlib.sha256(data).hexdigest().encode())


@checked
def load_solution(path: Location) -> diffrax.Solution:
    """Reads what `save_solution` wrote, bit for bit: `ts` in ms, `ys` by name, the result.

    Other NetCDF files are for `xarray.open_dataset`: their bytes go to a reader that trusts them,
    so here only those are read that are as they were written.

    **Raises:** `ImportError` without the `io` extra; `ValueError`, naming the file, if it is not
    there, damaged, or was not written by `save_solution`.
    """
    xarray = _xarray()
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}.")
    data = Path(path).read_bytes()
    content, seal = data[:-_LENGTH], data[-_LENGTH:]
    if not seal.startswith(_SEAL):
        raise ValueError(
            f"{path} was not written by save_solution: read it with xarray.open_dataset, and give "
            "that to io.from_xarray."
        )
    if seal[len(_SEAL) :] != hashlib.sha256(content).hexdigest().encode():
        raise archive.damaged(path, "its contents are not those that were written (SHA-256)")
    try:
        dataset = xarray.load_dataset(path, engine="netcdf4", decode_times=False)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise archive.damaged(path, f"no NetCDF file ({error})") from error
    wide = [str(v.dtype) for v in dataset.variables.values() if _narrows(v.dtype)]
    if wide:
        raise ValueError(
            f"{path} holds {wide[0]} numbers, and JAX is set to 32 bits: call "
            'jax.config.update("jax_enable_x64", True) before loading it.'
        )
    try:
        return from_xarray(dataset)
    except (ValueError, TypeError, IndexError) as error:
        raise archive.damaged(path, f"no solution ({error})") from error


def _narrows(dtype: Any) -> bool:
    return jax.dtypes.canonicalize_dtype(dtype) != dtype


def _attributes(variable: Variable) -> dict[str, str]:
    return {} if variable.unit is None else {"units": variable.unit}


def _result_name(solution: diffrax.Solution) -> str:
    text = RESULTS[solution.result]
    names = [name for name in _RESULTS if RESULTS[getattr(RESULTS, name)] == text]
    if not names:
        raise ValueError(f"a solution that ended so is not saved: {text}")
    return names[0]


def _xarray() -> Any:
    try:
        import netCDF4  # noqa: F401  (xarray writes with it)
        import xarray
    except ImportError as error:
        raise ImportError(
            "Datasets and NetCDF files need xarray and netCDF4, which the `io` extra installs: "
            'pip install "tripartite[io]".'
        ) from error
    return xarray
