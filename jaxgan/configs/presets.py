"""Named starting points for the three trainings. Every field can be overridden on the command line."""

from dataclasses import replace

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
    override,
)
from jaxgan.errors import ConfigError


def paper() -> dict[str, Config]:
    """The published hyperparameters at 128x128. Needs VGG16 weights, and accelerators for days."""
    stylegan = StyleGANConfig(run=RunConfig(total_images=25_000_000, batch_size=16), growing=GrowingConfig(start=8))
    return {"stylegan": stylegan, "inverter": InverterConfig(), "editor": EditorConfig()}


def small() -> dict[str, Config]:
    """Narrow networks at 64x64, a start for two CPU cores: 20 to 30 minutes a stage.

    What differs from the published form, for the sake of a few ten thousand images instead of millions: higher learning
    rates, small batches (more steps), a weaker and lazy R1, faster averages, a generator without noise, an inverter that starts
    at the mean and deviation of the generator's w and is led by its pixel term, features of the StyleGAN discriminator instead
    of VGG16's, a shift that starts small instead of at unit variance, a heavier adversarial term of the editor, and portraits
    with others' landmarks among the discriminator's fakes. There is no augmentation: it slows the start, and pays in long runs.
    """
    generator = GeneratorConfig(resolution=64, latent_size=128, fmap_base=1024, fmap_max=64, noise=False)
    discriminator = DiscriminatorConfig(fmap_base=1024, fmap_max=64)
    trunk = TrunkConfig(width=16, max_width=128)
    perceptual = PerceptualConfig(network="discriminator", weight=0.1)
    run = RunConfig(batch_size=8, tick_images=1_000, sample_images=5_000, checkpoint_images=5_000)
    lazy = {"r1_gamma": 1.0, "r1_interval": 8}
    return {
        "stylegan": StyleGANConfig(
            run=replace(run, total_images=60_000),
            generator=generator,
            discriminator=discriminator,
            adam=AdamConfig(learning_rate=2e-3, b1=0.0),
            ema_half_life=1_000,
            **lazy,
        ),
        "inverter": InverterConfig(
            run=replace(run, total_images=50_000),
            generator=generator,
            discriminator=discriminator,
            trunk=replace(trunk, output_scale=True),
            perceptual=perceptual,
            adam=AdamConfig(learning_rate=5e-3, decay=0.5),
            adversarial_weight=0.02,
            ema_half_life=1_000,
            **lazy,
        ),
        "editor": EditorConfig(
            run=replace(run, total_images=40_000),
            generator=generator,
            inverter=replace(trunk, output_scale=True),
            stylegan_discriminator=discriminator,
            encoder=EncoderConfig(trunk=replace(trunk, output_scale=True), shift_scale_init=0.1),
            discriminator=discriminator,
            perceptual=perceptual,
            adam=AdamConfig(learning_rate=1e-3, decay=0.5),
            adversarial_weight=0.3,
            mismatched_share=0.5,
            ema_half_life=1_000,
            **lazy,
        ),
    }


def portrait128() -> dict[str, Config]:
    """Real portraits at 128x128 on one large GPU, about half an hour a stage; narrower than the published networks.

    The weights for inference are 20 million numbers, 40 MB as bfloat16. Two million images for the StyleGAN, mostly below full
    resolution, and one million each for inverter and editor. Not run yet.
    """
    bfloat16 = {"dtype": "bfloat16"}
    generator = GeneratorConfig(latent_size=256, fmap_base=4096, fmap_max=256, noise=False, **bfloat16)
    discriminator = DiscriminatorConfig(fmap_base=4096, fmap_max=256, **bfloat16)
    trunk = TrunkConfig(width=32, max_width=192, output_scale=True, **bfloat16)
    steady = {"batch_sizes": (64, 64, 64, 64), "learning_rates": (2e-3, 2e-3, 2e-3, 2e-3)}
    growing = GrowingConfig(start=16, fade_images=100_000, stable_images=300_000, **steady)
    run = RunConfig(batch_size=64, total_images=1_000_000, tick_images=10_000, sample_images=50_000, checkpoint_images=100_000)
    start = small()
    changes = {
        "stylegan": {
            "run": replace(run, total_images=2_000_000),
            "discriminator": discriminator,
            "growing": growing,
            "augment": AugmentConfig(color=True, translation=0.125, cutout=0.5),
        },
        "inverter": {"discriminator": discriminator, "trunk": trunk, "adam": AdamConfig(learning_rate=2e-3, decay=0.5)},
        "editor": {
            "inverter": trunk,
            "stylegan_discriminator": discriminator,
            "encoder": replace(start["editor"].encoder, trunk=trunk),
            "discriminator": discriminator,
            "adversarial_weight": 0.1,
        },
    }
    common = {"run": run, "generator": generator, "ema_half_life": 10_000}
    return {stage: replace(start[stage], **(common | changes[stage])) for stage in start}


