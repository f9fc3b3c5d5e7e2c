"""StyleGAN's generator and discriminator, with the separate W+ latents of in-domain inversion.

References:
  Karras et al., Progressive growing of GANs for improved quality, stability, and variation, 2017.
  Karras et al., A style-based generator architecture for generative adversarial networks, 2018.
  Miyato and Koyama, cGANs with projection discriminator, 2018.
  Zhu et al., In-domain GAN inversion for real image editing, 2020.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, style_layers
from jaxgan.models.layers import (
    SQRT2,
    EqualizedConv,
    EqualizedDense,
    add_bias,
    block,
    blur,
    crossfade,
    downscale2d,
    instance_norm,
    leaky_relu,
    minibatch_stddev,
    modulate,
    pixel_norm,
    upscale2d,
)


def feature_maps(config: GeneratorConfig | DiscriminatorConfig, resolution: int) -> int:
    """Number of feature maps at a resolution: min(fmap_base / resolution, fmap_max)."""
    return min(config.fmap_base // resolution, config.fmap_max)


class Mapping(nn.Module):
    """Maps z [B, latent] to w [B, L, latent]: pixel norm, then equalised dense layers with leaky ReLU."""

    config: GeneratorConfig
    gain_after: bool = False  # StyleGAN2's: the gain sqrt(2) follows the activation and so takes the bias along

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        cfg, gain = self.config, 1.0 if self.gain_after else SQRT2
        x = pixel_norm(z)
        for i in range(cfg.mapping_layers):
            last = i == cfg.mapping_layers - 1
            width = cfg.latent_size * (cfg.num_layers if last and cfg.separate_w else 1)
            dense = EqualizedDense(width, gain=gain, lr_multiplier=cfg.mapping_lr_multiplier, name=f"dense_{i}")
            x = leaky_relu(dense(x))
            x = SQRT2 * x if self.gain_after else x
        if cfg.separate_w:
            return x.reshape(x.shape[0], cfg.num_layers, cfg.latent_size)
        return jnp.broadcast_to(x[:, None, :], (x.shape[0], cfg.num_layers, cfg.latent_size))


class StyledLayer(nn.Module):
    """One style layer: an optional convolution, then noise, bias, leaky ReLU and AdaIN."""

    features: int
    dtype: jnp.dtype
    noise: bool
    rescale: str | None = None
    convolve: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise_keys: jax.Array | None) -> jax.Array:
        if self.convolve:
            x = EqualizedConv(self.features, rescale=self.rescale, dtype=self.dtype, name="conv")(x)
        if self.rescale == "up":
            x = blur(x)
        if self.noise:
            x = x + self._noise(x.shape, noise_keys).astype(x.dtype)
        channels = x.shape[-1]
        x = leaky_relu(add_bias(x, self.param("bias", nn.initializers.zeros, (channels,))))
        style = EqualizedDense(2 * channels, gain=1.0, dtype=self.dtype, name="style")(w)
        return modulate(instance_norm(x), style)

    def _noise(self, shape: tuple[int, ...], noise_keys: jax.Array | None) -> jax.Array:
        """A map for each image, or the fixed one for all, times a learned strength per channel: [B, H, W, C]."""
        _, height, width, channels = shape
        fixed = self.variable(
            "noise", "map", lambda: jax.random.normal(self.make_rng("params"), (1, height, width, 1), jnp.float32)
        )
        strength = self.param("noise_strength", nn.initializers.zeros, (channels,))
        if noise_keys is None:
            noise = fixed.value
        else:
            noise = jax.vmap(lambda key: jax.random.normal(key, (height, width, 1), jnp.float32))(noise_keys)
        return jnp.broadcast_to(noise, shape) * strength[None, None, None, :]


def layer_keys(noise_keys: jax.Array | None, layer: int) -> jax.Array | None:
    """Random keys [B] of a layer's noise, from those of the images; None for fixed noise."""
    return None if noise_keys is None else jax.vmap(lambda key: jax.random.fold_in(key, layer))(noise_keys)


