"""Gradients of the library's functions where formulas divide by zero, take roots or overflow.

Each function meets zeros, ties, the smallest and the largest numbers that it is made for, forwards
and in reverse, in both precisions: value, derivative and gradient are finite.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from gradients_at import DTYPES, beside, must_be_finite
from tripartite import fit, layers, memory
from tripartite.attention import (
    EluPlusOne,
    GaussHermite,
    Hyperbolic,
    LearnedExponential,
    LearnedGaussian,
    OneProcessPerToken,
    PositiveRandom,
    Taylor,
    Trigonometric,
    fixed_point,
    linear_attention,
    linear_time,
    softmax_attention,
)
from tripartite.core import numerics, surrogates

KEY = jax.random.key(0)


def every_size(dtype, least=None, largest=None):
    """Zero, the ends of the format, powers of ten between, and the edges of the series' windows."""
    info = np.finfo(dtype)
    least = np.log10(info.tiny) if least is None else least
    largest = np.log10(info.max) - 1 if largest is None else largest
    powers = 10.0 ** np.linspace(float(least), float(largest), 60)
    return beside({0.0, 0.05, 0.3, 1.0, 40.0, *powers[1:]}, dtype)


def both_signs(x):
    return np.unique(np.concatenate([-x, x]))


def pairs(a, b):
    """All of a with all of b."""
    return tuple(x.ravel() for x in np.meshgrid(a, b))


HALVES = (1e-3, 0.1, 1.0, 30.0)
SCALARS = {
    "linoid": (numerics.linoid, lambda d: (both_signs(every_size(d, largest=37)),)),
    "logistic": (numerics.logistic, lambda d: (both_signs(every_size(d)),)),
    # Beyond -80 a decay would be negative, and exp overflows in float32 as it should.
    "weights": (
        numerics.exponential_weights,
        lambda d: (np.concatenate([every_size(d), -every_size(d, largest=1.9)]),),
    ),
    **{
        f"Hill, {power}": (
            lambda x, half, power=power: numerics.hill(x, half, power),
            lambda d: pairs(both_signs(beside({*every_size(d), *HALVES}, d)), HALVES),
        )
        for power in (1, 2, 4, 1.75)
    },
    "Hill, an order that is fitted": (
        numerics.hill,
        lambda d: (*pairs(every_size(d), HALVES), np.full(4 * every_size(d).size, 2.5)),
    ),
    **{
        name: (
            lambda x, step=step: surrogates.spike(
                x > 0, jnp.asarray(True), x, tp.astype(step(), x.dtype)
            ),
            lambda d: (both_signs(every_size(d)),),
        )
        for name, step in {
            "rectangular": surrogates.Rectangular,
            "sigmoid": surrogates.Sigmoid,
            "fast sigmoid": surrogates.FastSigmoid,
            "arctan": surrogates.Arctan,
        }.items()
    },
    "log cosh": (memory.log_cosh, lambda d: (both_signs(every_size(d)),)),
    **{
        f"constraint {type(kind).__name__}": (
            lambda z, value, kind=kind: kind.constrained(z, value),
            lambda d, value=value: pairs(both_signs(every_size(d, largest=30)), (value,)),
        )
        for kind, value in (
            (fit.Positive(), 2.0), (fit.Sign(), -3.0), (fit.Free(), 1.0),
            (fit.Interval(-80.0, -40.0), -60.0),
        )
    },
    "IP3 pulse": (
        lambda t, rise, rate: tp.astype(tp.astrocytes.IP3Pulse(0.8, rise, rate, 5e3), t.dtype)(t),
        lambda d: (*pairs(beside({0.0, 20.0, 5020.0}, d), (20.0,)), np.full(15, 0.1)),
    ),
}  # fmt: skip


def as_rows(arrays, dtype):
    return tuple(jnp.asarray(x, dtype) for x in arrays)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", SCALARS)
def test_functions_of_numbers(name, dtype):
    function, points = SCALARS[name]
    must_be_finite(lambda row: function(*row), as_rows(points(dtype), dtype))


TOKENS, SIZE, FEATURES = 4, 3, 8
MAPS = {
    "ELU + 1": EluPlusOne(),
    "one process per token": OneProcessPerToken(),
    "positive": PositiveRandom(FEATURES, SIZE, key=KEY),
    "hyperbolic": Hyperbolic(FEATURES, SIZE, key=KEY),
    "trigonometric": Trigonometric(FEATURES, SIZE, key=KEY),
    "learned": LearnedExponential(SIZE, FEATURES, key=KEY),
    "learned, Gaussian": LearnedGaussian(SIZE, FEATURES, key=KEY),
    "Taylor": Taylor(2),
    "Gauss-Hermite": GaussHermite(2, SIZE),
}


def arrays(*shapes, sizes=(0.0, 1e-30, 1e-8, 1.0, 30.0)):
    """Rows of arrays: random ones of each size, all numbers alike, and zeros in the first place."""

    def rows(dtype):
        rng = np.random.default_rng(0)
        drawn = [rng.standard_normal(shape) for shape in shapes]
        found = [[size * x for x in drawn] for size in sizes]
        found += [[np.full_like(x, size) for x in drawn] for size in sizes]
        found += [[np.concatenate([0.0 * x[:1], x[1:]]) for x in drawn]]
        found += [[0.0 * drawn[0], *drawn[1:]], [drawn[0], *(0.0 * x for x in drawn[1:])]]
        return [np.stack(column) for column in zip(*found, strict=True)]

    return rows


