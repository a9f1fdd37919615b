"""Many devices: units, batches and starts divided over them by `jax.sharding`."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from tripartite.core import AbstractDynamics
from tripartite.core.arguments import checked

AXIS = "units"


@checked
def mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A line of devices for `shard`: by default all there are, of every process.

    **Raises:** `ValueError` for no device, or one named twice.
    """
    found = jax.devices() if devices is None else list(devices)
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"a mesh needs one device or more, each once, got {found}: leave devices= out for all "
            "there are."
        )
    return jax.make_mesh((len(found),), (AXIS,), axis_types=(AxisType.Auto,), devices=found)


@checked
def shard(tree: PyTree, mesh: Mesh) -> PyTree:
    """Divides every array of `tree` along its first axis over the devices; the rest is copied.

    `tree` is whatever a solve takes: a model, its stimuli, its first state, keys, or a batch of
    these; what comes back goes to `simulate` in its place, under `jit`. Where arrays lie never
    changes what is computed, only who computes it: an array whose first axis does not divide among
    the devices is copied to all. A network adds up all its edges at each step, since a list of who
    fired would have to be agreed upon.

    A state made of parameters that all units share would not be divided, as nothing in it is:
    pass `network.at_step(dt).init()` through `shard` and give it to `simulate` as `y0`.

    **Arguments:** `tree`: any pytree; in several processes each gives the same; `mesh`: one axis of
    devices, as `scale.mesh()` makes it.

    **Raises:** `ValueError` for a mesh of several axes, or a tree of which nothing can be divided.
    """
    if len(mesh.axis_names) != 1:
        raise ValueError(
            f"shard divides along one axis of devices, got a mesh with axes {mesh.axis_names}: "
            "make one with tripartite.scale.mesh()."
        )
    divided = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
    copied = NamedSharding(mesh, PartitionSpec())
    arrays, rest = eqx.partition(_mapped(tree), eqx.is_array)
    if not any(_divides(x, mesh.size) for x in jax.tree.leaves(arrays)):
        shapes = sorted({str(x.shape) for x in jax.tree.leaves(arrays)})
        raise ValueError(
            f"nothing in tree can be divided among {mesh.size} devices, only arrays of shape "
            f"{', '.join(shapes) or 'none'}: their first axis must be a multiple of {mesh.size}."
        )
    placed = jax.tree.map(
        lambda x: jax.device_put(x, divided if _divides(x, mesh.size) else copied), arrays
    )
    return eqx.combine(placed, rest)


def _divides(x: jax.Array, devices: int) -> bool:
    return x.ndim > 0 and x.shape[0] > 0 and x.shape[0] % devices == 0


def _mapped(tree: PyTree) -> Any:
    """Every model in it as several solves at a time want it, which is what several devices do."""

    def is_model(x: Any) -> bool:
        return isinstance(x, AbstractDynamics)

    return jax.tree.map(lambda x: x.mapped() if is_model(x) else x, tree, is_leaf=is_model)
