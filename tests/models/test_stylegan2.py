"""StyleGAN2's networks: parity with the original implementation, and closed forms of their parts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.stylegan2 import drawn_state, expected, needs_fixtures, real_images

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, PerceptualConfig
from jaxgan.importers.stylegan2 import Published, convert
from jaxgan.importers.stylegan2_rosinality import generator_state
from jaxgan.losses import make_features
from jaxgan.models.convolutions import ModulatedConv, activate
from jaxgan.models.families import make_discriminator, make_generator
from jaxgan.models.layers import minibatch_stddev
from jaxgan.models.resampling import conv2d_down, conv2d_up, downsample2d, upsample2d
from jaxgan.models.strided import conv2d
from jaxgan.models.stylegan import truncate

CLAMPS = {"ada64": 256.0}
NETWORKS = ("ada64", "ada32_resnet_orig", "ada32_orig_skip", "ada256")
TOLERANCE = 1e-3  # of the expected output's standard deviation


def assert_close(found, wanted, scale=None):
    error = np.abs(np.asarray(found) - wanted).max() / (wanted.std() if scale is None else scale)
    assert error < TOLERANCE


@pytest.fixture(scope="module", params=NETWORKS)
def reference(request):
    """(configuration, networks, expected outputs) of a reference network."""
    clamp = CLAMPS.get(request.param)
    states = (drawn_state(f"{request.param}_{part}") for part in ("generator", "discriminator"))
    made = convert(Published(*states, generator_clamp=clamp, discriminator_clamp=clamp), request.param)
    return *made, expected(request.param)


@needs_fixtures
def test_mapping_and_truncation(reference):
    config, networks, wanted = reference
    w = make_generator(config.generator).apply(networks["generator"], wanted["z"], method="map")
    assert_close(w, wanted["w"])
    assert_close(truncate(w, networks["w_avg"], 0.7, layers=w.shape[1]), wanted["w_psi07"])
    assert_close(truncate(w, networks["w_avg"], 0.7, layers=8), wanted["w_psi07_cutoff8"])


@needs_fixtures
def test_synthesis(reference):
    config, networks, wanted = reference
    render = jax.jit(lambda variables, w: make_generator(config.generator).apply(variables, w, method="synthesize"))
    variables = networks["generator"]
    silent = {**variables, "noise": jax.tree.map(np.zeros_like, variables["noise"])}
    for name, given in (("image_const", variables), ("image_no_noise", silent)):
        assert_close(np.transpose(render(given, wanted["w"][:1]), (0, 3, 1, 2)), wanted[name])


@needs_fixtures
def test_discriminator_and_its_gradient(reference):
    """R1 against its own size: images of noise score alike, and what differs between them is near float32's rounding."""
    config, networks, wanted = reference
    critic = make_discriminator(config.discriminator)

    @jax.jit
    def scores_and_r1(params, images):
        scores, pull_back = jax.vjp(lambda images: critic.apply({"params": params}, images), images)
        (gradient,) = pull_back(jnp.ones_like(scores))
        return scores, jnp.square(gradient).sum(axis=(1, 2, 3))

    scores, r1 = scores_and_r1(networks["stylegan_discriminator"], real_images(config.generator.resolution))
    assert_close(scores, wanted["logits"][:, 0])
    assert_close(r1, wanted["r1"], scale=wanted["r1"].mean())


@needs_fixtures
def test_a_decoder_of_encoders():
    """rosinality's layout: the reference image of e4e's generator, from the latents of its encoder."""
    wanted = expected("e4e256")
    config, networks = convert(Published(generator_state(drawn_state("e4e256_decoder"), "e4e")), "e4e")
    render = jax.jit(lambda variables, w: make_generator(config.generator).apply(variables, w, method="synthesize"))
    image = render(networks["generator"], wanted["codes_plus_average"])
    assert_close(np.transpose(image, (0, 3, 1, 2)), wanted["image"])


# ---- Parts, against their definition spelt out in NumPy ----


