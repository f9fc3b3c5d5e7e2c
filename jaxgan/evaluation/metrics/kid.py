"""The kernel inception distance between two sets of features."""

import numpy as np

from jaxgan.evaluation.metrics.features import checked_pair

BLOCK = 1024  # maximum number of rows of a kernel matrix held at once


def kernel_distance(
    a: np.ndarray, b: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy under the kernel (x.y / D + 1)^3, and its deviation.

    The estimate is unbiased: it is comparable between sets of any size, and may be below 0 if the two are alike. It is the
    mean over `subsets` draws, whose standard deviation, which is commonly published with it, describes a single draw. Draws
    that make up a large part of a set understate it.

    If neither set exceeds `subset_size`, there is one estimate from all features, and the deviation is its standard error by
    the jackknife: NaN if a set has two features, from which none can be left out.

    Args:
      a: features [N, D].
      b: features [M, D].
      subsets: number of draws.
      subset_size: features drawn from each set without replacement, or as many as the smaller set has.
      seed: determines the draws.

    Returns:
      (estimate, deviation), both in units of the kernel, often reported times 1,000.

    Raises:
      ValueError: a set is not [N, D], has fewer than two features or one that is not finite; the sets differ in D; subsets is
        below 1; or subset_size is below 2.

    References:
      Bińkowski et al., Demystifying MMD GANs, 2018, section 4.
      Efron and Stein, The jackknife estimate of variance, 1981.
    """
    if subsets < 1 or subset_size < 2:
        raise ValueError(f"kernel distance needs a subset of two features, got {subsets} subsets of {subset_size}")
    a, b = checked_pair(a, b)
    if max(len(a), len(b)) <= subset_size:
        return _whole(a, b)
    size = min(len(a), len(b), subset_size)
    draws_a, draws_b = draw_subsets(len(a), len(b), subsets, size, seed)
    all_pairs = len(a) ** 2 + len(b) ** 2 + len(a) * len(b)
    if all_pairs * (1 + subsets / a.shape[1]) <= 3 * subsets * size**2:  # with so much overlap, all pairs cost less
        estimates = _estimates(a, b, _membership(draws_a, len(a)), _membership(draws_b, len(b)))
    else:
        everything = np.ones((1, size))
        pairs = zip(draws_a, draws_b, strict=True)
        estimates = np.concatenate([_estimates(a[in_a], b[in_b], everything, everything) for in_a, in_b in pairs])
    return float(estimates.mean()), float(estimates.std(ddof=1)) if subsets > 1 else float("nan")


def draw_subsets(count_a: int, count_b: int, subsets: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows of each set in every subset, two arrays [subsets, size]; a subset holds a row at most once."""
    rng = np.random.default_rng(seed)
    draws = [[rng.choice(count, size, replace=False) for count in (count_a, count_b)] for _ in range(subsets)]
    in_a, in_b = zip(*draws, strict=True)
    return np.stack(in_a), np.stack(in_b)


def _membership(draws: np.ndarray, count: int) -> np.ndarray:
    """[subsets, count], 1 if the row is in the subset and 0 otherwise."""
    member = np.zeros((len(draws), count))
    np.put_along_axis(member, draws, 1.0, axis=1)
    return member


def _kernel_sums(x: np.ndarray, y: np.ndarray, in_y: np.ndarray) -> np.ndarray:
    """Kernel of each x [N, D] summed over each subset in_y [S, M] of y [M, D]: [S, N]; no feature is paired with itself."""
    sums = np.empty((len(in_y), len(x)))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        base = x[rows] @ y.T
        base /= x.shape[1]
        base += 1.0
        kernel = base * base  # a power costs ten times as much as two products
        kernel *= base
        if x is y:
            np.fill_diagonal(kernel[:, rows], 0.0)
        sums[:, rows] = in_y @ kernel.T
    return sums


def _estimates(a: np.ndarray, b: np.ndarray, in_a: np.ndarray, in_b: np.ndarray) -> np.ndarray:
    """Unbiased estimate [S] from each pair of subsets [S, N] and [S, M] (Gretton et al. 2012, equation 3)."""
    n, m = in_a.sum(axis=1), in_b.sum(axis=1)
    within_a = np.sum(_kernel_sums(a, a, in_a) * in_a, axis=1) / (n * (n - 1))
    within_b = np.sum(_kernel_sums(b, b, in_b) * in_b, axis=1) / (m * (m - 1))
    return within_a + within_b - 2 * np.sum(_kernel_sums(a, b, in_b) * in_a, axis=1) / (n * m)


def _whole(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The estimate from all features and its standard error, obtained by leaving out each feature in turn."""
    n, m = len(a), len(b)
    all_a, all_b = np.ones((1, n)), np.ones((1, m))
    aa, bb = _kernel_sums(a, a, all_a)[0], _kernel_sums(b, b, all_b)[0]
    ab, ba = _kernel_sums(a, b, all_b)[0], _kernel_sums(b, a, all_a)[0]
    within_a, within_b, across = aa.sum() / (n * (n - 1)), bb.sum() / (m * (m - 1)), ab.sum() / (n * m)
    estimate = float(within_a + within_b - 2 * across)
    if min(n, m) < 3:
        return estimate, float("nan")
    without_a = (aa.sum() - 2 * aa) / ((n - 1) * (n - 2)) + within_b - 2 * (ab.sum() - ab) / ((n - 1) * m)
    without_b = (bb.sum() - 2 * bb) / ((m - 1) * (m - 2)) + within_a - 2 * (ba.sum() - ba) / ((m - 1) * n)
    return estimate, float(np.sqrt((n - 1) * without_a.var() + (m - 1) * without_b.var()))
