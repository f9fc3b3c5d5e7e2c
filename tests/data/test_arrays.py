"""Arrays and numbers of another kind, given to an editor: each is named in one line."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.checkpoints import Loaded
from jaxgan.configs import preset
from jaxgan.data.framing import MeanFraming, measure_framing
from jaxgan.data.shape import MEAN_FACE
from jaxgan.training import editor as editor_stage
from jaxgan.training import inverter, stylegan


@pytest.fixture(scope="module")
def editor() -> Editor:
    """An untrained editor."""
    before = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    inverts = inverter.export(inverter.init_state(preset("tiny", "inverter"), before))
    config = preset("tiny", "editor")
    edits = editor_stage.export(editor_stage.init_state(config))
    return Editor(Loaded(0, "editor", config, {**before, **inverts, **edits}))


BLACK = np.zeros((2, 8, 8, 3), np.uint8)
POINTS = np.tile(MEAN_FACE * 2 + 4, (2, 1, 1)).astype(np.float32)  # a face in 8x8 pixels
LATENTS = np.zeros((2, 4, 8), np.float32)
KINDS = {bool: "bool", object: "object", complex: "complex128", "U1": "<U1", "M8[s]": r"datetime64\[s\]"}
SHAPE = r"must be \[N, H, W, 3\] or \[H, W, 3\], got "
ONE_SHAPE = r"must be \[H, W, 3\] and not empty, got "
SEQUENCE = r"must be an array \[N, H, W, 3\] or a sequence of \[H, W, 3\], got "

IMAGES = [
    *((BLACK.astype(kind), f"^NAME 0 must be uint8 or float, got {shown}$") for kind, shown in KINDS.items() if kind != "U1"),
    ([BLACK[0], BLACK[0].astype(np.int32)], "^NAME 1 must be uint8 or float, got int32$"),
    ([BLACK[0], np.full((8, 8, 3), np.nan)], r"^NAME 1 is float and must lie in \[-1, 1\]"),
    (np.zeros(0), rf"^NAMEs {SHAPE}\[0\]$"),
    (np.zeros((0, 8, 8, 4), np.uint8), rf"^NAMEs {SHAPE}\[0, 8, 8, 4\]$"),
    (np.zeros((8, 8), np.uint8), rf"^NAMEs {SHAPE}\[8, 8\]$"),
    (BLACK[None], rf"^NAMEs {SHAPE}\[1, 2, 8, 8, 3\]$"),
    (np.uint8(3), rf"^NAMEs {SEQUENCE}a uint8$"),
    (BLACK[:, :0], rf"^NAME 0 {ONE_SHAPE}\[0, 8, 3\]$"),
    (BLACK.transpose(0, 3, 1, 2), rf"^NAME 0 {ONE_SHAPE}\[3, 8, 8\]$"),
    ([BLACK[0], BLACK[0, 0]], rf"^NAME 1 {ONE_SHAPE}\[8, 3\]$"),
    ([[[1, 2], [3]]], r"^NAME 0 must be an array, got \[\[1, 2\], \[3\]\]$"),
    ([None], r"^NAME 0 must be an array \[H, W, 3\], got None$"),
    (["me.jpg"], r"^NAME 0 must be an array \[H, W, 3\], got 'me.jpg'$"),
    (None, rf"^NAMEs {SEQUENCE}None$"),
    (7, rf"^NAMEs {SEQUENCE}7$"),
    ("a.png", rf"^NAMEs {SEQUENCE}'a.png'$"),
    (Path("a.png"), rf"^NAMEs {SEQUENCE}a PosixPath$"),
    ({"a": BLACK[0]}, rf"^NAMEs {SEQUENCE}a dict$"),
]


def refusal(function, *arguments, **options) -> str:
    """The one line with which a call is refused."""
    with pytest.raises(ValueError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("images, message", IMAGES)
def test_images_of_another_kind(editor, images, message):
    for function, rest in ((editor.invert, ()), (editor.edit, (POINTS,)), (editor.edit_latents, (POINTS,))):
        assert re.search(message.replace("NAME", "image"), refusal(function, images, *rest))
    assert re.search(message.replace("NAME", "target"), refusal(editor.diffuse, images, BLACK))
    assert re.search(message.replace("NAME", "context"), refusal(editor.diffuse, BLACK, images))


@pytest.mark.parametrize(
    "keypoints, message",
    [
        *((np.zeros((2, 68, 2), kind), f"integers or floats, got {shown}$") for kind, shown in KINDS.items()),
        (None, "integers or floats, got object$"),
        ([[1, 2], [3]], r"must be an array, got \[\[1, 2\], \[3\]\]$"),
        ([], r"must be \[2, 68, 2\] or \[68, 2\], got \[0\]$"),
        (POINTS[:, :67], r"must be \[2, 68, 2\] or \[68, 2\], got \[2, 67, 2\]$"),
        (POINTS[0].T, r"must be \[2, 68, 2\] or \[68, 2\], got \[2, 68\]$"),
        (np.full((68, 2), np.nan), "must be finite$"),
        (np.full((68, 2), 1e300), "must be finite$"),
    ],
)
def test_keypoints_of_another_kind(editor, keypoints, message):
    for function in (editor.edit, editor.edit_latents):
        assert re.search(f"^keypoints .*{message}", refusal(function, BLACK, keypoints))


@pytest.mark.parametrize(
    "latents, message",
    [
        *((np.zeros((2, 4, 8), kind), f"must be integers or floats, got {shown}$") for kind, shown in KINDS.items()),
        (LATENTS[0], r"must be \[N, 4, 8\], got \[4, 8\]$"),
        ([[1], [2, 3]], "must be an array"),
        (np.full((2, 4, 8), np.nan), "must be finite$"),
        (np.full((2, 4, 8), 1e300), "must be finite$"),
    ],
)
def test_latents_of_another_kind(editor, latents, message):
    assert re.search(f"^latents {message}", refusal(editor.render, latents))
    assert re.search(f"^latents {message}", refusal(editor.edit_latents, BLACK, POINTS, latents))


NO_NUMBERS = [np.nan, np.inf, 1e300, "1", None, 1j, True, [1.0, 2.0], np.zeros((3, 3))]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_numbers_of_another_kind(editor, value):
    assert re.search("^strength must be a finite number, got ", refusal(editor.edit, BLACK, POINTS, value))
    assert re.search("^truncation must be a finite number, got ", refusal(editor.generate, [0], value))
    for name in ("learning_rate", "encoder_weight"):
        assert re.search(f"^{name} must be a finite number, got ", refusal(editor.invert, BLACK, **{name: value}))


@pytest.mark.parametrize("value", [1.5, "1", None, True, np.nan, [1], np.zeros((3, 3))], ids=str)
def test_counts_of_another_kind(editor, value):
    assert re.search("^steps must be a whole number, got ", refusal(editor.invert, BLACK, value))
    assert re.search("^steps must be a whole number, got ", refusal(editor.diffuse, BLACK, BLACK, steps=value))
    assert re.search("^seed 1 must be a whole number, got ", refusal(editor.generate, [0, value]))


@pytest.mark.parametrize("seeds", [5, None, "12", np.array(3), {"a": 1}], ids=str)
def test_seeds_of_another_kind(editor, seeds):
    assert re.search("^seeds must be a sequence of whole numbers, got ", refusal(editor.generate, seeds))
    assert re.search("^seed 0 must not be negative, got -1$", refusal(editor.generate, [-1]))


@pytest.mark.parametrize("box", [(0, 0, 8), (), (0.5, 0, 4, 4), (None,) * 4, "abcd", 5, np.zeros((2, 2))], ids=str)
def test_boxes_of_another_kind(editor, box):
    assert re.search(r"^box must be \(left, top, right, bottom\) within 8x8 pixels", refusal(editor.diffuse, BLACK, BLACK, box))


def test_what_only_looks_odd_is_taken(editor):
    black = editor.invert(np.zeros((1, 8, 8, 3), np.uint8))
    for odd in (
        np.zeros((1, 1, 1, 3), np.uint8),
        -np.ones((1, 8, 20_000, 3), np.float16),
        -jnp.ones((8, 8, 3), jnp.bfloat16),
        Image.new("L", (8, 8)),
        [Image.new("RGBA", (9, 8), (0, 0, 0, 255))],
    ):
        np.testing.assert_array_equal(editor.invert(odd), black)
    np.testing.assert_array_equal(editor.invert(iter([np.zeros((8, 8, 3), np.uint8)])), black)
    portraits = editor.generate(np.arange(2))
    np.testing.assert_array_equal(editor.generate(seed for seed in (0, 1)), portraits)
    points = POINTS.astype(np.float16).astype(np.float32)
    edited = editor.edit(portraits, points)
    np.testing.assert_array_equal(editor.edit(portraits, POINTS.astype(np.float16), np.float32(1)), edited)
    np.testing.assert_array_equal(
        editor.diffuse(portraits, portraits, np.array([0, 0, 8, 8]), steps=0), editor.invert(portraits)
    )
    assert editor.edit([], POINTS[0]).shape == editor.generate([]).shape == (0, 8, 8, 3)


def test_pictures_of_pillow_are_turned_upright(editor):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    upright = editor.invert(np.rot90(np.asarray(picture), -1)[None])
    picture.getexif()[274] = 6  # to be turned clockwise by a quarter
    np.testing.assert_array_equal(editor.invert(picture), upright)
    np.testing.assert_array_equal(editor.invert([picture]), upright)


def test_floats_from_0_to_1_are_refused(editor):
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    assert "lies in [0, 1]; floats must lie in [-1, 1]: pass 2 * image - 1" in refusal(editor.invert, images)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (POINTS / 8, "keypoints 0: the landmarks span .* must be in pixels of the picture, not shares of it"),
        (np.full((68, 2), 3.0), "keypoints 0: all landmarks lie at one point, "),
        (POINTS[0] + 8, "keypoints 0: the landmarks lie outside of the picture: x from"),
        (POINTS[0, ::-1], "keypoints 0: the landmarks do not form a face: .* of iBUG 300-W"),
        (POINTS[0] * [-1, 1] + [8, 0], "keypoints 0: the landmarks do not form a face"),
    ],
)
def test_landmarks_that_cannot_be_a_face_are_refused(editor, points, message):
    assert re.search(message, refusal(editor.edit, BLACK, points))


def test_a_face_far_from_the_framing_is_warned_of_and_aligned(editor):
    photograph = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    face = (MEAN_FACE * 4 + [20, 40]).astype(np.float32)
    framed = Editor(Loaded(0, "editor", editor.config, editor._engine.networks, MeanFraming(0.5, 0.5, 0.3)))
    with pytest.warns(UserWarning, match=r"image 0: the target's landmarks .* Editor.align crops photographs so"):
        framed.edit(photograph, face + np.float32([10, 0]))
    portrait, points = framed.align(photograph, face)
    assert portrait.shape == (8, 8, 3)
    np.testing.assert_allclose(measure_framing(points[None], 8).spread, 0.3, atol=0.02)
    framed.edit(portrait, points)  # warnings are errors
