"""The 68 landmarks of iBUG 300-W: their parts and their mirror image.

Right and left are the subject's: the right eye lies on the left of the picture.
"""

import numpy as np

NUM_LANDMARKS = 68

JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
MOUTH_CORNERS = (48, 54)
INNER_LIPS = slice(60, 68)

# MIRROR_INDEX[i] is the landmark that takes the place of landmark i in a mirrored portrait.
MIRROR_INDEX = np.array(
    [
        *(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
        *(26, 25, 24, 23, 22),
        *(21, 20, 19, 18, 17),
        *(27, 28, 29, 30),
        *(35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46),
        *(39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ],
    np.int32,
)


def mirror_images(images: np.ndarray) -> np.ndarray:
    """Mirrors images [..., H, W, C] left to right."""
    return images[..., ::-1, :]


def mirror_keypoints(keypoints: np.ndarray, width: int) -> np.ndarray:
    """Mirrors keypoints [..., 68, 2] of images `width` pixels wide: x becomes width - x, left and right are swapped."""
    swapped = keypoints[..., MIRROR_INDEX, :]
    return np.stack([np.float32(width) - swapped[..., 0], swapped[..., 1]], axis=-1)
