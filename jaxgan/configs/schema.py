"""Typed configurations of the three stages.

Durations are counted in images seen, so that they mean the same for any batch size and any number of devices.
The defaults are the published hyperparameters at 128x128, except the growing of StyleGAN and its batch size, which preset
`paper` sets; presets name what they change.
"""

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["float32", "bfloat16"]
Family = Literal["stylegan", "stylegan2"]


def style_layers(resolution: int) -> int:
    """Style layers of a generator up to a resolution, 2 log2(resolution) - 2."""
    return 2 * (resolution.bit_length() - 1) - 2


@dataclass(frozen=True)
class GeneratorConfig:
    """The generator of a StyleGAN or StyleGAN2: mapping and synthesis."""

    family: Family = "stylegan"  # AdaIN (Karras et al. 2018) or modulated convolutions (Karras et al. 2019)
    resolution: int = 128  # pixels, a power of two >= 8
    latent_size: int = 512  # width of z and of each w
    mapping_layers: int = 8  # dense layers of the mapping
    mapping_lr_multiplier: float = 0.01  # learning-rate multiplier of the mapping's weights
    separate_w: bool = True  # each style layer has its own w (in-domain inversion), else one repeated w (StyleGAN)
    fmap_base: int = 16384  # feature maps at resolution r: min(fmap_base / r, fmap_max)
    fmap_max: int = 512  # most feature maps of any layer
    noise: bool = True  # noise enters each style layer (StyleGAN); short runs learn speckles from it before faces
    tanh: bool = True  # image passes through tanh (in-domain inversion), else linear (StyleGAN)
    architecture: Literal["skip", "resnet", "orig"] = "skip"  # of StyleGAN2 (Karras et al. 2019, figure 7)
    conv_clamp: float | None = None  # largest activation of StyleGAN2's convolutions; null: any
    dtype: Dtype = "float32"  # type of activations; parameters and statistics stay float32
    framing: Literal["unknown", "ffhq", "faceless"] = "unknown"  # how its training images were cropped: data/framing.py

    @property
    def num_layers(self) -> int:
        """Style layers L = 2 log2(R) - 2."""
        return style_layers(self.resolution)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The discriminator of a StyleGAN or StyleGAN2, at the generator's resolution."""

    family: Family = "stylegan"  # need not be the generator's
    fmap_base: int = 16384  # as in the generator
    fmap_max: int = 512  # as in the generator
    stddev_group: int = 4  # images that share a minibatch standard deviation; divides the batch of a device
    # StyleGAN2: a group's images are N / group apart, as published, which ties scores to the number of devices; else neighbours
    stddev_strided: bool = False
    architecture: Literal["resnet", "skip", "orig"] = "resnet"  # of StyleGAN2, as in the generator
    conv_clamp: float | None = None  # as in the generator
    condition: Literal["concatenate", "projection"] = "concatenate"  # how the editor's landmark image enters
    dtype: Dtype = "float32"  # type of activations


@dataclass(frozen=True)
class TrunkConfig:
    """The residual convolutional trunk of the inverter and of the landmark branch."""

    # Of the inverter alone: in-domain inversion's, or the pyramids of pSp and e4e, which read 256 pixels and whose trunk has
    # eight times `width` at most; published with a width of 64.
    kind: Literal["residual", "psp", "e4e"] = "residual"
    width: int = 64  # feature maps after the first convolution, doubled at each stage
    max_width: int = 1024  # most feature maps of any stage
    # The published inverter's last normalisation has no scale, so every coordinate of its w has unit variance. With a learned
    # scale it can start at the mean and deviation of the generator's own w (compare Richardson et al. 2021, section 3).
    output_scale: bool = False
    dtype: Dtype = "float32"  # type of activations


