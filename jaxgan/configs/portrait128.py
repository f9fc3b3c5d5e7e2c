"""Real portraits at 128x128 in slices of minutes on one large GPU: faces with hair and shoulders.

    jaxgan train_all --config portrait128 --packed portraits-packed --out runs --export small --minutes 9

Narrower than the published networks; those for inference are 20 million numbers, 40 MB as bfloat16. Not run yet.

Nothing grows: each resolution would compile steps of its own, for a minute or more of the few there are. Augmentation is for
15,000 portraits. Inverter and editor have an identity term in their losses, so measures by dlib's network are not independent
of it. The editor shifts the coarse layers alone, as in `portrait64`. Of its targets a quarter are other pictures of the same
person (`prepare --people`; without, `paired_share=0`), and half of the rest retargeted to the source's bones, as `edit` asks.
"""

from jaxgan.configs.schema import (
    AdamConfig,
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
        run=RunConfig(
            batch_size=64, total_images=1_600_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GeneratorConfig(latent_size=256, fmap_base=4096, fmap_max=256, noise=False, dtype="bfloat16"),
        discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        adam=AdamConfig(learning_rate=2e-3, b1=0.0),
        r1_gamma=1.0,
        r1_interval=8,
        augment=AugmentConfig(color=True, translation=0.125, cutout=0.5),
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
        identity_weight=0.1,
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
            trunk=TrunkConfig(width=32, max_width=192, output_scale=True, dtype="bfloat16"),
            shift_scale_init=0.1,
            edited_layers=5,
        ),
        discriminator=DiscriminatorConfig(fmap_base=4096, fmap_max=256, dtype="bfloat16"),
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=1e-3, decay=0.5),
        adversarial_weight=0.1,
        identity_weight=0.1,
        mismatched_share=0.5,
        retargeted_share=0.5,
        paired_share=0.25,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
}
