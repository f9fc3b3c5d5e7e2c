"""Configurations of the three training stages, their presets, and overriding any field."""

from jaxgan.configs.presets import PRESETS, preset
from jaxgan.configs.schema import (
    STAGES,
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
    from_dict,
    override,
    stage_of,
    style_layers,
    to_dict,
)
from jaxgan.configs.validation import validate
