"""Identity and distribution of pictures, by fake networks and dlib's."""

import numpy as np
import pytest
from helpers.made_up import R, column, dataset, edits_of, face

from jaxgan.evaluation.edits import aligned_face
from jaxgan.evaluation.metrics import descriptors, distribution, frechet, identity, measure_all
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.metrics.features import cached
from jaxgan.evaluation.metrics.kid import kernel_distance
from jaxgan.evaluation.pairs import COPY_SOURCE, COPY_TARGET, INVERSION, MANIPULATED, NEAREST, RANDOM, REAL, RECONSTRUCTION

TABLE = np.random.default_rng(0).normal(size=(256, 128)) + 3


def by_value(faces):
    """Embeddings [N, 128] of faces of a single shade, looked up in TABLE."""
    return TABLE[faces[:, faces.shape[1] // 2, faces.shape[2] // 2, 0]]


@pytest.fixture
def edits(monkeypatch):
    """Six edits whose faces have fake descriptors; the second face of every row is not found."""
    monkeypatch.setattr(descriptors, "load_dlib", lambda: lambda chip: by_value(chip[None])[0])
    return edits_of(6, lambda images: [None if i == 1 else face() for i in range(len(images))], facenet=by_value)


def correlation(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_csim_is_the_cosine_of_descriptors(edits):
    measurement, targets = identity.measure(edits), edits.pairs.targets
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
    monkeypatch.setattr(descriptors, "load_dlib", lambda: lambda chip: by_value(chip[None])[0])
    images, keypoints, _ = dataset(4)
    edits = edits_of(6, training=(images, keypoints))
    faces = edits.aligned(REAL, "faces", 20, lambda faces: faces)
    for i in range(4):
        np.testing.assert_array_equal(faces[i], aligned_face(images[i], keypoints[i], 20))
    assert np.isfinite(column(distribution.measure_dlib(edits), "fd_dlib").values[REAL])


def test_targets_are_described_as_they_are_as_sources(edits):
    np.testing.assert_array_equal(
        dlib_descriptors(edits, COPY_TARGET), dlib_descriptors(edits, COPY_SOURCE)[edits.pairs.targets]
    )


def test_legacy_padding():
    images = np.full((2, 128, 128, 3), 7, np.uint8)
    padded = identity.zero_padded(images)
    assert padded.shape == (2, 150, 150, 3) and padded.sum() == images.sum()
    np.testing.assert_array_equal(padded[:, 11:139, 11:139], images)


def test_descriptors_are_dlibs_own():
    """Aligning, then describing a face equals dlib's single call with an image and a shape."""
    dlib = pytest.importorskip("dlib")
    network = descriptors.load_dlib()
    image, points = np.random.default_rng(0).integers(0, 256, (R, R, 3), np.uint8), face(0.8, (2, 1))
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, R - 1, R - 1), [dlib.point(*(int(c) for c in np.rint(point - 0.5))) for point in points]
    )
    found = np.array(network(aligned_face(image, points, descriptors.CHIP)))
    np.testing.assert_allclose(found, np.array(network(image, shape)), atol=1e-5)


def test_several_processes_describe_as_one(monkeypatch):
    pytest.importorskip("dlib")
    monkeypatch.setattr(descriptors.os, "cpu_count", lambda: 2)
    edits = edits_of(4, lambda images: [face()] * len(images))
    one = dlib_descriptors(edits, MANIPULATED)
    monkeypatch.setattr(descriptors, "WORTH_A_PROCESS", 1)
    several = dlib_descriptors(edits_of(4, lambda images: [face()] * len(images)), MANIPULATED)
    np.testing.assert_array_equal(several, one)
    assert several.shape == (4, 128) and len(np.unique(several, axis=0)) == 4


def test_csim_without_its_packages_leaves_a_note(monkeypatch):
    monkeypatch.setattr(descriptors.importlib.util, "find_spec", lambda name: None)
    (measurement,) = measure_all(edits_of(2), ["csim"])
    assert measurement.columns == () and "csim: not taken: needs the packages dlib-bin" in measurement.notes[0]


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
