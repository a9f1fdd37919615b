"""One layer of squid axons, and the layers of integrators that do as well: memory and time.

    python -m experiments.resources

On the 900 pictures: the accuracy of a net with one HH layer of 128 units is that of
`experiments.learning`. Nets with s-LIF2HH and 4x LIF layers are trained likewise at growing widths;
the narrowest whose mean is not below it by more than half a point matches it. Then one layer of
each is timed, forward and in a gradient, with the memory of its compiled program.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from experiments import learning, nets, pictures, report, training
from tripartite import layers

WIDTHS = (16, 32, 64, 128)
BATCH, REPEATS = 50, 5


def accuracies(kind, width, epochs=learning.EPOCHS, repeats=5):
    """Of nets of one width, on the resplits of `learning`."""
    sizes = nets.Sizes(side=28, tasks=1, hidden=width)
    found = []
    for seed, (train, test) in enumerate(pictures.resplits(repeats=repeats)):
        build, order = jax.random.split(jax.random.key(seed))
        net = nets.build(kind, "fc", sizes, key=build)
        net = training.train(net, train, epochs=epochs, rate=learning.RATE, key=order)[0]
        found.append(float(training.accuracy(net, test)[0]))
    return found


def seconds(fn, *args):
    """The least of five CPU times of a call, in seconds, compilation aside."""
    compiled = jax.jit(fn).lower(*args).compile()
    jax.block_until_ready(compiled(*args))
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        jax.block_until_ready(compiled(*args))
        times.append(time.process_time() - begin)
    return min(times), int(compiled.memory_analysis().temp_size_in_bytes)


def layer_costs(kind, width):
    """Time and temporaries of one layer on a batch of 50: forward, and with its gradient."""
    sizes = nets.Sizes(side=28, tasks=1, hidden=width)
    net = nets.build(kind, "fc", sizes, key=jax.random.key(0))
    layer, ticks = net.body[0], net.ticks
    moving, fixed = eqx.partition(layer, layers.trainable(layer))
    arrays, static = eqx.partition(fixed, eqx.is_array)
    images = jax.random.uniform(jax.random.key(1), (BATCH, 28 * 28))

    def forward(moving, arrays, images):
        layer = eqx.combine(moving, arrays, static)
        return jax.vmap(lambda x: jnp.mean(layer.hold(x, ticks)[0], axis=0))(images)

    def gradient(moving, arrays, images):
        return jax.grad(lambda m: jnp.sum(forward(m, arrays, images) ** 2))(moving)

    ahead, ahead_bytes = seconds(forward, moving, arrays, images)
    back, back_bytes = seconds(gradient, moving, arrays, images)
    weights = 4 * layers.parameter_count(layer)
    state = jax.eval_shape(lambda x: layer.hold(x, 1)[1], images[0])
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    return {
        "width": width,
        "forward": ahead / BATCH,
        "gradient": back / BATCH,
        "forward bytes": ahead_bytes,
        "gradient bytes": back_bytes,
        "weight bytes": weights,
        "state bytes": held,
        "macs": layers.multiply_accumulates(forward, moving, arrays, images) // BATCH,
    }


def main():
    """The widths that match, and what they cost."""
    goal = float(np.mean([run["accuracy"] for run in report.result("learning_hh")["runs"]]))
    found = {"goal": goal, "searched": {}, "costs": {"hh": layer_costs("hh", 128)}}
    for kind in ("slif2hh", "4lif", "lif"):
        searched = {}
        for width in WIDTHS:
            searched[width] = accuracies(kind, width)
            print(kind, width, searched[width], flush=True)
            if np.mean(searched[width]) >= goal - 0.005:
                break
        found["searched"][kind] = searched
        found["costs"][kind] = layer_costs(kind, width)
    report.save("resources", found)
    print(found["costs"])


if __name__ == "__main__":
    main()
