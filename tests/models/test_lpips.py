"""LPIPS: parity with the same network in PyTorch, and the way its weights come in."""

import functools
import hashlib
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.commands import convert
from jaxgan.errors import WeightsError
from jaxgan.importers.lpips import lpips_params
from jaxgan.importers.registry import WEIGHTS
from jaxgan.importers.tensors import load_torch_state
from jaxgan.importers.vgg16 import TORCHVISION_BLOCK5, TORCHVISION_INDEX, vgg16_params
from jaxgan.models.features.lpips import lpips_distance
from jaxgan.models.features.vgg16 import IMAGENET_MEAN, IMAGENET_STD, VGG16_BLOCKS, vgg16_layers
from jaxgan.models.features.weights import load_features


@pytest.fixture(scope="module")
def vgg16() -> dict[str, np.ndarray]:
    """A state dict with torchvision's names and shapes, drawn at random, and a layer of the classifier."""
    rng, state = np.random.default_rng(0), {"classifier.0.bias": np.zeros(4096, np.float32)}
    layers = vgg16_layers(len(VGG16_BLOCKS)).values()
    for index, (inputs, width) in zip(TORCHVISION_INDEX + TORCHVISION_BLOCK5, layers, strict=True):
        state[f"features.{index}.weight"] = rng.standard_normal((width, inputs, 3, 3), np.float32) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.bias"] = 0.1 * rng.standard_normal(width, np.float32)
    return state


def drawn_linear() -> dict[str, np.ndarray]:
    """The linear layers, made up."""
    rng = np.random.default_rng(1)
    widths = enumerate(width for _, width in VGG16_BLOCKS)
    return {f"lin{i}.model.1.weight": rng.uniform(0, 1, (1, width, 1, 1)).astype(np.float32) for i, width in widths}


def published_linear() -> Path | None:
    """The linear layers that the `lpips` package ships, where it is installed."""
    found = importlib.util.find_spec("lpips")
    file = Path(found.origin).parent / "weights" / "v0.1" / "vgg.pth" if found and found.origin else None
    return file if file and file.is_file() else None


@pytest.fixture(scope="module")
def linear() -> dict[str, np.ndarray]:
    file = published_linear()
    return load_torch_state(file) if file else drawn_linear()


@pytest.fixture(scope="module")
def params(vgg16, linear):
    return lpips_params(vgg16, linear, "vgg16", "linear")


@pytest.fixture(scope="module")
def pair():
    """Two images in [-1, 1], and the same with a little noise and with much; the sides differ and do not halve evenly."""
    rng = np.random.default_rng(2)
    a = rng.uniform(-1, 1, (2, 35, 18, 3))
    noise = np.array([0.05, 0.5])[:, None, None, None] * rng.standard_normal(a.shape)
    return jnp.asarray(a, jnp.float32), jnp.asarray(np.clip(a + noise, -1, 1), jnp.float32)


distance = jax.jit(lpips_distance)


def test_distances_match_torch(params, vgg16, linear, pair):
    torch = pytest.importorskip("torch")
    from helpers import torch_networks

    states = ({name: torch.from_numpy(value) for name, value in state.items()} for state in (vgg16, linear))
    expected = torch_networks.lpips(*states, *(torch.from_numpy(np.array(x)).permute(0, 3, 1, 2) for x in pair)).numpy()
    found = distance(params, *pair)
    assert found.shape == (2,) and found.dtype == jnp.float32 and 0 < found[0] < found[1]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_the_packages_scaling_is_torchvisions():
    np.testing.assert_allclose(2 * np.array(IMAGENET_MEAN) - 1, (-0.030, -0.088, -0.188), atol=1e-12)
    np.testing.assert_allclose(2 * np.array(IMAGENET_STD), (0.458, 0.448, 0.450), atol=1e-12)


def test_equal_images_are_at_zero_and_order_does_not_matter(params, pair):
    a, b = pair
    np.testing.assert_allclose(distance(params, a, a), 0, atol=1e-12)
    np.testing.assert_allclose(distance(params, a, b), distance(params, b, a), rtol=1e-5)


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 2))
def with_gradients(x, y, linear, network):
    """Distance of the first images' corners, and its gradients by x and by the linear layers."""
    return lpips_distance({**network, **linear}, x[:1, :16, :16], y[:1, :16, :16])[0]


