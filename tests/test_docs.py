"""Every Python block of the README and of the documentation runs.

The blocks of one page run in order and share their names. A block that shows a mistake is followed
by a fenced block of the language `error`, whose text its exception must contain:

    ```python
    tp.cells.HodgkinHuxley(capacitance=-1.0)
    ```

    ```error
    capacitance must be positive
    ```

A block of the language `output` is what the Python block before it prints; `...` stands for
anything, as in a doctest, and runs of white space are one. A page that shows an extra's work says
so in a line `<!-- needs: xarray -->`, and is skipped by name without it.
"""

import contextlib
import doctest
import importlib.util
import inspect
import io
import itertools
import re
from pathlib import Path

import jax
import pytest

import tripartite

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Ten CPU seconds and more each.
LONG = {
    "astrocyte_layer", "attention", "fit_a_cell", "fit_an_astrocyte", "gradients", "memory",
    "networks", "noise", "sharp_bits", "small_circuits", "spikes", "train_a_spiking_layer",
}  # fmt: skip
# Indented fences are those inside tabs and admonitions.
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```[ ]*$", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[int, str, str]]:
    """The fenced blocks of a page: the line each starts at, its language, its text."""
    found = []
    for match in FENCE.finditer(text):
        indent, language, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        found.append((line, language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)))
    return found


def as_shown(expected: str, printed: str) -> bool:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected.strip(), printed.strip(), flags)


def run_page(text: str, name: str) -> None:
    """Runs a page's blocks; raises what an unannounced block raises, at its line of the page."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    page = [*blocks(text), (0, "end", "")]
    for (line, language, body), following in itertools.pairwise(page):
        if language != "python":
            continue
        code = compile("\n" * line + body, name, "exec")
        if following[1] != "error":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
            if following[1] == "output":
                shown = f"{name}:{following[0]}: the block before it printed\n{printed.getvalue()}"
                assert following[2].strip() and as_shown(following[2], printed.getvalue()), shown
            continue
        with pytest.raises(Exception) as raised:
            exec(code, namespace)
        shown, expected = (" ".join(s.split()) for s in (str(raised.value), following[2]))
        assert expected and expected in shown, f"{name}:{following[0]}: shows another error"


@pytest.fixture
def reader_precision():
    """JAX's own default, float32, as a reader finds it: a page that needs float64 has to say so."""
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


def to_run() -> list:
    """Every page, the longest for the gate alone."""
    marks = {ROOT / "docs" / f"{name}.md": [pytest.mark.gate] for name in LONG}
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks.get(page, []))
        for page in PAGES
    ]


@pytest.mark.parametrize("page", to_run())
@pytest.mark.usefixtures("reader_precision")
def test_page_runs(page, monkeypatch, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    for extra in re.findall(r"^<!-- needs: (\w+) -->$", text, re.MULTILINE):
        pytest.importorskip(extra)
    run_page(text, str(page))


def undocumented(module, shown):
    """The public names of a module that its pages do not show, given what they ask for."""
    if module.__name__ not in shown and module is not tripartite:
        return [module.__name__]
    missing = []
    for name in getattr(module, "__all__", ()):
        value, where = getattr(module, name), f"{module.__name__}.{name}"
        if inspect.ismodule(value):
            missing += undocumented(value, shown)
            continue
        # A module's page leaves out what has no docstring, and what its own file is named after.
        file = (
            importlib.util.find_spec(where) if module.__spec__.submodule_search_locations else None
        )
        listed = module is not tripartite and file is None and inspect.getdoc(value)
        alone = {where, f"{where}.{name}"} & shown
        if not (alone or (listed and callable(value))):
            missing.append(where)
    return missing


def test_the_api_pages_have_every_public_name():
    pages = (ROOT / "docs" / "api").glob("*.md")
    shown = {
        name
        for page in pages
        for name in re.findall(r"^::: (tripartite\..+)$", page.read_text(), re.MULTILINE)
    }
    assert undocumented(tripartite, shown) == ["tripartite.__version__"]
    assert "tripartite.cells" in undocumented(tripartite, shown - {"tripartite.cells"})
    by_itself = "tripartite.cells.four_lif.four_lif"
    assert "tripartite.cells.four_lif" in undocumented(tripartite, shown - {by_itself})


LINK = re.compile(r"\]\(([^)\s]+)\)")


def slugs(page):
    """The anchors of a page: its headings, as Markdown's table of contents makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = (
        re.sub(r"[^\w\s-]", "", title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    )
    return {re.sub(r"[-\s]+", "-", title).strip("-").lower() for title in found}


def dead_links(page):
    """Links to files that are not there, or to headings that their page does not have."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in slugs(target)):
            yield f"{page.name}: {link}"


def test_links_lead_somewhere(tmp_path):
    assert [link for page in PAGES for link in dead_links(page)] == []
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](#one-two) [b](page.md#one-two) [c](#three) [d](none.md)\n")
    assert list(dead_links(page)) == ["page.md: #three", "page.md: none.md"]


@pytest.mark.parametrize(
    "text",
    [
        "```python\nassert False\n```\n",
        "```python\nx = 1\n```\ntext\n```python\nassert x == 2\n```\n",
        '=== "tab"\n\n    ```python\n    assert False\n    ```\n',
        "```python\nraise ValueError('this')\n```\n\n```error\nthat\n```\n",
        "```python\nraise ValueError('this')\n```\n\n```error\n```\n",
        "```python\nprint(1.5)\n```\n\n```output\n2.5\n```\n",
        "```python\nprint(1.5)\n```\n\n```output\n```\n",
    ],
    ids=[
        "plain",
        "second",
        "indented",
        "another error",
        "empty error",
        "another output",
        "empty output",
    ],
)
def test_a_wrong_page_fails(text):
    with pytest.raises(AssertionError):
        run_page(text, "page.md")


def test_an_error_that_does_not_come_fails():
    with pytest.raises(pytest.fail.Exception):
        run_page("```python\nx = 1\n```\n\n```error\nthis\n```\n", "page.md")


def test_a_right_page_passes():
    run_page(
        "```python\nx = 1\n```\n```bash\nnot python\n```\n```python\nassert x == 1\n```\n"
        "```python\nraise ValueError('this one')\n```\n\n```error\nthis\none\n```\n"
        "```python\nprint('v   is', 1.23456)\n```\n\n```output\nv is 1.23...\n```\n",
        "page.md",
    )


def test_the_line_of_a_failure_is_that_of_the_page():
    with pytest.raises(ZeroDivisionError) as raised:
        run_page("# Title\n\n```python\nx = 1\nx / 0\n```\n", "page.md")
    assert raised.traceback[-1].lineno == 4  # counted from 0
