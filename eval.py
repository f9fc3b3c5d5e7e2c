"""Measure a trained editor on the test split of a dataset.

    python eval.py --workdir runs/editor --data_dir data --dataset NAME --metrics hausdorff,csim

Writes results.json, table.md and pictures into OUT and prints the table.
"""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgan import Editor
from jaxgan.checkpoint import CheckpointError
from jaxgan.data.detection import DETECTORS, detect_landmarks
from jaxgan.data.pipeline import dataset_info, load_split
from jaxgan.metrics import METRICS, measure_all, parse_metrics, report
from jaxgan.metrics.edits import COPY_TARGET, make_edits, pairs_hash


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a trained editor on the test split of a dataset.")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="folder of a trained editor")
    parser.add_argument("--data_dir", required=True, metavar="DIR", help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset whose test split is used")
    parser.add_argument("--metrics", default=",".join(METRICS), metavar="A,B", help="default, all: %(default)s")
    parser.add_argument("--num", type=int, metavar="N", help="portraits to use; default: the whole test split")
    parser.add_argument("--detector", default="dlib", choices=DETECTORS, help="landmark detector; default: dlib")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results; default: WORKDIR/eval")
    parser.add_argument("--seed", type=int, default=0, help="draws the pairs of source and target; default: 0")
    return parser.parse_args(argv)


def detector_note(labelled_by: str, detector: str) -> str:
    """What the table's reader has to know of the landmarks' origin."""
    if labelled_by == detector:
        return f"The dataset's landmarks come from {detector} as well: errors it makes on both sides do not show."
    origin = "exact" if labelled_by == "exact" else f"from {labelled_by}"
    return (
        f"The dataset's landmarks are {origin}, those of outputs from {detector}: even a perfect edit would not score 0"
        f" but about what {COPY_TARGET} does."
    )


def evaluate(arguments: argparse.Namespace) -> report.Report:
    """Edit the test split once and take all metrics of those edits."""
    names = parse_metrics(arguments.metrics)
    if arguments.num is not None and arguments.num < 2:
        raise ValueError(f"--num {arguments.num}: pairs of source and target need at least 2 portraits")
    editor = Editor.load(arguments.workdir)
    info = dataset_info(arguments.data_dir, arguments.dataset, editor.resolution)
    images, keypoints, files = load_split(arguments.data_dir, arguments.dataset, "test", arguments.num)
    detect = functools.partial(detect_landmarks, detector=arguments.detector)
    edits = make_edits(editor, images, keypoints, files, detect, arguments.seed)
    measurements = measure_all(edits, names)
    setup = {
        "workdir": str(arguments.workdir),
        "step": editor.step,
        "dataset": arguments.dataset,
        "portraits": len(images),
        "resolution": editor.resolution,
        "detector": arguments.detector,
        "seed": arguments.seed,
        "pairs": pairs_hash(files, edits.targets),
    }
    return report.Report(setup, measurements, [detector_note(info.detector, arguments.detector)])


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_args(argv)
    try:
        result = evaluate(arguments)
        paths = report.write(result, arguments.out or Path(arguments.workdir) / "eval")
    except (OSError, ValueError, CheckpointError) as error:
        print(f"eval: {error}", file=sys.stderr)
        return 1
    print(report.to_markdown(result))
    print("wrote", *paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
