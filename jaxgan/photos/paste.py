"""Putting an edited crop back into its photograph.

A crop of 64 pixels would blur the photograph, so its detail is kept, and only the change is taken from the generator:

    out = (1 - M) photo + M (warp(photo) + up(edited) - warp(up(unedited))),

where the warp moves the face's landmarks from where they are in the unedited rendering to where they are in the edited one, and
the soft mask M is zero at the crops' borders. No edit is no change.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from jaxgan.data.crops import Crop
from jaxgan.data.landmarks import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from jaxgan.photos.warp import Warp

WORKING_SIDE = 512  # px, at most, of what comes from the generator and of the mask
FOREHEAD = 0.45  # height of the forehead, of the distance from brows to chin
FEATHER = 0.35  # of the distance between the eyes
BORDER = 0.12  # of the crop's side: over which the mask falls to zero
STRIP = 256  # rows blended at once, to bound memory


class Rendering(NamedTuple):
    """A picture of the generator, and where it lies in the photograph."""

    image: np.ndarray  # uint8 [R, R, 3]
    crop: Crop
    keypoints: np.ndarray  # [68, 2], of the face in it, in pixels of the photograph


def paste(photo: np.ndarray, keypoints: np.ndarray, unedited: Rendering, edited: Rendering) -> np.ndarray:
    """A copy of a photograph uint8 [H, W, 3] with the change from `unedited` to `edited`.

    Args:
      photo: the photograph.
      keypoints: [68, 2] of the face in it, in its pixels.
      unedited: the generator's picture of the face as it is.
      edited: the same of the face as it is to be.
    """
    left, top, right, bottom = _region(photo.shape, unedited.crop, edited.crop)
    made = photo.copy()
    if right - left < 2 or bottom - top < 2:
        return made
    part = photo[top:bottom, left:right]
    height, width = part.shape[:2]
    corner, size = np.array([left, top]), np.array([width, height])
    scale = min(1.0, WORKING_SIDE / max(width, height))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    moved = keypoints + edited.keypoints - unedited.keypoints
    warp = Warp((keypoints - corner) / size, (moved - corner) / size)
    before, after = (_placed(each, corner, size, small) for each in (unedited, edited))
    mask = _mask([keypoints, moved], [unedited.crop, edited.crop], corner, size, small)
    change = after.astype(np.float32) - warp.apply(before).astype(np.float32)
    ring = mask * (1 - mask)
    if ring.sum() > 0:  # a difference of colour at the seam would show as an edge
        change -= (ring[..., None] * change).sum(axis=(0, 1)) / ring.sum()
    channels = [Image.fromarray(np.ascontiguousarray(each)) for each in (*np.moveaxis(change, -1, 0), mask)]
    warped = warp.apply(part)
    target = made[top:bottom, left:right]
    for start in range(0, height, STRIP):
        stop = min(start + STRIP, height)
        box = (0, start * small[1] / height, small[0], stop * small[1] / height)
        *changed, share = (np.asarray(each.resize((width, stop - start), Image.Resampling.BILINEAR, box)) for each in channels)
        rows = slice(start, stop)
        there = part[rows].astype(np.float32)
        wanted = warped[rows] + np.stack(changed, axis=-1)
        target[rows] = np.clip(there + share[..., None] * (wanted - there) + 0.5, 0, 255).astype(np.uint8)
    return made


def _region(shape: tuple[int, ...], *crops: Crop) -> tuple[int, int, int, int]:
    """The box of a photograph that holds all crops: left, top, right, bottom."""
    corners = np.concatenate([crop.restore(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32), 1) for crop in crops])
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    left, top = np.maximum(low, 0).astype(int)
    right, bottom = np.minimum(high, [shape[1], shape[0]]).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _placed(rendering: Rendering, corner: np.ndarray, size: np.ndarray, small: tuple[int, int]) -> np.ndarray:
    """A rendering where it lies in the region, uint8 [h, w, 3]."""
    side = len(rendering.image)
    pad = side // 8  # bicubic sampling looks beyond the border
    image = Image.fromarray(np.pad(rendering.image, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    unit = rendering.crop.move(corner + size / small * np.array([[0, 0], [1, 0], [0, 1]]), side).astype(np.float64) + pad
    origin, along, down = unit[0], unit[1] - unit[0], unit[2] - unit[0]
    data = (along[0], down[0], origin[0], along[1], down[1], origin[1])
    return np.asarray(image.transform(small, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC))


def _mask(
    faces: list[np.ndarray], crops: list[Crop], corner: np.ndarray, size: np.ndarray, small: tuple[int, int]
) -> np.ndarray:
    """The soft mask float32 [h, w]: 1 on the faces and their foreheads, 0 at the borders of the crops."""
    mask = Image.new("L", small, 0)
    draw = ImageDraw.Draw(mask)
    scale = float(small[0] / size[0])
    for points in faces:
        brows = np.concatenate([points[RIGHT_BROW], points[LEFT_BROW]])
        forehead = brows + FOREHEAD * (brows.mean(axis=0) - points[8])
        outline = np.concatenate([points[:17], forehead[::-1]])
        draw.polygon([tuple(map(float, point)) for point in (outline - corner) * scale], fill=255)
    eyes = faces[0][RIGHT_EYE].mean(axis=0) - faces[0][LEFT_EYE].mean(axis=0)
    reach = FEATHER * float(np.hypot(*eyes)) * scale
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(reach / 2)), np.float32) / 255
    soft = np.clip((soft - 0.02) / 0.6, 0, 1)  # reaches a little beyond the outline, and ends
    rows, columns = np.meshgrid(np.arange(small[1]) + 0.5, np.arange(small[0]) + 0.5, indexing="ij")
    places = corner + np.stack([columns, rows], axis=-1) / scale
    for crop in crops:
        inside = crop.move(places, 1)
        edge = np.clip(np.minimum(inside, 1 - inside).min(axis=-1) / BORDER, 0, 1)
        soft = soft * (edge * edge * (3 - 2 * edge))
    return soft.astype(np.float32)
