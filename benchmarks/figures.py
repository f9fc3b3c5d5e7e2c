"""The figures of README.md and of docs/identity.md, retargeting.md and photos.md, of portraits chosen by their names alone.

    python benchmarks/figures.py --portraits A.zip B.zip --out docs

Of each archive the first six pictures with a face are taken. Each is edited to the pose and expression of the next one, and the
first picture of the last archive by each control. The teaser is of docs/examples. Whole photographs are each tenth of the first
archive, each with one control changed, and the first two of the last one smiling.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from jaxgan import Editor
from jaxgan.data.detection import load_detector
from jaxgan.data.images import decode_image, encode_png, read_image, resample
from jaxgan.data.sources import open_source
from jaxgan.evaluation.figure import tile
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.retarget import retarget
from jaxgan.photos.writing import encode
from jaxgan.runtime import atomic_write, keep_compiled

EACH = 6
TURN = 20  # degrees
TENTH, SHOWN = 10, 256  # every tenth photograph, shown with so many pixels
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
    for name, picture in pictures.items():
        with atomic_write(args.out / name) as file:
            file.write(encode_png(picture))
    source, target = (read_image(EXAMPLES / f"{name}.jpg") for name in ("source", "target"))
    teaser = [source, target, editor.edit_photo(source, target), editor.edit_photo(source, {"yaw": TURN, "smile": 0.5})]
    for name, rows in {"teaser.jpg": [teaser], "photos.jpg": photographs(editor, args.portraits)}.items():
        with atomic_write(args.out / name) as file:
            file.write(encode(tile(np.stack([np.stack(row) for row in rows])), "jpeg"))


def photographs(editor: Editor, archives: list[str]) -> list[list[np.ndarray]]:
    """Rows of photographs and, below each, what became of them."""
    first, last = (open_source(archive) for archive in (archives[0], archives[-1]))
    names = [*CONTROLS] * 2
    chosen = [
        (first.read(file), {name: VALUES.get(name, 0.8)}) for file, name in zip(first.files[::TENTH], names, strict=False)
    ]
    chosen += [(last.read(file), {"smile": 0.8}) for file in last.files[:4:2]]
    pairs = []
    for data, change in chosen:
        photo = decode_image(data)
        pairs.append([resample(each, SHOWN, SHOWN) for each in (photo, editor.edit_photo(photo, change))])
    half = len(pairs) // 2
    return [[pair[which] for pair in part] for part in (pairs[:half], pairs[half:]) for which in (0, 1)]


if __name__ == "__main__":
    main()
