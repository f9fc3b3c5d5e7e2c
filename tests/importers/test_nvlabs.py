"""NVlabs' StyleGAN pickles: parity with TensorFlow's computation, spelt out in NumPy."""

import jax
import numpy as np
import pytest
from helpers.nvlabs_files import as_tuple, random_networks, write

from jaxgan.configs import validate
from jaxgan.importers.nvlabs import convert_stylegan
from jaxgan.models.pipeline import generate
from jaxgan.models.stylegan import Discriminator, Generator
from jaxgan.training.stylegan import export, init_state

# ---- TensorFlow's computation, NCHW in float64 ----


def lrelu(x):
    return np.maximum(x, 0.2 * x)


def dense(x, net, scope, gain=2**0.5, lrmul=1.0):
    weight = net[f"{scope}/weight"].astype(np.float64)
    return x @ (weight * (gain / np.sqrt(weight.shape[0]) * lrmul)) + net[f"{scope}/bias"] * lrmul


def weight_of(net, scope, gain):
    weight = net[f"{scope}/weight"].astype(np.float64)
    return weight * (gain / np.sqrt(np.prod(weight.shape[:3])))


def shifted_sum(weight):
    padded = np.pad(weight, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def correlate(x, weight, pad, stride=1):
    """tf.nn.conv2d: output pixel i sees input pixels stride * i - pad onwards."""
    size = weight.shape[0]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    count = (x.shape[2] - size) // stride + 1
    out = 0.0
    for row in range(size):
        for column in range(size):
            window = x[:, :, row : row + stride * count : stride, column : column + stride * count : stride]
            out = out + np.einsum("bihw,io->bohw", window, weight[row, column], optimize=True)
    return out


def transposed(x, weight):
    """tf.nn.conv2d_transpose, 4x4, stride 2, SAME: the gradient of the convolution that sees 2i - 1 ... 2i + 2 from i."""
    batch, _, side, _ = x.shape
    out = np.zeros((batch, weight.shape[3], 2 * side + 2, 2 * side + 2))
    for row in range(4):
        for column in range(4):
            part = np.einsum("bihw,io->bohw", x, weight[row, column], optimize=True)
            out[:, :, row : row + 2 * side : 2, column : column + 2 * side : 2] += part
    return out[:, :, 1:-1, 1:-1]


def blur(x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    side = x.shape[2]
    taps = [(row, column, (1, 2, 1)[row] * (1, 2, 1)[column] / 16) for row in range(3) for column in range(3)]
    return sum(share * padded[:, :, row : row + side, column : column + side] for row, column, share in taps)


def tf_mapping(net, z):
    x = z / np.sqrt(np.mean(z.astype(np.float64) ** 2, axis=1, keepdims=True) + 1e-8)
    for i in range(len(net) // 2):
        x = lrelu(dense(x, net, f"Dense{i}", lrmul=0.01))
    return x


def tf_synthesis(net, w, fused_scale="auto"):
    """Images [B, 3, R, R] of w [B, latent] with the stored noise, at lod 0."""

    def epilogue(x, scope, layer):
        x = x + net[f"noise{layer}"] * net[f"{scope}/Noise/weight"][None, :, None, None]
        x = lrelu(x + net[f"{scope}/bias"][None, :, None, None])
        x = x - x.mean(axis=(2, 3), keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=(2, 3), keepdims=True) + 1e-8)
        style = dense(w, net, f"{scope}/StyleMod", gain=1).reshape(len(w), 2, x.shape[1], 1, 1)
        return x * (style[:, 0] + 1) + style[:, 1]

    x = epilogue(np.tile(net["4x4/Const/const"].astype(np.float64), (len(w), 1, 1, 1)), "4x4/Const", 0)
    x = epilogue(correlate(x, weight_of(net, "4x4/Conv", 2**0.5), 1), "4x4/Conv", 1)
    layers = sum(name.startswith("noise") for name in net)
    for layer in range(2, layers, 2):
        side = 4 << layer // 2
        weight = weight_of(net, f"{side}x{side}/Conv0_up", 2**0.5)
        if fused_scale is True or (fused_scale == "auto" and side >= 128):
            x = transposed(x, shifted_sum(weight))
        else:
            x = correlate(x.repeat(2, axis=2).repeat(2, axis=3), weight, 1)
        x = epilogue(blur(x), f"{side}x{side}/Conv0_up", layer)
        x = epilogue(correlate(x, weight_of(net, f"{side}x{side}/Conv1", 2**0.5), 1), f"{side}x{side}/Conv1", layer + 1)
    return correlate(x, weight_of(net, "ToRGB_lod0", 1), 0) + net["ToRGB_lod0/bias"][None, :, None, None]


def tf_discriminator(net, images, fused_scale="auto"):
    """Scores [B] of images [B, 3, R, R]; one group of images for the minibatch standard deviation."""

    def activate(x, scope):
        return lrelu(x + net[f"{scope}/bias"][None, :, None, None])

    x = activate(correlate(images.astype(np.float64), weight_of(net, "FromRGB_lod0", 2**0.5), 0), "FromRGB_lod0")
    while (side := x.shape[2]) > 4:
        x = activate(correlate(x, weight_of(net, f"{side}x{side}/Conv0", 2**0.5), 1), f"{side}x{side}/Conv0")
        weight, x = weight_of(net, f"{side}x{side}/Conv1_down", 2**0.5), blur(x)
        if fused_scale is True or (fused_scale == "auto" and side >= 128):
            x = correlate(x, shifted_sum(weight) * 0.25, 1, stride=2)
        else:
            x = correlate(x, weight, 1)
            x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        x = activate(x, f"{side}x{side}/Conv1_down")
    deviation = np.sqrt(((x - x.mean(axis=0)) ** 2).mean(axis=0) + 1e-8).mean()
    x = np.concatenate([x, np.full_like(x[:, :1], deviation)], axis=1)
    x = activate(correlate(x, weight_of(net, "4x4/Conv", 2**0.5), 1), "4x4/Conv")
    x = lrelu(dense(x.reshape(len(x), -1), net, "4x4/Dense0"))
    return dense(x, net, "4x4/Dense1", gain=1)[:, 0]


# ---- Parity ----


def test_the_reference_transposes_as_tensorflow_defines_it():
    """conv2d_transpose is the gradient of conv2d by its input: both give the same inner product."""
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(1, 3, 8, 8)), rng.normal(size=(1, 2, 4, 4)), rng.normal(size=(4, 4, 3, 2))
    forward = np.sum(correlate(x, weight, 1, stride=2) * y)
    np.testing.assert_allclose(forward, np.sum(x * transposed(y, weight.transpose(0, 1, 3, 2))), rtol=1e-10)


def assert_close(output, expected):
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize(
    ("resolution", "fmap_base", "fused_scale"),
    [(16, 8192, "auto"), (16, 40, True), (128, 256, False), (256, 512, "auto")],
)
def test_networks_compute_what_tensorflow_does(tmp_path, resolution, fmap_base, fused_scale):
    """Widths shrink with the resolution in all cases but the first; from 128 pixels on TensorFlow fuses."""
    nets = random_networks(resolution, fmap_base=fmap_base)
    kwargs = {} if fused_scale == "auto" else {"fused_scale": fused_scale}
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets, **kwargs)))
    assert config.generator.resolution == resolution
    assert (config.generator.latent_size, config.generator.mapping_layers, config.generator.fmap_max) == (12, 3, 8)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((2, 12), np.float32)
    w = Generator(config.generator).apply(variables["generator"], z, method="map")
    tf_w = tf_mapping(nets["mapping"], z)
    assert_close(w, np.repeat(tf_w[:, None], config.generator.num_layers, axis=1))
    images = jax.jit(lambda w: Generator(config.generator).apply(variables["generator"], w, method="synthesize"))(w)
    assert_close(images, tf_synthesis(nets["synthesis"], tf_w, fused_scale).transpose(0, 2, 3, 1))
    colours = rng.uniform(-4, 4, (3, 4, 1, 3)).repeat(resolution // 4, axis=1)  # images of noise alone all score the same
    real = (colours + rng.uniform(-1, 1, (3, resolution, resolution, 3))).astype(np.float32)
    score = jax.jit(lambda x: Discriminator(config.discriminator).apply({"params": variables["stylegan_discriminator"]}, x))(
        real
    )
    assert_close(score, tf_discriminator(nets["D"], real.transpose(0, 3, 1, 2), fused_scale))


def test_variables_are_those_of_a_training(tmp_path):
    nets = random_networks()
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets, mapping_lrmul=0.02, mbstd_group_size=8)))
    assert validate(config).generator.mapping_lr_multiplier == 0.02
    assert config.discriminator.stddev_group == 8
    assert not (config.generator.tanh or config.generator.separate_w)
    ours = jax.eval_shape(lambda: export(init_state(config)))
    kind = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (ours, variables))
    assert kind[0] == kind[1]
    np.testing.assert_array_equal(variables["w_avg"], np.tile(nets["Gs"]["dlatent_avg"], (6, 1)))


