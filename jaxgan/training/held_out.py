"""Scores of portraits that a discriminator has not seen, beside some that it has: they part when it learns these by heart."""

from collections.abc import Callable

import jax

from jaxgan.configs import Config, EditorConfig, StyleGANConfig
from jaxgan.data.dataset import Dataset
from jaxgan.models.families import make_discriminator
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.models.pipeline import to_float
from jaxgan.training.growing import Phase, shrink
from jaxgan.training.state import TrainState

PORTRAITS = 64  # of each split


def make_scores(config: Config, phase: Phase, dataset: Dataset) -> Callable[[TrainState], dict[str, float]]:
    """State -> mean score of portraits of each split, not augmented, by metric; nothing where there is no test split.

    References:
      Karras et al., Training generative adversarial networks with limited data, 2020, figure 1.
    """
    if not dataset.info.num_test:
        return lambda state: {}
    critic, side = make_discriminator(config.discriminator), config.generator.resolution
    shown = {"d_train_score": dataset.load("train", PORTRAITS), "d_test_score": dataset.load("test", PORTRAITS)}
    group = config.discriminator.stddev_group
    shown = {name: tuple(part[: len(part) // group * group or None] for part in split) for name, split in shown.items()}

    @jax.jit
    def score(state: TrainState, images: jax.Array, keypoints: jax.Array) -> jax.Array:
        real, alpha, condition = to_float(images), None, None
        if isinstance(config, StyleGANConfig) and config.growing.start:
            alpha = phase.alpha(state.images)
            real = shrink(real, phase.resolution, alpha)
        if isinstance(config, EditorConfig):
            condition = landmarks_from_keypoints(keypoints, side).image
        return critic.apply({"params": state.params["discriminator"]}, real, condition, alpha).mean()

    return lambda state: {name: float(score(state, *split)) for name, split in shown.items()}
