"""`summary`: every parameter with its unit and source, every state with its unit and block."""

import equinox as eqx
import jax.numpy as jnp
import pytest

import tripartite as tp
from tripartite import cells
from tripartite.core import AbstractDynamics
from tripartite.summary import walk_parameters


def rows(model):
    """First word of each line to the line's words."""
    return {line.split()[0]: line.split() for line in tp.summary(model).splitlines() if line}


def test_a_cell_s_parameters_and_states():
    table = rows(cells.HodgkinHuxley())
    assert tp.summary(cells.HodgkinHuxley()).startswith("ConductanceCell\n\nparameter")
    assert table["capacitance"][1:4] == ["1", "uF/cm2", "yes"]
    assert table["capacitance"][4:] == ["Hodgkin", "&", "Huxley", "1952"]
    assert table["v_init"][1:4] == ["-65", "mV", "no"]
    assert table["channels.sodium.conductance"][1:4] == ["120", "mS/cm2", "yes"]
    assert table["channels.leak.reversal"][1:3] == ["-54.387", "mV"]
    assert table["channels.sodium.gates.m.opening.midpoint"][1:3] == ["-40", "mV"]
    assert table["v"][1:] == ["-65", "mV", "0", "float64"]
    assert table["gates.potassium.n"][2:] == ["1", "1", "float64"]
    assert float(table["gates.potassium.n"][1]) == pytest.approx(0.3177, abs=1e-4)


def test_states_that_only_jump_are_held():
    table = rows(cells.LIF())
    assert table["spike"][1:] == ["0", "1", "held", "float64"]
    assert table["wait"][1:] == ["0", "ms", "0", "float64"]
    assert "Vogels" in table["leak"]


def test_a_population_shows_its_ranges():
    table = rows(eqx.filter_vmap(lambda g: cells.LIF(leak=g))(jnp.array([0.05, 0.1, 0.2])))
    assert " ".join(table["leak"][1:7]) == "0.05 to 0.2, shape [3] mS/cm2"


def test_every_parameter_is_walked_once():
    paths = [path for path, _, _ in walk_parameters(cells.four_lif("derivative"))]
    assert len(paths) == len(set(paths))
    assert "unit_leak" in paths
    assert "cell.channels.sodium.gates.h.closing.rate" in paths
    # Three channels of two, three gates of seven, capacitance, v_init and the unit leak.
    assert len(paths) == 3 * 2 + 3 * 7 + 3


class Undeclared(AbstractDynamics):
    def init(self):
        return jnp.asarray(1.0)

    def vector_field(self, t, y, u):
        return -y


def test_a_part_called_source_is_no_citation():
    cell = tp.astrocytes.StimbergFigure2()
    assert rows(cell)["source.threshold"][4:] == ["Stimberg", "et", "al.", "2019"]


def test_a_model_without_units():
    assert rows(Undeclared())["y"][1:] == ["1", "?", "0", "float64"]


def test_inside_jit_a_value_is_its_type():
    texts = []

    @eqx.filter_jit
    def look(model):
        texts.append(tp.summary(model))
        return model.leak

    look(cells.LIF())
    assert "Tracer" in texts[0]


def test_a_parameter_has_the_source_of_the_part_it_belongs_to():
    sources = {path: info.source for path, info, _ in walk_parameters(cells.HodgkinHuxley())}
    assert sources["channels.sodium.gates.m.opening.rate"] == "Hodgkin & Huxley 1952"
    assert all(source for path, source in sources.items() if path.startswith("channels."))
    unnamed = tp.channels.Channel(name="mine", gates={}, conductance=1.0, reversal=-70.0)
    assert [info.source for _, info, _ in walk_parameters(unnamed)] == ["", ""]
