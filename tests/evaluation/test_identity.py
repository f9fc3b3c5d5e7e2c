"""Identity and distribution of pictures, by fake networks and dlib's."""

import numpy as np
import pytest
from helpers.made_up import R, column, dataset, edits_of, face

from jaxgan.data.people import Label
from jaxgan.evaluation.edits import aligned_face
from jaxgan.evaluation.metrics import descriptors, distribution, frechet, identity, measure_all
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.metrics.features import cached
from jaxgan.evaluation.metrics.kid import kernel_distance
from jaxgan.evaluation.pairs import (
    COPY_SOURCE,
    COPY_TARGET,
    INVERSION,
    MANIPULATED,
    NEAREST,
    OTHER_PEOPLE,
    RANDOM,
    REAL,
    RECONSTRUCTION,
    SAME_PERSON,
    TRUE_PICTURE,
    cyclic_derangement,
)
from jaxgan.models.features import dlib_face
from jaxgan.models.features.dlib_face import DLIB_SIZE, dlib_weights

TABLE = np.random.default_rng(0).normal(size=(256, 128)) + 3


def by_value(faces):
    """Embeddings [N, 128] of faces of a single shade, looked up in TABLE."""
    return TABLE[faces[:, faces.shape[1] // 2, faces.shape[2] // 2, 0]]


@pytest.fixture
def edits(monkeypatch):
    """Six edits whose faces have fake descriptors; the second face of every row is not found."""
    monkeypatch.setattr(descriptors, "load_dlib", lambda: by_value)
    return edits_of(6, lambda images: [None if i == 1 else face() for i in range(len(images))], facenet=by_value)


def correlation(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_csim_is_the_cosine_of_descriptors(edits):
    measurement, targets = identity.measure(edits), cyclic_derangement(6, 0)
    own, others = TABLE[:6], TABLE[10:16]  # inversions are ten shades brighter
    mean = own.mean(axis=0)
    expected = {
        "csim_dlib": np.mean([correlation(a - mean, b - mean) for a, b in zip(own, others, strict=True)]),
        "csim_dlib_raw": np.mean([correlation(a, b) for a, b in zip(own, others, strict=True)]),
    }
    expected["csim"] = expected["csim_legacy"] = expected["csim_dlib_raw"]
    for name, value in expected.items():
        values = column(measurement, name).values
        assert values[INVERSION] == pytest.approx(value)
        assert values[COPY_SOURCE] == pytest.approx(1, abs=1e-12)
        assert RANDOM not in values
    pairs = np.mean([correlation(own[i], own[targets[i]]) for i in range(6)])
    assert column(measurement, "csim_dlib_raw").values[COPY_TARGET] == pytest.approx(pairs)
    assert column(measurement, "undetected").values[MANIPULATED] == pytest.approx(1 / 6)


def test_without_facenet_there_is_no_csim(edits):
    (measurement,) = measure_all(edits_of(3), ["csim"])
    assert [c.name for c in measurement.columns] == ["csim_dlib", "csim_dlib_raw", "undetected"]


def test_faces_not_found_are_cut_out_by_their_sources_landmarks(edits):
    faces = edits.aligned(INVERSION, "faces", 20, lambda faces: faces)
    keypoints = [edits.pairs.source_keypoints[1] if i == 1 else face() for i in range(6)]
    for i in range(6):
        np.testing.assert_array_equal(faces[i], aligned_face(edits.rows[INVERSION].images[i], keypoints[i], 20))


def test_fewer_training_portraits_than_pairs(monkeypatch):
    """Their faces, if not found, are cropped by their own landmarks."""
    monkeypatch.setattr(descriptors, "load_dlib", lambda: by_value)
    images, keypoints, _ = dataset(4)
    edits = edits_of(6, training=(images, keypoints))
    faces = edits.aligned(REAL, "faces", 20, lambda faces: faces)
    for i in range(4):
        np.testing.assert_array_equal(faces[i], aligned_face(images[i], keypoints[i], 20))
    assert np.isfinite(column(distribution.measure_dlib(edits), "fd_dlib").values[REAL])


def test_targets_are_described_as_they_are_as_sources(edits):
    np.testing.assert_array_equal(
        dlib_descriptors(edits, COPY_TARGET), dlib_descriptors(edits, COPY_SOURCE)[cyclic_derangement(6, 0)]
    )


def test_legacy_padding():
    images = np.full((2, 128, 128, 3), 7, np.uint8)
    padded = identity.zero_padded(images)
    assert padded.shape == (2, 150, 150, 3) and padded.sum() == images.sum()
    np.testing.assert_array_equal(padded[:, 11:139, 11:139], images)


def test_descriptors_are_dlibs_own():
    """Aligning, then describing a face equals dlib's single call with an image and a shape."""
    dlib = pytest.importorskip("dlib")
    image, points = np.random.default_rng(0).integers(0, 256, (R, R, 3), np.uint8), face(0.8, (2, 1))
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, R - 1, R - 1), [dlib.point(*(int(c) for c in np.rint(point - 0.5))) for point in points]
    )
    (found,) = descriptors.load_dlib()(aligned_face(image, points, DLIB_SIZE)[None])
    own = dlib.face_recognition_model_v1(str(dlib_weights())).compute_face_descriptor(image, shape)
    np.testing.assert_allclose(found, np.array(own), atol=1e-5)


def test_chunks_do_not_matter():
    faces = np.random.default_rng(0).integers(0, 256, (descriptors.BATCH + 1, DLIB_SIZE, DLIB_SIZE, 3), np.uint8)
    together = descriptors.load_dlib()(faces)
    assert together.shape == (len(faces), 128) and len(np.unique(together, axis=0)) == len(faces)
    np.testing.assert_allclose(descriptors.load_dlib()(faces[-1:])[0], together[-1], atol=1e-5)


def test_labelled_portraits_give_identity_its_scale(monkeypatch):
    """Portraits 0, 1 and 2 are of one person, 3 and 4 of another; of 5 it is not known."""
    monkeypatch.setattr(descriptors, "load_dlib", lambda: by_value)
    people = ["a", "a", "a", "b", "b", ""]
    edits = edits_of(6, lambda images: [face()] * len(images), labels=[Label(person, "") for person in people])
    values = column(identity.measure(edits), "csim_dlib_raw").samples
    own = TABLE[:6] / np.linalg.norm(TABLE[:6], axis=1, keepdims=True)
    cosines = own @ own.T
    expected = [
        cosines[0, [1, 2]].mean(),
        cosines[1, [0, 2]].mean(),
        cosines[2, :2].mean(),
        cosines[3, 4],
        cosines[4, 3],
        np.nan,
    ]
    np.testing.assert_allclose(values[SAME_PERSON], expected)
    np.testing.assert_allclose(values[OTHER_PEOPLE][3:], [cosines[3, :3].mean(), cosines[4, :3].mean(), np.nan])
    auc = column(identity.measure(edits), "csim_dlib_raw_auc").values[COPY_SOURCE]
    same, others = cosines[[0, 0, 1, 3], [1, 2, 2, 4]], cosines[:3, 3:5].ravel()
    assert auc == pytest.approx(np.mean(same[:, None] > others[None]))


def test_true_frames_have_identities_of_their_own(monkeypatch):
    monkeypatch.setattr(descriptors, "load_dlib", lambda: by_value)
    labels = [Label(f"{i // 2}", "clip") for i in range(6)]
    edits = edits_of(6, lambda images: [face()] * len(images), labels=labels, same=True)
    measurement = identity.measure(edits)
    before = np.array([int(file[:3]) for file in edits.pairs.files])
    np.testing.assert_array_equal(before % 2, 0)  # the second frame is the true one
    expected = [correlation(TABLE[i], TABLE[i + 1]) for i in before]
    np.testing.assert_allclose(column(measurement, "csim_dlib_raw").samples[TRUE_PICTURE], expected)
    np.testing.assert_allclose(column(measurement, "csim_dlib_raw").samples[SAME_PERSON], expected)
    np.testing.assert_allclose(column(measurement, "csim_dlib_raw_truth").samples[COPY_SOURCE], expected)
    inverted = [correlation(TABLE[i + 10], TABLE[i + 1]) for i in before]
    np.testing.assert_allclose(column(measurement, "csim_dlib_raw_truth").samples[INVERSION], inverted)


def test_verification_auc_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    same, similarity = rng.random(200) < 0.3, rng.normal(size=200).round(1)  # with ties
    assert identity.verification_auc(similarity, same) == pytest.approx(metrics.roc_auc_score(same, similarity))


def test_csim_without_its_packages_leaves_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(dlib_face, "find_spec", lambda name: None)
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path))
    descriptors.load_dlib.cache_clear()
    (measurement,) = measure_all(edits_of(2), ["csim"])
    assert measurement.columns == ()
    assert "csim: not taken: dlib's face recognition network: no " in measurement.notes[0]


