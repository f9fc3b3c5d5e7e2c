"""The encoders pSp and e4e: parity with the original implementations, and their way into an Editor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.pyramid_files import LAYERS, encoder_state, write
from helpers.stylegan2 import drawn_state, expected, needs_fixtures
from helpers.stylegan2_files import LATENT

from jaxgan import Editor
from jaxgan.checkpoints.loading import load
from jaxgan.commands import convert as command
from jaxgan.configs import GeneratorConfig, validate
from jaxgan.errors import WeightsError
from jaxgan.importers.pyramid import convert_pyramid, encoder_variables
from jaxgan.models.families import make_generator, make_inverter
from jaxgan.models.pyramid import enlarge
from jaxgan.training.inverter import export, init_state

torch = pytest.importorskip("torch")


@needs_fixtures
@pytest.mark.parametrize("kind", ["e4e", "psp"])
def test_codes_are_the_references(kind):
    wanted, config = expected(f"{kind}256"), GeneratorConfig(family="stylegan2", resolution=256)
    average = (np.float32(0.1) * np.random.RandomState(9).randn(14, 512)).astype(np.float32)
    trunk, variables = encoder_variables(kind, drawn_state(f"{kind}256_encoder"), config, average, kind)
    invert = jax.jit(lambda variables, images: make_inverter(trunk, config).apply(variables, images, False))
    codes = np.asarray(invert(variables, wanted["input"].transpose(0, 2, 3, 1)))
    assert np.abs(codes - wanted["codes_plus_average"]).max() < 1e-3 * wanted["codes_plus_average"].std()
    assert np.abs(codes - average - wanted["codes"]).max() < 1e-3 * wanted["codes"].std()


def test_enlarging_is_bilinear_between_corners():
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    nchw = torch.from_numpy(x.transpose(0, 3, 1, 2))
    theirs = torch.nn.functional.interpolate(nchw, scale_factor=2, mode="bilinear", align_corners=True).numpy()
    np.testing.assert_allclose(enlarge(jnp.asarray(x)), theirs.transpose(0, 2, 3, 1), atol=1e-6)


# ---- A narrow encoder of a small generator ----


def latents_of(made, images):
    config, networks = made
    inverter = make_inverter(config.trunk, config.generator)
    return np.asarray(jax.jit(lambda variables: inverter.apply(variables, images, False))(networks["inverter"]))


def test_e4e_adds_the_first_latent_to_the_others(tmp_path):
    path = write(tmp_path / "net.pt", encoder_state())
    images = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (2, 16, 16, 3)), jnp.float32)
    psp, e4e = (latents_of(convert_pyramid(kind, path), images) for kind in ("psp", "e4e"))
    average = np.linspace(-1, 1, LAYERS * LATENT).reshape(LAYERS, LATENT)
    assert psp.std(axis=0).max() > 1e-3
    np.testing.assert_array_equal(e4e[:, 0], psp[:, 0])
    np.testing.assert_allclose(e4e[:, 1:], psp[:, 1:] + (psp[:, :1] - average[:1]), atol=1e-5)
    whole = write(tmp_path / "whole.pt", encoder_state(), opts={"start_from_latent_avg": False})
    np.testing.assert_allclose(latents_of(convert_pyramid("psp", whole), images), psp - average, atol=1e-5)


def test_the_command_makes_an_editor_that_inverts(tmp_path, capsys):
    path, out = write(tmp_path / "net.pt", encoder_state()), tmp_path / "out"
    assert command.main(["e4e", "--weights", str(path), "--out", str(out)]) == 0
    assert "NVIDIA Source Code License" in capsys.readouterr().out
    loaded, images = load(out), np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3), np.uint8)
    assert validate(loaded.config).trunk.kind == "e4e"
    editor = Editor.load(out)
    latents = editor.invert(images)
    wanted = latents_of((loaded.config, loaded.networks), jnp.asarray(images, jnp.float32) / 127.5 - 1)
    np.testing.assert_allclose(latents, wanted, atol=1e-4 * wanted.std())
    generator = make_generator(loaded.config.generator)
    image = generator.apply(loaded.networks["generator"], latents, method="synthesize")
    pixels = np.round((np.clip(image, -1, 1) + 1) * 127.5)
    assert np.abs(editor.render(latents) - pixels).max() <= 1


def test_variables_are_those_of_a_training(tmp_path):
    config, networks = convert_pyramid("psp", write(tmp_path / "net.pt", encoder_state()))
    critic = {"stylegan_discriminator": {}}
    ours = jax.eval_shape(lambda: export(init_state(config, {**networks, **critic})))["inverter"]
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (ours, networks["inverter"]))
    assert shapes[0] == shapes[1]


def test_files_that_do_not_fit_are_named(tmp_path):
    encoder = encoder_state()
    del encoder["body.3.shortcut_layer.0.weight"]
    encoder["styles.5.linear.bias"] = np.zeros(3, np.float32)
    encoder["styles.6.linear.bias"] = np.zeros(LATENT, np.float32)
    with pytest.raises(WeightsError) as caught:
        convert_pyramid("psp", write(tmp_path / "net.pt", encoder))
    for part in (
        "net.pt: not the weights of the encoder psp of a 16 px generator",
        "missing body.3.shortcut_layer.0.weight",
        f"styles.5.linear.bias has shape (3,), not ({LATENT},)",
        "unexpected styles.6.linear.bias",
    ):
        assert part in str(caught.value)
    torch.save({"g_ema": {}}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="other.pt: holds no encoder"):
        convert_pyramid("psp", tmp_path / "other.pt")
