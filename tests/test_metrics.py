"""Metrics against closed forms and naive references, on a made-up editor."""

import numpy as np
import pytest

from jaxgan.data.drawing import draw_landmarks
from jaxgan.metrics import edits as edits_module
from jaxgan.metrics import figure, hausdorff, identity, measure_all, reconstruction, truth
from jaxgan.metrics.edits import (
    COPY_SOURCE,
    COPY_TARGET,
    INVERSION,
    MANIPULATED,
    RECONSTRUCTION,
    TRUE_PICTURE,
    Edits,
    Row,
    make_edits,
)
from jaxgan.metrics.measurement import Column, Measurement

R = 32


def face(scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Plausible landmarks float32 [68, 2] of a face that fills an image of R pixels."""
    t = np.linspace(0, np.pi, 17)
    points = np.empty((68, 2))
    points[:17] = np.stack([-np.cos(t) * 0.4, np.sin(t) * 0.45], axis=1)  # jaw
    for first, x in ((17, -0.2), (22, 0.2)):
        points[first : first + 5] = np.stack([x + np.linspace(-0.13, 0.13, 5), np.full(5, -0.25)], axis=1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.12, 0.08, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(-0.08, 0.08, 5), np.full(5, 0.12)], axis=1)
    for first, count, x, y, width, height in (
        (36, 6, -0.2, -0.1, 0.09, 0.04),
        (42, 6, 0.2, -0.1, 0.09, 0.04),
        (48, 12, 0.0, 0.27, 0.16, 0.09),
        (60, 8, 0.0, 0.27, 0.11, 0.04),
    ):
        t = np.arange(count) * 2 * np.pi / count
        points[first : first + count] = np.stack([x - np.cos(t) * width, y - np.sin(t) * height], axis=1)
    return ((points * scale + 0.5) * R + np.array(shift)[None]).astype(np.float32)


class FakeEditor:
    """Inverts to brighter portraits; edits to portraits whose last row is filled with the first landmark's x."""

    resolution = R

    def invert(self, images):
        return images.reshape(len(images), 1, -1).astype(np.float32)

    def render(self, latents):
        return (latents.reshape(-1, R, R, 3) + 10).astype(np.uint8)

    def edit(self, images, keypoints, strength=1.0):
        edited = images.copy()
        edited[:, -1] = np.rint(keypoints[:, 0, 0])[:, None, None]
        return edited


def dataset(count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Portraits with the value of their index everywhere, and faces that move to the right with it."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, R, R, 3)).copy()
    keypoints = np.stack([face(0.7, (0.5 * i, 0)) for i in range(count)])
    return images, keypoints, [f"{i:03d}.png" for i in range(count)]


def edits_of(count: int = 4, detect=lambda images: [None] * len(images), files=None) -> Edits:
    images, keypoints, names = dataset(count)
    return make_edits(FakeEditor(), images, keypoints, files or names, detect, seed=0)


def column(measurement: Measurement, name: str) -> Column:
    return next(c for c in measurement.columns if c.name == name)


# Pairs and edits


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_derangement_is_one_cycle_that_the_seed_fixes(count):
    targets = edits_module.cyclic_derangement(count, 3)
    place, visited = 0, []
    for _ in range(count):
        visited.append(place)
        place = targets[place]
    assert place == 0 and sorted(visited) == list(range(count))
    np.testing.assert_array_equal(targets, edits_module.cyclic_derangement(count, 3))
    assert count < 10 or not np.array_equal(targets, edits_module.cyclic_derangement(count, 4))


def test_derangement_needs_two():
    with pytest.raises(ValueError, match="at least 2 portraits, got 1"):
        edits_module.cyclic_derangement(1, 0)


def test_pairs_hash_depends_on_files_and_pairs():
    files, targets = ["a", "b", "c"], np.array([1, 2, 0])
    value = edits_module.pairs_hash(files, targets)
    assert value == edits_module.pairs_hash(list(files), targets.copy()) and len(value) == 16
    assert value != edits_module.pairs_hash(["a", "b", "d"], targets)
    assert value != edits_module.pairs_hash(files, np.array([2, 0, 1]))


def test_edits_do_not_depend_on_chunks(monkeypatch):
    monkeypatch.setattr(edits_module, "CHUNK", 3)
    edits = edits_of(7)
    images, keypoints, _ = dataset(7)
    assert np.all(edits.targets != np.arange(7))
    wanted = keypoints[edits.targets]
    np.testing.assert_array_equal(edits.rows[MANIPULATED].images, FakeEditor().edit(images, wanted))
    np.testing.assert_array_equal(edits.rows[MANIPULATED].keypoints, wanted)
    np.testing.assert_array_equal(edits.rows[RECONSTRUCTION].images, FakeEditor().edit(images, keypoints))
    np.testing.assert_array_equal(edits.rows[RECONSTRUCTION].keypoints, keypoints)
    np.testing.assert_array_equal(edits.rows[INVERSION].images, images + 10)
    np.testing.assert_array_equal(edits.rows[COPY_SOURCE].images, images)
    np.testing.assert_array_equal(edits.rows[COPY_SOURCE].keypoints, wanted)
    np.testing.assert_array_equal(edits.rows[COPY_TARGET].images, images[edits.targets])
    np.testing.assert_array_equal(edits.rows[COPY_TARGET].keypoints, wanted)
    assert TRUE_PICTURE not in edits.rows


def test_resolutions_must_agree():
    images, keypoints, files = dataset(2)
    with pytest.raises(ValueError, match="the portraits are 16x16 px and the editor's 32 px"):
        make_edits(FakeEditor(), images[:, :16, :16], keypoints, files, list, seed=0)


def test_detection_runs_once_a_row():
    calls = []

    def detect(images):
        calls.append(len(images))
        return [face()] * len(images)

    edits = edits_of(3, detect)
    hausdorff.measure(edits)
    edits.detected(MANIPULATED)
    edits.detected(COPY_TARGET)
    assert calls == [3] * (len(edits.rows) - 1)  # the targets' portraits are the sources in another order


def test_landmarks_of_targets_are_those_of_their_portraits():
    edits = edits_of(5, lambda images: [face(0.5, (image[0, 0, 0], 0)) for image in images])
    for found, image in zip(edits.detected(COPY_TARGET), edits.rows[COPY_TARGET].images, strict=True):
        np.testing.assert_array_equal(found, face(0.5, (image[0, 0, 0], 0)))


# Hausdorff distance and normalised mean error


def naive_hausdorff(a, b):
    distances = [[float(np.hypot(*(p - q))) for q in b] for p in a]
    return max(max(min(line) for line in distances), max(min(line) for line in zip(*distances, strict=True)))


def test_hausdorff_distance_matches_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(rng.integers(1, 9), 2)), rng.normal(size=(rng.integers(1, 9), 2))
        assert hausdorff.hausdorff_distance(a, b) == pytest.approx(naive_hausdorff(a, b), rel=1e-12)
        assert hausdorff.hausdorff_distance(a, b) == hausdorff.hausdorff_distance(b, a)


def test_parts_are_the_five_of_the_drawing():
    assert list(hausdorff.PARTS.values()) == [
        [*range(17)],
        [*range(17, 27)],
        [*range(27, 36)],
        [*range(36, 48)],
        [*range(60, 68)],
    ]


def test_landmark_hausdorff_sums_the_parts():
    """Each part shrunk to a point, and moved by 1, 2, 3, 4, 5 pixels: the sum is 15 / R."""
    wanted = face()
    for points in hausdorff.PARTS.values():
        wanted[points] = wanted[points].mean(axis=0)
    found = wanted.copy()
    for distance, points in enumerate(hausdorff.PARTS.values(), start=1):
        found[points] += distance * np.array([0.6, 0.8], np.float32)
    found[48:60] += 100  # the outer lips do not count
    assert hausdorff.landmark_hausdorff(found, wanted, R) == pytest.approx(15 / R, rel=1e-5)


def test_colours_give_the_parts_back():
    points = face()
    groups = hausdorff.group_by_colour(np.asarray(draw_landmarks(points[None], R))[0])
    for own, pixels in zip(hausdorff.PARTS.values(), groups, strict=True):
        distances = np.linalg.norm(pixels[:, None] + 0.5 - points[own][None], axis=-1)
        assert distances.min(axis=0).max() <= 1.0  # a pixel of the part's colour at each of its points
        assert distances.min(axis=1).max() <= 2.5  # and none far from all of them
    assert not any(len(pixels) for pixels in hausdorff.group_by_colour(np.zeros((R, R, 3))))


def test_half_covered_lines_are_kept_in_their_colour():
    """A line on the border of two pixel rows covers half of each, the least that the nearest pixel can be covered."""
    points = face()
    points[17:27, 1] = 4.0
    brows = hausdorff.group_by_colour(np.asarray(draw_landmarks(points[None], R))[0])[1]
    assert {3, 4} == set(brows[:, 1])


def test_drawn_hausdorff_follows_a_whole_shift():
    """A face moved by whole pixels moves every drawn pixel alike, so the distance is that of the pixel sets."""
    wanted, found = (np.asarray(draw_landmarks(face(0.7, (dx, 0))[None], R))[0] for dx in (0, 3))
    assert hausdorff.drawn_hausdorff(wanted, wanted) == 0
    groups = hausdorff.group_by_colour(wanted)
    expected = sum(naive_hausdorff(g, g + np.array([[3, 0]])) for g in groups) / R
    assert hausdorff.drawn_hausdorff(found, wanted) == pytest.approx(expected, rel=1e-6)


def test_drawn_hausdorff_of_a_missing_part_is_nan():
    outside = face()
    outside[60:68] += 10 * R
    drawn = np.asarray(draw_landmarks(np.stack([face(), outside]), R))
    assert np.isnan(hausdorff.drawn_hausdorff(drawn[1], drawn[0]))


def test_normalised_mean_error():
    """The eyes' centres are 0.4 R apart; every point is off by 5."""
    wanted = face()
    found = wanted + np.array([[3, 4]], np.float32)
    assert hausdorff.normalised_mean_error(found, wanted) == pytest.approx(5 / (0.4 * R), rel=1e-5)


def test_undetected_outputs_score_as_unedited_ones():
    """The detector sees every landmark in its place but finds no face in the portraits 1 and 2."""
    images, keypoints, files = dataset(4)
    targets = edits_module.cyclic_derangement(4, 0)
    rows = {MANIPULATED: Row(images, keypoints[targets]), RECONSTRUCTION: Row(images, keypoints)}

    def detector(row):
        return [None if i in (1, 2) else rows[row].keypoints[i] for i in range(4)]

    edits = Edits(FakeEditor(), files, images, keypoints, targets, rows, detect=list)
    edits._detected = {row: detector(row) for row in rows}
    measurement = hausdorff.measure(edits)
    for name, distance in (
        ("hausdorff", lambda a, b: hausdorff.landmark_hausdorff(a, b, R)),
        ("nme", hausdorff.normalised_mean_error),
    ):
        failed = [distance(keypoints[i], keypoints[targets[i]]) for i in (1, 2)]
        assert min(failed) > 0
        for row in rows:  # also where the source's own landmarks were wanted
            assert column(measurement, name).values[row] == pytest.approx(sum(failed) / 4)
    assert column(measurement, "hausdorff_legacy").values == {MANIPULATED: 0, RECONSTRUCTION: 0}
    assert column(measurement, "undetected").values == {MANIPULATED: 0.5, RECONSTRUCTION: 0.5}


def test_no_detection_at_all_is_no_error():
    measurement = hausdorff.measure(edits_of(3))
    assert column(measurement, "undetected").values[MANIPULATED] == 1
    assert np.isnan(column(measurement, "hausdorff_legacy").values[MANIPULATED])
    assert column(measurement, "hausdorff").values[MANIPULATED] == column(measurement, "hausdorff").values[COPY_SOURCE]


# Identity


def test_csim_scores(monkeypatch):
    """Descriptors are looked up by the portrait's value; the output of portrait 0 has the descriptor of portrait 1."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(4, 128)) + 3

    def describe(images, landmarks, description):
        values = [image[0, 0, 0] for image in images]
        found = [points is not None for points in landmarks]
        return np.where(np.array(found)[:, None], table[values], np.nan)

    monkeypatch.setattr(identity, "descriptors", describe)
    images, keypoints, files = dataset(4)
    outputs = images.copy()
    outputs[0] = 1
    targets, rows = np.array([1, 2, 3, 0]), {MANIPULATED: Row(outputs, keypoints)}
    rows[COPY_SOURCE] = Row(images, keypoints[targets])
    edits = Edits(FakeEditor(), files, images, keypoints, targets, rows, detect=list)
    edits._detected = {MANIPULATED: [*keypoints[:3], None], COPY_SOURCE: [None, *keypoints[1:]]}
    measurement = identity.measure(edits)

    def correlation(a, b):
        return a @ b / np.sqrt((a @ a) * (b @ b))

    centred = table - table.mean(axis=0)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0)]
    expected = {
        "csim_dlib": (correlation(centred[0], centred[1]) + 1 + 1 + 0) / 4,
        "csim_dlib_raw": (
            correlation(table[0], table[1]) + 1 + 1 + np.mean([correlation(table[a], table[b]) for a, b in pairs])
        )
        / 4,
    }
    for name, value in expected.items():
        assert column(measurement, name).values[MANIPULATED] == pytest.approx(value)
    assert column(measurement, "csim_dlib").values[COPY_SOURCE] == pytest.approx(3 / 4)
    assert column(measurement, "undetected").values == {MANIPULATED: 0.25, COPY_SOURCE: 0.25}


def test_descriptors_are_dlibs_own(monkeypatch):
    """Aligned and described in batches, against dlib's one call for an image and a shape."""
    dlib = pytest.importorskip("dlib")
    monkeypatch.setattr(identity, "BATCH", 2)
    images = np.random.default_rng(0).integers(0, 256, (4, R, R, 3), np.uint8)
    landmarks = [face(), None, face(0.8, (2, 1)), face(0.9)]
    result = identity.descriptors(images, landmarks, "test")
    assert result.shape == (4, 128) and np.isnan(result[1]).all()
    for i in (0, 2, 3):
        points = [dlib.point(*(int(c) for c in np.rint(point - 0.5))) for point in landmarks[i]]
        shape = dlib.full_object_detection(dlib.rectangle(0, 0, R - 1, R - 1), points)
        expected = identity._recogniser().compute_face_descriptor(images[i], shape)
        np.testing.assert_allclose(result[i], np.array(expected), atol=1e-5)


def test_csim_without_its_packages_leaves_a_note(monkeypatch):
    monkeypatch.setattr(identity.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(identity, "_recogniser", identity._recogniser.__wrapped__)
    (measurement,) = measure_all(edits_of(2), ["csim"])
    assert measurement.columns == () and "csim: not taken: needs the packages dlib-bin" in measurement.notes[0]


# Pixels


def test_truth_compares_with_the_true_picture(monkeypatch):
    names = [f"procedural/7/{i}" for i in range(3)]

    def pictures(sources, targets, resolution):
        assert (list(sources), resolution) == (names, R)
        assert list(targets) == [names[i] for i in edits_module.cyclic_derangement(3, 0)]
        return dataset(3)[0] + np.uint8(51)

    monkeypatch.setattr(edits_module, "truth", pictures)
    edits = edits_of(3, files=names)
    np.testing.assert_array_equal(edits.rows[TRUE_PICTURE].keypoints, edits.source_keypoints[edits.targets])
    values = column(truth.measure(edits), "truth_mse").values
    assert values[COPY_SOURCE] == pytest.approx((51 / 127.5) ** 2)
    assert values[INVERSION] == pytest.approx((41 / 127.5) ** 2)
    expected = np.mean((edits.rows[MANIPULATED].images.astype(float) - edits.sources - 51) ** 2) / 127.5**2
    assert values[MANIPULATED] == pytest.approx(expected)


def test_truth_of_other_portraits_leaves_a_note():
    (measurement,) = measure_all(edits_of(2), ["truth"])
    assert measurement.columns == () and "truth: not taken: only procedural portraits" in measurement.notes[0]


def test_reconstruction_error():
    edits = edits_of(3)
    measurement = reconstruction.measure(edits)
    assert column(measurement, "mse").values[INVERSION] == pytest.approx((10 / 127.5) ** 2)
    assert column(measurement, "psnr").values[INVERSION] == pytest.approx(20 * np.log10(255 / 10))
    assert set(column(measurement, "mse").values) == {INVERSION, RECONSTRUCTION}
    edits.rows[INVERSION] = Row(edits.sources, edits.source_keypoints)
    assert column(reconstruction.measure(edits), "psnr").values[INVERSION] == np.inf


# Figure


def test_figure_puts_each_edit_where_its_source_and_target_meet(monkeypatch):
    monkeypatch.setattr(figure, "CELL", 2 * R)
    edits = edits_of(8)
    picture = figure.measure(edits).pictures["figure.png"]
    step = 2 * R + figure.GAP
    assert picture.shape == (7 * step - figure.GAP, 7 * step - figure.GAP, 3)
    cells = np.array([[picture[y * step :, x * step :][: 2 * R, : 2 * R] for x in range(7)] for y in range(7)])
    assert np.all(cells[0, 0] == 255)
    for i in range(6):
        np.testing.assert_array_equal(cells[0, i + 1][::2, ::2], edits.sources[i])
        drawn = np.asarray(draw_landmarks(edits.source_keypoints[i + 2][None], R))[0] * 255
        np.testing.assert_allclose(cells[i + 1, 0][1::2, 1::2], drawn, atol=0.51)
    for target in range(6):
        for source in range(6):
            expected = FakeEditor().edit(edits.sources[[source]], edits.source_keypoints[[target + 2]])[0]
            np.testing.assert_array_equal(cells[target + 1, source + 1][::2, 1::2], expected)
