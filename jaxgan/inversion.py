"""Optimising latents from where the inverter puts them: domain-regularised optimisation (Zhu et al. 2020)."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan import losses
from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, PerceptualConfig, TrunkConfig
from jaxgan.descent import repeated
from jaxgan.models import pipeline

ADAM = optax.scale_by_adam()  # beta (0.9, 0.999), epsilon 1e-8: the defaults, as published


class Targets(NamedTuple):
    """What the generated images are compared with."""

    images: jax.Array  # [B, R, R, 3] in [-1, 1], zero where masked out
    masks: jax.Array | None  # [B, R, R, 1], 1 where the image counts; None for everywhere
    features: jax.Array | None  # perceptual features [B, ...] of `images`; None without a perceptual network


@cache  # compiled once for a configuration, whatever the weights
def make_inversion(
    generator: GeneratorConfig, trunk: TrunkConfig, perceptual: PerceptualConfig, discriminator: DiscriminatorConfig
) -> Callable[..., jax.Array]:
    """(variables, images, masks, steps, learning_rate, encoder_weight) -> latents [B, L, latent] after `steps` steps of Adam.

    images are [B, R, R, 3] in [-1, 1]. Each is optimised on its own, from w = I(x), on

        MSE(G(w), x) + perceptual term + encoder_weight * MSE(w, I(G(w))).

    With masks [B, R, R, 1] instead of None, images and G(w) are multiplied by them before they are compared, and the encoder
    term is left out (the paper's semantic diffusion). Means are over all elements, masked or not, as published.

    variables hold those of "generator" and "inverter", and the perceptual network's as for `make_features`.
    """
    features = losses.make_features(perceptual, discriminator)

    def loss(w: jax.Array, variables: dict, targets: Targets, encoder_weight: jax.Array) -> jax.Array:
        made = pipeline.render(generator, variables["generator"], w)
        seen = made if targets.masks is None else made * targets.masks
        mean = losses.mse(seen, targets.images)
        if features:
            mean = mean + perceptual.weight * losses.mse(features(variables, seen), targets.features)
        if targets.masks is None:
            mean = mean + encoder_weight * losses.mse(w, pipeline.invert(trunk, generator, variables["inverter"], made))
        return len(w) * mean  # the sum of the images' losses, so that no gradient depends on how many there are

    @jax.jit
    def begin(variables: dict, images: jax.Array, masks: jax.Array | None) -> tuple[jax.Array, optax.OptState, Targets]:
        w = pipeline.invert(trunk, generator, variables["inverter"], images)
        seen = images if masks is None else images * masks
        return w, ADAM.init(w), Targets(seen, masks, features(variables, seen) if features else None)

    def step(
        carried: tuple[jax.Array, optax.OptState], constant: tuple[dict, Targets, jax.Array, jax.Array]
    ) -> tuple[jax.Array, optax.OptState]:
        (w, opt_state), (variables, targets, learning_rate, encoder_weight) = carried, constant
        gradient = jax.grad(loss)(w, variables, targets, encoder_weight)
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to its integer counts
            update, opt_state = ADAM.update(gradient, opt_state)
        return w - learning_rate * update, opt_state

    run = repeated(step)

    def invert(
        variables: dict,
        images: jax.Array,
        masks: jax.Array | None,
        steps: int,
        learning_rate: float,
        encoder_weight: float,
    ) -> jax.Array:
        w, opt_state, targets = begin(variables, images, masks)
        constant = variables, targets, jnp.float32(learning_rate), jnp.float32(encoder_weight)
        return run(steps, (w, opt_state), constant)[0]

    return invert
