"""Properties that hold for any landmarks, pictures and configurations, on inputs that Hypothesis looks for."""

import contextlib
import dataclasses
import json
import typing

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import ConvexHull

from jaxgan.configs import from_dict, override, to_dict
from jaxgan.data.crops import largest_square
from jaxgan.data.images import FILTERS, enlarge, resample
from jaxgan.data.landmarks import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE, mirror_images, mirror_keypoints
from jaxgan.errors import ConfigError
from jaxgan.models.landmarks import CURVES, draw_landmarks
from jaxgan.training import stages as training_stages

# Derandomised: the same inputs in every run. Drawing is compiled once for R and BATCH.
few, many = (settings(derandomize=True, deadline=None, database=None, max_examples=count) for count in (40, 150))
R, BATCH = 16, 2
REACH = 40  # pixels around the origin within which most landmarks are drawn


def keypoints(*lead: int, reach: int = REACH) -> st.SearchStrategy[np.ndarray]:
    """Landmarks float32 [*lead, 68, 2] on eighths of pixels, which float32 adds and subtracts without rounding."""
    eighths = hnp.arrays(np.int32, (*lead, 68, 2), elements=st.integers(-8 * reach, 8 * reach), fill=st.nothing())
    return eighths.map(lambda steps: (steps / 8).astype(np.float32))


def draw(points: np.ndarray) -> np.ndarray:
    return np.asarray(draw_landmarks(points, R))


@many
@given(keypoints(2, reach=2000), st.integers(1, 5000))
def test_mirroring_is_its_own_inverse(points, width):
    np.testing.assert_array_equal(mirror_keypoints(mirror_keypoints(points, width), width), points)


@many
@given(keypoints(reach=2000), st.integers(1, 5000))
def test_right_and_left_parts_trade_places(points, width):
    mirrored = mirror_keypoints(points, width)
    for right, left in ((RIGHT_BROW, LEFT_BROW), (RIGHT_EYE, LEFT_EYE)):
        for one, other in ((right, left), (left, right)):
            turned = points[other] * np.float32([-1, 1]) + np.float32([width, 0])
            assert {tuple(point) for point in mirrored[one]} == {tuple(point) for point in turned}


@few
@given(keypoints(BATCH))
def test_mirroring_and_drawing_commute(points):
    np.testing.assert_allclose(draw(mirror_keypoints(points, R)), mirror_images(draw(points)), atol=2e-3)


