"""Accidents to the bytes of a file, and what a forger puts in the place of a piece of JSON."""

import random


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with one accident: cut, flipped, zeroed, doubled, put in, or written over."""
    at = chance.randrange(len(data))
    length = 1 + chance.randrange(min(64, len(data) - at))
    junk = chance.randbytes(length)
    match chance.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        case 2:
            zeros = bytes(length)
            return data[:at] + (zeros if data[at : at + length] != zeros else junk) + data[at:]
        case 3:
            return data[: at + length] + data[at:]
        case 4:
            return data[:at] + junk + data[at:]
        case _:
            return junk + data[length:]


JUNK = [
    *(None, True, -1, 0, 10**30, 0.5, "", "x", "os.system", "builtins.eval", "float64", [], {}),
    *([[[]]], {"function": "os.system"}, {"class": "subprocess.Popen", "fields": {"args": "ls"}}),
    *({"array": "x", "of": "jax"}, {"object": 10**9}, {"tuple": 3}, {"dict": [[{}, 1]]}),
    *({"class": "tripartite.core.AbstractDynamics", "fields": {}}, {"dtype": "object"}),
    *({"key": "tree['w']", "impl": "rbg"}, {"dict": [[{"list": []}, 1]]}, "\ud800"),
]


def places(node, found):
    """Every container and key in a piece of JSON."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        found.append((node, key))
        if isinstance(value, dict | list):
            places(value, found)
    return found
