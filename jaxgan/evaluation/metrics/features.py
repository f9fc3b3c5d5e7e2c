"""Features of sets of pictures, which distances between distributions read: validation, and a cache on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.runtime import atomic_write


def checked(features: np.ndarray, least: int = 2) -> np.ndarray:
    """Features [N, D] as float64.

    Args:
      features: [N, D].
      least: smallest N allowed.

    Raises:
      ValueError: the shape is not [N, D], N is below `least`, or a value is not finite.
    """
    if features.ndim != 2 or len(features) < least:
        raise ValueError(f"features must be [N, D] with N of at least {least}, got {list(features.shape)}")
    features = features.astype(np.float64)
    if not np.isfinite(features).all():
        raise ValueError("features contain NaN or infinity")
    return features


def checked_pair(a: np.ndarray, b: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features, [N, D] and [M, D], as float64.

    Raises:
      ValueError: as for `checked`, or the sets differ in D.
    """
    a, b = checked(a, least), checked(b, least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"the two sets have {a.shape[1]} and {b.shape[1]} features")
    return a, b


def cached(folder: Path | None, images: np.ndarray, describe: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """describe(images), read from disk if the same images have been described before.

    Args:
      folder: holds the features of one network, in files named by a digest of the pixels; None computes them every time.
      images: uint8 [N, R, R, 3].
      describe: maps images to features [N, D].

    Returns:
      Features [N, D].
    """
    if folder is None:
        return describe(images)
    digest = hashlib.sha256(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()[:32]
    path = folder / f"{digest}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    found = describe(images)
    with atomic_write(path) as file:
        np.save(file, found, allow_pickle=False)
    return found
