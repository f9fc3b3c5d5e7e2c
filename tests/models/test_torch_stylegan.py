"""The PyTorch peer of the benchmarks equals the Flax network in images, scores and gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.configs import preset
from jaxgan.models.stylegan import Discriminator, Generator

torch = pytest.importorskip("torch")
peer = pytest.importorskip("helpers.torch_stylegan")

CONFIG = preset("tiny", "stylegan")


def drawn(tree: dict, key: jax.Array) -> dict:
    """A tree of normal values, because noise strengths and biases start at 0, which would hide errors."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    return structure.unflatten([jax.random.normal(k, leaf.shape, jnp.float32) for k, leaf in zip(keys, leaves, strict=True)])


def nchw(images: jax.Array) -> "torch.Tensor":
    return torch.from_numpy(np.array(images).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("resolution", [8, 16])
@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("fused", [True, False])
def test_images_agree(resolution, separate, noise, fused):
    config = dataclasses.replace(CONFIG.generator, resolution=resolution, separate_w=separate, noise=noise)
    z = jax.random.normal(jax.random.key(0), (4, config.latent_size), jnp.float32)
    variables = drawn(Generator(config).init(jax.random.key(1), z), jax.random.key(2))
    theirs = peer.Generator(config, fused)
    peer.load(theirs, variables["params"], variables.get("noise", {}))
    expected = nchw(Generator(config).apply(variables, z))
    with torch.no_grad():
        found = theirs(torch.from_numpy(np.array(z)))
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_scores_and_gradients_of_r1_agree(fused):
    config, resolution = CONFIG.discriminator, 16
    images = jax.random.normal(jax.random.key(0), (4, resolution, resolution, 3), jnp.float32)
    ours = Discriminator(config)
    params = drawn(ours.init(jax.random.key(1), images), jax.random.key(2))["params"]
    theirs = peer.Discriminator(config, resolution, fused)
    peer.load(theirs, params)

    def penalty(params: dict) -> tuple[jax.Array, jax.Array]:
        scores, r1 = losses.scores_and_r1(lambda x: ours.apply({"params": params}, x), images)
        return r1, scores

    (r1, scores), gradient = jax.value_and_grad(penalty, has_aux=True)(params)
    pixels = nchw(images).requires_grad_()
    found = theirs(pixels)
    (slope,) = torch.autograd.grad(found.sum(), pixels, create_graph=True)
    found_r1 = slope.square().sum() / len(images)
    found_r1.backward()
    np.testing.assert_allclose(found.detach().numpy(), scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found_r1.item(), r1, rtol=1e-4)
    expected = peer.Discriminator(config, resolution, fused)
    peer.load(expected, gradient)
    for (name, wanted), parameter in zip(expected.named_parameters(), theirs.parameters(), strict=True):
        got = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        scale = wanted.abs().max().clamp(min=1e-6)
        assert (got - wanted).abs().max() < 1e-3 * scale + 1e-6, name
