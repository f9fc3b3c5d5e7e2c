"""Real portraits at 128x128 on one large GPU, an estimated half hour a stage; narrower than the published networks.

    python train_stylegan.py --config portrait128 --workdir runs/stylegan --data_dir data --dataset faces

The weights for inference are 20 million numbers, 40 MB as bfloat16. Two million images for the StyleGAN, mostly below full
resolution, and one million each for inverter and editor. Half of the editor's targets are retargeted to the source's bones,
because that is what `edit` asks of it. Not run yet.
"""

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
)

CONFIGS: dict[str, Config] = {
    "stylegan": StyleGANConfig(
        run=RunConfig(
            batch_size=64, total_images=2_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(latent_size=256, fmap_base=4096, fmap_max=256, noise=False, dtype="bfloat16"),
        discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        adam=AdamConfig(learning_rate=2e-3, b1=0.0),
        r1_gamma=1.0,
        r1_interval=8,
        augment=AugmentConfig(color=True, translation=0.125, cutout=0.5),
        growing=GrowingConfig(
            start=16,
            fade_images=100_000,
            stable_images=300_000,
            batch_sizes=(64, 64, 64, 64),
            learning_rates=(2e-3, 2e-3, 2e-3, 2e-3),
        ),
    ),
    "inverter": InverterConfig(
        run=RunConfig(
            batch_size=64, total_images=1_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(latent_size=256, fmap_base=4096, fmap_max=256, noise=False, dtype="bfloat16"),
        discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        trunk=TrunkConfig(width=32, max_width=192, output_scale=True, dtype="bfloat16"),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=2e-3, decay=0.5),
        adversarial_weight=0.02,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
    "editor": EditorConfig(
        run=RunConfig(
            batch_size=64, total_images=1_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(latent_size=256, fmap_base=4096, fmap_max=256, noise=False, dtype="bfloat16"),
        inverter=TrunkConfig(width=32, max_width=192, output_scale=True, dtype="bfloat16"),
        stylegan_discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        encoder=EncoderConfig(
            trunk=TrunkConfig(width=32, max_width=192, output_scale=True, dtype="bfloat16"), shift_scale_init=0.1
        ),
        discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=1e-3, decay=0.5),
        adversarial_weight=0.1,
        mismatched_share=0.5,
        retargeted_share=0.5,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
}
