"""Detectors: coordinates, order of faces, and clear words when one cannot be loaded."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import detection
from jaxgan.data.detection import Face, detect_landmarks, load_detector, search
from jaxgan.data.landmarks import LEFT_EYE, RIGHT_EYE, mirror_images, mirror_keypoints
from jaxgan.data.shape import MEAN_FACE, check_face, fit_mean_face
from jaxgan.errors import DetectorError


class FakeFaceAlignment:
    """Finds bright rectangles where face-alignment finds faces; all 68 points fall in the pixel of the centre."""

    def __init__(self, landmarks_type, device="cuda", compile=True):
        assert (landmarks_type, device, compile) == (1, "cpu", False)
        self.face_detector = self

    def detect_from_image(self, image):
        boxes = []
        for value in np.unique(image[..., 0]):
            y, x = np.nonzero(image[..., 0] == value)
            if value in (100, 200):
                boxes.append(np.array([x.min(), y.min(), x.max() + 1, y.max() + 1, 0.99]))
        return boxes

    def get_landmarks_from_image(self, image, detected_faces):
        assert detected_faces  # the real one warns when there are none
        return [np.full((68, 2), ((x0 + x1) // 2, (y0 + y1) // 2)) for x0, y0, x1, y1, _ in detected_faces]


@pytest.fixture(autouse=True)
def none_loaded():
    load_detector.cache_clear()
    yield
    load_detector.cache_clear()


@pytest.fixture
def fake(monkeypatch):
    module = types.ModuleType("face_alignment")
    module.FaceAlignment = FakeFaceAlignment
    module.LandmarksType = types.SimpleNamespace(TWO_D=1)
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "face_alignment", module)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return module


def scene(height=300, width=400, small=False) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[20:41, 30:51] = 100
    if not small:
        image[100:201, 200:301] = 200
    return image


def test_the_largest_face_comes_first_with_points_at_pixel_centres(fake):
    faces = load_detector("face_alignment")(scene())
    wanted = np.array([np.full((68, 2), (250.5, 150.5)), np.full((68, 2), (40.5, 30.5))])
    np.testing.assert_array_equal([face.keypoints for face in faces], wanted)
    assert all(face.keypoints.dtype == np.float32 and face.score is None for face in faces)


def test_small_images_are_enlarged_and_points_scaled_back(monkeypatch):
    seen = []

    def corner():
        def find(image):
            seen.append(image.shape)
            return [Face(np.full((68, 2), (image.shape[1] - 1, 0), np.float32))]

        return find

    monkeypatch.setitem(detection.DETECTORS, "dlib", corner)
    [(points, _)] = load_detector("dlib")(np.zeros((64, 100, 3), np.uint8))
    assert seen == [(256, 400, 3)]
    np.testing.assert_allclose(points, np.full((68, 2), (100 - 0.125, 0.125)), rtol=1e-6)
    [(points, _)] = load_detector("dlib")(np.zeros((64, 101, 3), np.uint8))
    np.testing.assert_allclose(points[0], (101 - 0.125, 0.125), rtol=1e-6)


def test_a_detector_is_loaded_once(monkeypatch):
    loads = []
    monkeypatch.setitem(detection.DETECTORS, "dlib", lambda: loads.append("dlib") or (lambda image: []))
    for _ in range(2):
        assert detect_landmarks([np.zeros((8, 8, 3), np.uint8)], "dlib") == [None]
    assert loads == ["dlib"]


def test_detect_landmarks_keeps_the_order_and_marks_missing_faces(fake):
    images = [scene(small=True), np.zeros((300, 400, 3), np.uint8), scene()]
    found = detect_landmarks(images, "face_alignment", workers=2)
    assert found[1] is None
    np.testing.assert_array_equal(found[0][0], (40.5, 30.5))
    np.testing.assert_array_equal(found[2][0], (250.5, 150.5))
    assert detect_landmarks([], "face_alignment") == []


def test_an_image_that_cannot_be_enlarged_has_no_face(fake):
    assert detect_landmarks([np.zeros((1, 5000, 3), np.uint8)], "face_alignment") == [None]


def test_weights_that_cannot_be_fetched(fake, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("<urlopen error no route>")

    fake.FaceAlignment = offline
    with pytest.raises(DetectorError, match="could not fetch its weights .*no route"):
        load_detector("face_alignment")


def test_missing_packages_and_unknown_names(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DetectorError, match="needs the package dlib-bin"):
        load_detector("dlib")
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(DetectorError, match="needs the packages torch and face-alignment"):
        load_detector("face_alignment")
    with pytest.raises(DetectorError, match="unknown detector 'eye': choose from face_alignment, dlib"):
        load_detector("eye")


def test_dlib_on_a_photograph():
    pytest.importorskip("dlib")
    data = pytest.importorskip("skimage.data")
    photograph = data.astronaut()
    small = photograph[0:200, 130:330].copy()  # enlarged before detection

    found = (load_detector("dlib")(each) for each in (photograph, small, mirror_images(small)))
    large, cut, mirrored = (face.keypoints for [face] in found)

    eyes = np.linalg.norm(large[RIGHT_EYE].mean(0) - large[LEFT_EYE].mean(0))
    # Pupils as measured by hand; the subject's right eye is on the picture's left.
    assert large[RIGHT_EYE].mean(0) == pytest.approx((203.5, 100.8), abs=3)
    assert large[LEFT_EYE].mean(0) == pytest.approx((246.5, 103.3), abs=3)
    assert np.linalg.norm(cut + (130, 0) - large, axis=1).mean() < 0.1 * eyes
    assert np.linalg.norm(mirror_keypoints(mirrored, 200) - cut, axis=1).mean() < 0.1 * eyes


EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "source.jpg"


def test_weak_faces_come_after_sure_ones():
    sure, weak = Face(MEAN_FACE * 20 + 64, 1.0), Face(MEAN_FACE * 40 + 64, 0.01)
    assert search(lambda image: [weak, sure], np.zeros((300, 300, 3), np.uint8)) == [sure, weak]


def test_a_small_face_is_found_at_twice_the_size():
    seen = []

    def detect(image):
        seen.append(image.shape[:2])
        return [Face(np.full((68, 2), 100.0, np.float32))] if image.shape[0] == 600 else []

    (face,) = search(detect, np.zeros((300, 400, 3), np.uint8))
    assert seen == [(300, 400), (600, 800)] and (face.keypoints == 50).all()
    assert search(lambda image: [], np.zeros((100, 100, 3), np.uint8)) == []  # was enlarged to be searched at all


@pytest.mark.parametrize("degrees", [30, 90, -50, 180, 115])
def test_a_head_tilted_by_any_angle_is_found_where_it_is(degrees):
    pytest.importorskip("dlib")
    detect = load_detector("dlib")
    picture = Image.open(EXAMPLE).convert("RGB")
    (upright,) = detect(np.asarray(picture))
    turned = np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True))
    found = search(detect, turned, rotated=True)[0].keypoints
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle, centre = np.array(picture.size) / 2, np.array(turned.shape[1::-1]) / 2
    expected = (upright.keypoints - middle) @ np.array([[cos, -sin], [sin, cos]]) + centre
    eyes = np.linalg.norm(expected[RIGHT_EYE].mean(0) - expected[LEFT_EYE].mean(0))
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.1 * eyes
    check_face(found, *turned.shape[1::-1])
    assert abs((fit_mean_face(found)[0] + degrees + 180) % 360 - 180) < 15
