"""The figures of README.md, docs/identity.md and docs/retargeting.md, of portraits chosen by their names alone.

    python benchmarks/figures.py --portraits A.zip B.zip --out docs

Of each archive the first six pictures with a face are taken. Each is edited to the pose and expression of the next one, and the
first picture of the last archive by each control. The teaser is of docs/examples.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from jaxgan import Editor
from jaxgan.data.detection import load_detector
from jaxgan.data.images import decode_image, encode_png, read_image
from jaxgan.data.sources import open_source
from jaxgan.evaluation.figure import tile
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.retarget import retarget
from jaxgan.runtime import atomic_write, keep_compiled

EACH = 6
TURN = 25  # degrees
EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
VALUES = {"yaw": 20, "pitch": 12, "roll": 12}  # degrees; 0.8 for expressions


def faces(editor: Editor, archive: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first portraits of an archive in which a face is found, and their landmarks."""
    source, detect = open_source(archive), load_detector("dlib")
    pictures = (decode_image(source.read(file)) for file in source.files)
    found = ((picture, detect(picture)) for picture in pictures)
    return list(itertools.islice((editor.align(picture, each[0].keypoints) for picture, each in found if each), EACH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", nargs="+", required=True, help="folders or ZIP archives of photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    args = parser.parse_args()
    keep_compiled()
    editor = Editor.pretrained()
    chosen = [each for archive in args.portraits for each in faces(editor, archive)]
    images, points = (np.stack(each) for each in zip(*chosen, strict=True))
    wanted = editor.place(retarget(points, np.roll(points, -1, axis=0)))
    rows = [images, np.roll(images, -1, axis=0), editor.edit(images, wanted), editor.edit(images, wanted, personal=True)]
    pictures = {"identity.png": tile(np.stack(rows, axis=1))}

    image, own = chosen[-EACH]
    person, face = editor.personalise(image), fit(own)
    cells = []
    for name in CONTROLS:
        value = VALUES.get(name, 0.8)
        targets = np.stack([editor.place(face.adjust(emphasise=True, **{name: change})) for change in (-value, 0, value)])
        cells.append(person.edit(np.repeat(image[None], 3, axis=0), targets))
    pictures["controls.png"] = tile(np.stack(cells, axis=1))
    photographs = [read_image(EXAMPLES / f"{name}.jpg") for name in ("source", "target")]
    (portrait, own), (_, theirs) = (editor.align(each, load_detector("dlib")(each)[0].keypoints) for each in photographs)
    person, wanted = editor.personalise(portrait), [retarget(own, theirs), fit(own).adjust(emphasise=True, yaw=TURN)]
    edits = person.edit(np.repeat(portrait[None], 2, axis=0), editor.place(np.stack(wanted)))
    large = edits.repeat(4, axis=1).repeat(4, axis=2)
    pictures["teaser.png"] = tile(np.stack([*photographs, *large])[None])
    for name, picture in pictures.items():
        with atomic_write(args.out / name) as file:
            file.write(encode_png(picture))


if __name__ == "__main__":
    main()
