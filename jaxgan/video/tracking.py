"""Following a face through a clip: its landmarks in each frame, where it is lost, and where the picture cuts."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from jaxgan.data.detection import Detector, Face
from jaxgan.data.images import resample
from jaxgan.data.shape import place
from jaxgan.errors import InputError
from jaxgan.photos.finding import find_reduced
from jaxgan.video.frames import Frame
from jaxgan.video.smoothing import smooth_faces

SEARCHED_SIDE = 640  # px; larger frames are reduced to this
CUT = 0.12  # mean difference of two frames' thumbnails, of the full range, from which on they are of two scenes


class Track(NamedTuple):
    """A face through T frames."""

    keypoints: np.ndarray  # float32 [T, 68, 2], smoothed, pixels of the frames
    times: np.ndarray  # [T], seconds
    starts: np.ndarray  # [T], in time bases of the clip
    found: np.ndarray  # bool [T]; elsewhere the face is held as it was
    shots: np.ndarray  # int [T], number of the scene


def track(frames: Iterable[Frame], detect: Detector, progress: Callable[[], None] = lambda: None) -> Track:
    """Finds the face in each frame: at first the largest, then the one closest to where it was.

    Raises:
      InputError: there is no frame, or a face in none.
    """
    found, times, starts, shots, before, last = [], [], [], [], None, None
    for frame in frames:
        thumbnail = resample(frame.image, 32, 32, "box").astype(np.float32) / 255
        cut = before is not None and float(np.abs(thumbnail - before).mean()) > CUT
        before = thumbnail
        shots.append(shots[-1] + cut if shots else 0)
        seen = _nearest(_faces(detect, frame.image), None if cut else last)
        last = seen if seen is not None or cut else last
        found.append(seen)
        times.append(frame.time)
        starts.append(frame.start)
        progress()
    there = np.array([each is not None for each in found], bool)
    if not there.any():
        raise InputError("no face found in any frame" if found else "no frames")
    known = np.flatnonzero(there)
    at = np.arange(len(found))
    held = known[np.clip(np.searchsorted(known, at, side="right") - 1, 0, None)]  # the last one seen, at first the first
    points, shots, times = np.stack([found[index] for index in held]), np.array(shots), np.array(times)
    for shot in np.unique(shots):
        rows = shots == shot
        points[rows] = smooth_faces(points[rows], times[rows])
    return Track(points, times, np.array(starts), there, shots)


def _faces(detect: Detector, image: np.ndarray) -> list[Face]:
    return [face for face in find_reduced(detect, image, SEARCHED_SIDE) if not face.weak]


def _nearest(faces: list[Face], last: np.ndarray | None) -> np.ndarray | None:
    if last is None or not faces:
        return faces[0].keypoints if faces else None
    return min((face.keypoints for face in faces), key=lambda points: float(np.linalg.norm(place(points)[0] - place(last)[0])))
