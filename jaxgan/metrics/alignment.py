"""Faces cut out of pictures, upright and centred by their landmarks."""

import numpy as np


def aligned_face(image: np.ndarray, keypoints: np.ndarray, size: int) -> np.ndarray:
    """The face uint8 [size, size, 3], upright and centred by its landmarks [68, 2] as dlib's networks were trained."""
    import dlib

    # dlib counts pixel centres as integers and takes whole ones only
    points = [dlib.point(int(x), int(y)) for x, y in np.rint(keypoints - 0.5)]
    height, width = image.shape[:2]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), points)
    return dlib.get_face_chip(np.ascontiguousarray(image), shape, size=size)
