"""Named starting points for the three stages. Every field can be overridden on the command line."""

from jaxgan.configs import demo, paper, portrait64, portrait128, small, stylegan2_128, tiny
from jaxgan.configs.schema import Config
from jaxgan.errors import ConfigError

PRESETS: dict[str, dict[str, Config]] = {
    "paper": paper.CONFIGS,
    "portrait128": portrait128.CONFIGS,
    "stylegan2_128": stylegan2_128.CONFIGS,
    "portrait64": portrait64.CONFIGS,
    "small": small.CONFIGS,
    "demo": demo.CONFIGS,
    "tiny": tiny.CONFIGS,
}


def preset(name: str, stage: str) -> Config:
    """The configuration of a stage in a preset.

    Args:
      name: A key of PRESETS.
      stage: "stylegan", "inverter" or "editor".

    Raises:
      ConfigError: There is no such preset; the message lists them.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name][stage]
