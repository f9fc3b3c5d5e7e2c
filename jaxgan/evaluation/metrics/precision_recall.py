"""Improved precision and recall of generated images, computed on features."""

from collections.abc import Iterator

import numpy as np

from jaxgan.evaluation.metrics.features import checked_pair

BLOCK = 1 << 24  # maximum number of distances in a block, 128 MiB; two blocks are held at once


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Share of generated features within the manifold of real ones, and share of real ones within that of generated ones.

    The manifold of a set is the union of closed balls around its features, whose radii are the distances to the k-th nearest
    other feature of the set. Precision tells how many generated images look real, and recall how much of reality is
    generated. Both grow with k and shrink as sets grow, so only numbers for the same N, M and k are comparable.

    Distances come from float64 matrix products in blocks of at most BLOCK, whatever N and M. A feature beyond a border by no
    more than the rounding error counts as inside, so copies of a feature are at distance 0.

    Args:
      real: features [N, D].
      generated: features [M, D].
      k: which nearest neighbour sets the radius of a ball.

    Returns:
      (precision, recall), both in [0, 1].

    Raises:
      ValueError: a set is not [N, D], has at most k features or one that is not finite; the sets differ in D; or k is below 1.

    References:
      Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, 2019, equations 1 and 2.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got k={k}")
    real, generated = checked_pair(real, generated, least=k + 1)
    # |x|^2 + |y|^2 - 2 x.y loses fewer digits around 0; a float32 shift keeps float32 features exact.
    middle = real.mean(axis=0).astype(np.float32)
    real, generated = real - middle, generated - middle
    real_reach, generated_reach = _squared_reach(real, k), _squared_reach(generated, k)
    is_precise, is_recalled = np.zeros(len(generated), bool), np.zeros(len(real), bool)
    # The rounding errors of D products form a random walk; the tolerance is eight times its size, relative to the lengths.
    tolerance = 8 * np.sqrt(real.shape[1]) * np.finfo(np.float64).eps
    for rows, squared in _blocks(real, generated, tolerance):
        is_precise |= np.any(squared <= real_reach[rows, None], axis=0)
        is_recalled[rows] = np.any(squared <= generated_reach, axis=1)
    return float(is_precise.mean()), float(is_recalled.mean())


def _blocks(x: np.ndarray, y: np.ndarray, tolerance: float = 0.0) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields rows of x [N, D] and their squared distances to y [M, D], reduced by `tolerance` times both squared lengths."""
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
    """Squared distance [N] of each feature [N, D] to its k-th nearest neighbour."""
    reach = np.empty(len(features))
    for rows, squared in _blocks(features, features):
        np.fill_diagonal(squared[:, rows], np.inf)
        squared.partition(k - 1, axis=1)
        reach[rows] = squared[:, k - 1]
    return reach
