"""Files that are written whole or not at all."""

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Location = str | os.PathLike[str]


@contextmanager
def whole_file(path: Location) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes the name `path` only once it is complete.

    What is written goes to a file beside it, `.name.*.part`, which is flushed to the disk and then
    renamed. Whoever reads `path`, and whatever kills the writer, finds the old file or the new
    one, never a part; after a kill the part may be left behind, for `remove_parts` to delete. If
    the block raises, the part is deleted and the old file stays.

    ```python
    with whole_file("model.zip") as file:
        file.write(data)
    ```

    **Raises:** `ValueError` if the folder does not exist, or if `path` is a folder.
    """
    # A link stays a link: what it leads to is replaced.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise ValueError(f"there is no folder {target.parent} to write {target.name} in: make it.")
    if target.is_dir():
        raise ValueError(f"{target} is a folder: give the name of a file to write.")
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(target.parent)


def remove_parts(path: Location) -> None:
    """Deletes what killed writers of `path` left behind; only where nobody else is writing it."""
    target = Path(os.path.realpath(path))
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """The new name reaches the disk, too; elsewhere than on POSIX a folder cannot be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