def test_distances_are_to_the_sources(edits):
    measurement = distribution.measure_dlib(edits)
    values = column(measurement, "fd_dlib").values
    assert values.keys() == {*edits.rows} - {COPY_SOURCE, COPY_TARGET}
    assert values[REAL] == pytest.approx(0, abs=1e-9) and column(measurement, "precision_dlib").values[REAL] == 1
    expected = frechet.distance(frechet.fit(TABLE[:6]), frechet.fit(TABLE[10:16]))
    assert values[INVERSION] == pytest.approx(expected) and expected > 1
    assert "N = 6 is below 2,048" in measurement.title
    assert column(measurement, "kid_dlib").values[INVERSION] == 1e3 * kernel_distance(TABLE[:6], TABLE[10:16])[0]


def test_swapped_pictures_swap_their_numbers(edits):
    def numbers():
        columns = [c for m in (identity.measure(edits), distribution.measure_dlib(edits)) for c in m.columns]
        return {(c.name, row): value for c in columns for row, value in c.values.items()}

    before = numbers()
    rows = edits.rows
    rows[MANIPULATED], rows[NEAREST] = rows[NEAREST], rows[MANIPULATED]
    after = numbers()
    swap = {MANIPULATED: NEAREST, NEAREST: MANIPULATED}
    assert after == pytest.approx({(name, swap.get(row, row)): value for (name, row), value in before.items()})
    assert before["csim_dlib", MANIPULATED] != before["csim_dlib", NEAREST]


