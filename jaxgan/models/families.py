"""Generators and discriminators by the family that their configuration names; both families have one interface.

A generator has `map`, `synthesize` and variables {"params": {"mapping", "synthesis"}, "noise"}; a discriminator maps images and
perhaps a condition to scores. models/stylegan.py says what they take and give.
"""

import flax.linen as nn

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig
from jaxgan.models import stylegan, stylegan2, stylegan2_discriminator

GENERATORS = {"stylegan": stylegan.Generator, "stylegan2": stylegan2.Generator}
DISCRIMINATORS = {"stylegan": stylegan.Discriminator, "stylegan2": stylegan2_discriminator.Discriminator}


def make_generator(config: GeneratorConfig) -> nn.Module:
    """The generator that the configuration describes."""
    return GENERATORS[config.family](config)


def make_discriminator(config: DiscriminatorConfig) -> nn.Module:
    """The discriminator that the configuration describes."""
    return DISCRIMINATORS[config.family](config)