def test_w_avg_can_be_missing_and_computed(tmp_path):
    nets = random_networks()
    del nets["Gs"]["dlatent_avg"]
    _, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets)))
    mean = variables["w_avg"]
    w = tf_mapping(nets["mapping"], np.random.default_rng(2).standard_normal((20_000, 12)))
    error = w.std(axis=0) * (1 / 10_000 + 1 / 20_000) ** 0.5
    assert mean.shape == (6, 12)
    assert np.all(np.abs(mean - w.mean(axis=0)) < 5 * error)
    assert np.any(np.abs(mean - w.mean(axis=0)) > 0.1 * error)


def test_networks_without_noise(tmp_path):
    nets = random_networks()
    nets["synthesis"] = {name: value for name, value in nets["synthesis"].items() if "oise" not in name}
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets)))
    assert not config.generator.noise
    ours = jax.eval_shape(lambda: export(init_state(config)))
    assert jax.tree.structure(ours) == jax.tree.structure(variables)


def test_an_image_of_1024_pixels(tmp_path):
    nets = random_networks(1024, fmap_max=8)
    config, variables = convert_stylegan(write(tmp_path / "ffhq.pkl", as_tuple(nets)))
    z = np.random.default_rng(1).standard_normal((1, 12), np.float32)
    image = jax.jit(lambda z: generate(config.generator, variables["generator"], variables["w_avg"], z, truncation=1.0))(z)
    assert image.shape == (1, 1024, 1024, 3)
    assert_close(image, tf_synthesis(nets["synthesis"], tf_mapping(nets["mapping"], z)).transpose(0, 2, 3, 1))
