"""Streams of batches in which some targets are other portraits of the same person."""

import itertools

import numpy as np
import pytest

from jaxgan.data.batches import array_batches, record_batches
from jaxgan.data.images import encode_png
from jaxgan.data.landmarks import mirror_images, mirror_keypoints
from jaxgan.data.partners import Partners
from jaxgan.data.people import Label
from jaxgan.data.shape import MEAN_FACE
from jaxgan.data.tfrecords import Record, write_dataset
from jaxgan.errors import DatasetError, InputError

PEOPLE = ["a", "b", "", "c", "a", "b", "d", "", "a", "c", "a"]
COUNT, RESOLUTION = len(PEOPLE), 16


@pytest.fixture(scope="module")
def portraits():
    rng = np.random.default_rng(0)
    keypoints = 4 * MEAN_FACE[None] + 8 + rng.normal(0, 0.1, (COUNT, 68, 2))
    return rng.integers(0, 256, (COUNT, RESOLUTION, RESOLUTION, 3), np.uint8), keypoints.astype(np.float32)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, portraits):
    folder = tmp_path_factory.mktemp("data")
    rows = zip(*portraits, PEOPLE, strict=True)
    records = [Record(f"{i}.png", encode_png(image), points, Label(who, str(i))) for i, (image, points, who) in enumerate(rows)]
    known = {"resolution": RESOLUTION, "detector": "exact", "filter": None, "source": "test", "seed": 1}
    write_dataset(folder, "people", RESOLUTION, {"train": records}, known, labelled=True)
    return folder


@pytest.fixture(params=["records", "arrays"])
def stream(request, data_dir, portraits):
    def take(count, batch_size=6, **options):
        options = {"seed": 5, "targets": True, "paired": 0.6, **options}
        if request.param == "records":
            drawn = record_batches(data_dir, "people", "train", batch_size, **options)
        else:
            drawn = array_batches(*portraits, batch_size, people=PEOPLE, **options)
        taken = list(itertools.islice(drawn, count))
        return {key: np.stack([batch[key] for batch in taken]) for key in taken[0]}

    return take


def which(images, keypoints, portraits):
    """The number of each portrait of a batch, and whether it is mirrored; picture and landmarks must agree."""
    found = []
    for image, points in zip(images, keypoints, strict=True):
        for flipped in (False, True):
            pictures = mirror_images(portraits[0]) if flipped else portraits[0]
            for number in np.flatnonzero((pictures == image).all((1, 2, 3))):
                own = portraits[1][number]
                np.testing.assert_array_equal(points, mirror_keypoints(own, RESOLUTION) if flipped else own)
                found.append((number, flipped))
    assert len(found) == len(images)
    return [number for number, _ in found], [flipped for _, flipped in found]


def test_pairs_are_other_portraits_of_the_person_with_their_landmarks(stream, portraits):
    taken = {key: value.reshape(-1, *value.shape[2:]) for key, value in stream(20).items()}
    paired = taken["paired"]
    own, _ = which(taken["image"], taken["keypoints"], portraits)
    other, flips = which(taken["target_image"][paired], taken["target_keypoints"][paired], portraits)
    named = np.array([PEOPLE[number] for number in own])
    for mine, theirs in zip(np.array(own)[paired], other, strict=True):
        assert mine != theirs and PEOPLE[mine] == PEOPLE[theirs] != ""
    assert not paired[(named == "") | (named == "d")].any()
    assert 0.4 < paired[np.isin(named, ["a", "b", "c"])].mean() < 0.8
    assert 0 < np.mean(flips) < 1
    partners = {theirs for mine, theirs in zip(np.array(own)[paired], other, strict=True) if mine == 0}
    assert partners == {4, 8, 10}  # each of the others
    np.testing.assert_array_equal(taken["target_image"][~paired], taken["image"][~paired])


def test_the_rest_of_a_stream_stays_as_it_was(stream):
    plain, made = stream(6, paired=0.0), stream(6)
    for key in ("image", "keypoints"):
        np.testing.assert_array_equal(made[key], plain[key])
    rest = ~made["paired"]
    np.testing.assert_array_equal(made["target_keypoints"][rest], plain["target_keypoints"][rest])
    assert set(plain) == {"image", "keypoints", "target_keypoints"}


def test_a_stream_resumes_where_it_was_and_is_shared_by_processes(stream):
    whole = stream(5)
    later = stream(3, start_step=2)
    parts = [stream(5, 3, process_index=index, process_count=2) for index in range(2)]
    for key, value in whole.items():
        np.testing.assert_array_equal(later[key], value[2:])
        np.testing.assert_array_equal(np.concatenate([part[key] for part in parts], axis=1), value)


def test_partners_are_drawn_evenly():
    partners, fractions = Partners(["x", "y", "x", "x"], "here"), np.linspace(0, 1, 1000, endpoint=False)
    for row, others in ((0, [2, 3]), (2, [0, 3]), (3, [0, 2])):
        found, counts = np.unique(partners.of(np.full(1000, row), fractions), return_counts=True)
        assert found.tolist() == others and counts.tolist() == [500, 500]
    assert (partners.of(np.full(1000, 1), fractions) == -1).all()


@pytest.mark.parametrize(("people", "reason"), [(None, "does not say who"), (["", "", "a"], "no two portraits of one person")])
def test_data_without_pairs_are_named(people, reason):
    with pytest.raises(DatasetError, match=f"my faces: .*{reason}.*--people"):
        Partners(people, "my faces")


def test_a_share_out_of_range_is_refused(stream):
    with pytest.raises(InputError, match=r"paired must lie in \[0, 1\], got 1.5"):
        stream(1, paired=1.5)
