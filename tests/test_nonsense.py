"""Public classes and functions fed nonsense for every argument in turn: an error that names it."""

import inspect
import re
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonsense import UNTOLD, examples, public
from tripartite.core.arguments import require

# The field that a preset's argument becomes, by which the error names it.
FIELDS = {
    r"g_\w+": "conductance",
    r"e_\w+": "reversal",
    "tvlif": "inner",
    "slowest": "rate",
    "y0": "state",
    "scale": "rates",
}
# Values that look like nonsense and mean something, by the argument and what is given.
LEGAL = {
    ("at", "text"): "any tree",
    ("beta", "inf"): "the coldest memory, which takes the nearest pattern alone",
    ("cost", "inf"): "spikes that are never moved",
    ("data", "object"): "whatever the user's loss reads",
    ("data", "text"): "whatever the user's loss reads",
    ("gamma", "inf"): "the softest minimum",
    ("post", "None"): "no trigger of its own",
    ("pre", "None"): "no trigger of its own",
    ("stop", "inf"): "a step or a ramp that never ends",
    ("surrogate", "None"): "steps without a gradient",
    ("synapse", "None"): "currents as they come",
    ("tau", "inf"): "a kernel without decay",
    ("times", "shape"): "several trains",
    ("v_reset", "None"): "a reset by its gauge alone",
    ("valence", "negative"): "an anion",
}
# The same, of one function: the argument, and the kinds of values.
LEGAL_OF = {
    "analysis.spike_mask": ("v", "shape"),
    "astrocytes.as_drive": ("like", "shape"),
    "astype": ("tree", "object text None"),
    "attention.circuit_attention": ("gauge", "text"),
    "attention.reached_at": (".*", "shape"),
    "fit.Sign": ("sign", "negative"),
    "io.save": ("model", "text None"),
    "solvers.flows_of": ("y", "shape"),
    "stimuli.Sampled": ("values", "shape"),
    "synapses.SpikeTrain": (".*spikes", "shape"),
}
# Numbers above zero, or not below it, which no annotation says.
SIGNED = (
    r"dt|every|save_every|spacing|period|width|step|std|noise|gamma|cost|radius|tau\w*|[ra]tol|"
    r"tolerance|t_read|t_write|target_rate"
)
# A stimulus: anything but a number is told apart there, by the words of `as_stimulus`.
WORDS = "a stimulus must be|Constant.amplitude|Sampled.values|glutamate must"
STIMULI = (
    "v_pre",
    "v_post",
    "glutamate",
    "coupling",
    "bias",
    "given",
    "spikes",
    "stimulus",
    "modulation",
    "rate",
    "post_rate",
    "u",
)


def nonsense(argument, good, kinds):
    """By name, values that make no sense in the place of one that its annotation describes."""
    yield "object", object()
    yield "text", 7 if isinstance(good, str) or str in kinds else "nonsense"
    if good is not None and type(None) not in kinds:
        yield "None", None
    array = isinstance(good, jax.Array) and not jax.dtypes.issubdtype(
        good.dtype, jax.dtypes.prng_key
    )
    if isinstance(good, float) or (array and good.ndim == 0):
        yield "nan", np.nan
        yield "inf", np.inf
    if array and good.ndim > 0:
        yield "shape", jnp.ones((2, 3, 5, 7))
    if int in kinds or (float in kinds and re.fullmatch(SIGNED, argument)):
        yield "negative", -1


def named(argument, told):
    words = [argument, *(field for of, field in FIELDS.items() if re.fullmatch(of, argument))]
    found = any(re.search(rf"(?<![a-z]){word}(?![a-z])", told) for word in words)
    return found or (argument in STIMULI and re.search(WORDS, told))


def complaints(name, make, arguments):
    known = inspect.signature(make).parameters
    for argument, good in arguments.items():
        annotation = known[argument].annotation if argument in known else Any
        for kind, value in nonsense(argument, good, (annotation, *get_args(annotation))):
            of, kinds = LEGAL_OF.get(name, ("", ""))
            if (argument, kind) in LEGAL or (re.fullmatch(of, argument) and kind in kinds.split()):
                continue
            if argument in STIMULI and kind == "None":
                continue
            told = "nothing"
            try:
                make(**(arguments | {argument: value}))
            except (ValueError, TypeError) as error:
                told = str(error)
            except Exception as error:
                told = f"{type(error).__name__}: {error}".replace(argument, "...")
            if not named(argument, told):
                yield f"{name}: {argument} = {kind} is told {told[:150]}"


def cases(prefixes):
    return {name: x for name, *x in examples(prefixes)}


@pytest.mark.parametrize("name", ["LIF", "AdEx", "Izhikevich"])
def test_cells_name_the_argument(name):
    make, arguments = cases((f"cells.{name}",))[f"cells.{name}"]
    assert not list(complaints(name, make, arguments))


def test_every_public_callable_has_a_case():
    """Of a new one `examples` asks for one; a reason for none is kept for what there is alone."""
    names = {name for name, _ in public()}
    assert names.issuperset(UNTOLD)
    assert len(dict(cases(("",)))) > 250


@pytest.mark.gate
def test_every_argument_of_what_is_public_is_named():
    bad = [one for name, x in cases(("",)).items() for one in complaints(name, *x)]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("value", [1j, np.complex64(1j), np.array(1j), jnp.asarray(1j)])
def test_a_complex_number_is_not_taken_for_a_real_one(value):
    with pytest.raises(ValueError, match="x must be a finite number, got"):
        require("x", value, float)
