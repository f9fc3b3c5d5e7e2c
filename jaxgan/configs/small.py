"""Narrow networks at 64x64, a start for two CPU cores: 20 to 30 minutes a stage.

    python train_stylegan.py --config small --workdir runs/stylegan --data_dir data --dataset faces

What differs from the published form, for a few ten thousand images instead of millions: higher learning rates, small
batches (more steps), a weaker and lazy R1, faster averages, a generator without noise, an inverter that starts at the mean
and deviation of the generator's w and is led by its pixel term, features of the StyleGAN discriminator instead of VGG16's, a
shift that starts small instead of at unit variance, a heavier adversarial term of the editor, and portraits with others'
landmarks among the discriminator's fakes. There is no augmentation: it slows the start, and pays in long runs.
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
        run=RunConfig(batch_size=8, total_images=60_000, tick_images=1000, sample_images=5000, checkpoint_images=5000),
        generator=GeneratorConfig(resolution=64, latent_size=128, fmap_base=1024, fmap_max=64, noise=False),
        discriminator=DiscriminatorConfig(fmap_base=1024, fmap_max=64),
        adam=AdamConfig(learning_rate=2e-3, b1=0.0),
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
    "inverter": InverterConfig(
        run=RunConfig(batch_size=8, total_images=50_000, tick_images=1000, sample_images=5000, checkpoint_images=5000),
        generator=GeneratorConfig(resolution=64, latent_size=128, fmap_base=1024, fmap_max=64, noise=False),
        discriminator=DiscriminatorConfig(fmap_base=1024, fmap_max=64),
        trunk=TrunkConfig(width=16, max_width=128, output_scale=True),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=5e-3, decay=0.5),
        adversarial_weight=0.02,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
    "editor": EditorConfig(
        run=RunConfig(batch_size=8, total_images=40_000, tick_images=1000, sample_images=5000, checkpoint_images=5000),
        generator=GeneratorConfig(resolution=64, latent_size=128, fmap_base=1024, fmap_max=64, noise=False),
        inverter=TrunkConfig(width=16, max_width=128, output_scale=True),
        stylegan_discriminator=DiscriminatorConfig(fmap_base=1024, fmap_max=64),
        encoder=EncoderConfig(trunk=TrunkConfig(width=16, max_width=128, output_scale=True), shift_scale_init=0.1),
        discriminator=DiscriminatorConfig(fmap_base=1024, fmap_max=64),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=1e-3, decay=0.5),
        adversarial_weight=0.3,
        mismatched_share=0.5,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=1000,
    ),
}
