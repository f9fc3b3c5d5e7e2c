"""Clips: same frames, times and sound; smoothing; lost faces, cuts and references."""

from fractions import Fraction
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.commands import drive
from jaxgan.data.detection import Face
from jaxgan.data.images import read_image
from jaxgan.data.shape import MEAN_FACE
from jaxgan.errors import ImageError, InputError
from jaxgan.faces.controls import fit
from jaxgan.video.driving import choose_reference, driven
from jaxgan.video.frames import Clip, Frame, Writer
from jaxgan.video.smoothing import one_euro, smooth_faces
from jaxgan.video.tracking import track

PORTRAIT = Path(__file__).parents[2] / "docs" / "examples" / "source.jpg"
FACE = (40 * MEAN_FACE + [100, 90]).astype(np.float32)


def gif(path, images, durations):
    first, *rest = (Image.fromarray(image) for image in images)
    first.save(path, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return path


def colours(count):
    """Frames that a cut detector takes for one scene, each of another grey."""
    return [np.full((120, 160, 3), 100 + 10 * index, np.uint8) for index in range(count)]


def frames(images):
    return [Frame(image, index, index / 25) for index, image in enumerate(images)]


@pytest.fixture(scope="module")
def opened():
    return Editor.pretrained().open_photo(PORTRAIT)


def test_animations_keep_their_times(tmp_path):
    clip = Clip(gif(tmp_path / "a.gif", colours(4), [40, 100, 40, 200]))
    assert clip.count == 4 and [frame.time for frame in clip] == [0, 0.04, 0.14, 0.18]
    for name in ("b.gif", "b.webp"):
        with (tmp_path / name).open("wb") as file:
            writer = Writer(file, tmp_path / name, (160, 120), clip)
            for frame in clip:
                writer.write(frame.image, frame.start)
            writer.close()
        again = Clip(tmp_path / name)
        assert (again.count, again.end) == (4, 380)
        assert [frame.start for frame in again] == [frame.start for frame in clip]


def test_videos_keep_rate_frames_and_sound(tmp_path):
    av = pytest.importorskip("av", reason="needs PyAV")
    with av.open(str(tmp_path / "a.mp4"), "w") as made:
        picture, sound = made.add_stream("libx264", rate=Fraction(30000, 1001)), made.add_stream("aac", rate=44100)
        picture.width, picture.height, picture.pix_fmt = 160, 120, "yuv420p"
        for image in colours(9):
            made.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        made.mux(picture.encode())
        for start in range(0, 13000, 1024):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            samples.sample_rate, samples.pts = 44100, start
            made.mux(sound.encode(samples))
        made.mux(sound.encode())
    clip = Clip(tmp_path / "a.mp4")
    with (tmp_path / "b.mp4").open("wb") as file:
        writer = Writer(file, tmp_path / "b.mp4", (160, 120), clip)
        for frame in clip:
            writer.write(frame.image, frame.start)
        writer.close()
    again = Clip(tmp_path / "b.mp4")
    assert (again.count, again.rate) == (clip.count, clip.rate) == (9, Fraction(30000, 1001))
    np.testing.assert_allclose([frame.time for frame in again], [frame.time for frame in clip], atol=1e-3)
    with av.open(str(tmp_path / "a.mp4")) as a, av.open(str(tmp_path / "b.mp4")) as b:
        packets = [[bytes(packet) for packet in each.demux(audio=0) if packet.size] for each in (a, b)]
        assert packets[0] == packets[1] and len(packets[0]) > 10
        assert "Edited with jaxgan" in b.metadata["comment"]


def test_without_pyav_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("jaxgan.video.frames.importlib.util.find_spec", lambda name: None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert drive.main(["--source", "me.jpg", "--driver", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "b.gif")]) == 1
    error = capsys.readouterr().err
    assert 'pip install "jaxgan[video]"' in error and error.count("\n") == 1


def test_bad_clips_are_named(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a rubbish")
    with pytest.raises(ImageError, match="a.gif: no readable clip"):
        Clip(tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError):
        Clip(tmp_path / "none.gif")


def test_one_euro_removes_jitter_and_has_no_delay():
    times = np.arange(100) / 25
    still = np.random.default_rng(0).normal(0, 0.3, (100, 1))
    assert one_euro(still, times).std() < 0.5 * still.std()
    ramp = np.clip(times - 2, 0, 1)[:, None] * 8
    crossing = np.argmax(one_euro(ramp, times) > 4)
    assert abs(int(crossing) - int(np.argmax(ramp > 4))) <= 1
    constant = np.full((10, 2), 3.0)
    np.testing.assert_allclose(one_euro(constant, times[:10]), constant)


def test_a_still_face_stays_and_has_one_size():
    noisy = FACE + np.random.default_rng(0).normal(0, 0.8, (40, 68, 2)).astype(np.float32)
    smooth = smooth_faces(noisy, np.arange(40) / 25)
    assert np.linalg.norm(smooth - FACE, axis=-1).mean() < 0.6 * np.linalg.norm(noisy - FACE, axis=-1).mean()
    size = np.ptp(smooth, axis=1).max(axis=1)
    assert size.std() / size.mean() < 0.005


def test_lost_faces_are_held_and_cuts_found():
    images = colours(6)
    images[4:] = [np.full((120, 160, 3), 250, np.uint8)] * 2
    seen = iter([None, FACE, FACE + 1, None, FACE + 9, FACE + 9])

    def detect(image):
        points = next(seen)
        return [] if points is None else [Face(points, 1.0)]

    found = track(frames(images), detect)
    assert found.found.tolist() == [False, True, True, False, True, True]
    assert found.shots.tolist() == [0, 0, 0, 0, 1, 1]
    assert np.abs(found.keypoints[4] - FACE - 9).max() < 1 and np.isfinite(found.keypoints).all()
    with pytest.raises(InputError, match="no face found in any frame"):
        track(frames(images), lambda image: [])


def test_the_face_is_followed_not_the_largest():
    other = (60 * MEAN_FACE + [60, 60]).astype(np.float32)
    seen = iter([[Face(FACE, 1.0)], [Face(other, 1.0), Face(FACE + 1, 1.0)]])
    found = track(frames(colours(2)), lambda image: next(seen))
    assert np.abs(found.keypoints[1] - FACE).max() < 5


def still(points, count=3):
    """A track of the same landmarks in all frames."""
    return track(frames(colours(count)), lambda image: [Face(points, 1.0)])


def test_a_portrait_driven_by_itself_is_itself(opened):
    for image in driven(opened, still(opened.own)):
        assert np.abs(image.astype(int) - opened.pixels).max() <= 1


def test_a_reference_mends_a_driver_that_begins_with_an_open_mouth(opened):
    face = fit(opened.own)
    seen = [face.adjust(mouth=change) for change in (0.8, 0.8, 0.4, 0.0, 0.0)]
    track_of = iter(seen)
    found = track(frames(colours(5)), lambda image: [Face(next(track_of), 1.0)])
    assert choose_reference(opened.own, found)[0] in (3, 4)
    first = np.abs(next(driven(opened, found)).astype(int) - opened.pixels).mean()
    as_first = np.abs(next(driven(opened, found, reference=0)).astype(int) - opened.pixels).mean()
    assert as_first < 0.01 < first
    with pytest.raises(InputError, match="frames 0 to 4"):
        next(driven(opened, found, reference=5))


def test_the_command_writes_every_frame_or_nothing(tmp_path, capsys, monkeypatch):
    portrait = read_image(PORTRAIT)
    clip = gif(tmp_path / "a.gif", [portrait, np.roll(portrait, 3, axis=1), portrait], 80)
    out = tmp_path / "out.webp"
    assert drive.main(["--source", str(PORTRAIT), "--driver", str(clip), "--out", str(out), "--side_by_side"]) == 0
    made = Clip(out)
    assert made.count == 3 and made.end == 240
    height, width = portrait.shape[:2]
    assert next(iter(made)).image.shape == (height, 2 * width, 3)
    assert drive.main(["--source", str(clip), "--set", "smile=0.5", "--out", str(out)]) == 1
    assert "already there" in capsys.readouterr().err
    for source, driver in ((PORTRAIT, clip), (clip, None)):
        how = ["--driver", str(driver)] if driver else ["--set", "smile=0.5"]
        assert drive.main(["--source", str(source), *how, "--out", str(clip), "--overwrite"]) == 1
        assert "a.gif is an input and would be overwritten" in capsys.readouterr().err
    more = ["--reference", "3", "--overwrite"]
    assert drive.main(["--source", str(PORTRAIT), "--driver", str(clip), "--out", str(out), *more]) == 1
    assert "--reference 3: the clip has frames 0 to 2" in capsys.readouterr().err
    monkeypatch.setattr(Editor, "personalise", partialmethod(Editor.personalise, steps=2))
    assert drive.main(["--source", str(clip), "--set", "smile=0.5", "--out", str(out), "--overwrite", "--personal"]) == 0
    assert Clip(out).count == 3
    before = out.read_bytes()

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(drive.Writer, "write", broken)
    assert drive.main(["--source", str(clip), "--set", "smile=0.5", "--out", str(out), "--overwrite"]) == 130
    assert out.read_bytes() == before and sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "out.webp"]
