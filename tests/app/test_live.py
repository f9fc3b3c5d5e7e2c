"""The connection: answers to the newest move, errors that leave it alive, cameras, personalising."""

import io
import json
import random
import time

import numpy as np
import pytest
from app.conftest import PHOTO, STEPS, FakeEditor, Page
from PIL import Image

from jaxgan.app import live as live_module
from jaxgan.app.messages import MAX_MESSAGE, pack, unpack
from jaxgan.app.server import make_app
from jaxgan.data.images import read_image


def edit(seq: int, **fields) -> dict:
    return {"type": "edit", "seq": seq, "edit": fields}


def answer(live) -> tuple[dict, bytes]:
    """The next message, whatever its form."""
    message = live.receive()
    return (json.loads(message["text"]), b"") if message.get("text") else unpack(message["bytes"])


def until(live, seq: int) -> list[dict]:
    """Messages up to the answer to a move."""
    seen = []
    while not seen or seen[-1].get("seq") != seq:
        seen.append(answer(live)[0])
    return seen


def frame(image=None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(read_image(PHOTO) if image is None else image).save(file, "JPEG")
    return file.getvalue()


def test_an_edit_is_answered_with_what_changes(page):
    opened = page.open()
    with page.live(opened["session"]) as live:
        live.send_json(edit(7, controls={"yaw": 12.0}))
        header, picture = answer(live)
        left, top, right, bottom = header["box"]
        assert header["seq"] == 7 and Image.open(io.BytesIO(picture)).size == (right - left, bottom - top)
        assert header["values"] == pytest.approx(opened["values"], abs=1e-3)
        assert np.abs(np.array(header["points"]) - opened["points"]).max() > 1
        live.send_json(edit(8))
        header, picture = answer(live)
        assert header["box"] is None and picture == b"" and np.allclose(header["points"], opened["points"], atol=0.01)


def test_points_go_where_they_are_dragged(page):
    opened = page.open()
    offsets = np.zeros((68, 2))
    offsets[30] = 5, -3
    with page.live(opened["session"]) as live:
        live.send_json(edit(1, offsets=offsets.tolist()))
        moved = np.array(answer(live)[0]["points"]) - opened["points"]
    assert np.allclose(moved, offsets, atol=0.02)


def test_of_many_moves_the_last_is_answered_and_few_others(monkeypatch):
    slow = FakeEditor()
    monkeypatch.setattr(slow, "render", lambda latents: time.sleep(0.02) or FakeEditor.render(slow, latents))
    page = Page(make_app(slow))
    with page.client:
        opened = page.open()
        with page.live(opened["session"]) as live:
            for seq in range(1, 201):
                live.send_json(edit(seq, offsets=[[seq / 100, 0]] * 68))
            seen = until(live, 200)
    numbers = [each["seq"] for each in seen]
    assert numbers == sorted(numbers) and len(numbers) < 100
    assert all(np.allclose(np.array(each["points"])[:, 0] - np.array(opened["points"])[:, 0], each["seq"] / 100, atol=0.02)
               for each in seen)  # fmt: skip


def test_a_target_gives_its_expression_and_only_the_parts_asked_for(page):
    opened = page.open()
    target = page.upload((PHOTO.parent / "target.jpg").read_bytes(), "/target", opened["session"]).json()["target"]
    with page.live(opened["session"]) as live:
        live.send_json(edit(1, target=target, parts=[]))
        assert answer(live)[0]["box"] is None
        live.send_json(edit(2, target=target))
        header, _ = answer(live)
        assert header["box"] and header["values"] != pytest.approx(opened["values"], abs=0.05)
        live.send_json(edit(3, target=target, reference=target))
        assert np.allclose(answer(live)[0]["points"], opened["points"], atol=0.1)


def test_the_cameras_first_frame_leaves_the_face_as_it_is(page):
    opened = page.open()
    with page.live(opened["session"]) as live:
        live.send_bytes(pack({"type": "frame", "seq": 1, "edit": {}}, frame()))
        first, _ = answer(live)
        assert first["reference"] == first["target"] and np.allclose(first["points"], opened["points"], atol=0.1)
        turned = np.asarray(Image.fromarray(read_image(PHOTO)).rotate(-12, Image.Resampling.BICUBIC))
        live.send_bytes(pack({"type": "frame", "seq": 2, "edit": {"reference": first["reference"]}}, frame(turned)))
        second, _ = answer(live)
        assert second["values"]["roll"] - first["values"]["roll"] == pytest.approx(12, abs=3)
        live.send_bytes(pack({"type": "frame", "seq": 3, "edit": {}}, frame(np.zeros((240, 320, 3), np.uint8))))
        assert answer(live)[0] == {"type": "error", "seq": 3, "message": "no face found"}
        live.send_bytes(pack({"type": "frame", "seq": 4, "edit": {}}, frame(np.zeros((240, 3000, 3), np.uint8))))
        assert "at most" in answer(live)[0]["message"]
        live.send_bytes(pack({"type": "frame", "seq": 5, "edit": {}}, b"no picture"))
        assert "JPEG" in answer(live)[0]["message"]


def test_landmarks_that_hardly_move_are_steadied():
    points = np.random.default_rng(0).normal(size=(68, 2)).astype(np.float32)
    assert live_module.steadied(None, points) is points
    assert np.allclose(live_module.steadied(points, points + 0.001) - points, 0.0003, atol=1e-5)
    assert np.allclose(live_module.steadied(points, points + 1), points + 1)


def test_edits_go_on_while_the_editor_is_personalised(page, sessions):
    opened = page.open()
    with page.live(opened["session"]) as live:
        live.send_json({"type": "personalise"})
        live.send_json({"type": "personalise"})
        seen, seq = [], 0
        while all(each["type"] != "personalised" for each in seen):
            seq += 1
            live.send_json(edit(seq, controls={"yaw": float(seq % 5 + 1)}))
            seen += until(live, seq)
        kinds = [each["type"] for each in seen]
        assert kinds.count("personalised") == 1 and kinds.count("error") == 1
        assert [each["done"] for each in seen if each["type"] == "progress"] == [*range(1, STEPS + 1)]
        assert kinds.count("edited") >= 3
    assert sessions.get(opened["session"]).personal


def test_a_page_that_leaves_ends_its_personalising(page, sessions):
    opened = page.open()
    with page.live(opened["session"]) as live:
        live.send_json({"type": "personalise"})
        assert answer(live)[0]["type"] == "progress"
    assert not sessions.get(opened["session"]).personal
    assert page.post("/expression", opened["session"], {}).status_code == 200  # the worker is free again


def test_points_that_form_no_face_are_told_by_number_and_the_connection_lives(page):
    opened, offsets = page.open(), np.random.default_rng(0).normal(0, 300, (68, 2)).tolist()
    with page.live(opened["session"]) as live:
        for seq in (1, 2):
            live.send_json(edit(seq, offsets=offsets))
            said, _ = answer(live)
            assert said["seq"] == seq and "no longer form a face" in said["message"]
        target = (np.array(opened["points"])[::-1]).tolist()
        live.send_json(edit(3, target=target))
        assert "do not form a face" in answer(live)[0]["message"]
        live.send_json(edit(4))
        assert answer(live)[0]["type"] == "edited"


def test_a_forgotten_photograph_is_told_and_the_connection_lives(page, sessions):
    with page.live("unknown") as live:
        for seq in (1, 2):
            live.send_json(edit(seq))
            assert answer(live)[0]["type"] == "gone"
        live.send_json({"type": "personalise"})
        assert "upload it again" in answer(live)[0]["message"]


def test_a_fault_of_the_server_is_told_and_the_connection_lives(page, sessions, monkeypatch):
    opened = page.open()
    photo = sessions.get(opened["session"])
    with page.live(opened["session"]) as live:
        with monkeypatch.context() as broken:
            broken.setattr(photo, "edit", lambda edit: 1 / 0)
            live.send_json(edit(1))
            assert answer(live)[0]["message"] == live_module.BROKEN
        live.send_json(edit(2))
        assert answer(live)[0]["type"] == "edited"


def nonsense(chance: random.Random, depth: int = 0):
    """A value of JSON that is nothing in particular."""
    plain = [None, True, -1, 0, 10**400, 1e308, -0.5, float("nan"), float("inf"), "", "yaw", "edit", "\ud800", "x" * 999]
    if depth > 3 or chance.random() < 0.5:
        return chance.choice(plain)
    if chance.random() < 0.5:
        return [nonsense(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 68]))]
    keys = ["type", "seq", "edit", "controls", "offsets", "target", "reference", "parts", "strength", "yaw", "no"]
    return {chance.choice(keys): nonsense(chance, depth + 1) for _ in range(chance.randrange(5))}


