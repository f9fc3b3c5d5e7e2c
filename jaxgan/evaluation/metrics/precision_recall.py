"""Improved precision and recall of generated images, on features (Kynkäänniemi et al. 2019, equations 1 and 2)."""

from collections.abc import Iterator

import numpy as np

from jaxgan.evaluation.metrics.features import checked_pair

BLOCK = 1 << 24  # distances in a block, 128 MiB; two blocks are held at once


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Share of `generated` [M, D] within the manifold of `real` [N, D], and share of `real` within that of `generated`.

    A set's manifold is the union of the balls around its features, each as large as the distance to the k-th nearest other
    feature of the set; the border belongs to it. Precision tells how many generated images look real, recall how much of
    reality is generated. Both grow with k and shrink with larger sets, so only figures of the same N, M and k compare.

    Distances are taken in float64 from matrix products, in blocks of at most BLOCK, however large N and M are. They are known
    up to rounding, and a feature that far beyond a border still counts as on it: copies of a feature are at distance 0.

    Returns:
      (precision, recall), both in [0, 1].

    Raises:
      ValueError: not two sets of finite features of the same D, or a set with no k-th neighbour (not more than k features).
    """
    if k < 1:
        raise ValueError(f"precision and recall need a neighbour, got k={k}")
    real, generated = checked_pair(real, generated, least=k + 1)
    # Small numbers lose less to rounding in |x|^2 + |y|^2 - 2 x.y; what a float32 is shifted by is one, to keep it exact.
    middle = real.mean(axis=0).astype(np.float32)
    real, generated = real - middle, generated - middle
    real_reach, generated_reach = _squared_reach(real, k), _squared_reach(generated, k)
    is_precise, is_recalled = np.zeros(len(generated), bool), np.zeros(len(real), bool)
    # The roundings of D products make a random walk; eight times that, against the lengths.
    tolerance = 8 * np.sqrt(real.shape[1]) * np.finfo(np.float64).eps
    for rows, squared in _blocks(real, generated, tolerance):
        is_precise |= np.any(squared <= real_reach[rows, None], axis=0)
        is_recalled[rows] = np.any(squared <= generated_reach, axis=1)
    return float(is_precise.mean()), float(is_recalled.mean())


def _blocks(x: np.ndarray, y: np.ndarray, tolerance: float = 0.0) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows of x [N, D] and their squared distances to all of y [M, D], less `tolerance` times both squared lengths."""
    x_lengths, y_lengths = ((1 - tolerance) * np.einsum("nd,nd->n", points, points) for points in (x, y))
    step = max(1, BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        squared = x[rows] @ y.T
        squared *= -2.0
        squared += x_lengths[rows, None]
        squared += y_lengths
        yield rows, squared


def _squared_reach(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance [N] of each feature [N, D] to its k-th nearest other one."""
    reach = np.empty(len(features))
    for rows, squared in _blocks(features, features):
        np.fill_diagonal(squared[:, rows], np.inf)
        squared.partition(k - 1, axis=1)
        reach[rows] = squared[:, k - 1]
    return reach
