"""StyleGAN2-ADA's PyTorch pickles (NVlabs/stylegan2-ada-pytorch, and StyleGAN2s of NVlabs/stylegan3)."""

import re
from collections.abc import Mapping
from typing import Any

from jaxgan.importers.persistence_pickle import Module
from jaxgan.importers.restricted_pickle import RefusedError, check_settings, described, number
from jaxgan.importers.stylegan2 import Published

# Positional arguments of the two networks.
GENERATOR = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs", "synthesis_kwargs")
DISCRIMINATOR = (
    *("c_dim", "img_resolution", "img_channels", "architecture", "channel_base", "channel_max", "num_fp16_res"),
    *("conv_clamp", "cmap_dim", "block_kwargs", "mapping_kwargs", "epilogue_kwargs"),
)
# Settings that leave no trace in names or shapes, and the one value that our networks compute.
REQUIRED = {"c_dim": 0, "img_channels": 3, "activation": "lrelu", "mbstd_num_channels": 1}


def published(content: Mapping[str, Any]) -> Published:
    """What an unpickled file says of its networks G_ema and D.

    Raises:
      RefusedError: there is no generator, or one that our networks cannot express.
    """
    if "G_ema" not in content:
        raise RefusedError(f"holds {', '.join(map(str, content)) or 'nothing'}, and no network G_ema")
    generator = content["G_ema"]
    if not isinstance(generator, Module):
        raise RefusedError(f"holds {described(generator)} in place of the network G_ema")
    tensors = generator.tensors()
    if generator.alias_free or any(re.match(r"synthesis\.(input\.|L\d+_\d+_\d+\.)", name) for name in tensors):
        raise RefusedError("holds a StyleGAN3, whose alias-free layers are not supported")
    own = generator.arguments(GENERATOR)
    mapping, synthesis = _group(own, "mapping_kwargs"), own | _group(own, "synthesis_kwargs")
    for settings in (mapping, synthesis):
        check_settings(settings, REQUIRED, "G_ema")
    found = {
        "generator": tensors,
        "lr_multiplier": number(mapping, "lr_multiplier", 0.01),
        "generator_clamp": number(synthesis, "conv_clamp", None),
    }
    critic = content.get("D")
    if critic is None:
        return Published(**found)
    if not isinstance(critic, Module):
        raise RefusedError(f"holds {described(critic)} in place of the network D")
    own = critic.arguments(DISCRIMINATOR)
    epilogue = _group(own, "epilogue_kwargs")
    for settings in (own | _group(own, "block_kwargs"), epilogue):
        check_settings(settings, REQUIRED, "D")
    return Published(
        **found,
        discriminator=critic.tensors(),
        discriminator_clamp=number(own, "conv_clamp", None),
        stddev_group=int(number(epilogue, "mbstd_group_size", 4)),
    )


def _group(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(settings.get(name) or {})
