"""Progressive growing (Karras et al. 2017, section 2 and appendix A; schedule of Karras et al. 2018, appendix C).

Training starts at a low resolution. Each doubling adds layers to both networks, which first fade in and are then trained on.
What changes does so by images seen. A run that does not grow has a single phase.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.configs import Config, GrowingConfig
from jaxgan.models.layers import crossfade, downscale2d, upscale2d
from jaxgan.training.state import TrainState

PyTree = Any


def _in_batches(images: int, batch_size: int) -> int:
    return -(-images // batch_size) * batch_size


@dataclass(frozen=True)
class Phase:
    """Training at one resolution, with one compiled step. Numbers of images count from the start of the run."""

    resolution: int  # pixels
    batch_size: int  # images a step, over all devices
    learning_rate: float  # of both networks
    fade_images: int  # over which the resolution fades in; 0 for the one that training starts with
    first_image: int  # images seen when the phase begins
    last_image: int  # images seen when it ends, a whole number of batches later

    @property
    def stable_from(self) -> int:
        """Images seen when the resolution has faded in."""
        return self.first_image + _in_batches(self.fade_images, self.batch_size)

    def completes(self, config: Config, images: int) -> bool:
        """Whether the networks have all their layers, wholly faded in, when this phase has come to that many images."""
        return self.resolution == config.generator.resolution and images >= self.stable_from

    def alpha(self, images: jax.Array) -> jax.Array | None:
        """Share of the new resolution in [0, 1], float32, at a number of images seen; None where nothing fades in."""
        if not self.fade_images:
            return None
        return jnp.clip((images - self.first_image).astype(jnp.float32) / self.fade_images, 0.0, 1.0)

    def restart(self, state: TrainState, optimizer: optax.GradientTransformation) -> TrainState:
        """The state with fresh optimisers at the first step of the phase and at the first one after its fade, else unchanged.

        These are the two moments at which the published training resets them (NVlabs/stylegan, reset_opt_for_new_lod).
        """
        images = state.images
        fresh = jnp.logical_or(images == self.first_image, images == self.stable_from)
        kept = {
            name: jax.tree.map(lambda new, old: jnp.where(fresh, new, old), optimizer.init(state.params[name]), opt_state)
            for name, opt_state in state.opt_state.items()
        }
        return state.replace(opt_state=kept)


def phases(config: Config) -> list[Phase]:
    """The phases of a run that run.total_images reaches, in order; fades and stable parts are whole batches."""
    growing, run, final = getattr(config, "growing", GrowingConfig()), config.run, config.generator.resolution
    made: list[Phase] = []
    resolution, first = growing.start or final, 0
    while resolution <= final and first < run.total_images:
        batch, rate, length = run.batch_size, config.adam.learning_rate, run.total_images - first
        fade = growing.fade_images if made else 0
        if resolution < final:
            index = resolution.bit_length() - 4
            batch, rate = growing.batch_sizes[index], growing.learning_rates[index]
            length = min(length, _in_batches(fade, batch) + growing.stable_images)
        last = first + _in_batches(length, batch)
        made.append(Phase(resolution, batch, rate, fade, first, last))
        resolution, first = 2 * resolution, last
    return made


def steps(config: Config) -> int:
    """Steps of a whole run."""
    return sum((phase.last_image - phase.first_image) // phase.batch_size for phase in phases(config))


def shrink(images: jax.Array, resolution: int, alpha: jax.Array | None) -> jax.Array:
    """Real images [B, R, R, 3] as a growing discriminator sees them: means over blocks, [B, r, r, 3], faded by alpha."""
    while images.shape[1] > resolution:
        images = downscale2d(images)
    return images if alpha is None else crossfade(upscale2d(downscale2d(images)), images, alpha)


def union(lower: PyTree, tree: PyTree) -> PyTree:
    """Nested dicts merged; of leaves that both have, those of `tree` stay."""
    return unflatten_dict(flatten_dict(lower) | flatten_dict(tree))
