"""Attention by the fixed-point layer's circuits and by JAX's own softmax, without projections."""

import os
import time

from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")
HEADS, SIZE, FEATURES = 8, 64, 128
DECODED = 256  # tokens timed after what has been written


def tokens(count):
    import jax

    keys = jax.random.split(jax.random.key(1), 3)
    return tuple(jax.random.normal(key, (count, HEADS, SIZE)) for key in keys)


def feature_maps():
    """One for each head, exp(+-(W x + b)), as a layer has by default."""
    import jax

    from tripartite.attention import LearnedExponential

    keys = jax.random.split(jax.random.key(0), HEADS)
    return jax.vmap(lambda key: LearnedExponential(SIZE, FEATURES, key=key))(keys)


def attention(request):
    """A function of q, k and v."""
    import jax

    from tripartite.attention import linear_time

    causal = request["form"] == "causal"
    if request["kind"] == "softmax":
        return lambda q, k, v: jax.nn.dot_product_attention(
            q[None], k[None], v[None], is_causal=causal
        )[0]
    features = feature_maps()
    return lambda q, k, v: linear_time(
        features, q, k, v, per_head=True, causal=causal, scale=SIZE**-0.25
    )


def compiled(request):
    import jax
    import jax.numpy as jnp

    run = attention(request)
    if request["gradient"]:
        # A cotangent of its own, so that nothing of the output is known beforehand.
        run = jax.grad(lambda q, k, v, f=run: jnp.sum(f(q, k, v) ** 2), argnums=(0, 1, 2))
    shape = jax.ShapeDtypeStruct((request["tokens"], HEADS, SIZE), jnp.float32)
    return jax.jit(run).lower(shape, shape, shape).compile()


def timed(function, arguments):
    import jax

    def run():
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        return {"seconds": time.perf_counter() - start}

    return run


def decode(request):
    """Seconds for each token, when `tokens` have been written before."""
    import jax
    import jax.numpy as jnp

    from tripartite.attention import AstrocyteAttention

    width = HEADS * SIZE
    maps = [jax.tree.map(lambda x, h=h: x[h], feature_maps()) for h in range(HEADS)]
    layer = AstrocyteAttention(HEADS, width, features=maps, key=jax.random.key(2))

    def several(state, xs):
        return jax.lax.scan(lambda s, x: layer.decode(s, x), state, xs)

    before = jax.random.normal(jax.random.key(3), (request["tokens"], width))
    now = jax.random.normal(jax.random.key(4), (DECODED, width))
    several = jax.jit(several)
    state, _ = several(layer.init_state(), before)
    run = timed(several, (state, now))
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(state))
    return lambda: {"seconds": run()["seconds"] / DECODED, "bytes": size}


def prepare(request):
    if request["do"] == "decode":
        return decode(request)
    executable = compiled(request)
    size = executable.memory_analysis().temp_size_in_bytes
    if request["do"] == "memory":
        return lambda: {"bytes": size}
    run = timed(executable, tokens(request["tokens"]))
    return lambda: run() | {"bytes": size}


if __name__ == "__main__":
    serve(prepare, ("jax", "jaxlib", "equinox"))
