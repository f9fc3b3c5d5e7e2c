"""Measures trained editors on the test split of a dataset.

jaxgan evaluate --workdir runs/editor --data_dir data --dataset NAME
jaxgan evaluate --workdirs runs/naive,runs/keypoint,runs/full --data_dir data --dataset NAME --figure

Writes results.json, table.md, report.html, samples.csv and, if asked, the figure into each WORKDIR/eval. For several editors
it also makes the report's Table 1: in OUT, as table1.md and table1.html, with a figure of all of them.
"""

import argparse
import functools
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan import Editor, storage
from jaxgan.commands.flags import whole
from jaxgan.commands.main import command
from jaxgan.data.batches import DatasetInfo, dataset_info, load_split
from jaxgan.data.crops import is_framed, reframe
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, detect_landmarks
from jaxgan.errors import InputError
from jaxgan.evaluation import figure, html, report, table1
from jaxgan.evaluation.edits import Instruments, make_edits
from jaxgan.evaluation.metrics import METRICS, measure_all, networks, parse_metrics
from jaxgan.evaluation.pairs import COPY_TARGET, Pairs, make_pairs
from jaxgan.runtime import cache_folder, keep_compiled, make_folder

NETWORKS = {
    "inception": networks.inception_network,
    "facenet": networks.facenet_network,
    "lpips": networks.lpips_network,
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jaxgan evaluate", description="Measure trained editors on the test split of a dataset."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--workdir", dest="workdirs", metavar="DIR", type=lambda one: [one], help="folder of a trained editor")
    which.add_argument("--workdirs", metavar="A,B", type=lambda text: text.split(","), help="of several, for Table 1")
    parser.add_argument("--data_dir", required=True, metavar="DIR", help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset whose test split is used")
    parser.add_argument("--metrics", default=",".join(METRICS), metavar="A,B", help="default, all: %(default)s")
    parser.add_argument("--figure", action="store_true", help="draw sources edited to several targets, as in Figure 2")
    parser.add_argument("--num", type=whole, metavar="N", help="portraits to use; default: the whole test split")
    parser.add_argument(
        "--detector", default=DEFAULT_DETECTOR, choices=DETECTORS, help="landmark detector; default: %(default)s"
    )
    for name in NETWORKS:
        text = f"folder of `jaxgan convert {name}`; default: {name} in $JAXGAN_CACHE or ~/.cache/jaxgan, else without it"
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of results; default: WORKDIR/eval, table1 beside A")
    parser.add_argument("--seed", type=whole, default=0, help="draws the pairs of source and target; default: 0")
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


def instruments(arguments: argparse.Namespace) -> Instruments:
    """What the flags say to measure with; networks whose weights are neither named nor in the cache are left out."""
    files = {name: getattr(arguments, name) or cache_folder() / name for name in NETWORKS}
    found = {name: path for name, path in files.items() if getattr(arguments, name) or path.exists()}
    made = {name: NETWORKS[name](path) for name, path in found.items()}
    folder = None
    if "inception" in found:  # features of other weights are others
        folder = cache_folder() / "features" / hashlib.sha256((found["inception"] / storage.LIST).read_bytes()).hexdigest()[:16]
    return Instruments(functools.partial(detect_landmarks, detector=arguments.detector), **made, cache=folder)


def framed_pairs(editor: Editor, arguments: argparse.Namespace) -> tuple[Pairs, DatasetInfo, list[str]]:
    """The pairs of the dataset's test split, what is known of it, and notes on how its portraits were cropped.

    Where the editor's framing is known and the dataset has another one, or a higher resolution, its portraits are cropped anew.
    """
    framing, resolution = editor.framing, editor.resolution
    info = dataset_info(arguments.data_dir, arguments.dataset, None if framing else resolution)
    if info.resolution < resolution:
        raise InputError(f"dataset {info.name} has {info.resolution} px, fewer than the editor's {resolution}")
    images, keypoints, files = load_split(arguments.data_dir, arguments.dataset, "test", arguments.num)
    training = load_split(arguments.data_dir, arguments.dataset, "train")[:2] if info.num_train else (np.zeros(0), np.zeros(0))
    if not framing or (info.resolution == resolution and is_framed(keypoints, resolution, framing)):
        return make_pairs((images, keypoints, files), training, arguments.seed), info, []
    images, keypoints, sides = reframe(images, keypoints, framing, resolution)
    if len(training[0]):
        training = reframe(*training, framing, resolution)[:2]
    note = "The dataset frames faces otherwise than the editor's training portraits, so its portraits were cropped as these."
    if (scale := resolution / sides.mean()) > 1.1:
        note += f" That enlarged them {scale:.1f} times: prepare the dataset at a higher resolution for sharp ones."
    return make_pairs((images, keypoints, files), training, arguments.seed, exact=False), info, [note]


def evaluate(
    workdir: str,
    editor: Editor,
    pairs: Pairs,
    info: DatasetInfo,
    notes: list[str],
    tools: Instruments,
    arguments: argparse.Namespace,
) -> report.Report:
    """Edit the pairs once and take all metrics of those edits."""
    pictures = {figure.FIGURE: figure.grid({"": editor}, pairs)} if arguments.figure else {}
    edits = make_edits(editor, pairs, tools)
    measurements = measure_all(edits, parse_metrics(arguments.metrics))
    setup = {
        "workdir": workdir,
        "step": editor.step,
        "dataset": arguments.dataset,
        "portraits": len(pairs.sources),
        "resolution": editor.resolution,
        "filter": info.filter,
        "detector": arguments.detector,
        "seed": arguments.seed,
        "pairs": pairs.hash,
        "images_per_second": edits.images_per_second and round(edits.images_per_second, 1),
    }
    notes = [*notes, detector_note(info.detector, arguments.detector)]
    return report.Report(setup, measurements, notes, pairs, pictures)


def _names(editors: dict[str, Editor]) -> dict[str, str]:
    """Folder -> the row of Table 1 that its editor stands for, with the folder where several stand for the same."""
    rows = {workdir: table1.variant(editor.config) for workdir, editor in editors.items()}
    return {workdir: row if [*rows.values()].count(row) == 1 else f"{row} ({workdir})" for workdir, row in rows.items()}


def evaluate_all(arguments: argparse.Namespace) -> list[str]:
    """Evaluates all editors and writes their reports; returns the notes of metrics that failed."""
    started = time.perf_counter()
    parse_metrics(arguments.metrics)  # wrong names are told before the work begins
    if arguments.num is not None and arguments.num < 2:
        raise InputError(f"--num {arguments.num}: pairs of source and target need at least 2 portraits")
    editors = {workdir: Editor.load(workdir) for workdir in dict.fromkeys(arguments.workdirs)}
    for workdir, editor in editors.items():
        if editor.stage != "editor" and (len(editors) > 1 or arguments.figure):
            raise InputError(f"{workdir} is of the {editor.stage} training; Table 1 and the figure are of editors")
    pairs, info, notes = framed_pairs(next(iter(editors.values())), arguments)
    tools, reports, paths = instruments(arguments), {}, []
    out = arguments.out or (Path(arguments.workdirs[0]).parent / "table1" if len(editors) > 1 else None)
    for folder in [*([out] if out else []), *(Path(workdir) / "eval" for workdir in editors if len(editors) > 1 or not out)]:
        make_folder(folder)  # nothing is measured that could not be kept
    names = _names(editors) if len(editors) > 1 else dict.fromkeys(editors, "")
    for workdir, editor in editors.items():
        reports[names[workdir]] = result = evaluate(workdir, editor, pairs, info, notes, tools, arguments)
        print(report.to_markdown(result))  # before anything can fail to be written
        alone = arguments.out if len(editors) == 1 else None
        paths += report.write(result, alone or Path(workdir) / "eval")
    if len(editors) > 1:
        table = table1.table1(reports)
        pictures = {}
        if arguments.figure:
            pictures[figure.FIGURE] = figure.grid({names[workdir]: editor for workdir, editor in editors.items()}, pairs)
        texts = {
            "table1.md": "\n".join(report.markdown_table(table)),
            "table1.html": html.page("Table 1", next(iter(reports.values())).setup, [], [table], pictures),
        }
        print(texts["table1.md"])
        paths += report.write_files(out, texts, pictures)
    print(f"{time.perf_counter() - started:.0f} s in all")
    print("wrote", *paths)
    return [note for result in reports.values() for m in result.measurements if m.failed for note in m.notes]


@command("evaluate")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 1 if a metric failed."""
    arguments = parse_args(argv)
    keep_compiled()
    failed = evaluate_all(arguments)
    for note in dict.fromkeys(failed):
        print(f"evaluate: {note}", file=sys.stderr)
    return 1 if failed else 0
