"""Four thousand Traub-Miles cells against Brian 2, spike for spike (Brette et al. 2007, no. 3)."""

import importlib
import sys
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
FROZEN = np.load(ROOT / "tests" / "data" / "brian2_cobahh.npz")
SPAN = 20.0


@pytest.fixture(scope="module")
def cobahh():
    """The benchmark's own network, shared with Brian 2, and its model in this library."""
    folder = str(ROOT / "benchmarks" / "simulators")
    sys.path.insert(0, folder)
    yield importlib.import_module("cobahh_network"), importlib.import_module("cobahh_model")
    sys.path.remove(folder)


def test_the_first_20_ms_are_brian_s_spike_for_spike(cobahh):
    net, model = cobahh
    # Another NumPy could draw another network, and nothing could be compared.
    assert net.fingerprint(net.FULL) == str(FROZEN["fingerprint"])
    network = model.network()
    step, cell = model.raster(eqx.filter_jit(model.solve)(network, model.start(network), SPAN))
    # The order of a step is the same (all states at once from the old ones, the threshold,
    # delivery), so that only round-off differs. In single precision, where it is 5e8 times larger,
    # the first spike falls otherwise after 89 ms; here none may.
    np.testing.assert_array_equal(step, FROZEN["step"])
    np.testing.assert_array_equal(cell, FROZEN["cell"])
    assert len(step) == 1941 and len(set(cell)) > 1000


def test_the_raster_is_read_off_the_refractory_times(cobahh):
    _, model = cobahh
    # Cell 0 fires in the steps that end at 0.1 and 5.0 ms, cell 1 never, cell 2 at 2.5 and 5.5.
    until = [
        [-1e9, -1e9, -1e9],
        [3.1, -1e9, 5.5],
        [8.0, -1e9, 5.5],
        [8.0, -1e9, 8.5],
        [8.0, -1e9, 8.5],
    ]
    step, cell = model.raster(np.asarray(until))
    np.testing.assert_array_equal(step, [0, 24, 49, 54])
    np.testing.assert_array_equal(cell, [0, 2, 0, 2])