def portrait64() -> dict[str, Config]:
    """Real portraits at 64x64, minutes a stage on one large GPU: `portrait128` without its last resolution, at half the maps.

    The editor that comes with the package (docs/portrait64). The weights for inference are 13 million numbers. Nothing
    grows and nothing is augmented: 20,000 portraits were enough for two million images. Learning rates are constant, so that a
    training may end at any time. The editor shifts the coarse layers alone: shifts of all layers follow their targets as well,
    but tint the picture and keep less of the person.
    """
    fmaps = {"fmap_base": 2048, "fmap_max": 256}
    configs = portrait128()
    generator = replace(configs["stylegan"].generator, resolution=64, latent_size=192, **fmaps)
    discriminator = replace(configs["stylegan"].discriminator, **fmaps)
    trunk = replace(configs["inverter"].trunk, max_width=128)
    longest = configs["stylegan"].run
    changes = {
        "stylegan": {"growing": GrowingConfig(), "augment": AugmentConfig(), "r1_gamma": 0.5},
        "inverter": {"run": longest, "trunk": trunk, "adam": AdamConfig(learning_rate=2e-3)},
        "editor": {
            "run": longest,
            "inverter": trunk,
            "stylegan_discriminator": discriminator,
            "encoder": replace(configs["editor"].encoder, trunk=trunk, edited_layers=4),
            "adam": AdamConfig(learning_rate=1e-3),
        },
    }
    common = {"generator": generator, "discriminator": discriminator}
    return {stage: replace(configs[stage], **(common | changes[stage])) for stage in configs}


def demo() -> dict[str, Config]:
    """`small` at 32x32 with half the feature maps, shortened so that the whole demo takes ten minutes on two CPU cores.

    Its editor closes the cycle on images: that makes up for what so short an inverter training leaves undone, where a cycle of
    latents needs twice the images to come as close to the true pictures.
    """
    images = {"stylegan": 42_000, "inverter": 12_000, "editor": 7_000}
    often = {"tick_images": 2_000, "sample_images": 8_000, "checkpoint_images": 16_000}
    narrow = [f"{name}.fmap_base=512" for name in ("generator", "discriminator")]

    def shortened(stage: str, config: Config) -> Config:
        fields = narrow + (["stylegan_discriminator.fmap_base=512"] if stage == "editor" else [])
        run = replace(config.run, total_images=images[stage], **often)
        return replace(override(config, ["generator.resolution=32", *fields]), run=run)

    configs = {stage: shortened(stage, config) for stage, config in small().items()}
    faster = AdamConfig(learning_rate=2e-3, decay=0.5)
    return {**configs, "editor": replace(configs["editor"], cycle="image", adam=faster)}


def tiny() -> dict[str, Config]:
    """Everything at its smallest, 8x8, for tests: a stage compiles and runs a few steps in seconds."""
    generator = GeneratorConfig(resolution=8, latent_size=8, mapping_layers=2, fmap_base=64, fmap_max=8)
    discriminator = DiscriminatorConfig(fmap_base=64, fmap_max=8, stddev_group=2)
    trunk = TrunkConfig(width=4, max_width=8)
    perceptual = PerceptualConfig(network="discriminator", weight=0.1)
    run = RunConfig(batch_size=8, total_images=32, tick_images=8, sample_images=16, checkpoint_images=16, keep_checkpoints=2)
    augment = AugmentConfig(color=True, translation=0.25, cutout=0.25)
    fast = {"run": run, "generator": generator, "r1_interval": 2}
    return {
        "stylegan": StyleGANConfig(discriminator=discriminator, augment=augment, ema_half_life=16, **fast),
        "inverter": InverterConfig(discriminator=discriminator, trunk=trunk, perceptual=perceptual, **fast),
        "editor": EditorConfig(
            inverter=trunk,
            stylegan_discriminator=discriminator,
            encoder=EncoderConfig(trunk=trunk, landmark_width=8, latent_width=4),
            discriminator=discriminator,
            perceptual=perceptual,
            **fast,
        ),
    }


PRESETS = {
    "paper": paper,
    "portrait128": portrait128,
    "portrait64": portrait64,
    "small": small,
    "demo": demo,
    "tiny": tiny,
}


def preset(name: str, stage: str) -> Config:
    """The configuration of a stage ("stylegan", "inverter", "editor") in a preset.

    Raises:
      ConfigError: there is no such preset; the message lists them.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]()[stage]
