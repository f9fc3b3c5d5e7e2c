"""Identity and pose, the two independent inputs of a procedural portrait, and their distributions.

Lengths are in head units, one of which is half the width of an average face at the cheekbones. In the axes of the head, x
points to the right of the image, y down and z towards the viewer; the origin lies midway between the pupils, inside the skull.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_IDENTITY_STREAM, _POSE_STREAM = 1, 2  # keep identity and pose of the same index independent
_UNIFORMS_PER_ITEM = 96


class Identity(NamedTuple):
    """N people and their surroundings: everything that a change of pose does not affect."""

    skull_width: np.ndarray  # [N] half width of the head at the cheekbones, head units
    jaw_width: np.ndarray  # [N] width of the face at the chin as a fraction of skull_width
    jaw_squareness: np.ndarray  # [N] 0: oval, 1: square
    chin_height: np.ndarray  # [N] y of the chin with the mouth closed, head units
    eye_distance: np.ndarray  # [N] x of the eye's centre, head units
    eye_width: np.ndarray  # [N] half width of the eye, head units
    eye_height: np.ndarray  # [N] height of the upper lid's arc with the eyes open, head units
    eye_slant: np.ndarray  # [N] height of the outer corner above the eye's centre, head units
    brow_height: np.ndarray  # [N] distance of the brow above the eye, head units
    brow_arch: np.ndarray  # [N] height of the brow's arc, head units
    brow_thickness: np.ndarray  # [N] half thickness of the brow, head units
    nose_length: np.ndarray  # [N] y of the nose's tip, head units
    nose_width: np.ndarray  # [N] half width at the nostrils, head units
    nose_height: np.ndarray  # [N] how far the tip protrudes from the face, head units
    mouth_height: np.ndarray  # [N] y of the closed mouth, head units
    mouth_width: np.ndarray  # [N] half width of the mouth at rest, head units
    upper_lip: np.ndarray  # [N] thickness, head units
    lower_lip: np.ndarray  # [N] thickness, head units
    skin: np.ndarray  # [N, 3] sRGB in [0, 1], like all colours here
    lips: np.ndarray  # [N, 3]
    iris: np.ndarray  # [N, 3]
    hair: np.ndarray  # [N, 3], of brows and beard too
    beard: np.ndarray  # [N] opacity of the beard, 0: shaven
    hair_coverage: np.ndarray  # [N] 1: hair, 0: bald
    hair_length: np.ndarray  # [N] 0: cropped above the ears, 1: to the shoulders
    hair_volume: np.ndarray  # [N] thickness of the hair over the skull, head units
    hairline: np.ndarray  # [N] y of the hair's edge on the forehead, head units; a fringe if it is low
    hair_part: np.ndarray  # [N] sideways shift of the highest point of the hairline, head units
    background: np.ndarray  # [N, 2, 3] the two ends of a linear gradient
    background_angle: np.ndarray  # [N] direction of the gradient, radians
    clothes: np.ndarray  # [N, 3]
    neckline: np.ndarray  # [N] y where the clothes meet the neck, head units
    light: np.ndarray  # [N, 3] unit vector towards the light
    ambient: np.ndarray  # [N] share of ambient light, 0 to 1


class Pose(NamedTuple):
    """Pose and expression of N heads; every field is [N] and affects the landmarks."""

    yaw: np.ndarray  # radians; positive: the face turns to the right of the image
    pitch: np.ndarray  # radians; positive: the face looks up
    roll: np.ndarray  # radians; positive: the head turns clockwise in the image
    shift_x: np.ndarray  # head units, to the right
    shift_y: np.ndarray  # head units, down
    scale: np.ndarray  # size of the head, 1: average
    jaw: np.ndarray  # opening of the jaw, 0: closed, 1: wide
    smile: np.ndarray  # -1: corners of the mouth drawn down, 1: broad smile
    brow_raise: np.ndarray  # -1: brows down, 1: raised
    brow_frown: np.ndarray  # 0: relaxed, 1: inner ends drawn down and together
    blink: np.ndarray  # 0: eyes open, 1: closed


GEOMETRY_RANGES = {
    "skull_width": (0.92, 1.06),
    "jaw_width": (0.72, 0.94),
    "jaw_squareness": (0.1, 0.9),
    "chin_height": (1.5, 1.72),
    "eye_distance": (0.40, 0.48),
    "eye_width": (0.185, 0.235),
    "eye_height": (0.085, 0.135),
    "eye_slant": (-0.02, 0.045),
    "brow_height": (0.26, 0.37),
    "brow_arch": (0.02, 0.10),
    "brow_thickness": (0.025, 0.065),
    "nose_length": (0.54, 0.68),
    "nose_width": (0.19, 0.28),
    "nose_height": (0.34, 0.5),
    "mouth_height": (0.98, 1.10),
    "mouth_width": (0.31, 0.41),
    "upper_lip": (0.055, 0.12),
    "lower_lip": (0.075, 0.15),
    "hair_volume": (0.03, 0.2),
    "ambient": (0.42, 0.6),
}
_SKIN_TONES = np.array([[240, 205, 180], [230, 188, 158], [222, 170, 135], [190, 130, 95], [140, 92, 65], [100, 65, 48]])
_HAIR_COLOURS = np.array([[25, 22, 22], [50, 34, 26], [88, 56, 36], [135, 70, 40], [190, 145, 85], [225, 200, 150]])
_IRIS_COLOURS = np.array([[62, 38, 22], [95, 62, 32], [98, 105, 58], [70, 110, 120], [80, 125, 170]])


def sample_identities(seed: int | Sequence[int], indices: Sequence[int]) -> Identity:
    """Draws the people of `indices`; item i depends only on its seed and index.

    Args:
      seed: one for all items or one per item.
      indices: N indices.

    Raises:
      ValueError: a seed or an index is negative.
    """
    draw = _Draws(_IDENTITY_STREAM, seed, indices)
    geometry = {name: draw.between(low, high, draws=2) for name, (low, high) in GEOMETRY_RANGES.items()}

    tone = draw.between(0, 1) ** 1.4
    skin = _blend(_SKIN_TONES, tone) * (1 + 0.04 * (draw.colour() - 0.5))
    fair_hair = draw.between(0, 1) * np.clip(1.8 - 2 * tone, 0, 1)  # fair hair goes with fair skin
    grey = draw.between(0, 1)[:, None]
    hair = _blend(_HAIR_COLOURS, fair_hair)
    hair = np.where(grey > 0.9, 0.45 * hair + 0.55 * np.array([0.75, 0.75, 0.76]), hair)
    redness = draw.between(0.25, 0.75)[:, None]
    lips = (1 - redness) * skin * np.array([0.86, 0.66, 0.64]) + redness * skin * np.array([0.80, 0.42, 0.44])
    iris = _blend(_IRIS_COLOURS, draw.between(0, 1) * np.clip(1.5 - 1.5 * tone, 0.15, 1))

    masculine = draw.between(0, 1) > 0.5
    beard = np.where(masculine, np.maximum(0, draw.between(-0.5, 0.6)), 0)
    bald = masculine & (draw.between(0, 1) > 0.85)
    hair_length = np.where(masculine, draw.between(0, 0.25), draw.between(0.2, 1))
    fringe = draw.between(0, 1) > 0.75
    hairline = np.where(fringe, draw.between(-0.66, -0.55), draw.between(-1.15, -0.9))

    backdrop = _muted(draw, 0.05, 0.35, 0.3, 0.85)
    azimuth, elevation = draw.between(-0.75, 0.75), draw.between(0.2, 0.8)
    light = [np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    identity = Identity(
        **geometry,
        skin=np.clip(skin, 0, 1),
        lips=np.clip(lips, 0, 1),
        iris=iris,
        hair=hair,
        beard=beard,
        hair_coverage=np.where(bald, 0.0, 1.0),
        hair_length=hair_length,
        hairline=hairline,
        hair_part=draw.between(-0.3, 0.3),
        background=np.stack([backdrop, np.clip(backdrop * draw.between(0.6, 1.3)[:, None], 0, 1)], axis=1),
        background_angle=draw.between(0, 2 * np.pi),
        clothes=_muted(draw, 0.1, 0.6, 0.12, 0.8),
        neckline=draw.between(1.7, 1.95),
        light=np.stack(light, axis=1),
    )
    return Identity(*(np.asarray(field, np.float32) for field in identity))


def sample_poses(seed: int | Sequence[int], indices: Sequence[int]) -> Pose:
    """Draws the poses of `indices`; arguments and errors are those of `sample_identities`."""
    draw = _Draws(_POSE_STREAM, seed, indices)
    degrees = np.pi / 180
    pose = Pose(
        yaw=draw.between(-35, 35) * degrees,
        pitch=draw.between(-15, 15, draws=2) * degrees,
        roll=draw.between(-15, 15, draws=2) * degrees,
        shift_x=draw.between(-0.06, 0.06),
        shift_y=draw.between(-0.06, 0.06),
        scale=draw.between(0.95, 1.05),
        jaw=np.maximum(0, draw.between(-0.7, 1)),  # closed in two of five
        smile=draw.between(-0.5, 1),
        brow_raise=draw.between(-1, 1, draws=2),
        brow_frown=np.maximum(0, draw.between(-1, 1)),
        blink=np.maximum(0, 3.5 * draw.between(0, 1) - 2.5) + draw.between(0, 0.25),
    )
    pose = pose._replace(blink=np.minimum(pose.blink, 1))
    return Pose(*(np.asarray(field, np.float32) for field in pose))


class _Draws:
    """A stream of uniform numbers for each item, consumed column by column."""

    def __init__(self, stream: int, seed: int | Sequence[int], indices: Sequence[int]):
        keys = [(int(s), int(i)) for s, i in zip(np.broadcast_to(seed, len(indices)), indices, strict=True)]
        for key in keys:
            if min(key) < 0:
                raise ValueError(f"seed and index must not be negative, got seed {key[0]}, index {key[1]}")
        uniforms = [np.random.default_rng((stream, *key)).random(_UNIFORMS_PER_ITEM) for key in keys]
        self._uniforms = np.reshape(uniforms, (len(keys), _UNIFORMS_PER_ITEM))
        self._next = 0

    def between(self, low: float, high: float, draws: int = 1) -> np.ndarray:
        """Values [N] in [low, high): uniform, or the mean of several draws, which peaks in the middle."""
        columns = self._uniforms[:, self._next : self._next + draws]
        self._next += draws
        return low + (high - low) * columns.mean(axis=1)

    def colour(self) -> np.ndarray:
        """Uniform values [N, 3] in [0, 1)."""
        return np.stack([self.between(0, 1) for _ in range(3)], axis=1)


def _blend(palette: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Colours [N, 3] in [0, 1], interpolated in a palette of 8-bit colours at `position` (0: first, 1: last)."""
    stops = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(position, stops, channel) for channel in palette.T / 255], axis=1)


def _muted(draw: _Draws, low_saturation: float, high_saturation: float, dark: float, bright: float) -> np.ndarray:
    """Colours [N, 3] of any hue, with saturation and brightness in the given ranges."""
    hue, saturation = draw.between(0, 1), draw.between(low_saturation, high_saturation)
    value = draw.between(dark, bright)
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue[:, None] + np.array([0, 1 / 3, 2 / 3])))
    return value[:, None] * (1 - saturation[:, None] * wheel)
