"""A text as a pretrained encoder reads it, and what the encoder makes of it."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from tripartite.attention import BertEncoder, load_bert, tokenize

NEEDED_PARAGRAPHS = 20


class Reading(NamedTuple):
    """A text as an encoder reads it: token numbers and which of them are not padding."""

    encoder: BertEncoder
    token_ids: Int[Array, "paragraphs tokens"]
    mask: Bool[Array, "paragraphs tokens"]
    cut: int


def read_paragraphs(path: str | os.PathLike[str]) -> list[str]:
    """The paragraphs of a UTF-8 text file: what blank lines separate, each on one line.

    **Raises:** `ValueError` if there is no such file, or it is empty or not UTF-8.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{file} is not a file: name a text file with paragraphs to read.")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from error
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    paragraphs = [" ".join(block.split()) for block in blocks if block.strip()]
    if not paragraphs:
        raise ValueError(
            f"{file} holds no text: it needs at least {NEEDED_PARAGRAPHS} paragraphs, separated by "
            "blank lines."
        )
    return paragraphs


def read_text(directory: str | os.PathLike[str], paragraphs: list[str], max_tokens: int) -> Reading:
    """The paragraphs as tokens, cut to `max_tokens`, and the encoder of the checkpoint."""
    encoder = load_bert(directory)
    limit = min(max_tokens, encoder.max_tokens)
    lengths = [len(ids) for ids in tokenize(directory, paragraphs)]
    texts = tokenize(directory, paragraphs, max_tokens=limit)
    token_ids = np.zeros((len(texts), max(map(len, texts))), int)
    mask = np.zeros(token_ids.shape, bool)
    for row, ids in enumerate(texts):
        token_ids[row, : len(ids)] = ids
        mask[row, : len(ids)] = True
    cut = sum(length > limit for length in lengths)
    return Reading(encoder, jnp.asarray(token_ids), jnp.asarray(mask), cut)


def hidden_states(reading: Reading, attend: Any) -> Float[Array, "paragraphs tokens width"]:
    """The last hidden state of every paragraph, zero where there is no token."""
    return _run(reading, attend)


@eqx.filter_jit
def _run(reading: Reading, attend: Any) -> Array:
    rows = (reading.token_ids, reading.mask)
    states = jax.lax.map(lambda row: reading.encoder(*row, attend=attend), rows)
    return jnp.where(reading.mask[:, :, None], states, 0.0)
