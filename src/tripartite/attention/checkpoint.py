"""Reading the folder of a checkpoint: its sizes, tensors and tokens. Nothing is executed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from tripartite.attention.hub import Folder, checkpoint_folder, missing_extra
from tripartite.core.arguments import checked
from tripartite.core.errors import require_counts

_LAYOUT = (
    "A checkpoint is a folder with config.json, model.safetensors and, for reading text, "
    "tokenizer.json, or the id of one on the Hugging Face Hub, owner/name."
)
# No size of a checkpoint comes near it; shapes of several such are still numbers of 64 bits.
_LARGEST = 10_000_000
_Model = TypeVar("_Model")


class Config(NamedTuple):
    """What `config.json` says, and where it stands."""

    path: Path
    entries: dict[str, Any]

    def choice(self, name: str, choices: Sequence, default: object, instead: str) -> Any:
        """An entry that has to be one of `choices`; `instead`: what to choose if it is not."""
        value = self.entries.get(name, default)
        if value not in choices:
            supported = " or ".join(repr(choice) for choice in choices)
            raise ValueError(
                f"{self.path}: {name} is {value!r}, but only {supported} is supported. {instead}"
            )
        return value

    def size(self, name: str) -> int:
        """An entry that is a whole number, at least 1."""
        value = self.entries.get(name)
        if type(value) is not int or not 1 <= value <= _LARGEST:
            given = "is missing" if name not in self.entries else f"is {value!r}"
            raise ValueError(
                f"{self.path}: {name} {given}; it must be a whole number, at least 1 and at most "
                f"{_LARGEST}."
            )
        return value

    def positive(self, name: str, default: float) -> float:
        """An entry that is a positive number."""
        value = self.entries.get(name, default)
        if not (isinstance(value, float) and value > 0):
            raise ValueError(f"{self.path}: {name} must be a positive number, got {value!r}.")
        return value

    def require_whole_heads(self) -> None:
        """**Raises:** `ValueError` if the width does not divide among the heads."""
        width, heads = self.size("hidden_size"), self.size("num_attention_heads")
        if width % heads:
            raise ValueError(
                f"{self.path}: hidden_size {width} cannot be split over num_attention_heads "
                f"{heads}; the heads must divide the width."
            )


def read_config(checkpoint: Folder) -> Config:
    """**Raises:** `ValueError` if `config.json` is missing or broken."""
    path = _existing(checkpoint, "config.json")
    return Config(path, _read_json(path))


class Tensors(NamedTuple):
    """The tensors of an open `model.safetensors`.

    Names are tried as given and with the architecture's prefix (`bert.`, `vit.`), which checkpoints
    with a head use, and with layer normalisation's weight and bias under their older names gamma
    and beta.
    """

    path: Path
    file: Any
    prefix: str
    kind: str

    def find(self, name: str) -> str | None:
        """How `name` is spelt in the file, if it is there."""
        older = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        older = older.replace("LayerNorm.bias", "LayerNorm.beta")
        spellings = [p + spelling for spelling in (name, older) for p in ("", self.prefix)]
        stored = set(self.file.keys())
        return next((spelling for spelling in spellings if spelling in stored), None)

    def require_layers(self, count: int) -> None:
        """**Raises:** `ValueError` if there are fewer tensors than layers to be made."""
        held = len(self.file.keys())
        if count > held:
            raise ValueError(
                f"{self.path} holds {held} tensors, too few for the num_hidden_layers of "
                f"config.json, {count}. The two files must come from the same checkpoint."
            )

    def shape(self, name: str) -> tuple[int, ...]:
        """**Raises:** `ValueError` if there is no such tensor."""
        return tuple(self.file.get_slice(self._found(name)).get_shape())

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The values of a tensor.

        **Raises:** `ValueError` if it is absent, has another shape, does not hold floating-point
        numbers, or holds one that is not finite.
        """
        given = self.shape(name)
        found = self._found(name)
        if given != shape:
            raise ValueError(
                f"{self.path}: tensor {found!r} has shape {given}, but config.json asks for "
                f"{shape}. The two files must come from the same checkpoint."
            )
        try:
            values = self.file.get_tensor(found)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise ValueError(
                f"{self.path}: tensor {found!r} is of a type that NumPy does not have ({error}): "
                "weights must be floating-point numbers."
            ) from error
        return _finite(self.path, found, values)

    def _found(self, name: str) -> str:
        found = self.find(name)
        if found is None:
            raise ValueError(
                f"{self.path} has no tensor {name!r}, with or without the prefix "
                f"{self.prefix!r}; it holds {len(self.file.keys())} tensors. Choose the checkpoint "
                f"of a {self.kind} encoder whose config.json belongs to it."
            )
        return found


