"""Batches: every portrait once an epoch, streams that resume and split exactly, mirroring, prefetching."""

import itertools
import shutil
import threading

import numpy as np
import pytest

from jaxgan.data.batches import array_batches, prefetch, record_batches
from jaxgan.data.images import encode_png
from jaxgan.data.landmarks import MIRROR_INDEX
from jaxgan.data.records import dataset_info, load_split
from jaxgan.data.tfrecords import Record, write_dataset
from jaxgan.errors import DatasetError

COUNT = 23
RESOLUTION = 16


def portraits() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, RESOLUTION, RESOLUTION, 3), np.uint8)
    keypoints = rng.uniform(0, RESOLUTION, (COUNT, 68, 2)).astype(np.float32)
    return images, keypoints


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    images, keypoints = portraits()
    records = [Record(f"{i}.png", encode_png(images[i]), keypoints[i]) for i in range(COUNT)]
    known = {"resolution": RESOLUTION, "detector": "exact", "filter": None, "source": "test", "seed": 1}
    write_dataset(folder, "faces", RESOLUTION, {"train": records, "test": records[:3]}, known)
    write_dataset(folder, "bare", RESOLUTION, {"train": records}, {})
    return folder


@pytest.fixture(params=["records", "arrays"])
def stream(request, data_dir):
    def make(batch_size, **options):
        options = {"seed": 5, **options}
        if request.param == "records":
            return record_batches(data_dir, "faces", "train", batch_size, **options)
        return array_batches(*portraits(), batch_size, **options)

    return make


def take(batches, count, start=0):
    return list(itertools.islice(batches, start, start + count))


def column(batches, key):
    return np.concatenate([batch[key] for batch in batches])


def which(keypoints) -> np.ndarray:
    """The index of the portrait each row of keypoints belongs to, mirrored or not."""
    y = np.sort(portraits()[1][..., 1])
    return np.argmin(np.abs(np.sort(keypoints[..., 1])[:, None] - y[None]).max(-1), axis=1)


