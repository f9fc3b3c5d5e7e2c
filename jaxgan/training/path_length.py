"""Path length regularisation: a step in w should change the image by the same amount everywhere.

References:
  Karras et al., Analyzing and improving the image quality of StyleGAN, 2019, section 3.2 and equation 4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.training import parallel


def lengths(synthesize: Callable[[jax.Array], jax.Array], w: jax.Array, keys: jax.Array) -> jax.Array:
    """Norm of J^T y for each image, J the Jacobian of the image and y a normal image divided by sqrt(H W).

    Args:
      synthesize: w [B, L, latent] to images [B, H, W, C], each of its own w alone.
      w: [B, L, latent].
      keys: Random keys [B] of the normal images.

    Returns:
      float32 [B]; squares are summed over the latent and averaged over the layers, as in NVlabs' code.
    """
    images, pull_back = jax.vjp(synthesize, w)
    height, width = images.shape[1:3]
    normal = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:], images.dtype))(keys)
    (gradient,) = pull_back(normal / (height * width) ** 0.5)
    squares = jnp.square(gradient.astype(jnp.float32)).sum(axis=2).mean(axis=1)
    return jnp.sqrt(squares + 1e-12)  # the root has no gradient at 0


def penalty(lengths: jax.Array, mean: jax.Array, decay: float) -> tuple[jax.Array, jax.Array]:
    """Mean squared distance of lengths [B] from their running mean, and that mean with these lengths included.

    The running mean, a scalar, is one for all devices; the penalty is this device's and takes it for a constant.
    """
    now = parallel.mean(jax.lax.stop_gradient(lengths).mean())
    mean = now + decay * (mean - now)
    return jnp.mean(jnp.square(lengths - mean)), mean