def of_dtype(model, function):
    """A function of arrays and of a model, cast to their precision and differentiated, too."""

    def call(*given):
        return function(tp.astype(model, given[0].dtype), *given)

    return call


QKV = ((TOKENS, SIZE),) * 3
HEADS = ((TOKENS, 2, SIZE),) * 3


def _units(kind):
    """A layer's spikes and potentials over a few ticks."""
    linear = eqx.nn.Linear(3, 4, key=KEY)
    three = (linear, linear, linear)
    layer = {
        "LIF": lambda: layers.LIFLayer(linear),
        "HH": lambda: layers.HHLayer(linear, dt=0.05, steps=4),
        "SLIF2HH": lambda: layers.SLIF2HHLayer(three, key=KEY),
        "ReleaseHH": lambda: layers.ReleaseHHLayer(linear, (4,), key=KEY),
    }[kind]()
    return of_dtype(layer, lambda layer, x: layer(x)), arrays((5, 3))


def _met(e, x, after):
    """Reading from an empty memory, after one place, and after the same place twice."""
    place = tp.astype(memory.PlaceMemory(), e.dtype)
    empty = tp.astype(place.empty(4, 3, 3), e.dtype)
    once = place.write(empty, e, x)
    return [place.read(c, after) for c in (empty, once, place.write(once, after, x))]


def _features(v):
    ts = jnp.linspace(0.0, 5.0, v.size).astype(v.dtype)
    found = fit.features(ts, v)
    nought = jax.tree.map(jnp.zeros_like, found)
    return fit.feature_distance(found, nought, jax.tree.map(jnp.ones_like, found))


# Their weights, of which not all are positive, vanish for large tokens, which is refused.
SIGNED = ("trigonometric", "Gauss-Hermite")
CIRCUITS = {
    name: (m, arrays(*QKV, sizes=(0.0, 1e-30, 0.1, 0.5 if name in SIGNED else 8.0)))
    for name, m in MAPS.items()
}
ARRAYS = {
    **{
        f"attention, {name}": (of_dtype(m, lambda m, *qkv: linear_attention(m, *qkv)), rows)
        for name, (m, rows) in CIRCUITS.items()
    },
    **{
        f"fixed point, {name}": (of_dtype(m, lambda m, *qkv: fixed_point(m, *qkv)), rows)
        for name, (m, rows) in CIRCUITS.items()
    },
    **{
        f"in linear time, {name}": (
            of_dtype(m, lambda m, *qkv: linear_time(m, *qkv)),
            arrays(*HEADS, sizes=(0.0, 1e-30, 0.1, 0.5 if name in SIGNED else 8.0)),
        )
        for name, m in MAPS.items() if name not in ("one process per token", "Taylor")
    },
    "softmax attention": (softmax_attention, arrays(*QKV)),
    "Hopfield energy": (lambda x, p: memory.hopfield_energy(p, x, 2.0), arrays((3,), (4, 3))),
    "Hopfield update": (lambda x, p: memory.hopfield_update(p, x, 2.0), arrays((3,), (4, 3))),
    "memories mixed": (
        lambda x, p: memory.memories_mixed(memory.hopfield_weights(p, x, 2.0)),
        arrays((3,), (4, 3)),
    ),
    "bound": (
        lambda p, x: [memory.one_step_bound(p, at, 0, 2.0) for at in (p[0], p[0] + x)],
        arrays((4, 3), (3,), sizes=(1e-30, 1e-8, 1.0)),
    ),
    "grid score": (lambda rates: memory.grid_score(rates, 3.0), arrays((8, 8))),
    "places": (_met, arrays((3,), (3,), (3,))),
    "spherical": (jax.grad(memory.Spherical()), arrays((3,))),
    "absolute": (jax.grad(memory.Absolute()), arrays((3,))),
    "log sum exp": (of_dtype(memory.LogSumExp(2.0), lambda f, x: jax.grad(f)(x)), arrays((3,))),
    "relu power": (jax.grad(memory.ReluPower(3)), arrays((3,))),
    "simplex": (
        lambda z: fit.Simplex(1.0).constrained(z, jnp.asarray([0.2, 0.3, 0.5], z.dtype)),
        arrays((2,), sizes=(0.0, 1.0, 1e3, 1e30)),
    ),
    "soft DTW": (lambda x, y: [fit.soft_dtw(x, y, g) for g in (1e-6, 1.0)], arrays((5,), (6,))),
    "van Rossum": (
        lambda a, b: [fit.van_rossum(a, b, 10.0), fit.van_rossum(a, a, 10.0)],
        lambda d: [np.sort(x) for x in arrays((4,), (3,))(d)],
    ),
    "features": (_features, arrays((40,))),
    **{name: _units(name) for name in ("LIF", "HH", "SLIF2HH", "ReleaseHH")},
    "shunting": (
        of_dtype(
            layers.DANNLayer(3, 4, shunting=True, key=KEY), lambda layer, x: layer(jnp.abs(x))
        ),
        arrays((3,)),
    ),
}  # fmt: skip


@pytest.mark.gate
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", ARRAYS)
def test_functions_of_arrays(name, dtype):
    function, rows = ARRAYS[name]
    must_be_finite(lambda row: function(*row), as_rows(rows(dtype), dtype))
