"""Measures trained editors on the test split of a dataset.

jaxgan evaluate --workdir runs/editor --data_dir data --dataset NAME
jaxgan evaluate --workdirs runs/naive,runs/keypoint,runs/full --data_dir data --dataset NAME --figure

Writes results.json, table.md, report.html, samples.csv and, if asked, the figure into each WORKDIR/eval (WORKDIR/eval/same for
pairs of the same person). For several editors it also makes the report's Table 1: in OUT, as table1.md and table1.html, with a
figure of all of them.
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
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, detect_landmarks
from jaxgan.errors import InputError
from jaxgan.evaluation import figure, html, report, table1
from jaxgan.evaluation.edits import Instruments, make_edits
from jaxgan.evaluation.metrics import METRICS, measure_all, networks, parse_metrics
from jaxgan.evaluation.pairs import COPY_TARGET, Pairs, Portraits, make_pairs, make_same_pairs
from jaxgan.evaluation.portraits import Split, load_test_split
from jaxgan.faces.retarget import retarget
from jaxgan.runtime import cache_folder, keep_compiled, make_folder

PAIRS = {"other": "other people's portraits", "same": "frames of the same clip"}
PERSONAL_NOTE = (
    "Personal edits were tuned by a term of dlib's face recognition network too, so csim_dlib is no independent measure of"
    " them; the error to the true picture and FaceNet's csim are."
)
NETWORKS = {
    "inception": networks.inception_network,
    "facenet": networks.facenet_network,
    "lpips": networks.lpips_network,
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jaxgan evaluate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--workdir", dest="workdirs", metavar="DIR", type=lambda one: [one], help="folder of a trained editor")
    which.add_argument("--workdirs", metavar="A,B", type=lambda text: text.split(","), help="of several, for Table 1")
    parser.add_argument("--data_dir", required=True, metavar="DIR", help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset whose test split is used")
    parser.add_argument("--metrics", default=",".join(METRICS), metavar="A,B", help="default, all: %(default)s")
    parser.add_argument("--figure", action="store_true", help="draw sources edited to several targets, as in Figure 2")
    parser.add_argument(
        "--pairs",
        choices=(*PAIRS, "both"),
        default="other",
        help="targets: other people's portraits (default), or frames of the same clip, which are the true picture of the edit",
    )
    parser.add_argument(
        "--retarget",
        action="store_true",
        help="edit to the target's pose and expression on the source's bones, as `jaxgan edit` does; default: as in the report",
    )
    parser.add_argument("--paste", action="store_true", help="also put edits back into their sources, as `jaxgan edit` does")
    parser.add_argument(
        "--personal", action="store_true", help="also edit by a generator tuned to each source, which takes seconds each"
    )
    parser.add_argument("--num", type=whole, metavar="N", help="portraits, or pairs of frames, to use; default: all")
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


def pairs_of(editor: Editor, split: Split, arguments: argparse.Namespace, kind: str) -> Pairs:
    """The pairs of one kind, "same" or "other" people."""
    aim = None
    if arguments.retarget:

        def aim(own: np.ndarray, theirs: np.ndarray) -> np.ndarray:
            return editor.place(retarget(own, theirs))

    if kind == "same":
        return make_same_pairs(split.portraits, split.training, arguments.seed, arguments.num, aim)
    portraits = Portraits(*(None if each is None else each[: arguments.num] for each in split.portraits))
    return make_pairs(portraits, split.training, arguments.seed, split.exact, aim)


def evaluate(
    workdir: str, editor: Editor, pairs: Pairs, kind: str, split: Split, tools: Instruments, arguments: argparse.Namespace
) -> report.Report:
    """Edit the pairs once and take all metrics of those edits."""
    pictures = {figure.FIGURE: figure.grid({"": editor}, pairs)} if arguments.figure else {}
    edits = make_edits(editor, pairs, tools, arguments.personal, arguments.paste)
    measurements = measure_all(edits, parse_metrics(arguments.metrics))
    setup = {
        "workdir": workdir,
        "step": editor.step,
        "dataset": arguments.dataset,
        "pairs_of": PAIRS[kind],
        "landmarks": "retargeted" if arguments.retarget else "as they are",
        "portraits": len(pairs.sources),
        "resolution": editor.resolution,
        "filter": split.info.filter,
        "detector": arguments.detector,
        "seed": arguments.seed,
        "pairs": pairs.hash,
        "images_per_second": edits.images_per_second and round(edits.images_per_second, 1),
    }
    notes = [*split.notes, detector_note(split.info.detector, arguments.detector)]
    if arguments.personal:
        notes.append(PERSONAL_NOTE)
    return report.Report(setup, measurements, notes, pairs, pictures)


def _names(editors: dict[str, Editor]) -> dict[str, str]:
    """Folder -> the row of Table 1 that its editor stands for, with the folder where several stand for the same."""
    rows = {workdir: table1.variant(editor.config) for workdir, editor in editors.items()}
    return {workdir: row if [*rows.values()].count(row) == 1 else f"{row} ({workdir})" for workdir, row in rows.items()}


def _folder(folder: Path, kind: str) -> Path:
    """Where results of a kind of pairs go, in the folder of those of other people."""
    return folder / "same" if kind == "same" else folder


def evaluate_all(arguments: argparse.Namespace) -> list[str]:
    """Evaluates all editors and writes their reports; returns the notes of metrics that failed."""
    started = time.perf_counter()
    parse_metrics(arguments.metrics)  # wrong names are told before the work begins
    kinds = [*PAIRS] if arguments.pairs == "both" else [arguments.pairs]
    if arguments.num is not None and arguments.num < 2:
        raise InputError(f"--num {arguments.num}: pairs of source and target need at least 2 portraits")
    editors = {workdir: Editor.load(workdir) for workdir in dict.fromkeys(arguments.workdirs)}
    for workdir, editor in editors.items():
        if editor.stage != "editor" and (len(editors) > 1 or arguments.figure or arguments.personal):
            raise InputError(f"{workdir} is of the {editor.stage} training; Table 1, figure and personal edits are of editors")
    first = next(iter(editors.values()))
    num = arguments.num if kinds == ["other"] else None  # clips are looked for in the whole split
    split = load_test_split(arguments.data_dir, arguments.dataset, first.framing, first.resolution, num)
    pairs, tools = {kind: pairs_of(first, split, arguments, kind) for kind in kinds}, instruments(arguments)
    out = arguments.out or (Path(arguments.workdirs[0]).parent / "table1" if len(editors) > 1 else None)
    alone = arguments.out if len(editors) == 1 else None
    for folder in [*([out] if out else []), *(Path(workdir) / "eval" for workdir in editors if not alone)]:
        make_folder(folder)  # nothing is measured that could not be kept
    names, failed, paths = _names(editors) if len(editors) > 1 else {}, [], []
    for kind in kinds:
        reports = {}
        for workdir, editor in editors.items():
            result = evaluate(workdir, editor, pairs[kind], kind, split, tools, arguments)
            reports[names.get(workdir, "")] = result
            print(report.to_markdown(result))  # before anything can fail to be written
            paths += report.write(result, _folder(alone or Path(workdir) / "eval", kind))
        if len(editors) > 1:
            named = {names[workdir]: editor for workdir, editor in editors.items()}
            paths += _write_table1(_folder(out, kind), reports, named if arguments.figure else {}, pairs[kind])
        failed += [note for result in reports.values() for m in result.measurements if m.failed for note in m.notes]
    print(f"{time.perf_counter() - started:.0f} s in all")
    print("wrote", *paths)
    return failed


def _write_table1(out: Path, reports: dict[str, report.Report], drawn: dict[str, Editor], pairs: Pairs) -> list[Path]:
    """Prints and writes Table 1 of several editors' reports, with a figure of the editors `drawn`."""
    table = table1.table1(reports)
    pictures = {figure.FIGURE: figure.grid(drawn, pairs)} if drawn else {}
    texts = {
        "table1.md": "\n".join(report.markdown_table(table)),
        "table1.html": html.page("Table 1", next(iter(reports.values())).setup, [], [table], pictures),
    }
    print(texts["table1.md"])
    return report.write_files(out, texts, pictures)


@command("evaluate")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 1 if a metric failed."""
    arguments = parse_args(argv)
    keep_compiled()
    failed = evaluate_all(arguments)
    for note in dict.fromkeys(failed):
        print(f"evaluate: {note}", file=sys.stderr)
    return 1 if failed else 0