@contextmanager
def open_tensors(checkpoint: Folder, kind: str) -> Iterator[Tensors]:
    """Opens `model.safetensors` of an architecture, `kind`, `BERT` or `ViT`.

    **Raises:** `ImportError` without the `text` extra; `ValueError` if the file is missing or is
    no safetensors file.
    """
    path = _existing(checkpoint, "model.safetensors")
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise missing_extra("safetensors") from error
    try:
        opened = safe_open(path, framework="np")
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a readable safetensors file ({error}). Download it again, or convert "
            "the checkpoint to safetensors."
        ) from error
    with opened as file:
        yield Tensors(path, file, f"{kind.lower()}.", kind)


def fill(
    skeleton: _Model, tensors: Tensors, spellings: Mapping[str, str], dtype: DTypeLike
) -> _Model:
    """A module of the skeleton's shapes with the checkpoint's values.

    **Arguments:** `spellings`: how fields are spelt in the checkpoint, for those that differ.
    """

    def value(path: tuple, leaf: Any) -> jax.Array:
        fields = jax.tree_util.keystr(path, simple=True, separator=".").split(".")
        name = ".".join(spellings.get(field) or field for field in fields)
        return jnp.asarray(tensors.read(name, leaf.shape), dtype=dtype)

    return jax.tree_util.tree_map_with_path(value, skeleton)


def _finite(path: Path, name: str, tensor: np.ndarray) -> np.ndarray:
    if not jnp.issubdtype(tensor.dtype, jnp.floating):
        raise ValueError(
            f"{path}: tensor {name!r} holds {tensor.dtype}, but weights must be floating-point "
            "numbers; quantised checkpoints are not supported."
        )
    if not np.isfinite(tensor).all():
        raise ValueError(
            f"{path}: tensor {name!r} holds numbers that are not finite; the file is damaged. "
            "Download it again."
        )
    return tensor


@checked
def tokenize(
    directory: Folder, texts: Sequence[str], *, max_tokens: int | None = None
) -> list[list[int]]:
    """The token numbers of each text, with the special tokens that `tokenizer.json` adds.

    **Arguments:**

    - `directory`: the checkpoint's folder, or its id on the Hub (see `load_bert`).
    - `texts`: one list of tokens is returned for each.
    - `max_tokens`: longer texts are cut to this many tokens, special ones included.

    Padding and truncation set in the file are not used: give the encoder each text's own tokens,
    or pad them and pass it a mask.

    **Raises:** `ImportError` without the `text` extra; `ValueError` if `tokenizer.json` is missing
    or broken.
    """
    require_counts(max_tokens=max_tokens)
    tokenizer = _tokenizer(directory)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with _Tokenizing(checkpoint_folder(directory) / "tokenizer.json"):
        if max_tokens is not None:
            tokenizer.enable_truncation(max_tokens)
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


@checked
def token_names(directory: Folder, ids: Sequence[int]) -> list[str]:
    """What each token number stands for, as `tokenizer.json` spells it.

    **Raises:** as `tokenize` does; `ValueError` for a number that the tokenizer does not have.
    """
    tokenizer = _tokenizer(directory)
    names = [tokenizer.id_to_token(int(number)) for number in ids]
    if None in names:
        raise ValueError(
            f"the tokenizer has no token {list(ids)[names.index(None)]}: it has "
            f"{tokenizer.get_vocab_size()}."
        )
    return names


class _Tokenizing(AbstractContextManager[None]):
    """Names the file in what the tokenizers package raises: it has no error class of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is Exception or getattr(kind, "__name__", "") == "PanicException":
            raise ValueError(
                f"{self.path} is not the file of a fast tokenizer ({error}). Download it again."
            ) from error


def _tokenizer(directory: Folder) -> Any:
    path = _existing(directory, "tokenizer.json")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing_extra("tokenizers") from error
    if "model" not in _read_json(path):
        raise ValueError(f"{path} has no 'model' entry: it is not the file of a fast tokenizer.")
    with _Tokenizing(path):
        return Tokenizer.from_file(str(path))


def _existing(checkpoint: Folder, name: str) -> Path:
    folder = checkpoint_folder(checkpoint)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder. {_LAYOUT}")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"{folder} has no file {name}. {_LAYOUT}")
    return path


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Download it again.") from error
    if not isinstance(value, dict):
        raise ValueError(
            f"{path} must hold a JSON object, got {type(value).__name__}. Download it again."
        )
    return value
