"""StyleGAN's building blocks against compositions of plain operations and naive NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgan.models import layers
from jaxgan.models.layers import EqualizedConv, EqualizedDense, LayerwiseDense
from jaxgan.models.strided import conv2d, upscale_conv2d


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(actual, expected, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def double_then_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return conv2d(jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2), kernel)


def convolve_then_mean(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return layers.downscale2d(conv2d(x, kernel))


RESCALING = pytest.mark.parametrize(
    "fused, composed",
    [(upscale_conv2d, double_then_convolve), (layers.downscale_conv2d, convolve_then_mean)],
    ids=["up", "down"],
)


def test_conv2d_is_cross_correlation_with_a_zero_border():
    x, kernel = normal(0, 2, 6, 5, 3), normal(1, 3, 3, 3, 2)
    expected = np.zeros((2, 6, 5, 2), np.float32)
    for b, i, o in np.ndindex(2, 3, 2):
        expected[b, :, :, o] += ndimage.correlate(x[b, :, :, i], kernel[:, :, i, o], mode="constant")
    assert_close(conv2d(x, kernel), expected)


@RESCALING
@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 6, 8, 2)])
def test_rescaling_convolution_equals_its_two_steps(fused, composed, shape, form):
    x, kernel = normal(0, *shape), normal(1, 3, 3, shape[-1], 5)
    expected = composed(x, kernel)
    assert expected.shape == fused(x, kernel).shape
    assert_close(fused(x, kernel), expected)


@RESCALING
def test_rescaling_convolution_has_the_gradients_of_its_two_steps(fused, composed, form):
    x, kernel = normal(0, 2, 4, 6, 3), normal(1, 3, 3, 3, 4)

    def gradients(convolve):
        def score(x, kernel):
            return jnp.sum(jnp.sin(convolve(x, kernel)))

        def penalty(x, kernel):  # as in R1: the gradient of a squared gradient
            return jnp.sum(jnp.square(jax.grad(score)(x, kernel)))

        return jax.jit(lambda x, k: (jax.grad(score, (0, 1))(x, k), jax.grad(penalty, (0, 1))(x, k)))(x, kernel)

    jax.tree.map(lambda a, b: assert_close(a, b, 1e-3), gradients(fused), gradients(composed))


def test_blur_is_the_binomial_filter_with_a_zero_border():
    x = normal(0, 2, 5, 6, 3)
    weights = np.outer([1, 2, 1], [1, 2, 1])[None, :, :, None] / 16
    assert_close(layers.blur(x), ndimage.convolve(x, weights, mode="constant", cval=0.0))


def test_downscale2d_is_the_mean_of_blocks():
    x = normal(0, 2, 4, 6, 3)
    expected = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    assert_close(layers.downscale2d(x), expected)


def test_pixel_norm_gives_unit_mean_square():
    x = normal(0, 3, 16) * np.array([[0.1], [1.0], [30.0]], np.float32)
    norm = np.sqrt((x.astype(np.float64) ** 2).mean(axis=-1, keepdims=True) + 1e-8)
    assert_close(layers.pixel_norm(x), x / norm)
    assert_close(jnp.mean(jnp.square(layers.pixel_norm(x)), axis=-1), np.ones(3))
    assert np.all(layers.pixel_norm(jnp.zeros((1, 4))) == 0)


def test_adain_normalises_each_map_and_modulates_it():
    x, style = 5 * normal(0, 2, 4, 6, 3) + 2, normal(1, 2, 6)
    expected = np.empty_like(x)
    for b, c in np.ndindex(2, 3):
        plane = x[b, :, :, c].astype(np.float64)
        normalised = (plane - plane.mean()) / np.sqrt(plane.var() + 1e-8)
        expected[b, :, :, c] = normalised * (1 + style[b, c]) + style[b, 3 + c]
    assert_close(layers.modulate(layers.instance_norm(x), style), expected)


def test_instance_norm_takes_bfloat16_statistics_in_float32():
    x = (normal(0, 1, 8, 8, 2) + 20).astype(jnp.bfloat16)
    full = np.asarray(x, np.float64)
    expected = (full - full.mean(axis=(1, 2))) / full.std(axis=(1, 2))
    result = layers.instance_norm(x)
    assert result.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(result, np.float64), expected, rtol=2**-8, atol=1e-4)


@pytest.mark.parametrize("batch, group, used", [(8, 4, 4), (8, 2, 2), (3, 4, 3), (4, 1, 1)])
def test_minibatch_stddev_is_the_mean_deviation_within_each_group(batch, group, used):
    x = normal(0, batch, 2, 3, 5)
    result = layers.minibatch_stddev(x, group)
    assert result.shape == (batch, 2, 3, 6)
    np.testing.assert_array_equal(result[..., :5], x)
    for b in range(batch):
        first = b // used * used
        deviations = [x[first : first + used, i, j, c].std() for i, j, c in np.ndindex(2, 3, 5)]
        assert_close(result[b, :, :, 5], np.full((2, 3), np.mean(deviations)), 2e-4)


def test_minibatch_stddev_does_not_depend_on_the_number_of_devices():
    x = normal(0, 8, 2, 2, 3)
    whole = layers.minibatch_stddev(x, 2)
    for devices in (2, 4):
        shares = np.split(x, devices)
        assert_close(np.concatenate([layers.minibatch_stddev(share, 2) for share in shares]), whole, 1e-6)


def test_minibatch_stddev_names_batch_and_group_that_do_not_fit():
    with pytest.raises(ValueError, match="batch of 6 images .* group of 4"):
        layers.minibatch_stddev(jnp.zeros((6, 2, 2, 1)), 4)


@pytest.mark.parametrize("gain, lr_multiplier", [(np.sqrt(2), 1.0), (1.0, 1.0), (np.sqrt(2), 0.01)])
def test_equalized_dense_scales_its_weights_at_run_time(gain, lr_multiplier):
    x = normal(0, 3, 50)
    params = {"kernel": normal(1, 50, 7), "bias": normal(2, 7)}
    layer = EqualizedDense(7, gain=gain, lr_multiplier=lr_multiplier)
    expected = x @ params["kernel"] * (gain * lr_multiplier / np.sqrt(50)) + params["bias"] * lr_multiplier
    assert_close(layer.apply({"params": params}, x), expected)


@pytest.mark.parametrize("rescale", [None, "up", "down"])
def test_equalized_conv_scales_its_weights_at_run_time(rescale):
    x, kernel = normal(0, 2, 4, 4, 3), normal(1, 3, 3, 3, 5)
    step = {None: conv2d, "up": double_then_convolve, "down": convolve_then_mean}[rescale]
    result = EqualizedConv(5, rescale=rescale).apply({"params": {"kernel": kernel}}, x)
    assert_close(result, step(x, kernel) * np.float32(np.sqrt(2 / 27)))


def test_equalized_1x1_conv_is_a_product_over_channels():
    x, kernel = normal(0, 2, 4, 5, 3), normal(1, 1, 1, 3, 6)
    result = EqualizedConv(6, kernel_size=1, gain=1.0).apply({"params": {"kernel": kernel}}, x)
    assert_close(result, x @ kernel[0, 0] / np.sqrt(3))


def test_equalized_layers_start_with_unit_variance_and_zero_bias():
    def init(key):
        dense = EqualizedDense(300).init(key, jnp.zeros((1, 200)))
        return dense["params"], EqualizedConv(100).init(key, jnp.zeros((1, 4, 4, 60)))["params"]

    dense, conv = jax.jit(init)(jax.random.key(0))
    assert np.std(dense["kernel"]) == pytest.approx(1, abs=0.01) and np.std(conv["kernel"]) == pytest.approx(1, abs=0.01)
    assert dense["bias"].shape == (300,) and not np.any(dense["bias"])
    assert conv.keys() == {"kernel"}


def test_lr_multiplier_leaves_the_start_alone_and_scales_a_step():
    rate, multiplier, gain = 0.1, 0.01, float(np.sqrt(2))
    x = normal(0, 4, 20)
    plain, slow = EqualizedDense(6), EqualizedDense(6, lr_multiplier=multiplier)
    params = {layer: layer.init(jax.random.key(0), x)["params"] for layer in (plain, slow)}
    assert_close(params[slow]["kernel"], params[plain]["kernel"] / multiplier)
    assert_close(slow.apply({"params": params[slow]}, x), plain.apply({"params": params[plain]}, x))

    # Adam's first step moves every weight by the rate, whatever its gradient: the output moves by a known amount.
    for layer, effect in ((plain, 1.0), (slow, multiplier)):
        stepped = jax.tree.map(lambda p: p + rate, params[layer])
        moved = layer.apply({"params": stepped}, x) - layer.apply({"params": params[layer]}, x)
        by_kernel = rate * gain / np.sqrt(20) * x.sum(axis=1, keepdims=True)
        assert_close(moved, np.broadcast_to(effect * (by_kernel + rate), (4, 6)), 1e-5)


def test_layerwise_dense_is_one_dense_layer_for_each_style_layer():
    x, kernel = normal(0, 3, 4, 10), normal(1, 4, 10, 6)
    result = LayerwiseDense(6).apply({"params": {"kernel": kernel}}, x)
    for layer in range(4):
        assert_close(result[:, layer], x[:, layer] @ kernel[layer] / np.sqrt(10))


@pytest.mark.parametrize("layer", [EqualizedDense(4), EqualizedConv(4, rescale="up"), EqualizedConv(4, kernel_size=1)])
def test_bfloat16_layers_keep_float32_parameters(layer):
    layer = layer.clone(dtype=jnp.bfloat16)
    variables = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((2, 4, 4, 3)))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert jax.eval_shape(layer.apply, variables, jnp.zeros((2, 4, 4, 3))).dtype == jnp.bfloat16
