"""StyleGAN2's discriminator (Karras et al. 2019, section 4.1), with the interface of StyleGAN's."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.configs import DiscriminatorConfig
from jaxgan.models.convolutions import Conv
from jaxgan.models.layers import SQRT2, EqualizedDense, block, leaky_relu, minibatch_stddev
from jaxgan.models.resampling import downsample2d
from jaxgan.models.stylegan import LandmarkEmbedding, feature_maps
from jaxgan.models.stylegan2 import HALF


class Discriminator(nn.Module):
    """Maps images [B, R, R, C] to scores [B]; high scores mean real.

    Conditions enter, and features are sown, as in stylegan.Discriminator. This family does not grow: `alpha` is None.
    """

    config: DiscriminatorConfig
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, condition: jax.Array | None = None, alpha: jax.Array | None = None) -> jax.Array:
        cfg = self.config
        if alpha is not None:
            raise ValueError("a StyleGAN2 does not fade resolutions in")
        dtype, limit = jnp.dtype(cfg.dtype), cfg.conv_clamp
        residual, skip = cfg.architecture == "resnet", cfg.architecture == "skip"

        def from_rgb(inputs: jax.Array, limit: float | None) -> jax.Array:
            side = inputs.shape[1]
            return Conv(feature_maps(cfg, side), 1, limit=limit, dtype=dtype, name=f"rgb_{side}")(inputs)

        def halve(module: nn.Module, before: jax.Array) -> jax.Array:
            side = before.shape[1]
            features = feature_maps(cfg, side // 2)
            x = Conv(feature_maps(cfg, side), limit=limit, dtype=dtype, name=f"conv_{side}")(before)
            module.sow("intermediates", f"features_{side}", x)
            gain = HALF if residual else 1.0
            x = Conv(features, rescale="down", gain=gain, limit=limit, dtype=dtype, name=f"down_{side}")(x)
            if residual:
                x = x + Conv(features, 1, "down", False, HALF, dtype=dtype, name=f"skip_{side}")(before)
            return x

        concatenated = condition is not None and cfg.condition == "concatenate"
        inputs = jnp.concatenate([images, condition], axis=-1) if concatenated else images
        x = block(self.remat, lambda module, inputs: from_rgb(inputs, limit))(self, inputs)
        while (side := x.shape[1]) > 4:
            x = block(self.remat, halve)(self, x)
            if skip:
                inputs = downsample2d(inputs)
                x = x + from_rgb(inputs, limit if side > 8 else None)  # the published one has no clamp at 4x4
        x = minibatch_stddev(x, cfg.stddev_group, cfg.stddev_strided)
        x = Conv(feature_maps(cfg, 4), limit=limit, dtype=dtype, name="conv_4")(x)
        dense = EqualizedDense(feature_maps(cfg, 4), gain=1.0, dtype=dtype, name="dense")
        phi = SQRT2 * leaky_relu(dense(x.reshape(x.shape[0], -1)))
        scores = EqualizedDense(1, gain=1.0, dtype=dtype, name="score")(phi)[:, 0].astype(jnp.float32)
        if condition is not None and cfg.condition == "projection":
            product = LandmarkEmbedding(cfg, name="embedding")(condition).astype(jnp.float32) * phi.astype(jnp.float32)
            scores = scores + product.sum(axis=1) / phi.shape[1] ** 0.5
        return scores
