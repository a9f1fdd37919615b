"""A checkpoint by its id on the Hub: a stand-in for `huggingface_hub` takes the network's place."""

import sys

import equinox as eqx
import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from tripartite.attention import load_bert, tokenize

from .bert_checkpoints import write_checkpoint

ID = "sentence-transformers/all-MiniLM-L6-v2"


class Absent(RepositoryNotFoundError):
    """As raised by the Hub, without an answer from the network to make it of."""

    def __init__(self):
        Exception.__init__(self, "404")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The Hub holds one repository; what is asked of it is written down."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def download(repository, *, allow_patterns):
        seen.append((repository, allow_patterns))
        if repository != ID:
            raise Absent
        return str(write_checkpoint(tmp_path / "snapshot"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return seen


def test_an_id_is_fetched_and_only_three_files_of_it(asked, tmp_path):
    encoder = load_bert(ID)
    files = ["config.json", "model.safetensors", "tokenizer.json"]
    assert asked == [(ID, files)]
    assert eqx.tree_equal(encoder, load_bert(tmp_path / "snapshot"))
    assert len(tokenize(ID, ["the neuron"])[0]) == 4


def test_a_folder_of_that_name_comes_first(asked, tmp_path):
    (tmp_path / "sentence-transformers").mkdir()
    write_checkpoint(tmp_path / ID)
    load_bert(ID)
    assert asked == []


@pytest.mark.parametrize("name", ["./models/bert", "models/bert/base", "bert", "/models/bert"])
def test_what_has_not_the_form_of_an_id_is_a_folder(asked, name):
    with pytest.raises(ValueError, match=r"is not a folder\. A checkpoint .* Hub, owner/name"):
        load_bert(name)
    assert asked == []


def test_a_path_is_never_looked_up(asked, tmp_path):
    with pytest.raises(ValueError, match=r"nobody/nothing is not a folder"):
        load_bert(tmp_path / "nobody/nothing")
    assert asked == []


def test_a_repository_that_is_not_there(asked):
    with pytest.raises(ValueError, match=r"'nobody/nothing' is neither a folder .*hf auth login"):
        load_bert("nobody/nothing")


def test_no_network(monkeypatch):
    def download(repository, *, allow_patterns):
        raise LocalEntryNotFoundError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    message = r"could not be fetched .*\(Name or service not known\)\. Check the connection, or"
    with pytest.raises(ValueError, match=message):
        load_bert(ID)


def test_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"package huggingface_hub, which the `text` extra"):
        load_bert(ID)
