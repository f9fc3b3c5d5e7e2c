"""What each control of a face does to the edited picture, as a detector sees it.

    python benchmarks/controls.py --data_dir data --dataset faces --num 40

Each portrait of the test split is edited with one control at five values. Landmarks are detected in the results, and the model
is fitted to them again. `gain` is the change found for one of what was asked for; `monotone` the share of portraits in which
every further value is found further than the one before, to within a twentieth of the range; cross-talk the largest change of
another control, as a share of its range, while this one goes through its whole range.
"""

import argparse
import itertools

import numpy as np

from jaxgan import Editor
from jaxgan.data.detection import detect_landmarks
from jaxgan.evaluation.portraits import load_test_split
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.runtime import keep_compiled

STEPS = np.linspace(-1, 1, 5)


def reach(name: str) -> float:
    """The change of a control that the table calls 1: degrees for poses."""
    control = CONTROLS[name]
    return 0.7 * control.high if name in ("yaw", "pitch", "roll") else 0.7


def values(keypoints: np.ndarray) -> np.ndarray:
    """Values of all controls [N, 7], in units of `reach`."""
    found = fit(keypoints).values
    return np.stack([found[name] / reach(name) for name in CONTROLS], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, help="dataset whose test split is used")
    parser.add_argument("--workdir", help="folder of a trained editor; default: the package's own")
    parser.add_argument("--num", type=int, default=40, help="portraits; default: %(default)s")
    args = parser.parse_args()
    keep_compiled()
    editor = Editor.load(args.workdir) if args.workdir else Editor.pretrained()
    images, points, *_ = load_test_split(args.data_dir, args.dataset, editor.framing, editor.resolution, args.num).portraits
    latents, face, names = editor.invert(images), fit(points), [*CONTROLS]
    print("| control | range asked for | gain in landmarks | gain in the picture | monotone | largest cross-talk | not found |")
    print("|---|---|---|---|---|---|---|")
    for emphasise, (place, name) in itertools.product((False, True), enumerate(names)):
        if emphasise and CONTROLS[name].emphasis == 1:
            continue
        asked, seen = [], []
        for step in STEPS:
            change = {name: step * reach(name)}
            wanted = editor.place(face.adjust(emphasise, **change))
            made = editor.render(editor.edit_latents(images, wanted, latents))
            found = detect_landmarks(made, "dlib")
            asked.append(values(wanted))
            seen.append(values(np.stack([own if each is None else each for own, each in zip(points, found, strict=True)])))
            seen[-1][[each is None for each in found]] = np.nan
        asked, seen = np.array(asked), np.array(seen)  # [steps, N, controls]
        complete = np.isfinite(seen).all(axis=(0, 2))
        slopes = [np.polyfit(STEPS, each[:, complete, place].mean(axis=1), 1)[0] for each in (asked, seen)]
        monotone = (np.diff(seen[:, complete, place], axis=0) > -0.1).all(axis=0).mean()
        others = np.abs(np.polyfit(STEPS, seen[:, complete].mean(axis=1), 1)[0])
        others[place] = 0
        worst = int(others.argmax())
        unit = "degrees" if name in ("yaw", "pitch", "roll") else ""
        span = f"-{reach(name):.3g} to {reach(name):.3g} {unit}"
        label, crosstalk = name + (", emphasised" if emphasise else ""), f"{others[worst]:.2f} ({names[worst]})"
        missing = np.isnan(seen).any(axis=2).mean()
        cells = [label, span, f"{slopes[0]:.2f}", f"{slopes[1]:.2f}", f"{monotone:.0%}", crosstalk, f"{missing:.0%}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
