"""Streams of batches in which some targets have the bones of the portrait that they are for."""

import itertools

import jax
import numpy as np
import pytest

from jaxgan.data import batches
from jaxgan.data.batches import array_batches, record_batches
from jaxgan.data.images import encode_png
from jaxgan.data.landmarks import mirror_keypoints
from jaxgan.data.tfrecords import Record, write_dataset
from jaxgan.errors import InputError
from jaxgan.faces.fit import ANGLES, BONES, EXPRESSION, Fit, project
from jaxgan.faces.retarget import fit_faces, retarget
from jaxgan.runtime import on_cpu

COUNT = 11
RESOLUTION = 16


@pytest.fixture(scope="module")
def portraits():
    """Images of noise, and faces that the model does not express exactly."""
    rng = np.random.default_rng(0)
    bones, expression, angles = (
        np.float32([[rng.normal(mean, 0.7 * deviation) for mean, deviation in group.values()] for _ in range(COUNT)])
        for group in (BONES, EXPRESSION, ANGLES)
    )
    scale, shift = np.full(COUNT, 4, np.float32), np.float32(rng.uniform(6, 10, (COUNT, 2)))
    with on_cpu():
        keypoints = project(Fit(bones, expression, angles, scale, shift))
    keypoints += rng.normal(0, 0.1, keypoints.shape).astype(np.float32)
    return rng.integers(0, 256, (COUNT, RESOLUTION, RESOLUTION, 3), np.uint8), keypoints


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, portraits):
    folder = tmp_path_factory.mktemp("data")
    records = [Record(f"{i}.png", encode_png(image), points) for i, (image, points) in enumerate(zip(*portraits, strict=True))]
    known = {"resolution": RESOLUTION, "detector": "exact", "filter": None, "source": "test", "seed": 1}
    write_dataset(folder, "faces", RESOLUTION, {"train": records}, known)
    return folder


@pytest.fixture(params=["records", "arrays"])
def stream(request, data_dir, portraits):
    def take(count, batch_size=6, **options):
        options = {"seed": 5, "targets": True, **options}
        if request.param == "records":
            drawn = record_batches(data_dir, "faces", "train", batch_size, **options)
        else:
            drawn = array_batches(*portraits, batch_size, **options)
        taken = list(itertools.islice(drawn, count))
        return {key: np.stack([batch[key] for batch in taken]) for key in taken[0]}

    return take


def rows(taken):
    return {key: value.reshape(-1, *value.shape[2:]) for key, value in taken.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])


@pytest.mark.parametrize(("share", "mirror"), [(0.5, True), (1.0, False)])
def test_the_chosen_targets_are_retargeted_and_the_others_as_they_were(stream, portraits, share, mirror):
    plain, made = (rows(stream(8, mirror=mirror, retargeted=each)) for each in (0.0, share))
    for key in ("image", "keypoints"):
        np.testing.assert_array_equal(made[key], plain[key])
    with on_cpu():
        wanted = retarget(plain["keypoints"], plain["target_keypoints"])
    chosen = (made["target_keypoints"] != plain["target_keypoints"]).any((1, 2))
    own = (plain["keypoints"] == plain["target_keypoints"]).all((1, 2))  # by chance its own target
    assert 0.3 < chosen.mean() < 0.7 if share == 0.5 else (chosen | own).all()
    np.testing.assert_allclose(made["target_keypoints"][chosen], wanted[chosen], atol=5e-3)
    assert np.abs(wanted - plain["target_keypoints"])[chosen & ~own].max((1, 2)).min() > 0.1
    stored = (plain["keypoints"][:, None] == portraits[1][None]).all((2, 3)).any(1)
    assert (0 < stored[chosen].sum() < chosen.sum()) == mirror  # mirrored portraits were among them


def test_a_share_of_0_changes_nothing_and_fits_nothing(stream, monkeypatch):
    monkeypatch.setattr("jaxgan.data.batches.fit_faces", None)
    assert_equal(stream(4, retargeted=0.0), stream(4))


def test_a_stream_resumes_where_it_was(stream):
    whole = stream(5, retargeted=0.5)
    assert_equal(stream(3, start_step=2, retargeted=0.5), {key: value[2:] for key, value in whole.items()})


def test_processes_share_one_stream(stream):
    whole = stream(4, retargeted=0.5)
    parts = [stream(4, 3, process_index=index, process_count=2, retargeted=0.5) for index in range(2)]
    joined = {key: np.concatenate([part[key] for part in parts], axis=1) for key in whole}
    np.testing.assert_allclose(joined.pop("target_keypoints"), whole.pop("target_keypoints"), atol=1e-5)
    assert_equal(joined, whole)


def test_faces_are_fitted_and_retargeted_on_the_processor(portraits, monkeypatch):
    first, other = jax.local_devices()[:2]
    places = []

    def noted(function):
        return lambda *faces: places.append(jax.config.jax_default_device) or function(*faces)

    for name in ("fit_faces", "transfer"):
        monkeypatch.setattr(batches, name, noted(getattr(batches, name)))
    with jax.default_device(other):
        next(array_batches(*portraits, 6, seed=5, targets=True, retargeted=0.5))
    assert places == [first, first]


@pytest.mark.parametrize("share", [-0.1, 1.5, np.nan])
def test_a_share_out_of_range_is_refused(stream, share):
    with pytest.raises(InputError, match=rf"retargeted must lie in \[0, 1\], got {share}"):
        stream(1, retargeted=share)


def test_mirrored_faces_are_those_of_mirrored_landmarks(portraits):
    _, keypoints = portraits
    with on_cpu():
        faces, mirrored = fit_faces(keypoints), fit_faces(mirror_keypoints(keypoints, RESOLUTION))
    order, flips = np.array([3, 0, 3, 7]), np.array([True, False, False, True])
    found = faces.at(order, flips, RESOLUTION)
    for one, own, other in zip(*map(jax.tree.leaves, (found, faces, mirrored)), strict=True):
        np.testing.assert_array_equal(one[~flips], own[order[~flips]])
        np.testing.assert_allclose(one[flips], other[order[flips]], atol=5e-3)
