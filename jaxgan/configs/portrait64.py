"""Real portraits at 64x64, minutes a stage on one large GPU: the editor that comes with the package (docs/portrait64).

    jaxgan train stylegan --config portrait64 --packed faces-packed --workdir runs/stylegan --minutes 9

13 minutes in all on one H200: 2,000,000 images for the StyleGAN, 1,198,144 for the inverter, 746,112 for the editor.
Result: landmark error 0.060 against 0.129 of the unedited source, identity 0.39, on 1,000 test portraits. The weights are 13
million numbers.

Nothing grows and nothing is augmented: 20,000 portraits were enough for two million images. Learning rates are constant, so
that a run may end at any time. The editor shifts the coarse layers alone: shifts of all layers follow their targets as well,
but tint the picture and keep less of the person.
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
        run=RunConfig(
            batch_size=64, total_images=2_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(resolution=64, latent_size=192, fmap_base=2048, fmap_max=256, noise=False, dtype="bfloat16"),
        discriminator=DiscriminatorConfig(fmap_base=2048, fmap_max=256, dtype="bfloat16"),
        adam=AdamConfig(learning_rate=2e-3, b1=0.0),
        r1_gamma=0.5,
        r1_interval=8,
    ),
    "inverter": InverterConfig(
        run=RunConfig(
            batch_size=64, total_images=2_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(resolution=64, latent_size=192, fmap_base=2048, fmap_max=256, noise=False, dtype="bfloat16"),
        discriminator=DiscriminatorConfig(fmap_base=2048, fmap_max=256, dtype="bfloat16"),
        trunk=TrunkConfig(width=32, max_width=128, output_scale=True, dtype="bfloat16"),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=2e-3),
        adversarial_weight=0.02,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
    "editor": EditorConfig(
        run=RunConfig(
            batch_size=64, total_images=2_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(resolution=64, latent_size=192, fmap_base=2048, fmap_max=256, noise=False, dtype="bfloat16"),
        inverter=TrunkConfig(width=32, max_width=128, output_scale=True, dtype="bfloat16"),
        stylegan_discriminator=DiscriminatorConfig(fmap_base=2048, fmap_max=256, dtype="bfloat16"),
        encoder=EncoderConfig(
            trunk=TrunkConfig(width=32, max_width=128, output_scale=True, dtype="bfloat16"),
            shift_scale_init=0.1,
            edited_layers=4,
        ),
        discriminator=DiscriminatorConfig(fmap_base=2048, fmap_max=256, dtype="bfloat16"),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=1e-3),
        adversarial_weight=0.1,
        mismatched_share=0.5,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
}
