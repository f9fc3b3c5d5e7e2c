"""Configurations: overrides, round trips, and errors that name the field."""

import dataclasses
import json

import pytest

from jaxgan.config import STAGES, ConfigError, EditorConfig, from_dict, override, stage_of, to_dict, validate
from jaxgan.presets import PRESETS, preset

ALL = [(name, stage) for name in PRESETS for stage in STAGES]


@pytest.mark.parametrize(("name", "stage"), ALL)
def test_presets_survive_json(name, stage):
    config = preset(name, stage)
    assert stage_of(config) == stage
    assert from_dict(STAGES[stage], json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(("name", "stage"), [case for case in ALL if case != ("paper", "inverter")])
def test_presets_are_valid(name, stage):
    config = preset(name, stage)
    assert validate(config) is config


def test_the_published_inverter_asks_for_vgg16_weights():
    with pytest.raises(ConfigError, match="perceptual.vgg16_weights"):
        validate(preset("paper", "inverter"))
    assert validate(override(preset("paper", "inverter"), ["perceptual.vgg16_weights=vgg16.npz"]))
    with pytest.raises(ConfigError, match="perceptual.vgg16_weights"):
        validate(override(preset("paper", "editor"), ["cycle=image"]))


def test_overrides_reach_nested_fields_and_leave_the_rest():
    config = preset("tiny", "editor")
    changed = override(config, ["encoder.trunk.width=7", "adam.learning_rate=1", "encoder.shift_scale_init=0.5"])
    assert changed.encoder.trunk.width == 7
    assert changed.adam.learning_rate == 1.0 and type(changed.adam.learning_rate) is float
    assert changed.encoder.shift_scale_init == 0.5
    assert override(changed, ["encoder.shift_scale_init=null"]).encoder.shift_scale_init is None
    assert dataclasses.replace(changed, encoder=config.encoder, adam=config.adam) == config
    assert override(config, ["run.dataset=1_a"]).run.dataset == "1_a"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("cycle", "not of the form field=value"),
        ("cycles=latent", "unknown field 'cycles'"),
        ("encoder.widths=3", "unknown field 'encoder.widths'"),
        ("nothing.width=3", "unknown field 'nothing'"),
        ("run.batch_size.x=3", "unknown field 'run.batch_size'"),
        ("encoder=3", "encoder is a group of fields"),
        ("cycle=sideways", "cycle must be one of latent, image, none"),
        ("run.batch_size=many", "run.batch_size must be int, got 'many'"),
        ("run.batch_size=1.5", "run.batch_size must be int, got 1.5"),
        ("run.batch_size=true", "run.batch_size must be int, got True"),
        ("run.mirror=1", "run.mirror must be bool, got 1"),
        ("encoder.shift_scale_init=big", "encoder.shift_scale_init must be float or null"),
    ],
)
def test_bad_overrides_are_named(assignment, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        override(preset("tiny", "editor"), [assignment])


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("generator.resolution=48", "generator.resolution must be a power of two"),
        ("generator.resolution=4", "generator.resolution must be a power of two"),
        ("run.batch_size=0", "run.batch_size must be at least 1"),
        ("run.tick_images=0", "run.tick_images must be at least 1"),
        ("r1_interval=0", "r1_interval must be at least 1"),
    ],
)
def test_impossible_values_are_named(assignment, message):
    with pytest.raises(ConfigError, match=message):
        validate(override(preset("tiny", "stylegan"), [assignment]))


def test_the_defaults_are_the_published_hyperparameters():
    config = EditorConfig()
    assert (config.adversarial_weight, config.r1_gamma, config.run.batch_size) == (0.05, 10.0, 16)
    assert (config.adam.learning_rate, config.adam.b1, config.adam.b2, config.adam.decay) == (1e-4, 0.9, 0.99, 0.8)
    assert (config.encoder.landmark_width, config.encoder.latent_width) == (160, 32)
    assert config.encoder.shift_scale_init is None
    inverter = preset("paper", "inverter")
    assert (inverter.adversarial_weight, inverter.perceptual.weight) == (0.08, 5e-5)


def test_unknown_presets_are_named():
    with pytest.raises(ConfigError, match="unknown preset 'huge'; there are paper, small, demo, tiny"):
        preset("huge", "editor")
