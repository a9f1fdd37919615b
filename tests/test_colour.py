"""Colour by three cones: the code of the page, against numbers found with NumPy alone."""

import contextlib
import functools
import io
from pathlib import Path

import numpy as np
import pytest

from test_docs import blocks

PAGE = Path(__file__).parent.parent / "docs" / "colour.md"


@functools.cache
def page():
    """The names that the page's blocks define."""
    names = {"__name__": "page"}
    with contextlib.redirect_stdout(io.StringIO()):
        for _, language, body in blocks(PAGE.read_text()):
            if language == "python":
                exec(compile(body, str(PAGE), "exec"), names)
    return names


def test_the_template_peaks_at_one():
    """At the published peaks of the pigments, to the grid's 0.1 nm, and with a maximum of 1."""
    wavelengths, curves = np.asarray(page()["wavelengths"]), np.asarray(page()["curves"])
    np.testing.assert_allclose(wavelengths[curves.argmax(axis=0)], [558.9, 530.3, 420.7], atol=0.06)
    np.testing.assert_allclose(curves.max(axis=0), 1.0, atol=3e-5)
    # Univariance: the L cone does not tell 500 nm from 610 nm.
    at = np.interp([500.0, 610.0], wavelengths, curves[:, 0])
    assert at[0] == pytest.approx(at[1], rel=0.03)


@pytest.mark.parametrize("largest", [100.0, 1000.0])
def test_the_likeliest_wavelength_spreads_as_the_bound_says(largest):
    """Within 15 per cent at 100 counts and above; 4,000 trials know a deviation to 1.1 per cent."""
    bounds = {100.0: [3.14, 6.80, 3.43], 1000.0: [0.98, 2.14, 1.08]}[largest]
    for wavelength, expected in zip((480.0, 550.0, 600.0), bounds, strict=True):
        bound = float(page()["bound"](wavelength, largest))
        assert bound == pytest.approx(expected, abs=0.005)
        spread = page()["spread"](wavelength, largest, trials=4000)
        assert spread == pytest.approx(bound, rel=0.15)


def test_with_ten_counts_the_bound_is_out_of_reach():
    """The control: outside its range the same reader is far from it."""
    assert page()["spread"](480.0, 10.0) > 3.0 * float(page()["bound"](480.0, 10.0))
