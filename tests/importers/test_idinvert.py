"""In-domain inversion's published networks: parity with the original implementation, and their way into a checkpoint."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.idinvert import (
    FIXTURES,
    LATENT,
    RESOLUTION,
    drawn_state,
    needs_fixtures,
    small_encoder,
    small_generator,
    states,
)

from jaxgan import Editor
from jaxgan.commands import convert
from jaxgan.errors import WeightsError
from jaxgan.importers.idinvert import convert_idinvert
from jaxgan.models.inverter import Inverter
from jaxgan.models.pipeline import to_float, to_uint8
from jaxgan.models.stylegan import Generator, truncate

TOLERANCE = 1e-4  # of the expected output's standard deviation


def assert_close(found, expected):
    error = np.abs(np.asarray(found) - expected).max() / expected.std()
    assert error < TOLERANCE


@pytest.fixture(scope="module")
def converted():
    return convert_idinvert(*states(), "generator.pth", "encoder.pth")


@pytest.fixture(scope="module")
def expected():
    with np.load(FIXTURES / "expected.npz") as archive:
        return {name: archive[name] for name in archive.files}


@needs_fixtures
def test_mapping_and_truncation(converted, expected):
    config, networks = converted
    w = Generator(config.generator).apply(networks["generator"], jnp.asarray(expected["z"]), method="map")
    assert_close(w, expected["wplus_before_truncation"])
    assert_close(truncate(w, networks["w_avg"], 0.7), expected["wplus"])


@needs_fixtures
def test_synthesis_with_fixed_noise(converted, expected):
    config, networks = converted
    image = Generator(config.generator).apply(networks["generator"], jnp.asarray(expected["wplus"]), method="synthesize")
    assert_close(np.transpose(image, (0, 3, 1, 2)), expected["synthesis"])


@needs_fixtures
def test_encoder(converted, expected):
    config, networks = converted
    image = jnp.asarray(expected["image"].transpose(0, 2, 3, 1))
    assert_close(Inverter(config.trunk, config.generator).apply(networks["inverter"], image, False), expected["code"])


@pytest.fixture(scope="module")
def small_states():
    return drawn_state(small_generator()), drawn_state(small_encoder())


def test_the_architecture_is_read_off_the_tensors(small_states):
    config, _ = convert_idinvert(*small_states, "generator.pth", "encoder.pth")
    generator = config.generator
    assert (generator.resolution, generator.latent_size, generator.mapping_layers) == (RESOLUTION, LATENT, 2)
    assert generator.separate_w and generator.tanh and generator.noise
    assert (config.trunk.width, config.trunk.max_width) == (4, 8)


def test_w_avg_is_computed_where_it_is_missing(small_states):
    generator, encoder = dict(small_states[0]), small_states[1]
    del generator["truncation.w_avg"]
    config, networks = convert_idinvert(generator, encoder, "generator.pth", "encoder.pth")
    z = np.random.default_rng(0).standard_normal((5000, LATENT), np.float32)
    w = Generator(config.generator).apply(networks["generator"], jnp.asarray(z), method="map")
    error = np.std(w, axis=0) * (1 / 5_000 + 1 / 10_000) ** 0.5
    assert np.all(np.abs(networks["w_avg"] - np.mean(w, axis=0)) < 5 * error)


@pytest.mark.parametrize(
    ("network", "change", "message"),
    [
        (0, {"synthesis.layer3.conv.weight": None}, "generator.pth: .* missing synthesis.layer3.conv.weight"),
        (0, {"mapping.dense0.fc.weight": np.zeros((3, 8), np.float32)}, r"mapping.dense0.fc.weight has shape \(3, 8\)"),
        (0, {"extra": np.zeros(1, np.float32)}, "unexpected extra"),
        (0, {"synthesis.layer0.epilogue.bias": None}, "missing synthesis.layer0.epilogue.bias"),
        (0, {"synthesis.output2.bias": np.full(3, np.nan, np.float32)}, "synthesis.output2.bias holds NaN"),
        (1, {"block1.bn2.bn.running_var": None}, "encoder.pth: .* missing block1.bn2.bn.running_var"),
        (1, {"block3.fc.weight": np.zeros((48, 16), np.float32)}, r"block3.fc.weight has shape \(48, 16\), not \(48, 128\)"),
    ],
)
def test_misfits_are_named(small_states, network, change, message):
    changed = [dict(state) for state in small_states]
    changed[network] = {name: value for name, value in {**changed[network], **change}.items() if value is not None}
    with pytest.raises(WeightsError, match=message):
        convert_idinvert(*changed, "generator.pth", "encoder.pth")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, small_states):
    """The checkpoint that the command makes of two .pth files."""
    torch = pytest.importorskip("torch")

    folder = tmp_path_factory.mktemp("idinvert")
    for name, state in zip(("generator", "encoder"), small_states, strict=True):
        torch.save({key: torch.from_numpy(np.array(value)) for key, value in state.items()}, folder / f"{name}.pth")
    files = ["--generator", str(folder / "generator.pth"), "--encoder", str(folder / "encoder.pth")]
    assert convert.main(["idinvert", *files, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_the_command_makes_a_checkpoint_that_inverts_and_generates(workdir, small_states):
    editor = Editor.load(workdir)
    images = np.random.default_rng(0).integers(0, 256, (3, RESOLUTION, RESOLUTION, 3), np.uint8)
    config, networks = convert_idinvert(*small_states, "generator.pth", "encoder.pth")
    latents = Inverter(config.trunk, config.generator).apply(networks["inverter"], to_float(jnp.asarray(images)), False)
    np.testing.assert_allclose(editor.invert(images), latents, atol=1e-5)
    rendered = Generator(config.generator).apply(networks["generator"], latents, method="synthesize")
    assert np.abs(editor.render(latents).astype(int) - np.asarray(to_uint8(rendered))).max() <= 1
    assert editor.generate([0, 1]).shape == (2, RESOLUTION, RESOLUTION, 3)


def test_a_second_conversion_leaves_the_first_alone(workdir, capsys):
    files = ["--generator", str(workdir.parent / "generator.pth"), "--encoder", str(workdir.parent / "encoder.pth")]
    assert convert.main(["idinvert", *files, "--out", str(workdir)]) == 1
    assert "holds networks already" in capsys.readouterr().err
