"""The projection discriminator: its score as the published formula, R1, and the editor's training with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import DiscriminatorConfig, override, preset, validate
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.models.stylegan import Discriminator, LandmarkEmbedding
from jaxgan.training import discriminator, editor, inverter, parallel, stylegan
from jaxgan.training.growing import phases

CONFIG = validate(override(preset("tiny", "editor"), ["discriminator.condition=projection", "mismatched_share=0.5"]))
CRITIC, BATCH, R = Discriminator(CONFIG.discriminator), 4, 8


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomly(shapes, change=np.asarray):
    """Arrays change(N(0, 1)) in place of initial ones, which are slow to compile."""
    leaves, tree = jax.tree.flatten(shapes)
    return tree.unflatten([change(normal(seed, *leaf.shape)) for seed, leaf in enumerate(leaves)])


@pytest.fixture(scope="module")
def params():
    """Random parameters of the tiny projection discriminator."""
    images = jnp.zeros((BATCH, R, R, 3))
    shapes = jax.eval_shape(CRITIC.init, jax.random.key(0), images, images)["params"]
    return randomly(shapes)


@pytest.fixture(scope="module")
def score():
    return jax.jit(lambda params, images, condition: CRITIC.apply({"params": params}, images, condition))


IMAGES, CONDITIONS = np.tanh(normal(100, BATCH, R, R, 3)), np.tanh(normal(101, BATCH, R, R, 3))


def test_the_score_is_that_of_the_features_plus_their_product_with_the_embedding(params, score):
    plain, state = CRITIC.apply({"params": params}, IMAGES, capture_intermediates=lambda module, _: module.name == "dense")
    hidden = np.asarray(state["intermediates"]["dense"]["__call__"][0])
    phi = np.where(hidden > 0, hidden, 0.2 * hidden)
    assert phi.shape == (BATCH, 8)
    embedded = LandmarkEmbedding(CONFIG.discriminator).apply({"params": params["embedding"]}, CONDITIONS)
    assert embedded.shape == phi.shape
    product = (np.asarray(embedded) * phi).sum(axis=1) / np.sqrt(8)
    assert np.abs(product).min() > 1e-3
    np.testing.assert_allclose(score(params, IMAGES, CONDITIONS), np.asarray(plain) + product, rtol=1e-4, atol=1e-4)


def test_each_landmark_image_acts_on_its_own_score(params, score):
    changed = CONDITIONS.copy()
    changed[1] *= -1
    moved = np.abs(score(params, IMAGES, changed) - score(params, IMAGES, CONDITIONS)) > 1e-5
    assert moved.tolist() == [False, True, False, False]


def test_the_embedding_tells_drawn_landmarks_apart(params):
    """Shifting any of the five parts by one pixel changes the embedding."""
    points = np.random.default_rng(0).uniform(1.5, 6.5, (68, 2)).astype(np.float32)
    parts = [range(17), range(17, 27), range(27, 36), range(36, 48), range(60, 68)]
    moved = [points + np.isin(np.arange(68), part)[:, None] * np.float32(1) for part in parts]
    images = landmarks_from_keypoints(jnp.asarray(np.stack([points, *moved])), R).image
    embedded = np.asarray(LandmarkEmbedding(CONFIG.discriminator).apply({"params": params["embedding"]}, images))
    assert np.abs(embedded[1:] - embedded[:1]).max(axis=1).min() > 1e-2


def test_widths_at_128():
    model, images = Discriminator(DiscriminatorConfig(condition="projection")), jnp.zeros((4, 128, 128, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), images, images)["params"]
    assert shapes["from_rgb_128"]["kernel"].shape == (1, 1, 3, 128)
    assert shapes["embedding"]["dense"]["kernel"].shape == (16 * 128, 512)
    widths = [shapes["embedding"][f"down_{side}"]["kernel"].shape[-1] for side in (128, 64, 32, 16, 8)]
    assert widths == [64, 128, 128, 128, 128]


def test_r1_is_of_the_portrait_alone(params):
    def scored(params, images, condition):
        return CRITIC.apply({"params": params}, images, condition)

    @jax.jit
    def measured(params, images, conditions):
        pair = images, conditions
        return discriminator.gradients(scored, params, pair, pair, 2.0)[1]["r1"]

    value = measured(params, IMAGES, CONDITIONS)
    gradient = jax.grad(lambda images: scored(params, images, CONDITIONS).sum())(IMAGES)
    np.testing.assert_allclose(value, 2 * np.square(gradient).sum() / BATCH, rtol=1e-4)
    assert abs(measured(params, IMAGES, -CONDITIONS) - value) > 1e-3  # which it depends on, through the product


def test_the_editor_trains_with_it():
    def earlier():
        made = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
        return {**made, **inverter.export(inverter.init_state(preset("tiny", "inverter"), made))}

    frozen = randomly(jax.eval_shape(earlier), np.abs)  # positive, as variances are
    rng, size = np.random.default_rng(0), CONFIG.run.batch_size
    batch = {
        "image": rng.integers(0, 256, (size, R, R, 3), np.uint8),
        "keypoints": rng.uniform(0, R, (size, 68, 2)).astype(np.float32),
        "target_keypoints": rng.uniform(0, R, (size, 68, 2)).astype(np.float32),
    }
    fresh = jax.jit(editor.init_state, static_argnums=0)(CONFIG)
    devices = jax.local_devices()[:1]
    step = parallel.pmap_step(editor.make_train_step(CONFIG, phases(CONFIG)[0], 1.0), devices)
    placed = parallel.replicate(fresh, devices), parallel.replicate(frozen, devices), parallel.put(batch, devices)
    state, metrics = step(*placed)
    assert all(np.isfinite(value) for value in metrics.values()) and metrics["r1"] > 0
    before, after = (jax.device_get(each.params["discriminator"]["embedding"]) for each in (fresh, state))
    for path, leaf in jax.tree.leaves_with_path(before):
        trained = after
        for key in path:
            trained = trained[key.key]
        assert (trained != leaf).any(), path
