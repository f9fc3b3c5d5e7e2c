"""How well edits keep the person, against true pictures: two frames of one clip are the source and what its edit should be.

    python benchmarks/identity.py --clips clips.zip --num 24

`--clips` is a folder or ZIP archive of images named PERSON_CLIP_FRAME.*; of each person the first clip of a shuffled list
counts, and of its frames the two whose landmarks differ most.
"""

import argparse
import random
import time
from collections import defaultdict
from itertools import combinations
from pathlib import PurePosixPath

import numpy as np

from jaxgan import Editor
from jaxgan.data.detection import load_detector
from jaxgan.data.images import decode_image
from jaxgan.data.landmarks import LEFT_EYE, RIGHT_EYE
from jaxgan.data.sources import open_source
from jaxgan.errors import InputError
from jaxgan.evaluation.edits import aligned_face
from jaxgan.evaluation.metrics.descriptors import CHIP, load_dlib
from jaxgan.evaluation.metrics.identity import cosine
from jaxgan.runtime import keep_compiled

Portrait = tuple[np.ndarray, np.ndarray]  # image uint8 [R, R, 3] and landmarks float32 [68, 2]


def pairs(source, editor: Editor, detect, num: int) -> list[tuple[Portrait, Portrait]]:
    """Source and true frame of `num` people."""
    clips = defaultdict(list)
    for file in source.files:
        person, clip, _ = PurePosixPath(file).stem.split("_")
        clips[person, clip].append(file)
    order = sorted(clips)
    random.Random(0).shuffle(order)
    found: dict[str, tuple[Portrait, Portrait]] = {}
    for person, clip in order:
        if person in found:
            continue
        frames = []
        for file in clips[person, clip]:
            image = decode_image(source.read(file))
            try:
                frames += [editor.align(image, face.keypoints) for face in detect(image)[:1]]
            except InputError:
                continue
        if len(frames) > 1:
            found[person] = max(combinations(frames, 2), key=lambda pair: np.abs(pair[0][1] - pair[1][1]).mean())
        if len(found) == num:
            break
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", required=True, help="folder or ZIP archive of PERSON_CLIP_FRAME images")
    parser.add_argument("--workdir", help="folder of a trained editor; default: the package's own")
    parser.add_argument("--num", type=int, default=24, help="people; default: %(default)s")
    args = parser.parse_args()
    keep_compiled()
    editor = Editor.load(args.workdir) if args.workdir else Editor.pretrained()
    detect, network = load_detector("dlib"), load_dlib()
    made = pairs(open_source(args.clips), editor, detect, args.num)
    sources = np.stack([image for (image, _), _ in made])
    truths, targets = (np.stack([true[part] for _, true in made]) for part in (0, 1))

    def landmarks(images: np.ndarray) -> np.ndarray:
        return np.stack([next((face.keypoints for face in detect(image)), np.full((68, 2), np.nan)) for image in images])

    def descriptors(images: np.ndarray, found: np.ndarray) -> np.ndarray:
        known = np.where(np.isnan(found), targets, found)
        return np.array([network(aligned_face(*each, CHIP)) for each in zip(images, known, strict=True)])

    of_sources, of_truths = (descriptors(images, landmarks(images)) for images in (sources, truths))
    mean = np.concatenate([of_sources, of_truths]).mean(axis=0)
    eyes = np.linalg.norm(targets[:, LEFT_EYE].mean(axis=1) - targets[:, RIGHT_EYE].mean(axis=1), axis=1)
    editor.edit(sources[:1], targets[:1], personal=True)  # compiles
    print("| | identity to the source | to the true frame | squared error to it | landmark error | undetected | s each |")
    print("|---|---|---|---|---|---|---|")
    for name, edit in (
        ("source, unedited", lambda: sources),
        ("true frame", lambda: truths),
        ("edit", lambda: editor.edit(sources, targets)),
        ("personal edit", lambda: editor.edit(sources, targets, personal=True)),
    ):
        began = time.perf_counter()
        images = edit()
        seconds = (time.perf_counter() - began) / len(sources)
        found = landmarks(images)
        described = descriptors(images, found)
        likeness = [cosine(described - mean, other - mean).mean() for other in (of_sources, of_truths)]
        squared = np.mean((images.astype(float) - truths) ** 2) / 127.5**2
        error = np.nanmean(np.linalg.norm(found - targets, axis=2).mean(axis=1) / eyes)
        missed = np.isnan(found[:, 0, 0]).mean()
        print(
            f"| {name} | {likeness[0]:.3f} | {likeness[1]:.3f} | {squared:.4f} | {error:.3f} | {missed:.0%} | {seconds:.1f} |"
        )


if __name__ == "__main__":
    main()
