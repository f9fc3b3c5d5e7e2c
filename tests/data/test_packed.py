"""A packed dataset holds what the prepared one does, and says what is wrong with a file."""

import shutil

import numpy as np
import pytest

from jaxgan import storage
from jaxgan.commands import pack as pack_command
from jaxgan.commands import prepare
from jaxgan.data import packed
from jaxgan.data.batches import array_batches
from jaxgan.data.images import encode_png
from jaxgan.data.packed import SPLITS, Packed, pack
from jaxgan.data.people import Label
from jaxgan.data.records import dataset_info, load_split
from jaxgan.data.shape import MEAN_FACE
from jaxgan.data.tfrecords import Record, write_dataset
from jaxgan.errors import DatasetError, InputError
from jaxgan.faces import retarget

DATASET = "procedural"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    flags = ["--synthetic", "24", "--name", DATASET, "--data_dir", str(data), "--resolution", "16"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    return data


@pytest.fixture(scope="module")
def file(data):
    file = data / "packed"
    assert pack_command.main(["--data_dir", str(data), "--dataset", DATASET, "--out", str(file)]) == 0
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
    pack(data, DATASET, tmp_path)
    again, first = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, file))
    assert again == first


def test_the_stream_is_that_of_the_arrays(data, file):
    images, keypoints, _ = load_split(data, DATASET, "train")
    options = {"seed": 3, "start_step": 2, "mirror": True, "targets": True, "retargeted": 0.5}
    options |= {"process_index": 1, "process_count": 2}
    streams = Packed(file, 16).batches(4, **options), array_batches(images, keypoints, 4, **options)
    for _, ours, expected in zip(range(6), *streams, strict=False):
        assert ours.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(ours[name], expected[name])


def test_faces_are_fitted_once_and_kept(data, file, monkeypatch):
    options = {"seed": 0, "targets": True, "retargeted": 1.0}
    expected = next(array_batches(*Packed(file, 16).load("train"), 4, **options))
    monkeypatch.setattr(retarget, "fit_model", lambda keypoints: pytest.fail("faces are fitted again"))
    np.testing.assert_array_equal(
        next(Packed(file, 16).batches(4, **options))["target_keypoints"], expected["target_keypoints"]
    )


def test_people_are_packed_with_their_portraits(data, tmp_path):
    def write(name, labels):
        image = encode_png(np.zeros((16, 16, 3), np.uint8))
        splits = {split: [Record(f"{split}{i}", image, MEAN_FACE, label) for i, label in enumerate(labels)] for split in SPLITS}
        known = {"resolution": 16, "detector": "exact", "filter": None, "source": "test", "seed": 1}
        write_dataset(tmp_path, name, 16, splits, known, labelled=True)
        pack(tmp_path, name, tmp_path / name / "packed")
        return Packed(tmp_path / name / "packed", 16)

    options = {"seed": 0, "targets": True, "paired": 1.0}
    batch = next(write("people", [Label("a", "1"), Label("", ""), Label("a", "2")]).batches(6, **options))
    assert batch["paired"].sum() == 4
    with pytest.raises(DatasetError, match="the portraits: has no two portraits of one person.*--people"):
        next(write("strangers", [Label("a", "1"), Label("b", "1")]).batches(2, **options))
    with pytest.raises(DatasetError, match="does not say who is on its portraits.*--people, and pack it anew"):
        next(Packed(data / "packed", 16).batches(2, **options))


def test_lossy_pictures_are_smaller_and_close(data, file, tmp_path):
    pack(data, DATASET, tmp_path / "lossy", quality=80)
    lossy, exact = Packed(tmp_path / "lossy", 16), Packed(file, 16)
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in (tmp_path / "lossy", file)]
    assert sizes[0] < sizes[1]
    (images, keypoints), (expected, points) = lossy.load("train"), exact.load("train")
    np.testing.assert_array_equal(keypoints, points)
    assert 0 < np.abs(images.astype(float) - expected.astype(float)).mean() < 16


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(data, tmp_path, capsys, quality):
    flags = ["--data_dir", str(data), "--dataset", DATASET, "--out", str(tmp_path / "new")]
    assert pack_command.main([*flags, "--quality", str(quality)]) == 1
    assert f"quality must lie in [1, 100], got {quality}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_large_datasets_are_split_into_files(data, file, tmp_path, monkeypatch):
    largest = packed.MIN_FILE_BYTES  # less than all keypoints, and less than all pictures
    pack(data, DATASET, tmp_path, max_file_bytes=largest)
    files = [path.stat().st_size for path in tmp_path.glob("*.safetensors")]
    assert len(files) > 2 and max(files) <= largest
    with pytest.raises(InputError, match="too small; the least is"):
        pack(data, DATASET, tmp_path, max_file_bytes=largest - 1)
    for part, whole in zip(Packed(tmp_path, 16).load("train"), Packed(file, 16).load("train"), strict=True):
        np.testing.assert_array_equal(part, whole)


def test_what_is_wrong_with_a_folder_is_named(file, tmp_path):
    (stored,) = file.glob("*.safetensors")
    bits = bytearray(stored.read_bytes())
    bits[len(bits) // 2] ^= 1
    for name, content in (("cut", bits[:-100]), ("flipped", bits)):
        (shutil.copytree(file, tmp_path / name) / stored.name).write_bytes(content)
    storage.write(tmp_path / "other", "networks", {"images": np.zeros(3)}, {})
    for name, message in (
        ("missing", "no arrays.json there; `jaxgan pack` writes"),
        ("cut", "is damaged"),
        ("flipped", "is damaged"),
        ("other", "holds networks, not dataset"),
    ):
        with pytest.raises(DatasetError, match=message) as error:
            Packed(tmp_path / name, 16)
        assert str(error.value).startswith(f"{tmp_path / name}")
    with pytest.raises(DatasetError, match="has 16 px, not 32 px"):
        Packed(file, 32)
    with pytest.raises(DatasetError, match=r"no split validation \(there: train, test\)"):
        Packed(file, 16).load("validation")


def test_a_dataset_without_a_test_split(tmp_path):
    flags = ["--synthetic", "4", "--name", DATASET, "--data_dir", str(tmp_path), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0"]) == 0
    pack(tmp_path, DATASET, tmp_path / "train")
    found = Packed(tmp_path / "train", 8)
    assert len(found.load("train")[0]) == found.info.num_train == 4
    with pytest.raises(DatasetError, match=r"no split test \(there: train\)"):
        found.load("test")


def test_a_folder_of_networks_is_not_replaced_by_a_dataset(data, tmp_path, capsys):
    storage.write(tmp_path, "networks", {"kernel": np.ones(3)}, {})
    assert pack_command.main(["--data_dir", str(data), "--dataset", DATASET, "--out", str(tmp_path)]) == 1
    assert "holds networks, which dataset would replace; choose another folder" in capsys.readouterr().err
    np.testing.assert_array_equal(storage.read(tmp_path, "networks")[1]["kernel"], np.ones(3))
