"""StyleGAN2 with adaptive augmentation at 128x128, for one large GPU: what NVlabs' ADA code chooses for that size by itself.

    python train_stylegan.py --config stylegan2_128 --workdir runs/stylegan --data_dir data --dataset faces

Its rules ("auto", for one GPU and 128 pixels) give a batch of 32, a learning rate of 0.0025, two mapping layers, half of the
largest networks' width, gamma = 0.0002 R^2 / batch = 0.1024 and an average over 10,000 images; R1 enters every 16 steps, path
length every 4. Its preset for 256 pixels has eight mapping layers and other values of these. Here its average does not start
shorter, activations are float32 (`generator.dtype=bfloat16 discriminator.dtype=bfloat16` for less), and regularisers share a
step of Adam with the loss. The later stages are `portrait128`'s with these networks. Not run at this width.
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

GENERATOR = GeneratorConfig(family="stylegan2", mapping_layers=2, separate_w=False, tanh=False, conv_clamp=256.0)
DISCRIMINATOR = DiscriminatorConfig(family="stylegan2", conv_clamp=256.0)

CONFIGS: dict[str, Config] = {
    "stylegan": StyleGANConfig(
        run=RunConfig(batch_size=32, total_images=25_000_000),
        generator=GENERATOR,
        discriminator=DISCRIMINATOR,
        adam=AdamConfig(learning_rate=2.5e-3, b1=0.0),
        r1_gamma=0.1024,
        r1_interval=16,
        path_weight=2.0,
        augment=AugmentConfig(kind="adaptive"),
    ),
    "inverter": InverterConfig(
        run=RunConfig(
            batch_size=64, total_images=1_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000
        ),
        generator=GENERATOR,
        discriminator=DISCRIMINATOR,
        trunk=TrunkConfig(width=32, max_width=192, output_scale=True),
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
        generator=GENERATOR,
        inverter=TrunkConfig(width=32, max_width=192, output_scale=True),
        stylegan_discriminator=DISCRIMINATOR,
        encoder=EncoderConfig(trunk=TrunkConfig(width=32, max_width=192, output_scale=True), shift_scale_init=0.1),
        discriminator=DISCRIMINATOR,
        perceptual=PerceptualConfig(network="discriminator", weight=0.1),
        adam=AdamConfig(learning_rate=1e-3, decay=0.5),
        adversarial_weight=0.1,
        mismatched_share=0.5,
        r1_gamma=1.0,
        r1_interval=8,
        ema_half_life=10_000,
    ),
}