def test_fid_is_never_of_another_network(edits):
    (measurement,) = measure_all(edits, ["fid"])
    assert measurement.columns == () and "fid: not taken: needs Inception's weights" in measurement.notes[0]


def test_fid_of_given_features():
    edits = edits_of(5, inception=lambda images: np.repeat(images[:, 0, :4, 0], 1, axis=1).astype(np.float32))
    measurement = distribution.measure_inception(edits)
    assert column(measurement, "fid").values[REAL] == pytest.approx(0, abs=1e-9)
    assert column(measurement, "fid").values[INVERSION] == pytest.approx(4 * 10**2)  # shifted by 10 in four dimensions
    assert RECONSTRUCTION in column(measurement, "kid").values


def test_features_of_real_pictures_are_kept(tmp_path):
    calls = []

    def features(images):
        calls.append(len(images))
        return images.reshape(len(images), -1)[:, :3].astype(np.float32)

    images = np.random.default_rng(0).integers(0, 256, (4, R, R, 3), np.uint8)
    others = images, images.copy(), images[:3], images[:, ::-1]
    found = [cached(tmp_path, some, features) for some in others]
    assert calls == [4, 3, 4]  # other pictures and another number are measured anew
    np.testing.assert_array_equal(found[0], found[1])
    cached(tmp_path / "another network", images, features)
    assert len(calls) == 4 and len([*tmp_path.glob("*.npy")]) == 3
