"""What faces look like to their landmarks: the mean face, the roll of a head, and whether 68 points can be a face at all."""

import numpy as np

from jaxgan.errors import InputError

# Mean of 102 frontal photographs (Face Research Lab London Set, DeBruine & Jones 2017, CC BY 4.0) as dlib finds them, made
# symmetric; its centre is (0, 0) and the root mean square distance of its points to it 1.
# fmt: off
MEAN_FACE = np.array(
    [
        *((-1.32, -0.62), (-1.3, -0.27), (-1.25, 0.07), (-1.19, 0.41), (-1.09, 0.74), (-0.91, 1.02),
          (-0.66, 1.25), (-0.35, 1.41), (0, 1.46), (0.35, 1.41), (0.66, 1.25), (0.91, 1.02), (1.09, 0.74),
          (1.19, 0.41), (1.25, 0.07), (1.3, -0.27), (1.32, -0.62)),  # jaw
        *((-1.1, -0.91), (-0.95, -1.09), (-0.71, -1.16), (-0.46, -1.13), (-0.22, -1.05), (0.22, -1.05),
          (0.46, -1.13), (0.71, -1.16), (0.95, -1.09), (1.1, -0.91)),  # brows
        *((0, -0.77), (0, -0.56), (0, -0.34), (0, -0.12), (-0.25, 0.06), (-0.13, 0.1), (0, 0.14), (0.13, 0.1),
          (0.25, 0.06)),  # nose
        *((-0.81, -0.69), (-0.67, -0.79), (-0.5, -0.78), (-0.34, -0.67), (-0.51, -0.63), (-0.68, -0.63),
          (0.34, -0.67), (0.5, -0.78), (0.67, -0.79), (0.81, -0.69), (0.68, -0.63), (0.51, -0.63)),  # eyes
        *((-0.51, 0.53), (-0.32, 0.42), (-0.13, 0.37), (0, 0.4), (0.13, 0.37), (0.32, 0.42), (0.51, 0.53),
          (0.32, 0.68), (0.14, 0.73), (0, 0.75), (-0.14, 0.73), (-0.32, 0.68)),  # outer lips
        *((-0.42, 0.53), (-0.14, 0.5), (0, 0.51), (0.14, 0.5), (0.42, 0.53), (0.14, 0.56), (0, 0.57),
          (-0.14, 0.56)),  # inner lips
    ],
    np.float32,
)
# fmt: on
# Root mean square distance to the mean face, of its size, that no face has: of 2,300 found in photographs, profiles and open
# mouths included, the largest is 0.39. Points in another order have 0.9 and more.
MAX_DEVIATION = 0.6
MIN_SPAN = 2.0  # px
MIN_SHARE = 0.01  # of the picture's shorter side that a face spans


def place(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [..., 2] of keypoints [..., 68, 2], and their root mean square distance to it [...]."""
    centre = keypoints.mean(axis=-2)
    return centre, np.sqrt(((keypoints - centre[..., None, :]) ** 2).sum(axis=-1).mean(axis=-1))


def normalised(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints [..., 68, 2] around (0, 0), with a root mean square distance to it of 1, as MEAN_FACE has them."""
    centre, spread = place(keypoints)
    return (keypoints - centre[..., None, :]) / spread[..., None, None]


def turned(points: np.ndarray, radians: float | np.ndarray) -> np.ndarray:
    """Points [..., 2] (x, y) turned clockwise, as pictures show it, about (0, 0), by angles that broadcast to [...]."""
    cos, sin = np.cos(radians), np.sin(radians)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def fit_mean_face(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rotation that brings the mean face closest to landmarks, and how far they are from it then.

    Args:
      keypoints: [..., 68, 2], not all at one point.

    Returns:
      The roll of the head in degrees [...], positive where the picture has it tilted clockwise; and the root mean square
      distance to the turned and scaled mean face [...], as a share of the landmarks' own spread.
    """
    unit = normalised(keypoints)
    points, mean = unit[..., 0] + 1j * unit[..., 1], MEAN_FACE[:, 0] + 1j * MEAN_FACE[:, 1]
    turn = (points * mean.conj()).mean(axis=-1)  # least squares in the complex plane
    deviation = np.sqrt((np.abs(points - turn[..., None] * mean) ** 2).mean(axis=-1))
    return np.degrees(np.angle(turn)), deviation


def check_face(keypoints: np.ndarray, width: int, height: int) -> None:
    """Checks that landmarks [68, 2], in pixels, can be those of a face in a picture of that size.

    Raises:
      InputError: They cannot; the message says what was found and what is expected.
    """
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    span, middle = high - low, keypoints.mean(axis=0)
    if 0 < span.max() < max(MIN_SPAN, MIN_SHARE * min(width, height)):
        raise InputError(
            f"the landmarks span {span[0]:.2g} x {span[1]:.2g} px of a picture of {width}x{height} px: too small for a face; "
            "they must be in pixels of the picture, not shares of it"
        )
    if not (0 <= middle[0] < width and 0 <= middle[1] < height) or span.max() > 3 * max(width, height):
        raise InputError(
            f"the landmarks lie outside of the picture: x from {low[0]:.4g} to {high[0]:.4g} and y from {low[1]:.4g} to "
            f"{high[1]:.4g} px, in a picture of {width}x{height} px"
        )
    check_shape(keypoints)


def check_shape(keypoints: np.ndarray) -> None:
    """Checks that landmarks [68, 2], in pixels of any picture, can be those of a face.

    Raises:
      InputError: They cannot; the message says what was found and what is expected.
    """
    if np.ptp(keypoints, axis=0).max() == 0:
        raise InputError(f"all landmarks lie at one point, ({keypoints[0, 0]:.4g}, {keypoints[0, 1]:.4g})")
    _, deviation = fit_mean_face(keypoints)
    if deviation > MAX_DEVIATION:
        raise InputError(
            f"the landmarks do not form a face: they are {deviation:.2f} of their spread away from the mean face, and no face "
            f"is more than {MAX_DEVIATION} away; expected are the 68 points of iBUG 300-W, (x, y), in their order"
        )