class Synthesis(nn.Module):
    """Maps w [B, L, latent] to images [B, R, R, 3] in [-1, 1] (unbounded without tanh).

    Noise maps are the module's fixed ones or, given `noise_keys` [B], fresh ones from a random key for each image.

    A growing network stops at a `resolution` r below R: images are [B, r, r, 3] and later layers of w are not read. With
    `alpha`, a scalar in [0, 1], r fades in: the image is (1 - alpha) times the enlarged one of r / 2 plus alpha times that of
    r (Karras et al. 2017, figure 2).
    """

    config: GeneratorConfig
    remat: bool = False

    @nn.compact
    def __call__(
        self,
        w: jax.Array,
        noise_keys: jax.Array | None = None,
        resolution: int | None = None,
        alpha: jax.Array | None = None,
    ) -> jax.Array:
        cfg = self.config
        dtype = jnp.dtype(cfg.dtype)
        resolution = resolution or cfg.resolution

        def to_rgb(x: jax.Array) -> jax.Array:
            side = x.shape[1]
            x = EqualizedConv(3, kernel_size=1, gain=1.0, dtype=dtype, name=f"to_rgb_{side}")(x)
            bias = "rgb_bias" if side == cfg.resolution else f"rgb_bias_{side}"
            return add_bias(x, self.param(bias, nn.initializers.zeros, (3,))).astype(jnp.float32)

        def styled(module: nn.Module, x: jax.Array, w: jax.Array, noise_keys: jax.Array | None, layer: int) -> jax.Array:
            features = feature_maps(cfg, 4 << (layer // 2))
            rescale = "up" if layer >= 2 and layer % 2 == 0 else None
            made = StyledLayer(features, dtype, cfg.noise, rescale, convolve=layer > 0, name=f"layer_{layer}")
            return made(x, w[:, layer], layer_keys(noise_keys, layer))

        constant = self.param("constant", nn.initializers.ones, (1, 4, 4, feature_maps(cfg, 4)))
        x = jnp.broadcast_to(constant.astype(dtype), (w.shape[0], *constant.shape[1:]))
        for layer in range(style_layers(resolution)):
            if alpha is not None and layer == style_layers(resolution // 2):
                lower = to_rgb(x)
            x = block(self.remat, partial(styled, layer=layer))(self, x, w, noise_keys)
        x = to_rgb(x)
        if alpha is not None:
            x = crossfade(upscale2d(lower), x, alpha)
        return jnp.tanh(x) if cfg.tanh else x


class Generator(nn.Module):
    """Mapping followed by synthesis; `method="map"` and `method="synthesize"` apply either alone."""

    config: GeneratorConfig
    remat: bool = False

    def setup(self) -> None:
        self.mapping = Mapping(self.config)
        self.synthesis = Synthesis(self.config, self.remat)

    def __call__(self, z: jax.Array) -> jax.Array:
        """Maps z [B, latent] to images [B, R, R, 3]."""
        return self.synthesis(self.mapping(z))

    def map(self, z: jax.Array) -> jax.Array:
        """Maps z [B, latent] to w [B, L, latent]."""
        return self.mapping(z)

    def synthesize(
        self,
        w: jax.Array,
        noise_keys: jax.Array | None = None,
        resolution: int | None = None,
        alpha: jax.Array | None = None,
    ) -> jax.Array:
        """Maps w [B, L, latent] to images [B, R, R, 3]; see Synthesis for noise and growing."""
        return self.synthesis(w, noise_keys, resolution, alpha)


class LandmarkEmbedding(nn.Module):
    """Maps landmark images [B, R, R, 3] to [B, C], where C = feature_maps(4) is the width of the discriminator's last features.

    A blur and a downscaling convolution per resolution lead down to 4x4, a quarter as wide as the discriminator's because drawn
    lines need no more. The dense layer that follows has no activation, so a feature can count for or against a match.
    """

    config: DiscriminatorConfig

    @nn.compact
    def __call__(self, landmarks: jax.Array) -> jax.Array:
        cfg = self.config
        dtype = jnp.dtype(cfg.dtype)
        x = landmarks
        while (side := x.shape[1]) > 4:
            features = max(feature_maps(cfg, side // 2) // 4, 1)
            x = EqualizedConv(features, rescale="down", dtype=dtype, name=f"down_{side}")(blur(x))
            x = leaky_relu(add_bias(x, self.param(f"down_{side}_bias", nn.initializers.zeros, (features,))))
        return EqualizedDense(feature_maps(cfg, 4), gain=1.0, dtype=dtype, name="dense")(x.reshape(x.shape[0], -1))


class Discriminator(nn.Module):
    """Maps images [B, R, R, C] to scores [B]; high scores mean real.

    A condition (the landmark image, [B, R, R, 3]) is concatenated to the image or projected (Miyato and Koyama 2018, equation
    3): score = dense(phi) + <embedding(condition), phi>, where phi [B, C] are the last features. The product is divided by
    sqrt(C), the scale at which the equalised dense layer reads phi.

    The features after the first convolution of each resolution are sown as intermediates "features_{resolution}".

    While a resolution R fades in, the features after its block are (1 - alpha) times those that the from-RGB layer of R / 2
    computes from the 2x2 means of the images, plus alpha times its own (Karras et al. 2017, figure 2); alpha is a scalar in
    [0, 1].
    """

    config: DiscriminatorConfig
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, condition: jax.Array | None = None, alpha: jax.Array | None = None) -> jax.Array:
        cfg = self.config
        dtype = jnp.dtype(cfg.dtype)

        def activate(module: nn.Module, x: jax.Array, name: str) -> jax.Array:
            return leaky_relu(add_bias(x, module.param(name, nn.initializers.zeros, (x.shape[-1],))))

        def from_rgb(x: jax.Array) -> jax.Array:
            name = f"from_rgb_{x.shape[1]}"
            x = EqualizedConv(feature_maps(cfg, x.shape[1]), kernel_size=1, dtype=dtype, name=name)(x)
            return activate(self, x, f"{name}_bias")

        def halve(module: nn.Module, x: jax.Array) -> jax.Array:
            side = x.shape[1]
            x = EqualizedConv(feature_maps(cfg, side), dtype=dtype, name=f"conv_{side}")(x)
            x = activate(module, x, f"conv_{side}_bias")
            module.sow("intermediates", f"features_{side}", x)
            features = feature_maps(cfg, side // 2)
            x = EqualizedConv(features, rescale="down", dtype=dtype, name=f"down_{side}")(blur(x))
            return activate(module, x, f"down_{side}_bias")

        concatenated = condition is not None and cfg.condition == "concatenate"
        inputs = jnp.concatenate([images, condition], axis=-1) if concatenated else images
        x = from_rgb(inputs)
        resolution = images.shape[1]
        while resolution > 4:
            x = block(self.remat, halve)(self, x)
            resolution //= 2
            if alpha is not None and resolution == images.shape[1] // 2:
                x = crossfade(from_rgb(downscale2d(inputs)), x, alpha)
        x = minibatch_stddev(x, cfg.stddev_group)
        x = activate(self, EqualizedConv(feature_maps(cfg, 4), dtype=dtype, name="conv_4")(x), "conv_4_bias")
        phi = leaky_relu(EqualizedDense(feature_maps(cfg, 4), dtype=dtype, name="dense")(x.reshape(x.shape[0], -1)))
        scores = EqualizedDense(1, gain=1.0, dtype=dtype, name="score")(phi)[:, 0].astype(jnp.float32)
        if condition is not None and cfg.condition == "projection":
            product = LandmarkEmbedding(cfg, name="embedding")(condition).astype(jnp.float32) * phi.astype(jnp.float32)
            scores = scores + product.sum(axis=1) / phi.shape[1] ** 0.5
        return scores


def truncate(w: jax.Array, w_avg: jax.Array, psi: float | jax.Array, layers: int = 8) -> jax.Array:
    """Truncation trick: scales the offset of w [B, L, latent] from w_avg [L, latent] by psi (scalar or [B]) in early layers."""
    psi = jnp.broadcast_to(jnp.asarray(psi, jnp.float32), (w.shape[0],))
    truncated = (jnp.arange(w.shape[1]) < layers)[None, :, None]
    factor = jnp.where(truncated, psi[:, None, None], jnp.float32(1.0))
    return w_avg[None] + (w - w_avg[None]) * factor
