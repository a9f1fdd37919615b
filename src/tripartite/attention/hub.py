"""Where a checkpoint is: a folder on this machine, or a repository of the Hugging Face Hub."""

import os
import re
from pathlib import Path

from tripartite.core.arguments import checked

Folder = str | os.PathLike[str]

# The only files asked for: sizes, weights and tokens. None of them is code.
FILES = ("config.json", "model.safetensors", "tokenizer.json")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@checked
def checkpoint_folder(checkpoint: Folder) -> Path:
    """The folder of a checkpoint, fetched from the Hub if it is not on this machine.

    A string that names no folder but has the form of a Hub id, `owner/name`, is looked up there by
    `huggingface_hub`, which keeps what it fetches in its cache; only config.json,
    model.safetensors and tokenizer.json are fetched. A path object is always a folder here.

    **Raises:** `ImportError` naming the `text` extra where it is missing; `ValueError` if the Hub
    has no such repository, or cannot be reached and nothing is in the cache.
    """
    if not isinstance(checkpoint, str) or Path(checkpoint).exists():
        return Path(checkpoint)
    if _ID.fullmatch(checkpoint) is None:
        return Path(checkpoint)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError
    except ImportError as error:
        raise missing_extra("huggingface_hub") from error
    try:
        return Path(snapshot_download(checkpoint, allow_patterns=list(FILES)))
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"{checkpoint!r} is neither a folder on this machine nor a repository of the Hugging "
            "Face Hub that may be read without logging in. Check the name; for a private or gated "
            "one, log in with `hf auth login`."
        ) from error
    except OSError as error:
        raise ValueError(
            f"{checkpoint!r} is no folder on this machine, and could not be fetched from the "
            f"Hugging Face Hub ({error}). Check the connection, or download the checkpoint "
            f"elsewhere and name a folder with {', '.join(FILES)}."
        ) from error


def missing_extra(package: str) -> ImportError:
    """The error that says how to install what reads a checkpoint."""
    return ImportError(
        f"Reading a pretrained checkpoint needs the package {package}, which the `text` extra "
        'installs: pip install "tripartite[text]".'
    )
