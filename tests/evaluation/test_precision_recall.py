"""Improved precision and recall against plain loops, scikit-learn and known cases."""

import tracemalloc

import numpy as np
import pytest

from jaxgan.evaluation.metrics import precision_recall as module
from jaxgan.evaluation.metrics.precision_recall import precision_recall


def looped(real, generated, k):
    """Both shares, pair by pair, from differences of features."""

    def covered(points, centres):
        reach = [sorted(np.linalg.norm(c - d) for j, d in enumerate(centres) if j != i)[k - 1] for i, c in enumerate(centres)]
        hits = [any(np.linalg.norm(p - c) <= r for c, r in zip(centres, reach, strict=True)) for p in points]
        return np.mean(hits)

    return covered(generated, real), covered(real, generated)


def features(seed, n, m, size, shift=0.4, scale=0.8):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, size), np.float32), (shift + scale * rng.standard_normal((m, size))).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [1, 200, 1 << 24])
def test_matches_loops(monkeypatch, k, block):
    monkeypatch.setattr(module, "BLOCK", block)
    real, generated = features(0, 60, 45, 5, shift=1.0)
    found = precision_recall(real, generated, k)
    assert found == pytest.approx(looped(real.astype(np.float64), generated.astype(np.float64), k), abs=1e-12)
    assert 0.1 < found[1] < found[0] < 1


def test_matches_scikit_learn():
    neighbours = pytest.importorskip("sklearn.neighbors")
    real, generated = features(1, 400, 300, 16, scale=0.9)

    def covered(points, centres):
        tree = neighbours.NearestNeighbors(n_neighbors=3, algorithm="kd_tree").fit(centres.astype(np.float64))
        reach = tree.kneighbors()[0][:, -1]
        distances = np.linalg.norm(points[:, None].astype(np.float64) - centres[None].astype(np.float64), axis=-1)
        return np.mean(np.any(distances <= reach, axis=1))

    assert precision_recall(real, generated) == (covered(generated, real), covered(real, generated))


def test_a_set_covers_itself_and_not_one_far_away():
    real, _ = features(2, 50, 4, 8)
    assert precision_recall(real, real[::-1]) == (1.0, 1.0)
    assert precision_recall(real, real + np.float32(100)) == (0.0, 0.0)


def test_the_two_tell_quality_from_variety():
    rng = np.random.default_rng(3)
    real = rng.standard_normal((300, 2))
    narrow, wide = 0.2 * rng.standard_normal((300, 2)), 5 * rng.standard_normal((300, 2))
    precision, recall = precision_recall(real, narrow)
    assert precision > 0.95 and recall < 0.3
    precision, recall = precision_recall(real, wide)
    assert precision < 0.3 and recall > 0.95


@pytest.mark.parametrize("k", [1, 2, 3])
def test_borders_belong_to_the_balls(k):
    """On a line, radii 1 (k = 1), 2, 1, 1, 2 (k = 2) and 3, 2, 2, 3 (k = 3) reach one more feature for each k."""
    real = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert precision_recall(real, real + 4, k) == (k / 4, k / 4)
    assert precision_recall(real, real + 4 + 1e-9, k) == ((k - 1) / 4, (k - 1) / 4)


def test_copies_lie_on_the_border_of_a_ball_without_extent(monkeypatch):
    """The third neighbour of four equal features is at distance 0, so their ball covers copies and nothing else.

    Distances within a set come from products of several rows and those between sets from single rows, which round differently.
    """
    monkeypatch.setattr(module, "BLOCK", 239)
    rng = np.random.default_rng(4)
    points = (50 + 10 * rng.standard_normal((12, 2048))).astype(np.float32)
    real = np.repeat(points, 4, axis=0)
    assert precision_recall(real, np.repeat(points[::-1], 20, axis=0)) == (1.0, 1.0)
    assert precision_recall(real, real + np.float32(1e-3)) == (0.0, 0.0)


def test_an_offset_changes_nothing():
    real, generated = (np.round(x.astype(np.float64) * 64) / 64 for x in features(5, 80, 70, 3))
    far = 2.0**30  # whose square leaves a float64 no digits for the differences
    assert precision_recall(real + far, generated + far) == precision_recall(real, generated)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 1 << 16)
    real, generated = features(6, 2500, 2500, 2)
    tracemalloc.start()
    try:
        precision_recall(real, generated)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 8 * (1 << 16)  # 1.6 MB; all distances of one pair of sets take 50 MB


@pytest.mark.parametrize(
    ("real", "generated", "k", "message"),
    [
        (np.zeros((3, 2)), np.zeros((9, 2)), 3, "at least 4"),
        (np.zeros((9, 2)), np.zeros((3, 2)), 3, "at least 4"),
        (np.zeros((9, 2)), np.zeros((9, 3)), 3, "2 and 3 features"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), 3, "NaN or infinity"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 0, "k=0"),
    ],
)
def test_bad_sets_are_refused(real, generated, k, message):
    with pytest.raises(ValueError, match=message):
        precision_recall(real, generated, k)
