"""Two sets of features that a distance compares: what is asked of them."""

import numpy as np


def checked(features: np.ndarray, least: int = 2) -> np.ndarray:
    """Features [N, D] as float64.

    Raises:
      ValueError: another shape, fewer than `least` rows, or values that are not finite.
    """
    if features.ndim != 2 or len(features) < least:
        raise ValueError(f"features must be [N, D] with N of at least {least}, got {list(features.shape)}")
    features = features.astype(np.float64)
    if not np.isfinite(features).all():
        raise ValueError("features hold NaN or infinity")
    return features


def checked_pair(a: np.ndarray, b: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two sets [N, D] and [M, D] as float64; ValueError as from `checked`, or where they have different D."""
    a, b = checked(a, least), checked(b, least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"the two sets have {a.shape[1]} and {b.shape[1]} features")
    return a, b
