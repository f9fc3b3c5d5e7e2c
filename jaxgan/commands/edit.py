"""Gives portraits the pose and expression of a target.

jaxgan edit --source portraits/ me.jpg --target smile.jpg --out edited
jaxgan edit --source me.jpg --set yaw=15 smile=0.5 --personal --out edited

Every source is given the pose and expression of the landmarks found in the target picture, or read from a file with
--keypoints, or is changed by --set; its bones stay its own. The edited face is put back into the whole photograph. With --crop
the picture of the networks is written instead: faces are cropped and levelled as those the editor was trained on, if that is
known, as it is of the editor that comes with the package; otherwise each picture is cropped to its largest square.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from jaxgan.checkpoints import DEFAULT, shipped
from jaxgan.commands.flags import finite, whole
from jaxgan.commands.main import command
from jaxgan.commands.portraits import Portrait, Remark, check_outputs, list_portraits
from jaxgan.commands.targets import Find, align, target_keypoints
from jaxgan.configs import PerceptualConfig
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, Face, load_detector, search
from jaxgan.data.images import decode_image, one_line
from jaxgan.data.shape import check_face
from jaxgan.editor import Editor
from jaxgan.errors import DetectorError, InputError
from jaxgan.faces.retarget import PARTS
from jaxgan.faces.target import Target, parse_controls, read_keypoints
from jaxgan.photos.writing import FORMATS, encode
from jaxgan.runtime import atomic_write, keep_compiled, make_folder

BATCH = 16  # portraits held in memory and edited at once


class How(NamedTuple):
    """How sources are edited and written; see the flags."""

    strength: float = 1.0
    steps: int = 0
    personal: bool = False
    crop: bool = False
    face: int | None = None
    detector: str = DEFAULT_DETECTOR
    format: str = "png"
    mark: bool = True


def _edit_crops(editor: Editor, batch: Sequence[Portrait], target: Target, how: How, find: Find) -> Iterator[Remark]:
    """Crops a few portraits, edits them at once and writes them."""
    images, keypoints, readable = [], [], []
    for portrait in batch:
        try:
            picture = decode_image(portrait.read())
            image, own, remarks = align(picture, editor.resolution, find, editor.framing, landmarks=not target.raw)
            points, more = _wanted(target, own)
        except DetectorError:  # no portrait would fare better
            raise
        except Exception as error:  # archives and detectors fail with whatever their modules happen to raise
            yield Remark(portrait.name, getattr(error, "strerror", None) or one_line(error))
            continue
        yield from (Remark(portrait.name, text, failed=False) for text in [*remarks, *more])
        images.append(image)
        keypoints.append(points if target.raw else editor.place(points))
        readable.append(portrait)
    if not readable:
        return
    edited = editor.edit(np.stack(images), np.stack(keypoints), how.strength, how.steps, how.personal)
    for portrait, image in zip(readable, edited, strict=True):
        yield from _write(portrait, image, how)


def _wanted(target: Target, own: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Landmarks for a cropped source with landmarks `own`, None if they were not found or not looked for; and remarks."""
    if own is not None or target.raw:
        return target.wanted(own, emphasise=True)
    if target.keypoints is None or len(target.parts) < len(PARTS):
        raise InputError("no face found")
    return target.keypoints, ["no face found; edited to the target's landmarks as they are"]


def _edit_photo(editor: Editor, portrait: Portrait, target: Target, how: How) -> Iterator[Remark]:
    """Edits a face in a photograph and writes the whole."""
    try:
        opened = editor.open_photo(decode_image(portrait.read(), alpha=True), how.face, how.detector)
        if how.personal:
            opened.personalise()
        image, more = opened.edit_to(target, how.strength)
        yield from (Remark(portrait.name, text, failed=False) for text in [*opened.remarks, *more])
    except DetectorError:
        raise
    except Exception as error:
        yield Remark(portrait.name, getattr(error, "strerror", None) or one_line(error))
        return
    yield from _write(portrait, image, how)


def _write(portrait: Portrait, image: np.ndarray, how: How) -> Iterator[Remark]:
    try:
        with atomic_write(portrait.output) as file:
            file.write(encode(image, how.format, how.mark))
    except OSError as error:
        yield Remark(portrait.name, f"{portrait.output} not written: {error.strerror}")


