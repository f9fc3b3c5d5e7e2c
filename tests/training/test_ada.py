"""ADA's transforms against references made one image, one pixel and one matrix at a time, and the rule for p."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgan.configs import AugmentConfig, StyleGANConfig, override, validate
from jaxgan.errors import ConfigError
from jaxgan.training import ada, adaptive
from jaxgan.training.augment_geometry import CENTRE, SYM6

COUNT, SIZE = 4, 12
IMAGES = np.random.default_rng(0).uniform(-1, 1, (COUNT, SIZE, SIZE, 3)).astype(np.float32)
NEUTRAL = (
    ada.Geometry(*(np.float32(each) for each in (1, 0, [0, 0], 1, 0, 1, 0, [0, 0]))),
    ada.Colour(*(np.float32(each) for each in (0, 1, 1, 0, 1))),
)
transform, recolour = jax.jit(ada.transform), jax.jit(ada.recolour)


def same_for_all(values):
    return jax.tree.map(lambda value: jnp.broadcast_to(jnp.asarray(value, jnp.float32), (COUNT, *np.shape(value))), values)


def geometry(**values):
    return NEUTRAL[0]._replace(**{name: np.float32(value) for name, value in values.items()})


def transformed(images=IMAGES, **values):
    return np.asarray(transform(same_for_all(geometry(**values)), jnp.asarray(images)))


def forward_matrix(of):
    """Homogeneous [3, 3], from input to output positions, as a chain of the published matrices."""

    def rotation(angle):
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    def translation(x, y):
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])

    chain = [
        np.diag([of.mirrored, 1, 1]),
        rotation(of.turn),
        translation(*of.shift),
        np.diag([of.scale, of.scale, 1]),
        rotation(of.angle_before),
        np.diag([of.stretch, 1 / of.stretch, 1]),
        rotation(of.angle_after),
        translation(*of.offset),
    ]
    made = np.eye(3)
    for each in chain:
        made = each @ made
    return made


def warped(image, matrix):
    """The published resampling by SciPy: reflect far beyond the border, upsample, read, downsample; [R, R]."""
    margin, taps = 5 * SIZE, np.array(SYM6)
    padded = np.pad(image, margin, mode="reflect")
    high = padded.astype(np.float64)
    for axis in (0, 1):
        sparse = np.zeros([2 * side if i == axis else side for i, side in enumerate(high.shape)])
        sparse[(slice(None),) * axis + (slice(None, None, 2),)] = high
        # output[v] = sum_k taps[k] sparse[v + CENTRE - k]
        high = 2**0.5 * ndimage.convolve1d(sparse, taps, axis=axis, origin=CENTRE - len(taps) // 2)
    middle, inverse = (len(padded) - 1) / 2, np.linalg.inv(matrix)
    offsets = np.arange(-CENTRE, 2 * SIZE + len(taps) - 2 - CENTRE) / 2 - (SIZE - 1) / 2
    x, y = np.meshgrid(offsets, offsets)
    from_x, from_y, _ = np.tensordot(inverse, np.stack([x, y, np.ones_like(x)]), 1)
    read = ndimage.map_coordinates(high, [2 * (from_y + middle), 2 * (from_x + middle)], order=1)
    for axis in (0, 1):  # output[j] = sum_k taps[k] read[2 j + k]
        filtered = 0.5**0.5 * ndimage.correlate1d(read, taps, axis=axis, origin=-len(taps) // 2, mode="constant")
        read = filtered.take(2 * np.arange(SIZE), axis=axis)
    return read


@pytest.mark.parametrize(
    "values",
    [
        {"mirrored": -1},
        {"turn": np.pi / 2},
        {"shift": [1, -1]},
        {"scale": 1.3},
        {"scale": 0.7},
        {"angle_before": 0.8},
        {"stretch": 1.2},
        {"angle_after": -2.5},
        {"offset": [0.7, -2.2]},
        {"mirrored": -1, "turn": np.pi, "shift": [0, 1], "scale": 0.8, "angle_before": 1, "stretch": 0.9}
        | {"angle_after": 3, "offset": [1.5, 0.3]},
    ],
    ids=lambda values: "+".join(values),
)
def test_a_transform_is_the_published_resampling_by_its_matrix(values):
    made, matrix = transformed(**values), forward_matrix(geometry(**values))
    expected = np.stack([warped(IMAGES[0, :, :, channel], matrix) for channel in range(3)], axis=-1)
    np.testing.assert_allclose(made[0], expected, atol=2e-5)


def smooth():
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2, indexing="ij")
    return np.broadcast_to(np.stack([x, y, x * y], -1)[None], IMAGES.shape).astype(np.float32)


def test_blits_move_pixels_and_reflect_the_border():
    around = np.pad(IMAGES, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    np.testing.assert_allclose(transformed(shift=[2, -3]), around[:, 6:, 1 : SIZE + 1][:, :SIZE], atol=1e-6)
    # The filter is not symmetric: mirrored noise comes back changed, and a smooth image a tenth of a pixel off.
    inside = np.s_[:, 4:-4, 4:-4]
    np.testing.assert_allclose(transformed(smooth(), mirrored=-1)[inside], smooth()[:, :, ::-1][inside], atol=0.02)
    clockwise = np.rot90(smooth(), -1, axes=(1, 2))
    np.testing.assert_allclose(transformed(smooth(), turn=np.pi / 2)[inside], clockwise[inside], atol=0.02)


def test_opposite_transforms_undo_one_another():
    """But for what resampling blurs: on a smooth image, away from the border."""
    inside = np.s_[:, 4:-4, 4:-4]
    for one, other in (
        ({"angle_before": 0.4}, {"angle_after": -0.4}),
        ({"scale": 1.25}, {"scale": 0.8}),
        ({"stretch": 1.2}, {"stretch": 1 / 1.2}),
        ({"offset": [0.4, 0.6]}, {"offset": [-0.4, -0.6]}),
    ):
        there = transformed(smooth(), **one)
        np.testing.assert_allclose(transformed(there, **other)[inside], smooth()[inside], atol=0.01)
        assert np.abs(there - smooth())[inside].max() > 0.04


def colour_matrix(colour):
    """Homogeneous [4, 4], the product of the published matrices."""
    grey = np.array([1, 1, 1, 0]) / 3**0.5
    along = np.outer(grey, grey)
    cross = np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / 3**0.5
    space = np.diag([1, 1, 1, 0])
    last = np.diag([0, 0, 0, 1])
    brighter = np.eye(4)
    brighter[:3, 3] = colour.brightness
    made = np.diag([colour.contrast] * 3 + [1]) @ brighter
    made = (np.eye(4) - (2 * along if colour.luma < 0 else 0)) @ made
    made = (np.cos(colour.hue) * (space - along) + np.sin(colour.hue) * cross + along + last) @ made
    return (along + colour.saturation * (space - along) + last) @ made


@pytest.mark.parametrize(
    "values",
    [
        {"brightness": 0.3},
        {"contrast": 1.4},
        {"luma": -1},
        {"hue": 2 * np.pi / 3},
        {"saturation": 0.2},
        {"brightness": -0.4, "contrast": 0.6, "luma": -1, "hue": -2.0, "saturation": 1.8},
    ],
    ids=lambda values: "+".join(values),
)
def test_a_change_of_colour_is_the_product_of_the_published_matrices(values):
    colour = NEUTRAL[1]._replace(**values)
    made = np.asarray(recolour(same_for_all(colour), jnp.asarray(IMAGES)))
    matrix = colour_matrix(colour)
    np.testing.assert_allclose(made, IMAGES @ matrix[:3, :3].T + matrix[:3, 3], atol=2e-6)
    if values == {"hue": 2 * np.pi / 3}:  # a third of a turn: red becomes green
        np.testing.assert_allclose(made, np.roll(IMAGES, 1, axis=3), atol=2e-6)


def test_at_p_0_nothing_changes_and_at_p_1_every_image_does():
    keys = jax.random.split(jax.random.key(0), COUNT)
    augment = jax.jit(ada.augment)
    np.testing.assert_array_equal(augment(keys, jnp.float32(0), jnp.asarray(IMAGES)), IMAGES)
    changed = np.asarray(augment(keys, jnp.float32(1), jnp.asarray(IMAGES)))
    assert (np.abs(changed - IMAGES).max(axis=(1, 2, 3)) > 0.1).all()


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_draws_have_the_published_probabilities_and_ranges(p):
    count, size = 20_000, 128
    keys = jax.random.split(jax.random.key(1), count)
    geometry, colour = jax.device_get(jax.jit(jax.vmap(lambda key: ada.draw(key, jnp.float32(p), size)))(keys))

    def share(happens, expected):
        assert abs(np.mean(happens) - expected) < 5 * (0.25 / count) ** 0.5

    def normal(values, deviation):
        values = values[values != 0]
        assert abs(values.std() / deviation - 1) < 0.05 and abs(values.mean()) < 5 * deviation / len(values) ** 0.5

    share(geometry.mirrored < 0, p / 2)
    for quarter in range(1, 4):
        share(np.isclose(geometry.turn, quarter * np.pi / 2), p / 4)
    share((geometry.shift != 0).any(axis=1), p * (1 - 1 / 33**2))  # from -16 to 16 pixels, the ends half as often
    assert set(np.unique(geometry.shift)) == set(range(-16, 17))
    for angles in (geometry.angle_before, geometry.angle_after):
        share(angles != 0, 1 - (1 - p) ** 0.5)
        assert np.abs(angles).max() < np.pi + 1e-6 and abs(angles[angles != 0].std() * 3**0.5 / np.pi - 1) < 0.05
    share((geometry.angle_before != 0) | (geometry.angle_after != 0), p)
    for values, neutral, deviation in (
        (np.log2(geometry.scale), 0, 0.2),
        (np.log2(geometry.stretch), 0, 0.2),
        (geometry.offset[:, 0], 0, 16),
        (colour.brightness, 0, 0.2),
        (np.log2(colour.contrast), 0, 0.5),
        (np.log2(colour.saturation), 0, 1),
    ):
        share(values != neutral, p)
        normal(values, deviation)
    share(colour.luma < 0, p / 2)
    share(colour.hue != 0, p)
    kinds = [geometry.mirrored < 0, geometry.scale != 1, colour.brightness != 0, colour.hue != 0, colour.contrast != 1]
    if p < 1:  # independent of one another
        together = np.corrcoef(np.array(kinds, float))
        assert np.abs(together - np.eye(len(kinds))).max() < 5 / count**0.5


def test_gradients_reach_the_images_twice():
    """The changes are affine, A x + b: of |A x + b|^2, the second derivative along x is 2 |A x|^2."""
    keys, images = jax.random.split(jax.random.key(2), COUNT), jnp.asarray(IMAGES)

    def changed(x):
        return ada.augment(keys, jnp.float32(0.9), x)

    @jax.jit
    def both(x):
        def energy(x):
            return jnp.square(changed(x)).sum()

        def squared_gradient(x):
            return jnp.square(jax.grad(energy)(x)).sum()

        linear = changed(x) - changed(jnp.zeros_like(x))
        along = jax.jvp(jax.grad(energy), (x,), (x,))[1]
        return jnp.vdot(along, x), 2 * jnp.square(linear).sum(), jax.grad(squared_gradient)(x)

    second, expected, third = both(images)
    np.testing.assert_allclose(second, expected, rtol=1e-4)
    assert np.isfinite(third).all() and (np.abs(third).max(axis=(1, 2, 3)) > 0).all()


def test_p_moves_every_interval_towards_the_target_and_stays_between_0_and_1():
    config, images = AugmentConfig(kind="adaptive", interval=4, ramp_images=80), 8  # 0.4 an adjustment
    rng, state, p = np.random.default_rng(0), adaptive.start(), 0.0
    step = jax.jit(lambda state, r_t, done: adaptive.adjust(config, state, r_t, done, images))
    drawn = [*rng.uniform(0.5, 1.0, 16), *rng.uniform(0.0, 0.5, 16)]
    seen = []
    for done, r_t in enumerate(drawn):
        state = step(state, jnp.float32(r_t), jnp.int32(done))
        if done % 4 == 3:
            p = min(max(p + 0.4 * np.sign(np.mean(drawn[done - 3 : done + 1]) - 0.6), 0.0), 1.0)
            assert state["signs"] == 0
        np.testing.assert_allclose(state["p"], p, atol=1e-6)
        seen.append(p)
    assert max(seen) == 1.0 and seen[-1] == 0.0 and 0.4 in seen


def test_p_goes_from_0_to_1_in_the_published_number_of_images():
    config, images = AugmentConfig(kind="adaptive"), 32

    def body(done, state):
        return adaptive.adjust(config, state, jnp.float32(1), done, images)

    steps = 500_000 // images
    run = jax.jit(lambda steps: jax.lax.fori_loop(0, steps, body, adaptive.start())["p"])
    np.testing.assert_allclose([run(steps // 2), run(steps + 4)], [0.5, 1.0], atol=2e-3)


@pytest.mark.parametrize(
    "assignments, message",
    [
        (["augment.kind=adaptive", "augment.color=true"], "augment.color is not read where augment.kind is adaptive"),
        (["augment.target=0.5"], "augment.target is not read where augment.kind is fixed"),
        (["augment.kind=adaptive", "augment.target=1"], r"augment.target must lie in \(0, 1\), got 1"),
        (["augment.kind=adaptive", "augment.interval=0"], "augment.interval must be at least 1, got 0"),
        (["augment.kind=adaptive", "augment.ramp_images=0"], "augment.ramp_images must be at least 1, got 0"),
        (["path_weight=-1"], "path_weight must be at least 0, got -1"),
        (["path_interval=0"], "path_interval must be at least 1, got 0"),
        (["path_batch_shrink=0"], "path_batch_shrink must be at least 1, got 0"),
        (["path_mean_decay=1"], r"path_mean_decay must lie in \[0, 1\), got 1"),
    ],
)
def test_settings_that_contradict_are_refused(assignments, message):
    with pytest.raises(ConfigError, match=message):
        validate(override(StyleGANConfig(), assignments))
    assert validate(dataclasses.replace(StyleGANConfig(), augment=AugmentConfig(kind="adaptive")))
