"""The discriminator's scores of training and test portraits."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxgan.configs import override, preset
from jaxgan.models.families import make_discriminator
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.models.pipeline import to_float
from jaxgan.training.growing import phases
from jaxgan.training.held_out import make_scores
from jaxgan.training.stages import STAGES


class Portraits:
    """Noise, other for each split; so many test portraits."""

    def __init__(self, side, num_test=8):
        self.side, self.info = side, SimpleNamespace(num_test=num_test)

    def load(self, split, limit):
        count = min(limit, self.info.num_test) if split == "test" else limit
        dice = np.random.default_rng(len(split))
        images = dice.integers(0, 256, (count, self.side, self.side, 3), np.uint8)
        return images, dice.uniform(0, 8, (count, 68, 2)).astype(np.float32)


@pytest.mark.parametrize("stage", ["stylegan", "editor"])
def test_scores_are_the_discriminators_of_portraits_as_they_are(stage):
    config = preset("tiny", stage)
    state = STAGES[stage].init(config, {})
    found = make_scores(config, phases(config)[-1], Portraits(8, num_test=7))(state)
    critic, params = make_discriminator(config.discriminator), {"params": state.params["discriminator"]}
    for name, split, count in (("d_train_score", "train", 64), ("d_test_score", "test", 6)):  # groups of two share a deviation
        images, keypoints = (part[:count] for part in Portraits(8, num_test=7).load(split, 64))
        condition = landmarks_from_keypoints(keypoints, 8).image if stage == "editor" else None
        scores = critic.apply(params, to_float(images), condition)
        assert found.pop(name) == pytest.approx(float(scores.mean()), rel=1e-4)
    assert not found


def test_a_growing_discriminator_sees_portraits_of_its_resolution():
    small = ["generator.resolution=16", "growing.start=8", "growing.fade_images=16", "growing.stable_images=16"]
    config = override(preset("tiny", "stylegan"), [*small, "growing.batch_sizes=[8]", "run.total_images=64"])
    first = phases(config)[0]
    found = make_scores(config, first, Portraits(16))(STAGES["stylegan"].init(config, {}))
    assert set(found) == {"d_train_score", "d_test_score"} and np.isfinite([*found.values()]).all()


def test_without_a_test_split_there_are_none():
    config = preset("tiny", "stylegan")
    assert make_scores(config, phases(config)[-1], Portraits(8, num_test=0))(None) == {}
