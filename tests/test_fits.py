"""The fits of the page on fitting an astrocyte, from ten starts each; the page runs one."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

import tripartite as tp

DRAW = Path(__file__).parent.parent / "docs" / "draw_fit.py"


def drawing():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("draw_fit", DRAW)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(0, "calcium"), (1, "release")])
def test_ten_starts(number, name):
    draw = drawing()
    experiment = getattr(draw, name)()
    way = draw.nudged if name == "calcium" else draw.plain
    data, noise = draw.record(experiment, jax.random.key(number))
    bound = tp.analysis.fisher_information(experiment.trace, experiment.truth, noise)
    errors = np.asarray(bound.standard_errors)
    # First, the recording must be able to tell.
    assert np.all(experiment.relative * errors < 0.02)
    begins = draw.starts(experiment, jax.random.key(10 + number))
    assert np.max(np.abs(begins - experiment.truth[None])) > np.log(2.0)
    found = draw.from_every_start(way(experiment, data, noise), begins)
    assert np.sum(draw.recovered(experiment, found) < 0.05) == draw.STARTS
    # All at one minimum, as far off as the noise says: four standard errors.
    assert np.all(np.abs(found - np.asarray(experiment.truth)) < 4 * errors)
    np.testing.assert_allclose(
        found, np.broadcast_to(found[0], found.shape), atol=0.1 * errors.min()
    )
