"""The reconstruction loss of images: squared pixel error and a perceptual term (Zhu et al. 2020, equation 4)."""

from collections.abc import Callable

import jax

from jaxgan import losses
from jaxgan.configs.schema import DiscriminatorConfig, PerceptualConfig
from jaxgan.models.features.vgg16 import perceptual_features
from jaxgan.models.stylegan import Discriminator

# Torchvision's VGG16 reads images in units of the ImageNet deviation, the published one in units of 1/255 of the range; its
# features are smaller by about this factor (exactly, but for the biases).
VGG16_UNITS = 255.0 * 0.226

Features = Callable[[dict, jax.Array], jax.Array]
Reconstruction = Callable[[dict, jax.Array, jax.Array], dict[str, jax.Array]]


def make_features(perceptual: PerceptualConfig, discriminator: DiscriminatorConfig) -> Features | None:
    """(frozen, images [B, R, R, 3]) -> features [B, ...] whose mean squared error is the perceptual term; None for no network.

    Features are VGG16's (parameters in frozen["vgg16"]), scaled to the published weight, or those of the frozen StyleGAN
    discriminator (frozen["discriminator"]) at a quarter of the resolution.
    """
    if perceptual.network == "none":
        return None

    def features(frozen: dict, images: jax.Array) -> jax.Array:
        if perceptual.network == "vgg16":
            return VGG16_UNITS * perceptual_features(frozen["vgg16"], images)
        params = {"params": frozen["discriminator"]}
        _, sown = Discriminator(discriminator).apply(params, images, mutable="intermediates")
        (taken,) = sown["intermediates"][f"features_{max(images.shape[1] // 4, 8)}"]
        return taken

    return features


def make_reconstruction(perceptual: PerceptualConfig, discriminator: DiscriminatorConfig) -> Reconstruction:
    """(frozen, images, targets) -> {"pixel": ..., "perceptual": ...}, weighted terms to be summed.

    frozen holds the parameters that `make_features` reads. Without a network the perceptual term is left out.
    """
    features = make_features(perceptual, discriminator)

    def reconstruction(frozen: dict, images: jax.Array, targets: jax.Array) -> dict[str, jax.Array]:
        terms = {"pixel": losses.mse(images, targets)}
        if features:
            distance = losses.mse(features(frozen, images), features(frozen, targets))
            terms["perceptual"] = perceptual.weight * distance
        return terms

    return reconstruction
