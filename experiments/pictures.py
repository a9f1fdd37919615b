"""Pictures with labels: IDX files, handwritten digits, and overlays of two with two labels."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

SMALL = Path(__file__).parent / "data" / "fashion-mnist-900"
FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
SOURCE = "https://github.com/zalandoresearch/fashion-mnist"
UNSIGNED_BYTES = 0x08


class Labelled(NamedTuple):
    """`images` `[n, height, width]` in [0, 1], float32, and `labels` `[n]` or `[n, tasks]`."""

    images: np.ndarray
    labels: np.ndarray

    def __getitem__(self, rows):
        return Labelled(self.images[rows], self.labels[rows])


def read_idx(path, axes):
    """An array of bytes with `axes` axes from an IDX file, compressed by gzip or not.

    The format of the MNIST database: two zero bytes, the type, the number of axes, the length of
    each as a big-endian integer, the values. **Raises:** `ValueError` for a file that is not one,
    is of another type or number of axes, or holds more or fewer values than it says.
    """
    path = Path(path)
    with open(path, "rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else open(path, "rb") as file:
            return _values(file, path, axes)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path.name} is a damaged gzip file: fetch it again.") from error


def _values(file, path, axes):
    """No more is read than the header says, whatever a compressed file would unpack to."""
    start = 4 + 4 * axes
    raw = file.read(start)
    wanted = bytes((0, 0, UNSIGNED_BYTES, axes))
    if raw[:4] != wanted:
        raise ValueError(
            f"{path.name} begins with {raw[:4].hex() or 'nothing'}, but an IDX file of bytes with "
            f"{axes} axes begins with the magic number {wanted.hex()}: is it another file?"
        )
    if len(raw) < start:
        raise ValueError(f"{path.name} is truncated: it ends within its header.")
    shape = struct.unpack(f">{axes}I", raw[4:])
    expected = math.prod(shape)
    # A byte of a gzip file stands for 1,032 at most.
    values = file.read(min(expected, 1032 * path.stat().st_size) + 1)
    if len(values) != expected:
        what, found = ("truncated", len(values)) if len(values) < expected else ("too long", "more")
        raise ValueError(
            f"{path.name} is {what}: its header says {shape}, which is {expected} bytes, and "
            f"{found} follow. Fetch it again."
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def load(folder=SMALL, part="train", classes=10):
    """The pictures and labels of one part, `"train"` or `"test"`, of a folder of IDX files.

    The default folder holds the 900 pictures that come with this project; one with the four files
    of Fashion-MNIST or MNIST, as they are or compressed, is read in the same way.

    **Raises:** `FileNotFoundError` that says where to get the files, where one is absent;
    `ValueError` for a file that is no IDX file, for labels outside the classes, or for more labels
    than pictures.
    """
    images = read_idx(_path(folder, FILES[part, "images"]), 3)
    labels = read_idx(_path(folder, FILES[part, "labels"]), 1)
    if len(images) != len(labels):
        raise ValueError(
            f"{folder}: {len(images)} pictures, but {len(labels)} labels: do they belong together?"
        )
    require_labels(labels, classes)
    return Labelled(images.astype(np.float32) / 255.0, labels.astype(np.int32))


def _path(folder, name):
    for candidate in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"there is neither {name} nor {name}.gz in {folder}: get the four files of Fashion-MNIST "
        f"from {SOURCE} (its data/fashion folder) and name the folder that holds them."
    )


def require_labels(labels, classes):
    """**Raises:** `ValueError` for labels that are not whole numbers in [0, classes)."""
    labels = np.asarray(labels)
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if labels.dtype.kind not in "iu" or bad.size:
        shown = labels.ravel()[bad[0]] if bad.size else labels.dtype
        raise ValueError(
            f"labels must be whole numbers from 0 to {classes - 1}, got {shown}: give the number "
            "of classes, or a file of labels."
        )


def digits(size=28):
    """scikit-learn's 1,797 handwritten digits, 8 x 8, scaled up to `size` x `size` (bilinear).

    The UCI set of Alpaydin and Kaynak (1998). All of them, in their order.
    """
    bunch = load_digits()
    small = np.asarray(bunch["images"], np.float32) / 16.0
    return Labelled(resize(small, size), np.asarray(bunch["target"], np.int32))


def resize(images, size):
    """Pictures `[n, h, w]` at `size` x `size`, bilinearly, corners on corners."""
    rows, columns = (_stretch(n, size) for n in images.shape[1:])
    return np.einsum("ih,nhw,jw->nij", rows, images, columns, optimize=True).astype(np.float32)


def _stretch(n, size):
    """`[size, n]`: the weights of linear interpolation from n points to `size`."""
    at = np.linspace(0.0, n - 1.0, size)
    return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(n)[None, :])).astype(np.float32)


def overlay(first, second, count, side=36, seed=0, classes=10):
    """`count` pictures `side` x `side`, each one of `first` and one of `second`, with both labels.

    The first lies in the upper left corner, the second in the lower right one; where they overlap,
    the brighter wins. After the two-task sets of Lin et al., Pareto Multi-Task Learning (NeurIPS
    2019), which mix MNIST and Fashion-MNIST in this way (corners from memory). Pairs are drawn so
    that every picture of either set is used as often as any other, to within one; `seed` decides.

    **Raises:** `ValueError` for pictures larger than `side`, an empty set, or labels outside the
    classes.
    """
    for name, given in (("first", first), ("second", second)):
        if not len(given.images) or max(given.images.shape[1:]) > side:
            raise ValueError(
                f"overlay: the {name} set has shape {given.images.shape}, but needs at least one "
                f"picture, and none larger than side={side}: give a larger side."
            )
        require_labels(given.labels, classes)
    rng = np.random.default_rng(seed)
    i, j = (_spread(len(given.images), count, rng) for given in (first, second))
    canvas = np.zeros((count, side, side), np.float32)
    height, width = first.images.shape[1:]
    canvas[:, :height, :width] = first.images[i]
    height, width = second.images.shape[1:]
    corner = canvas[:, side - height :, side - width :]
    np.maximum(corner, second.images[j], out=corner)
    return Labelled(canvas, np.stack([first.labels[i], second.labels[j]], axis=1))


def _spread(n, count, rng):
    """`count` numbers below n, each as often as any other to within one, in random order."""
    rounds = [rng.permutation(n) for _ in range(-(-count // n))]
    return np.concatenate(rounds)[:count]


def resplits(folder=SMALL, repeats=5, test=200, seed=0):
    """Both parts of a folder put together and split anew, stratified: pairs (train, test)."""
    parts = [load(folder, part) for part in ("train", "test")]
    whole = Labelled(*(np.concatenate(x) for x in zip(*parts, strict=True)))
    cut = StratifiedShuffleSplit(repeats, test_size=test, random_state=seed)
    return [(whole[a], whole[b]) for a, b in cut.split(whole.images, whole.labels)]


def two_tasks(count_train, count_test, folder=SMALL, side=36, seed=0):
    """The two-task set: clothes in the upper left, digits in the lower right.

    No picture of either kind is in both parts: clothes are split as in their files, of the digits
    the first 1,347 (three quarters) are for training.
    """
    numbers = digits()
    cut = 3 * len(numbers.images) // 4
    train = overlay(load(folder, "train"), numbers[:cut], count_train, side, seed)
    test = overlay(load(folder, "test"), numbers[cut:], count_test, side, seed + 1)
    return train, test