def zeros_between(x):
    """[H, W] to [2 H, 2 W] with zeros after each pixel."""
    made = np.zeros((2 * x.shape[0], 2 * x.shape[1]))
    made[::2, ::2] = x
    return made


def correlate(x, kernel):
    """Cross-correlation of [H, W] with [k, l], where the kernel lies within."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape)
    return np.einsum("hwkl,kl->hw", windows, kernel)


FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


@pytest.fixture
def image():
    return np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)


def test_resampling(image):
    x = jnp.asarray(image)[None, :, :, None]
    np.testing.assert_allclose(downsample2d(x)[0, :, :, 0], correlate(np.pad(image, 1), FILTER)[::2, ::2], atol=1e-6)
    enlarged = correlate(np.pad(zeros_between(image), ((2, 1), (2, 1))), 4 * FILTER)
    np.testing.assert_allclose(upsample2d(x)[0, :, :, 0], enlarged, atol=1e-6)


def test_resampling_convolutions(image, form):
    kernel = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)
    x, ours = jnp.asarray(image)[None, :, :, None], jnp.asarray(kernel)[:, :, None, None]
    halved = correlate(correlate(np.pad(image, 2), FILTER), kernel)[::2, ::2]
    np.testing.assert_allclose(conv2d_down(x, ours)[0, :, :, 0], halved, atol=1e-5)
    transposed = correlate(np.pad(zeros_between(image), 2), kernel[::-1, ::-1])[:-1, :-1]  # [2 H + 1, 2 W + 1]
    np.testing.assert_allclose(conv2d_up(x, ours)[0, :, :, 0], correlate(np.pad(transposed, 1), 4 * FILTER), atol=1e-5)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_modulation_is_that_of_the_weights(up, demodulate):
    """A kernel for each image (Karras et al. 2019, equations 1 and 3) against one kernel for all."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((3, 4, 4, 5)), jnp.float32)
    w = jnp.asarray(rng.standard_normal((3, 6)), jnp.float32)
    layer = ModulatedConv(7, demodulate=demodulate, up=up)
    found, params = jax.jit(lambda x, w: layer.init_with_output(jax.random.key(0), x, w))(x, w)
    kernel, style = params["params"]["kernel"], params["params"]["style"]
    scale = w @ style["kernel"] / np.sqrt(6) + style["bias"][None]
    for index in range(3):
        own = kernel * scale[index][None, None, :, None] * (1.0 if demodulate else 1 / np.sqrt(9 * 5))
        if demodulate:
            own = own / jnp.sqrt(jnp.square(own).sum(axis=(0, 1, 2), keepdims=True) + 1e-8)
        plain = (conv2d_up if up else conv2d)(x[index : index + 1], own)
        np.testing.assert_allclose(found[index : index + 1], plain, atol=2e-5)


