"""The FID's Inception: parity with pytorch-fid, its departures from the paper, and the way its weights come in."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.reference import converted, drawn_state, fixture_arrays, needs_fixtures

from jaxgan.errors import WeightsError
from jaxgan.importers.inception import inception_params, with_batch_norm
from jaxgan.importers.tensors import Tensors
from jaxgan.models.features.inception import inception_features, pool_branch, resize_for_inception
from jaxgan.models.features.weights import load_features


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return drawn_state("inception")


@needs_fixtures
def test_pool3_matches_pytorch_fid(state):
    images, expected = fixture_arrays("images_uint8", "inception_pool3")
    images = jnp.asarray(images.transpose(0, 2, 3, 1))
    output = jax.jit(inception_features)(inception_params(state, "fixture"), images)
    assert output.shape == expected.shape and output.dtype == jnp.float32
    np.testing.assert_allclose(output, expected, rtol=0, atol=2e-5 * expected.std())


@needs_fixtures
def test_command_writes_what_load_reads_and_others_refuse(state, tmp_path):
    folder = converted(tmp_path, "inception", state)
    jax.tree.map(np.testing.assert_array_equal, load_features("inception", folder), inception_params(state, "fixture"))
    with pytest.raises(WeightsError, match="inception holds inception, not vgg16"):
        load_features("vgg16", folder)
    with pytest.raises(WeightsError, match="inception holds inception, not facenet"):
        load_features("facenet", folder)


@needs_fixtures
def test_conversion_names_every_bad_tensor(state):
    bad = {**state, "Mixed_7c.extra": np.zeros(1, np.float32), "Mixed_5b.branch_pool.bn.bias": np.zeros(3, np.float32)}
    bad["Mixed_6b.branch7x7_2.conv.weight"] = bad["Mixed_6b.branch7x7_2.conv.weight"].transpose(0, 1, 3, 2)
    del bad["Mixed_7a.branch3x3_1.bn.running_var"]
    with pytest.raises(WeightsError) as caught:
        inception_params(bad, "some.pth")
    message = str(caught.value)
    for part in (
        "some.pth",
        "unexpected Mixed_7c.extra",
        "Mixed_5b.branch_pool.bn.bias has shape (3,), not (32,)",
        "Mixed_6b.branch7x7_2.conv.weight has shape (128, 128, 7, 1), not (128, 128, 1, 7)",
        "missing Mixed_7a.branch3x3_1.bn.running_var",
    ):
        assert part in message
    assert "\n" not in message


def test_conversion_refuses_another_network(tmp_path):
    with pytest.raises(WeightsError, match="some.pth: not the weights of pytorch-fid's Inception: missing .* more. The file"):
        inception_params({"features.0.bias": np.zeros(64, np.float32)}, "some.pth")
    with pytest.raises(FileNotFoundError, match="jaxgan convert inception"):
        load_features("inception", tmp_path / "absent")


@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (4, 6)])
def test_folded_layer_equals_layer_and_batch_norm(shape):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    axes = (3, 2, 0, 1) if len(shape) == 4 else (1, 0)  # of PyTorch's weight
    weight = rng.standard_normal([shape[axis] for axis in axes])
    gain, offset, mean, variance = rng.standard_normal((4, 6))
    leaves = {"weight": gain, "bias": offset, "running_mean": mean, "running_var": np.square(variance)}
    leaves = {name: value.astype(np.float32) for name, value in leaves.items()}
    arrays = {"layer.weight": weight.astype(np.float32), **{f"bn.{name}": value for name, value in leaves.items()}}
    tensors = Tensors({**arrays, "bn.num_batches_tracked": np.array(7)}, "test")
    kernel, bias = with_batch_norm(tensors, "layer.weight", "bn", shape)
    tensors.finish("test")
    assert kernel.shape == shape and bias.shape == (6,) and kernel.dtype == bias.dtype == np.float32

    x = torch.from_numpy(rng.standard_normal((2, 4, 7, 9) if len(shape) == 4 else (2, 4)))
    exact = {name: torch.from_numpy(array).double() for name, array in arrays.items()}
    layer = torch.nn.functional.conv2d if len(shape) == 4 else torch.nn.functional.linear
    expected = torch.nn.functional.batch_norm(
        layer(x, exact["layer.weight"]),
        exact["bn.running_mean"],
        exact["bn.running_var"],
        exact["bn.weight"],
        exact["bn.bias"],
        eps=1e-3,
    )
    folded = torch.from_numpy(np.ascontiguousarray(kernel.transpose(axes))).double()
    output = layer(x, folded, torch.from_numpy(bias).double())
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-6 * float(expected.std()))


class PoolBranch(nn.Module):
    maxima: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return pool_branch(x, x.shape[-1], self.maxima)


@pytest.mark.parametrize("maxima", [False, True])
def test_pooling_branches_match_torch(maxima):
    """Means leave the padding out; with negative values, maxima do too."""
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(1).uniform(-2, -1, (2, 5, 7, 3)).astype(np.float32)
    negate = {"kernel": -jnp.eye(3)[None, None], "bias": jnp.zeros(3)}  # so that ReLU lets everything through
    output = PoolBranch(maxima).apply({"params": {"branch_pool": {"conv": negate}}}, jnp.asarray(images))
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    if maxima:
        expected = torch.nn.functional.max_pool2d(x, 3, stride=1, padding=1)
    else:
        expected = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    np.testing.assert_allclose(output, -expected.permute(0, 2, 3, 1).numpy(), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(24, 40), (299, 299), (400, 1000)])
def test_resize_matches_torch_both_ways(height, width):
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(2).uniform(0, 255, (1, height, width, 3)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images).permute(0, 3, 1, 2), (299, 299), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(
        resize_for_inception(jnp.asarray(images)), expected.permute(0, 2, 3, 1).numpy(), rtol=0, atol=2e-4
    )


def test_features_are_of_uint8_only():
    with pytest.raises(ValueError, match="float32"):
        inception_features({}, jnp.zeros((1, 8, 8, 3)))
