"""The Fréchet distance against the original implementation, closed forms and SciPy."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from jaxgan.evaluation.metrics.frechet import Gaussian, distance, fit

FIXTURES = Path(__file__).parents[3] / "shared" / "reference" / "feature_nets"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no parity fixtures at {FIXTURES}")


def random_covariance(rng, size, rank=None):
    factor = rng.standard_normal((size, rank or size))
    return factor @ factor.T / size


@needs_fixtures
def test_parity_with_pytorch_fid():
    with np.load(FIXTURES / "expected.npz") as archive:
        a, b, expected = archive["fd_a"], archive["fd_b"], float(archive["fd"])
    assert distance(fit(a), fit(b)) == pytest.approx(expected, rel=1e-6)


def test_mean_and_covariance_are_numpys():
    features = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    made = fit(features)
    np.testing.assert_allclose(made.mean, features.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(made.covariance, np.cov(features.astype(np.float64), rowvar=False))


def test_diagonal_gaussians_have_a_closed_form():
    rng = np.random.default_rng(1)
    means, deviations = rng.standard_normal((2, 40)), rng.uniform(0, 3, (2, 40))
    made = [Gaussian(mean, np.diag(deviation**2)) for mean, deviation in zip(means, deviations, strict=True)]
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    assert distance(*made) == pytest.approx(expected, rel=1e-12)


def test_full_gaussians_agree_with_scipys_matrix_square_root():
    rng = np.random.default_rng(2)
    a, b = (Gaussian(rng.standard_normal(30), random_covariance(rng, 30)) for _ in range(2))
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance).real
    expected = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance - 2 * root)
    assert distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_singular_covariances_of_a_common_subspace():
    """Rotating and padding with zeros changes nothing, though the product of the covariances then has no stable root."""
    rng = np.random.default_rng(3)
    small = [random_covariance(rng, 10) for _ in range(2)]
    rotation = np.linalg.qr(rng.standard_normal((200, 200)))[0][:, :10]
    large = [Gaussian(np.zeros(200), rotation @ covariance @ rotation.T) for covariance in small]
    expected = distance(*(Gaussian(np.zeros(10), covariance) for covariance in small))
    assert distance(*large) == pytest.approx(expected, rel=1e-6)


def test_a_set_is_at_distance_zero_from_itself_even_with_fewer_images_than_features():
    features = np.random.default_rng(4).standard_normal((20, 100))
    assert distance(fit(features), fit(features)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((1, 3)), "at least 2"),
        (np.zeros(5), r"must be \[N, D\]"),
        (np.full((4, 2), np.nan), "NaN or infinity"),
    ],
)
def test_bad_features_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        fit(features)


def test_sets_of_different_features_are_refused():
    with pytest.raises(ValueError, match="3 and 4 features"):
        distance(*(Gaussian(np.zeros(size), np.eye(size)) for size in (3, 4)))
