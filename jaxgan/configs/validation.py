"""Whether the fields of a configuration fit together."""

from jaxgan.configs.overrides import to_dict
from jaxgan.configs.schema import AdamConfig, AugmentConfig, Config, EditorConfig, GrowingConfig, InverterConfig, StyleGANConfig
from jaxgan.errors import ConfigError


def validate(config: Config) -> Config:
    """The configuration itself if its fields fit together.

    Raises:
      ConfigError: naming the field that does not.
    """
    resolution = config.generator.resolution
    if resolution < 8 or resolution & (resolution - 1):
        raise ConfigError(f"generator.resolution must be a power of two of at least 8, got {resolution}")
    for name in ("batch_size", "total_images", "tick_images", "sample_images", "checkpoint_images", "keep_checkpoints"):
        if getattr(config.run, name) < 1:
            raise ConfigError(f"run.{name} must be at least 1, got {getattr(config.run, name)}")
    if config.run.micro_batch < 0:
        raise ConfigError(f"run.micro_batch must be at least 0, got {config.run.micro_batch}")
    if isinstance(config, StyleGANConfig):
        _validate_augment(config.augment)
        if config.path_weight < 0:
            raise ConfigError(f"path_weight must be at least 0, got {config.path_weight}")
        for name in ("path_interval", "path_batch_shrink"):
            if getattr(config, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(config, name)}")
        if not 0.0 <= config.path_mean_decay < 1.0:
            raise ConfigError(f"path_mean_decay must lie in [0, 1), got {config.path_mean_decay}")
        if config.growing.start:
            for name in ("generator", "discriminator"):
                if getattr(config, name).family != "stylegan":
                    raise ConfigError(f"growing.start must be 0 where {name}.family is {getattr(config, name).family}")
            _validate_growing(config.growing, resolution, config.adam)
    if isinstance(config, InverterConfig) and config.trunk.kind != "residual" and config.trunk.output_scale:
        raise ConfigError(f"trunk.output_scale must be false where trunk.kind is {config.trunk.kind}")
    if not isinstance(config, StyleGANConfig) and config.identity_weight < 0:
        raise ConfigError(f"identity_weight must be at least 0, got {config.identity_weight}")
    if config.r1_interval < 1:
        raise ConfigError(f"r1_interval must be at least 1, got {config.r1_interval}")
    if isinstance(config, EditorConfig):
        if config.encoder.trunk.kind != "residual":
            raise ConfigError(f"encoder.trunk.kind must be residual, got {config.encoder.trunk.kind}")
        for name in ("mismatched_share", "retargeted_share", "paired_share"):
            if not 0.0 <= getattr(config, name) <= 1.0:
                raise ConfigError(f"{name} must lie in [0, 1], got {getattr(config, name)}")
        naive, layers, edited = config.encoder.kind == "naive", config.generator.num_layers, config.encoder.edited_layers
        if not 0 <= edited <= layers:
            raise ConfigError(f"encoder.edited_layers must lie in [0, {layers}], got {edited}")
        if naive and config.cycle == "latent":
            raise ConfigError("cycle=latent needs an encoder that takes a latent; the naive one takes image or none")
        if not naive and config.cycle == "none":
            raise ConfigError(f"cycle=none is for encoder.kind=naive; {config.encoder.kind} takes latent or image")
    needs_features = isinstance(config, InverterConfig)
    if isinstance(config, EditorConfig):
        needs_features = config.cycle != "latent" or config.paired_share > 0
    if needs_features and config.perceptual.network == "vgg16" and not config.perceptual.vgg16_weights:
        raise ConfigError(
            "perceptual.network=vgg16 needs perceptual.vgg16_weights, a folder written by `jaxgan convert vgg16`; "
            "choose perceptual.network=discriminator or none to train without"
        )
    return config


def _validate_augment(augment: AugmentConfig) -> None:
    for name in ("translation", "cutout"):
        if not 0.0 <= getattr(augment, name) < 1.0:
            raise ConfigError(f"augment.{name} must lie in [0, 1), got {getattr(augment, name)}")
    others = {"fixed": ("target", "interval", "ramp_images"), "adaptive": ("color", "translation", "cutout")}[augment.kind]
    for name in others:
        if getattr(augment, name) != getattr(AugmentConfig, name):
            raise ConfigError(f"augment.{name} is not read where augment.kind is {augment.kind}; leave it out")
    if not 0.0 < augment.target < 1.0:
        raise ConfigError(f"augment.target must lie in (0, 1), got {augment.target}")
    for name in ("interval", "ramp_images"):
        if getattr(augment, name) < 1:
            raise ConfigError(f"augment.{name} must be at least 1, got {getattr(augment, name)}")


def _validate_growing(growing: GrowingConfig, resolution: int, adam: AdamConfig) -> None:
    lower = resolution.bit_length() - 4  # resolutions from 8 to half
    if not 8 <= growing.start < resolution or growing.start & (growing.start - 1):
        raise ConfigError(f"growing.start must be 0 or a power of two from 8 to below {resolution}, got {growing.start}")
    for name, values in to_dict(growing).items():
        if name in ("batch_sizes", "learning_rates") and len(values) < lower:
            raise ConfigError(f"growing.{name} must have {lower} numbers, for 8 to {resolution // 2} px, got {values}")
        if name != "start" and min(values if isinstance(values, tuple) else (values,)) <= 0:
            raise ConfigError(f"growing.{name} must be positive, got {values}")
    if adam.decay != 1.0:
        raise ConfigError("adam.decay must be 1 where growing.start is set: the resolution decides the learning rate")
