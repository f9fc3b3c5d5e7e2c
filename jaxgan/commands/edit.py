"""Gives portraits the pose and expression of a target.

jaxgan edit --source portraits/ me.jpg --target smile.jpg --out edited

Every source is edited to the landmarks found in the target picture, or read from a file with --keypoints. Faces are cropped
and levelled as those the editor was trained on, if that is known, as it is of the editor that comes with the package. Otherwise
each picture is cropped to its largest square, as `jaxgan prepare` crops.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from jaxgan.checkpoints import DEFAULT, shipped
from jaxgan.commands.flags import finite, whole
from jaxgan.commands.main import command
from jaxgan.configs import PerceptualConfig
from jaxgan.data.arrays import as_real
from jaxgan.data.crops import Crop, Framing, framed, largest_square
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, Face, load_detector, search
from jaxgan.data.images import decode_image, encode_png, one_line, read_file, read_image
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_face, fit_mean_face
from jaxgan.data.sources import describe_ignored, open_source
from jaxgan.editor import Editor
from jaxgan.errors import DetectorError, InputError, SourceError
from jaxgan.runtime import atomic_write, keep_compiled, make_folder

BATCH = 16  # portraits held in memory and edited at once

Find = Callable[[np.ndarray], list[Face]]  # image uint8 [H, W, 3] to its faces, the one to edit first


class Portrait(NamedTuple):
    """One source portrait: its name in messages, the file to write and the way to its bytes."""

    name: str
    output: Path
    read: Callable[[], bytes]


class Remark(NamedTuple):
    """What the user should know of a source: why it gave no edit, or what was done to it."""

    name: str
    text: str
    failed: bool = True


def list_portraits(sources: Sequence[str | Path], out: Path) -> tuple[list[Portrait], list[Remark]]:
    """Portraits of files, folders (subfolders included) and ZIP archives, and what is to be said of these.

    Outputs are named after their sources, "a.jpg" -> "a.png"; of equal names the later ones are numbered, "a-2.png".
    """
    found: list[tuple[str, str, Callable[[], bytes]]] = []
    remarks = []
    for path in map(Path, sources):
        if path.is_dir() or path.suffix.lower() == ".zip":
            try:
                source = open_source(path)
            except SourceError as error:
                remarks.append(Remark(str(path), str(error).removeprefix(f"{path}: ")))
                continue
            if source.ignored:
                remarks.append(Remark(str(path), f"ignored {describe_ignored(source.ignored)}", failed=False))
            found += [(f"{path}/{name}", PurePosixPath(name).stem, partial(source.read, name)) for name in source.files]
        else:
            found.append((str(path), path.stem, partial(read_file, path)))
    taken: set[str] = set()
    portraits = []
    for name, stem, read in found:
        unique, number = stem, 2
        while unique.lower() in taken:  # file systems may not tell "A" from "a"
            unique, number = f"{stem}-{number}", number + 1
        taken.add(unique.lower())
        portraits.append(Portrait(name, out / f"{unique}.png", read))
    return portraits, remarks


def read_keypoints(path: str | Path, resolution: int) -> np.ndarray:
    """Keypoints float32 [68, 2] from an .npy file, or from a .csv file with 68 lines "x,y".

    Raises:
      InputError: It is anything else, or no face in a picture of side `resolution`; the message names the file.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                values = np.lib.format.read_array(file, allow_pickle=False)  # np.load would open archives and advise pickle
        elif path.suffix.lower() == ".csv":
            lines = path.read_text("utf-8-sig").splitlines()  # spreadsheets put a byte order mark before the first number
            values = np.array([line.split(",") for line in lines if line.strip()], np.float64)
        else:
            raise InputError("the name must end in .npy or .csv")
        keypoints = as_real(values, "values")
    except OSError:
        raise
    except Exception as error:  # NumPy fails with whatever a damaged header happens to bring about
        raise InputError(f"{path}: no keypoints: {one_line(error)}") from None
    if keypoints.shape != (NUM_LANDMARKS, 2):
        raise InputError(f"{path}: keypoints have shape {list(keypoints.shape)}, not [{NUM_LANDMARKS}, 2]")
    if not np.isfinite(keypoints).all():
        raise InputError(f"{path}: keypoints are not all finite")
    try:
        check_face(keypoints, resolution, resolution)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return keypoints


def align(image: np.ndarray, resolution: int, find: Find, framing: Framing | None) -> tuple[np.ndarray, Crop, list[str]]:
    """The portrait uint8 [resolution, resolution, 3] of a picture's first face, how it was cropped, and remarks on that.

    With a framing the face lies in it as in the training portraits, levelled if it is tilted. Without one the largest square is
    taken, moved where it takes that to hold the landmarks of a face, if one is found.

    Raises:
      InputError: There is a framing and no face is found, or what is found is none.
    """
    height, width = image.shape[:2]
    faces = find(image) if framing or height != width else []
    if framing and not faces:
        raise InputError("no face found")
    remarks = [f"{len(faces)} faces found, the largest is taken"] if len(faces) > 1 else []
    if faces and faces[0].weak:
        remarks.append("the detector is hardly sure that it found a face")
    keypoints = faces[0].keypoints if faces else None
    crop = framed(width, height, keypoints, framing) if framing else largest_square(width, height, keypoints)
    if crop.angle:
        remarks.append(f"the head is tilted by {abs(fit_mean_face(keypoints)[0]):.0f} degrees; levelled")
    return crop.apply(image, resolution), crop, remarks


