"""Edits put back into photographs, measured there: pose, bones, seams, identity, and how far controls are followed.

    python benchmarks/pasted.py --portraits portraits.zip --people 200

Portraits are taken in the order of their names, one a person where names say who it is (before the first "_"). Each gets the
pose and expression of the next, and each control in turn. All is measured by dlib in the pasted photographs.
"""

import argparse
import warnings

import numpy as np

from jaxgan import Editor
from jaxgan.data.detection import load_detector
from jaxgan.data.images import decode_image
from jaxgan.data.sources import open_source
from jaxgan.errors import InputError
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.fit import fit_model
from jaxgan.faces.target import Target
from jaxgan.photos.finding import find_faces
from jaxgan.photos.opened import OpenPhoto
from jaxgan.runtime import keep_compiled

ASKED = {"yaw": 15, "pitch": 8, "roll": 8}  # degrees, either way; 0.6 for expressions
WIDEST = ("jaw", 3, 13)  # landmarks of the jaw whose distance is its width


def landmarks(detect, photo: np.ndarray) -> np.ndarray | None:
    faces = find_faces(detect, photo)
    return faces[0].keypoints if faces else None


def eyes(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))


def jaw(points: np.ndarray) -> float:
    """The jaw's width in distances of the eyes."""
    return float(np.linalg.norm(points[WIDEST[1]] - points[WIDEST[2]])) / eyes(points)


def degrees(points: np.ndarray) -> np.ndarray:
    return np.degrees(fit_model(points[None]).angles[0])


def steepness(before: np.ndarray, after: np.ndarray) -> float:
    """How much steeper the picture is where the change begins than it was."""
    changed = (before != after).any(axis=-1)
    ratios = []
    for axis in (0, 1):
        edge = np.diff(changed, axis=axis)
        steps = [np.abs(np.diff(each.astype(float).mean(axis=-1), axis=axis))[edge].mean() for each in (before, after)]
        ratios.append((steps[1] + 1) / (steps[0] + 1))
    return float(np.mean(ratios))


def opened_portraits(editor: Editor, archive: str, people: int) -> list[OpenPhoto]:
    source, seen, made = open_source(archive), set(), []
    for file in source.files:
        person = file.split("/")[-1].split("_")[0]
        if person in seen or len(made) == people:
            continue
        try:
            made.append(editor.open_photo(decode_image(source.read(file))))
        except InputError:
            continue
        seen.add(person)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", required=True)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--editor", help="folder; default: the package's")
    args = parser.parse_args()
    keep_compiled()
    warnings.simplefilter("ignore")  # of controls that leave the known range
    editor = Editor.load(args.editor) if args.editor else Editor.pretrained()
    detect, photos = load_detector("dlib"), opened_portraits(editor, args.portraits, args.people)
    rows, lost = [], 0
    for photo, other in zip(photos, photos[1:] + photos[:1], strict=True):
        points, _ = Target(other.own).wanted(photo.own)
        made = photo.edit(points)
        found, wanted = landmarks(detect, made), photo.crop.restore(points, editor.resolution)
        if found is None:
            lost += 1
            continue
        rows.append(
            [
                np.abs(degrees(found) - degrees(wanted)).mean(),
                np.abs(degrees(photo.keypoints) - degrees(wanted)).mean(),
                abs(jaw(found) / jaw(wanted) - 1),
                abs(jaw(other.keypoints) / jaw(wanted) - 1),
                np.linalg.norm(found - wanted, axis=1).mean() / eyes(wanted),
                np.linalg.norm(photo.keypoints - wanted, axis=1).mean() / eyes(wanted),
                steepness(photo.pixels, made),
            ]
        )
    pose, before, jaws, theirs, error, unedited, seams = np.mean(rows, axis=0)
    print(f"{len(photos)} portraits, each to the next one's pose and expression; no face found in {lost}\n")
    print("| | edited | unedited source |\n|---|---|---|")
    print(f"| error of the head's angles, degrees | {pose:.1f} | {before:.1f} |")
    print(f"| landmark error | {error:.3f} | {unedited:.3f} |")
    print(f"| jaw's width in distances of the eyes, off the source's bones | {jaws:.1%} | {theirs:.1%} (target's) |")
    print(f"| steepness where the change begins, of what it was | {seams:.2f} | 1 |\n")

    print("| control | asked for | gain in the photograph | monotone | largest cross-talk | lost |\n|---|---|---|---|---|---|")
    for name in CONTROLS:
        asked = ASKED.get(name, 0.6)
        values = []
        for photo in photos[: args.people // 2]:
            edits = (photo.edit_to(Target(controls={name: sign * asked}))[0] for sign in (-1, 1))
            changes = [landmarks(detect, edit) for edit in edits]
            values.append([None if each is None else fit(each).values for each in changes])
        known = [pair for pair in values if None not in pair]
        moved = {other: np.array([high[other] - low[other] for low, high in known]) for other in CONTROLS}
        ranges = {other: (CONTROLS[other].high - CONTROLS[other].low) if other in ASKED else 2.0 for other in CONTROLS}
        share = {other: abs(moved[other].mean()) / ranges[other] for other in CONTROLS}
        most = max((other for other in CONTROLS if other != name), key=share.get)
        unit = "degrees" if name in ASKED else ""
        print(
            f"| {name} | -{asked} to {asked} {unit} | {moved[name].mean() / (2 * asked):.2f} | {np.mean(moved[name] > 0):.0%} "
            f"| {share[most] / share[name]:.0%} of its own ({most}) | {len(values) - len(known)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
