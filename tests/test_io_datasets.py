"""Solutions as datasets, NetCDF and NWB files: every number, every name, every unit."""

import dataclasses
import datetime
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import recurrent
from tripartite import cells, io
from tripartite.core import port_units

LEAK = cells.LIF()
NETWORK = recurrent(0.1, delay=1.0)


def solved(model=LEAK, stimulus=2.0, **options):
    return tp.simulate(model, stimulus, t1=1.0, dt=0.1, **options)


def test_the_unit_of_what_is_recorded():
    """A state's own unit follows it through ports; what is computed otherwise has none."""

    def units(model, function):
        return port_units.units_of(model, function, eqx.filter_eval_shape(model.init))

    axon = cells.HodgkinHuxley()
    assert units(axon, axon.ports) == ["mV"]
    assert units(axon, lambda y: y.gates["sodium"]) == ["1", "1"]
    assert units(axon, lambda y: (y.v[None][0] + y.v, y.v * y.v, 2.0 + y.v)) == ["mV", None, None]
    astrocyte = tp.astrocytes.LiRinzel()
    assert units(astrocyte, jax.jit(lambda y: astrocyte.ports(y))) == ["uM", "1"]
    two = tp.networks.population(cells.TVLIF, 3, cell=axon)
    assert set(units(two, lambda y: two.ports(y)["v"])) == {"mV"}


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    found = solved()
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r'`io` extra installs: pip install "tripartite\[io\]"'):
        io.to_xarray(found, LEAK)
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(ImportError, match=r'pip install "tripartite\[nwb\]"'):
        save_nwb(tmp_path / "x", found)


def test_a_cell_s_solution_to_a_dataset_and_back():
    pytest.importorskip("xarray")
    found = solved()
    dataset = io.to_xarray(found, LEAK)
    assert dict(dataset.sizes) == {"time": 11} and dataset["time"].attrs["units"] == "ms"
    assert {name: x.attrs["units"] for name, x in dataset.items()} == {"v": "mV", "spike": "1"}
    assert dataset.attrs["model"] == "LIF" and dataset.attrs["result"] == "successful"
    assert dataset["v"].values.tolist() == found.ys["v"].tolist()
    back = io.from_xarray(dataset)
    assert back.ys["v"].tolist() == found.ys["v"].tolist()
    assert back.ts.tolist() == found.ts.tolist() and back.result == tp.RESULTS.successful


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_whole_state_through_netcdf_bit_for_bit(tmp_path, dtype):
    xarray, path = pytest.importorskip("xarray"), tmp_path / "x.nc"
    pytest.importorskip("netCDF4")
    model = tp.astype(LEAK, dtype)
    found = solved(model, jnp.asarray(2.0, dtype), record="state")
    io.save_solution(path, found, model)
    back = io.load_solution(path)
    expected = jax.tree_util.tree_leaves_with_path(found.ys)
    assert len(back.ys) == len(expected)
    for (where, x), y in zip(expected, back.ys.values(), strict=True):
        assert (y.dtype, np.asarray(y).tobytes()) == (x.dtype, np.asarray(x).tobytes()), where
    # As any other reader sees it.
    with xarray.open_dataset(path) as dataset:
        assert dataset["v"].attrs["units"] == "mV" and dataset["v"].dtype == dtype
        assert dataset["v"].values.tolist() == found.ys.v.tolist()


def test_a_network_s_names_units_and_dimensions(tmp_path):
    pytest.importorskip("xarray")
    found = solved(NETWORK, None, record={"e.v": None, "e.spike": [0, 3], "e->e.g": None})
    dataset = io.to_xarray(found, NETWORK)
    assert dataset["e.v"].dims == ("time", "e_unit") and dataset["e.v"].attrs["units"] == "mV"
    assert dataset["e.spike"].dims == ("time", "e.spike_unit")
    given = io.to_xarray(found, NETWORK, units={"e->e.g": "mS/cm2"})
    assert given["e->e.g"].attrs["units"] == "mS/cm2"


