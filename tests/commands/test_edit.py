"""The edit command, with a made-up editor and detector."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan.commands import edit
from jaxgan.configs import PerceptualConfig
from jaxgan.data.detection import Face
from jaxgan.data.framing import MeanFraming
from jaxgan.data.images import read_image
from jaxgan.data.shape import MEAN_FACE

R = 32


def landmarks(cx: float, cy: float, radius: float) -> np.ndarray:
    """A face, float32 [68, 2], whose points are `radius` away from its centre on average."""
    return (MEAN_FACE * radius + np.array([cx, cy])).astype(np.float32)


class FakeEditor:
    """Returns its portraits and keeps what it was given."""

    resolution = R
    framing = None

    def __init__(self):
        self.calls = []

    @classmethod
    def load(cls, workdir, perceptual):
        if workdir == "nowhere":
            raise FileNotFoundError("nowhere: no checkpoint")
        cls.last = cls()
        cls.last.perceptual = perceptual
        return cls.last

    def place(self, keypoints):
        return keypoints

    def edit(self, images, keypoints, strength, steps, personal):
        self.calls.append((images.copy(), keypoints.copy(), strength))
        self.steps = steps
        return images


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs the command with the given arguments; faces are found in pictures with anything red in their top row."""

    def load(name):
        assert name == "dlib"
        return detect

    def detect(image):
        height, width = image.shape[:2]
        return [Face(landmarks(width / 2, height / 4, width / 4))] if image[0, 0, 0] == 255 else []

    monkeypatch.setattr(edit, "load_detector", load)
    monkeypatch.setattr(edit, "Editor", FakeEditor)
    picture(tmp_path / "target.png", (64, 64), red=True)

    def run(*arguments, target=("--target", str(tmp_path / "target.png"))):
        return edit.main(
            ["--crop", "--workdir", "w", "--out", str(tmp_path / "out"), *target, "--source", *map(str, arguments)]
        )

    return run


def picture(path, size, value=0, red=False):
    array = np.full((size[1], size[0], 3), value, np.uint8)
    array[0, :, 0] = 255 if red else value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def test_each_source_gets_the_target_landmarks(command, tmp_path):
    sources = [picture(tmp_path / f"{name}.png", (R, R), value) for name, value in (("a", 10), ("b", 20))]
    assert command(*sources) == 0
    ((images, keypoints, strength),) = FakeEditor.last.calls
    assert [image[5, 5, 0] for image in images] == [10, 20] and strength == 1.0
    for points in keypoints:  # 64 px of the target are R px of the editor
        np.testing.assert_allclose(points, landmarks(16, 8, 8), atol=1e-4)
    for source in sources:
        np.testing.assert_array_equal(read_image(tmp_path / "out" / source.name), read_image(source))


def test_strength_and_keypoint_files(command, tmp_path):
    source = picture(tmp_path / "a.png", (R, R))
    expected = landmarks(15, 12, 5)
    np.save(tmp_path / "k.npy", expected.astype(np.float64))
    np.savetxt(tmp_path / "k.csv", expected, delimiter=",")
    for name in ("k.npy", "k.csv"):
        assert command(source, "--overwrite", "--strength", "0.5", target=("--keypoints", str(tmp_path / name))) == 0
        ((_, keypoints, strength),) = FakeEditor.last.calls
        np.testing.assert_allclose(keypoints[0], expected, rtol=1e-6)
        assert keypoints.dtype == np.float32 and strength == 0.5


def test_steps_and_vgg16(command, tmp_path):
    source = picture(tmp_path / "a.png", (R, R))
    assert command(source) == 0
    assert FakeEditor.last.steps == 0 and FakeEditor.last.perceptual is None
    assert command(source, "--overwrite", "--steps", "7", "--vgg16", "vgg16.npz") == 0
    assert FakeEditor.last.steps == 7 and FakeEditor.last.perceptual == PerceptualConfig(vgg16_weights="vgg16.npz")


def test_folders_archives_and_equal_names(command, tmp_path):
    for name in ("in/a.png", "in/A.jpg", "in/sub/a.bmp", "in/b.png"):
        picture(tmp_path / name, (R, R))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "in" / "a.png", "x/a.png")
    assert command(tmp_path / "in", tmp_path / "more.zip") == 0
    written = sorted(path.name.lower() for path in (tmp_path / "out").iterdir())
    assert written == ["a-2.png", "a-3.png", "a-4.png", "a.png", "b.png"]


