"""The command that prepares datasets: what is accepted, what is rejected, and what is left after a bad end."""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from jaxgan.commands import prepare as prepare_command
from jaxgan.data import prepare
from jaxgan.data.detection import Face
from jaxgan.data.records import dataset_info, load_split
from jaxgan.data.shape import MEAN_FACE
from jaxgan.data.summary import Outcome, Summary
from jaxgan.data.tfrecords import Record, dataset_folder
from jaxgan.errors import DatasetError, DetectorError, InputError, SourceError
from jaxgan.faces import portraits as synthetic
from jaxgan.runtime import lock_folder

OFFSETS = 6 * (MEAN_FACE - MEAN_FACE.mean(0))


def find_squares(image: np.ndarray) -> list[Face]:
    """A detector whose faces are bright squares: 68 points around the centre of each, the largest first."""
    labels, count = scipy.ndimage.label(image.min(axis=-1) > 127)
    if count > 2:
        raise RuntimeError("more than\nit can bear")
    indices = sorted(range(1, count + 1), key=lambda index: -(labels == index).sum())
    centres = [np.argwhere(labels == index).mean(0)[::-1] + 0.5 for index in indices]
    return [Face(OFFSETS + centre.astype(np.float32)) for centre in centres]


def portrait(width=64, height=64, x=20, y=24, side=16) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = 255
    return image