def bad_message(chance: random.Random) -> str | bytes:
    """A message that is wrong in one of many ways."""
    good = edit(1, controls={"yaw": 3}, offsets=[[0, 0]] * 68, parts=["pose"], strength=1)
    which = chance.randrange(5)
    if which == 0:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
    if which == 1:
        return chance.choice(["", "[", "[" * 50_000, "null", "NaN", '{"type":"edit"', '"edit"', "\x00", "{}", "[]"])
    if which == 2:
        return json.dumps(nonsense(chance))
    if which == 3:
        wrong = [None, "1", -1, 1.5, [], {}, True, 10**30, float("nan"), [[0, 0]] * 67, [[0]] * 68, [["a", 0]] * 68, {"no": 1}]
        place = chance.choice([good, good["edit"]])
        place[chance.choice([key for key in place if key != "type"])] = chance.choice([each for each in wrong if each != {}])
        if chance.random() < 0.3:
            place["unknown"] = 1
        return json.dumps(good)
    header = {"type": chance.choice(["edit", "frame", "no"]), "seq": 1, "edit": nonsense(chance)}
    return pack(header, b"x" * chance.randrange(100))


def test_a_thousand_bad_messages_are_refused_and_the_connection_lives(page, sessions):
    chance, opened = random.Random(0), page.open()
    with page.live(opened["session"]) as live:
        for number in range(1000):
            message = bad_message(chance)
            (live.send_bytes if isinstance(message, bytes) else live.send_text)(message)
            if number % 100 == 99:
                seq = 10_000 + number
                live.send_json(edit(seq, controls={"yaw": 1.0}))
                seen = until(live, seq)
                assert seen[-1]["type"] == "edited"
                assert all(len(json.dumps(each)) < 2**14 for each in seen)
    assert len(sessions) == 1 and MAX_MESSAGE < 2**20