def test_the_batch_goes_on_past_bad_portraits(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(edit, "BATCH", 2)
    names = ["a.png", "broken.png", "missing.png", "broken2.png", "c.png"]
    sources = [tmp_path / name for name in names]
    picture(sources[0], (R, R))
    picture(sources[4], (R, R))
    sources[1].write_bytes(b"no picture")
    sources[3].write_bytes(b"")
    assert command(*sources, tmp_path / "empty.zip", "--raw-landmarks") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("edit: /")]
    assert [error.split(": ")[1] for error in errors] == [
        str(tmp_path / name) for name in ("empty.zip", "broken.png", "missing.png", "broken2.png")
    ]
    assert "unreadable" in errors[1] and "No such file" in errors[2]
    assert "2 of 6 edited" in captured.out


def test_a_failed_write_leaves_the_old_file(command, tmp_path, capsys, monkeypatch):
    source = picture(tmp_path / "a.png", (R, R))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_text("old")

    def broken(image, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edit, "encode", broken)
    assert command(source, "--overwrite") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert (tmp_path / "out" / "a.png").read_text() == "old"
    assert "a.png not written: No space left" in capsys.readouterr().err


def test_inputs_are_never_overwritten(command, tmp_path, capsys):
    source = picture(tmp_path / "out" / "a.png", (R, R), 77)
    before = source.read_bytes()
    assert command(tmp_path / "out") == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert source.read_bytes() == before


@pytest.mark.parametrize("red, first", [(False, 16), (True, 6)])
def test_tall_portraits_are_cropped_around_the_face(command, tmp_path, red, first):
    """32x64: the centre, or, with a face found in the upper half, a square that holds it."""
    array = np.zeros((64, R, 3), np.uint8)
    array[:, :, 1] = np.arange(64)[:, None]
    array[0, 0, 0] = 255 if red else 0
    Image.fromarray(array).save(tmp_path / "tall.png")
    np.save(tmp_path / "k.npy", landmarks(16, 16, 8))
    assert command(tmp_path / "tall.png", target=("--keypoints", str(tmp_path / "k.npy"))) == 0
    ((images, _, _),) = FakeEditor.last.calls
    # the face spans rows 6.7 to 27.7: the central square begins at 16 and has to move up to 6
    assert images.shape == (1, R, R, 3) and images[0, 0, 5, 1] == first


def test_sources_are_resized_to_the_editor(command, tmp_path):
    assert command(picture(tmp_path / "big.png", (3 * R, 3 * R), 40)) == 0
    ((images, _, _),) = FakeEditor.last.calls
    np.testing.assert_array_equal(images, np.full((1, R, R, 3), 40))


def test_errors_before_the_batch_are_one_line(command, tmp_path, capsys):
    source = picture(tmp_path / "a.png", (R, R))
    picture(tmp_path / "faceless.png", (R, R))
    np.save(tmp_path / "five.npy", np.zeros((5, 2)))
    np.save(tmp_path / "nan.npy", np.full((68, 2), np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "words.csv").write_text("x,y\n" * 68)
    (tmp_path / "ragged.csv").write_text("1,2\n3\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    for flag, name, message in (
        ("--target", "faceless.png", "faceless.png: no face found"),
        ("--target", "none.png", "none.png"),
        ("--keypoints", "five.npy", "five.npy: keypoints have shape [5, 2], not [68, 2]"),
        ("--keypoints", "nan.npy", "nan.npy: keypoints are not all finite"),
        ("--keypoints", "objects.npy", "objects.npy: no keypoints"),
        ("--keypoints", "words.csv", "words.csv: no keypoints"),
        ("--keypoints", "ragged.csv", "ragged.csv: no keypoints"),
        ("--keypoints", "empty.npy", "empty.npy: no keypoints"),
        ("--keypoints", "k.txt", "k.txt: no keypoints: the name must end in .npy, .csv or .json"),
    ):
        assert command(source, target=(flag, str(tmp_path / name))) == 1
        error = capsys.readouterr().err
        assert message in error and error.startswith("edit: ") and error.count("\n") == 1
    assert command(source, "--workdir", "nowhere") == 1
    assert capsys.readouterr().err == "edit: nowhere: no checkpoint\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [("--strength", "nan"), ("--strength", "much"), ("--steps", "-1"), ("--keypoints", "k.npy")]
)
def test_bad_usage_exits_with_2(command, tmp_path, arguments):
    with pytest.raises(SystemExit) as caught:
        command("a.png", *arguments)
    assert caught.value.code == 2


def test_files_that_are_there_are_replaced_only_when_asked_to(command, tmp_path, capsys):
    source = picture(tmp_path / "me.jpg", (R, R), 9)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "me.png").write_text("precious")
    assert command(source) == 1
    assert "me.png is already there: choose another --out, or --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out" / "me.png").read_text() == "precious"
    assert command(source, "--overwrite") == 0
    assert read_image(tmp_path / "out" / "me.png").shape == (R, R, 3)