@dataclass(frozen=True)
class EncoderConfig:
    """The editor's encoder. landmark_width + latent_width is what each layer's head sees."""

    kind: Literal["latent_difference", "keypoint", "naive"] = "latent_difference"  # architecture
    trunk: TrunkConfig = TrunkConfig()  # of the landmark branch (of everything in the naive encoder)
    landmark_width: int = 160  # features of the landmarks, copied to each layer
    latent_width: int = 32  # features of each layer's w
    # The published last normalisation has no scale, so the shift has unit variance in every coordinate, wanted or not.
    # A number makes the scale learnable from that start; null is the published form.
    shift_scale_init: float | None = None
    # Pose and expression live in the coarse layers; a shift of the fine ones is mostly colour and texture, that is identity.
    edited_layers: int = 0  # style layers that are shifted, from the coarsest on; 0: all, as published. Not read by naive


@dataclass(frozen=True)
class AdamConfig:
    """Adam; the rate is multiplied by `decay` after each quarter of the training."""

    learning_rate: float = 1e-4
    b1: float = 0.9
    b2: float = 0.99
    eps: float = 1e-8
    decay: float = 1.0  # factor per quarter of the training


@dataclass(frozen=True)
class RunConfig:
    """What every training has."""

    dataset: str = "portraits"  # name of the prepared dataset
    seed: int = 0  # decides initialisation, shuffling and sampling
    batch_size: int = 16  # images a step, over all devices
    total_images: int = 12_000_000  # length of the training
    tick_images: int = 20_000  # between two lines of metrics
    sample_images: int = 200_000  # between two sample grids
    checkpoint_images: int = 200_000  # between two checkpoints
    keep_checkpoints: int = 2  # newest checkpoints kept
    mirror: bool = True  # half of the portraits are mirrored (with their landmarks)
    # Images that generator and discriminator of a device see at once, accumulating gradients; 0: all. A multiple of
    # discriminator.stddev_group leaves the step as it is. See docs/training.md.
    micro_batch: int = 0
    remat: bool = False  # gradients compute the activations inside of blocks anew instead of keeping them


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of all images that the discriminator sees, for small datasets. None by default."""

    # "fixed": those of DiffAugment (Zhao et al. 2020) that are chosen here. "adaptive": all of ADA's (Karras et al. 2020), each
    # with a probability that rises while the discriminator overfits.
    kind: Literal["fixed", "adaptive"] = "fixed"
    color: bool = False  # fixed: brightness, saturation and contrast
    translation: float = 0.0  # fixed: largest shift, share of the image's side; published 0.125
    cutout: float = 0.0  # fixed: side of a grey square hole, share of the image's side; published 0.5
    target: float = 0.6  # adaptive: mean sign of real images' scores that is aimed at, in (0, 1)
    interval: int = 4  # adaptive: steps between two adjustments of the probability
    ramp_images: int = 500_000  # adaptive: images in which the probability can go from 0 to 1


@dataclass(frozen=True)
class GrowingConfig:
    """Progressive growing (Karras et al. 2017): the resolution doubles from `start` to the generator's.

    Batch sizes and learning rates are those of the resolutions 8, 16, ... below the generator's, which itself has
    run.batch_size and adam.learning_rate; the published ones reach up to 512.
    """

    start: int = 0  # pixels, a power of two >= 8 below the generator's resolution; 0: the full resolution throughout
    fade_images: int = 600_000  # over which a new resolution fades in
    stable_images: int = 600_000  # between two fades; the last resolution lasts to run.total_images
    batch_sizes: tuple[int, ...] = (128, 128, 64, 32, 16, 8, 4)  # images a step, over all devices
    learning_rates: tuple[float, ...] = (1e-3, 1e-3, 1e-3, 1e-3, 1.5e-3, 2e-3, 3e-3)


@dataclass(frozen=True)
class StyleGANConfig:
    """Training of generator and discriminator (Karras et al. 2018)."""

    run: RunConfig = RunConfig(total_images=25_000_000, batch_size=32)
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    adam: AdamConfig = AdamConfig(learning_rate=1.5e-3, b1=0.0)
    r1_gamma: float = 10.0  # weight of gamma/2 E|grad D(real)|^2
    r1_interval: int = 1  # steps between two R1 terms; the weight is multiplied by it
    path_weight: float = 0.0  # of path length regularisation (Karras et al. 2019); 0: none, published for StyleGAN2: 2
    path_interval: int = 4  # steps between two of its terms; the weight is multiplied by it
    path_batch_shrink: int = 2  # its images are the batch divided by this
    path_mean_decay: float = 0.99  # of the running mean of lengths, per term
    augment: AugmentConfig = AugmentConfig()
    growing: GrowingConfig = GrowingConfig()
    style_mixing: float = 0.9  # probability of a second latent from a random layer on
    w_avg_decay: float = 0.995  # of the running mean of w, per step
    ema_half_life: int = 10_000  # images, of the generator's running average


@dataclass(frozen=True)
class PerceptualConfig:
    """The feature term of image reconstruction losses."""

    network: Literal["vgg16", "discriminator", "none"] = "vgg16"  # "discriminator": the frozen StyleGAN discriminator
    weight: float = 5e-5  # of the mean squared error of features; 5e-5 is for VGG16 relu4_3 on [0, 255] images
    vgg16_weights: str = ""  # folder written by `jaxgan convert vgg16`


@dataclass(frozen=True)
class InverterConfig:
    """Training of the domain-guided encoder (Zhu et al. 2020) against a frozen generator."""

    run: RunConfig = RunConfig()
    generator: GeneratorConfig = GeneratorConfig()  # taken from the StyleGAN checkpoint
    discriminator: DiscriminatorConfig = DiscriminatorConfig()  # taken from the StyleGAN checkpoint
    trunk: TrunkConfig = TrunkConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
    identity_weight: float = 0.0  # of the squared distance of dlib's face descriptors; 0 is the published form
    adam: AdamConfig = AdamConfig(decay=0.8)
    adversarial_weight: float = 0.08
    r1_gamma: float = 10.0
    r1_interval: int = 1
    ema_half_life: int = 0  # images; 0 is the published form, without running average


@dataclass(frozen=True)
class EditorConfig:
    """Training of the difference encoder and its conditional discriminator; generator and inverter are frozen."""

    run: RunConfig = RunConfig(total_images=1_600_000)
    generator: GeneratorConfig = GeneratorConfig()  # taken from the inverter checkpoint
    inverter: TrunkConfig = TrunkConfig()  # taken from the inverter checkpoint
    stylegan_discriminator: DiscriminatorConfig = DiscriminatorConfig()  # taken from there too, for perceptual features
    encoder: EncoderConfig = EncoderConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    cycle: Literal["latent", "image", "none"] = "latent"  # what closes the cycle; "none" only for the naive encoder
    perceptual: PerceptualConfig = PerceptualConfig()  # of image reconstruction terms, where the variant has any
    identity_weight: float = 0.0  # as in the inverter, between the edit and its source; 0 is the published form
    adam: AdamConfig = AdamConfig(decay=0.8)
    adversarial_weight: float = 0.05  # lambda
    mismatched_share: float = 0.0  # of the fakes' weight, for portraits with others' landmarks; 0 is the published form
    # Of the targets, those that are retargeted to the source's bones (jaxgan/faces/retarget.py), as `edit` does; 0 is the
    # published form.
    retargeted_share: float = 0.0
    # Of the portraits, those whose target is another portrait of the same person (`prepare --people`): identity_weight compares
    # the edit with that picture, and so does the perceptual term. 0 is the published form.
    paired_share: float = 0.0
    r1_gamma: float = 10.0
    r1_interval: int = 1
    ema_half_life: int = 0  # images; 0 is the published form


Config = StyleGANConfig | InverterConfig | EditorConfig