def test_gradients_and_the_share_of_every_block(params, pair):
    """The distance is linear in the layer of each block, so that its gradient there tells the block's part."""
    linear = {name: layer for name, layer in params.items() if name.startswith("lin")}
    value, (by_image, by_layer) = with_gradients(*pair, linear, params)
    parts = [np.sum(by_layer[name]["kernel"] * layer["kernel"]) for name, layer in linear.items()]
    assert len(parts) == 5 and min(parts) > 1e-3 * max(parts)
    assert sum(parts) == pytest.approx(float(value), rel=1e-5)
    assert np.all(np.isfinite(by_image)) and np.any(np.asarray(by_image) != 0)
    silent = {**params, "conv3_3": {**params["conv3_3"], "bias": np.full(256, -1e3, np.float32)}}
    _, (by_image, _) = with_gradients(*pair, linear, silent)
    assert np.all(np.isfinite(by_image)) and np.any(np.asarray(by_image) != 0)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((1, 15, 64, 3), (1, 15, 64, 3), "at least 16x16 pixels, got 15x64"),
        ((2, 16, 16, 3), (1, 16, 16, 3), r"\[2, 16, 16, 3\] and \[1, 16, 16, 3\]"),
        ((16, 16, 3), (16, 16, 3), r"\[B, H, W, 3\]"),
    ],
)
def test_other_images_are_refused(params, a, b, message):
    with pytest.raises(ValueError, match=message):
        lpips_distance(params, jnp.zeros(a), jnp.zeros(b))


def saved(folder, **states):
    torch = pytest.importorskip("torch")
    for name, state in states.items():
        torch.save({key: torch.from_numpy(value) for key, value in state.items()}, folder / f"{name}.pth")
    return [argument for name in states for argument in (f"--{name}", str(folder / f"{name}.pth"))]


def test_command_writes_what_load_reads_and_others_refuse(tmp_path, vgg16, linear, params, capsys):
    folder = tmp_path / "lpips"
    assert convert.main(["lpips", *saved(tmp_path, vgg16=vgg16, linear=linear), "--out", str(folder)]) == 0
    assert f"wrote {folder}" in capsys.readouterr().out
    jax.tree.map(np.testing.assert_array_equal, load_features("lpips", folder), params)
    with pytest.raises(WeightsError, match="lpips holds lpips, not vgg16"):
        load_features("vgg16", folder)
    with pytest.raises(FileNotFoundError, match="jaxgan convert lpips"):
        load_features("lpips", tmp_path / "absent")


def test_command_names_bad_tensors(tmp_path, linear, capsys):
    command = ["lpips", *saved(tmp_path, vgg16={"features.0.bias": np.zeros(64, np.float32)}, linear=linear)]
    assert convert.main([*command, "--out", str(tmp_path / "lpips")]) == 1
    error = capsys.readouterr().err
    assert "vgg16.pth: not the weights of torchvision's VGG16: missing features.0.weight" in error and error.count("\n") == 1
    assert not (tmp_path / "lpips").exists()


def test_conversion_names_every_bad_tensor(vgg16, linear):
    bad = {**vgg16, "features.28.bias": np.zeros(3, np.float32)}
    del bad["features.24.weight"]
    with pytest.raises(WeightsError) as caught:
        lpips_params(bad, linear, "some.pth", "linear.pth")
    for part in ("some.pth", "missing features.24.weight", "features.28.bias has shape (3,), not (512,)"):
        assert part in str(caught.value)
    vgg16_params(bad, "some.pth")  # which ends below them

    bad = {**linear, "lin5.model.1.weight": np.zeros((1, 512, 1, 1), np.float32)}
    bad["lin3.model.1.weight"] = bad["lin3.model.1.weight"][0]
    del bad["lin1.model.1.weight"]
    with pytest.raises(WeightsError) as caught:
        lpips_params(vgg16, bad, "some.pth", "linear.pth")
    for part in (
        "linear.pth: not the weights of the linear layers of LPIPS on VGG16",
        "missing lin1.model.1.weight",
        "lin3.model.1.weight has shape (512, 1, 1), not (1, 512, 1, 1)",
        "unexpected lin5.model.1.weight",
    ):
        assert part in str(caught.value)


@pytest.mark.skipif(published_linear() is None, reason="the lpips package is not installed")
def test_the_registry_pins_the_packages_file():
    content, wanted = published_linear().read_bytes(), WEIGHTS["lpips-linear"]
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (wanted.sha256, wanted.size)
