"""Units: parsing, the coherent system, conversions."""

import jax.numpy as jnp
import pytest

from tripartite.core import units
from tripartite.core.units import Unit

# One of each quantity the library uses: the equations hold without a factor in these.
COHERENT = [
    "1", "ms", "mV", "uM", "1/ms", "uA/cm2", "mS/cm2", "uF/cm2", "pA", "nS", "pF", "um2", "degC",
    "mV/ms", "uM/ms", "1/(uM ms)", "uM-1 ms-1", "kOhm cm2", "mS mV/cm2", "1/mV", "um2/ms", "fC",
]  # fmt: skip
# Size in the coherent unit of the same dimension, from the prefixes by hand.
FOREIGN = {
    "s": 1e3, "min": 6e4, "us": 1e-3, "Hz": 1e-3, "kHz": 1.0, "V": 1e3, "uV": 1e-3,
    "nA": 1e3, "uS": 1e3, "nF": 1e3, "nM": 1e-3, "mM": 1e3, "M": 1e6, "1/s": 1e-3, "1/min": 1 / 6e4,
    "S/cm2": 1e3, "mA/cm2": 1e3, "A/m2": 100.0, "F/m2": 100.0, "pA/um2": 100.0, "uM/s": 1e-3,
    "1/(nM s)": 1.0, "MOhm": 1e-3, "mm": 1e3, "nA/cm2": 1e-3,
}  # fmt: skip


@pytest.mark.parametrize("text", COHERENT)
def test_the_library_s_own_units_need_no_factor(text):
    assert Unit(text).factor() == pytest.approx(1.0, rel=1e-12)
    Unit(text).assert_coherent()


@pytest.mark.parametrize(("text", "factor"), FOREIGN.items())
def test_foreign_units_have_their_factor(text, factor):
    assert Unit(text).factor() == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("text", [t for t, factor in FOREIGN.items() if factor != 1.0])
def test_foreign_units_are_refused(text):
    with pytest.raises(ValueError, match="times the library's own: convert the value where"):
        Unit(text).assert_coherent()


def test_equal_quantities_have_equal_dimensions():
    current = Unit("uA/cm2").dimension
    assert Unit("mS mV/cm2").dimension == current
    assert Unit("uF/cm2*mV/ms").dimension == current
    assert Unit("pA").dimension != current
    assert Unit("1/(uM ms)").dimension == Unit("uM-1*ms-1").dimension == (-1, 0, 0, 0, -1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty, or unbalanced brackets"),
        ("1/(uM ms", "empty, or unbalanced brackets"),
        ("mV%", "cannot read the unit 'mV%' at '%'"),
        ("furlong", "unknown unit 'furlong'.*known: A, C, F"),
        ("mVx", "unknown unit 'mVx'"),
    ],
)
def test_what_is_no_unit_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        Unit(text)


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        (units.second, "s"), (units.minute, "min"), (units.per_second, "1/s"),
        (units.per_minute, "1/min"), (units.volt, "V"), (units.nanomolar, "nM"),
        (units.millimolar, "mM"), (units.nanoampere, "nA"), (units.microsiemens, "uS"),
        (units.nanofarad, "nF"),
    ],
)  # fmt: skip
def test_conversion_constants(constant, text):
    assert constant == pytest.approx(FOREIGN[text], rel=1e-15)


def test_densities_and_whole_cells():
    # 12.1 nS on 34,636 um2 = 12.1e-6 mS on 3.4636e-4 cm2; 1 uF/cm2 on 20,000 um2 is 200 pF.
    assert float(units.per_area(12.1, 34636.0)) == pytest.approx(12.1e-6 / 3.4636e-4, rel=1e-14)
    assert float(units.whole_cell(1.0, 20_000.0)) == pytest.approx(200.0, rel=1e-14)
    areas = jnp.array([100.0, 2000.0])
    back = units.per_area(units.whole_cell(jnp.array([0.3, 36.0]), areas), areas)
    assert back.tolist() == pytest.approx([0.3, 36.0], rel=1e-14)
