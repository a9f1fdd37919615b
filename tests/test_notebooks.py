"""Each notebook runs from top to bottom as a script, and its last cell asserts its conclusion."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))
# Those that train something; the capabilities they use have quick tests of their own.
LONG = {"grid_world", "run_a_transformer_on_astrocytes"}
RUNS = [
    pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONG else [], id=path.stem)
    for path in NOTEBOOKS
]
MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)


def cells(text: str) -> list[tuple[str, str]]:
    """The kind ("markdown" or "code") and the text of each cell of a py:percent notebook."""
    _, *pieces = MARK.split(text)
    kinds = ["markdown" if "markdown" in mark else "code" for mark in pieces[::2]]
    return list(zip(kinds, pieces[1::2], strict=True))


def complaints(text: str) -> list[str]:
    """What a notebook lacks of what every one should have."""
    found = []
    if "format_name: percent" not in text or "formats: ipynb,py:percent" not in text:
        found.append("no Jupytext header that pairs it with an ipynb")
    shown = cells(text)
    if not shown or shown[0][0] != "markdown" or "you will" not in shown[0][1]:
        found.append("its first cell does not say what you will learn")
    code = [body for kind, body in shown if kind == "code"]
    if not code or "COLAB_RELEASE_TAG" not in code.pop(0):
        found.append("its first code cell does not install it on Colab")
    if not code or not re.search(r"^FULL = False$", code[0], re.MULTILINE):
        found.append("no switch FULL = False in the code cell after that")
    if not code or not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code[-1]))):
        found.append("its last code cell asserts nothing")
    return found


def run(path: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    # A process of its own, as a reader starts it: the settings of these tests do not reach it.
    settings = {"MPLBACKEND": "agg", "JAX_COMPILATION_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, str(path)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_complete(path):
    assert complaints(path.read_text()) == []


@pytest.mark.gate
@pytest.mark.parametrize("path", RUNS)
def test_notebook_runs(path, pytestconfig):
    pytest.importorskip("matplotlib")
    done = run(path, pytestconfig.cache.mkdir("xla"))
    assert done.returncode == 0, f"{path.name}:\n{done.stdout}\n{done.stderr}"


def test_an_empty_notebook_is_not_complete():
    assert len(complaints("# %%\nx = 1\n")) == 5


def test_a_notebook_whose_conclusion_is_wrong_fails(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("# %%\nx = 1\n\n# %%\nassert x == 2\n")
    done = run(path, tmp_path / "xla")
    assert done.returncode == 1 and "AssertionError" in done.stderr
