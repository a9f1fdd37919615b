"""The house rules, read off the source: import direction, sizes, banned idioms, final classes.

Each rule is a function from a parsed file to its complaints. It is applied to every file, and to a
planted violation that it must find: a rule that cannot fail protects nothing.
"""

import ast
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "src" / "tripartite"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Which part of the library may import which. Parts that are not named know only themselves.
GRAMMAR = {"core"}
MODELS = {*GRAMMAR, "stimuli", "channels", "cells", "astrocytes", "synapses", "networks"}
VERBS = {"solvers", "failures", "gradients", "simulate", "analysis", "summary", "scale"}
USES = {"attention", "memory", "fit", "layers"}
ALL_BELOW = {*MODELS, *VERBS, *USES}
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "stimuli": GRAMMAR,
    "channels": GRAMMAR,
    "cells": {*GRAMMAR, "stimuli", "channels"},
    "astrocytes": {*GRAMMAR, "stimuli", "channels"},
    "synapses": {*GRAMMAR, "stimuli", "channels"},
    "networks": MODELS,
    "solvers": GRAMMAR,
    "failures": {*GRAMMAR, "stimuli", "solvers"},
    "checkpointed": {*GRAMMAR, "solvers"},
    "planning": {*GRAMMAR, "stimuli", "solvers", "failures"},
    "simulate": {*GRAMMAR, "stimuli", "solvers", "failures", "planning", "checkpointed"},
    "analysis": {*GRAMMAR, "simulate"},
    "summary": GRAMMAR,
    "scale": {"core"},
    "gradients": GRAMMAR,
    **{use: {*MODELS, *VERBS} for use in USES},
    "io": ALL_BELOW,
    "proofs": ALL_BELOW,
    "testing": ALL_BELOW,
    "plots": {*ALL_BELOW, "proofs"},
    "webpage": {"proofs"},
    "report": {"proofs", "plots", "webpage"},
    "bench": ALL_BELOW,
    "cli": {*ALL_BELOW, "proofs", "testing", "plots", "report", "bench"},
    "__main__": {"cli"},
    "__init__": {*ALL_BELOW, "io", "proofs", "testing", "plots"},
}
# These use the library as a user would: by its public names alone.
OUTSIDERS = {"io", "proofs", "testing", "plots", "webpage", "report", "bench", "cli"}

RUNTIME = {"jax", "equinox", "diffrax", "lineax", "optimistix", "jaxtyping", "optax", "numpy"}
BANNED_CALLS = {"super", "hasattr", "eval", "exec"}
BANNED_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jax._src"}
EXTENSIBLE = {"NamedTuple", "Protocol", "Generic", "Exception"}
UNWELCOME_TEXT = {
    r"\b(TODO|FIXME|XXX)\b": "finish it or open an issue",
    r"(?<![\w.])/(work|root|tmp|home|Users)/": "a path of one machine",
    r"#\s*type:\s*ignore": "correct the type instead",
    r"#\s*noqa(?!:\s*[A-Z]+\d)": "name the one rule that is wrong here",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """One parsed file and the part of the library it belongs to."""

    part: str
    text: str
    tree: ast.Module
    package: str = ""

    @classmethod
    def of(cls, text: str, part: str = "core", package: str = "") -> "Source":
        return cls(part, text, ast.parse(text), package)


def library() -> dict[str, Source]:
    sources = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        name = path.relative_to(LIBRARY)
        package = ".".join(("tripartite", *name.parts[:-1]))
        part = name.parts[0].removesuffix(".py")
        sources[str(name)] = Source.of(path.read_text(), part, package)
    return sources


def others() -> dict[str, Source]:
    folders = ("tests", "docs", "scripts", "benchmarks", "experiments", ".ci")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): Source.of(path.read_text()) for path in paths}


def imports(source: Source) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Every import, wherever it stands, as (line, absolute module, imported names)."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = source.package.split(".")
                base = parents[: len(parents) - node.level + 1]
                module = ".".join([*base, *module.split(".")] if module else base)
            yield node.lineno, module, tuple(alias.name for alias in node.names)


def imported_parts(source: Source) -> Iterator[tuple[int, str]]:
    for line, module, names in imports(source):
        if module == "tripartite":
            parts = [name if name in MAY_IMPORT else "__init__" for name in names]
            yield from ((line, part) for part in parts or ["__init__"])
        elif module.startswith("tripartite."):
            yield line, module.split(".")[1]


def imports_run_downhill(source: Source) -> Iterator[str]:
    allowed = {source.part} | MAY_IMPORT.get(source.part, set())
    if source.part in OUTSIDERS:
        allowed = allowed | {"__init__"}
    for line, part in imported_parts(source):
        if part not in allowed:
            yield f"line {line}: {source.part} may not import {part}"


def solving_knows_no_concrete_stimulus(source: Source) -> Iterator[str]:
    if source.part not in {"solvers", "failures", "planning", "simulate"}:
        return
    for line, module, names in imports(source):
        for name in names if module == "tripartite.stimuli" else ():
            if not name.startswith("Abstract") and name != "as_stimulus":
                yield f"line {line}: {source.part} may know AbstractStimulus, not {name}"


