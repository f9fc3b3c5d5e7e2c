"""Optimised latents against a loop of Adam written out, image by image; masks, and who influences whom."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import Editor
from jaxgan.checkpoints import Loaded
from jaxgan.configs import PerceptualConfig, preset
from jaxgan.data.shape import MEAN_FACE
from jaxgan.models.inverter import Inverter
from jaxgan.models.stylegan import Discriminator, Generator
from jaxgan.training import editor as editor_stage
from jaxgan.training import inverter, stylegan

RATE = 0.05
BOX = (2, 1, 7, 6)


@pytest.fixture(scope="module")
def loaded():
    """An untrained inverter whose running statistics and noise are drawn, so that no term is trivial."""
    rng = np.random.default_rng(0)
    before = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    before["generator"]["params"]["synthesis"]["layer_1"]["noise_strength"] += 0.1
    config = preset("tiny", "inverter")
    model = inverter.export(inverter.init_state(config, before))
    stats = model["inverter"]["batch_stats"]
    model["inverter"]["batch_stats"] = jax.tree.map(lambda x: x * rng.uniform(0.5, 1.0, x.shape).astype(np.float32), stats)
    return Loaded(0, "inverter", config, {**before, **model})


@pytest.fixture(scope="module")
def editor(loaded):
    return Editor(loaded)


@pytest.fixture(scope="module")
def portraits(editor):
    """Images that the generator can make."""
    return editor.generate(range(5), truncation=1.0)


def as_float(images):
    return np.asarray(images, np.float32) / 127.5 - 1


def mse(a, b):
    """Of each image."""
    return np.square(as_float(a) - as_float(b)).mean(axis=(1, 2, 3))


def adam(loaded, image, steps, encoder_weight, mask=None):
    """w [L, latent] after plain Adam, in float64 NumPy, for one image uint8 [R, R, 3]."""
    config, critic = loaded.config, loaded.networks["stylegan_discriminator"]
    x = jnp.asarray(as_float(image))[None]
    m = jnp.ones_like(x) if mask is None else jnp.asarray(mask)

    def embed(x):
        return Inverter(config.trunk, config.generator).apply(loaded.networks["inverter"], x, False)

    def features(x):
        _, sown = Discriminator(config.discriminator).apply({"params": critic}, x, mutable="intermediates")
        return sown["intermediates"]["features_8"][0]

    @jax.jit
    @jax.grad
    def gradient(w):
        made = Generator(config.generator).apply(loaded.networks["generator"], w, method="synthesize")
        loss = ((x * m - made * m) ** 2).mean() + 0.1 * ((features(x * m) - features(made * m)) ** 2).mean()
        return loss + encoder_weight * ((w - embed(made)) ** 2).mean()

    w = np.asarray(embed(x), np.float64)
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, steps + 1):
        g = np.asarray(gradient(w.astype(np.float32)), np.float64)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        w -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return w[0]


def test_a_few_steps_are_those_of_adam(loaded, editor, portraits):
    made = editor.invert(portraits[:2], steps=4, learning_rate=RATE)
    assert made.shape == (2, 4, 8) and made.dtype == np.float32
    np.testing.assert_allclose(made[1], adam(loaded, portraits[1], 4, 2.0), atol=1e-4)
    without = editor.invert(portraits[:2], steps=4, learning_rate=RATE, encoder_weight=0.0)
    np.testing.assert_allclose(without[1], adam(loaded, portraits[1], 4, 0.0), atol=1e-4)
    assert np.abs(made - without).max() > 0.01


def test_steps_bring_images_closer(editor, portraits):
    before = mse(editor.render(editor.invert(portraits)), portraits)
    after = mse(editor.render(editor.invert(portraits, steps=60, learning_rate=RATE, encoder_weight=0.0)), portraits)
    assert (after < 0.5 * before).all()


def test_the_encoder_term_holds_latents_in_the_domain(editor, portraits):
    def distance(encoder_weight):
        latents = editor.invert(portraits, steps=30, learning_rate=RATE, encoder_weight=encoder_weight)
        return np.square(latents - editor.invert(editor.render(latents))).mean()

    assert distance(2.0) < 0.5 * distance(0.0)


def test_images_do_not_influence_each_other(editor, portraits):
    together = editor.invert(portraits, steps=5)
    others = np.concatenate([portraits[:1], 255 - portraits, np.zeros((12, 8, 8, 3), np.uint8)])
    np.testing.assert_allclose(editor.invert(others, steps=5)[0], together[0], atol=1e-5)
    np.testing.assert_allclose(editor.invert(portraits[0], steps=5)[0], together[0], atol=1e-5)


def test_no_steps_are_the_inverters_latents(editor, portraits):
    np.testing.assert_array_equal(editor.invert(portraits, steps=0, learning_rate=9.0), editor.invert(portraits))


def test_any_number_of_images_and_steps_compiles_once(editor, portraits):
    editor.invert(portraits, steps=1)
    compiled = []
    jax.monitoring.register_event_listener(lambda event, **_: compiled.append(event))
    try:
        editor.invert(portraits[:2], steps=3, learning_rate=0.1, encoder_weight=1.0)
        editor.invert(np.concatenate([portraits] * 4), steps=2)
    finally:
        jax.monitoring.clear_event_listeners()
    assert not [event for event in compiled if "compil" in event]


def test_diffusion_is_adam_under_a_mask(loaded, editor, portraits):
    left, top, right, bottom = BOX
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[:, top:bottom, left:right] = 1
    stitched = portraits[2:4].copy()
    stitched[:, top:bottom, left:right] = portraits[0, top:bottom, left:right]
    made = editor.diffuse(portraits[0], portraits[2:4], BOX, steps=4, learning_rate=RATE)
    assert made.shape == (2, 4, 8)
    np.testing.assert_allclose(made[1], adam(loaded, stitched[1], 4, 0.0, mask), atol=1e-4)
    started = editor.diffuse(portraits[0], portraits[2:4], BOX, steps=0)
    np.testing.assert_array_equal(started, editor.invert(stitched))


def test_diffusion_brings_the_box_closer_and_reads_nothing_else_of_the_target(editor, portraits):
    left, top, right, bottom = BOX
    targets, contexts = portraits[:2], portraits[2:4]

    def inside(latents):
        return mse(editor.render(latents)[:, top:bottom, left:right], targets[:, top:bottom, left:right])

    made = editor.diffuse(targets, contexts, BOX, steps=60, learning_rate=RATE)
    assert (inside(made) < 0.5 * inside(editor.diffuse(targets, contexts, BOX, steps=0))).all()
    elsewhere = 255 - targets
    elsewhere[:, top:bottom, left:right] = targets[:, top:bottom, left:right]
    np.testing.assert_array_equal(editor.diffuse(elsewhere, contexts, BOX, steps=60, learning_rate=RATE), made)


def test_a_box_of_the_whole_image_is_inversion_without_the_encoder(editor, portraits):
    whole = editor.diffuse(portraits[:2], portraits[3], (0, 0, 8, 8), steps=5)
    np.testing.assert_allclose(whole, editor.invert(portraits[:2], steps=5, encoder_weight=0.0), atol=1e-5)


def test_the_default_box_is_the_published_one(editor, portraits):
    np.testing.assert_array_equal(
        editor.diffuse(portraits[0], portraits[1], steps=0),
        editor.diffuse(portraits[0], portraits[1], (2, 3, 6, 6), steps=0),  # (70, 90, 180, 200) of 256
    )


def test_edits_start_from_optimised_latents(loaded, portraits):
    config = preset("tiny", "editor")
    networks = {**loaded.networks, **editor_stage.export(editor_stage.init_state(config))}
    editor = Editor(Loaded(0, "editor", config, networks))
    keypoints = np.tile(MEAN_FACE * 2 + 4, (len(portraits), 1, 1)).astype(np.float32)
    inverted = editor.edit(portraits, keypoints, strength=0.0, steps=5)
    np.testing.assert_array_equal(inverted, editor.render(editor.invert(portraits, steps=5)))
    assert (inverted != editor.edit(portraits, keypoints, strength=0.0)).any()


def with_network(loaded, perceptual):
    config = replace(loaded.config, perceptual=PerceptualConfig())
    return Editor(Loaded(0, "inverter", config, loaded.networks), perceptual)


def test_a_perceptual_network_without_weights_is_named(loaded, portraits, tmp_path):
    with pytest.raises(ValueError, match="needs VGG16.*give Editor.load perceptual=PerceptualConfig"):
        with_network(loaded, None).invert(portraits, steps=1)
    nowhere = PerceptualConfig(vgg16_weights=str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="none.*jaxgan convert vgg16.*give Editor.load"):
        with_network(loaded, nowhere).invert(portraits, steps=1)
    bare = Loaded(0, "inverter", loaded.config, {"inverter": loaded.networks["inverter"], "generator": None})
    with pytest.raises(ValueError, match="needs the StyleGAN's discriminator.*network='none'"):
        Editor(bare).invert(portraits, steps=1)
    without = with_network(loaded, PerceptualConfig(network="none"))
    assert without.invert(portraits, steps=1).shape == (5, 4, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box": (0, 0, 9, 8)}, r"within 8x8 pixels and not empty, got \(0, 0, 9, 8\)"),
        ({"box": (3, 0, 3, 8)}, "not empty"),
        ({"steps": -1}, "steps must not be negative, got -1"),
        ({"contexts": 3}, "2 targets and 3 contexts"),
    ],
)
def test_bad_arguments_are_named(editor, portraits, arguments, message):
    contexts = portraits[: arguments.pop("contexts", 2)]
    with pytest.raises(ValueError, match=message):
        editor.diffuse(portraits[:2], contexts, **arguments)


def test_one_compiled_loop_does_the_same_steps(editor, portraits, monkeypatch):
    """As on accelerators; CPUs take the steps one by one."""
    expected = editor.invert(portraits[:2], steps=5, learning_rate=RATE)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(editor.invert(portraits[:2], steps=5, learning_rate=RATE), expected, atol=1e-5)
