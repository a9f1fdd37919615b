"""Figures of solves, networks and verdicts: the data in them and the words on their axes."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import plots, proofs

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def axon():
    return tp.simulate(tp.cells.HodgkinHuxley(), 10.0, t1=40.0, dt=0.05)


def test_a_trace_shows_the_voltage_and_its_spikes(axon):
    axes = plots.trace(axon)
    line, marks = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), np.stack([axon.ts, axon.ys["v"]], axis=1))
    np.testing.assert_array_equal(marks.get_xdata(), tp.analysis.spike_times(axon.ts, axon.ys["v"]))
    assert len(marks.get_xdata()) >= 2
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (ms)", "membrane potential (mV)")


def test_the_stimulus_has_the_time_axis_of_the_voltage(axon):
    step = tp.stimuli.Step(10.0, start=5.0)
    top, bottom = plots.voltage_and_stimulus(axon, step)
    (line,) = bottom.lines
    ts, drawn = line.get_data()
    np.testing.assert_array_equal(drawn, np.where(np.asarray(ts) >= 5.0, 10.0, 0.0))
    assert bottom.get_ylabel() == "current (uA/cm2)"
    assert top.get_shared_x_axes().joined(top, bottom)


def test_gates_are_named_with_their_channel():
    solution = tp.simulate(tp.cells.HodgkinHuxley(), 10.0, t1=5.0, dt=0.05, record="state")
    axes = plots.gates(solution)
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"m (sodium)", "h (sodium)", "n (potassium)"}
    activation = solution.ys.gates["sodium"]["m"]
    np.testing.assert_array_equal(lines["m (sodium)"].get_ydata(), activation)
    assert axes.get_ylabel() == "open fraction (1)"


def test_a_raster_has_a_row_for_each_unit_and_a_colour_for_each_population():
    times = {"exc": [np.array([1.0, 5.0]), np.array([])], "inh": [np.array([2.0])]}
    axes = plots.raster(times)
    offsets = [c.get_lineoffset() for c in axes.collections]
    assert offsets == [0, 1, 2]
    assert [list(c.get_positions()) for c in axes.collections] == [[1.0, 5.0], [], [2.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["exc", "inh"]
    assert plots.raster(list(times["exc"])).get_xlabel() == "time (ms)"


def test_calcium_is_drawn_in_seconds_with_a_scale_of_uM():
    ast = tp.astrocytes
    cells = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(3), 3)
    solution = tp.simulate(cells, t1=2000.0, dt=20.0, save_every=100.0)
    axes = plots.calcium_raster(solution)
    (mesh,) = axes.collections
    np.testing.assert_array_equal(
        np.asarray(mesh.get_array()).reshape(3, -1), solution.ys["calcium"].T
    )
    assert axes.get_xlabel() == "time (s)"
    assert axes.figure.axes[1].get_ylabel() == "calcium (uM)"
    assert axes.get_xlim()[1] == pytest.approx(2.0, abs=0.1)


def test_nullclines_cross_at_rest():
    cell = tp.cells.MorrisLecar()
    path = tp.simulate(cell, 0.0, t1=20.0, dt=0.1, record="state")
    axes = plots.phase_plane(cell, (-75.0, 60.0), (-0.05, 1.0), u=0.0, path=path)
    rest = tp.analysis.steady_state(cell, 0.0)
    at = np.array([rest.v, jax.tree.leaves(rest.gates)[0]])
    # Within a cell of the grid, 101 points either way.
    near = np.array([135.0, 1.05]) / 100.0
    for contour in axes.collections[:2]:
        points = np.concatenate([p.vertices for p in contour.get_paths()])
        assert np.any(np.all(np.abs(points - at) < near, axis=1))
    assert axes.get_xlabel() == "v (mV)"
    assert axes.get_ylabel().endswith("(1)")
    np.testing.assert_array_equal(axes.lines[-1].get_xdata(), path.ys.v)


def test_rates_against_currents():
    axes = plots.f_i_curve([1.0, 2.0], [0.0, 50.0], name="axon")
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1.0, 0.0], [2.0, 50.0]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("current (uA/cm2)", "firing rate (Hz)")


def tripartite_network():
    nets, key = tp.networks, jax.random.key(0)
    edges = nets.fixed_fan_in(6, 6, 2, key=key, loops=False)
    synapse = tp.synapses.TripartiteSynapse(
        tp.synapses.TsodyksMarkram(tp.synapses.Exponential(0.2)), effect=0.5
    )
    glia = tp.astrocytes.GliotransmitterRelease(tp.astrocytes.GChI())
    worn = nets.ensheathe(edges, "astro", 2, key=key)
    back = nets.all_to_all(2, 6)
    receptor = tp.synapses.Exponential(0.2, reversal=-80.0)
    return nets.Network(
        {
            "exc": nets.population(tp.cells.LIF, 6),
            "inh": nets.population(tp.cells.LIF, 2),
            "astro": nets.population(glia, 2),
        },
        [
            nets.Projection("exc", "exc", synapse, edges, astrocytes=worn),
            nets.Projection("inh", "exc", receptor, back, sign="inhibitory"),
        ],
        [
            nets.Coupling(
                "inh", tp.synapses.GapJunction(0.1), nets.gap_junctions(nets.all_to_all(2, 2))
            )
        ],
    )


def test_a_network_has_a_point_for_each_unit_and_a_line_for_each_edge():
    network = tripartite_network()
    axes = plots.network_graph(network)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["exc (6)", "inh (2)", "astro (2)"]
    lines = [c for c in axes.collections if type(c).__name__ == "LineCollection"]
    assert [len(c.get_segments()) for c in lines] == [12, 12, 12, 1]
    points = [c for c in axes.collections if type(c).__name__ == "PathCollection"]
    assert [len(c.get_offsets()) for c in points] == [6, 2, 2]
    assert len({tuple(c.get_facecolor()[0]) for c in points}) == 3
    # An edge starts at its sender.
    first = network.projections["exc->exc"].edges
    np.testing.assert_allclose(lines[0].get_segments()[0][0], points[0].get_offsets()[first.pre[0]])


def test_a_large_network_is_thinned_and_says_so():
    axes = plots.network_graph(tripartite_network(), most=5)
    lines = [c for c in axes.collections if type(c).__name__ == "LineCollection"]
    assert len(lines[0].get_segments()) == 5
    assert axes.get_title() == "at most 5 edges of each projection"


def made_certificate():
    def claims():
        yield proofs.Claim("small", "algebra", 1e-9, "", lambda: 1e-11)
        yield proofs.Claim("broken", "negative control", 1.0, "", lambda: 50.0, above=True)
        yield proofs.Claim("wrong", "algebra", 1e-9, "", lambda: 1e-6)

    theorem = proofs.Theorem("made", "a statement", "a", (), "a test")
    return proofs.certify(theorem, claims)


def test_margins_of_a_certificate():
    axes = plots.certificate(made_certificate())
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths, [100.0, 50.0, 1e-3])
    assert len({bar.get_facecolor() for bar in axes.patches}) == 3
    assert axes.get_xlabel() == "margin: times inside the bound (1)"


def test_attention_maps_share_their_colours():
    maps = {"softmax": np.eye(3), "circuit": np.full((3, 3), 0.25)}
    drawn = plots.attention_maps(maps, ["a", "b", "c"])
    assert [axes.get_title() for axes in drawn] == ["softmax", "circuit"]
    assert {axes.images[0].get_clim() for axes in drawn} == {(0.0, 1.0)}
    np.testing.assert_array_equal(drawn[1].images[0].get_array(), maps["circuit"])
    assert [label.get_text() for label in drawn[0].get_xticklabels()] == ["a", "b", "c"]
    assert drawn[0].figure.axes[-1].get_ylabel() == "attention weight (1)"


def test_error_against_work():
    axes = plots.work_precision({"ours": ([1e-3, 1e-5], [0.1, 1.0])})
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0.1, 1e-3], [1.0, 1e-5]])
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_xlabel() == "time of one solve (s)"


def test_axes_of_one_s_own(axon):
    axes = plots.f_i_curve([1.0], [2.0])
    assert plots.trace(axon, axes=axes) is axes


WRONG = [
    (lambda s: plots.trace(s, "w"), "the solution has no record 'w', it has 'v'"),
    (lambda s: plots.trace(_named(s, "odd"), "odd"), "the unit of 'odd' is not known here"),
    (lambda s: plots.gates(s), "got dict"),
    (lambda s: plots.raster([]), "at least one unit, got none"),
    (lambda s: plots.f_i_curve([1.0], [1.0, 2.0]), "one rate for each current"),
    (lambda s: plots.attention_maps({}), "matrices [queries, keys], got {}"),
    (lambda s: plots.attention_maps({"a": np.eye(2)}, ["x"]), "1 tokens for 2 keys"),
    (lambda s: plots.work_precision({"a": ([0.0], [1.0])}), "a logarithmic axis has no zero"),
    (lambda s: plots.network_graph(tripartite_network(), most=0), "most must be at least 1"),
    (
        lambda s: plots.phase_plane(tp.cells.MorrisLecar(), (-70.0, 0.0), (0.0, 1.0), path=s),
        "not the states of ConductanceCell",
    ),
]


def _named(solution, name):
    return eqx.tree_at(lambda s: s.ys, solution, {name: solution.ys["v"]})


@pytest.mark.parametrize(("act", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_cannot_be_drawn_is_told(axon, act, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        act(axon)


def test_nothing_is_shown(axon, monkeypatch):
    import matplotlib.pyplot as plt

    plots.trace(axon)
    assert plt.get_fignums() == []
    assert jnp.isfinite(axon.ys["v"]).all()
