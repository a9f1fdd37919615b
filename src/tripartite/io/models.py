"""Models saved to one file, and loaded again bit for bit."""

from typing import Any

from tripartite.core import archive
from tripartite.core.arguments import checked
from tripartite.core.files import Location
from tripartite.io import registry
from tripartite.io.decoding import Decoder
from tripartite.io.encoding import Encoder

_KIND = "model"


@checked
def save(path: Location, model: Any) -> None:
    """Writes a model, or any tree of models, arrays, states and plain values, to one file.

    The file is a safetensors file: the arrays, each once, under the names of their fields, and a
    JSON header with the classes and the static fields. It is written whole or not at all: a kill
    leaves the old file as it was. A class of your own is saved by its name alone.

    **Arguments:** `path` of the file, such as `"cell.safetensors"`; `model`, of modules,
    NamedTuples, dataclasses, tuples, lists, dictionaries, arrays of any dtype, keys, numbers, text
    and functions with a name.

    **Raises:** `ValueError` naming the field that a file cannot keep (a lambda, a traced array), or
    for a folder that is not there.
    """
    encoder = Encoder()
    tree = encoder.encode(model, "model")
    archive.write(path, _KIND, {"tree": tree, "objects": encoder.objects}, encoder.arrays)


@checked
def load(path: Location, *, classes: registry.Declared = ()) -> Any:
    """Reads what `save` wrote: the same values, bit for bit, dtypes and shared arrays included.

    Nothing in the file is executed, and no module is imported for it: its names are looked up
    among the library's own classes (and those of `equinox.nn`, `diffrax` and `optax`), and among
    `classes`. A field that a class has gained since takes its default; every other difference is
    an error that says what changed.

    **Arguments:**

    - `path`: the file.
    - `classes`: the classes and functions of your own in it, or a dictionary from the name in the
        file to the class that now stands for it.

    **Raises:** `ValueError`, naming the file, if it is not there, damaged, of a later format, or
    holds a class that is not known or has changed; or float64 where JAX is set to 32 bits.
    """
    declared = registry.declared(classes)
    return Decoder(path, archive.read(path, _KIND), declared).decode()