def encoded(image: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[274] = 6
    several = portrait()
    several[50:56, 50:56] = 255
    four = portrait(x=40)
    four[::8, :8:4] = 255
    grey16 = io.BytesIO()
    Image.fromarray(portrait()[..., 0].astype(np.uint16) * 257).save(grey16, "PNG")
    cmyk = io.BytesIO()
    Image.fromarray(portrait(x=26)).convert("CMYK").save(cmyk, "JPEG", quality=95)
    return {
        "plain.png": encoded(portrait()),
        "left/same.png": encoded(portrait(x=8)),
        "right/same.png": encoded(portrait(x=36)),
        "wide.PNG": encoded(portrait(width=160, x=120)),
        "tall.webp": encoded(portrait(height=100, y=70), "WEBP", lossless=True),
        "turned.jpg": encoded(portrait(x=30, y=10), "JPEG", quality=95, exif=exif),
        "deep.png": grey16.getvalue(),
        "print.jpeg": cmyk.getvalue(),
        "small.png": encoded(portrait(width=24, height=24, x=8, y=4, side=8)),
        "several.png": encoded(several),
        "broken.png": encoded(portrait())[:60],
        "text.png": b"no image",
        "pixel.png": encoded(np.zeros((1, 1, 3), np.uint8)),
        "empty.png": encoded(np.zeros((64, 64, 3), np.uint8)),
        "fails.png": encoded(four),
        "notes.txt": b"no image",
        ".hidden.png": encoded(portrait()),
        "__MACOSX/plain.png": b"resource fork",
    }


ACCEPTED = 10
REJECTED = {
    "broken.png": "unreadable: ",
    "text.png": "unreadable: not an image",
    "pixel.png": "too small: 1x1 px",
    "empty.png": "no face found",
    "fails.png": "failed: RuntimeError more than it can bear",
}


@pytest.fixture
def folder(tmp_path, files) -> Path:
    for name, data in files.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "images"


@pytest.fixture(autouse=True)
def squares(monkeypatch):
    monkeypatch.setattr(prepare, "load_detector", lambda name: find_squares)


def run(images, data_dir, **options):
    return prepare.prepare_images(images, "faces", data_dir, 32, "dlib", **{"test_fraction": 0.3, **options})


def everything(data_dir) -> tuple[np.ndarray, np.ndarray, list[str]]:
    parts = [load_split(data_dir, "faces", split) for split in ("train", "test")]
    return tuple(np.concatenate([part[field] for part in parts]) for field in range(3))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rejected(data_dir) -> list[dict[str, str]]:
    with (dataset_folder(data_dir, "faces") / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_everything(folder, tmp_path):
    summary = run(folder, tmp_path / "data")

    images, keypoints, names = everything(tmp_path / "data")
    assert images.shape == (ACCEPTED, 32, 32, 3) and images.dtype == np.uint8
    assert keypoints.shape == (ACCEPTED, 68, 2) and keypoints.dtype == np.float32
    assert {"left/same.png", "right/same.png"} < set(names) and len(set(names)) == ACCEPTED
    y, x = np.mgrid[:32, :32] + 0.5
    for image, points, name in zip(images, keypoints, names, strict=True):
        weight = np.where(image[..., 0] > 40, image[..., 0].astype(float), 0)
        if name == "several.png":
            weight[24:, 24:] = 0  # the smaller one
        centre = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
        np.testing.assert_allclose(points.mean(0), centre, atol=0.2, err_msg=name)

    rows = rejected(tmp_path / "data")
    assert {row["file"] for row in rows if row["kind"] == "rejected"} == set(REJECTED)
    assert {row["file"] for row in rows if row["kind"] == "ignored"} == {"notes.txt", ".hidden.png", "__MACOSX/plain.png"}
    for row in rows:
        if row["kind"] != "ignored":
            assert row["reason"].startswith(REJECTED.get(row["file"], "several faces, the largest kept: 2"))
    assert [row["file"] for row in rows if row["kind"] == "note"] == ["several.png"]
    assert sum(summary.accepted.values()) == ACCEPTED
    assert (len(summary.rejected), len(summary.ignored), summary.enlarged) == (5, 3, 1)


def test_the_split_depends_on_the_name_alone(folder, tmp_path):
    run(folder, tmp_path / "data")
    splits = {split: load_split(tmp_path / "data", "faces", split)[2] for split in ("train", "test")}
    assert all(prepare.split_of(name, 0.3) == split for split, names in splits.items() for name in names)
    assert splits["train"] and splits["test"]
    shares = [prepare.split_of(f"{index}.png", 0.3) == "test" for index in range(4000)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.03)
    assert not any(prepare.split_of(f"{index}.png", 0) == "test" for index in range(100))


def test_the_same_input_gives_the_same_bytes(folder, files, tmp_path):
    for number, workers in enumerate((1, 3)):
        run(folder, tmp_path / str(number), workers=workers)
    first, second = (bytes_of(tmp_path / str(number)) for number in (0, 1))
    assert first == second and any("tfrecord" in name for name in first)

    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, data in reversed(files.items()):
            archive.writestr(name, data)
    run(tmp_path / "images.zip", tmp_path / "zip")
    zipped = bytes_of(tmp_path / "zip")
    assert {name for name in first if first[name] != zipped[name]} == {"faces/1.0.0/metadata.json"}  # names the source


def test_the_fields_of_a_record_have_a_fixed_order(folder, tmp_path):
    run(folder, tmp_path / "data")  # protobuf would order them differently in the next process
    for path in dataset_folder(tmp_path / "data", "faces").glob("*.tfrecord*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            at = [record.index(field) for field in (b"\x04file", b"\x05image", b"\x09keypoints")]
            assert at == sorted(at)


def test_a_damaged_member_of_an_archive(tmp_path, files):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("good.png", files["plain.png"])
        archive.writestr("bad.png", files["left/same.png"])
    damaged = bytearray((tmp_path / "images.zip").read_bytes())
    damaged[damaged.rindex(files["left/same.png"]) + 50] ^= 255
    (tmp_path / "images.zip").write_bytes(damaged)
    run(tmp_path / "images.zip", tmp_path / "data", test_fraction=0)
    [row] = rejected(tmp_path / "data")
    assert row["file"] == "bad.png" and row["reason"].startswith("failed: BadZipFile Bad CRC-32")


def test_metadata_can_be_read_without_this_project(folder, tmp_path):
    run(folder, tmp_path / "data", filter="box", limit=12)
    metadata = json.loads((dataset_folder(tmp_path / "data", "faces") / "metadata.json").read_text())
    expected = {"resolution": 32, "detector": "dlib", "filter": "box", "source": "images", "seed": None}
    assert expected.items() <= metadata.items()
    assert metadata["num_train"] + metadata["num_test"] + metadata["rejected"] == 12
    info = dataset_info(tmp_path / "data", "faces", 32)
    assert (info.num_train, info.num_test) == (metadata["num_train"], metadata["num_test"])
    assert (info.resolution, info.detector, info.filter, info.source) == (32, "dlib", "box", "images")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_an_interrupted_run_leaves_nothing_but_the_old_dataset(folder, tmp_path, monkeypatch, error):
    calls = []

    def interrupted(outcome, split, add=Summary.add):
        calls.append(outcome)
        if len(calls) == 6:
            raise error
        add(summary, outcome, split)

    summary = Summary(32)
    data = tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setattr(Summary, "add", lambda self, outcome, split: interrupted(outcome, split))
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            run(folder, data)
    assert list(data.iterdir()) == []

    run(folder, data, limit=10)
    before = bytes_of(data)
    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Summary, "add", lambda self, outcome, split: interrupted(outcome, split))
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            run(folder, data, overwrite=True)
    assert bytes_of(data) == before


def test_a_dataset_is_replaced_only_when_asked_to(folder, tmp_path):
    data = tmp_path / "data"
    (data / ".faces.incomplete" / "faces").mkdir(parents=True)  # of a killed run
    run(folder, data, limit=10)
    assert [path.name for path in data.iterdir()] == ["faces"]
    with pytest.raises(DatasetError, match="faces: already there .--overwrite replaces it"):
        run(folder, data)
    run(folder, data, overwrite=True)
    assert len(everything(data)[2]) == ACCEPTED
    assert [path.name for path in data.iterdir()] == ["faces"]


def test_a_run_killed_between_its_renames_keeps_the_old_dataset(folder, tmp_path):
    data = tmp_path / "data"
    run(folder, data, limit=10)
    (data / "faces").rename(data / ".faces.replaced")
    with pytest.raises(DatasetError, match="already there"):
        run(folder, data)
    assert len(everything(data)[2]) > 0


def test_a_folder_that_is_no_dataset_is_never_replaced(folder, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "mine.txt").write_text("precious")
    with pytest.raises(DatasetError, match="already there, and no dataset"):
        run(folder, tmp_path, overwrite=True)
    assert (tmp_path / "faces" / "mine.txt").exists()


def test_a_split_without_records_is_left_out(tmp_path, files):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "plain.png").write_bytes(files["plain.png"])
    run(tmp_path / "images", tmp_path / "data", test_fraction=0)
    assert dataset_info(tmp_path / "data", "faces").num_test == 0
    with pytest.raises(DatasetError, match=r"no split test \(there: train\)"):
        load_split(tmp_path / "data", "faces", "test")


def test_nothing_accepted_and_nothing_there(tmp_path, files):
    with pytest.raises(SourceError, match="no such folder or ZIP archive"):
        run(tmp_path / "missing", tmp_path / "data")
    (tmp_path / "images").mkdir()
    with pytest.raises(SourceError, match="no image files found"):
        run(tmp_path / "images", tmp_path / "data")
    (tmp_path / "images" / "empty.png").write_bytes(files["empty.png"])
    with pytest.raises(DatasetError, match="no portrait was accepted"):
        run(tmp_path / "images", tmp_path / "data")
    with pytest.raises(SourceError, match="neither a folder nor a readable ZIP archive"):
        run(tmp_path / "images" / "empty.png", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_arguments_out_of_range(folder, tmp_path):
    for arguments, message in (
        (("a-b", tmp_path, 32), "name 'a-b'"),
        (("../x", tmp_path, 32), "name '../x'"),
        (("faces", tmp_path, 48), "resolution 48: must be a power of two"),
        (("faces", tmp_path, 4), "resolution 4"),
    ):
        with pytest.raises(DatasetError, match=message):
            prepare.prepare_images(folder, *arguments, "dlib")
    with pytest.raises(DatasetError, match="test_fraction 1.5"):
        run(folder, tmp_path / "data", test_fraction=1.5)


def test_procedural_portraits(tmp_path, monkeypatch):
    def draw(seed, indices, resolution):
        images = np.stack([np.full((resolution, resolution, 3), index + seed, np.uint8) for index in indices])
        return images, np.stack([np.full((68, 2), index / 10, np.float32) for index in indices])

    monkeypatch.setattr(synthetic, "portraits", draw)
    data = ["--data_dir", str(tmp_path), "--resolution", "16", "--test_fraction", "0.3"]
    assert prepare_command.main(["--synthetic", "100", "--seed", "7", "--name", "faces", *data]) == 0
    images, keypoints, names = everything(tmp_path)
    index = np.array([int(name.removeprefix("procedural/7/")) for name in names])
    assert sorted(index) == list(range(100))
    np.testing.assert_array_equal(images[:, 0, 0, 0], index + 7)
    np.testing.assert_array_equal(keypoints[:, 0, 0], (index / 10).astype(np.float32))
    info = dataset_info(tmp_path, "faces")
    assert (info.detector, info.seed, info.source, info.filter) == ("exact", 7, "procedural", None)


def test_the_command_ends_with_a_summary(folder, tmp_path, capsys):
    command = ["--images", str(folder), "--name", "faces", "--data_dir", str(tmp_path / "data"), "--resolution", "32"]
    assert prepare_command.main([*command, "--detector", "dlib"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("accepted 10 of 15 images (") and lines[0].endswith("images/s")
    assert {"rejected 2: unreadable", "rejected 1: too small", "rejected 1: no face found"} < set(lines)
    assert "noted 1: several faces, the largest kept" in lines
    assert "ignored 3 files that are hidden or no images (.png 2, .txt 1)" in lines
    assert lines[-1] == f"dataset in {dataset_folder(tmp_path / 'data', 'faces')}, filter lanczos, detector dlib"

    assert prepare_command.main(command) == 1
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("error, status", [(DetectorError("no weights"), 1), (KeyboardInterrupt(), 130)])
def test_the_command_fails_in_one_line(folder, tmp_path, monkeypatch, capsys, error, status):
    def fail(name):
        raise error

    monkeypatch.setattr(prepare, "load_detector", fail)
    command = ["--images", str(folder), "--name", "faces", "--data_dir", str(tmp_path / "data"), "--resolution", "32"]
    assert prepare_command.main(command) == status
    assert capsys.readouterr().err.startswith("prepare: ")
    assert list((tmp_path / "data").iterdir()) == []


def test_landmarks_beyond_the_border_are_counted():
    summary = Summary(32)
    for x in (0, 32, 32.1, -0.1):
        summary.add(Outcome("x", Record("x", b"", np.full((68, 2), x, np.float32))), "train")
    assert summary.outside == 2


def test_importing_needs_none_of_the_heavy_packages():
    heavy = ["tensorflow", "tensorflow_datasets", "dlib", "face_alignment", "torch", "clu"]
    modules = ["batches", "detection", "images", "landmarks", "prepare", "sources", "summary", "tfrecords"]
    code = f"import sys; sys.modules.update(dict.fromkeys({heavy})); " + "; ".join(
        f"import jaxgan.data.{module}" for module in modules
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_byte_identical_files_share_a_split_and_are_counted(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(40):
        (folder / f"copy{index:02d}.png").write_bytes(encoded(portrait()))
    (folder / "other.jfif").write_bytes(encoded(portrait(x=30), "JPEG"))
    summary = run(folder, tmp_path / "data")
    assert len(summary.copies) == 39 and set(summary.copies.values()) == {"copy00.png"}
    assert "byte-identical to another: 39 images (each in the split of the first)" in list(summary.lines())
    kept = {split: load_split(tmp_path / "data", "faces", split)[2] for split, n in summary.accepted.items() if n}
    assert {sum(name.startswith("copy") for name in names) for names in kept.values()} <= {0, 40}
    assert "other.jfif" in {name for names in kept.values() for name in names}


def test_implausible_landmarks_are_rejected_and_weak_ones_noted(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, value in (("scrambled", 50), ("weak", 100), ("sure", 150)):
        (folder / f"{name}.png").write_bytes(encoded(np.full((64, 64, 3), value, np.uint8)))
    points = OFFSETS + np.float32(32)
    faces = {50: Face(points[::-1], 2.0), 100: Face(points, 0.03), 150: Face(points, 2.0)}
    monkeypatch.setattr(prepare, "load_detector", lambda name: lambda image: [faces[image[0, 0, 0]]])
    summary = run(folder, tmp_path / "data", test_fraction=0)
    ((file, reason),) = summary.rejected
    assert file == "scrambled.png" and reason.startswith("implausible landmarks: the landmarks do not form a face")
    assert summary.notes == [("weak.png", "weak detection, perhaps no face: score 0.03")]
    assert any("no test split" in line for line in summary.lines())


def test_two_at_once_on_one_name_are_refused(folder, tmp_path):
    with lock_folder(tmp_path / "data", ".faces.lock"):
        with pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing there"):
            run(folder, tmp_path / "data")
