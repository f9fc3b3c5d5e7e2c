"""Putting an edited crop back into its photograph.

A crop of 64 pixels would blur the photograph, so its detail is kept, and only the change is taken from the generator:

    out = warp(photo) + M (warp(up(edited)) - warp(up(unedited))),

where each warp moves the landmarks of its picture to where they are wanted: renderings follow most of the way, and a warp the
rest. The soft mask M is zero at the crops' borders. No edit is no change.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from jaxgan.data.crops import Crop
from jaxgan.data.landmarks import LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from jaxgan.data.shape import place
from jaxgan.photos.warp import Warp

WORKING_SIDE = 320  # px, at most, of what comes from the generator and of the mask
REACH = 3.05  # spreads of the landmarks: how far the part that is warped reaches from a crop's centre, for hair and neck
CHIN = 8  # number of its landmark
CROWN, CROWN_SHARE = 0.75, 0.5  # height above the brows, of the distance from brows to chin; share of the motion
FOREHEAD = 0.45  # the same for the end of the mask
# How much of the change of the rendering is added to the warped photograph outside of the lips. The warp keeps the person,
# the rendering knows light and what turns into view; docs/photos.md has the measurements.
GAIN = 0.5
FEATHER = 0.35  # of the distance between the eyes
BORDER = 0.12  # of the crop's side: over which the mask falls to zero
STRIP = 256  # rows blended at once, to bound memory


class Rendering(NamedTuple):
    """A picture of the generator, and where it lies in the photograph."""

    image: np.ndarray  # uint8 [R, R, 3]
    crop: Crop
    keypoints: np.ndarray  # [68, 2], of the face in it, in pixels of the photograph


def paste(photo: np.ndarray, keypoints: np.ndarray, wanted: np.ndarray, unedited: Rendering, edited: Rendering) -> np.ndarray:
    """A copy of a photograph uint8 [H, W, 3] with the change from `unedited` to `edited`.

    Args:
      photo: the photograph.
      keypoints: [68, 2] of the face in it, in its pixels.
      wanted: [68, 2], where they are to lie.
      unedited: the generator's picture of the face as it is.
      edited: the same of the face as it is to be.
    """
    left, top, right, bottom = _region(photo.shape, keypoints, unedited.crop, edited.crop)
    made = photo.copy()
    if right - left < 2 or bottom - top < 2:
        return made
    part = photo[top:bottom, left:right]
    height, width = part.shape[:2]
    corner, size = np.array([left, top]), np.array([width, height])
    scale = min(1.0, WORKING_SIDE / max(width, height))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))

    def warp(points: np.ndarray) -> Warp:
        start, end = (np.concatenate([each, _crown(each)]) for each in (points, wanted))
        end[len(points) :] = start[len(points) :] + CROWN_SHARE * (end - start)[len(points) :]
        return Warp((start - corner) / size, (end - corner) / size)

    before, after = (warp(each.keypoints).apply(_placed(each, corner, size, small)) for each in (unedited, edited))
    mask = _mask([keypoints, wanted], [unedited.crop, edited.crop], corner, size, small)
    change = after.astype(np.float32) - before.astype(np.float32)
    ring = mask * (1 - mask)
    if ring.sum() > 0:  # a difference of colour at the seam would show as an edge
        change -= (ring[..., None] * change).sum(axis=(0, 1)) / ring.sum()
    mask = mask * (GAIN + (1 - GAIN) * _lips(wanted, corner, size, small))
    channels = [Image.fromarray(np.ascontiguousarray(each)) for each in np.moveaxis(mask[..., None] * change, -1, 0)]
    warped = warp(keypoints).apply(part)
    target = made[top:bottom, left:right]
    for start in range(0, height, STRIP):
        stop = min(start + STRIP, height)
        box = (0, start * small[1] / height, small[0], stop * small[1] / height)
        added = [np.asarray(each.resize((width, stop - start), Image.Resampling.BILINEAR, box)) for each in channels]
        rows = slice(start, stop)
        target[rows] = np.clip(warped[rows] + np.stack(added, axis=-1) + 0.5, 0, 255).astype(np.uint8)
    return made


def _crown(points: np.ndarray) -> np.ndarray:
    """Points [10, 2] of the top of the head, above the brows of landmarks [68, 2]."""
    brows = np.concatenate([points[RIGHT_BROW], points[LEFT_BROW]])
    return brows + CROWN * (brows.mean(axis=0) - points[CHIN])


def _region(shape: tuple[int, ...], keypoints: np.ndarray, *crops: Crop) -> tuple[int, int, int, int]:
    """The box of a photograph that holds all crops and what is around the face: left, top, right, bottom."""
    reach = REACH * float(place(keypoints)[1])
    corners = []
    for crop in crops:  # FFHQ's hold more of the surroundings than others
        share = max(0.5, reach / crop.side)
        ends = (0.5 - share, 0.5 + share)
        corners.append(crop.restore(np.array([(x, y) for x in ends for y in ends]), 1))
    corners = np.concatenate(corners)
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


def _lips(points: np.ndarray, corner: np.ndarray, size: np.ndarray, small: tuple[int, int]) -> np.ndarray:
    """A soft mask float32 [h, w] of the lips, where nothing but the rendering knows what is behind them."""
    mask, scale = Image.new("L", small, 0), float(small[0] / size[0])
    ImageDraw.Draw(mask).polygon([tuple(map(float, point)) for point in (points[OUTER_LIPS] - corner) * scale], fill=255)
    reach = float(np.hypot(*(points[48] - points[54]))) * scale
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(0.08 * reach)), np.float32) / 255


def _mask(
    faces: list[np.ndarray], crops: list[Crop], corner: np.ndarray, size: np.ndarray, small: tuple[int, int]
) -> np.ndarray:
    """The soft mask float32 [h, w]: 1 on the faces and their foreheads, 0 at the borders of the crops."""
    mask = Image.new("L", small, 0)
    draw = ImageDraw.Draw(mask)
    scale = float(small[0] / size[0])
    for points in faces:
        brows = np.concatenate([points[RIGHT_BROW], points[LEFT_BROW]])
        forehead = brows + FOREHEAD * (brows.mean(axis=0) - points[CHIN])
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
