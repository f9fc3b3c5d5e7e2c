"""Generator and discriminator: shapes, where style and noise act, truncation, and bfloat16."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, preset
from jaxgan.models.stylegan import Discriminator, Generator, Mapping, StyledLayer, feature_maps, truncate

TINY = preset("tiny", "stylegan").generator
BATCH, L, W, R = 3, TINY.num_layers, TINY.latent_size, TINY.resolution
RESOLUTIONS = [8, 16, 32, 64, 128, 256, 512, 1024]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def lrelu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def set_params(variables: dict, name: str, change) -> dict:
    """Copy of variables with `change` applied to each leaf called `name`."""

    def leaf(path, value):
        return change(value) if path[-1].key == name else value

    return jax.tree_util.tree_map_with_path(leaf, variables)


def random_variables(model, *inputs) -> dict:
    """NumPy variables ~ N(0, 1) of a model in place of its initial ones, which are slow to compile."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    leaves, tree = jax.tree.flatten(shapes)
    return tree.unflatten([normal(seed, *leaf.shape) for seed, leaf in enumerate(leaves)])


@pytest.fixture(scope="module")
def variables():
    """Variables of the tiny generator without noise."""
    return set_params(random_variables(Generator(TINY), jnp.zeros((1, W))), "noise_strength", np.zeros_like)


@pytest.fixture(scope="module")
def noisy(variables):
    return set_params(variables, "noise_strength", lambda s: 0.3 + 0.1 * normal(1, *s.shape))


@pytest.fixture(scope="module")
def synthesize():
    return jax.jit(lambda variables, w: Generator(TINY).apply(variables, w, method="synthesize"))


@pytest.fixture(scope="module")
def synthesize_fresh():
    return jax.jit(lambda variables, w, keys: Generator(TINY).apply(variables, w, keys, method="synthesize"))


def test_number_of_style_layers():
    counts = [GeneratorConfig(resolution=resolution).num_layers for resolution in RESOLUTIONS]
    assert counts == [4, 6, 8, 10, 12, 14, 16, 18]


def test_feature_maps_follow_the_published_counts():
    for config in (GeneratorConfig(), DiscriminatorConfig()):
        counts = [feature_maps(config, resolution) for resolution in [4, *RESOLUTIONS]]
        assert counts == [512, 512, 512, 512, 256, 128, 64, 32, 16]


def test_paper_generator_has_those_maps_in_each_layer():
    params = jax.eval_shape(Generator(GeneratorConfig()).init, jax.random.key(0), jnp.zeros((1, 512)))["params"]
    synthesis = params["synthesis"]
    assert synthesis["constant"].shape == (1, 4, 4, 512) and "conv" not in synthesis["layer_0"]
    shapes = [synthesis[f"layer_{layer}"]["conv"]["kernel"].shape for layer in range(1, 12)]
    maps = [512] * 8 + [256] * 2 + [128] * 2
    assert shapes == [(3, 3, a, b) for a, b in zip(maps[:-1], maps[1:], strict=True)]
    styles = [synthesis[f"layer_{layer}"]["style"]["kernel"].shape for layer in range(12)]
    assert styles == [(512, 2 * count) for count in maps]
    assert synthesis["to_rgb_128"]["kernel"].shape == (1, 1, 128, 3)


