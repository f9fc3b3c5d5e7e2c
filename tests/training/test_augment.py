"""DiffAugment against its definition in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import AugmentConfig, StyleGANConfig, override, validate
from jaxgan.errors import ConfigError
from jaxgan.training.augment import augment

COUNT, SIZE = 400, 8
IMAGES = np.random.default_rng(0).uniform(-1, 1, (COUNT, SIZE, SIZE, 3)).astype(np.float32)
KEYS = jax.random.split(jax.random.key(0), COUNT)


def augmented(**config) -> np.ndarray:
    return np.asarray(augment(AugmentConfig(**config), KEYS, jnp.asarray(IMAGES)))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    moved = np.zeros_like(image)
    for y in range(SIZE):
        for x in range(SIZE):
            if 0 <= y - down < SIZE and 0 <= x - right < SIZE:
                moved[y, x] = image[y - down, x - right]
    return moved


def test_without_any_change_images_stay_as_they_are():
    np.testing.assert_array_equal(augmented(), IMAGES)


def test_translation_shifts_each_image_by_whole_pixels_within_the_ratio():
    seen = set()
    for image, moved in zip(IMAGES, augmented(translation=0.25), strict=True):
        shifts = [(d, r) for d in range(-2, 3) for r in range(-2, 3) if np.allclose(moved, shifted(image, d, r))]
        assert len(shifts) == 1
        seen.add(shifts[0])
    assert len(seen) == 25  # all of them occur among 400


def test_cutout_leaves_one_grey_square_or_its_part_within_the_image():
    areas = set()
    for image, holed in zip(IMAGES, augmented(cutout=0.5), strict=True):
        rows, columns = np.nonzero((holed == 0).all(axis=-1))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width and 2 <= height <= 4 and 2 <= width <= 4
        kept = np.ones((SIZE, SIZE), bool)
        kept[rows, columns] = False
        np.testing.assert_array_equal(holed[kept], image[kept])
        areas.add((height, width))
    assert len(areas) == 9


def test_colour_is_an_affine_map_of_the_image_with_the_published_ranges():
    brightness, saturation, contrast = [], [], []
    for image, changed in zip(IMAGES, augmented(color=True), strict=True):
        grey, grey_changed = image.mean(axis=2), changed.mean(axis=2)
        slope, offset = np.polyfit(grey.ravel(), grey_changed.ravel(), 1)
        np.testing.assert_allclose(grey_changed, slope * grey + offset, atol=1e-5)
        colour, colour_changed = image - grey[..., None], changed - grey_changed[..., None]
        factor = np.vdot(colour, colour_changed) / np.vdot(colour, colour)
        np.testing.assert_allclose(colour_changed, factor * colour, atol=1e-5)
        contrast.append(slope)
        saturation.append(factor / slope)
        brightness.append(changed.mean() - image.mean())
    for values, low, high in ((brightness, -0.5, 0.5), (saturation, 0.0, 2.0), (contrast, 0.5, 1.5)):
        assert low - 1e-4 <= min(values) < low + 0.05 * (high - low)
        assert high + 1e-4 >= max(values) > high - 0.05 * (high - low)


def test_gradients_reach_the_images_twice():
    """R1 differentiates through the changes: a shift is linear, so sum(augment(x)^2) has gradient 2 x where x stays inside."""
    config, images = AugmentConfig(translation=0.25), jnp.asarray(IMAGES[:4])

    def energy(x: jax.Array) -> jax.Array:
        return jnp.square(augment(config, KEYS[:4], x)).sum()

    gradient = jax.grad(energy)(images)
    inside = np.asarray(gradient) != 0
    np.testing.assert_allclose(np.asarray(gradient)[inside], 2 * IMAGES[:4][inside], rtol=1e-5)
    assert 0.5 < inside.mean() < 1.0
    second = jax.grad(lambda x: jnp.square(jax.grad(energy)(x)).sum())(images)
    np.testing.assert_allclose(np.asarray(second)[inside], 8 * IMAGES[:4][inside], rtol=1e-5)


@pytest.mark.parametrize("assignment", ["augment.translation=1.0", "augment.cutout=-0.1"])
def test_shares_outside_the_image_are_refused(assignment):
    with pytest.raises(ConfigError, match=assignment.split("=")[0]):
        validate(override(StyleGANConfig(), [assignment]))
