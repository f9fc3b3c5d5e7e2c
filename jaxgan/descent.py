"""Repeating a step of gradient descent, by whichever form is fast on the backend."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def repeated(step: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Compiles (steps, carried, constant, progress) -> what `steps` applications of carried = step(carried, constant) lead to.

    `carried` and `constant` are pytrees of arrays; the buffers of `carried` are given up. `progress`, or None, is called with
    the number of steps done, and may raise to stop; where all steps are one call to the device, once at the end.
    """
    one_step = jax.jit(step, donate_argnums=0)

    @jax.jit
    def all_steps(steps: jax.Array, carried: Any, constant: Any) -> Any:
        return jax.lax.fori_loop(0, steps, lambda _, carried: step(carried, constant), carried)

    def run(steps: int, carried: Any, constant: Any, progress: Callable[[int], None] | None = None) -> Any:
        if jax.default_backend() != "cpu":
            carried = all_steps(jnp.int32(steps), carried, constant)
            if progress:
                progress(steps)
            return carried
        for done in range(1, steps + 1):  # in loops, XLA's gradients of convolutions are 4.6 times slower on CPUs
            carried = one_step(carried, constant)
            if progress:
                jax.block_until_ready(carried)
                progress(done)
        return carried

    return run
