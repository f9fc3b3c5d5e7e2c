"""Mirroring: images and keypoints stay together, and left becomes right."""

import numpy as np

from jaxgan.data import landmarks
from jaxgan.data.landmarks import MIRROR_INDEX, mirror_images, mirror_keypoints

PARTS = (
    "JAW",
    "RIGHT_BROW",
    "LEFT_BROW",
    "NOSE_BRIDGE",
    "NOSE_BASE",
    "RIGHT_EYE",
    "LEFT_EYE",
    "OUTER_LIPS",
    "INNER_LIPS",
)


def symmetric_face() -> np.ndarray:
    """The 68 points of a face that is its own mirror image about x = 50, [68, 2]."""

    def around(centre, radius, degrees):
        angle = np.radians(degrees)
        return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=-1)

    return np.concatenate(
        [
            around((50, 50), 40, np.linspace(180, 0, 17)),  # jaw, from the left of the picture, y down
            around((35, 40), 10, np.linspace(200, 340, 5)),
            around((65, 40), 10, np.linspace(200, 340, 5)),
            np.stack([np.full(4, 50.0), np.linspace(40, 55, 4)], axis=-1),
            around((50, 55), 6, np.linspace(160, 20, 5)),
            around((35, 45), 5, [180, 240, 300, 0, 60, 120]),
            around((65, 45), 5, [180, 240, 300, 0, 60, 120]),
            around((50, 70), 10, np.arange(180, 540, 30)),
            around((50, 70), 7, np.arange(180, 540, 45)),
        ]
    ).astype(np.float32)


def test_a_symmetric_face_is_its_own_mirror_image():
    np.testing.assert_allclose(mirror_keypoints(symmetric_face(), 100), symmetric_face(), atol=1e-4)


def test_mirroring_twice_changes_nothing():
    np.testing.assert_array_equal(MIRROR_INDEX[MIRROR_INDEX], np.arange(68))
    points = np.random.default_rng(0).uniform(0, 64, (5, 68, 2)).astype(np.float32)
    np.testing.assert_allclose(mirror_keypoints(mirror_keypoints(points, 64), 64), points, atol=1e-5)


def test_parts_cover_all_landmarks_and_map_onto_their_mirror_image():
    slices = {name: getattr(landmarks, name) for name in PARTS}
    indices = np.arange(landmarks.NUM_LANDMARKS)
    np.testing.assert_array_equal(np.concatenate([indices[each] for each in slices.values()]), indices)
    for name, part in slices.items():
        swapped = name.replace("RIGHT", "?").replace("LEFT", "RIGHT").replace("?", "LEFT")
        assert set(MIRROR_INDEX[part]) == set(indices[slices[swapped]])


def test_keypoints_follow_their_pixels():
    rng = np.random.default_rng(1)
    columns, rows = rng.permutation(80)[:68], rng.permutation(70)[:68]
    image = np.zeros((70, 80, 1), np.uint8)
    image[rows, columns, 0] = np.arange(1, 69)  # the pixel of landmark i has the value i + 1
    keypoints = np.stack([columns, rows], axis=-1).astype(np.float32) + np.float32(0.5)

    mirrored = mirror_images(image)
    x, y = np.floor(mirror_keypoints(keypoints, 80)).astype(int).T
    np.testing.assert_array_equal(mirrored[y, x, 0], MIRROR_INDEX + 1)


def test_batches_and_dtype():
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    np.testing.assert_array_equal(mirror_images(images), np.stack([np.fliplr(each) for each in images]))
    keypoints = np.zeros((2, 68, 2), np.float32)
    assert mirror_keypoints(keypoints, 4).dtype == np.float32
