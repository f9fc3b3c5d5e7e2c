"""dlib's face recognition network in JAX: parity with dlib, files that are not it, alignment, gradients."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.data.detection import load_detector
from jaxgan.data.images import read_image
from jaxgan.errors import WeightsError
from jaxgan.evaluation.edits import aligned_face
from jaxgan.models.features.alignment import align_faces
from jaxgan.models.features.dlib_face import DLIB_SIZE, dlib_descriptors, dlib_weights, load_dlib_face

dlib = pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def params():
    return load_dlib_face()


@pytest.fixture(scope="module")
def portraits():
    """Two photographs and their landmarks."""
    images = [read_image(f"docs/examples/{name}.jpg") for name in ("source", "target")]
    return [(image, load_detector("dlib")(image)[0].keypoints) for image in images]


def test_descriptors_are_dlibs(params, portraits):
    network = dlib.face_recognition_model_v1(str(dlib_weights()))
    noise = np.random.default_rng(0).integers(0, 256, (2, DLIB_SIZE, DLIB_SIZE, 3), np.uint8)
    faces = np.stack([*noise, *(aligned_face(*portrait, DLIB_SIZE) for portrait in portraits)])
    expected = np.array([network.compute_face_descriptor(face) for face in faces])
    found = dlib_descriptors(params, jnp.asarray(faces, jnp.float32))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_faces_are_aligned_as_dlib_does(params, portraits):
    for image, points in portraits:
        ours = align_faces(jnp.asarray(image, jnp.float32)[None], jnp.asarray(points)[None], DLIB_SIZE)
        pair = jnp.concatenate([ours, jnp.asarray(aligned_face(image, points, DLIB_SIZE), jnp.float32)[None]])
        a, b = dlib_descriptors(params, pair)
        assert jnp.linalg.norm(a - b) < 0.2  # two pictures of one person are up to 0.6 apart


def test_alignment_undoes_a_similarity(portraits):
    image, points = portraits[0]
    turned, moved = np.rot90(image, -1), np.stack([image.shape[0] - points[:, 1], points[:, 0]], axis=1)
    small = [
        align_faces(jnp.asarray(each, jnp.float32)[None], jnp.asarray(at)[None], 32)
        for each, at in ((image, points), (turned, moved))
    ]
    np.testing.assert_allclose(*small, atol=0.5)


def test_the_identity_term_is_the_squared_distance_and_has_a_gradient(params, portraits):
    (a, own), (b, theirs) = ((jnp.asarray(i, jnp.float32)[None] / 127.5 - 1, jnp.asarray(k)[None]) for i, k in portraits)
    frozen = {"dlib_face": params}
    distance = losses.identity_distance(frozen, (a, own), (b, theirs))
    descriptors = [losses.face_descriptors(frozen, *each)[0] for each in ((a, own), (b, theirs))]
    assert distance == pytest.approx(float(jnp.sum((descriptors[0] - descriptors[1]) ** 2)), rel=1e-4) and distance > 0.36
    gradient = jax.grad(lambda image: losses.identity_distance(frozen, (image, own), (b, theirs)))(a)
    step = 0.05 * gradient / jnp.linalg.norm(gradient)
    assert losses.identity_distance(frozen, (a - step, own), (b, theirs)) < distance


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1000], lambda c: b"", lambda c: c.replace(b"con_4", b"con_5"), lambda c: c + c]
)
def test_files_that_are_not_the_network_are_named(tmp_path, damage):
    path = tmp_path / "some.dat"
    path.write_bytes(damage(dlib_weights().read_bytes()))
    with pytest.raises(WeightsError, match="some.dat: not dlib's face recognition network"):
        load_dlib_face(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(WeightsError, match="none.dat: No such file"):
        load_dlib_face(tmp_path / "none.dat")


def test_without_its_package_the_network_is_read_from_the_cache_folder(tmp_path, monkeypatch):
    weights = dlib_weights()
    monkeypatch.setattr("jaxgan.models.features.dlib_face.find_spec", lambda name: None)
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=re.escape(str(tmp_path))):
        dlib_weights()
    (tmp_path / weights.name).symlink_to(weights)
    assert dlib_weights() == tmp_path / weights.name
