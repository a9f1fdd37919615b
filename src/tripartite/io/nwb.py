"""Recordings for experimenters' tools: files of Neurodata Without Borders (NWB)."""

import datetime
import tempfile
from pathlib import Path
from typing import Any

import diffrax
import numpy as np

from tripartite.core import AbstractDynamics
from tripartite.core.arguments import checked
from tripartite.core.files import Location, whole_file
from tripartite.io.variables import Variable, variables

# NWB asks for SI units: ours as the SI unit and how many of it one of ours is.
_SI = {"mV": ("volts", 1e-3), "pA": ("amperes", 1e-12), "uM": ("molar", 1e-6)}
_SI |= {"ms": ("seconds", 1e-3), "nS": ("siemens", 1e-9)}


@checked
def save_nwb(
    path: Location,
    solution: diffrax.Solution,
    model: AbstractDynamics,
    *,
    session_start: datetime.datetime,
    description: str,
    identifier: str,
    units: dict[str, str] | None = None,
) -> None:
    """Writes a solution's records to an NWB file, one `TimeSeries` each, whole or not at all.

    Potentials, currents in pA, concentrations in uM and conductances in nS get their SI unit and
    the `conversion` to it; the numbers stay as they are. Other units stay as they are, too.

    **Arguments:**

    - `solution` of one `simulate`; `model`, the one that was solved.
    - `session_start`: with a time zone; `description` and `identifier` (unique) of the session. NWB
        asks for all three.
    - `units`: those of records that the model does not declare, by name.

    **Raises:** `ImportError` without the `nwb` extra; `ValueError` for a start without a time zone,
    for a name with a slash or a colon, for `units` of a record that is not there, or for a folder
    that is not there.
    """
    pynwb = _pynwb()
    if session_start.tzinfo is None:
        raise ValueError(
            f"session_start must have a time zone, got {session_start}: for example "
            "datetime.datetime.now(datetime.UTC)."
        )
    found = variables(solution, model, units or {})
    for variable in found:
        if "/" in variable.name or ":" in variable.name:
            raise ValueError(f"NWB takes no name with a slash or a colon, got {variable.name!r}.")
    file = pynwb.NWBFile(
        session_description=description,
        identifier=identifier,
        session_start_time=session_start,
    )
    timing = _timing(np.asarray(solution.ts, float))
    for variable in found:
        file.add_acquisition(pynwb.TimeSeries(**_series(variable, model), **timing))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "session.nwb"
        with pynwb.NWBHDF5IO(str(part), "w") as writer:
            writer.write(file)
        data = part.read_bytes()
    with whole_file(path) as target:
        target.write(data)


def _series(variable: Variable, model: AbstractDynamics) -> dict[str, Any]:
    unit, conversion = _SI.get(variable.unit or "", (variable.unit or "unknown", 1.0))
    return {
        "name": variable.name,
        "data": np.asarray(variable.values),
        "unit": unit,
        "conversion": conversion,
        "description": f"{variable.name} of {type(model).__name__}, simulated with tripartite.",
    }


def _timing(ms: np.ndarray) -> dict[str, Any]:
    """A start and a rate where the steps are equal, else a time for each record; in seconds."""
    steps = np.diff(ms)
    # Of times of this size, a difference is known to a few spacings.
    equal = len(steps) > 0 and np.ptp(steps) <= 4 * np.spacing(np.float32(np.abs(ms).max()))
    if not equal:
        return {"timestamps": ms * 1e-3}
    rate = 1e3 * len(steps) / (ms[-1] - ms[0])
    return {"starting_time": float(ms[0]) * 1e-3, "rate": float(rate)}


def _pynwb() -> Any:
    try:
        import pynwb  # pyright: ignore[reportMissingImports]  (of an extra that the gate has not)
    except ImportError as error:
        raise ImportError(
            'NWB files need pynwb, which the `nwb` extra installs: pip install "tripartite[nwb]".'
        ) from error
    return pynwb
