"""Damaged and misnamed files: each is named in one line with what is wrong, and commands go on past it."""

import csv
import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.commands import edit
from jaxgan.data import images, prepare
from jaxgan.data.crops import largest_square
from jaxgan.data.detection import Face
from jaxgan.data.shape import MEAN_FACE
from jaxgan.data.sources import open_source
from jaxgan.data.tfrecords import dataset_folder
from jaxgan.errors import DetectorError

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def encoded(size: tuple[int, int] | None = None, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    (Image.new("RGB", size) if size else Image.fromarray(NOISE)).save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def declared(width: int, height: int) -> bytes:
    """A PNG whose header promises pixels that are not there."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


JPEG, PNG = encoded(kind="JPEG", quality=95), encoded()
FAULTS = {
    "empty.png": (b"", "unreadable: empty file"),
    "text.jpg": (b"Dear all,\nno picture\n", "unreadable: not an image of a known format"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "unreadable: image file is truncated"),
    "header.jpg": (JPEG[:40], "unreadable: "),
    "pixel.png": (encoded((1, 1)), "too small: 1x1 px, needs 16 px a side"),
    "thin.png": (encoded((20_000, 8)), "too small: 20000x8 px, needs 16 px a side"),
    "large.png": (declared(20_000, 20_000), "too large: more than 67108864 px in all"),
    "bomb.png": (declared(60_000, 60_000), "too large: more than 67108864 px in all"),
    "warned.png": (declared(10_000, 10_000), "too large: 10000x10000 px, more than 67108864 in all"),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Every faulty file, a good one, and a folder and a pipe that are called images."""
    folder = tmp_path / "images"
    (folder / "folder.png").mkdir(parents=True)
    for name, (data, _) in FAULTS.items():
        (folder / name).write_bytes(data)
    (folder / "good.png").write_bytes(PNG)
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_named_with_what_is_wrong(folder, name):
    with pytest.raises(images.ImageError) as caught:
        images.read_image(folder / name)
    assert str(caught.value).startswith(f"{folder / name}: {FAULTS[name][1]}") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["folder.png", "pipe.png"])
def test_what_is_no_file_is_named(folder, name):
    with pytest.raises(images.ImageError, match=f"{name}: unreadable: not a regular file$"):
        images.read_image(folder / name)


def test_files_beyond_all_bounds_are_not_read(folder, monkeypatch):
    monkeypatch.setattr(images, "MAX_FILE_BYTES", len(PNG) - 1)
    with pytest.raises(images.ImageError, match=f"good.png: too large: more than {len(PNG) - 1} bytes"):
        images.read_image(folder / "good.png")
    with pytest.raises(images.ImageError, match="^too large"):
        open_source(folder).read("good.png")


def test_a_long_thin_picture_is_cropped():
    image = images.decode_image(encoded((20_000, 16)))
    points = np.full((68, 2), 8, np.float32)
    crop = largest_square(20_000, 16, points)
    small, moved = crop.apply(image, 8), crop.move(points, 8)
    assert image.shape == (16, 20_000, 3) and small.shape == (8, 8, 3)
    np.testing.assert_array_equal(moved, np.tile(np.float32([0, 4]), (68, 1)))  # no further left than it takes


def exif(kind: int = 3, count: int = 1, value: bytes = b"\0\x06\0\0", offset: int = 8, entries: int = 1) -> bytes:
    """A big-endian EXIF block with the orientation alone, by default 6."""
    directory = struct.pack(">HHHI", entries, 274, kind, count) + value + struct.pack(">I", 0)
    return b"MM" + struct.pack(">HI", 42, offset) + directory


def with_exif(block: bytes, kind: str) -> bytes:
    if kind == "JPEG":
        return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + JPEG[2:]
    if kind == "WEBP":
        return encoded(kind="WEBP", lossless=True, exif=b"Exif\0\0" + block)
    return PNG[:33] + chunk(b"eXIf", block) + PNG[33:]


