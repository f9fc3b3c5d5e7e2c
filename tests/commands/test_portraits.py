"""What the edit command names the files that it writes."""

import pytest

from jaxgan.commands.portraits import list_portraits
from jaxgan.errors import InputError


def test_equal_names_are_numbered_and_said(tmp_path):
    portraits, remarks = list_portraits(["a/me.jpg", "b/Me.png", "c/you.jpg"], tmp_path)
    assert [each.output.name for each in portraits] == ["me.png", "Me-2.png", "you.png"]
    assert [(each.name, each.text, each.failed) for each in remarks] == [("b/Me.png", "its edit is named Me-2.png", False)]


def test_out_may_be_the_file_of_one_portrait(tmp_path):
    (portrait,), remarks = list_portraits(["me.jpg"], tmp_path / "new.png")
    assert portrait.output == tmp_path / "new.png" and not remarks
    (portrait,), _ = list_portraits(["me.jpg"], tmp_path / "new.jpeg", ".jpg")
    assert portrait.output == tmp_path / "new.jpeg"
    (tmp_path / "folder.png").mkdir()
    (portrait,), _ = list_portraits(["me.jpg"], tmp_path / "folder.png")
    assert portrait.output == tmp_path / "folder.png" / "me.png"


@pytest.mark.parametrize(
    ("sources", "out", "message"),
    [
        (["a.jpg", "b.jpg"], "new.png", "is the name of a picture, for 2 sources: name a folder"),
        (["a.jpg"], "new.jpg", "pictures are written as .png; --format chooses"),
        (["a.jpg"], "new.tiff", "pictures are written as .png"),
    ],
)
def test_other_names_of_pictures_are_refused(sources, out, message, tmp_path):
    with pytest.raises(InputError, match=message):
        list_portraits(sources, tmp_path / out)
