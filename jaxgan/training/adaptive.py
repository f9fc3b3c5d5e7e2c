"""The adaptive strength of ADA: p rises while the discriminator overfits and falls while it does not.

References:
  Karras et al., Training generative adversarial networks with limited data, 2020, section 3.
"""

import jax
import jax.numpy as jnp

from jaxgan.configs import AugmentConfig


def start() -> dict[str, jax.Array]:
    """Of a training at its beginning: p, and the sum of r_t over the steps since p was last adjusted."""
    return {"p": jnp.zeros((), jnp.float32), "signs": jnp.zeros((), jnp.float32)}


def adjust(
    config: AugmentConfig, ada: dict[str, jax.Array], r_t: jax.Array, step: jax.Array, images: int
) -> dict[str, jax.Array]:
    """What `start` returns, after one more step.

    Every config.interval steps, p moves by images / config.ramp_images for each step of them: up if their mean r_t is above
    config.target, down if it is below. It stays within [0, 1].

    Args:
      config: The heuristic's settings.
      ada: p and the sum of signs before the step.
      r_t: Mean sign of the scores of the step's real images, over all devices.
      step: Steps done before this one, int32.
      images: Images of the step, over all devices.
    """
    signs = ada["signs"] + r_t
    change = jnp.sign(signs / config.interval - config.target) * (images * config.interval / config.ramp_images)
    due = (step + 1) % config.interval == 0
    return {
        "p": jnp.where(due, jnp.clip(ada["p"] + change, 0.0, 1.0), ada["p"]),
        "signs": jnp.where(due, 0.0, signs),
    }
