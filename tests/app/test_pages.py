"""Uploads, faces, targets, saved expressions and downloads."""

import io
import json

import numpy as np
import pytest
from app.conftest import PHOTO
from PIL import Image

from jaxgan.app.messages import unpack
from jaxgan.data.images import decode_image, read_image
from jaxgan.faces.target import read_keypoints
from jaxgan.photos.writing import NOTE

TURNED = {"controls": {"yaw": 10.0}}


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_an_uploaded_photograph_is_opened(page):
    response = page.upload(PHOTO.read_bytes())
    header, picture = unpack(response.content)
    assert header["size"] == [256, 256] and len(header["faces"]) == 1
    assert np.shape(header["points"]) == (68, 2)
    assert {*header["values"]} == {*header["controls"]} == {"yaw", "pitch", "roll", "smile", "mouth", "eyes", "brows"}
    assert all(low <= header["values"][name] <= high for name, (low, high) in header["controls"].items())
    shown = np.asarray(Image.open(io.BytesIO(picture)), np.int16)
    assert np.abs(shown - read_image(PHOTO)).mean() < 3


def test_large_photographs_are_shown_small_and_downloaded_in_full(page):
    large = np.asarray(Image.fromarray(read_image(PHOTO)).resize((2000, 2000)))
    header, _ = unpack(page.upload(png(large)).content)
    assert max(header["size"]) < 1600
    made = page.post("/download", header["session"], TURNED)
    assert decode_image(made.content).shape == (2000, 2000, 3)


def test_transparency_stays(page):
    pixels = np.dstack([read_image(PHOTO), np.full((256, 256), 200, np.uint8)])
    header, _ = unpack(page.upload(png(pixels)).content)
    made = decode_image(page.post("/download", header["session"], TURNED).content, alpha=True)
    assert made.shape == (256, 256, 4) and (made[..., 3] == 200).all()


def test_no_edit_downloads_the_photograph_bit_for_bit(page):
    session = page.open()["session"]
    made = page.post("/download", session, {})
    assert made.headers["content-type"] == "image/png"
    assert np.array_equal(decode_image(made.content), read_image(PHOTO))


def test_a_download_is_edited_and_marked(page):
    session = page.open()["session"]
    made = page.post("/download", session, TURNED).content
    assert not np.array_equal(decode_image(made), read_image(PHOTO))
    assert Image.open(io.BytesIO(made)).text["Description"] == NOTE


def test_one_of_two_faces_is_chosen(page):
    photo = read_image(PHOTO)
    both = np.concatenate([photo, photo], axis=1)
    header, _ = unpack(page.upload(png(both)).content)
    assert len(header["faces"]) == 2
    other, _ = unpack(page.post("/face", header["session"], {"face": 1}).content)
    assert other["session"] == header["session"] and other["face"] == 1
    apart = np.mean(other["points"], axis=0) - np.mean(header["points"], axis=0)
    assert abs(abs(apart[0]) - 256) < 5
    for face in (2, -1, "0", 1.0, None, True):
        assert page.post("/face", header["session"], {"face": face}).status_code == 400


def test_a_picture_is_a_target(page):
    session = page.open()["session"]
    target = page.upload((PHOTO.parent / "target.jpg").read_bytes(), "/target", session).json()["target"]
    assert np.shape(target) == (68, 2)
    saved = page.post("/expression", session, {"target": target}).json()
    assert np.abs(np.array(saved["keypoints"]) - saved["own"]).max() > 1


def test_saved_expressions_are_read_by_the_command_and_come_back_exactly(page, tmp_path):
    opened = page.open()
    saved = page.post("/expression", opened["session"], TURNED)
    path = tmp_path / "saved.json"
    path.write_bytes(saved.content)
    keypoints = read_keypoints(path)
    offsets = page.upload(saved.content, "/target", opened["session"]).json()["offsets"]
    again = page.post("/expression", opened["session"], {"offsets": offsets}).json()
    assert np.abs(again["keypoints"] - keypoints).max() < 0.01


def test_an_expression_of_another_face_is_a_target(page):
    opened = page.open()
    saved = page.post("/expression", opened["session"], TURNED).json()
    saved["own"] = (np.array(saved["own"]) + 5).tolist()
    assert "target" in page.upload(json.dumps(saved).encode(), "/target", opened["session"]).json()
    del saved["own"]
    assert "target" in page.upload(json.dumps(saved).encode(), "/target", opened["session"]).json()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (b"no image at all", "not an image"),
        (PHOTO.read_bytes()[:3000], "unreadable"),
        (png(np.zeros((300, 300, 3), np.uint8)), "no face found"),
        (png(np.zeros((8, 8, 3), np.uint8)), "too small"),
        (png(np.zeros((8300, 8300), np.uint8)), "too large"),
    ],
)
def test_a_photograph_that_cannot_be_used_is_explained(page, sessions, data, said):
    response = page.upload(data)
    assert response.status_code == 400 and said in response.json()["message"]
    assert len(sessions) == 0


@pytest.mark.parametrize(
    "saved",
    [
        b"{",
        b"{}",
        b'{"format": "jaxgan expression 1", "keypoints": [[1, 2]]}',
        json.dumps({"format": "jaxgan expression 1", "keypoints": [[0, 0]] * 68}).encode(),
        json.dumps({"format": "jaxgan expression 1", "keypoints": [[float("nan"), 0]] * 68}).encode(),
        b"[" * 100_000,
        b"{" + b'"a":{' * 100_000,
    ],
)
def test_a_damaged_expression_is_refused(page, saved):
    session = page.open()["session"]
    assert page.upload(saved, "/target", session).status_code == 400


@pytest.mark.parametrize("path", ["/face", "/target", "/expression", "/download"])
def test_a_forgotten_photograph_is_told(page, path):
    send = page.upload(b"{}", path, "unknown") if path == "/target" else page.post(path, "unknown", {})
    assert send.status_code == 410 and "upload it again" in send.json()["message"]
