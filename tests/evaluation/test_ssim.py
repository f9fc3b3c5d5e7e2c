"""Structural similarity against scikit-image and closed forms."""

import numpy as np
import pytest

from jaxgan.evaluation.edits import CHUNK
from jaxgan.evaluation.metrics.ssim import ssim


def by_scikit_image(a, b):
    metrics = pytest.importorskip("skimage.metrics")
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=-1, data_range=255)
    return np.array([metrics.structural_similarity(x, y, **options) for x, y in zip(a, b, strict=True)])


def random_images(rng, size, count=3):
    return rng.integers(0, 256, (2, count, size, size, 3), np.uint8)


def smooth_images(rng, size, count=3):
    """Sums of slow waves, and the same with a little noise."""
    grid = np.linspace(0, 1, size)
    phase, pace = rng.uniform(0, 6, (2, count, 1, 1, 3))
    waves = 127 + 120 * np.sin(phase + pace * (grid[None, :, None, None] + 2 * grid[None, None, :, None]))
    return np.clip([waves, waves + rng.normal(0, 4, waves.shape)], 0, 255).astype(np.uint8)


def flat_images(rng, size, count=3):
    """Halves of little variance around large, different means: the worst case for single precision."""
    left, right = rng.integers(0, 254, (2, 2, count, 1, 1, 3))
    flat = np.where(np.arange(size)[:, None] < size // 2, left, right)
    return (flat + rng.integers(0, 3, (2, count, size, size, 3))).astype(np.uint8)


@pytest.mark.parametrize("size", [11, 16, 33, 64, 128])
@pytest.mark.parametrize("images", [random_images, smooth_images, flat_images])
def test_matches_scikit_image(images, size):
    a, b = images(np.random.default_rng(size), size)
    found = ssim(a, b)
    assert found.shape == (3,) and found.dtype == np.float64
    np.testing.assert_allclose(found, by_scikit_image(a, b), rtol=0, atol=5e-5)


def test_sides_may_differ():
    a, b = np.random.default_rng(0).integers(0, 256, (2, 2, 20, 31, 3), np.uint8)
    np.testing.assert_allclose(ssim(a, b), by_scikit_image(a, b), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_chunks_leave_no_trace(count):
    a, b = random_images(np.random.default_rng(1), 12, 2 * CHUNK + 5)
    each = np.concatenate([ssim(x[None], y[None]) for x, y in zip(a[:count:9], b[:count:9], strict=True)] or [np.zeros(0)])
    assert ssim(a[:count], b[:count]).shape == (count,)
    np.testing.assert_allclose(ssim(a[:count], b[:count])[::9], each, rtol=0, atol=1e-6)


def test_equal_images_are_at_one_and_order_does_not_matter():
    a, b = smooth_images(np.random.default_rng(2), 40)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=0, atol=2e-7)
    np.testing.assert_allclose(ssim(a, b), ssim(b, a), rtol=0, atol=1e-6)
    assert np.all(ssim(a, b) < 0.999)


@pytest.mark.parametrize("size", [11, 16])
@pytest.mark.parametrize(("x", "y"), [(0, 255), (255, 254), (200, 90), (60, 255), (10, 10)])
def test_constant_images_differ_in_luminance_only(x, y, size):
    """Their variance is 0; computed about 0 in single precision it would be off by 0.01."""
    a, b = (np.full((1, size, size, 3), value, np.uint8) for value in (x, y))
    expected = (2 * x * y + 2.55**2) / (x**2 + y**2 + 2.55**2)
    assert ssim(a, b)[0] == pytest.approx(expected, abs=1e-6)


def test_a_negative_has_a_negative_structure():
    a = np.random.default_rng(3).integers(0, 256, (1, 64, 64, 3), np.uint8)
    assert ssim(a, 255 - a)[0] < -0.8


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((2, 10, 16, 3), np.uint8), np.zeros((2, 10, 16, 3), np.uint8), "at least 11x11 pixels, got 10x16"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.zeros((1, 16, 16, 3), np.uint8), r"same shape, got uint8 \[2, 16, 16, 3\]"),
        (np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8), r"\[N, H, W, 3\]"),
        (np.zeros((2, 16, 16, 1), np.uint8), np.zeros((2, 16, 16, 1), np.uint8), r"\[N, H, W, 3\]"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 16, 16, 3), np.float32), "float32"),
    ],
)
def test_other_images_are_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        ssim(a, b)
