"""Configurations: overriding, JSON round trips, and errors that name the field."""

import dataclasses
import json

import pytest

from jaxgan.configs import (
    PRESETS,
    EditorConfig,
    InverterConfig,
    StyleGANConfig,
    from_dict,
    override,
    preset,
    to_dict,
    validate,
)
from jaxgan.errors import ConfigError
from jaxgan.training import stages as training_stages

STAGES = {name: stage.config for name, stage in training_stages.STAGES.items()}
EVERY = [(name, stage) for name in PRESETS for stage in STAGES]


@pytest.mark.parametrize("name, stage", EVERY)
def test_every_preset_survives_json(name, stage):
    config = preset(name, stage)
    assert type(config) is STAGES[stage] and training_stages.stage_of(config).name == stage
    text = json.dumps(to_dict(config))
    assert from_dict(STAGES[stage], json.loads(text)) == config


@pytest.mark.parametrize("name, stage", EVERY)
def test_every_preset_is_valid_or_asks_for_vgg16_weights(name, stage):
    config = preset(name, stage)
    if (name, stage) == ("paper", "inverter"):
        with pytest.raises(ConfigError, match=r"perceptual\.vgg16_weights"):
            validate(config)
        config = override(config, ["perceptual.vgg16_weights=vgg16.npz"])
    assert validate(config) is config


@pytest.mark.parametrize("name", PRESETS)
def test_the_networks_of_a_preset_fit_together(name):
    stylegan, inverter, editor = (preset(name, stage) for stage in ("stylegan", "inverter", "editor"))
    assert stylegan.generator == inverter.generator == editor.generator
    assert stylegan.discriminator == inverter.discriminator == editor.stylegan_discriminator
    assert inverter.trunk == editor.inverter
    for config in (stylegan, inverter, editor):
        assert config.run.batch_size % config.discriminator.stddev_group == 0


def test_paper_preset_holds_the_published_numbers():
    stylegan, inverter, editor = (preset("paper", stage) for stage in ("stylegan", "inverter", "editor"))
    generator = stylegan.generator
    assert (generator.resolution, generator.latent_size, generator.mapping_layers) == (128, 512, 8)
    assert (generator.fmap_base, generator.fmap_max, generator.mapping_lr_multiplier) == (16384, 512, 0.01)
    assert stylegan.run.total_images == 25_000_000 and stylegan.ema_half_life == 10_000
    growing = stylegan.growing
    assert (growing.start, growing.fade_images, growing.stable_images) == (8, 600_000, 600_000)
    assert (*growing.batch_sizes[:4], stylegan.run.batch_size) == (128, 128, 64, 32, 16)
    assert growing.learning_rates[:4] == (1e-3,) * 4
    assert (stylegan.r1_gamma, stylegan.style_mixing, stylegan.w_avg_decay) == (10, 0.9, 0.995)
    adam = {stage: dataclasses.astuple(preset("paper", stage).adam) for stage in STAGES}
    assert adam["stylegan"] == (1.5e-3, 0.0, 0.99, 1e-8, 1.0)
    assert adam["inverter"] == adam["editor"] == (1e-4, 0.9, 0.99, 1e-8, 0.8)
    assert inverter.run.batch_size == editor.run.batch_size == 16
    assert (inverter.trunk.width, inverter.trunk.max_width) == (64, 1024)
    assert (inverter.perceptual.weight, inverter.adversarial_weight, inverter.r1_gamma) == (5e-5, 0.08, 10)
    encoder = editor.encoder
    assert (encoder.landmark_width, encoder.latent_width, encoder.shift_scale_init) == (160, 32, None)
    assert (editor.adversarial_weight, editor.cycle, encoder.kind) == (0.05, "latent", "latent_difference")


def test_unknown_preset_lists_those_there_are():
    with pytest.raises(ConfigError, match="'huge'.*paper, portrait128, stylegan2_128, portrait64, small, demo, tiny"):
        preset("huge", "stylegan")


@pytest.mark.parametrize(
    "assignment, read",
    [
        ("run.batch_size=8", lambda c: c.run.batch_size == 8),
        ("adam.learning_rate=1e-3", lambda c: c.adam.learning_rate == 0.001),
        ("adam.decay=1", lambda c: c.adam.decay == 1.0 and type(c.adam.decay) is float),
        ("run.mirror=false", lambda c: c.run.mirror is False),
        ("run.dataset=1_a", lambda c: c.run.dataset == "1_a"),
        ("perceptual.vgg16_weights=a=b.npz", lambda c: c.perceptual.vgg16_weights == "a=b.npz"),
        ("encoder.kind=naive", lambda c: c.encoder.kind == "naive"),
        ("encoder.trunk.width=8", lambda c: c.encoder.trunk.width == 8),
        ("encoder.shift_scale_init=0", lambda c: c.encoder.shift_scale_init == 0.0),
        ("encoder.shift_scale_init=null", lambda c: c.encoder.shift_scale_init is None),
    ],
)
def test_override_sets_one_field(assignment, read):
    before = preset("small", "editor")
    kept = to_dict(before)
    after = override(before, [assignment])
    assert read(after)
    assert to_dict(before) == kept, "the original is left alone"
    changed, path = to_dict(after), assignment.partition("=")[0].split(".")
    inner, outer = changed, kept
    for group in path[:-1]:
        inner, outer = inner[group], outer[group]
    inner[path[-1]] = outer[path[-1]]
    assert changed == kept, "no other field changes"


