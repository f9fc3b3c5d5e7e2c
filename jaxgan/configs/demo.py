"""Narrower than `small`, at 32x32, on procedural portraits: 6.3 to 10 minutes for everything on two CPU cores.

    jaxgan demo

Result: 0.059 squared error to the true picture against 0.067 of the unedited source (docs/results.md). The editor closes the
cycle on images: that makes up for what so short an inverter training leaves undone, where a cycle of latents needs twice the
images to come as close to the true pictures.
"""

from jaxgan.configs.schema import (
    AdamConfig,
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
        run=RunConfig(batch_size=8, total_images=42_000, tick_images=2000, sample_images=8000, checkpoint_images=16_000),
        generator=GeneratorConfig(resolution=32, latent_size=128, fmap_base=512, fmap_max=64, noise=False),
        discriminator=DiscriminatorConfig(fmap_base=512, fmap_max=64),
        adam=AdamConfig(learning_rate=2e-3, b1=0.0),
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
    "inverter": InverterConfig(
        run=RunConfig(batch_size=8, total_images=12_000, tick_images=2000, sample_images=8000, checkpoint_images=16_000),
        generator=GeneratorConfig(resolution=32, latent_size=128, fmap_base=512, fmap_max=64, noise=False),
        discriminator=DiscriminatorConfig(fmap_base=512, fmap_max=64),
        trunk=TrunkConfig(width=16, max_width=128, output_scale=True),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=5e-3, decay=0.5),
        adversarial_weight=0.02,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
    "editor": EditorConfig(
        run=RunConfig(batch_size=8, total_images=7000, tick_images=2000, sample_images=8000, checkpoint_images=16_000),
        generator=GeneratorConfig(resolution=32, latent_size=128, fmap_base=512, fmap_max=64, noise=False),
        inverter=TrunkConfig(width=16, max_width=128, output_scale=True),
        stylegan_discriminator=DiscriminatorConfig(fmap_base=512, fmap_max=64),
        encoder=EncoderConfig(trunk=TrunkConfig(width=16, max_width=128, output_scale=True), shift_scale_init=0.1),
        discriminator=DiscriminatorConfig(fmap_base=512, fmap_max=64),
        cycle="image",
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=2e-3, decay=0.5),
        adversarial_weight=0.3,
        mismatched_share=0.5,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
}
