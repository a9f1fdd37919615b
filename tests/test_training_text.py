"""What feature maps are trained on and compared on: other sentences, of many kinds."""

import collections
import importlib.util
import random
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMPARED = ROOT / "tests" / "data" / "sentences.txt"


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compared():
    lines = COMPARED.read_text(encoding="utf-8").splitlines()
    kinds = [line for line in lines if line.startswith("# ")]
    return kinds, [line for line in lines if line and not line.startswith("# ")]


def fives(text):
    """Every five words in a row, or all words where there are fewer."""
    words = re.findall("[a-z0-9']+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def near(sentences, texts):
    """The sentences that share more than a quarter of their fives with one of the texts.

    A common turn ("at the end of the") is one of many; a sentence copied with a word or two
    changed shares most.
    """
    holders = {}
    for number, text in enumerate(texts):
        for five in fives(text):
            holders.setdefault(five, []).append(number)

    def most(sentence):
        found = collections.Counter(n for five in fives(sentence) for n in holders.get(five, ()))
        return max(found.values(), default=0) / len(fives(sentence))

    return [sentence for sentence in sentences if most(sentence) > 0.25]


def test_sentences_compared_are_many_and_of_several_kinds():
    kinds, sentences = compared()
    assert len(sentences) == len(set(sentences)) >= 300
    assert len(kinds) == len(set(kinds)) >= 8


def test_nothing_shipped_is_near_a_sentence_compared():
    _, sentences = compared()
    text = script("training_text")
    shipped = [sentence for name in text.SHIPPED for sentence in text.written(name)]
    assert len(shipped) == len(set(shipped)) > 29_000
    assert near(sentences, shipped) == []
    # The search finds what is there: a sentence with one word changed.
    assert near(sentences, [sentences[0].replace("Where", "And where")]) == [sentences[0]]


@pytest.mark.slow
def test_nothing_trained_on_is_near_a_sentence_compared():
    texts = script("training_text").training_text(0)
    assert len(texts) > 80_000
    assert near(compared()[1], texts) == []


def test_joined_sentences_go_over_at_a_word_that_both_have():
    text = script("training_text")
    sentences = ["The cat sat on the mat.", "We live on a hill."]
    ends = text.endings(sentences)
    assert ends == {
        "the": [["cat", "sat", "on", "the", "mat."], ["mat."]],
        "on": [["the", "mat."], ["a", "hill."]],
        "we": [["live", "on", "a", "hill."]],
        "a": [["hill."]],
    }
    draw = random.Random(0)
    made = {text.crossed(sentences[1], ends, draw) for _ in range(50)}
    assert {"We live on the mat.", "We live on a hill."} <= made
    assert all(sentence.startswith("We ") for sentence in made)


def test_sentences_of_a_text():
    found = list(
        script("training_text").sentences(
            "Returns the `first` item\nof a list. It is O(n). See also:: this\n\nStop.\n\n"
            "What if there is none? X = 3 and y = 4 and z = 5 are code."
        )
    )
    assert found == ["Returns the first item of a list.", "What if there is none?"]
