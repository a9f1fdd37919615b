"""Text to train feature maps on, made on the machine: what is documented, and everyday sentences.

Two sources, neither of them downloaded. The docstrings of Python's standard library, its language
reference and the docstrings of this library's own needs are English of one kind. For other kinds,
the sentences of seed_sentences.txt are varied: one goes over into another at a word that both have,
and words give way to their neighbours in the word embedding of the checkpoint, or to any word of
its vocabulary.
"""

import ast
import importlib.util
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

from tripartite.attention import BertEncoder

PACKAGES = ("jax", "numpy", "equinox", "optax", "diffrax")
SEEDS = Path(__file__).with_name("seed_sentences.txt")
VARIANTS, NEIGHBOURS = 160, 24
PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()\-\"/%]*[.?!]")
# Words that hold a sentence together: replaced, they would leave no sentence.
KEPT = frozenset(
    re.findall(
        "[a-z]+",
        """
        the and for are was were has had have not but you your this that with from they his her she
        its who what when where which how why can will would could should there then than been
        being our their them him himself one all any into over about before after until while
        because did does nor out off down upon very just only also more most some such too may
        might must
        """,
    )
)

# Where two sentences that share one of these can be joined into a third.
JOINTS = KEPT | frozenset(re.findall("[a-z]+", "a an as at by he i if in is it of on or so to we"))


def training_text(directory: str, encoder: BertEncoder, seed: int) -> list[str]:
    """Some 90,000 sentences, the same for the same seed and the same installed packages."""
    everyday = varied(SEEDS.read_text(encoding="utf-8").splitlines(), directory, encoder, seed)
    return [*documented(), *everyday]


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


def varied(seeds: list[str], directory: str, encoder: BertEncoder, seed: int) -> list[str]:
    """Each sentence, and variants: joined to the end of another, and words of it replaced."""
    draw = random.Random(seed)
    words = sorted({word for sentence in seeds for word in words_of(sentence)})
    near, vocabulary = neighbours(words, directory, encoder)
    ends = endings(seeds)

    def replace(match: re.Match[str]) -> str:
        word = match.group()
        choice = near.get(word.lower())
        if not choice or draw.random() > share:
            return word
        new = draw.choice(vocabulary if draw.random() < 0.15 else choice)
        return new.capitalize() if word[0].isupper() else new

    made = list(seeds)
    for _ in range(VARIANTS):
        for sentence in seeds:
            share = draw.choice([0.2, 0.4, 0.7])
            made.append(re.sub("[A-Za-z]+", replace, crossed(sentence, ends, draw)))
    return list(dict.fromkeys(made))


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


def words_of(sentence: str) -> list[str]:
    words = (word.lower() for word in re.findall("[A-Za-z]+", sentence))
    return [word for word in words if len(word) > 2 and word not in KEPT]


def neighbours(
    words: list[str], directory: str, encoder: BertEncoder
) -> tuple[dict[str, list[str]], list[str]]:
    """For each word that is one token, the words nearest to it in the checkpoint's embedding; and
    all words of its vocabulary."""
    file = str(Path(directory) / "tokenizer.json")
    tokens = Tokenizer.from_file(file).get_vocab()
    names = {w: n for w, n in sorted(tokens.items()) if w.isascii() and w.isalpha() and len(w) > 2}
    rows = np.array(list(names.values()))
    number = {word: row for row, word in enumerate(names)}
    known = [word for word in words if word in number]
    vectors = encoder.words.weight[rows]
    vectors = vectors - jnp.mean(vectors, axis=0, keepdims=True)
    vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors[np.array([number[word] for word in known])] @ vectors.T
    nearest = np.asarray(jax.lax.top_k(scores, NEIGHBOURS + 1)[1])[:, 1:]
    listed = list(names)
    near = {word: [listed[i] for i in row] for word, row in zip(known, nearest, strict=True)}
    return near, listed
