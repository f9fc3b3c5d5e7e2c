"""A small editor in place of the networks, and a page's way to the server."""

import time
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from jaxgan.app.messages import unpack
from jaxgan.app.server import make_app
from jaxgan.app.sessions import Sessions
from jaxgan.data.framing import MeanFraming

PHOTO = Path(__file__).parents[2] / "docs" / "examples" / "source.jpg"
ORIGIN = "http://127.0.0.1:8000"
STEPS = 6


class FakeEditor:
    """Latents are the landmarks asked for, and pictures show them as colours."""

    resolution = 64
    framing = MeanFraming(0.5, 0.55, 0.25)

    def __init__(self, personal: bool = False):
        self.personal = personal

    def invert(self, images):
        return np.zeros((1, 1, 136), np.float32)

    def edit_latents(self, images, keypoints, latents=None):
        return np.asarray(keypoints, np.float32).reshape(1, 1, 136)

    def render(self, latents):
        rows, columns = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
        shade = np.stack([rows, columns, rows + columns], axis=-1) + 10 * np.std(latents) + 60 * self.personal
        return np.clip(shade, 0, 255).astype(np.uint8)[None]

    def find_landmarks(self, images, near):
        return np.asarray(near, np.float32).reshape(-1, 68, 2)

    def place(self, keypoints):
        return self.framing.place(keypoints, self.resolution)

    def personalise(self, images, steps=STEPS, progress=lambda done: None):
        for done in range(1, steps + 1):
            time.sleep(0.03)
            progress(done)
        return FakeEditor(personal=True)


class Page:
    """What the page does, by hand."""

    def __init__(self, app):
        self.client = TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN})

    def upload(self, data: bytes, path: str = "/photo", session: str = ""):
        return self.client.post(path, files={"file": ("photo.jpg", data)}, headers={"X-Session": session})

    def open(self) -> dict:
        """Uploads the photograph and returns the header of the answer."""
        response = self.upload(PHOTO.read_bytes())
        assert response.status_code == 200, response.text
        return unpack(response.content)[0]

    def post(self, path: str, session: str, json):
        return self.client.post(path, json=json, headers={"X-Session": session})

    def live(self, session: str):
        return self.client.websocket_connect(f"/live/{session}", headers={"Host": "127.0.0.1:8000"})


@pytest.fixture
def sessions():
    return Sessions(limit=3)


@pytest.fixture
def page(sessions):
    page = Page(make_app(FakeEditor(), sessions=sessions))
    with page.client:
        yield page
