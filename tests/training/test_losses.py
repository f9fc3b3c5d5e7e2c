"""Losses against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.configs import override, preset

SCORES = np.array([-30.0, -1.5, 0.0, 0.5, 40.0], np.float32)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x.astype(np.float64)))


@pytest.mark.parametrize(
    "loss, sign",
    [(losses.generator_logistic, -1), (losses.discriminator_real, -1), (losses.discriminator_fake, 1)],
    ids=["generator", "real", "fake"],
)
def test_logistic_losses_are_mean_softplus(loss, sign):
    np.testing.assert_allclose(loss(SCORES), softplus(sign * SCORES).mean(), rtol=1e-6)
    np.testing.assert_allclose(loss(jnp.zeros(3)), np.log(2), rtol=1e-6)
    # d softplus(s x) / dx = s sigmoid(s x), shared by the mean, and finite far out
    expected = sign / (1 + np.exp(-sign * SCORES.astype(np.float64))) / len(SCORES)
    np.testing.assert_allclose(jax.grad(loss)(SCORES), expected, rtol=1e-5, atol=1e-12)


def test_mse_is_over_all_elements():
    a, b = normal(0, 2, 3, 4), normal(1, 2, 3, 4)
    np.testing.assert_allclose(losses.mse(a, b), ((a - b) ** 2).mean(), rtol=1e-6)


def test_mse_of_bfloat16_is_computed_in_float32():
    a, b = normal(0, 64, 64).astype(jnp.bfloat16), normal(1, 64, 64).astype(jnp.bfloat16)
    loss = losses.mse(a, b)
    assert loss.dtype == jnp.float32
    expected = ((a.astype(np.float64) - b.astype(np.float64)) ** 2).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert losses.mse(a, b.astype(np.float32)) == loss


def quadratic(a: jax.Array):
    """D(x) = x^T A x / 2 of each image, A symmetric: its gradient is A x."""
    return lambda x: 0.5 * jnp.einsum("bi,ij,bj->b", x, a, x)


def symmetric(seed: int, size: int) -> np.ndarray:
    a = normal(seed, size, size)
    return a + a.T


def test_r1_of_a_quadratic_discriminator():
    x, a = normal(0, 3, 5), symmetric(1, 5)
    scores, penalty = losses.scores_and_r1(quadratic(a), x)
    np.testing.assert_allclose(scores, 0.5 * ((x @ a) * x).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(penalty, ((x @ a) ** 2).sum(axis=1).mean(), rtol=1e-5)


def test_gradient_of_r1_of_a_quadratic_discriminator():
    x, a = normal(0, 3, 5), symmetric(1, 5)
    gradient = jax.grad(lambda a: losses.scores_and_r1(quadratic(a), x)[1])(a)
    # E |S x|^2 with S = (A + A^T) / 2 differentiates to 2 sym(S E[x x^T])
    outer = a @ (x.T @ x) / len(x)
    np.testing.assert_allclose(gradient, outer + outer.T, rtol=1e-4, atol=1e-5)


def test_r1_reads_images_of_any_shape_and_ignores_a_constant():
    x = normal(0, 2, 4, 4, 3)
    slope = normal(1, 4, 4, 3)

    def linear(images):
        return jnp.einsum("bhwc,hwc->b", images, slope) + 7

    _, penalty = losses.scores_and_r1(linear, x)
    np.testing.assert_allclose(penalty, (slope**2).sum(), rtol=1e-5)


def test_editor_loss_by_hand():
    reconstruction = {"cycle": jnp.float32(0.3), "own": jnp.float32(0.11)}
    scores = {"manipulated": normal(0, 4), "cycle": normal(1, 4)}
    total, terms = losses.editor_loss(reconstruction, scores, jnp.float32(0.05))
    manipulated, cycle = (softplus(-scores[name]).mean() for name in ("manipulated", "cycle"))
    assert terms.keys() == {"cycle", "own", "adv_manipulated", "adv_cycle"}
    np.testing.assert_allclose(terms["adv_manipulated"], manipulated, rtol=1e-6)
    np.testing.assert_allclose(terms["adv_cycle"], cycle, rtol=1e-6)
    np.testing.assert_allclose([terms["cycle"], terms["own"]], [0.3, 0.11], rtol=1e-6)
    np.testing.assert_allclose(total, 0.3 + 0.11 + 0.05 * (manipulated + cycle), rtol=1e-6)


def test_editor_loss_without_reconstruction():
    scores = normal(0, 4)
    total, terms = losses.editor_loss({}, {"manipulated": scores}, jnp.float32(0.5))
    np.testing.assert_allclose(total, 0.5 * softplus(-scores).mean(), rtol=1e-6)
    assert terms.keys() == {"adv_manipulated"}


def test_the_pair_term_is_the_perceptual_distance_of_paired_edits_in_the_mean_over_all(monkeypatch):
    monkeypatch.setattr(losses, "make_features", lambda *networks: lambda frozen, images: frozen["scale"] * images[..., :2])
    edits, truth, points = normal(0, 4, 5, 5, 3), normal(1, 4, 5, 5, 3), normal(2, 4, 68, 2)
    config = override(preset("tiny", "editor"), ["paired_share=0.5", "perceptual.weight=0.25"])
    paired = np.array([True, False, False, True])
    terms = losses.make_likeness(config)({"scale": 3.0}, edits, points, losses.Truth(truth, points, paired))
    distances = np.mean(np.square(3 * (edits - truth)[..., :2]), axis=(1, 2, 3))
    assert set(terms) == {"pair"}
    np.testing.assert_allclose(terms["pair"], 0.25 * (distances[0] + distances[3]) / 4, rtol=1e-5)
    none = override(config, ["paired_share=0"])
    assert losses.make_likeness(none)({}, edits, points, losses.Truth(edits, points, paired)) == {}