def test_later_overrides_win():
    assert override(StyleGANConfig(), ["r1_interval=2", "r1_interval=3"]).r1_interval == 3
    assert override(StyleGANConfig(), []) == StyleGANConfig()


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("run.batch_size", r"'run\.batch_size' is not of the form field=value"),
        ("speed=3", r"unknown field 'speed'; EditorConfig has .*adam"),
        ("run.speed=3", r"unknown field 'run\.speed'; RunConfig has .*batch_size"),
        ("walk.speed=3", r"unknown field 'walk'"),
        ("encoder.trunk.depth.x=3", r"unknown field 'encoder\.trunk\.depth'"),
        ("run.batch_size.x=3", r"'run\.batch_size'"),
        ("run.batch_size=many", r"run\.batch_size must be int, got 'many'"),
        ("run.batch_size=1.5", r"run\.batch_size must be int, got 1\.5"),
        ("run.batch_size=true", r"run\.batch_size must be int, got True"),
        ("run.mirror=1", r"run\.mirror must be bool, got 1"),
        ("run.dataset=7", r"run\.dataset must be str, got 7"),
        ("adam.decay=null", r"adam\.decay must be float, got None"),
        ("adam.decay=true", r"adam\.decay must be float, got True"),
        ("encoder.shift_scale_init=on", r"encoder\.shift_scale_init must be float or null, got 'on'"),
        ("encoder.kind=clever", r"encoder\.kind must be one of latent_difference, keypoint, naive; got 'clever'"),
        ("generator.dtype=float16", r"generator\.dtype must be one of float32, bfloat16; got 'float16'"),
        ("run=5", r"run is a group of fields, got 5"),
    ],
)
def test_override_refuses_by_name(assignment, message):
    with pytest.raises(ConfigError, match=message):
        override(EditorConfig(), [assignment])


def test_fields_left_out_keep_their_defaults():
    config = from_dict(InverterConfig, {"perceptual": {"weight": 1}, "r1_gamma": 3})
    perceptual = dataclasses.replace(InverterConfig().perceptual, weight=1.0)
    assert config == dataclasses.replace(InverterConfig(), perceptual=perceptual, r1_gamma=3.0)


@pytest.mark.parametrize(
    "stage, assignments, message",
    [
        ("stylegan", ["generator.resolution=96"], r"generator\.resolution .* power of two .* got 96"),
        ("stylegan", ["generator.resolution=4"], r"generator\.resolution .* at least 8, got 4"),
        ("stylegan", ["generator.resolution=-8"], r"generator\.resolution .* got -8"),
        ("stylegan", ["run.batch_size=0"], r"run\.batch_size must be at least 1, got 0"),
        ("inverter", ["run.tick_images=-1"], r"run\.tick_images must be at least 1, got -1"),
        ("inverter", ["run.keep_checkpoints=0"], r"run\.keep_checkpoints must be at least 1"),
        ("editor", ["r1_interval=0"], r"r1_interval must be at least 1, got 0"),
        ("editor", ["encoder.kind=naive"], r"cycle=latent needs an encoder that takes a latent"),
        ("editor", ["cycle=none"], r"cycle=none is for encoder\.kind=naive; latent_difference"),
        ("editor", ["encoder.kind=keypoint", "cycle=none"], r"cycle=none is for .*; keypoint"),
        ("editor", ["cycle=image", "perceptual.network=vgg16"], r"perceptual\.vgg16_weights"),
        ("inverter", ["perceptual.network=vgg16"], r"perceptual\.vgg16_weights"),
        ("editor", ["encoder.edited_layers=5"], r"encoder\.edited_layers must lie in \[0, 4\], got 5"),
    ],
)
def test_validate_refuses_what_does_not_fit(stage, assignments, message):
    with pytest.raises(ConfigError, match=message):
        validate(override(preset("tiny", stage), assignments))


@pytest.mark.parametrize(
    "assignments",
    [
        ["encoder.kind=keypoint"],
        ["encoder.kind=keypoint", "cycle=image"],
        ["encoder.kind=naive", "cycle=none"],
        ["encoder.kind=naive", "cycle=image", "perceptual.network=none"],
        ["cycle=image", "perceptual.network=vgg16", "perceptual.vgg16_weights=vgg16.npz"],
        ["perceptual.network=vgg16"],  # a latent cycle reads no features
    ],
)
def test_validate_accepts_every_published_variant(assignments):
    config = override(preset("tiny", "editor"), assignments)
    assert validate(config) is config


def test_configurations_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("tiny", "stylegan").r1_gamma = 1.0


def test_every_field_of_a_configuration_is_json():
    def leaves(value):
        if isinstance(value, dict | tuple):
            return [leaf for v in (value.values() if isinstance(value, dict) else value) for leaf in leaves(v)]
        return [value]

    for name, stage in EVERY:
        kinds = {type(leaf) for leaf in leaves(to_dict(preset(name, stage)))}
        assert kinds <= {int, float, str, bool, type(None)}
