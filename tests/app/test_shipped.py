"""The shipped editor behind the page: a face follows, and the last of many moves is shown."""

import threading

import numpy as np
from app.conftest import PHOTO, Page

from jaxgan import Editor
from jaxgan.app.messages import unpack
from jaxgan.app.server import make_app
from jaxgan.data.images import decode_image, read_image


def test_the_shipped_editor_follows_and_downloads_what_the_python_interface_makes():
    editor = Editor.pretrained()
    before = threading.active_count()
    page = Page(make_app(editor))
    with page.client:
        opened = page.open()
        with page.live(opened["session"]) as live:
            for seq in range(1, 31):
                live.send_json({"type": "edit", "seq": seq, "edit": {"controls": {"yaw": seq / 2}}})
            header = {"seq": 0}
            while header["seq"] < 30:
                header, picture = unpack(live.receive_bytes())
        left, top, right, bottom = header["box"]
        shown = decode_image(picture)
        made = decode_image(page.post("/download", opened["session"], {"controls": {"yaw": 15.0}}).content)
    expected = editor.edit_photo(PHOTO, {"yaw": 15.0}, personal=False).astype(np.int16)
    assert np.abs(made - expected).mean() < 0.2
    assert np.abs(shown - expected[top:bottom, left:right]).mean() < 4  # JPEG
    outside = np.ones(made.shape[:2], bool)
    outside[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert np.array_equal(made[outside], read_image(PHOTO)[outside])
    assert threading.active_count() <= before + 8  # the pool of asyncio stays; the worker has ended