def test_strided_groups_are_those_of_the_neighbours_reordered():
    """Image i is in group i mod (N / G)."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((6, 2, 2, 3)), jnp.float32)
    order = np.array([0, 2, 4, 1, 3, 5])  # groups of 3: {0, 2, 4} and {1, 3, 5}
    neighbours = minibatch_stddev(x[order], 3)
    np.testing.assert_allclose(minibatch_stddev(x, 3, strided=True)[order], neighbours, rtol=1e-6)
    assert not np.allclose(minibatch_stddev(x, 3)[order], neighbours)


# ---- The interface ----

TINY = GeneratorConfig(
    family="stylegan2", resolution=16, latent_size=8, mapping_layers=2, fmap_base=64, fmap_max=8, tanh=False, separate_w=False
)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_fresh_images_have_about_unit_deviation(architecture):
    """As the variance-preserving initialisation of wide networks promises; residual branches keep it by their gain."""
    config = dataclasses.replace(TINY, architecture=architecture, fmap_base=1024, fmap_max=64, latent_size=64)
    z = jax.random.normal(jax.random.key(0), (4, 64), jnp.float32)
    made = jax.jit(lambda z: make_generator(config).init_with_output(jax.random.key(1), z)[0])(z)
    assert made.shape == (4, 16, 16, 3)
    assert 0.3 < float(made.std()) < 3.0


def test_noise_is_fixed_or_drawn_for_each_image():
    model = make_generator(TINY)
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8), jnp.float32))
    w = jnp.ones((2, TINY.num_layers, 8), jnp.float32)
    render = jax.jit(lambda variables, keys: model.apply(variables, w, keys, method="synthesize"))
    keys = jax.random.split(jax.random.key(2), 2)
    # equal but for rounding: some processors add up the rows of a batch in orders of their own
    np.testing.assert_allclose(*render(variables, keys), rtol=0, atol=1e-5)  # strengths start at 0
    noisy = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.full_like(leaf, 0.5) if "noise_strength" in str(path) else leaf, variables
    )
    fixed, drawn = render(noisy, None), render(noisy, keys)
    np.testing.assert_allclose(*fixed, rtol=0, atol=1e-5)
    assert not np.allclose(drawn[0], drawn[1], atol=0.1)
    np.testing.assert_array_equal(drawn, render(noisy, keys))


def test_a_clamp_follows_activation_and_gain():
    x = jnp.array([[-30.0, -1.0, 1.0, 30.0]], jnp.float32)
    found = activate(x, jnp.ones(4, jnp.float32), gain=0.5, limit=4.0)
    np.testing.assert_allclose(found, [[-2.0, 0.0, 2**0.5, 2.0]], rtol=1e-6)


def test_a_clamp_limits_activations_and_image():
    model = make_generator(dataclasses.replace(TINY, conv_clamp=0.1, architecture="orig"))
    z = jax.random.normal(jax.random.key(0), (2, 8), jnp.float32)
    image = jax.jit(lambda z: model.init_with_output(jax.random.key(1), z)[0])(z)
    assert float(jnp.abs(image).max()) == pytest.approx(0.1)


@pytest.mark.parametrize("condition", ["concatenate", "projection"])
@pytest.mark.parametrize("architecture", ["resnet", "skip"])
def test_a_condition_changes_scores(condition, architecture):
    config = DiscriminatorConfig(
        family="stylegan2", fmap_base=64, fmap_max=8, condition=condition, architecture=architecture, stddev_group=2
    )
    critic, images = make_discriminator(config), jax.random.normal(jax.random.key(0), (2, 16, 16, 3), jnp.float32)
    params = jax.jit(critic.init)(jax.random.key(1), images, images)
    score = jax.jit(critic.apply)
    assert score(params, images, images).shape == (2,)
    assert not np.allclose(score(params, images, images), score(params, images, -images))


def test_features_for_reconstructions_are_a_quarter_as_large():
    config = DiscriminatorConfig(family="stylegan2", fmap_base=64, fmap_max=8, stddev_group=1)
    images = jnp.zeros((1, 32, 32, 3), jnp.float32)
    params = jax.eval_shape(make_discriminator(config).init, jax.random.key(1), images)["params"]
    features = make_features(PerceptualConfig(network="discriminator"), config)
    shape = jax.eval_shape(features, {"stylegan_discriminator": params}, images).shape
    assert shape == (1, 8, 8, 8)


def test_no_growing():
    w = jnp.ones((1, TINY.num_layers, 8), jnp.float32)
    for arguments in ((8, None), (16, jnp.float32(0.5))):
        with pytest.raises(ValueError, match="one resolution, 16"):
            make_generator(TINY).init(jax.random.key(0), w, None, *arguments, method="synthesize")


def test_bfloat16_is_near_float32():
    z = jax.random.normal(jax.random.key(0), (2, 8), jnp.float32)
    variables = jax.jit(make_generator(TINY).init)(jax.random.key(1), z)
    full = jax.jit(make_generator(TINY).apply)(variables, z)
    half = jax.jit(make_generator(dataclasses.replace(TINY, dtype="bfloat16")).apply)(variables, z)
    assert half.dtype == jnp.float32
    assert 0 < float(jnp.abs(half - full).max() / full.std()) < 0.1
