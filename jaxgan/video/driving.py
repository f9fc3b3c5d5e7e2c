"""A portrait that moves as a clip does, and a clip whose face is changed."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from jaxgan.errors import InputError
from jaxgan.faces.fit import ANGLES, EXPRESSION, fit_model
from jaxgan.faces.retarget import retarget
from jaxgan.faces.target import Target
from jaxgan.photos.opened import OpenPhoto
from jaxgan.video.frames import Frame
from jaxgan.video.tracking import Track

if TYPE_CHECKING:
    from jaxgan.editor import Editor

SEEN = 6  # frames of a clip that its person's generator is tuned to


def choose_reference(own: np.ndarray, track: Track) -> np.ndarray:
    """For each scene of a clip the frame that is most like a face with landmarks `own` [68, 2] (Siarohin et al. 2019).

    Returns:
      Numbers of frames [T]: that of its scene for each frame.
    """
    deviations = np.array([deviation for group in (EXPRESSION, ANGLES) for _, deviation in group.values()])
    moved = [
        np.concatenate([each.expression, each.angles], axis=1) for each in (fit_model(own[None]), fit_model(track.keypoints))
    ]
    away = np.square((moved[1] - moved[0]) / deviations).sum(axis=1)
    away[~track.found] = np.inf
    chosen = np.empty(len(away), int)
    for shot in np.unique(track.shots):
        rows = np.flatnonzero(track.shots == shot)
        chosen[rows] = rows[np.argmin(away[rows])]
    return chosen


def driven(opened: OpenPhoto, track: Track, reference: int | None = None, absolute: bool = False) -> Iterator[np.ndarray]:
    """The photograph for each frame of a clip, with the face moved as the clip's.

    What is applied is the change from a reference frame, so that the photograph's expression is kept where the clip's is that
    of the reference, and neither person's bones matter.

    Args:
      opened: the photograph.
      track: the clip's face.
      reference: number of the frame that leaves the photograph as it is; None for one a scene, by `choose_reference`.
      absolute: whether to take pose and expression as they are instead.

    Raises:
      InputError: no such frame.
    """
    count = len(track.keypoints)
    if reference is not None and not 0 <= reference < count:
        raise InputError(f"reference {reference}: the clip has frames 0 to {count - 1}")
    own = np.broadcast_to(opened.own, track.keypoints.shape)
    if absolute:
        wanted = retarget(own, track.keypoints)
    else:
        rows = choose_reference(opened.own, track) if reference is None else np.full(count, reference)
        wanted = retarget(own, track.keypoints, track.keypoints[rows])
    for points in wanted:
        yield opened.edit(points)


def personal_editor(editor: "Editor", frames: Iterable[Frame], track: Track) -> "Editor":
    """An editor tuned to the person of a clip, by a few frames spread over it."""
    seen = np.flatnonzero(track.found)
    chosen = set(seen[np.linspace(0, len(seen) - 1, min(SEEN, len(seen))).astype(int)])
    portraits = []
    for index, frame in enumerate(frames):
        if index in chosen:
            portraits.append(editor.align(frame.image, track.keypoints[index])[0])
    return editor.personalise(np.stack(portraits))


def changed(editor: "Editor", frames: Iterable[Frame], track: Track, target: Target) -> Iterator[np.ndarray]:
    """The frames of a clip with the same change of its face in all; where the face is lost they stay as they are."""
    for frame, points, found in zip(frames, track.keypoints, track.found, strict=True):
        if not found:
            yield frame.image
            continue
        opened = OpenPhoto(editor, frame.image, points)
        yield opened.edit_to(target)[0]
