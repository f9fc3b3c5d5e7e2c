"""The Fréchet distance between two sets of features, modelled as Gaussians."""

from typing import NamedTuple

import numpy as np

from jaxgan.evaluation.metrics.features import checked


class Gaussian(NamedTuple):
    """Mean float64 [D] and covariance float64 [D, D] of a set of features."""

    mean: np.ndarray
    covariance: np.ndarray


def fit(features: np.ndarray) -> Gaussian:
    """Mean and unbiased covariance of features [N, D].

    Raises:
      ValueError: the shape is not [N, D], N is below two, or a value is not finite.
    """
    features = checked(features)
    mean = features.mean(axis=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / (len(features) - 1))


def distance(a: Gaussian, b: Gaussian) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)) for covariances A and B, at least 0.

    tr (A B)^(1/2) is computed as the sum of the singular values of A^(1/2) B^(1/2): symmetric matrices of any rank have roots,
    whereas the asymmetric product A B may have none if there are fewer images than features.

    Raises:
      ValueError: the numbers of features differ.

    References:
      Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, 2017, equation 6.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"the two sets have {len(a.mean)} and {len(b.mean)} features")
    overlap = np.linalg.svd(_root(a.covariance) @ _root(b.covariance), compute_uv=False).sum()
    squared = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * overlap
    return max(float(squared), 0.0)


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semidefinite matrix, whose eigenvalues rounding may have made negative."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