def test_what_cannot_be_a_dataset_is_said(tmp_path):
    xarray = pytest.importorskip("xarray")
    found = solved()
    with pytest.raises(ValueError, match=r"units names 'w', and the solution has spike, v\."):
        io.to_xarray(found, LEAK, units={"w": "mV"})
    twice = jax.tree.map(lambda x: jnp.stack([x, x]) if eqx.is_array(x) else x, found)
    with pytest.raises(ValueError, match=r"one axis of time, got ts of shape \(2, 11\): of a mapp"):
        io.to_xarray(twice, LEAK)
    with pytest.raises(ValueError, match="the solution is traced: save it outside of jit"):
        eqx.filter_jit(lambda x: io.to_xarray(solved(stimulus=x), LEAK).sizes["time"])(2.0)
    dataset = io.to_xarray(found, LEAK)
    with pytest.raises(ValueError, match="must have a coordinate `time` with the attribute units"):
        io.from_xarray(dataset.drop_vars("time"))
    with pytest.raises(ValueError, match=r"result must be one of .* got 'lost'"):
        io.from_xarray(dataset.assign_attrs(result="lost"))
    with pytest.raises(ValueError, match=r"there is no file .*x\.nc"):
        io.load_solution(tmp_path / "x.nc")
    xarray.Dataset({"a": ("t", [1.0])}).to_netcdf(tmp_path / "x.nc", engine="netcdf4")
    with pytest.raises(ValueError, match="was not written by save_solution: read it with xarray"):
        io.load_solution(tmp_path / "x.nc")


def test_a_failed_solve_keeps_its_result(tmp_path):
    pytest.importorskip("netCDF4")
    failed = dataclasses.replace(solved(), result=tp.RESULTS.max_steps_reached)
    io.save_solution(tmp_path / "x.nc", failed, LEAK)
    assert io.load_solution(tmp_path / "x.nc").result == tp.RESULTS.max_steps_reached


def save_nwb(path, solution, model=LEAK, **changes):
    about = {
        "session_start": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "description": "a step of current",
        "identifier": "cell-1",
    }
    io.save_nwb(path, solution, model, **about | changes)


def test_a_recording_in_nwb_is_valid_and_in_volts(tmp_path):
    pynwb, path = pytest.importorskip("pynwb"), tmp_path / "x.nwb"
    found = solved()
    save_nwb(path, found)
    assert list(pynwb.validate(path=str(path))) == []
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        session = reader.read()
        series = session.acquisition["v"]
        assert (series.unit, series.conversion) == ("volts", 1e-3)
        assert series.data[:].tolist() == found.ys["v"].tolist()
        assert abs(series.rate - 10_000.0) < 1e-6 and series.starting_time == 0.0
        assert session.acquisition["spike"].unit == "1" and session.identifier == "cell-1"


def test_unequal_times_in_nwb_are_kept(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    times = jnp.linspace(0.0, 1.0, 11) ** 2
    save_nwb(tmp_path / "x.nwb", dataclasses.replace(solved(), ts=times))
    with pynwb.NWBHDF5IO(str(tmp_path / "x.nwb"), "r") as reader:
        found = reader.read().acquisition["v"].timestamps[:]
    # One multiplication, from ms to seconds.
    np.testing.assert_allclose(found, np.asarray(times) / 1e3, rtol=1e-15)


def test_what_nwb_needs_is_said(tmp_path):
    pytest.importorskip("pynwb")
    found = dataclasses.replace(solved(), ys={"a/b": jnp.zeros(11)})
    with pytest.raises(ValueError, match="NWB takes no name with a slash or a colon, got 'a/b'"):
        save_nwb(tmp_path / "x.nwb", found)
    with pytest.raises(ValueError, match="session_start must have a time zone, got 2026-01-02"):
        save_nwb(tmp_path / "x.nwb", found, session_start=datetime.datetime(2026, 1, 2))
