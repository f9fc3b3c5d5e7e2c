"""Generators, discriminators and inverters by the kind that their configuration names; all of a kind have one interface.

A generator has `map`, `synthesize` and variables {"params": {"mapping", "synthesis"}, "noise"}; a discriminator maps images and
perhaps a condition to scores. models/stylegan.py says what they take and give, models/inverter.py what inverters do. With
`remat`, gradients keep what passes between blocks and compute what is inside anew; variables and results are the same.
"""

import flax.linen as nn

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, TrunkConfig
from jaxgan.models import inverter, pyramid, stylegan, stylegan2, stylegan2_discriminator

GENERATORS = {"stylegan": stylegan.Generator, "stylegan2": stylegan2.Generator}
DISCRIMINATORS = {"stylegan": stylegan.Discriminator, "stylegan2": stylegan2_discriminator.Discriminator}


def make_generator(config: GeneratorConfig, remat: bool = False) -> nn.Module:
    """The generator that the configuration describes."""
    return GENERATORS[config.family](config, remat)


def make_discriminator(config: DiscriminatorConfig, remat: bool = False) -> nn.Module:
    """The discriminator that the configuration describes."""
    return DISCRIMINATORS[config.family](config, remat)


def make_inverter(trunk: TrunkConfig, generator: GeneratorConfig, remat: bool = False) -> nn.Module:
    """The inverter that the configuration describes, for a generator."""
    kind = inverter.Inverter if trunk.kind == "residual" else pyramid.PyramidInverter
    return kind(trunk, generator, remat)
