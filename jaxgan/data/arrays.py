"""Arrays and numbers that users pass, checked: what is wrong raises a ValueError of one line that names the argument."""

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxgan.data.images import to_rgb
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.errors import InputError


def as_portraits(images: Any, name: str = "image") -> Iterator[np.ndarray]:
    """Portraits one by one, uint8 [H, W, 3].

    Args:
      images: an array [N, H, W, 3] or [H, W, 3], or a sequence of [H, W, 3] of any sizes; uint8, or float in [-1, 1]. Pictures
        of Pillow are taken too, upright by their EXIF orientation and in sRGB.
      name: of one of them, in messages.
    """
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, np.ndarray | jax.Array):
        if images.ndim == 3:
            images = images[None]
        if images.ndim != 4 or (len(images) == 0 and images.shape[3] != 3):
            raise InputError(f"{name}s must be [N, H, W, 3] or [H, W, 3], got {list(images.shape)}")
    elif isinstance(images, str | bytes | Mapping) or not isinstance(images, Iterable):
        raise InputError(f"{name}s must be an array [N, H, W, 3] or a sequence of [H, W, 3], got {_kind(images)}")
    for index, image in enumerate(images):
        yield _as_portrait(image, f"{name} {index}")


def as_photo(photo: Any) -> np.ndarray:
    """A photograph uint8 [H, W, 3], or [H, W, 4] with transparency; taken as by `as_portraits`, or as uint8 [H, W, 4]."""
    if isinstance(photo, Image.Image):
        return to_rgb(photo, alpha=True)
    if isinstance(photo, np.ndarray) and photo.ndim == 3 and photo.shape[2] == 4 and photo.dtype == np.uint8 and photo.size:
        return photo
    return _as_portrait(photo, "photo")


def _as_portrait(image: Any, name: str) -> np.ndarray:
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if isinstance(image, str | bytes | os.PathLike) or image is None:
        raise InputError(f"{name} must be an array [H, W, 3], got {_kind(image)}")
    image = _as_array(image, name)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"{name} must be [H, W, 3] and not empty, got {list(image.shape)}")
    if image.dtype == np.uint8:
        return image
    if not jnp.issubdtype(image.dtype, np.floating):  # NumPy's own does not know bfloat16
        raise InputError(f"{name} must be uint8 or float, got {image.dtype}")
    if not (np.abs(image) <= 1.0).all():  # NaN too
        raise InputError(f"{name} is float and must lie in [-1, 1], got values outside")
    if (image >= 0.0).all():  # no pixel darker than mid-grey: there is no such photograph
        raise InputError(f"{name} is float and lies in [0, 1]; floats must lie in [-1, 1]: pass 2 * image - 1, or uint8")
    return np.round((image.astype(np.float32) + 1.0) * 127.5).astype(np.uint8)


def as_real(values: Any, name: str) -> np.ndarray:
    """Integers or floats of any shape as float32."""
    array = _as_array(values, name)
    if not (jnp.issubdtype(array.dtype, np.integer) or jnp.issubdtype(array.dtype, np.floating)):
        raise InputError(f"{name} must be integers or floats, got {array.dtype}")
    with np.errstate(over="ignore"):  # too large for float32: infinite
        return array.astype(np.float32)


def as_keypoints(keypoints: Any, count: int) -> np.ndarray:
    """Landmarks float32 [count, 68, 2] of as many, or of one [68, 2] for all."""
    keypoints, one = as_real(keypoints, "keypoints"), (NUM_LANDMARKS, 2)
    if keypoints.shape not in (one, (count, *one)):
        raise InputError(f"keypoints must be [{count}, 68, 2] or [68, 2], got {list(keypoints.shape)}")
    if not np.isfinite(keypoints).all():
        raise InputError("keypoints must be finite")
    return np.broadcast_to(keypoints, (count, *one))


def as_latents(latents: Any, shape: tuple[int, int]) -> np.ndarray:
    """Latents float32 [N, *shape]."""
    latents = as_real(latents, "latents")
    if latents.ndim != 3 or latents.shape[1:] != shape:
        raise InputError(f"latents must be [N, {shape[0]}, {shape[1]}], got {list(latents.shape)}")
    if not np.isfinite(latents).all():
        raise InputError("latents must be finite")
    return latents


def as_number(value: Any, name: str) -> float:
    """A finite number, within the range of float32."""
    try:
        number = as_real(value, name)
    except ValueError:
        number = np.float32(np.nan)
    if number.ndim or not np.isfinite(number):
        raise InputError(f"{name} must be a finite number, got {_kind(value)}")
    return float(number)


def as_count(value: Any, name: str) -> int:
    """A whole number from 0 on."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InputError(f"{name} must be a whole number, got {_kind(value)}")
    if number < 0:
        raise InputError(f"{name} must not be negative, got {number}")
    return number


def as_seeds(seeds: Any) -> list[int]:
    """Whole numbers from 0 on."""
    no_sequence = isinstance(seeds, str | bytes | Mapping) or not isinstance(seeds, Iterable)
    if no_sequence or getattr(seeds, "ndim", 1) == 0:  # an array is iterable to Python even where it is a number
        raise InputError(f"seeds must be a sequence of whole numbers, got {_kind(seeds)}")
    return [as_count(seed, f"seed {index}") for index, seed in enumerate(seeds)]


def as_box(box: Any, side: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in whole pixels, of a box that is not empty and lies within side x side pixels."""
    try:
        left, top, right, bottom = map(operator.index, box)
        if 0 <= left < right <= side and 0 <= top < bottom <= side:
            return left, top, right, bottom
    except (TypeError, ValueError):
        pass
    raise InputError(f"box must be (left, top, right, bottom) within {side}x{side} pixels and not empty, got {_kind(box)}")


def _as_array(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of different lengths, objects that only look like arrays
        raise InputError(f"{name} must be an array, got {_kind(values)}") from error


def _kind(value: Any) -> str:
    """Numbers and short tuples as they are, all else by its type: on one line in any case."""
    text = repr(value)
    plain = value is None or isinstance(value, bool | int | float | complex | str | tuple | list)
    return text if plain and len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
