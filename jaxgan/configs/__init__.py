"""Configurations of the three training stages, their presets, and overriding any field."""

from jaxgan.configs.overrides import from_dict, override, to_dict
from jaxgan.configs.presets import PRESETS, preset
from jaxgan.configs.schema import (
    AdamConfig,
    AugmentConfig,
    Config,
    DiscriminatorConfig,
    EditorConfig,
    EncoderConfig,
    GeneratorConfig,
    GrowingConfig,
    InverterConfig,
    PerceptualConfig,
    RunConfig,
    StyleGANConfig,
    TrunkConfig,
    style_layers,
)
from jaxgan.configs.validation import validate
