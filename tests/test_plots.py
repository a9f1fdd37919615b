"""Figures: what they show and what their axes say, not their pixels."""

import builtins

import numpy as np
import pytest

from tripartite import plots


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
