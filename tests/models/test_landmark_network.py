"""The landmark network against its teacher, dlib, on pictures that it was not trained on."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import Editor
from jaxgan.data.detection import load_detector
from jaxgan.data.images import read_image
from jaxgan.models.features import landmark_network
from jaxgan.models.features.landmark_network import load_landmark_network, network_landmarks

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def editor():
    return Editor.pretrained()


def eyes(points):
    return np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))


@pytest.mark.parametrize("name", ["source", "target"])
def test_it_finds_what_dlib_finds(editor, name):
    photo = read_image(EXAMPLES / f"{name}.jpg")
    portrait, known = editor.align(photo, load_detector("dlib")(photo)[0].keypoints)
    (found,) = editor.find_landmarks(portrait, known)
    assert np.linalg.norm(found - known, axis=1).mean() < 0.05 * eyes(known)
    (moved,) = editor.find_landmarks(np.roll(portrait, 2, axis=1), known)  # about where they are is enough
    assert np.abs((moved - found).mean(axis=0) - [2, 0]).max() < 0.5


def test_gradients_reach_the_picture_at_any_size():
    params = load_landmark_network()
    images = jnp.zeros((1, 96, 96, 3), jnp.float32)
    points, pull_back = jax.vjp(lambda x: network_landmarks(params, x), images)
    (gradient,) = pull_back(jnp.ones_like(points))
    assert points.shape == (1, 68, 2) and 0 < float(points.min()) and float(points.max()) < 96
    assert float(jnp.abs(gradient).max()) > 0


def test_saved_and_read(tmp_path, monkeypatch):
    params = load_landmark_network()
    landmark_network.save_landmark_network(tmp_path / "n", params)
    monkeypatch.setattr(landmark_network, "WEIGHTS", tmp_path / "n")
    load_landmark_network.cache_clear()
    again = load_landmark_network()
    load_landmark_network.cache_clear()
    jax.tree.map(np.testing.assert_array_equal, again, params)
