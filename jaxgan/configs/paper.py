"""The published networks and hyperparameters, at 128x128.

    python train_stylegan.py --config paper --workdir runs/stylegan --data_dir data --dataset faces

Needs VGG16 weights (`jaxgan convert vgg16`, perceptual.vgg16_weights) and accelerators for days. Not run. The schema's
defaults are the published values; only the StyleGAN's growing and batch size stand here.
"""

from jaxgan.configs.schema import Config, EditorConfig, GrowingConfig, InverterConfig, RunConfig, StyleGANConfig

CONFIGS: dict[str, Config] = {
    "stylegan": StyleGANConfig(run=RunConfig(total_images=25_000_000), growing=GrowingConfig(start=8)),
    "inverter": InverterConfig(),
    "editor": EditorConfig(),
}