def edit_portraits(editor: Editor, portraits: Sequence[Portrait], target: Target, how: How, find: Find) -> list[Remark]:
    """Edits portraits to a target and writes each. Those that fail are among the remarks returned; they raise nothing."""
    remarks: list[Remark] = []
    size = BATCH if how.crop and not how.personal else 1  # each of the others takes seconds, and the bar should move
    with tqdm(total=len(portraits), desc="edit", unit="image") as bar:
        for start in range(0, len(portraits), size):
            batch = portraits[start : start + size]
            if how.crop:
                remarks += _edit_crops(editor, batch, target, how, find)
            else:
                remarks += _edit_photo(editor, *batch, target, how)
            bar.update(len(batch))
    return remarks


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jaxgan edit", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--workdir", default=shipped(DEFAULT), metavar="DIR", help="folder of a trained editor; default: the package's own"
    )
    parser.add_argument("--source", required=True, nargs="+", metavar="PATH", help="image files, folders, ZIP archives")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--target", metavar="FILE", help="picture whose landmarks the sources are given")
    target.add_argument(
        "--keypoints",
        metavar="FILE",
        help=".npy or .csv of the 68 iBUG landmarks (x, y), or a saved expression (.json); with --raw-landmarks in pixels of "
        "a picture of the editor's resolution",
    )
    target.add_argument(
        "--set",
        nargs="+",
        metavar="NAME=NUMBER",
        help="change the sources' own face: yaw, pitch, roll in degrees; smile, mouth, eyes, brows from -1 to 1",
    )
    parser.add_argument(
        "--parts",
        type=lambda text: text.split(","),
        metavar="A,B",
        help=f"take only these from the target: {', '.join(PARTS)}; default: all",
    )
    parser.add_argument(
        "--raw-landmarks",
        action="store_true",
        help="take the target's landmarks as they are, its jaw and proportions included, as in the report",
    )
    parser.add_argument("--face", type=whole, metavar="N", help="face to edit, from 0, the largest first; default: the largest")
    parser.add_argument("--crop", action="store_true", help="write the networks' own picture of the face, not the photograph")
    parser.add_argument("--format", default="png", choices=FORMATS, help="of the files; default: %(default)s")
    parser.add_argument("--no-mark", action="store_true", help="leave out the note in the files that they are edited")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the edited portraits, or FILE.png of one"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are already there")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=DETECTORS, help="landmarks; default: %(default)s")
    parser.add_argument("--strength", type=finite, default=1.0, help="0: inversion alone, 1 (default): full edit")
    parser.add_argument(
        "--steps", type=whole, default=0, metavar="N", help="optimise the inversion first, in N steps; default: 0"
    )
    parser.add_argument(
        "--personal",
        action="store_true",
        help="tune the generator to each portrait first: keeps the person, takes seconds",
    )
    parser.add_argument(
        "--vgg16",
        metavar="FILE",
        help="folder of `jaxgan convert vgg16`, for --steps; default: the perceptual network of the training run",
    )
    return parser.parse_args(argv)


@command("edit")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 1 if anything failed."""
    arguments = parse_args(argv)
    keep_compiled()
    parts = arguments.parts or (*PARTS,)
    if arguments.set and (arguments.raw_landmarks or arguments.parts):
        raise InputError("--set changes the source's own face; --raw-landmarks and --parts are for targets")
    if arguments.raw_landmarks and arguments.parts:
        raise InputError("--raw-landmarks takes all of the target's landmarks; --parts needs them retargeted")
    if arguments.steps and not arguments.crop:
        raise InputError("--steps goes with --crop; --personal brings whole photographs closer")
    if arguments.crop and arguments.face:
        raise InputError("--face goes with whole photographs, not with --crop")
    if unknown := [part for part in parts if part not in PARTS]:
        raise InputError(f"--parts: unknown {', '.join(map(repr, unknown))}; known: {', '.join(PARTS)}")
    controls = parse_controls(arguments.set or ())
    portraits, listed = list_portraits(arguments.source, arguments.out, FORMATS[arguments.format])
    inputs = [portrait.name for portrait in portraits] + [each for each in (arguments.target, arguments.keypoints) if each]
    check_outputs(portraits, inputs, arguments.overwrite)
    vgg16 = PerceptualConfig(vgg16_weights=arguments.vgg16) if arguments.vgg16 else None
    editor = Editor.load(arguments.workdir, perceptual=vgg16)

    def find(image: np.ndarray) -> list[Face]:
        return search(load_detector(arguments.detector), image, rotated=editor.framing is not None)

    keypoints = None
    if arguments.target:
        keypoints, remarks = target_keypoints(arguments.target, editor.resolution, find, editor.framing)
        listed += [Remark(arguments.target, text, failed=False) for text in remarks]
    elif arguments.keypoints:
        keypoints = read_keypoints(arguments.keypoints)
        if arguments.raw_landmarks or editor.framing is None:
            _check_raw(arguments.keypoints, keypoints, editor.resolution)
    target = Target(keypoints, controls, parts, arguments.raw_landmarks)
    make_folder(arguments.out if len(portraits) != 1 else portraits[0].output.parent)
    how = How(
        arguments.strength,
        arguments.steps,
        arguments.personal,
        arguments.crop,
        arguments.face,
        arguments.detector,
        arguments.format,
        not arguments.no_mark,
    )
    remarks = [*listed, *edit_portraits(editor, portraits, target, how, find)]
    for remark in remarks:
        print(f"edit: {remark.name}: {remark.text}", file=sys.stderr)
    failed = sum(remark.failed for remark in remarks)
    unlisted = sum(remark.failed for remark in listed)
    print(f"{len(portraits) + unlisted - failed} of {len(portraits) + unlisted} edited into {arguments.out}")
    return 1 if failed else 0


def _check_raw(path: str, keypoints: np.ndarray, resolution: int) -> None:
    try:
        check_face(keypoints, resolution, resolution)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
