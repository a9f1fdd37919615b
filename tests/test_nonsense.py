"""Public classes and functions fed nonsense for every argument in turn: an error that names it."""

import re

import jax
import numpy as np
import pytest

from nonsense import examples

# What is covered so far, by the beginnings of their names.
COVERED = (
    "astrocytes.", "cells.", "channels.", "fit.van", "fit.victor", "fit.soft", "fit.Interval",
    "layers.", "memory.", "stimuli.", "synapses.",
)  # fmt: skip
# The field that a preset's argument becomes, by which the error names it.
FIELDS = {
    r"g_\w+": "conductance",
    r"e_\w+": "reversal",
    "tvlif": "inner",
    "slowest": "rate",
    "y0": "state",
    "scale": "rates",
}
# Arguments for which a value that looks like nonsense means something.
LEGAL = {
    ("stop", "inf"): "a step or a ramp that never ends",
    ("tau", "inf"): "a kernel without decay",
    ("cost", "inf"): "spikes that are never moved",
    ("gamma", "inf"): "the softest minimum",
    ("v_reset", "None"): "a reset by its gauge alone",
    ("pre", "None"): "no trigger of its own",
    ("post", "None"): "no trigger of its own",
    ("surrogate", "None"): "steps without a gradient",
    ("synapse", "None"): "currents as they come",
}
# A stimulus: anything but a number is told apart there, by the words of `as_stimulus`.
WORDS = "a stimulus must be|Constant.amplitude|Sampled.values"
STIMULI = (
    "v_pre",
    "v_post",
    "glutamate",
    "coupling",
    "bias",
    "spikes",
    "modulation",
    "rate",
    "post_rate",
)


def nonsense(good):
    """By name, values that make no sense in the place of one."""
    yield "object", object()
    yield "text", 7 if isinstance(good, str) else "nonsense"
    if good is not None:
        yield "None", None
    array = isinstance(good, jax.Array) and not jax.dtypes.issubdtype(
        good.dtype, jax.dtypes.prng_key
    )
    if isinstance(good, float) or (array and good.ndim == 0):
        yield "nan", np.nan
        yield "inf", np.inf


def named(argument, told):
    words = [argument, *(field for of, field in FIELDS.items() if re.fullmatch(of, argument))]
    found = any(re.search(rf"(?<![a-z]){word}(?![a-z])", told) for word in words)
    return found or (argument in STIMULI and re.search(WORDS, told))


def complaints(make, arguments):
    for argument, good in arguments.items():
        for kind, value in nonsense(good):
            if (argument, kind) in LEGAL or (argument in STIMULI and kind == "None"):
                continue
            told = "nothing"
            try:
                make(**(arguments | {argument: value}))
            except (ValueError, TypeError) as error:
                told = str(error)
            except Exception as error:
                told = f"{type(error).__name__}: {error}".replace(argument, "...")
            if not named(argument, told):
                yield f"{argument} = {kind} is told {told[:150]}"


def cases(prefixes):
    return {name: x for name, *x in examples(prefixes)}


@pytest.mark.parametrize("name", ["LIF", "AdEx", "Izhikevich"])
def test_cells_name_the_argument(name):
    make, arguments = cases((f"cells.{name}",))[f"cells.{name}"]
    assert not list(complaints(make, arguments))


@pytest.mark.gate
def test_every_argument_of_what_is_public_is_named():
    found = {name: list(complaints(*x)) for name, x in cases(COVERED).items()}
    assert len(found) > 80
    bad = [f"{name}: {one}" for name, told in found.items() for one in told]
    assert not bad, "\n".join(bad)
