"""StyleGAN2 with adaptive augmentation at 128x128, for one large GPU: what NVlabs' ADA code chooses for that size by itself.

    python train_stylegan.py --config stylegan2_128 --workdir runs/stylegan --data_dir data --dataset faces

Its rules ("auto", for one GPU and 128 pixels) give a batch of 32, a learning rate of 0.0025, two mapping layers, half of the
largest networks' width, gamma = 0.0002 R^2 / batch = 0.1024 and an average over 10,000 images; R1 enters every 16 steps, path
length every 4. Its preset for 256 pixels has eight mapping layers and other values of these. Here its average does not start
shorter, activations are float32 (`generator.dtype=bfloat16 discriminator.dtype=bfloat16` for less), and regularisers share a
step of Adam with the loss. The later stages are `portrait128`'s with these networks, without pairs of pictures of one person,
which few datasets have. Not run at this width.
"""

import dataclasses

from jaxgan.configs import portrait128
from jaxgan.configs.schema import (
    AdamConfig,
    AugmentConfig,
    Config,
    DiscriminatorConfig,
    EncoderConfig,
    GeneratorConfig,
    RunConfig,
    StyleGANConfig,
    TrunkConfig,
)

GENERATOR = GeneratorConfig(family="stylegan2", mapping_layers=2, separate_w=False, tanh=False, conv_clamp=256.0)
DISCRIMINATOR = DiscriminatorConfig(family="stylegan2", conv_clamp=256.0)
TRUNK = TrunkConfig(width=32, max_width=192, output_scale=True)

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
    "inverter": dataclasses.replace(
        portrait128.CONFIGS["inverter"], generator=GENERATOR, discriminator=DISCRIMINATOR, trunk=TRUNK
    ),
    "editor": dataclasses.replace(
        portrait128.CONFIGS["editor"],
        generator=GENERATOR,
        inverter=TRUNK,
        stylegan_discriminator=DISCRIMINATOR,
        encoder=EncoderConfig(trunk=TRUNK, shift_scale_init=0.1),
        discriminator=DISCRIMINATOR,
        paired_share=0.0,
    ),
}
