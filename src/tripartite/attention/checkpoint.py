"""Reading the folder of a BERT checkpoint: its sizes, tensors and tokens. Nothing is executed."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax.numpy as jnp
import numpy as np

Folder = str | os.PathLike[str]

_LAYOUT = (
    "A checkpoint is a folder with config.json, model.safetensors and, for reading text, "
    "tokenizer.json."
)
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The sizes and choices of a BERT encoder, under the names that `config.json` uses."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12


def read_config(directory: Folder, activations: Sequence[str]) -> BertConfig:
    """The encoder's sizes, from `config.json`.

    **Arguments:** `directory`, the checkpoint's folder; `activations`, the names supported.

    **Raises:** `ValueError` if the file is missing or broken, or describes anything other than a
    BERT encoder with absolute positions and one of `activations`.
    """
    path = _existing(directory, "config.json")
    config = _read_json(path)
    _require_choice(path, config, "model_type", ("bert",), None)
    _require_choice(path, config, "position_embedding_type", ("absolute",), "absolute")
    _require_choice(path, config, "hidden_act", activations, "gelu")
    _require_choice(path, config, "is_decoder", (False,), False)
    sizes = {name: _size(path, config, name) for name in _SIZES}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ValueError(
            f"{path}: hidden_size {sizes['hidden_size']} cannot be split over "
            f"num_attention_heads {sizes['num_attention_heads']}; the heads must divide the width."
        )
    epsilon = config.get("layer_norm_eps", BertConfig.layer_norm_eps)
    if not (isinstance(epsilon, float) and epsilon > 0):
        raise ValueError(f"{path}: layer_norm_eps must be a positive number, got {epsilon!r}.")
    return BertConfig(**sizes, hidden_act=config.get("hidden_act", "gelu"), layer_norm_eps=epsilon)


def _require_choice(path: Path, config: dict, name: str, choices: Sequence, default: object):
    value = config.get(name, default)
    if value not in choices:
        supported = " or ".join(repr(choice) for choice in choices)
        raise ValueError(
            f"{path}: {name} is {value!r}, but only {supported} is supported. Choose a BERT "
            "encoder checkpoint."
        )


def _size(path: Path, config: dict, name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        given = "is missing" if name not in config else f"is {value!r}"
        raise ValueError(f"{path}: {name} {given}; it must be a whole number, at least 1.")
    return value


@contextmanager
def open_tensors(directory: Folder) -> Iterator[Callable[[str, tuple[int, ...]], np.ndarray]]:
    """Opens `model.safetensors`; yields a function from a tensor's name and shape to its values.

    Names are tried as given and with the prefix `bert.`, which checkpoints of BERT with a head
    use, and with layer normalisation's weight and bias under their older names gamma and beta.

    **Raises:** `ImportError` without the `text` extra; `ValueError` if the file is missing or is
    no safetensors file, and (from the function) if a tensor is absent, has another shape, does not
    hold floating-point numbers, or holds one that is not finite.
    """
    path = _existing(directory, "model.safetensors")
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise _missing_extra("safetensors") from error
    try:
        opened = safe_open(path, framework="np")
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a readable safetensors file ({error}). Download it again, or convert "
            "the checkpoint to safetensors."
        ) from error
    with opened as file:
        stored = set(file.keys())

        def read(name: str, shape: tuple[int, ...]) -> np.ndarray:
            found = next((n for n in _spellings(name) if n in stored), None)
            if found is None:
                raise ValueError(
                    f"{path} has no tensor {name!r}, with or without the prefix 'bert.'; it holds "
                    f"{len(stored)} tensors. Choose the checkpoint of a BERT encoder whose "
                    "config.json belongs to it."
                )
            given = tuple(file.get_slice(found).get_shape())
            if given != shape:
                raise ValueError(
                    f"{path}: tensor {found!r} has shape {given}, but config.json asks for "
                    f"{shape}. The two files must come from the same checkpoint."
                )
            return _finite(path, found, file.get_tensor(found))

        yield read


def _spellings(name: str) -> list[str]:
    older = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    older = older.replace("LayerNorm.bias", "LayerNorm.beta")
    return [prefix + spelling for spelling in (name, older) for prefix in ("", "bert.")]


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


def tokenize(
    directory: Folder, texts: Sequence[str], *, max_tokens: int | None = None
) -> list[list[int]]:
    """The token numbers of each text, with the special tokens that `tokenizer.json` adds.

    **Arguments:**

    - `directory`: the checkpoint's folder.
    - `texts`: one list of tokens is returned for each.
    - `max_tokens`: longer texts are cut to this many tokens, special ones included.

    Padding and truncation set in the file are not used: give the encoder each text's own tokens,
    or pad them and pass it a mask.

    **Raises:** `ImportError` without the `text` extra; `ValueError` if `tokenizer.json` is missing
    or broken.
    """
    path = _existing(directory, "tokenizer.json")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _missing_extra("tokenizers") from error
    if "model" not in _read_json(path):
        raise ValueError(f"{path} has no 'model' entry: it is not the file of a fast tokenizer.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens is not None:
        tokenizer.enable_truncation(max_tokens)
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def _existing(directory: Folder, name: str) -> Path:
    folder = Path(directory)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder. {_LAYOUT}")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"{folder} has no file {name}. {_LAYOUT}")
    return path


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Download it again.") from error
    if not isinstance(value, dict):
        raise ValueError(
            f"{path} must hold a JSON object, got {type(value).__name__}. Download it again."
        )
    return value


def _missing_extra(package: str) -> ImportError:
    return ImportError(
        f"Reading a pretrained checkpoint needs the package {package}, which the `text` extra "
        'installs: pip install "tripartite[text]".'
    )
