"""The landmarks that a training of the editor is given."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import override, preset, validate
from jaxgan.data.batches import array_batches
from jaxgan.data.shape import MEAN_FACE
from jaxgan.errors import ConfigError
from jaxgan.faces.retarget import retarget
from jaxgan.runtime import on_cpu
from jaxgan.training import loop
from jaxgan.training.stages import STAGES
from jaxgan.training.state import TrainState

COUNT = 16


class Data:
    """Mean faces, some wide, some narrow, some turned by their roll."""

    info = SimpleNamespace(num_test=0)

    def __init__(self):
        stretch = np.linspace(0.9, 1.1, COUNT, dtype=np.float32)[:, None]
        points = np.stack([MEAN_FACE[:, 0] * stretch, MEAN_FACE[:, 1] + MEAN_FACE[:, 0] * (stretch - 1)], axis=2)
        self.arrays = np.zeros((COUNT, 8, 8, 3), np.uint8), 2 * points + np.float32(4)
        self.asked = []

    def load(self, split, limit):
        return tuple(array[:limit] for array in self.arrays)

    def batches(self, batch_size, **options):
        self.asked.append(options["retargeted"])
        return array_batches(*self.arrays, batch_size, **options)


@pytest.fixture
def first_batch(monkeypatch):
    """The first batch of a stage's training, what the training said before it, and the shares it asked for."""

    def make(stage, *changes):
        data, said, batches = Data(), [], []

        def fit(name, run, phase, state, frozen, step_for, placed, *others):
            batches.append(jax.device_get(next(placed)))
            return state, True

        monkeypatch.setattr(loop, "fit", fit)
        config = validate(override(preset("tiny", stage), list(changes)))
        zero, log = jnp.zeros((), jnp.int32), SimpleNamespace(say=said.append)
        loop.train(STAGES[stage], config, {}, TrainState(zero, zero, {}, {}, {}, {}), data, log, None)
        return {name: value.reshape(-1, *value.shape[-2:]) for name, value in batches[0].items()}, said, data.asked

    return make


def test_the_editor_sees_the_share_of_retargeted_targets_that_its_configuration_says(first_batch):
    plain, quiet, asked = first_batch("editor")
    assert asked == [0.0] and quiet == []
    made, said, asked = first_batch("editor", "retargeted_share=1")
    assert asked == [1.0] and len(said) == 1 and "faces fitted in" in said[0]
    with on_cpu():
        wanted = retarget(plain["keypoints"], plain["target_keypoints"])
    assert np.abs(wanted - plain["target_keypoints"]).max() > 0.05
    np.testing.assert_allclose(made["target_keypoints"], wanted, atol=5e-3)


def test_other_stages_ask_for_none(first_batch):
    for stage in ("stylegan", "inverter"):
        _, said, asked = first_batch(stage)
        assert asked == [0.0] and said == []


@pytest.mark.parametrize("share", [-0.5, 1.5])
def test_a_bad_share_is_named(share):
    with pytest.raises(ConfigError, match=rf"retargeted_share must lie in \[0, 1\], got {share}"):
        validate(override(preset("tiny", "editor"), [f"retargeted_share={share}"]))


def test_large_presets_train_with_what_edits_ask_for():
    configs = {name: preset(name, "editor") for name in ("paper", "portrait128", "stylegan2_128")}
    assert {name: config.retargeted_share for name, config in configs.items()} == {
        "paper": 0.0,
        "portrait128": 0.5,
        "stylegan2_128": 0.5,
    }
    assert {name: config.paired_share for name, config in configs.items()} == {
        "paper": 0.0,
        "portrait128": 0.25,
        "stylegan2_128": 0.0,
    }
