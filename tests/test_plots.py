"""Figures: what they show and what their axes say, not their pixels."""

import builtins
import re

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import tripartite as tp
from tripartite import channels, plots


@pytest.fixture(scope="module")
def voltage():
    return plots.hh_over_units()


def test_the_cell_and_its_units_are_drawn_over_each_other(voltage):
    top, bottom = voltage.axes
    cell, units = (np.asarray(line.get_ydata()) for line in top.lines)
    # The bound of the certificate, 1e-9 mV.
    np.testing.assert_allclose(units, cell, atol=1e-9)
    assert cell.max() > 0  # it spikes
    (difference,) = bottom.lines
    np.testing.assert_allclose(np.asarray(difference.get_ydata()) * 1e-12, units - cell, atol=1e-20)


def test_every_axis_has_a_name_and_a_unit(voltage):
    for axes in voltage.axes:
        assert "mV" in axes.get_ylabel()
    assert voltage.axes[-1].get_xlabel() == "time (ms)"


def test_the_contributions_add_up_to_the_voltage():
    (axes,) = plots.unit_contributions().axes
    *parts, total = (np.asarray(line.get_ydata()) for line in axes.lines)
    np.testing.assert_allclose(sum(parts), total, rtol=1e-12)
    assert [text.get_text() for text in axes.get_legend().get_texts()][:4] == [
        "sodium",
        "potassium",
        "leak",
        "stimulus",
    ]
    assert axes.get_ylabel() == "contribution (mV)"


def test_calcium_synapses_and_neurons_end_where_attention_is():
    figure = plots.calcium_to_attention()
    assert [axes.get_ylabel().split()[0] for axes in figure.axes] == [
        "calcium",
        "synapses",
        "neurons",
    ]
    ends = [line.get_ydata()[-1] for line in figure.axes[-1].lines]
    targets = [segment[0, 1] for segment in figure.axes[-1].collections[0].get_segments()]
    # Twelve time constants of the slowest part.
    np.testing.assert_allclose(ends, targets, atol=0.02)


def test_only_the_figures_of_the_theorems_named_are_drawn(tmp_path):
    drawn = plots.draw_all(["hh_is_four_lif"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(drawn)
    assert len(drawn) == 2


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **settings):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"install the plots extra"):
        plots.unit_contributions()


def drawn(axes):
    return {line.get_label(): np.asarray(line.get_xydata()) for line in axes.lines}


def test_a_channel_s_curves_are_the_published_ones():
    left, right = plots.channel(channels.Sodium())
    for axes in (left, right):
        assert axes.get_xlabel() == "membrane potential (mV)"
        assert axes.get_title() == "sodium"
    assert left.get_ylabel() == "open fraction"
    assert (right.get_ylabel(), right.get_yscale()) == ("time constant (ms)", "log")
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["m", "h"]
    # Hodgkin and Huxley (1952), equations 20 and 21, off the pole at -40 mV.
    v, fraction = drawn(left)["m"].T
    assert (v[0], v[-1], len(v)) == (-100.0, 50.0, 301)
    off = v != -40.0
    opening = 0.1 * (v[off] + 40) / (1 - np.exp(-(v[off] + 40) / 10))
    closing = 4 * np.exp(-(v[off] + 65) / 18)
    np.testing.assert_allclose(fraction[off], opening / (opening + closing), rtol=1e-12)
    time = drawn(right)["m"][off, 1]
    np.testing.assert_allclose(time, 1 / (opening + closing), rtol=1e-12)
    assert np.isfinite(fraction).all()


def test_the_instantaneous_gate_has_no_time_constant():
    left, right = plots.channel(channels.WangBuzsakiSodium())
    assert set(drawn(left)) == {"m (instantaneous)", "h"}
    assert set(drawn(right)) == {"h"}
    left, right = plots.channel(channels.MorrisLecarCalcium())
    assert (len(left.lines), len(right.lines)) == (1, 0)
    assert right.texts[0].get_text() == "instantaneous"


def test_calcium_as_the_horizontal_axis_or_held():
    potassium = channels.CalciumPotassium(1.0)
    calcium = np.array([5.0, 25.0, 100.0])
    left, right = plots.channel(potassium, calcium=calcium)
    assert left.get_xlabel() == right.get_xlabel() == "calcium (uM)"
    # Half open at 25 uM, where opening and closing are 0.03 per ms each.
    np.testing.assert_allclose(drawn(left)["m"], [[5, 1 / 26], [25, 0.5], [100, 16 / 17]])
    np.testing.assert_allclose(drawn(right)["m"][1], [25.0, 1 / 0.06])
    left, _ = plots.channel(potassium, v=[-80.0, 0.0], calcium=25.0)
    np.testing.assert_allclose(drawn(left)["m"], [[-80.0, 0.5], [0.0, 0.5]])


def test_axes_and_voltages_of_one_s_own():
    own = tuple(Figure().subplots(1, 2))
    single = tp.astype(channels.Potassium(), jnp.float32)
    assert plots.channel(single, own, v=np.array([-77.0, -55.0, 20.0])) == own
    np.testing.assert_array_equal(drawn(own[0])["n"][:, 0], [-77.0, -55.0, 20.0])
    # Half of the figures of float32: the pole of n's opening is at -55 mV, where it is 0.1.
    expected = 0.1 / (0.1 + 0.125 * np.exp(-10 / 80))
    assert drawn(own[0])["n"][1, 1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: plots.channel(channels.Leak()), "Channel 'leak' has no gates to draw."),
        (
            lambda: plots.channel(channels.AfterHyperpolarisation()),
            "after_hyperpolarisation reads calcium: pass calcium= in uM, one value or several",
        ),
        (
            lambda: plots.channel(channels.CalciumPotassium(1.0), v=[0.0, 1.0], calcium=[1.0, 2.0]),
            "either v or calcium may have several values, got shapes (2,) and (2,): hold one",
        ),
        (
            lambda: plots.channel(channels.Potassium(factor=[1.0, 3.0])),
            "potassium has parameters of several cells, so that a curve has shape (301, 2): draw "
            "one cell's channel.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(act, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        act()
