"""Checkpoints of a fit: bit for bit after a kill, whole or not at all, of this fit and no other."""

import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fit_a_leak
import tripartite as tp
from tripartite import fit

SCRIPT = Path(fit_a_leak.__file__)


class Line(eqx.Module):
    """y = slope x + offset: the smallest model there is."""

    slope: jax.Array
    offset: jax.Array


X = np.linspace(-1.0, 2.0, 7)
DATA = 3.0 * X - 0.5


def line(slope=1.0, offset=0.0):
    return Line(jnp.asarray(slope), jnp.asarray(offset))


def loss(model, data):
    return fit.mean_square(model.slope * X + model.offset, data)


KINDS = {"slope": fit.Positive(), "offset": fit.Free()}
SETTINGS = {"constraints": KINDS, "optim": optax.adam(0.1), "checkpoint_every": 3}


def test_a_fit_in_two_pieces_is_the_whole_fit_bit_for_bit(tmp_path):
    whole = fit.fit(line(), loss, DATA, steps=20, **SETTINGS)
    path = tmp_path / "fit.npz"
    fit.fit(line(), loss, DATA, steps=8, checkpoint=path, **SETTINGS)
    again = fit.fit(line(), loss, DATA, steps=20, checkpoint=path, **SETTINGS)
    np.testing.assert_array_equal(again.losses, whole.losses)
    assert again.values == whole.values and again.loss == whole.loss
    # Nothing is left beside it, and its parameters are read by name.
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]
    assert fit.read_checkpoint(path).arrays["value.slope"] > 2.0


def killed_and_taken_up(folder, steps, after, pause):
    """Starts the script, kills it with no warning at a step, and lets it go on to the end."""
    command = [sys.executable, str(SCRIPT), str(folder / "fit.npz")]
    end = [str(folder / "end.npz"), str(steps)]
    with subprocess.Popen(
        [*command, *end, str(pause)], stdout=subprocess.PIPE, text=True
    ) as doomed:
        for text in doomed.stdout:
            if int(text) >= after:
                break
        time.sleep(pause * 0.5)
        doomed.kill()
    assert doomed.returncode == -signal.SIGKILL
    assert not (folder / "end.npz").exists()
    fit_a_leak.main(str(folder / "fit.npz"), *end[:1], steps)
    return np.load(folder / "end.npz")


def check_kill(tmp_path, steps, after, pause):
    (tmp_path / "a").mkdir()
    fit_a_leak.main(str(tmp_path / "a" / "fit.npz"), str(tmp_path / "a" / "end.npz"), steps)
    whole = np.load(tmp_path / "a" / "end.npz")
    (tmp_path / "b").mkdir()
    found = killed_and_taken_up(tmp_path / "b", steps, after, pause)
    for name in whole.files:
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_fit_goes_on_bit_for_bit_after_a_kill(tmp_path, key):
    after = 9 + int(jax.random.randint(key, (), 0, 20))
    check_kill(tmp_path, 40, after, 0.002)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("trial", range(8))
def test_a_fit_goes_on_after_a_kill_at_any_moment(tmp_path, key, trial):
    key = jax.random.fold_in(key, trial)
    after = 1 + int(jax.random.randint(key, (), 0, 190))
    check_kill(tmp_path, 200, after, float(jax.random.uniform(key)) * 0.004)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "fit.npz"
    fit.fit(line(), loss, DATA, steps=4, checkpoint=path, **SETTINGS)
    return path


@pytest.mark.parametrize(
    ("model", "data", "settings", "words"),
    [
        (line(1.5), DATA, {}, "model: other numbers or another structure"),
        (line(), DATA + 1.0, {}, "data: other numbers or another structure"),
        (
            line(),
            DATA,
            {"constraints": {"slope": fit.Positive(spread=2.0), "offset": fit.Free()}},
            "parameters slope: the file has float64[], Positive(), this fit float64[], "
            "Positive(spread=2.0)",
        ),
        (
            line(),
            DATA,
            {"where": lambda m: m.slope, "constraints": None},
            "parameters offset: the file has float64[], Free(), this fit nothing",
        ),
        (line(), DATA, {"optim": optax.sgd(0.1)}, "it was made with another optimiser"),
        (line(), DATA, {"forward": True}, "forward: the file has False, this fit True"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(written, model, data, settings, words):
    with pytest.raises(ValueError) as raised:
        fit.fit(model, loss, data, steps=4, checkpoint=written, **(SETTINGS | settings))
    assert words in str(raised.value)


def rewritten(path, target, change):
    """A copy with another header."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays.pop("header")))
    change(header)
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(target, header=text, **arrays)
    return target


def test_a_checkpoint_of_another_version_says_what_changed(written, tmp_path):
    def older(header):
        header["versions"] |= {"tripartite": "0.0.9", "jax": "0.8.1"}

    path = rewritten(written, tmp_path / "old.npz", older)
    with pytest.raises(ValueError) as raised:
        fit.fit(line(), loss, DATA, steps=4, checkpoint=path, **SETTINGS)
    text = str(raised.value)
    assert f"versions tripartite: the file has 0.0.9, this fit {tp.__version__}" in text
    assert f"versions jax: the file has 0.8.1, this fit {jax.__version__}" in text
    assert "Give this fit a path of its own, delete the file, or go on as it was" in text
    # What it found can be read all the same.
    assert "value.slope" in fit.read_checkpoint(path).arrays

    def newer(header):
        header["layout"] = 99

    path = rewritten(written, tmp_path / "new.npz", newer)
    with pytest.raises(ValueError, match="has the checkpoint layout 99, and this version"):
        fit.read_checkpoint(path)


def test_half_a_checkpoint_is_refused(written, tmp_path):
    whole = written.read_bytes()
    half = tmp_path / "half.npz"
    for text in (whole[: len(whole) // 2], b"", b"not at all", whole[:-1]):
        half.write_bytes(text)
        with pytest.raises(ValueError, match="is no checkpoint of a fit, or only a part of one"):
            fit.fit(line(), loss, DATA, steps=4, checkpoint=half, **SETTINGS)
    with pytest.raises(ValueError, match="there is no checkpoint"):
        fit.read_checkpoint(tmp_path / "none.npz")


def test_a_damaged_byte_is_found_or_does_not_matter(written, tmp_path):
    whole, spoilt = written.read_bytes(), tmp_path / "spoilt.npz"
    expected, found = fit.read_checkpoint(written), 0
    for at in range(0, len(whole), 41):
        text = bytearray(whole)
        text[at] ^= 0xFF
        spoilt.write_bytes(bytes(text))
        try:
            read = fit.read_checkpoint(spoilt)
        except ValueError as error:
            assert str(spoilt) in str(error)
            found += 1
            continue
        assert read.header == expected.header
        for name, array in expected.arrays.items():
            np.testing.assert_array_equal(read.arrays[name], array)
    assert found > 20


def test_loading_a_checkpoint_runs_nothing(tmp_path):
    """An array of Python objects, which only running its code could restore, is refused."""
    path = tmp_path / "fit.npz"
    np.savez(path, header=np.array([print], dtype=object))
    assert "header.npy" in zipfile.ZipFile(path).namelist()
    with pytest.raises(ValueError, match="is no checkpoint of a fit"):
        fit.read_checkpoint(path)


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    fit.fit(line(), loss, DATA, steps=4, checkpoint=path, **SETTINGS)
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        fit.fit(line(), loss, DATA, steps=8, checkpoint=path, **SETTINGS)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["fit.npz"]
