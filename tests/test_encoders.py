"""The inverter and the editor's encoders: shapes, batch statistics, what each reads."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.config import EncoderConfig, GeneratorConfig, TrunkConfig
from jaxgan.data.drawing import landmarks_from_keypoints
from jaxgan.models.editor import Encoder
from jaxgan.models.inverter import AXIS, Inverter, batch_norm
from jaxgan.presets import preset

CONFIG = preset("tiny", "editor")
LAYERS, LATENT = CONFIG.generator.num_layers, CONFIG.generator.latent_size


def shapes_of(module, *inputs):
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs))
    flat = jax.tree_util.tree_flatten_with_path(variables["params"])[0]
    return {"/".join(key.key for key in path): leaf.shape for path, leaf in flat}


def test_the_published_inverter_has_the_published_widths():
    images = jnp.zeros((1, 128, 128, 3), jnp.float32)
    shapes = shapes_of(Inverter(TrunkConfig(), GeneratorConfig()), images, False)
    assert shapes["trunk/stem/kernel"] == (3, 3, 3, 64)
    widths = [64, 128, 256, 512, 1024, 1024]
    for resolution, before, after in zip((64, 32, 16, 8, 4), widths[:-1], widths[1:], strict=True):
        block = f"trunk/block_{resolution}"
        hidden = min(before, after)
        assert shapes[f"{block}/conv_0/kernel"] == (3, 3, before, hidden)
        assert shapes[f"{block}/conv_1/kernel"] == (3, 3, hidden, after)
        assert shapes.get(f"{block}/shortcut/kernel") == ((1, 1, before, after) if before != after else None)
    assert shapes["head/kernel"] == (4 * 4 * 1024, 12 * 512)
    assert not [name for name in shapes if name.endswith("scale")]  # centred, not scaled


def test_the_published_difference_encoder_has_the_published_widths():
    latents = jnp.zeros((1, 12, 512), jnp.float32)
    landmarks = landmarks_from_keypoints(jnp.zeros((1, 68, 2), jnp.float32), 128)
    shapes = shapes_of(Encoder(EncoderConfig(), GeneratorConfig()), None, latents, landmarks, False)
    assert shapes["difference/landmark_dense/kernel"] == (4 * 4 * 1024, 160)
    assert shapes["difference/latent_dense/kernel"] == (12, 512, 32)
    assert shapes["difference/head/kernel"] == (12, 192, 512)
    keypoint = EncoderConfig(kind="keypoint")
    assert shapes_of(Encoder(keypoint, GeneratorConfig()), None, latents, landmarks, False)[
        "difference/landmark_dense/kernel"
    ] == (136, 160)


def inputs(seed=0, batch=8):
    rng, resolution = np.random.default_rng(seed), CONFIG.generator.resolution
    images = jnp.asarray(rng.uniform(-1, 1, (batch, resolution, resolution, 3)), jnp.float32)
    latents = jnp.asarray(rng.standard_normal((batch, LAYERS, LATENT)), jnp.float32)
    return images, latents, landmarks_from_keypoints(rng.uniform(0, resolution, (batch, 68, 2)), resolution)


@pytest.mark.parametrize(
    ("kind", "reads"),
    [
        ("latent_difference", {"latents", "drawing"}),
        ("keypoint", {"latents", "keypoints"}),
        ("naive", {"images", "drawing"}),
    ],
)
def test_each_encoder_reads_its_inputs_and_no_others(kind, reads):
    encoder = Encoder(dataclasses.replace(CONFIG.encoder, kind=kind), CONFIG.generator)
    images, latents, landmarks = inputs()
    variables = encoder.init(jax.random.key(0), images, latents, landmarks, False)
    apply = jax.jit(lambda images, latents, landmarks: encoder.apply(variables, images, latents, landmarks, False))
    before = apply(images, latents, landmarks)
    assert before.shape == latents.shape
    changed = {
        "images": (images * 0.5, latents, landmarks),
        "latents": (images, latents * 0.5, landmarks),
        "drawing": (images, latents, landmarks._replace(image=-landmarks.image)),
        "keypoints": (images, latents, landmarks._replace(keypoints=-landmarks.keypoints)),
    }
    assert {name for name, other in changed.items() if (apply(*other) != before).any()} == reads


def test_a_shift_scale_of_zero_starts_as_no_edit():
    encoder = Encoder(dataclasses.replace(CONFIG.encoder, shift_scale_init=0.0), CONFIG.generator)
    images, latents, landmarks = inputs()
    variables = encoder.init(jax.random.key(0), images, latents, landmarks, False)
    np.testing.assert_array_equal(encoder.apply(variables, images, latents, landmarks, False), latents)


def test_the_published_shift_has_unit_variance_in_every_coordinate():
    encoder = Encoder(CONFIG.encoder, CONFIG.generator)
    images, latents, landmarks = inputs(batch=64)
    variables = encoder.init(jax.random.key(0), images, latents, landmarks, False)

    def train(latents, drawing, keypoints):
        both = landmarks._replace(image=drawing, keypoints=keypoints)
        return encoder.apply(variables, None, latents, both, True, mutable=["batch_stats"])[0]

    edited = jax.vmap(train, axis_name=AXIS)(latents[None], landmarks.image[None], landmarks.keypoints[None])[0]
    shift = np.asarray(edited - latents)
    np.testing.assert_allclose(shift.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(shift.var(axis=0), 1.0, atol=0.02)


def test_batch_statistics_over_devices_are_those_of_the_whole_batch():
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, (4, 6, 5)).astype(np.float32)
    norm = batch_norm(train=True, name="norm")
    variables = batch_norm(train=False, name="norm").init(jax.random.key(0), x[0])

    def apply(x):
        return norm.apply(variables, x, mutable=["batch_stats"])

    normalised, updates = jax.pmap(apply, axis_name=AXIS)(x)
    flat = x.reshape(-1, 5)
    expected = (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-5)
    np.testing.assert_allclose(np.asarray(normalised).reshape(-1, 5), expected, atol=2e-5)
    for device in range(4):
        running = jax.tree.map(lambda leaf, device=device: np.asarray(leaf[device]), updates["batch_stats"])
        np.testing.assert_allclose(running["mean"], 0.1 * flat.mean(axis=0), rtol=1e-5)  # 0.9 of the initial 0
        np.testing.assert_allclose(running["var"], 0.9 + 0.1 * flat.var(axis=0), rtol=1e-4)
