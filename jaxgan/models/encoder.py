"""The editor's encoders: latent difference, keypoint and naive, the encoder variants of the report.

All map (portraits, latents, landmarks, train) to the edited latents w + delta, so that they share
one training step, apart from the reconstruction terms of the naive one.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.configs import EncoderConfig, GeneratorConfig
from jaxgan.models.inverter import Inverter, Trunk, batch_norm
from jaxgan.models.landmarks import Landmarks
from jaxgan.models.layers import EqualizedDense, LayerwiseDense, leaky_relu


class DifferenceEncoder(nn.Module):
    """Maps latents [B, L, latent] and landmarks to the latent shift [B, L, latent].

    The landmark branch reads the landmark image through the residual trunk ("latent_difference") or the 136 coordinates
    directly ("keypoint"). Its features are copied to each layer and concatenated with that layer's features of w.
    """

    config: EncoderConfig
    remat: bool = False

    @nn.compact
    def __call__(self, latents: jax.Array, landmarks: Landmarks, train: bool) -> jax.Array:
        cfg = self.config
        batch, layers, width = latents.shape
        if cfg.kind == "keypoint":
            x = landmarks.keypoints.reshape(batch, -1)
        else:
            x = Trunk(cfg.trunk, self.remat, name="trunk")(landmarks.image, train)
        x = EqualizedDense(cfg.landmark_width, gain=1.0, use_bias=False, name="landmark_dense")(x)
        x = leaky_relu(batch_norm(train, "landmark_norm")(x))
        x = jnp.broadcast_to(x[:, None, :], (batch, layers, cfg.landmark_width))

        per_layer = (-2, -1)  # each layer's features have their own statistics
        w = LayerwiseDense(cfg.latent_width, name="latent_dense")(latents)
        w = leaky_relu(batch_norm(train, "latent_norm", axis=per_layer)(w))
        shift = LayerwiseDense(width, name="head")(jnp.concatenate([x, w], axis=-1))
        return batch_norm(train, "norm", axis=per_layer, scale_init=cfg.shift_scale_init)(shift)


class Encoder(nn.Module):
    """The encoder named by `config.kind`: maps portraits or latents, and landmarks, to edited latents [B, L, latent].

    The naive encoder reads portraits [B, R, R, 3] in [-1, 1] and inverts them itself; the others read latents. The input that
    is not needed may be None. If config.edited_layers is k > 0, only the first k layers are shifted.
    """

    config: EncoderConfig
    generator: GeneratorConfig
    remat: bool = False

    @nn.compact
    def __call__(self, portraits: jax.Array | None, latents: jax.Array | None, landmarks: Landmarks, train: bool) -> jax.Array:
        if self.config.kind == "naive":
            both = jnp.concatenate([portraits, landmarks.image], axis=-1)
            return Inverter(self.config.trunk, self.generator, self.remat, name="naive")(both, train)
        shift = DifferenceEncoder(self.config, self.remat, name="difference")(latents, landmarks, train)
        if edited := self.config.edited_layers:
            shift = shift.at[:, edited:].set(0.0)
        return latents + shift
