"""A file is written whole or not at all, whatever happens to the writer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from killing import kill_amid_a_write
from tripartite.core import files
from tripartite.core.files import remove_parts, whole_file

SIZE = 1 << 22
# The file alone, without the rest of the library, so that the loop begins at once. Every version
# of the file is one byte repeated: two different bytes in it would be two halves of two writes.
LOOP = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("files", sys.argv[1])
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
number = 0
while True:
    with files.whole_file(sys.argv[2]) as file:
        for _ in range(64):
            file.write(bytes([number % 251]) * (int(sys.argv[3]) // 64))
    number += 1
"""


def test_a_file_is_written_and_replaced(tmp_path):
    for text in (b"old", b"newer"):
        with whole_file(tmp_path / "x") as file:
            file.write(text)
        assert (tmp_path / "x").read_bytes() == text
    assert os.listdir(tmp_path) == ["x"]


def test_a_block_that_raises_leaves_the_old_file_and_no_part(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(KeyError), whole_file(tmp_path / "x") as file:
        file.write(b"half of the n")
        raise KeyError
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_no_folder_and_a_folder(tmp_path):
    no_folder = pytest.raises(ValueError, match=r"no folder .*gone to write x in: make it")
    with no_folder, whole_file(tmp_path / "gone" / "x"):
        pass
    is_folder = pytest.raises(ValueError, match="is a folder: give the name of a file")
    with is_folder, whole_file(tmp_path):
        pass


def test_a_kill_amid_a_write_leaves_a_whole_file_and_a_part_to_remove(tmp_path):
    target = tmp_path / "x"
    for _ in range(4):
        program = [sys.executable, "-c", LOOP, str(Path(files.__file__)), str(target), str(SIZE)]
        with subprocess.Popen(program) as writer:
            kill_amid_a_write(writer, target)
        data = target.read_bytes()
        assert len(data) == SIZE and len(set(data)) == 1
        assert len(os.listdir(tmp_path)) == 2
        remove_parts(target)
        assert os.listdir(tmp_path) == ["x"]
