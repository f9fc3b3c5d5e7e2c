"""Everything at its smallest, 8x8, for tests: a stage compiles and runs a few steps in seconds."""

from jaxgan.configs.schema import (
    AugmentConfig,
    Config,
    DiscriminatorConfig,
    EditorConfig,
    EncoderConfig,
    GeneratorConfig,
    InverterConfig,
    PerceptualConfig,
    RunConfig,
    StyleGANConfig,
    TrunkConfig,
)

CONFIGS: dict[str, Config] = {
    "stylegan": StyleGANConfig(
        run=RunConfig(batch_size=8, total_images=32, tick_images=8, sample_images=16, checkpoint_images=16),
        generator=GeneratorConfig(resolution=8, latent_size=8, mapping_layers=2, fmap_base=64, fmap_max=8),
        discriminator=DiscriminatorConfig(fmap_base=64, fmap_max=8, stddev_group=2),
        r1_interval=2,
        augment=AugmentConfig(color=True, translation=0.25, cutout=0.25),
        ema_half_life=16,
    ),
    "inverter": InverterConfig(
        run=RunConfig(batch_size=8, total_images=32, tick_images=8, sample_images=16, checkpoint_images=16),
        generator=GeneratorConfig(resolution=8, latent_size=8, mapping_layers=2, fmap_base=64, fmap_max=8),
        discriminator=DiscriminatorConfig(fmap_base=64, fmap_max=8, stddev_group=2),
        trunk=TrunkConfig(width=4, max_width=8),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        r1_interval=2,
    ),
    "editor": EditorConfig(
        run=RunConfig(batch_size=8, total_images=32, tick_images=8, sample_images=16, checkpoint_images=16),
        generator=GeneratorConfig(resolution=8, latent_size=8, mapping_layers=2, fmap_base=64, fmap_max=8),
        inverter=TrunkConfig(width=4, max_width=8),
        stylegan_discriminator=DiscriminatorConfig(fmap_base=64, fmap_max=8, stddev_group=2),
        encoder=EncoderConfig(trunk=TrunkConfig(width=4, max_width=8), landmark_width=8, latent_width=4),
        discriminator=DiscriminatorConfig(fmap_base=64, fmap_max=8, stddev_group=2),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        r1_interval=2,
    ),
}