def outsiders_use_public_names(source: Source) -> Iterator[str]:
    if source.part not in OUTSIDERS:
        return
    own = f"tripartite.{source.part}"
    for line, module, names in imports(source):
        foreign = module.startswith("tripartite") and not f"{module}.".startswith(f"{own}.")
        hidden = any(n.startswith("_") and n != "__version__" for n in (*module.split("."), *names))
        if foreign and (hidden or not _is_public(module)):
            yield f"line {line}: {module} is not a public name"


def _is_public(module: str) -> bool:
    """Whether each package on the way to a module names the next in its `__all__`."""
    package = LIBRARY
    for depth, name in enumerate(module.split(".")[1:]):
        text = (package / "__init__.py").read_text() if depth else ""
        listed = re.search(r"__all__ = \[(.*?)\]", text, re.DOTALL)
        if depth and (listed is None or f'"{name}"' not in listed.group(1)):
            return False
        package = package / name
    return True


def only_runtime_needs_at_import(source: Source) -> Iterator[str]:
    """An extra is imported inside the function that needs it, so that a bare install imports."""
    known = RUNTIME | sys.stdlib_module_names | {"tripartite"}
    for node in source.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            top = Source("core", "", ast.Module([node], []), source.package)
            for line, module, _ in imports(top):
                if module.split(".")[0] not in known:
                    yield f"line {line}: {module} is no runtime need; import it where it is used"


