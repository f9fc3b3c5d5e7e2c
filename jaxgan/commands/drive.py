"""Moves a portrait as a clip does, or changes the face of a clip.

jaxgan drive --source me.jpg --driver clip.mp4 --out out.mp4
jaxgan drive --source clip.mp4 --set smile=0.5 --out out.mp4

Frame rate, number of frames and sound are those of the clip. With --driver the change from a reference frame is applied, by
default the frame that is most like the portrait. GIF and WebP need nothing more, other clips `pip install "jaxgan[video]"`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jaxgan.checkpoints import DEFAULT, shipped
from jaxgan.commands.flags import whole
from jaxgan.commands.main import command
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS, load_detector
from jaxgan.data.images import on_white, read_image, resample
from jaxgan.editor import Editor
from jaxgan.errors import InputError
from jaxgan.faces.target import Target, parse_controls
from jaxgan.runtime import atomic_write, keep_compiled
from jaxgan.video.driving import changed, driven, personal_editor
from jaxgan.video.frames import ANIMATIONS, Clip, Writer, check_output
from jaxgan.video.tracking import Track, track

LARGEST_SIDE = 1920  # px; larger portraits are reduced to this


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jaxgan drive", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", required=True, type=Path, help="a portrait, with --driver; a clip, with --set")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--driver", type=Path, metavar="CLIP", help="clip whose face the portrait is to follow")
    how.add_argument("--set", nargs="+", metavar="NAME=NUMBER", help="changes of the clip's face, as in `jaxgan edit`")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="clip to write: .mp4, .mov, .mkv, .gif, .webp")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is already there")
    parser.add_argument("--reference", type=whole, metavar="N", help="frame of the driver that leaves the portrait as it is")
    parser.add_argument("--absolute", action="store_true", help="take the driver's pose and expression as they are")
    parser.add_argument("--side_by_side", action="store_true", help="show the driver, or the clip as it was, on the left")
    parser.add_argument("--personal", action="store_true", help="tune the generator to the person first: a little more alike")
    parser.add_argument("--face", type=whole, metavar="N", help="face of the portrait, from 0, the largest first")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=DETECTORS, help="landmarks; default: %(default)s")
    parser.add_argument("--no-mark", action="store_true", help="leave out the note in the file that it is edited")
    parser.add_argument("--workdir", default=shipped(DEFAULT), metavar="DIR", help="folder of a trained editor")
    return parser.parse_args(argv)


@command("drive")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    args = parse_args(argv)
    check_output(args.out)
    if args.out.resolve() in {each.resolve() for each in (args.source, args.driver) if each}:
        raise InputError(f"{args.out} is an input and would be overwritten: choose another --out")
    if args.out.exists() and not args.overwrite:
        raise InputError(f"{args.out} is already there: choose another --out, or --overwrite")
    if args.set and (args.absolute or args.reference is not None or args.face is not None):
        raise InputError("--reference, --absolute and --face go with --driver")
    controls = parse_controls(args.set or ())
    clip = Clip(args.driver or args.source)
    if args.reference is not None and clip.count and args.reference >= clip.count:
        raise InputError(f"--reference {args.reference}: the clip has frames 0 to {clip.count - 1}")
    pixels = None if args.set else on_white(read_image(args.source))
    keep_compiled()
    editor = Editor.load(args.workdir)
    opened = None if pixels is None else editor.open_photo(_reduced(pixels), args.face, args.detector)
    with tqdm(total=clip.count, desc="find faces", unit="frame") as bar:
        found = track(clip, load_detector(args.detector), bar.update)
    if opened:
        _remark(args.source, opened.remarks)
        if args.personal:
            opened.personalise()
        made = driven(opened, found, args.reference, args.absolute)
    else:
        editor = personal_editor(editor, clip, found) if args.personal else editor
        made = changed(editor, clip, found, Target(controls=controls))
    _remark(clip.path, _remarks(args, found))
    _write(args, clip, found, made)
    print(f"{len(found.found)} frame{'s' if len(found.found) > 1 else ''} into {args.out}")
    return 0


def _reduced(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    return resample(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _remarks(args: argparse.Namespace, found: Track) -> list[str]:
    lost, count, scenes = int((~found.found).sum()), len(found.found), int(found.shots.max()) + 1
    remarks = []
    if lost:
        what = "held as it was before" if args.driver else "these stay as they are"
        remarks.append(f"no face found in {lost} of {count} frames; {what}")
    if scenes > 1 and args.driver and args.reference is None and not args.absolute:
        remarks.append(f"{scenes} scenes, each with a reference of its own")
    if count == 1:
        remarks.append("a still picture; `jaxgan edit` edits these")
    return remarks


def _remark(path: Path, remarks: Sequence[str]) -> None:
    for remark in remarks:
        print(f"drive: {path}: {remark}", file=sys.stderr)


def _write(args: argparse.Namespace, clip: Clip, found: Track, made: Iterator[np.ndarray]) -> None:
    """Writes the frames; the file has its name only once it is whole."""
    even = args.out.suffix.lower() not in ANIMATIONS
    frames = iter(clip) if args.side_by_side else None
    writer = None
    with atomic_write(args.out) as file, tqdm(total=len(found.starts), desc="edit", unit="frame") as bar:
        for image, start in zip(made, found.starts, strict=True):
            if frames:
                image = _beside(next(frames).image, image)
            if even:  # videos store colours for two by two pixels
                image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
            if writer is None:
                writer = Writer(file, args.out, image.shape[1::-1], clip, not args.no_mark)
            writer.write(image, int(start))
            bar.update()
        writer.close()


def _beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two pictures side by side, the left one as high as the right one."""
    height = right.shape[0]
    return np.concatenate([resample(left, max(1, round(left.shape[1] * height / left.shape[0])), height), right], axis=1)
