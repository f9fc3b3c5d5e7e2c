"""The centre of truncation, where a weight file does not hold it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.configs import GeneratorConfig
from jaxgan.models.families import make_generator


def mean_w(config: GeneratorConfig, variables: dict, samples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Mean w [L, latent] over random z, the centre of truncation; at least `samples` of them, in whole batches of 1,000.

    variables: the generator's own, {"params", "noise"}.
    """
    batch = min(samples, 1000)

    @jax.jit
    def of_batch(variables: dict, key: jax.Array) -> jax.Array:
        z = jax.random.normal(key, (batch, config.latent_size), jnp.float32)
        return make_generator(config).apply(variables, z, method="map").mean(axis=0)

    keys = jax.random.split(jax.random.key(seed), -(-samples // batch))
    return np.mean([of_batch(variables, key) for key in keys], axis=0)
