"""A generator tuned to a person draws them, and nobody else is touched."""

import jax
import numpy as np
import optax
import pytest

from jaxgan import Editor
from jaxgan.checkpoints import Loaded
from jaxgan.configs import PerceptualConfig, preset
from jaxgan.data.shape import MEAN_FACE
from jaxgan.models import pipeline
from jaxgan.training import editor as editor_stage
from jaxgan.training import inverter, stylegan
from jaxgan.tuning import strangers

NONE = PerceptualConfig(network="none")
POINTS = (MEAN_FACE * 2 + 4).astype(np.float32)


@pytest.fixture(scope="module")
def editor() -> Editor:
    """An untrained editor that tunes without a perceptual network."""
    before = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    inverts = inverter.export(inverter.init_state(preset("tiny", "inverter"), before))
    config = preset("tiny", "editor")
    edits = editor_stage.export(editor_stage.init_state(config))
    return Editor(Loaded(0, "editor", config, {**before, **inverts, **edits}), NONE)


@pytest.fixture(scope="module")
def portraits(editor):
    return editor.generate([3, 4], truncation=1.0)


def error(made, wanted):
    return np.mean((made.astype(float) - wanted) ** 2)


def test_its_steps_are_those_of_adam_with_a_cosine(editor, portraits):
    config, variables = editor.config.generator, editor._engine.networks["generator"]
    images, latents = pipeline.to_float(portraits), editor.invert(portraits)

    def loss(params):
        return ((pipeline.render(config, {**variables, "params": params}, latents) - images) ** 2).mean()

    params, adam = variables["params"], optax.adam(optax.cosine_decay_schedule(0.01, 3))
    state = adam.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(3):
            update, state = adam.update(jax.jit(jax.grad(loss))(params), state)
            params = optax.apply_updates(params, update)
    found = editor.personalise(portraits, steps=3, learning_rate=0.01, share=1)._engine.networks["generator"]
    # compared by what they draw: Adam makes whole steps of the rounding errors of gradients that are zero
    drawn = [pipeline.render(config, {**variables, "params": each}, latents) for each in (variables["params"], params)]
    ours = pipeline.render(config, found, latents)
    change = np.abs(drawn[0] - drawn[1]).mean()
    assert change > 0.05
    assert np.abs(ours - drawn[1]).mean() < 0.01 * change  # three in a thousand on one processor


def test_the_person_is_drawn_better_and_the_editor_stays_as_it_was(editor, portraits):
    latents = editor.invert(portraits)
    before = editor.render(latents)
    person = editor.personalise(portraits, steps=60, learning_rate=0.01, share=1)
    np.testing.assert_array_equal(person.invert(portraits), latents)
    assert error(person.render(latents), portraits) < 0.5 * error(before, portraits)
    np.testing.assert_array_equal(editor.render(latents), before)
    unchanged = editor.personalise(portraits, steps=2, share=0)
    np.testing.assert_array_equal(unchanged.render(latents), before)


def test_edits_are_tuned_one_by_one_on_the_way(editor, portraits, monkeypatch):
    monkeypatch.setattr("jaxgan.editor.TUNING_STEPS", 4)
    together = editor.edit(portraits, POINTS, personal=True)
    for image, made in zip(portraits, together, strict=True):
        expected = editor.personalise(image, steps=4).edit(image, POINTS)
        assert np.abs(expected[0].astype(int) - made).max() <= 1
    assert (together != editor.edit(portraits, POINTS)).any()
    assert editor.edit([], POINTS, personal=True).shape == (0, 8, 8, 3)


def test_a_saved_person_is_loaded_in_half_precision(editor, portraits, tmp_path):
    person = editor.personalise(portraits[0], steps=4, learning_rate=0.01)
    person.save(tmp_path / "me")
    loaded = Editor.load(tmp_path / "me")
    assert np.abs(loaded.edit(portraits, POINTS).astype(int) - person.edit(portraits, POINTS)).max() <= 2


def test_what_cannot_be_tuned_to_is_refused(editor, portraits):
    with pytest.raises(ValueError, match="personalise needs at least one image"):
        editor.personalise([])
    with pytest.raises(ValueError, match="steps must not be negative"):
        editor.personalise(portraits, steps=-1)
    alone = Editor(Loaded(0, "stylegan", preset("tiny", "stylegan"), editor._engine.networks | {}))
    del alone._engine.networks["inverter"]
    with pytest.raises(ValueError, match="holds no inverter"):
        alone.personalise(portraits)


def test_faces_that_no_chain_links_are_of_strangers():
    near, far = np.zeros(128), np.ones(128)
    link = near + 0.6 * np.eye(128)[0]
    assert strangers(np.stack([near, link, far, link + 0.6 * np.eye(128)[1], far])) == [2, 4]
    assert strangers(near[None]) == [] and strangers(np.zeros((0, 128))) == []


def test_the_identity_term_brings_descriptors_together():
    pytest.importorskip("dlib")
    editor = Editor.pretrained()
    portraits = editor.generate([5], truncation=1.0)
    other = Editor.pretrained().generate([6], truncation=1.0)
    with pytest.raises(ValueError, match=r"pictures of one person; image 1 of 2 \(from 0\) looks like somebody else"):
        editor.personalise(np.concatenate([portraits, other]))
    noisy = np.clip(portraits.astype(int) + np.random.default_rng(0).integers(-40, 40, portraits.shape), 0, 255).astype(
        np.uint8
    )
    points = editor._usual_keypoints[None]

    def distance(weight):
        made = editor.personalise(noisy, steps=3, identity_weight=weight).render(editor.invert(noisy))
        return np.linalg.norm(editor._engine.describe(made, points) - editor._engine.describe(noisy, points))

    assert distance(0.3) < 0.8 * distance(0.0)
