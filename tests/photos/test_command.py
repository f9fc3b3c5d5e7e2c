"""`jaxgan edit` on whole photographs, with the editor that comes with the package."""

from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.commands import edit
from jaxgan.data.images import read_image
from jaxgan.photos.writing import NOTE

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_photographs_come_back_whole_and_a_bad_one_is_named(tmp_path, capsys):
    source = read_image(EXAMPLES / "source.jpg")
    tall = np.concatenate([source, np.full((100, source.shape[1], 3), 7, np.uint8)])
    (tmp_path / "in").mkdir()
    Image.fromarray(tall).save(tmp_path / "in" / "a.png")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(tmp_path / "in" / "faceless.png")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    arguments = ["--source", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert edit.main([*arguments, "--target", str(EXAMPLES / "target.jpg"), "--parts", "mouth"]) == 1
    said = capsys.readouterr()
    assert "faceless.png: no face found" in said.err and "broken.jpg: unreadable" in said.err and "1 of 3 edited" in said.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    made = read_image(tmp_path / "out" / "a.png")
    assert made.shape == tall.shape and (made != tall).any()
    np.testing.assert_array_equal(made[-100:], tall[-100:])
    assert NOTE.encode() in (tmp_path / "out" / "a.png").read_bytes()


def test_formats_faces_and_marks(tmp_path, capsys):
    source = str(EXAMPLES / "source.jpg")
    flags = ["--source", source, "--set", "yaw=0", "--out", str(tmp_path), "--no-mark"]
    assert edit.main([*flags]) == 0
    np.testing.assert_array_equal(read_image(tmp_path / "source.png"), read_image(source))
    assert edit.main([*flags, "--format", "jpeg"]) == 0
    assert NOTE.encode() not in (tmp_path / "source.jpg").read_bytes()
    assert edit.main([*flags, "--face", "1", "--overwrite"]) == 1
    assert "face 1 was asked for; 1 found" in capsys.readouterr().err
    for wrong, message in (
        (["--steps", "3"], "--steps goes with --crop"),
        (["--crop", "--face", "1"], "--face goes with whole"),
    ):
        assert edit.main([*flags, "--overwrite", *wrong]) == 1
        assert message in capsys.readouterr().err
