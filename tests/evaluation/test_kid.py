"""The kernel inception distance against plain loops and closed forms."""

import numpy as np
import pytest

from jaxgan.evaluation.metrics import kid
from jaxgan.evaluation.metrics.kid import draw_subsets, kernel_distance


def looped(a, b):
    """The unbiased estimate, pair by pair."""

    def kernel(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    within_a = np.mean([kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    return within_a + within_b - 2 * np.mean([kernel(x, y) for x in a for y in b])


def features(seed, count_a, count_b, size, shift=0.3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count_a, size), np.float32), shift + rng.standard_normal((count_b, size), np.float32)


def test_one_estimate_and_its_jackknife_match_loops(monkeypatch):
    monkeypatch.setattr(kid, "BLOCK", 5)  # several blocks, the last of them short
    a, b = features(0, 12, 9, 4)
    estimate, error = kernel_distance(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    assert estimate == pytest.approx(looped(a, b), rel=1e-12)
    without_a = np.array([looped(np.delete(a, i, axis=0), b) for i in range(12)])
    without_b = np.array([looped(a, np.delete(b, i, axis=0)) for i in range(9)])
    variance = sum((len(x) - 1) / len(x) * np.sum((x - x.mean()) ** 2) for x in (without_a, without_b))
    assert error == pytest.approx(np.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize(("count_a", "count_b", "subsets", "size"), [(14, 11, 40, 6), (40, 30, 3, 6), (20, 5, 3, 8)])
def test_subsets_match_loops(monkeypatch, count_a, count_b, subsets, size):
    """Covers the kernel of all pairs, the kernel of each subset, and subsets bounded by the smaller set."""
    calls, estimates = [], kid._estimates
    monkeypatch.setattr(kid, "_estimates", lambda *sets: calls.append(len(sets[0])) or estimates(*sets))
    a, b = features(1, count_a, count_b, 40)
    mean, deviation = kernel_distance(a, b, subsets, size, seed=7)
    size = min(size, count_b)
    assert calls == ([count_a] if subsets == 40 else subsets * [size])
    draws = zip(*draw_subsets(count_a, count_b, subsets, size, seed=7), strict=True)
    expected = [looped(a[in_a].astype(np.float64), b[in_b].astype(np.float64)) for in_a, in_b in draws]
    assert mean == pytest.approx(np.mean(expected), rel=1e-10)
    assert deviation == pytest.approx(np.std(expected, ddof=1), rel=1e-10)


def test_subsets_are_drawn_anew_without_replacement():
    draws = draw_subsets(9, 7, 50, 6, seed=0)
    for draw, count in zip(draws, (9, 7), strict=True):
        assert draw.shape == (50, 6) and all(len(set(rows)) == 6 for rows in draw)
        assert set(draw.ravel()) == set(range(count)) and len({tuple(sorted(rows)) for rows in draw}) > 5


def test_seed_fixes_the_subsets():
    a, b = features(2, 60, 50, 8)
    assert kernel_distance(a, b, 5, 20, seed=3) == kernel_distance(a, b, 5, 20, seed=3)
    assert kernel_distance(a, b, 5, 20, seed=3) != kernel_distance(a, b, 5, 20, seed=4)


def test_one_distribution_is_at_distance_zero_within_the_deviation():
    a, b = features(3, 500, 400, 32, shift=0.0)
    for subset_size in (1000, 100):
        mean, deviation = kernel_distance(a, b, 50, subset_size)
        moved, _ = kernel_distance(a, b + np.float32(0.5), 50, subset_size)
        assert abs(mean) < 2 * deviation < 0.1 * moved


def test_a_single_feature_compares_three_moments():
    """In one dimension the distance is 3 (m1 - m1')^2 + 3 (m2 - m2')^2 + (m3 - m3')^2 of the moments E x^n."""
    rng, repeats = np.random.default_rng(4), 3000

    def moments(mean, deviation):
        return np.array([mean, mean**2 + deviation**2, mean**3 + 3 * mean * deviation**2])

    expected = np.sum([3, 3, 1] * (moments(0.5, 0.4) - moments(0, 0.6)) ** 2)
    sets = rng.standard_normal((repeats, 2, 12, 1))
    found = np.array([kernel_distance(0.6 * a, 0.5 + 0.4 * b)[0] for a, b in sets])
    standard_error = found.std() / np.sqrt(repeats)
    assert abs(found.mean() - expected) < 3 * standard_error < 0.1 * expected  # unbiased, even from twelve
    large, error = kernel_distance(0.6 * rng.standard_normal((2000, 1)), rng.normal(0.5, 0.4, (2000, 1)), 1, 2000)
    assert abs(large - expected) < 3 * error < 0.3 * expected


def test_the_jackknife_tells_the_deviation_of_the_estimate():
    rng = np.random.default_rng(5)
    found = np.array([kernel_distance(a, 0.7 + b) for a, b in rng.standard_normal((400, 2, 60, 10))])
    assert np.sqrt(np.mean(found[:, 1] ** 2)) == pytest.approx(found[:, 0].std(), rel=0.15)


def test_copies_of_one_feature_each():
    x, y = np.array([1.0, 2.0, -1.0]), np.array([0.5, 0.0, 3.0])
    expected = (6 / 3 + 1) ** 3 + (9.25 / 3 + 1) ** 3 - 2 * (-2.5 / 3 + 1) ** 3
    assert kernel_distance(np.tile(x, (5, 1)), np.tile(y, (7, 1))) == (pytest.approx(expected), pytest.approx(0, abs=1e-12))


def test_deviation_is_nan_where_there_is_none():
    a, b = features(6, 20, 20, 3)
    assert np.isnan(kernel_distance(a[:2], b)[1]) and np.isfinite(kernel_distance(a[:3], b)[1])
    assert np.isnan(kernel_distance(a, b, 1, 10)[1])


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (np.zeros((1, 3)), np.zeros((4, 3)), {}, "at least 2"),
        (np.zeros((4, 3)), np.zeros(4), {}, r"must be \[N, D\]"),
        (np.zeros((4, 3)), np.full((4, 3), np.inf), {}, "NaN or infinity"),
        (np.zeros((4, 3)), np.zeros((4, 2)), {}, "3 and 2 features"),
        (np.zeros((4, 3)), np.zeros((4, 3)), {"subset_size": 1}, "100 subsets of 1"),
        (np.zeros((4, 3)), np.zeros((4, 3)), {"subsets": 0}, "0 subsets of 1000"),
    ],
)
def test_bad_sets_are_refused(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(a, b, **options)
