"""VGG16: parity with torchvision's network, and the way its weights come in; the weights of the parity fixtures."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.reference import converted, drawn_state, fixture_arrays, needs_fixtures

from jaxgan import storage
from jaxgan.commands import convert
from jaxgan.errors import DamagedError, WeightsError
from jaxgan.importers.vgg16 import TORCHVISION_INDEX, vgg16_params
from jaxgan.models.features import vgg16 as features
from jaxgan.models.features.weights import load_vgg16


@pytest.fixture(scope="module")
def torch_state() -> dict[str, np.ndarray]:
    """A state dict with torchvision's names and shapes, drawn at random; one layer above relu4_3 comes along."""
    rng, state = np.random.default_rng(0), {}
    shapes = features.vgg16_layers().values()
    for index, (inputs, width) in zip(TORCHVISION_INDEX, shapes, strict=True):
        state[f"features.{index}.weight"] = rng.standard_normal((width, inputs, 3, 3), np.float32) / (3 * inputs**0.5)
        state[f"features.{index}.bias"] = rng.standard_normal(width, np.float32)
    state["classifier.0.bias"] = np.zeros(4096, np.float32)
    return state


@pytest.fixture(scope="module")
def folder(tmp_path_factory, torch_state) -> Path:
    """`torch_state` after `convert vgg16`, through the command itself."""
    return converted(tmp_path_factory.mktemp("vgg16"), "vgg16", torch_state)


@needs_fixtures
def test_relu4_3_matches_the_original_network():
    params = vgg16_params({f"features.{name}": value for name, value in drawn_state("vgg16_features").items()}, "fixture")
    images, stored = fixture_arrays("images_uint8", "vgg16_relu4_3")
    images = jnp.asarray(images[:2].transpose(0, 2, 3, 1), jnp.float32) / 127.5 - 1
    output = np.asarray(features.VGG16().apply({"params": params}, images)).transpose(0, 3, 1, 2)
    expected = stored.astype(np.float32)
    # float16 storage moved each expected value by up to half its spacing (0.004 at 14); the rest is the network's own.
    rounding = np.spacing(stored).astype(np.float32) / 2
    assert np.all(np.abs(output - expected) <= 1e-3 * expected.std() + rounding)
    # Rounded in the same way the two agree but where float32 noise tips a value over to a neighbour.
    assert np.mean(output.astype(np.float16) == stored) > 0.99


def test_network_and_conversion_match_torch(folder, torch_state):
    """The same layers in torch, on an image whose sides differ, so that a swapped axis cannot hide."""
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (((torch.from_numpy(images) + 1) / 2 - mean) / std).permute(0, 3, 1, 2)
    for index in TORCHVISION_INDEX:
        if index in (5, 10, 17):
            x = torch.nn.functional.max_pool2d(x, 2)
        weight, bias = (torch.from_numpy(torch_state[f"features.{index}.{leaf}"]) for leaf in ("weight", "bias"))
        x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))
    output = features.VGG16().apply({"params": load_vgg16(folder)}, jnp.asarray(images))
    assert output.shape == (2, 2, 3, 512)
    np.testing.assert_allclose(output, x.permute(0, 2, 3, 1).numpy(), atol=1e-4 * float(x.std()))


def test_resize_matches_torch_and_leaves_256_alone():
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(2).uniform(-1, 1, (2, 24, 40, 3)).astype(np.float32)
    resized = features.resize_for_features(jnp.asarray(images))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images).permute(0, 3, 1, 2), (256, 256), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resized, expected.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    np.testing.assert_array_equal(features.resize_for_features(resized), resized)


def test_perceptual_features_resize_first(folder):
    params = load_vgg16(folder)
    images = jnp.asarray(np.random.default_rng(3).uniform(-1, 1, (1, 32, 32, 3)), jnp.float32)
    output = jax.jit(features.perceptual_features)(params, images)
    expected = features.VGG16().apply({"params": params}, jax.image.resize(images, (1, 256, 256, 3), "bilinear"))
    assert output.shape == (1, 32, 32, 512)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_images(folder):
    params = load_vgg16(folder)
    images = jnp.asarray(np.random.default_rng(4).uniform(-1, 1, (1, 8, 8, 3)), jnp.float32)
    gradient = jax.grad(lambda x: jnp.mean(jnp.square(features.VGG16().apply({"params": params}, x))))(images)
    assert np.all(np.isfinite(gradient)) and np.any(np.asarray(gradient) != 0)


def test_load_names_every_bad_tensor(folder, tmp_path):
    _, tensors = storage.read(folder, "vgg16")
    del tensors["conv2_1/bias"]
    tensors["conv5_1/bias"] = np.zeros(512, np.float32)
    tensors["conv1_1/kernel"] = tensors["conv1_1/kernel"].transpose(3, 2, 0, 1)
    storage.write(tmp_path / "bad", "vgg16", tensors, {})
    with pytest.raises(WeightsError) as caught:
        load_vgg16(tmp_path / "bad")
    message = str(caught.value)
    for part in ("bad", "missing conv2_1.bias", "unexpected conv5_1.bias", "conv1_1.kernel has shape (64, 3, 3, 3)"):
        assert part in message
    assert "\n" not in message


def test_load_refuses_what_was_not_written_by_the_command(folder, tmp_path):
    (tmp_path / "arrays.json").write_text("no list")
    with pytest.raises(DamagedError, match=r"arrays.json is damaged"):
        load_vgg16(tmp_path)
    with pytest.raises(FileNotFoundError, match="jaxgan convert vgg16"):
        load_vgg16(tmp_path / "absent")
    _, tensors = storage.read(folder, "vgg16")
    storage.write(tmp_path / "other", "inception", tensors, {})
    with pytest.raises(WeightsError, match="other holds inception, not vgg16"):
        load_vgg16(tmp_path / "other")


def test_convert_names_bad_tensors_and_keeps_the_old_file(tmp_path, torch_state, capsys):
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(value) for name, value in torch_state.items()}
    del state["features.7.weight"]
    state["features.0.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "bad.pth")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "arrays.json").write_text("old")
    assert convert.main(["vgg16", "--weights", str(tmp_path / "bad.pth"), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "missing features.7.weight" in error and "features.0.bias has shape (3,), not (64,)" in error
    assert error.count("\n") == 1
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["old"]


@pytest.mark.parametrize("content, message", [(b"no zip", "not a PyTorch state dict"), (b"", "the file is empty")])
def test_convert_refuses_other_files(tmp_path, capsys, content, message):
    pytest.importorskip("torch")
    (tmp_path / "bad.pth").write_bytes(content)
    assert convert.main(["vgg16", "--weights", str(tmp_path / "bad.pth"), "--out", str(tmp_path / "out")]) == 1
    assert f"bad.pth: {message}" in capsys.readouterr().err
    assert convert.main(["vgg16", "--weights", str(tmp_path / "no.pth"), "--out", str(tmp_path / "out")]) == 1
    assert "no.pth: no such file" in capsys.readouterr().err
