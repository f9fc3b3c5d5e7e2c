"""Data parallelism: the one file that names pmap.

The state is replicated and never stacked by hand; a batch is split over the local devices along its first axis. Under
`out_axes=None` diverged replicas would go unnoticed, so every gradient, statistic and metric passes through `mean` before
it touches the state.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.runtime import AXIS

PyTree = Any


def pmap_step(step: Callable, devices: Sequence[jax.Device] | None = None) -> Callable:
    """Maps step(state, frozen, batch) -> (state, metrics) over devices; state and frozen are replicated, state is donated.

    Batches are pytrees of [devices, batch / devices, ...], as `split` makes them.
    """
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, None, 0), out_axes=(None, None), donate_argnums=(0,), devices=devices)


def _sharding(spec: PartitionSpec, devices: Sequence[jax.Device] | None) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices or jax.local_devices()), (AXIS,)), spec)


def replicate(tree: PyTree, devices: Sequence[jax.Device] | None = None) -> PyTree:
    """Copies of a pytree on every device, laid out as pmap_step returns them: otherwise its second call compiles again."""
    return jax.tree.map(jnp.copy, jax.device_put(tree, _sharding(PartitionSpec(), devices)))


def put(batch: PyTree, devices: Sequence[jax.Device] | None = None) -> PyTree:
    """Arrays [B, ...] of this process, split over the devices for pmap_step.

    Raises:
      ValueError: B is not a multiple of the number of devices.
    """
    return jax.device_put(split(batch, len(devices or jax.local_devices())), _sharding(PartitionSpec(AXIS), devices))


def mean(tree: PyTree) -> PyTree:
    """Mean over the mapped devices."""
    return jax.lax.pmean(tree, AXIS)


def split(batch: PyTree, devices: int) -> PyTree:
    """Arrays [B, ...] to [devices, B / devices, ...].

    Raises:
      ValueError: B is not a multiple of the number of devices.
    """

    def reshape(x: np.ndarray) -> np.ndarray:
        if x.shape[0] % devices:
            raise ValueError(f"a batch of {x.shape[0]} images cannot be split evenly over {devices} devices")
        return x.reshape(devices, x.shape[0] // devices, *x.shape[1:])

    return jax.tree.map(reshape, batch)


def per_image_keys(key: jax.Array, count: int) -> jax.Array:
    """A random key for each of this device's `count` images [count], the same however the global batch is split."""
    first = jax.lax.axis_index(AXIS) * count
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(count))