def assert_equal(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def test_shapes_and_types(stream):
    batch = next(stream(5, targets=True))
    assert {key: (value.shape, value.dtype) for key, value in batch.items()} == {
        "image": ((5, RESOLUTION, RESOLUTION, 3), np.uint8),
        "keypoints": ((5, 68, 2), np.float32),
        "target_keypoints": ((5, 68, 2), np.float32),
    }
    assert next(stream(5)).keys() == {"image", "keypoints"}


def test_every_epoch_is_another_permutation(stream):
    order = which(column(take(stream(5), 3 * COUNT), "keypoints"))
    epochs = order[: 15 * COUNT].reshape(15, COUNT)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(COUNT), (15, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 15


def test_images_and_keypoints_stay_together_when_mirrored(stream):
    images, keypoints = portraits()
    batches = take(stream(8), 25)
    flipped = []
    for image, points in zip(column(batches, "image"), column(batches, "keypoints"), strict=True):
        [index] = which(points[None])
        flipped.append(not np.array_equal(points, keypoints[index]))
        if flipped[-1]:
            expected = [(RESOLUTION - keypoints[index][j][0], keypoints[index][j][1]) for j in MIRROR_INDEX]
            np.testing.assert_allclose(points, expected, atol=1e-5)
            np.testing.assert_array_equal(image, np.fliplr(images[index]))
        else:
            np.testing.assert_array_equal(image, images[index])
    assert 0.35 < np.mean(flipped) < 0.65  # 200 tosses: four standard deviations


def test_without_mirroring_every_portrait_is_as_stored(stream):
    images, keypoints = portraits()
    batch = next(stream(COUNT, mirror=False, targets=True))
    order = which(batch["keypoints"])
    np.testing.assert_array_equal(batch["image"], images[order])
    np.testing.assert_array_equal(batch["keypoints"], keypoints[order])
    np.testing.assert_array_equal(batch["target_keypoints"], keypoints[which(batch["target_keypoints"])])


def test_targets_are_drawn_independently(stream):
    batches = take(stream(COUNT, targets=True), 10)
    own, target = (which(column(batches, key)).reshape(10, COUNT) for key in ("keypoints", "target_keypoints"))
    np.testing.assert_array_equal(np.sort(target), np.tile(np.arange(COUNT), (10, 1)))
    assert np.mean(own == target) < 0.15  # 1 in 23 by chance
    assert_equal([{key: batch[key] for key in ("image", "keypoints")} for batch in batches], take(stream(COUNT), 10))


def test_a_seed_decides_the_stream(stream):
    assert_equal(take(stream(5, targets=True), 12), take(stream(5, targets=True), 12))
    first, other = (which(column(take(stream(COUNT, seed=seed), 2), "keypoints")) for seed in (5, 6))
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[COUNT:], other[:COUNT])  # no epoch is shared either


@pytest.mark.parametrize("start", [1, 7, 23, 40])
def test_a_stream_resumes_where_it_was(stream, start):
    assert_equal(take(stream(5, targets=True, start_step=start), 6), take(stream(5, targets=True), 6, start))


def test_processes_share_one_stream(stream):
    whole = take(stream(6, targets=True, start_step=2), 12)
    parts = [take(stream(2, targets=True, start_step=2, process_index=i, process_count=3), 12) for i in range(3)]
    joined = [{key: np.concatenate([part[key] for part in step]) for key in whole[0]} for step in zip(*parts, strict=True)]
    assert_equal(joined, whole)


def test_a_batch_may_be_larger_than_the_dataset(stream):
    order = which(next(stream(2 * COUNT))["keypoints"])
    np.testing.assert_array_equal(np.bincount(order), np.full(COUNT, 2))


def test_bad_arguments_are_refused_at_once(stream):
    for options in ({"seed": -1}, {"process_index": 1}, {"process_index": -1}, {"start_step": -1}):
        with pytest.raises(ValueError, match="out of range"):
            stream(5, **options)
    with pytest.raises(ValueError, match="out of range"):
        stream(0)
    images, keypoints = portraits()
    with pytest.raises(ValueError, match=r"keypoints \(22, 68, 2\): want"):
        array_batches(images, keypoints[1:], 4, seed=0)


def test_load_split_has_a_fixed_order(data_dir):
    images, keypoints, files = load_split(data_dir, "faces", "train")
    index = [int(name.removesuffix(".png")) for name in files]
    assert sorted(index) == list(range(COUNT))
    np.testing.assert_array_equal(images, portraits()[0][index])
    np.testing.assert_array_equal(keypoints, portraits()[1][index])
    first = load_split(data_dir, "faces", "train", limit=4)
    np.testing.assert_array_equal(first[0], images[:4])
    assert first[2] == files[:4]


def test_dataset_info_and_what_may_be_wrong(data_dir):
    info = dataset_info(data_dir, "faces", RESOLUTION)
    assert (info.name, info.resolution, info.num_train, info.num_test) == ("faces", RESOLUTION, COUNT, 3)
    with pytest.raises(DatasetError, match="dataset faces in .*: has 16 px, not 32 px"):
        dataset_info(data_dir, "faces", 32)
    with pytest.raises(DatasetError, match=r"no dataset cats in .* \(there: bare, faces\)"):
        dataset_info(data_dir, "cats")
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        dataset_info(data_dir / "nowhere", "faces")
    with pytest.raises(DatasetError, match="dataset bare in .*: its metadata lacks 'resolution'"):
        dataset_info(data_dir, "bare")
    with pytest.raises(DatasetError, match=r"no split valid \(there: test, train\)"):
        record_batches(data_dir, "faces", "valid", 4, seed=0)


def test_prefetch_keeps_the_order_and_stays_ahead():
    taken, leads, reached = [], [], threading.Semaphore(0)

    def put(item):
        leads.append(item - len(taken))
        reached.release()
        return item * 10

    for value in prefetch(iter(range(50)), put, size=2):
        for _ in range(3 if not taken else value < 480):  # waits until two are ready while this one is in use
            assert reached.acquire(timeout=10)
        taken.append(value)
    assert taken == [10 * item for item in range(50)]
    assert max(leads) == 2


@pytest.mark.parametrize("where", ["iterator", "put"])
def test_prefetch_raises_in_the_consumer(where):
    def numbers():
        yield from range(2)
        raise OSError("torn tape")

    def put(item):
        if where == "put" and item == 2:
            raise OSError("torn tape")
        return item

    batches = prefetch(numbers() if where == "iterator" else itertools.count(), put)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(OSError, match="torn tape"):
        next(batches)


def test_closing_prefetch_stops_its_thread():
    def running():
        return [thread for thread in threading.enumerate() if thread.name == "prefetch"]

    batches = prefetch(itertools.count(), lambda item: item)
    assert next(batches) == 0 and len(running()) == 1
    batches.close()
    assert running() == []


@pytest.mark.parametrize("damage", ["cut off", "changed", "gone"])
def test_unreadable_records_are_named(data_dir, tmp_path, damage):
    shutil.copytree(data_dir / "faces", tmp_path / "faces")
    (file,) = (tmp_path / "faces").rglob("*train*tfrecord*")
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    elif damage == "cut off":
        file.write_bytes(content[:-100])
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    for read in (
        lambda: next(record_batches(tmp_path, "faces", "train", 4, seed=0)),
        lambda: next(record_batches(tmp_path, "faces", "train", 4, seed=0, targets=True)),
        lambda: load_split(tmp_path, "faces", "train"),
    ):
        with pytest.raises(DatasetError, match=r"dataset faces in .* cannot be read, prepare it anew: \S+") as error:
            read()
        assert "\n" not in str(error.value)