@pytest.mark.parametrize("separate", [True, False])
def test_mapping_equals_its_formula(separate):
    cfg = replace(TINY, separate_w=separate, mapping_layers=3)
    z = normal(0, BATCH, W)
    variables = random_variables(Mapping(cfg), z)
    variables = jax.tree.map(lambda p: 100 * p, variables)
    w = jax.jit(Mapping(cfg).apply)(variables, z)

    x = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-8)
    for i in range(3):
        layer = variables["params"][f"dense_{i}"]
        x = lrelu(x @ (layer["kernel"] * (np.sqrt(2 / W) * 0.01)) + layer["bias"] * 0.01)
    expected = x.reshape(BATCH, L, W) if separate else np.repeat(x[:, None], L, axis=1)
    np.testing.assert_allclose(w, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(w, axis=1).max() > 0.1 if separate else np.ptp(w, axis=1).max() == 0


def test_styled_layer_adds_noise_then_bias_then_normalises_then_styles():
    x, w = normal(0, 2, 4, 4, 5), normal(1, 2, W)
    params = {
        "noise_strength": normal(2, 5),
        "bias": normal(3, 5),
        "style": {"kernel": normal(4, W, 10), "bias": normal(5, 10)},
    }
    noise = normal(6, 1, 4, 4, 1)
    layer = StyledLayer(5, jnp.float32, noise=True, convolve=False)
    result = layer.apply({"params": params, "noise": {"map": noise}}, x, w, None)

    y = lrelu(x + noise * params["noise_strength"] + params["bias"])
    y = (y - y.mean(axis=(1, 2), keepdims=True)) / np.sqrt(y.var(axis=(1, 2), keepdims=True) + 1e-8)
    style = w @ params["style"]["kernel"] / np.sqrt(W) + params["style"]["bias"]
    expected = y * (1 + style[:, None, None, :5]) + style[:, None, None, 5:]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_call_composes_mapping_and_synthesis(variables, synthesize):
    z = normal(0, BATCH, W)
    w, images = jax.jit(lambda z: (Generator(TINY).apply(variables, z, method="map"), Generator(TINY).apply(variables, z)))(z)
    assert w.shape == (BATCH, L, W) and images.shape == (BATCH, R, R, 3) and images.dtype == jnp.float32
    np.testing.assert_allclose(images, synthesize(variables, w), atol=1e-5)


def test_fixed_noise_is_deterministic_and_shared_by_the_batch(noisy, synthesize):
    w = np.repeat(normal(0, 1, L, W), BATCH, axis=0)
    images = synthesize(noisy, w)
    np.testing.assert_array_equal(images, synthesize(noisy, w))
    np.testing.assert_array_equal(images[1:], images[:-1])


def test_fresh_noise_acts_only_through_its_strength(variables, noisy, synthesize, synthesize_fresh):
    w = normal(0, BATCH, L, W)
    one, other = (jax.random.split(jax.random.key(seed), BATCH) for seed in (1, 2))
    np.testing.assert_array_equal(synthesize_fresh(variables, w, one), synthesize_fresh(variables, w, other))
    np.testing.assert_allclose(synthesize_fresh(variables, w, one), synthesize(variables, w), atol=1e-5)
    change = np.abs(synthesize_fresh(noisy, w, one) - synthesize_fresh(noisy, w, other)).mean(axis=(1, 2, 3))
    assert np.all(change > 0.01)


def test_an_image_with_its_own_key_does_not_depend_on_its_batch(noisy, synthesize_fresh):
    w, keys = normal(0, BATCH, L, W), jax.random.split(jax.random.key(1), BATCH)
    images = synthesize_fresh(noisy, w, keys)
    np.testing.assert_array_equal(synthesize_fresh(noisy, w[::-1], keys[::-1])[::-1], images)
    same_w = np.repeat(w[:1], BATCH, axis=0)
    by_noise = synthesize_fresh(noisy, same_w, keys)
    np.testing.assert_array_equal(by_noise[0], images[0])
    assert np.abs(by_noise[1] - by_noise[0]).mean() > 0.01


def test_each_style_acts_on_its_own_layer_and_what_follows(variables):
    @jax.jit
    def activations(w):
        image, state = Generator(TINY).apply(
            variables, w, method="synthesize", capture_intermediates=lambda module, _: isinstance(module, StyledLayer)
        )
        captured = state["intermediates"]["synthesis"]
        return [*(captured[f"layer_{layer}"]["__call__"][0] for layer in range(L)), image]

    w = normal(0, BATCH, L, W)
    base = activations(w)
    for layer in range(L):
        changed = w.copy()
        changed[:, layer] += 1
        same = [np.array_equal(a, b) for a, b in zip(base, activations(changed), strict=True)]
        assert same == [True] * layer + [False] * (L + 1 - layer)


def test_tanh_bounds_the_image(variables, synthesize):
    w = 5 * normal(0, BATCH, L, W)
    linear = jax.jit(lambda w: Generator(replace(TINY, tanh=False)).apply(variables, w, method="synthesize"))(w)
    assert np.abs(linear).max() > 1.5
    np.testing.assert_allclose(synthesize(variables, w), np.tanh(linear), atol=1e-5)


def test_truncation_draws_the_first_eight_layers_to_the_mean():
    w, w_avg = normal(0, BATCH, 12, W), normal(1, 12, W)
    psi = np.array([0.0, 0.7, 1.0], np.float32)
    result = truncate(w, w_avg, psi)
    for b in range(BATCH):
        np.testing.assert_allclose(result[b, :8], psi[b] * w[b, :8] + (1 - psi[b]) * w_avg[:8], atol=1e-6)
        np.testing.assert_allclose(truncate(w, w_avg, float(psi[b]))[b], result[b], atol=1e-6)
    np.testing.assert_allclose(result[:, 8:], w[:, 8:], atol=1e-6)
    np.testing.assert_allclose(truncate(w, w_avg, 0.0, layers=2)[:, 2:], w[:, 2:], atol=1e-6)


@pytest.fixture(scope="module")
def critic():
    """Tiny conditional discriminator: its variables and its jitted apply."""
    model = Discriminator(preset("tiny", "editor").discriminator)
    images = jnp.zeros((4, R, R, 3))
    return {"params": random_variables(model, images, images)["params"]}, jax.jit(model.apply)


def test_discriminator_reads_image_and_condition(critic):
    variables, apply = critic
    images, conditions = np.tanh(normal(0, 4, R, R, 3)), np.tanh(normal(1, 4, R, R, 3))
    scores = apply(variables, images, conditions)
    assert scores.shape == (4,) and scores.dtype == jnp.float32
    assert np.all(np.abs(apply(variables, images, -conditions) - scores) > 1e-4)
    assert np.all(np.abs(apply(variables, -images, conditions) - scores) > 1e-4)


def test_discriminator_scores_depend_on_their_stddev_group_only(critic):
    variables, apply = critic
    images, conditions = np.tanh(normal(0, 4, R, R, 3)), np.tanh(normal(1, 4, R, R, 3))
    changed = images.copy()
    changed[3] *= -1
    moved = np.abs(apply(variables, changed, conditions) - apply(variables, images, conditions)) > 1e-6
    assert moved.tolist() == [False, False, True, True]


def test_discriminator_shapes_and_features_at_128():
    model, images = Discriminator(DiscriminatorConfig()), jnp.zeros((4, 128, 128, 3))
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    conditional = jax.eval_shape(model.init, jax.random.key(0), images, images)
    assert variables["params"]["from_rgb_128"]["kernel"].shape == (1, 1, 3, 128)
    assert conditional["params"]["from_rgb_128"]["kernel"].shape == (1, 1, 6, 128)
    assert variables["params"]["conv_4"]["kernel"].shape == (3, 3, 513, 512)
    scores, state = jax.eval_shape(lambda v: model.apply(v, images, mutable="intermediates"), variables)
    assert scores.shape == (4,)
    shapes = {name: leaf[0].shape for name, leaf in state["intermediates"].items()}
    counts = {8: 512, 16: 512, 32: 512, 64: 256, 128: 128}
    assert shapes == {f"features_{size}": (4, size, size, count) for size, count in counts.items()}


def test_bfloat16_stays_near_float32(noisy, synthesize, critic):
    half = Generator(replace(TINY, dtype="bfloat16"))
    kept = jax.eval_shape(half.init, jax.random.key(0), jnp.zeros((1, W)))
    assert {leaf.dtype for leaf in jax.tree.leaves(kept)} == {jnp.dtype("float32")}
    w = normal(0, 4, L, W)
    images = jax.jit(lambda w: half.apply(noisy, w, method="synthesize"))(w)
    full = synthesize(noisy, w)
    assert images.dtype == jnp.float32
    assert 0 < np.abs(images - full).max() and np.abs(images - full).mean() < 0.02 * np.std(full)

    variables, apply = critic
    half = Discriminator(replace(preset("tiny", "editor").discriminator, dtype="bfloat16"))
    scores = jax.jit(half.apply)(variables, full, full)
    assert scores.dtype == jnp.float32
    np.testing.assert_allclose(scores, apply(variables, full, full), atol=0.03)
