"""Micro-batches: functions of images computed on few of them at a time, so that memory holds the activations of few."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def in_micro_batches(function: Callable[..., tuple[PyTree, PyTree]], size: int, *batch: PyTree) -> tuple[PyTree, PyTree]:
    """function(*batch) -> (arrays by image [B, ...], float means over images), computed on `size` images at a time.

    The result and its gradients are those of one call, where the function treats images independently. A gradient runs the
    function again for each micro-batch; nothing but its arguments is kept until then (Chen et al. 2016).

    Args:
      function: What to compute.
      size: Images at a time; 0 or one not below B for all in one call.
      batch: Its arguments, pytrees of arrays or random keys [B, ...].

    Raises:
      ValueError: B is not a multiple of the size.
    """
    count = jax.tree.leaves(batch)[0].shape[0]
    if not size or count <= size:
        return function(*batch)
    if count % size:
        raise ValueError(f"a batch of {count} images per device is not a multiple of run.micro_batch={size}")
    number = count // size
    parts = jax.tree.map(lambda x: x.reshape(number, size, *x.shape[1:]), batch)
    compute = jax.checkpoint(function, prevent_cse=False)  # a loop's passes are apart as it is

    def add(total: PyTree, part: PyTree) -> tuple[PyTree, PyTree]:
        each, means = compute(*part)
        return jax.tree.map(lambda t, m: t + m / number, total, means), each

    _, means = jax.eval_shape(function, *jax.tree.map(lambda x: x[0], parts))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), means)
    means, each = jax.lax.scan(add, zeros, parts)
    return jax.tree.map(lambda x: x.reshape(count, *x.shape[2:]), each), means