def files_are_short(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines >= MAX_FILE_LINES:
        yield f"{lines} lines: one concept per file, under {MAX_FILE_LINES} lines"


def functions_are_short(source: Source) -> Iterator[str]:
    """Docstrings do not count: equations, shapes, units and sources are welcome."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            if lines >= MAX_FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def no_banned_idiom(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_CALLS:
                yield f"line {node.lineno}: {name}()"
            case ast.Global():
                yield f"line {node.lineno}: global"
            case ast.Attribute(value=ast.Name(id="jax"), attr="_src"):
                yield f"line {node.lineno}: jax._src"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield f"line {node.lineno}: allow_pickle=True runs what a file says"
            case ast.ExceptHandler(type=kind) if kind is None or _catches_everything(kind):
                yield f"line {node.lineno}: except without a specific exception"
    for line, module, names in imports(source):
        for banned in BANNED_MODULES:
            if f"{module}.".startswith(f"{banned}.") or (module == "jax" and "_src" in names):
                yield f"line {line}: {module} is banned"
        if module == "__future__" and "annotations" in names:
            yield f"line {line}: postponed annotations hide shapes from jaxtyping"


def _catches_everything(kind: ast.expr) -> bool:
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in names)


def no_global_configuration(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "jax.config.update":
            yield f"line {node.lineno}: the library leaves the user's jax.config alone"


def no_unwelcome_text(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        for pattern, why in UNWELCOME_TEXT.items():
            if found := re.search(pattern, line):
                yield f"line {number}: {found.group().strip()}: {why}"


def classes_are_abstract_or_final(source: Source, own: set[str]) -> Iterator[str]:
    """A class of this library is a base only if its name says Abstract."""
    foreign = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if not alias.name.startswith("tripartite")
    }
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for base in node.bases:
            path = ast.unparse(base).split("[")[0].split(".")
            name = path[-1]
            abstract = name.lstrip("_").startswith("Abstract") or name in EXTENSIBLE
            if name in own and path[0] not in foreign and not abstract:
                yield f"line {node.lineno}: {node.name} extends the concrete class {name}"


def class_names(sources: dict[str, Source]) -> set[str]:
    trees = (source.tree for source in sources.values())
    return {n.name for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}


Rule = Callable[[Source], Iterator[str]]
EVERYWHERE: list[Rule] = [files_are_short, functions_are_short, no_unwelcome_text]
IN_THE_LIBRARY: list[Rule] = [
    *EVERYWHERE,
    imports_run_downhill,
    solving_knows_no_concrete_stimulus,
    outsiders_use_public_names,
    only_runtime_needs_at_import,
    no_banned_idiom,
]


def complaints(sources: dict[str, Source], rule: Rule) -> list[str]:
    return [f"{name}: {what}" for name, source in sources.items() for what in rule(source)]


@pytest.mark.parametrize("rule", IN_THE_LIBRARY, ids=lambda rule: rule.__name__)
def test_library_obeys(rule):
    assert complaints(library(), rule) == []


def test_library_leaves_jax_config_alone():
    sources = {name: s for name, s in library().items() if s.part != "cli"}
    assert complaints(sources, no_global_configuration) == []


def test_library_classes_are_abstract_or_final():
    sources = library()
    own = class_names(sources)
    assert complaints(sources, lambda source: classes_are_abstract_or_final(source, own)) == []


@pytest.mark.parametrize("rule", EVERYWHERE, ids=lambda rule: rule.__name__)
def test_the_rest_obeys(rule):
    sources = others()
    assert "tests/test_house.py" in sources
    # This file spells the unwelcome words out in order to find them.
    if rule is no_unwelcome_text:
        del sources["tests/test_house.py"]
    assert complaints(sources, rule) == []


def test_every_part_of_the_library_has_its_place():
    assert {source.part for source in library().values()} <= set(MAY_IMPORT)


def test_import_directions_have_no_cycle():
    order: list[str] = []
    waiting = dict(MAY_IMPORT)
    while ready := [p for p, needs in waiting.items() if needs - {p} <= set(order)]:
        order += ready
        for part in ready:
            del waiting[part]
    assert not waiting


PLANTED = [
    (imports_run_downhill, "from tripartite.cells import LIF", "core"),
    (imports_run_downhill, "from tripartite import cells", "synapses"),
    (imports_run_downhill, "def f():\n    from tripartite.cells import LIF", "solvers"),
    (imports_run_downhill, "import tripartite as tp", "attention"),
    (imports_run_downhill, "from ..proofs import Certificate", "attention"),
    (imports_run_downhill, "import tripartite.core", "unnamed"),
    (solving_knows_no_concrete_stimulus, "from tripartite.stimuli import Step", "simulate"),
    (outsiders_use_public_names, "from tripartite.cells.tvlif import f", "proofs"),
    (outsiders_use_public_names, "from tripartite.core.dynamics import Relaxation", "testing"),
    (outsiders_use_public_names, "from tripartite.cells import _rates", "cli"),
    (only_runtime_needs_at_import, "import matplotlib.pyplot as plt", "plots"),
    (only_runtime_needs_at_import, "from safetensors import numpy", "proofs"),
    (files_are_short, "x = 1\n" * MAX_FILE_LINES, "core"),
    (functions_are_short, "def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1), "core"),
    (no_banned_idiom, "super().__init__()", "core"),
    (no_banned_idiom, "hasattr(x, 'y')", "core"),
    (no_banned_idiom, "eval('1')", "core"),
    (no_banned_idiom, "exec('1')", "core"),
    (no_banned_idiom, "def f():\n    global x", "core"),
    (no_banned_idiom, "import jax._src.core", "core"),
    (no_banned_idiom, "from jax._src import core", "core"),
    (no_banned_idiom, "from jax import _src", "core"),
    (no_banned_idiom, "jax._src.core", "core"),
    (no_banned_idiom, "from __future__ import annotations", "core"),
    (no_banned_idiom, "try:\n    f()\nexcept:\n    pass", "core"),
    (no_banned_idiom, "try:\n    f()\nexcept Exception:\n    pass", "core"),
    (no_banned_idiom, "try:\n    f()\nexcept (ValueError, BaseException):\n    pass", "core"),
    (no_banned_idiom, "import pickle", "core"),
    (no_banned_idiom, "np.load(path, allow_pickle=True)", "core"),
    (no_global_configuration, "jax.config.update('jax_enable_x64', True)", "core"),
    (no_unwelcome_text, "x = 1  # TODO: more", "core"),
    (no_unwelcome_text, "# FIXME", "core"),
    (no_unwelcome_text, "path = '/home/someone/data'", "core"),
    (no_unwelcome_text, "x: int = f()  # type: ignore", "core"),
    (no_unwelcome_text, "import x  # noqa", "core"),
]


@pytest.mark.parametrize(("rule", "text", "part"), PLANTED)
def test_rule_finds_a_planted_violation(rule, text, part):
    assert list(rule(Source.of(text, part, f"tripartite.{part}")))


def test_class_rule_finds_a_planted_violation():
    text = "class LIF(eqx.Module): ...\nclass MyLIF(tp.cells.LIF): ...\n"
    source = Source.of(text)
    found = list(classes_are_abstract_or_final(source, class_names({"planted": source})))
    assert found == ["line 2: MyLIF extends the concrete class LIF"]


WELCOME = '''
"""A path such as src/work/x is nobody's machine."""
import diffrax
from tripartite.core import Relaxation
class AbstractCell(eqx.Module): ...
class LIF(AbstractCell): ...
class State(NamedTuple): ...
class RESULTS(diffrax.RESULTS): ...
try:
    import_the_extra()
except ImportError as error:
    raise ImportError("install tripartite[plots]") from error
'''


@pytest.mark.parametrize("rule", [*IN_THE_LIBRARY, no_global_configuration])
def test_rule_accepts_what_is_fine(rule):
    assert list(rule(Source.of(WELCOME, "cells", "tripartite.cells"))) == []


def test_outsiders_may_use_a_public_submodule():
    text = "import tripartite as tp\nfrom tripartite.core.units import Unit\n"
    assert not list(outsiders_use_public_names(Source.of(text, "testing", "tripartite.testing")))


def test_class_rule_accepts_what_is_fine():
    source = Source.of(WELCOME)
    assert not list(classes_are_abstract_or_final(source, class_names({"fine": source})))
