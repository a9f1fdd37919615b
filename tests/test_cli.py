"""`tripartite verify` and `bench`: exit statuses, JSON, report, and what it says on the way."""

import base64
import html.parser
import json
import subprocess
import sys

import jax
import numpy as np
import pytest

import tripartite
from tripartite import bench, cli, proofs, report, webpage
from tripartite.attention import LearnedExponential, save_feature_maps
from tripartite.proofs import Claim, Theorem, certify

ENDS = {"holds": 0.5, "fails": 2.0, "interrupted": None}


def stand_in(name, on_measure=None):
    """A theorem of one instant check: `holds`, `fails`, or is interrupted on its second."""
    theorem = Theorem(name, f"the theorem that {name}", "x", ("none",), "nobody")

    def measure():
        if on_measure is not None:
            on_measure()
        return ENDS[name] or 0.5

    def interrupt():
        raise KeyboardInterrupt

    def claims():
        yield Claim("a number", "algebra", 1.0, "it is one", measure)
        yield Claim("a float32", "algebra", 1.0, "it is one", lambda: 0.0, float64_only=False)
        if name == "interrupted":
            yield Claim("never", "algebra", 1.0, "it is one", interrupt, float64_only=False)

    return lambda **settings: certify(theorem, claims, **settings)


@pytest.fixture
def theorems(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cli, "SECTIONS", {name: stand_in(name) for name in ENDS})
    monkeypatch.setattr(cli, "_keep_compilations", lambda: None)


@pytest.mark.parametrize(
    ("name", "status"), [("holds", 0), ("fails", 1), ("interrupted", cli.INTERRUPTED)]
)
@pytest.mark.usefixtures("theorems")
def test_exit_status(name, status, capsys):
    assert cli.main(["verify", "--only", name]) == status
    out = capsys.readouterr().out
    assert "a number" in out
    assert "margin" in out
    assert "jax" in out
    assert ("FAIL" in out) == (name == "fails")


def test_the_models_are_a_section_after_the_theorems():
    assert list(cli.SECTIONS)[-1] == "models"
    assert cli.SECTIONS["models"] is tripartite.proofs.published_models


@pytest.mark.usefixtures("theorems")
def test_all_theorems_run_until_the_interrupt(capsys):
    assert cli.main(["verify"]) == cli.INTERRUPTED
    assert "5 checks passed, 1 failed; interrupted before the last check" in capsys.readouterr().out


@pytest.mark.usefixtures("theorems")
def test_json_is_a_list_of_certificates(tmp_path):
    path = tmp_path / "checks.json"
    cli.main(["verify", "--only", "holds", "--only", "fails", "--json", str(path)])
    found = json.loads(path.read_text())
    assert [certificate["name"] for certificate in found] == ["holds", "fails"]
    assert {"name", "measured", "bound", "passed", "why"} <= set(found[1]["checks"][0])
    assert found[1]["checks"][0]["passed"] is False


@pytest.mark.usefixtures("theorems")
def test_float32_says_what_it_did_not_run(capsys):
    assert cli.main(["verify", "--only", "holds", "--precision", "float32"]) == 0
    assert "1 checks passed, 0 failed, 1 are float64 only" in capsys.readouterr().out


@pytest.mark.usefixtures("theorems")
def test_an_interrupted_run_leaves_its_finished_checks_in_the_report(tmp_path):
    assert cli.main(["verify", "--report", str(tmp_path)]) == cli.INTERRUPTED
    page = (tmp_path / "report.md").read_text()
    assert "the theorem that interrupted" in page
    assert "a float32" in page


