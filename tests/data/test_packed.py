"""A packed dataset holds what the prepared one does, and says what is wrong with a file."""

import numpy as np
import pytest

from jaxgan.data import packed, prepare
from jaxgan.data.packed import Packed, pack
from jaxgan.data.batches import array_batches, dataset_info, load_split
from jaxgan.errors import DatasetError

DATASET = "procedural"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    flags = ["--synthetic", "24", "--name", DATASET, "--data_dir", str(data), "--resolution", "16"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    return data


@pytest.fixture(scope="module")
def file(data):
    file = data / "packed" / "faces.npz"
    assert packed.main(["--data_dir", str(data), "--dataset", DATASET, "--out", str(file)]) == 0
    return file


def test_everything_is_kept_to_the_last_bit(data, file):
    found = Packed(file, 16)
    assert found.info == dataset_info(data, DATASET)
    for split in ("train", "test"):
        images, keypoints, files = load_split(data, DATASET, split)
        loaded = found.load(split)
        np.testing.assert_array_equal(loaded[0], images)
        np.testing.assert_array_equal(loaded[1], keypoints)
        assert [each.dtype for each in loaded] == [np.uint8, np.float32]
        assert found.files(split) == files
        for part, whole in zip(found.load(split, 3), loaded, strict=True):
            np.testing.assert_array_equal(part, whole[:3])


def test_packing_twice_gives_the_same_bytes(data, file, tmp_path):
    pack(data, DATASET, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()


def test_the_stream_is_that_of_the_arrays(data, file):
    images, keypoints, _ = load_split(data, DATASET, "train")
    options = {"seed": 3, "start_step": 2, "mirror": True, "targets": True, "process_index": 1, "process_count": 2}
    streams = Packed(file, 16).batches(4, **options), array_batches(images, keypoints, 4, **options)
    for _, ours, expected in zip(range(6), *streams, strict=False):
        assert ours.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(ours[name], expected[name])


def test_lossy_pictures_are_smaller_and_close(data, file, tmp_path):
    pack(data, DATASET, tmp_path / "lossy.npz", quality=80)
    lossy, exact = Packed(tmp_path / "lossy.npz", 16), Packed(file, 16)
    assert (tmp_path / "lossy.npz").stat().st_size < file.stat().st_size
    (images, keypoints), (expected, points) = lossy.load("train"), exact.load("train")
    np.testing.assert_array_equal(keypoints, points)
    assert 0 < np.abs(images.astype(float) - expected.astype(float)).mean() < 16


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(data, tmp_path, capsys, quality):
    flags = ["--data_dir", str(data), "--dataset", DATASET, "--out", str(tmp_path / "new.npz")]
    assert packed.main([*flags, "--quality", str(quality)]) == 1
    assert f"quality must lie in [1, 100], got {quality}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def rewritten(file, out, **changed):
    with np.load(file) as archive:
        np.savez(out, **{**archive, **changed})
    return out


def test_what_is_wrong_with_a_file_is_named(file, tmp_path):
    (cut := tmp_path / "cut.npz").write_bytes(file.read_bytes()[:-100])
    (text := tmp_path / "text.npz").write_text("no archive")
    np.savez(other := tmp_path / "other.npz", images=np.zeros(3))
    with np.load(file) as archive:
        moved = archive["keypoints"] + np.float32(1)
    changed = rewritten(file, tmp_path / "changed.npz", keypoints=moved)
    bits = bytearray(file.read_bytes())
    bits[len(bits) // 2] ^= 1
    (flipped := tmp_path / "flipped.npz").write_bytes(bits)
    for path, message in (
        (tmp_path / "missing.npz", "no such file; python -m jaxgan.data.packed writes it"),
        (cut, "not a packed dataset, or a damaged one"),
        (text, "not a packed dataset, or a damaged one"),
        (flipped, "not a packed dataset, or a damaged one"),
        (other, "not a packed dataset; python"),
        (changed, "its contents are not those that were written"),
    ):
        with pytest.raises(DatasetError, match=message) as error:
            Packed(path, 16)
        assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(DatasetError, match="has 16 px, not 32 px"):
        Packed(file, 32)
    with pytest.raises(DatasetError, match=r"no split validation \(there: train, test\)"):
        Packed(file, 16).load("validation")


def test_a_dataset_without_a_test_split(tmp_path):
    flags = ["--synthetic", "4", "--name", DATASET, "--data_dir", str(tmp_path), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0"]) == 0
    pack(tmp_path, DATASET, tmp_path / "train.npz")
    found = Packed(tmp_path / "train.npz", 8)
    assert len(found.load("train")[0]) == found.info.num_train == 4
    with pytest.raises(DatasetError, match=r"no split test \(there: train\)"):
        found.load("test")
