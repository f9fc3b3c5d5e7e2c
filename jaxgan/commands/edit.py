"""Gives portraits the pose and expression of a target.

jaxgan edit --source portraits/ me.jpg --target smile.jpg --out edited

Every source is edited to the landmarks found in the target picture, or read from a file with --keypoints. Faces are cropped as
those the editor was trained on, if that is known, as it is of the editor that comes with the package. Otherwise each picture
is cropped to its largest square, as `jaxgan prepare` crops.
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
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, detect_landmarks
from jaxgan.data.images import decode_image, encode_png, one_line, read_file, read_image
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.sources import open_source
from jaxgan.editor import Editor
from jaxgan.errors import DetectorError, InputError, SourceError
from jaxgan.runtime import atomic_write, keep_compiled

BATCH = 16  # portraits held in memory and edited at once

Detect = Callable[[list[np.ndarray]], list[np.ndarray | None]]  # images uint8 [H, W, 3] to landmarks [68, 2] or None


class Portrait(NamedTuple):
    """One source portrait: its name in messages, the file to write and the way to its bytes."""

    name: str
    output: Path
    read: Callable[[], bytes]


class Failure(NamedTuple):
    """A source that gave no edit."""

    name: str
    reason: str


def list_portraits(sources: Sequence[str | Path], out: Path) -> tuple[list[Portrait], list[Failure]]:
    """Portraits of files, folders (subfolders included) and ZIP archives, and the sources that could not be listed.

    Outputs are named after their sources, "a.jpg" -> "a.png"; of equal names the later ones are numbered, "a-2.png".
    """
    found: list[tuple[str, str, Callable[[], bytes]]] = []
    unlisted = []
    for path in map(Path, sources):
        if path.is_dir() or path.suffix.lower() == ".zip":
            try:
                source = open_source(path)
            except SourceError as error:
                unlisted.append(Failure(str(path), str(error).removeprefix(f"{path}: ")))
                continue
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
    return portraits, unlisted


def read_keypoints(path: str | Path) -> np.ndarray:
    """Keypoints float32 [68, 2] from an .npy file, or from a .csv file with 68 lines "x,y".

    Raises ValueError, naming the file, for anything else.
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
    return keypoints


def target_keypoints(path: str | Path, resolution: int, detect: Detect, framing: Framing | None = None) -> np.ndarray:
    """Landmarks float32 [68, 2] found in a target picture, in pixels of its square of side `resolution`.

    The square is the one that the framing asks for; without one, the largest.

    Raises ValueError when the picture cannot be read or no face is found in it.
    """
    image = read_image(path)
    found = detect([image])[0]
    if found is None:
        raise InputError(f"{path}: no face found in the target picture")
    return _crop(image, found, framing).move(found, resolution)


def square(image: np.ndarray, resolution: int, detect: Detect, framing: Framing | None = None) -> np.ndarray:
    """A portrait uint8 [H, W, 3] as uint8 [resolution, resolution, 3], cropped as the framing asks for.

    Without a framing it is cropped only where it is not square. That crop is central, moved where it takes that to hold the
    landmarks. A face that is not found is taken as central.

    Raises ValueError when there is a framing and no face is found.
    """
    height, width = image.shape[:2]
    keypoints = None if height == width and not framing else detect([image])[0]
    if framing and keypoints is None:
        raise InputError("no face found")
    return _crop(image, keypoints, framing).apply(image, resolution)


def _crop(image: np.ndarray, keypoints: np.ndarray | None, framing: Framing | None) -> Crop:
    height, width = image.shape[:2]
    return framed(width, height, keypoints, framing) if framing else largest_square(width, height, keypoints)


def _edit_batch(
    editor: Editor, batch: Sequence[Portrait], keypoints: np.ndarray, strength: float, steps: int, detect: Detect
) -> Iterator[Failure]:
    """Edit a few portraits and write them; yields those that could not be read or written."""
    images, readable = [], []
    for portrait in batch:
        try:
            images.append(square(decode_image(portrait.read()), editor.resolution, detect, editor.framing))
        except DetectorError:  # no portrait would fare better
            raise
        except Exception as error:  # archives and detectors fail with whatever their modules happen to raise
            yield Failure(portrait.name, getattr(error, "strerror", None) or one_line(error))
            continue
        readable.append(portrait)
    if not readable:
        return
    edited = editor.edit(np.stack(images), np.repeat(keypoints[None], len(images), axis=0), strength, steps)
    for portrait, image in zip(readable, edited, strict=True):
        try:
            with atomic_write(portrait.output) as file:
                file.write(encode_png(image))
        except OSError as error:
            yield Failure(portrait.name, f"{portrait.output} not written: {error.strerror}")


def edit_portraits(
    editor: Editor, portraits: Sequence[Portrait], keypoints: np.ndarray, strength: float, steps: int, detect: Detect
) -> list[Failure]:
    """Edit portraits to keypoints [68, 2] in pixels of the editor's resolution and write each as PNG, in one step.

    `strength` scales the edit: 0 is the inversion alone, 1 the full edit; `steps` are those of `Editor.invert`. Portraits that
    fail are returned, not raised.
    """
    failures: list[Failure] = []
    with tqdm(total=len(portraits), desc="edit", unit="image") as bar:
        for start in range(0, len(portraits), BATCH):
            batch = portraits[start : start + BATCH]
            failures += _edit_batch(editor, batch, keypoints, strength, steps, detect)
            bar.update(len(batch))
    return failures


def _check_outputs(portraits: Sequence[Portrait], inputs: Sequence[str]) -> None:
    kept = {Path(name).resolve() for name in inputs}
    for portrait in portraits:
        if portrait.output.resolve() in kept:
            raise InputError(f"{portrait.output} is an input and would be overwritten: choose another --out")


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
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=DETECTORS, help="landmarks; default: %(default)s")
    parser.add_argument("--strength", type=finite, default=1.0, help="0: inversion alone, 1 (default): full edit")
    parser.add_argument(
        "--steps", type=whole, default=0, metavar="N", help="optimise the inversion first, in N steps; default: 0"
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

    def detect(images: list[np.ndarray]) -> list[np.ndarray | None]:
        return detect_landmarks(images, arguments.detector)

    portraits, unlisted = list_portraits(arguments.source, arguments.out)
    _check_outputs(portraits, [portrait.name for portrait in portraits] + [arguments.target or arguments.keypoints])
    vgg16 = PerceptualConfig(vgg16_weights=arguments.vgg16) if arguments.vgg16 else None
    editor = Editor.load(arguments.workdir, perceptual=vgg16)
    if arguments.target:
        keypoints = target_keypoints(arguments.target, editor.resolution, detect, editor.framing)
    else:
        keypoints = read_keypoints(arguments.keypoints)
    failed = edit_portraits(editor, portraits, keypoints, arguments.strength, arguments.steps, detect)
    for failure in (*unlisted, *failed):
        print(f"edit: {failure.name}: {failure.reason}", file=sys.stderr)
    print(f"{len(portraits) - len(failed)} of {len(portraits) + len(unlisted)} edited into {arguments.out}")
    return 1 if unlisted or failed else 0
