"""How well retargeted landmarks keep the source's bones and take the target's pose and expression.

    python benchmarks/retargeting.py
    python benchmarks/retargeting.py --data_dir data --dataset clips   # pairs of clips of a prepared dataset as well

Procedural faces have a true answer, the source's person in the target's pose; so have two frames of one clip. What is left of
the target's bones is measured by a ridge regression from landmarks to bones, on faces that it was not fitted to.
"""

import argparse
from collections.abc import Callable

import numpy as np

from jaxgan.data.landmarks import JAW
from jaxgan.data.records import load_labels, load_split
from jaxgan.data.shape import normalised, place
from jaxgan.evaluation.metrics.head import mouth_aspect_errors
from jaxgan.evaluation.metrics.nme import normalised_errors
from jaxgan.evaluation.metrics.pose import pose_errors
from jaxgan.evaluation.pairs import clip_pairs
from jaxgan.faces.fit import BONES
from jaxgan.faces.portraits import render, sample_identities, sample_poses
from jaxgan.faces.retarget import retarget

SIDE = 256  # pixels of the pictures that landmarks lie in
RIDGE = 10.0
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "target as it is": lambda source, target: target,
    "retargeted": retarget,
}


def probe(points: np.ndarray, bones: np.ndarray) -> float:
    """Mean share of the variance of bones [N, 17] that framed landmarks [N, 68, 2] explain, on the half not fitted to."""
    x, half = normalised(points).reshape(len(points), -1), len(points) // 2
    x, y = (each - each[:half].mean(axis=0) for each in (x, bones))
    x = x / x[:half].std(axis=0)
    weights = np.linalg.solve(x[:half].T @ x[:half] + RIDGE * np.eye(x.shape[1]), x[:half].T @ y[:half])
    left = ((y[half:] - x[half:] @ weights) ** 2).sum(axis=0)
    return float(np.mean(1 - left / ((y[half:] - y[half:].mean(axis=0)) ** 2).sum(axis=0)))


def jaw_error(points: np.ndarray, true: np.ndarray) -> float:
    """Mean difference of the width of the jaw to the size of the face, as a share."""
    width = [np.linalg.norm(each[:, JAW.start + 4] - each[:, JAW.stop - 5], axis=1) / place(each)[1] for each in (points, true)]
    return float(np.mean(np.abs(width[0] / width[1] - 1)))


def row(name: str, made: np.ndarray, true: np.ndarray, *more: str) -> str:
    made, true = (SIDE / 4 * normalised(each) + SIDE / 2 for each in (made, true))
    figures = [f"{normalised_errors(made, true).mean():.3f}", f"{pose_errors(made, true, SIDE).mean():.1f}"]
    figures += [f"{mouth_aspect_errors(made, true).mean():.3f}", f"{jaw_error(made, true):.1%}"]
    return f"| {name} | {' | '.join([*figures, *more])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num", type=int, default=1000, help="procedural pairs; default: %(default)s")
    parser.add_argument("--data_dir", help="folder of prepared datasets")
    parser.add_argument("--dataset", help="a dataset prepared with people and clips")
    args = parser.parse_args()
    sources, targets = np.arange(args.num), np.arange(args.num, 2 * args.num)
    people, poses = sample_identities(0, sources), sample_poses(0, targets)
    true = render(people, poses, SIDE)[1]
    source = render(people, sample_poses(0, sources), SIDE)[1]
    theirs = sample_identities(0, targets)
    target = render(theirs, poses, SIDE)[1]
    bones = np.stack([getattr(theirs, name) for name in BONES], axis=1)
    head = "| | landmark error | pose, degrees | mouth | jaw's width |"
    print(f"{head} of the target's bones | there and back |\n|---|---|---|---|---|---|---|")
    for name, method in METHODS.items():
        made = method(source, target)
        back = normalised_errors(normalised(method(made, source)), normalised(source)).mean()
        print(row(name, made, true, f"{probe(made, bones):.2f}", f"{back:.3f}"))
    print("\nown landmarks:", f"{np.abs(retarget(source, source) - source).max():.1e} pixels away")
    if args.dataset:
        labels = load_labels(args.data_dir, args.dataset, "test")
        points = load_split(args.data_dir, args.dataset, "test")[1]
        before, after = clip_pairs(points, labels or (), 0).T
        print(f"\n{len(before)} pairs of {args.dataset}\n\n{head}\n|---|---|---|---|---|")
        print(row("the source as it is", points[before], points[after]))
        print(row("retargeted", retarget(points[before], points[after]), points[after]))


if __name__ == "__main__":
    main()
