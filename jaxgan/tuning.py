"""Tuning a generator to a person: pivotal tuning (Roich et al. 2021, arXiv 2106.05744, equations 2 and 3).

An inverter finds the latent closest to a portrait among all faces; what is missing from it is what makes the person. Here the
latents stay as they are, as pivots, and the generator's synthesis is trained for some steps to draw the portraits from them.
Latents around them keep their meaning, so that edits learnt before still work. Of the change of the weights only a share is
kept: halfway to the tuned generator nearly all of the person is there, and edits follow far better (compare Wortsman et al.
2022, arXiv 2109.01903, who interpolate weights so).
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.sparse.csgraph import connected_components

from jaxgan import losses
from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, PerceptualConfig
from jaxgan.descent import repeated
from jaxgan.models import pipeline

ADAM = optax.scale_by_adam()
PARAMS = "params"
# Of 16,600 pairs of CelebA's portraits of one person at 64 px 98 in 100 are closer, of two people 6 in 100.
SAME_PERSON = 0.72


class Portraits(NamedTuple):
    """What the generator is tuned to draw."""

    images: jax.Array  # [N, R, R, 3] in [-1, 1]
    latents: jax.Array  # pivots [N, L, latent]
    features: jax.Array | None  # perceptual features [N, ...]; None without a perceptual network
    keypoints: jax.Array | None  # [N, 68, 2], pixels; None without an identity term
    descriptors: jax.Array | None  # dlib's [N, 128]; None without an identity term


class Tuned(NamedTuple):
    """The state of the descent."""

    params: Any  # of the generator
    opt_state: optax.OptState
    step: jax.Array  # steps done


def strangers(descriptors: np.ndarray) -> list[int]:
    """Which of dlib's face descriptors [N, 128] are of other people than most; none where all are of one.

    Pictures closer than SAME_PERSON are taken to be of one person, and so are those that a chain of such links.
    """
    near = np.linalg.norm(descriptors[:, None] - descriptors[None], axis=-1) < SAME_PERSON
    count, groups = connected_components(near, directed=False)
    largest = np.bincount(groups, minlength=count).argmax() if len(groups) else 0
    return [int(index) for index in np.flatnonzero(groups != largest)]


@cache  # compiled once for a configuration, whatever the weights
def make_tuning(
    generator: GeneratorConfig, perceptual: PerceptualConfig, discriminator: DiscriminatorConfig, identity_weight: float
) -> Callable[..., dict[str, Any]]:
    """(variables, images, latents, keypoints, steps, learning_rate, share, progress) -> the generator's variables after Adam.

    images are [N, R, R, 3] in [-1, 1] of one person, latents [N, L, latent] their pivots, keypoints [N, 68, 2] their landmarks
    in pixels, which only the identity term reads. Minimised is the mean over them of

        MSE(G(w), x) + perceptual term + identity_weight |d(G(w)) - d(x)|^2, d: dlib's face descriptor,

    with a learning rate that falls to 0 as half a cosine; of the change of the weights, `share` is kept. variables hold those
    of "generator", and the other networks' as for `losses.make_features` and `losses.face_descriptors`. The mapping network,
    which no pivot passes through, stays as it is.
    """
    features = losses.make_features(perceptual, discriminator)

    def loss(params: Any, variables: dict, portraits: Portraits) -> jax.Array:
        made = pipeline.render(generator, {**variables["generator"], PARAMS: params}, portraits.latents)
        total = losses.mse(made, portraits.images)
        if features:
            total = total + perceptual.weight * losses.mse(features(variables, made), portraits.features)
        if identity_weight:
            described = losses.face_descriptors(variables, made, portraits.keypoints)
            total = total + identity_weight * losses.descriptor_distance(described, portraits.descriptors)
        return total

    @jax.jit
    def begin(variables: dict, images: jax.Array, latents: jax.Array, keypoints: jax.Array | None) -> tuple[Tuned, Portraits]:
        params = jax.tree.map(jnp.copy, variables["generator"][PARAMS])  # the steps give up their buffers
        seen = features(variables, images) if features else None
        described = losses.face_descriptors(variables, images, keypoints) if identity_weight else None
        return Tuned(params, ADAM.init(params), jnp.int32(0)), Portraits(images, latents, seen, keypoints, described)

    def step(tuned: Tuned, constant: tuple[dict, Portraits, jax.Array, jax.Array]) -> Tuned:
        variables, portraits, steps, learning_rate = constant
        gradient = jax.grad(loss)(tuned.params, variables, portraits)
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to its integer counts
            update, opt_state = ADAM.update(gradient, tuned.opt_state)
        rate = learning_rate * 0.5 * (1.0 + jnp.cos(jnp.pi * tuned.step.astype(jnp.float32) / steps))
        params = jax.tree.map(lambda each, change: each - rate.astype(each.dtype) * change, tuned.params, update)
        return Tuned(params, opt_state, tuned.step + 1)

    run = repeated(step)

    @jax.jit
    def blend(before: Any, after: Any, share: jax.Array) -> Any:
        return jax.tree.map(lambda a, b: a + share.astype(a.dtype) * (b - a), before, after)

    def tune(
        variables: dict,
        images: jax.Array,
        latents: jax.Array,
        keypoints: jax.Array | None,
        steps: int,
        learning_rate: float,
        share: float,
        progress: Callable[[int], None] | None,
    ) -> dict[str, Any]:
        tuned, portraits = begin(variables, images, latents, keypoints)
        constant = variables, portraits, jnp.float32(max(steps, 1)), jnp.float32(learning_rate)
        before, after = variables["generator"], run(steps, tuned, constant, progress).params
        return {**before, PARAMS: blend(before[PARAMS], after, jnp.float32(share))}

    return tune