class _Reader(html.parser.HTMLParser):
    """The tags that are open, those that were seen, and every address that would be fetched."""

    def __init__(self):
        html.parser.HTMLParser.__init__(self)
        self.open, self.seen, self.fetched = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.fetched += [x for name, x in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.usefixtures("theorems")
def test_the_page_in_html_is_whole_and_fetches_nothing(tmp_path):
    cli.main(["verify", "--only", "holds", "--only", "fails", "--report", str(tmp_path)])
    page = (tmp_path / "report.html").read_text()
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.seen
    assert all(address.startswith("data:image/png") for address in reader.fetched)
    assert reader.seen.count("h2") == 2
    assert '<td class="fail">FAIL</td>' in page


def test_the_page_shows_a_picture_and_no_markup_of_a_claim(tmp_path):
    picture = tmp_path / "made.png"
    picture.write_bytes(b"a picture")
    check = proofs.Check("a < b & <script>", "algebra", 1e-3, 1e-2, False, True, "why", "cpu", 0.1)
    theorem = proofs.Theorem("made", "a statement", "a < b", (), "a source")
    certificate = proofs.Certificate(theorem, (check,), "float64", {})
    page = webpage.webpage([certificate], [(picture, "what it shows")])
    assert "a &lt; b &amp; &lt;script&gt;" in page
    assert base64.b64encode(b"a picture").decode() in page
    # A margin of ten is one of sixteen decades.
    assert "width:6%" in page


@pytest.mark.usefixtures("theorems")
def test_without_matplotlib_the_report_says_which_extra_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["verify", "--only", "holds", "--report", str(tmp_path)]) == 0
    assert "plots extra" in (tmp_path / "report.md").read_text()
    assert "plots extra" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "--only", "nothing"], "invalid choice: 'nothing'"),
        (["verify", "--only", "model"], "models"),
        (["verify", "--precision", "float16"], "invalid choice: 'float16'"),
        (["verify", "--transformer", "somewhere"], "--transformer DIR and --text FILE go together"),
        (
            ["verify", "--only", "transformer_runs_on_astrocytes"],
            "--only transformer_runs_on_astrocytes needs --transformer DIR and --text FILE",
        ),
        (["verify", "--figure", "maps.png"], "--figure FILE is of the attention of --transformer"),
        (["verify", "--maps", "maps.safetensors"], "--maps FILE is of the attention of --transf"),
        (["verify", "--text", "somewhere"], "--transformer DIR and --text FILE go together"),
        (["bench", "--only", "nothing"], "invalid choice: 'nothing'"),
        (["bench", "--rounds", "0"], "give a whole number of at least 1, got '0'"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_words_are_answered(arguments, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


@pytest.fixture
def transformer(monkeypatch):
    """An instant certificate of a transformer, and attention maps of it."""
    check = proofs.Check("made", "algebra", 1e-3, 1e-2, False, True, "why", "cpu", 0.1)
    theorem = proofs.Theorem(cli.TRANSFORMER, "a statement", "x", (), "a source")
    certificate = proofs.Certificate(theorem, (check,), "float64", {})
    weights = {"softmax": np.eye(3), "random": np.full((3, 3), 1 / 3)}
    found = proofs.AttentionByMap(weights, ["a", "b", "c"], 1, 2)
    monkeypatch.setattr(cli, "_keep_compilations", lambda: None)
    monkeypatch.setattr(proofs, cli.TRANSFORMER, lambda *args, **options: certificate)
    monkeypatch.setattr(proofs, "attention_by_map", lambda *args, **options: found)
    return ["verify", "--only", cli.TRANSFORMER, "--transformer", "x", "--text", "y"]


def test_attention_maps_are_drawn_where_asked_and_in_the_report(transformer, tmp_path, capsys):
    report, asked = tmp_path / "report", tmp_path / "maps.png"
    assert cli.main([*transformer, "--report", str(report)]) == 0
    drawn = report / "transformer_runs_on_astrocytes_attention.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert f"]({drawn.name})" in (report / "report.md").read_text()
    assert "Attention of head 2 of layer 1" in (report / "report.html").read_text()
    assert cli.main([*transformer, "--figure", str(asked)]) == 0
    assert asked.read_bytes().startswith(b"\x89PNG")
    assert f"attention maps: {asked}" in capsys.readouterr().out


def test_learned_maps_are_read_and_handed_on(transformer, tmp_path, monkeypatch, capsys):
    made = proofs.transformer_runs_on_astrocytes()
    given = []

    def prove(*args, maps, **options):
        given.append(maps)
        return made

    monkeypatch.setattr(proofs, cli.TRANSFORMER, prove)
    saved = [LearnedExponential(4, 8, key=jax.random.key(0))]
    save_feature_maps(tmp_path / "maps.safetensors", saved)
    assert cli.main([*transformer, "--maps", str(tmp_path / "maps.safetensors")]) == 0
    np.testing.assert_array_equal(given[0][0].query_weights, saved[0].query_weights)
    assert cli.main([*transformer, "--maps", str(tmp_path / "nowhere")]) == cli.REFUSED
    assert "there is no file" in capsys.readouterr().err


def test_without_matplotlib_attention_maps_name_the_extra(
    transformer, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main([*transformer, "--figure", str(tmp_path / "maps.png")]) == 0
    assert "plots extra" in capsys.readouterr().out
    assert not (tmp_path / "maps.png").exists()


@pytest.mark.usefixtures("theorems")
def test_a_checkpoint_that_cannot_be_read_is_said_at_once(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("A paragraph.")
    missing = tmp_path / "nowhere"
    arguments = ["verify", "--transformer", str(missing), "--text", str(text)]
    assert cli.main(arguments) == cli.REFUSED
    shown = capsys.readouterr()
    assert "tripartite verify: error:" in shown.err
    assert "is not a folder" in shown.err
    assert "a number" not in shown.out  # no other theorem's time was spent


@pytest.fixture
def table(monkeypatch):
    """One instant table, which writes down how it was asked for."""
    asked = []

    def measure(full, rounds):
        asked.append((full, rounds))
        lines = [["symmetric", bench.with_spread(bench.spread([1.0, 2.0, 9.0]))]]
        return bench.Table("A table", "What it shows.", ["step", "ns"], lines)

    monkeypatch.setattr(bench, "TABLES", {"one": measure, "other": measure})
    return asked


def test_bench_prints_every_table_and_where_it_was_measured(table, capsys):
    assert cli.main(["bench"]) == 0
    out = capsys.readouterr().out
    assert table == [(False, 5)] * 2
    assert out.count("What it shows.") == 2
    assert "2.00 (1.00-9.00)" in out
    assert "jax" in out and "processor" in out


def test_bench_writes_what_it_was_asked_for(table, tmp_path):
    path = tmp_path / "bench.json"
    words = ["bench", "--only", "other", "--full", "--rounds", "2", "--json", str(path)]
    assert cli.main(words) == 0
    assert table == [(True, 2)]
    found = json.loads(path.read_text())
    assert found["tables"][0]["lines"] == [["symmetric", "2.00 (1.00-9.00)"]]
    assert "tripartite" in found["environment"]


def test_an_interrupted_bench_keeps_the_tables_it_has(table, monkeypatch, tmp_path):
    def interrupt(full, rounds):
        raise KeyboardInterrupt

    monkeypatch.setitem(bench.TABLES, "other", interrupt)
    path = tmp_path / "bench.json"
    assert cli.main(["bench", "--json", str(path)]) == cli.INTERRUPTED
    assert [t["title"] for t in json.loads(path.read_text())["tables"]] == ["A table"]


def test_what_bench_times_is_compiled_and_right():
    """What a line of the tables is made of: compiled, timed, and right."""
    setting = {"scheme": "symmetric", "flow": "Pade", "dt": 0.05}
    function, arguments = bench.one_cell(setting, span=20.0)
    executable, phases = bench.compiled(function, arguments)
    assert set(phases) == {"trace", "lower", "compile"} and min(phases.values()) > 0
    assert bench.once(executable, arguments) > 0
    ts, v = executable(*arguments)
    # SciPy's DOP853 at 1e-12. A step of second order loses 0.029 ms in 100 ms at dt = 0.025, four
    # times that at 0.05; one of first order some 0.5 ms in these 20 ms.
    spikes = tripartite.analysis.spike_times(ts, v)
    assert bench.worst_spike(spikes, [1.90097195, 16.82258265]) < 0.12
    assert bench.worst_spike(spikes[:1], [1.90097195, 16.82258265]) == float("inf")
    assert bench.small_loops(executable) >= 0 and bench.temporaries(executable) > 0


def test_version_and_module_entry():
    done = subprocess.run(
        [sys.executable, "-m", "tripartite", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("tripartite 0.1.0")


def test_the_command_keeps_what_it_compiles(monkeypatch, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    shortest = jax.config.jax_persistent_cache_min_compile_time_secs
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        cli._keep_compilations()
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "tripartite" / "compiled")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", shortest)