@few
@given(hnp.arrays(np.float32, (BATCH, 68, 2), elements=st.floats(allow_nan=False, width=32)))
@example(np.tile(np.float32([[-3e38, 3e38]]), (BATCH, 68, 1)))
@example(np.resize(np.float32([-3e38, -3e38, 3e38, 3e38]), (BATCH, 68, 2)))
@example(np.resize(np.float32([-np.inf, 5, np.inf, 5]), (BATCH, 68, 2)))
@example(np.resize(np.float32([1e-38, 5, 0, 5]), (BATCH, 68, 2)))
def test_any_landmarks_give_colours_within_range(points):
    image = draw(points)
    assert image.shape == (BATCH, R, R, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1  # false for NaN


@few
@given(keypoints(BATCH, reach=1000) | keypoints(BATCH, reach=R))
def test_colours_are_mixtures_of_the_palette_and_black(points):
    hull = ConvexHull(np.array(sorted({(0, 0, 0), *(colour for _, _, colour in CURVES)})) / 255)
    outside = draw(points).reshape(-1, 3) @ hull.equations[:, :3].T + hull.equations[:, 3]
    assert outside.max() < 1e-5


@few
@given(keypoints(BATCH, reach=1000) | keypoints(BATCH, reach=R))
def test_pixels_a_pixel_away_from_every_line_are_black(points):
    ends = [(a, b) for order, closed, _ in CURVES for a, b in zip(order, [*order[1:], *order[: int(closed)]], strict=False)]
    start, end = (points[:, [pair[side] for pair in ends]].astype(np.float64) for side in (0, 1))
    along = (end - start)[:, None]
    centres = np.stack(np.meshgrid(np.arange(R), np.arange(R)), axis=-1).reshape(1, -1, 1, 2) + 0.5
    length2 = np.maximum(np.square(along).sum(-1), 1e-12)
    t = np.clip(((centres - start[:, None]) * along).sum(-1) / length2, 0, 1)
    distance = np.linalg.norm(centres - start[:, None] - t[..., None] * along, axis=-1).min(-1)
    assert not draw(points).reshape(BATCH, -1, 3)[distance > 1.01].any()


@few
@given(keypoints(BATCH), st.integers(-R, R), st.integers(-R, R))
def test_a_shift_by_whole_pixels_shifts_the_picture(points, right, down):
    image, moved = draw(points), draw(points + np.float32([right, down]))
    seen, shifted = (
        (slice(max(0, -by), R - max(0, by)) for by in (down, right)),
        (slice(max(0, by), R + min(0, by)) for by in (down, right)),
    )
    np.testing.assert_allclose(moved[:, *shifted], image[:, *seen], atol=2e-3)


@few
@given(keypoints(BATCH), keypoints())
def test_rows_of_a_batch_do_not_see_each_other(points, other):
    image = draw(points)
    changed = draw(np.stack([points[0], other]))
    np.testing.assert_allclose(changed[0], image[0], atol=1e-6)
    np.testing.assert_allclose(draw(points[::-1])[::-1], image, atol=1e-6)


sides, filters = st.integers(1, 48), st.sampled_from(sorted(FILTERS))


@many
@given(sides, sides, sides, sides, filters, st.tuples(*[st.integers(0, 255)] * 3))
def test_a_single_colour_stays_as_it_is(height, width, new_height, new_width, filter, colour):
    image = np.full((height, width, 3), colour, np.uint8)
    resampled = resample(image, new_width, new_height, filter)
    assert resampled.shape == (new_height, new_width, 3) and resampled.dtype == np.uint8
    assert (resampled == np.uint8(colour)).all()
    enlarged = enlarge(image, new_height)
    assert min(enlarged.shape[:2]) >= min(new_height, max(height, width)) and (enlarged == np.uint8(colour)).all()


@many
@given(hnp.arrays(np.uint8, st.tuples(sides, sides, st.just(3))), sides, sides, st.sampled_from(["box", "bilinear"]))
def test_filters_without_negative_weights_make_no_new_extremes(image, new_height, new_width, filter):
    resampled = resample(image, new_width, new_height, filter)
    assert (resampled.min((0, 1)) >= image.min((0, 1))).all() and (resampled.max((0, 1)) <= image.max((0, 1))).all()


@many
@given(sides, sides, keypoints(reach=100))
def test_the_square_lies_in_the_image_and_holds_what_it_can(height, width, points):
    crop = largest_square(width, height, points)
    left, top, right, bottom = crop.left, crop.top, crop.left + crop.side, crop.top + crop.side
    assert crop.side == min(height, width)
    assert 0 <= left and right <= width and 0 <= top and bottom <= height
    for low, high, length, values in ((left, right, width, points[:, 0]), (top, bottom, height, points[:, 1])):
        if values.min() >= 0 and values.max() <= length and np.ceil(values.max()) - np.floor(values.min()) <= high - low:
            assert low <= values.min() and values.max() <= high


@many
@given(st.data(), st.integers(16, 64), st.integers(16, 64), st.sampled_from([16, 32, 64]), filters)
def test_a_bright_dot_lands_where_its_keypoint_says(data, height, width, resolution, filter):
    column, row = (data.draw(st.integers(0, length - 3)) for length in (width, height))
    image = np.zeros((height, width, 3), np.uint8)
    image[row : row + 3, column : column + 3] = 255
    dot = np.float32([column + 1.5, row + 1.5])
    points = np.tile(dot, (68, 1))
    crop = largest_square(width, height, points)
    small, moved = crop.apply(image, resolution, filter), crop.move(points, resolution)
    weight = np.where(small[..., 0] > small.max() / 2, small[..., 0].astype(float), 0)
    y, x = np.mgrid[:resolution, :resolution] + 0.5
    centre = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    scale = resolution / min(height, width)
    assert np.abs(moved - moved[0]).max() == 0 and moved.dtype == np.float32
    # the edge of the square may cut off half of the dot
    assert np.abs(moved[0] - centre).max() <= 0.5 + 0.75 * scale


def leaves(kind: type, path: str = "") -> dict[str, typing.Any]:
    """The type of each field of a configuration, by its dotted path."""
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        found |= leaves(hint, f"{path}{name}.") if dataclasses.is_dataclass(hint) else {f"{path}{name}": hint}
    return found


def values_of(hint: typing.Any) -> st.SearchStrategy:
    """Values that a field may hold."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(values_of(args[0]), max_size=4)
    if origin is typing.Literal:
        return st.sampled_from(args)
    if args:
        return st.one_of(*map(values_of, args))
    floats = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
    return {int: st.integers(), float: floats, bool: st.booleans(), str: st.text(), type(None): st.none()}[hint]


STAGES = {name: stage.config for name, stage in training_stages.STAGES.items()}
FIELDS = {stage: leaves(kind) for stage, kind in STAGES.items()}
stages = st.sampled_from(sorted(STAGES))


@st.composite
def changes(draw: typing.Callable) -> tuple[str, list[str]]:
    """A stage and valid assignments to some of its fields."""
    stage = draw(stages)
    paths = draw(st.lists(st.sampled_from(sorted(FIELDS[stage])), max_size=6))
    return stage, [f"{path}={json.dumps(draw(values_of(FIELDS[stage][path])))}" for path in paths]


def assignments_of(values: dict, path: str = "") -> list[str]:
    """Every field of a nested dict as an assignment."""
    found = []
    for name, value in values.items():
        inner = isinstance(value, dict)
        found += assignments_of(value, f"{path}{name}.") if inner else [f"{path}{name}={json.dumps(value)}"]
    return found


@many
@given(changes())
def test_a_changed_configuration_survives_dicts_json_and_assignments(change):
    stage, assignments = change
    config = override(STAGES[stage](), assignments)
    assert from_dict(STAGES[stage], to_dict(config)) == config and hash(config) is not None
    assert from_dict(STAGES[stage], json.loads(json.dumps(to_dict(config)))) == config
    assert override(STAGES[stage](), assignments_of(to_dict(config))) == config


@many
@given(stages, st.data(), st.text(st.characters(codec="ascii", exclude_characters=".="), min_size=1))
def test_an_unknown_field_is_always_named(stage, data, name):
    groups = sorted({"", *(path.rpartition(".")[0] + "." for path in FIELDS[stage] if "." in path)})
    path = data.draw(st.sampled_from(groups)) + name
    assume(not any(known == path or known.startswith(f"{path}.") for known in FIELDS[stage]))
    try:
        override(STAGES[stage](), [f"{path}=1"])
        raise AssertionError(f"{path!r} was taken")
    except ConfigError as error:
        assert repr(path) in str(error)


@many
@given(stages, st.data())
@example("stylegan", "run.batch_size=" + "9" * 5000)
@example("stylegan", "adam.b1=1" + "0" * 400)
@example("stylegan", "growing.batch_sizes=" + "[" * 100_000)
@example("stylegan", "adam.b1=NaN")
@example("stylegan", "growing.learning_rates=[1e999]")
@example("stylegan", "growing.batch_sizes=" + "[" * 900 + "]" * 900)
def test_any_text_is_taken_or_refused_by_a_configuration_error(stage, data):
    literal = st.text() | st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists).map(json.dumps)
    path = st.sampled_from(sorted(FIELDS[stage])) | st.sampled_from(["run", "adam", "", "."]) | st.text()
    text = data if isinstance(data, str) else data.draw(st.text() | st.builds("{}={}".format, path, literal))
    with contextlib.suppress(ConfigError):
        config = override(STAGES[stage](), [text])
        assert from_dict(STAGES[stage], json.loads(json.dumps(to_dict(config), allow_nan=False))) == config