DAMAGED = {
    "no tiff": b"garbage, garbage",
    "no directory": exif()[:8],
    "half a directory": exif()[:15],
    "directory beyond the block": exif(offset=2**31),
    "more entries than bytes": exif(entries=60_000, value=b"\0\1\0\0"),
    "no such orientation": exif(value=b"\xff\xff\0\0"),
    "orientation in words": exif(kind=2, count=4, value=b"six\0"),
    "orientation elsewhere": exif(kind=5, value=struct.pack(">I", 9999)),
    "too many orientations": exif(count=10**9),
    "unknown type": exif(kind=99),
    "not a number": exif(kind=11, value=struct.pack(">f", np.nan)),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_leaves_the_picture_as_it_is(kind):
    plain = images.decode_image(JPEG) if kind == "JPEG" else NOISE
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:  # Pillow's warnings would be errors
        decoded = pool.map(images.decode_image, [with_exif(block, kind) for block in DAMAGED.values()])
        for fault, image in zip(DAMAGED, decoded, strict=True):
            np.testing.assert_array_equal(image, plain, err_msg=fault)
    np.testing.assert_array_equal(images.decode_image(with_exif(exif(), kind)), np.rot90(plain, -1))
    assert warnings.filters == before


def test_prepare_goes_on_and_lists_what_it_rejected(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "load_detector", lambda name: lambda image: [Face((MEAN_FACE * 8 + 16).astype(np.float32))])
    prepare.prepare_images(folder, "faces", tmp_path / "data", 16, "dlib", test_fraction=0)
    with (dataset_folder(tmp_path / "data", "faces") / "rejected.csv").open(newline="") as file:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    expected = {name: reason for name, (_, reason) in FAULTS.items()} | {"pipe.png": "unreadable: not a regular file"}
    assert reasons.keys() == expected.keys()
    assert all(reasons[name].startswith(reason) and "\n" not in reasons[name] for name, reason in expected.items())


class Copier:
    """An editor that gives portraits back."""

    resolution = 16
    framing = None

    def place(self, keypoints):
        return keypoints

    def edit(self, images, keypoints, strength, steps, personal):
        return images


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs the edit command; the detector finds no face."""
    np.save(tmp_path / "k.npy", MEAN_FACE * 4 + 8)
    monkeypatch.setattr(edit, "load_detector", lambda name: lambda image: [])
    monkeypatch.setattr(Editor, "load", lambda workdir, perceptual: Copier())

    def run(*sources, target=("--keypoints", tmp_path / "k.npy")):
        flags = ["--crop", "--workdir", "w", "--out", tmp_path / "out", *target, "--raw-landmarks", "--source", *sources]
        return edit.main([str(flag) for flag in flags])

    return run


def test_edit_goes_on_and_names_what_it_left_out(folder, tmp_path, command, capsys):
    assert command(*sorted(folder.iterdir())) == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith(f"edit: {folder}")]
    reasons = dict(line.removeprefix("edit: ").split(": ", 1) for line in lines)
    expected = {name: reason for name, (_, reason) in FAULTS.items()}
    expected |= {"folder.png": "no image files found", "pipe.png": "unreadable: not a regular file"}
    assert reasons.keys() == {str(folder / name) for name in expected}
    assert all(reasons[str(folder / name)].startswith(reason) for name, reason in expected.items())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"] and "1 of 12 edited" in captured.out


def test_a_target_that_is_a_folder_is_named(folder, command, capsys):
    assert command(folder / "good.png", target=("--target", folder / "folder.png")) == 1
    assert capsys.readouterr().err == f"edit: {folder / 'folder.png'}: unreadable: not a regular file\n"


@pytest.mark.parametrize("error, written", [(RuntimeError("no\nface"), ["good.png"]), (DetectorError("no\nweights"), None)])
def test_a_failing_detector_costs_its_portrait_a_missing_one_the_run(folder, tmp_path, command, monkeypatch, error, written):
    def detect(image):
        raise error

    monkeypatch.setattr(edit, "load_detector", lambda name: detect)
    (folder / "wide.png").write_bytes(encoded((40, 20)))  # square ones need no detector
    assert command(folder / "wide.png", folder / "good.png") == 1
    assert written is None or [path.name for path in (tmp_path / "out").iterdir()] == written
    assert written or not list((tmp_path / "out").iterdir())


def header_of(shape: tuple[int, ...], brackets: bytes = b"{") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue().replace(b"{", brackets)


@pytest.mark.parametrize(
    "content, message",
    [
        (np.zeros((68, 2)) + 1j, "integers or floats, got complex128"),
        (np.zeros((68, 2), bool), "integers or floats, got bool"),
        (np.zeros((68, 2), "U3"), "integers or floats, got <U3"),
        (np.zeros((68, 2), "M8[s]"), r"integers or floats, got datetime64\[s\]"),
        (np.full((68, 2), 1e300), "not all finite"),
        (header_of((10**13, 2)), "Unable to allocate"),
        (header_of((68, 2), b"{{"), ""),
        (b"PK\x03\x04 and more of an archive", "magic string is not correct"),
    ],
)
def test_keypoint_files_of_another_kind_are_named(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "k.npy").write_bytes(content)
    else:
        np.save(tmp_path / "k.npy", content)
    with pytest.raises(ValueError, match=rf"k\.npy: .*keypoints.*{message}") as caught:
        edit.read_keypoints(tmp_path / "k.npy")
    assert "\n" not in str(caught.value)


def test_keypoints_of_a_spreadsheet(tmp_path):
    points = np.rint(MEAN_FACE * 100 + 256)
    lines = "".join(f"{x:.0f},{y:.0f}\r\n" for x, y in points)
    (tmp_path / "k.csv").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    np.testing.assert_array_equal(edit.read_keypoints(tmp_path / "k.csv"), points)


def test_a_header_of_a_spreadsheet_is_named(tmp_path):
    (tmp_path / "k.csv").write_text("x;y\n1;2\n")
    with pytest.raises(ValueError, match=r'k\.csv: .*lines must be two numbers, "x,y", without a header, got \'x;y\''):
        edit.read_keypoints(tmp_path / "k.csv")