def target_keypoints(path: str | Path, resolution: int, find: Find, framing: Framing | None) -> tuple[np.ndarray, list[Remark]]:
    """Landmarks float32 [68, 2] found in a target picture, in pixels of its crop of side `resolution`, and remarks.

    Raises:
      InputError: No face is found in it.
      ImageError, OSError: It cannot be read.
    """
    image = read_image(path)
    faces = find(image)
    if not faces:
        raise InputError(f"{path}: no face found in the target picture")
    found: list[Face] = faces
    try:
        check_face(faces[0].keypoints, image.shape[1], image.shape[0])
        _, crop, remarks = align(image, resolution, lambda _: found, framing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return crop.move(faces[0].keypoints, resolution), [Remark(str(path), text, failed=False) for text in remarks]


def _edit_batch(
    editor: Editor, batch: Sequence[Portrait], keypoints: np.ndarray, strength: float, steps: int, personal: bool, find: Find
) -> Iterator[Remark]:
    """Edits a few portraits and writes them."""
    images, readable = [], []
    for portrait in batch:
        try:
            image, _, remarks = align(decode_image(portrait.read()), editor.resolution, find, editor.framing)
        except DetectorError:  # no portrait would fare better
            raise
        except Exception as error:  # archives and detectors fail with whatever their modules happen to raise
            yield Remark(portrait.name, getattr(error, "strerror", None) or one_line(error))
            continue
        yield from (Remark(portrait.name, text, failed=False) for text in remarks)
        images.append(image)
        readable.append(portrait)
    if not readable:
        return
    edited = editor.edit(np.stack(images), np.repeat(keypoints[None], len(images), axis=0), strength, steps, personal)
    for portrait, image in zip(readable, edited, strict=True):
        try:
            with atomic_write(portrait.output) as file:
                file.write(encode_png(image))
        except OSError as error:
            yield Remark(portrait.name, f"{portrait.output} not written: {error.strerror}")


def edit_portraits(
    editor: Editor,
    portraits: Sequence[Portrait],
    keypoints: np.ndarray,
    strength: float,
    steps: int,
    personal: bool,
    find: Find,
) -> list[Remark]:
    """Edits portraits to keypoints [68, 2], in pixels of the editor's resolution, and writes each as PNG, in one step.

    `strength` scales the edit: 0 is the inversion alone, 1 the full edit; `steps` are those of `Editor.invert`, and `personal`
    is that of `Editor.edit`. Portraits that fail are among the remarks returned; they raise nothing.
    """
    remarks: list[Remark] = []
    size = 1 if personal else BATCH  # each takes seconds then, and the bar should move
    with tqdm(total=len(portraits), desc="edit", unit="image") as bar:
        for start in range(0, len(portraits), size):
            batch = portraits[start : start + size]
            remarks += _edit_batch(editor, batch, keypoints, strength, steps, personal, find)
            bar.update(len(batch))
    return remarks


def _check_outputs(portraits: Sequence[Portrait], inputs: Sequence[str], overwrite: bool) -> None:
    kept = {Path(name).resolve() for name in inputs}
    for portrait in portraits:
        if portrait.output.resolve() in kept:
            raise InputError(f"{portrait.output} is an input and would be overwritten: choose another --out")
    there = [portrait.output for portrait in portraits if portrait.output.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
        raise InputError(f"{there[0]}{more} already there: choose another --out, or --overwrite")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jaxgan edit", description="Give portraits the pose and expression of a target.")
    parser.add_argument(
        "--workdir", default=shipped(DEFAULT), metavar="DIR", help="folder of a trained editor; default: the package's own"
    )
    parser.add_argument("--source", required=True, nargs="+", metavar="PATH", help="image files, folders, ZIP archives")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--target", metavar="FILE", help="picture whose landmarks the sources are given")
    target.add_argument(
        "--keypoints",
        metavar="FILE",
        help=".npy or .csv of the 68 iBUG landmarks (x, y), in pixels of a picture of the editor's resolution",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the edited portraits")
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
    portraits, listed = list_portraits(arguments.source, arguments.out)
    inputs = [portrait.name for portrait in portraits] + [arguments.target or arguments.keypoints]
    _check_outputs(portraits, inputs, arguments.overwrite)
    vgg16 = PerceptualConfig(vgg16_weights=arguments.vgg16) if arguments.vgg16 else None
    editor = Editor.load(arguments.workdir, perceptual=vgg16)

    def find(image: np.ndarray) -> list[Face]:
        return search(load_detector(arguments.detector), image, rotated=editor.framing is not None)

    if arguments.target:
        keypoints, remarks = target_keypoints(arguments.target, editor.resolution, find, editor.framing)
        listed += remarks
    else:
        keypoints = read_keypoints(arguments.keypoints, editor.resolution)
    make_folder(arguments.out)
    how = arguments.strength, arguments.steps, arguments.personal
    remarks = [*listed, *edit_portraits(editor, portraits, keypoints, *how, find)]
    for remark in remarks:
        print(f"edit: {remark.name}: {remark.text}", file=sys.stderr)
    failed = sum(remark.failed for remark in remarks)
    unlisted = sum(remark.failed for remark in listed)
    print(f"{len(portraits) + unlisted - failed} of {len(portraits) + unlisted} edited into {arguments.out}")
    return 1 if failed else 0
