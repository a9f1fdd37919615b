"""Text to train feature maps on: what is documented, and sentences that the project ships.

The docstrings of Python's standard library, its language reference and the docstrings of this
library's own needs are English of one kind. Of other kinds are the 434 everyday sentences of
seed_sentences.txt and the 29,000 examples of how a word is used of example_sentences.txt, which
are WordNet's (see example_sentences.md). These are also joined: one goes over into another at a
word that both have.
"""

import ast
import importlib.util
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

PACKAGES = ("jax", "numpy", "equinox", "optax", "diffrax")
SHIPPED = ("seed_sentences.txt", "example_sentences.txt")
# How often a sentence of each file is joined to others.
JOINED = (8, 2)
PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()\-\"/%]*[.?!]")
# Where two sentences that share one of these can be joined into a third.
JOINTS = frozenset(
    re.findall(
        "[a-z]+",
        """
        a all also an and any are as at because been before being but by can could did do does down
        for from had has have he her him himself his how i if in into is it its just may might more
        most must not of off on one only or our out over she should so some such than that the their
        them then there they this to too until up upon very was we were what when where which while
        who why will with would you your about after
        """,
    )
)


def training_text(seed: int) -> list[str]:
    """Some 110,000 sentences, the same for the same seed and the same installed packages."""
    shipped = [written(name) for name in SHIPPED]
    draw = random.Random(seed)
    ends = endings([sentence for sentences in shipped for sentence in sentences])
    texts = [*documented(), *shipped[0], *shipped[1]]
    for sentences, times in zip(shipped, JOINED, strict=True):
        texts += [crossed(sentence, ends, draw) for sentence in sentences * times]
    return list(dict.fromkeys(texts))


def written(name: str) -> list[str]:
    """The lines of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()


def documented() -> list[str]:
    """Sentences of docstrings and of the language reference; nothing is imported to read them."""
    found = dict.fromkeys(s for topic in topics.values() for s in sentences(topic))
    roots = [Path(sysconfig.get_paths()["stdlib"])]
    for package in PACKAGES:
        origin = (importlib.util.find_spec(package) or ast).origin
        roots.append(Path(origin).parent)
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            inside = str(path.relative_to(root))
            if "site-packages" not in inside and "test" not in inside:
                found.update(dict.fromkeys(s for text in docstrings(path) for s in sentences(text)))
    return list(found)


def docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def sentences(text: str) -> Iterator[str]:
    """What reads like a sentence: 4 to 40 words, most of them of letters, and an end."""
    for paragraph in re.split(r"\n\s*\n", text):
        line = " ".join(paragraph.replace("`", "").replace("*", "").split())
        for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z])", line):
            words = sentence.split()
            readable = sum(word.isalpha() for word in words) > 0.6 * len(words)
            if 4 <= len(words) <= 40 and readable and PLAIN.fullmatch(sentence):
                yield sentence


def endings(seeds: list[str]) -> dict[str, list[list[str]]]:
    """How a sentence may go on after each word that joins: the words that follow it somewhere."""
    found: dict[str, list[list[str]]] = {}
    for sentence in seeds:
        words = sentence.split()
        for place, word in enumerate(words[:-1]):
            if word.lower() in JOINTS:
                found.setdefault(word.lower(), []).append(words[place + 1 :])
    return found


def crossed(sentence: str, ends: dict[str, list[list[str]]], draw: random.Random) -> str:
    """The sentence, or its beginning with the ends of up to two others, of at most 26 words."""
    words = sentence.split()
    for _ in range(draw.choice([0, 1, 1, 2])):
        places = [place for place, word in enumerate(words[:-1]) if word.lower() in JOINTS]
        if not places:
            break
        place = draw.choice(places)
        words = [*words[: place + 1], *draw.choice(ends[words[place].lower()])]
    return sentence if len(words) > 26 else " ".join(words)
