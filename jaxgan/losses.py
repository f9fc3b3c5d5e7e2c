"""Losses: arrays in, float32 scalars out. docs/paper.md lists them by equation.

Scores are a discriminator's outputs [B], high for real; images are [B, R, R, 3] in [-1, 1]; latents are [B, L, latent].
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.configs import DiscriminatorConfig, EditorConfig, PerceptualConfig
from jaxgan.models.families import make_discriminator
from jaxgan.models.features.alignment import align_faces
from jaxgan.models.features.dlib_face import DLIB_SIZE, dlib_descriptors
from jaxgan.models.features.vgg16 import perceptual_features

# Torchvision's VGG16 reads images in units of the ImageNet deviation, the published one in units of 1/255 of the range; its
# features are smaller by about this factor (exactly, but for the biases).
VGG16_UNITS = 255.0 * 0.226

Features = Callable[[dict, jax.Array], jax.Array]
Reconstruction = Callable[[dict, jax.Array, jax.Array], dict[str, jax.Array]]


def mse(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mean squared difference over all elements."""
    return jnp.mean(jnp.square(a.astype(jnp.float32) - b.astype(jnp.float32)))


def generator_logistic(fake_scores: jax.Array) -> jax.Array:
    """Non-saturating generator loss, mean of softplus(-D(fake)) (Goodfellow et al. 2014)."""
    return jnp.mean(jax.nn.softplus(-fake_scores))


def discriminator_real(real_scores: jax.Array) -> jax.Array:
    """The discriminator's logistic loss on real images, mean of softplus(-D(real)) (Goodfellow et al. 2014)."""
    return jnp.mean(jax.nn.softplus(-real_scores))


def discriminator_fake(fake_scores: jax.Array) -> jax.Array:
    """The discriminator's logistic loss on generated images, mean of softplus(D(fake)) (Goodfellow et al. 2014)."""
    return jnp.mean(jax.nn.softplus(fake_scores))


def scores_and_r1(score: Callable[[jax.Array], jax.Array], real: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Scores of real images, and R1's E |grad D(real)|^2 from the same forward pass (Mescheder et al. 2018, equation 9).

    Args:
      score: images [B, ...] to scores [B].
      real: images [B, ...].

    Returns:
      Scores [B] and the penalty, a scalar, without its weight gamma / 2.
    """
    scores, pull_back = jax.vjp(score, real)
    (gradient,) = pull_back(jnp.ones_like(scores))
    return scores, jnp.sum(jnp.square(gradient.astype(jnp.float32))) / real.shape[0]


@jax.jit
def editor_loss(
    reconstruction: Mapping[str, jax.Array], scores: Mapping[str, jax.Array], adversarial_weight: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The report's encoder loss, L = L_rec.cycle + lambda (L_adv.manipulated + L_adv.cycle), and the forms of its ablations.

    Jitted by itself so that it is one compiled function where it is called outside of a step; inside, jit is transparent.

    Args:
      reconstruction: weighted scalars by name; the full model's is {"latent_cycle": MSE(w_cyc, w)}.
      scores: a discriminator's scores [B] of generated images given their landmarks, by name; the full model's are
        "manipulated" and "cycle".
      adversarial_weight: lambda, a scalar.

    Returns:
      The total, and all terms by name, the adversarial ones ("adv_...") without lambda.
    """
    adversarial = {f"adv_{name}": generator_logistic(score) for name, score in scores.items()}
    total = sum(reconstruction.values()) + adversarial_weight * sum(adversarial.values())
    return total, {**reconstruction, **adversarial}


def face_descriptors(frozen: dict, images: jax.Array, keypoints: jax.Array) -> jax.Array:
    """dlib's descriptors [B, 128] (parameters in frozen["dlib_face"]) of images with landmarks [B, 68, 2] in pixels."""
    return dlib_descriptors(frozen["dlib_face"], 127.5 * (align_faces(images, keypoints, DLIB_SIZE) + 1.0))


def identity_distance(frozen: dict, *faces: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Mean squared distance of the descriptors of two sets (images, keypoints); below 0.36 dlib takes them for one person."""
    return descriptor_distance(*(face_descriptors(frozen, *each) for each in faces))


def descriptor_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mean squared distance of descriptors [B, 128]."""
    return jnp.mean(jnp.sum(jnp.square(a - b), axis=-1))


class Truth(NamedTuple):
    """What an edit should show: another picture of the same person where there is one, else its source."""

    image: jax.Array  # [B, R, R, 3] in [-1, 1]
    keypoints: jax.Array  # its landmarks, [B, 68, 2] in pixels
    paired: jax.Array  # bool [B]: another picture, with the landmarks of the edit


def make_features(perceptual: PerceptualConfig, discriminator: DiscriminatorConfig, remat: bool = False) -> Features | None:
    """(frozen, images [B, R, R, 3]) -> features [B, ...] whose mean squared error is the perceptual term; None for no network.

    Features are VGG16's (parameters in frozen["vgg16"]), scaled to the published weight, or those of the frozen StyleGAN
    discriminator (frozen["stylegan_discriminator"]) at a quarter of the resolution.
    """
    if perceptual.network == "none":
        return None

    def features(frozen: dict, images: jax.Array) -> jax.Array:
        if perceptual.network == "vgg16":
            return VGG16_UNITS * perceptual_features(frozen["vgg16"], images)
        params = {"params": frozen["stylegan_discriminator"]}
        _, sown = make_discriminator(discriminator, remat).apply(params, images, mutable="intermediates")
        (taken,) = sown["intermediates"][f"features_{max(images.shape[1] // 4, 8)}"]
        return taken

    return features


def make_reconstruction(
    perceptual: PerceptualConfig, discriminator: DiscriminatorConfig, remat: bool = False
) -> Reconstruction:
    """(frozen, images, targets) -> {"pixel": ..., "perceptual": ...}, weighted terms to be summed.

    frozen holds the parameters that `make_features` reads. Without a network the perceptual term is left out.
    """
    features = make_features(perceptual, discriminator, remat)

    def reconstruction(frozen: dict, images: jax.Array, targets: jax.Array) -> dict[str, jax.Array]:
        terms = {"pixel": mse(images, targets)}
        if features:
            distance = mse(features(frozen, images), features(frozen, targets))
            terms["perceptual"] = perceptual.weight * distance
        return terms

    return reconstruction


def make_likeness(config: EditorConfig) -> Callable[[dict, jax.Array, jax.Array, Truth], dict[str, jax.Array]]:
    """(frozen, edits, their landmarks [B, 68, 2] in pixels, Truth) -> weighted terms, those of "identity" and "pair" asked for.

    "identity" is of all edits. "pair" is the perceptual term of those that have another picture, in the mean over all. frozen
    holds dlib's network in "dlib_face", and what `make_features` reads.
    """
    features = None
    if config.paired_share:
        features = make_features(config.perceptual, config.stylegan_discriminator, config.run.remat)

    def likeness(frozen: dict, edits: jax.Array, keypoints: jax.Array, truth: Truth) -> dict[str, jax.Array]:
        terms = {}
        if config.identity_weight:
            distance = identity_distance(frozen, (edits, keypoints), (truth.image, truth.keypoints))
            terms["identity"] = config.identity_weight * distance
        if features:
            apart = jnp.square(features(frozen, edits) - features(frozen, truth.image))
            each = jnp.mean(apart.astype(jnp.float32), axis=tuple(range(1, apart.ndim)))
            terms["pair"] = config.perceptual.weight * jnp.mean(jnp.where(truth.paired, each, 0.0))
        return terms

    return likeness