def test_what_is_left_out_or_chosen_is_said(command, tmp_path, capsys, monkeypatch):
    folder = picture(tmp_path / "in" / "a.jfif", (40, 40)).parent
    (folder / "raw.heic").write_bytes(b"another format")
    (folder / "notes.txt").write_text("no picture")
    tilted = face_rolled_by(24.0) * 6 + 20
    two = [Face(tilted.astype(np.float32), 0.05), Face(landmarks(10, 10, 3), 0.01)]
    target = [Face(landmarks(32, 32, 16))]
    monkeypatch.setattr(edit, "load_detector", lambda name: lambda image: target if len(image) == 64 else two)
    monkeypatch.setattr(FakeEditor, "framing", MeanFraming(0.5, 0.5, 0.3))
    assert command(folder) == 0
    lines = capsys.readouterr().err.splitlines()
    for text in (
        f"edit: {folder}: ignored 2 files that are hidden or no images (.heic 1, .txt 1)",
        f"edit: {folder}/a.jfif: 2 faces found, the largest is taken",
        f"edit: {folder}/a.jfif: the detector is hardly sure that it found a face",
        f"edit: {folder}/a.jfif: the head is tilted by 24 degrees; levelled",
    ):
        assert text in lines


def face_rolled_by(degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return MEAN_FACE @ np.array([[cos, sin], [-sin, cos]])


def test_keypoints_that_are_no_face_are_refused_by_file(command, tmp_path, capsys):
    source = picture(tmp_path / "a.png", (R, R))
    for name, points, message in (
        ("shares", landmarks(0.5, 0.5, 0.2), "too small for a face; they must be in pixels of the picture, not shares of it"),
        ("backwards", landmarks(16, 16, 8)[::-1], "the landmarks do not form a face"),
    ):
        np.save(tmp_path / f"{name}.npy", points)
        assert command(source, target=("--keypoints", str(tmp_path / f"{name}.npy"))) == 1
        error = capsys.readouterr().err
        assert f"{name}.npy: " in error and message in error and error.count("\n") == 1


def test_an_out_that_is_a_file_is_known_before_the_work(command, tmp_path, capsys):
    (tmp_path / "out").write_text("precious")
    assert command(picture(tmp_path / "a.png", (R, R))) == 1
    assert "out: is a file, or lies in one; a folder is needed" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "precious"


def test_sources_with_a_face_keep_their_bones(command, tmp_path):
    own = picture(tmp_path / "own.png", (R, R), red=True)  # whose face has the target's place and size
    wide = (MEAN_FACE * [9, 7] + 16).astype(np.float32)
    np.save(tmp_path / "k.npy", wide)
    made = {}
    for flags in ((), ("--raw-landmarks",), ("--parts", "mouth,eyes")):
        assert command(own, "--overwrite", *flags, target=("--keypoints", str(tmp_path / "k.npy"))) == 0
        ((_, (made[flags],), _),) = FakeEditor.last.calls
    face = landmarks(16, 8, 8)
    np.testing.assert_allclose(made["--raw-landmarks",], wide, rtol=1e-6)
    assert np.abs(made[()] - face).mean() < 0.4 * np.abs(wide - wide.mean(axis=0) - (face - face.mean(axis=0))).mean()
    np.testing.assert_allclose(made["--parts", "mouth,eyes"][17:36], face[17:36], atol=0.5)


def test_controls_change_the_sources_own_face(command, tmp_path, capsys):
    own = picture(tmp_path / "own.png", (R, R), red=True)
    assert command(own, target=("--set", "yaw=60", "smile=0.5")) == 0
    ((_, (points,), _),) = FakeEditor.last.calls
    assert points[30, 0] > 17 and "own.png: yaw=60, from its own" in (error := capsys.readouterr().err)
    assert "on, leaves the range that is known; moved to 35" in error
    assert command(picture(tmp_path / "none.png", (R, R)), target=("--set", "yaw=10")) == 1
    assert "none.png: no face found" in capsys.readouterr().err


@pytest.mark.parametrize(
    "target, flags, message",
    [
        (("--set", "yaw"), (), "--set yaw: must be NAME=NUMBER, with a name of yaw, pitch"),
        (("--set", "nose=1"), (), "--set nose=1: must be NAME=NUMBER"),
        (("--set", "smile=nan"), (), "--set smile=nan: 'nan' is no finite number"),
        (("--set", "yaw=1", "yaw=2"), (), "--set yaw=2: yaw is given twice"),
        (("--set", "yaw=1"), ("--raw-landmarks",), "--set changes the source's own face"),
        (("--keypoints", "k.npy"), ("--raw-landmarks", "--parts", "pose"), "--raw-landmarks takes all"),
        (("--keypoints", "k.npy"), ("--parts", "pose,ears"), "--parts: unknown 'ears'; known: pose, mouth, eyes, brows"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(command, tmp_path, capsys, target, flags, message):
    assert command(picture(tmp_path / "a.png", (R, R)), *flags, target=target) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
