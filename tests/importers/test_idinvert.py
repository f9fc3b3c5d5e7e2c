"""In-domain inversion's published networks: parity with the original implementation, and their way into a checkpoint."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.idinvert import FIXTURES, drawn_state, needs_fixtures, states

from jaxgan import Editor
from jaxgan.commands import convert, prepare
from jaxgan.commands import train as train_command
from jaxgan.data.records import load_split
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


# A network of the same form at 16 pixels, small enough to write to files.
RESOLUTION, LATENT, WIDE, BLOCKS = 16, 8, 6, 2
LAYERS = 2 * BLOCKS + 2


def small_generator() -> dict[str, tuple[int, ...]]:
    keys = {"truncation.w_avg": (LATENT,), "truncation.truncation": (1, LAYERS, 1), "synthesis.lod": ()}
    for i in range(2):
        width = LATENT * (LAYERS if i else 1)
        keys |= {f"mapping.dense{i}.fc.weight": (width, LATENT), f"mapping.dense{i}.wscale.bias": (width,)}
    keys["synthesis.layer0.const"] = (1, WIDE, 4, 4)
    for i in range(LAYERS):
        layer, size = f"synthesis.layer{i}", 4 << (i // 2)
        keys |= {
            f"{layer}.epilogue.bias": (WIDE,),
            f"{layer}.epilogue.apply_noise.weight": (WIDE,),
            f"{layer}.epilogue.apply_noise.noise": (1, 1, size, size),
            f"{layer}.epilogue.style_mod.dense.fc.weight": (2 * WIDE, LATENT),
            f"{layer}.epilogue.style_mod.dense.wscale.bias": (2 * WIDE,),
        }
        if i:
            keys[f"{layer}.conv.weight"] = (WIDE, WIDE, 3, 3)
        if i and i % 2 == 0:
            keys[f"{layer}.blur.kernel"] = (WIDE, 1, 3, 3)
    for i in range(LAYERS // 2):
        keys |= {f"synthesis.output{i}.bias": (3,), f"synthesis.output{i}.conv.weight": (3, WIDE, 1, 1)}
    return keys


def norm_keys(name: str, size: int) -> dict[str, tuple[int, ...]]:
    vectors = {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def small_encoder() -> dict[str, tuple[int, ...]]:
    keys = {"block0.conv.weight": (4, 3, 3, 3), **norm_keys("block0.bn.bn", 4)}
    keys |= {"block1.conv.weight": (8, 4, 1, 1), **norm_keys("block1.bn.bn", 8)}
    for block, hidden, channels, width in ((1, 4, 4, 8), (2, 8, 8, 8)):
        for conv, shape in ((1, (hidden, channels, 3, 3)), (2, (width, hidden, 3, 3))):
            keys |= {f"block{block}.conv{conv}.weight": shape, f"block{block}.wscale{conv}.bias": shape[:1]}
            keys |= norm_keys(f"block{block}.bn{conv}.bn", shape[0])
    return keys | {"block3.fc.weight": (LAYERS * LATENT, 16 * 8), **norm_keys("block3.bn.bn", LAYERS * LATENT)}


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


def test_an_editor_trains_on_converted_networks(workdir, tmp_path, capsys):
    flags = ["--synthetic", "24", "--name", "faces", "--data_dir", str(tmp_path / "data"), "--resolution", str(RESOLUTION)]
    assert prepare.main([*flags, "--test_fraction", "0.34"]) == 0
    run = ["--config", "tiny", "--data_dir", str(tmp_path / "data"), "--dataset", "faces", "--inverter", str(workdir)]
    assert train_command.main(["editor", *run, "--workdir", str(tmp_path / "editor")]) == 1
    assert f"{workdir} holds no StyleGAN discriminator" in capsys.readouterr().err
    run += ["--workdir", str(tmp_path / "editor"), "perceptual.network=none", "run.total_images=8"]
    assert train_command.main(["editor", *run]) == 0
    editor = Editor.load(tmp_path / "editor")
    images, keypoints, _ = load_split(tmp_path / "data", "faces", "test")
    assert editor.edit(images, keypoints).shape == images.shape
