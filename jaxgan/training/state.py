"""The state of a training run, the same for all three stages."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxgan.configs import AdamConfig, RunConfig
from jaxgan.training import parallel

PyTree = Any


@flax.struct.dataclass
class TrainState:
    """Everything a step reads and writes. The dicts are keyed by network name ("generator", "discriminator", ...)."""

    step: jax.Array  # int32 scalar, steps done
    images: jax.Array  # int32 scalar, images seen
    params: dict[str, PyTree]
    opt_state: dict[str, optax.OptState]
    extra: dict[str, PyTree]  # what is not trained by gradient: batch_stats of the encoders, noise and w_avg of the generator
    ema: dict[str, PyTree]  # running averages for inference; the generator's params, or params and batch_stats of an encoder


def adam(config: AdamConfig, run: RunConfig) -> optax.GradientTransformation:
    """Adam whose rate is multiplied by config.decay after each quarter of the run."""
    if config.decay == 1:  # then no step depends on the length of the run, and a longer one compiles no other
        rate = optax.constant_schedule(config.learning_rate)
    else:
        quarter = max(run.total_images // run.batch_size // 4, 1)
        rate = optax.exponential_decay(config.learning_rate, quarter, config.decay, staircase=True)
    return optax.adam(rate, b1=config.b1, b2=config.b2, eps=config.eps)


def create(params: dict[str, PyTree], optimizer: optax.GradientTransformation, extra: dict, ema: dict) -> TrainState:
    """A state at step 0."""
    opt_state = {name: optimizer.init(tree) for name, tree in params.items()}
    zero = jnp.zeros((), jnp.int32)
    # Buffers are donated to the step, so none may be shared between fields.
    return jax.tree.map(jnp.copy, TrainState(zero, zero, params, opt_state, extra, ema))


def apply_gradients(
    state: TrainState, optimizer: optax.GradientTransformation, grads: dict[str, PyTree], images: int
) -> TrainState:
    """One optimiser step of each network in `grads`, averaged over devices; counts the step and its images."""
    params, opt_state = dict(state.params), dict(state.opt_state)
    for name, gradient in parallel.mean(grads).items():
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to its integer counts
            updates, opt_state[name] = optimizer.update(gradient, state.opt_state[name], state.params[name])
        params[name] = optax.apply_updates(state.params[name], updates)
    return state.replace(step=state.step + 1, images=state.images + images, params=params, opt_state=opt_state)


def moving_average(average: PyTree, value: PyTree, half_life: int, images: int) -> PyTree:
    """Running average after `images` more images. A value's weight halves every `half_life` images; 0 follows the value."""
    decay = 0.5 ** (images / half_life) if half_life else 0.0
    return jax.tree.map(lambda a, v: a * decay + v * (1.0 - decay), average, value)


def step_key(seed: int, step: jax.Array) -> jax.Array:
    """The random key of a step, so that a resumed run draws what an uninterrupted one would."""
    return jax.random.fold_in(jax.random.key(seed), step)
