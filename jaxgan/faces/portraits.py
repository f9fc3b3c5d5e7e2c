"""Procedural portraits with exact landmarks: any number, any resolution, decided by a seed.

Who is drawn and how the head is held are separate inputs, so the true picture of "this person with those landmarks"
exists: `truth` draws it, which no set of photographs can.
"""

import re
from collections.abc import Sequence

import numpy as np

from jaxgan.faces.parameters import Identity, Pose, sample_identities, sample_poses
from jaxgan.faces.renderer import render_portraits

__all__ = [
    "Identity", "Pose", "parse_record_name", "portraits", "poses", "record_name", "render", "sample_identities", "sample_poses",
    "truth",
]  # fmt: skip

_RECORD_NAME = re.compile(r"procedural/(0|[1-9]\d*)/(0|[1-9]\d*)", re.ASCII)


def render(identity: Identity, pose: Pose, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws person i in pose i.

    Args:
      identity: N people.
      pose: N poses.
      resolution: R, height and width of the pictures in pixels; a power of two from 8 on.

    Returns:
      (uint8 [N, R, R, 3] sRGB pictures, float32 [N, 68, 2] iBUG-68 landmarks, (x, y) in pixels, pixel centres at
      integer + 0.5).

    Raises:
      ValueError: resolution is not a power of two of at least 8, or identity and pose differ in N.
    """
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two of at least 8, got {resolution}")
    count = len(pose.yaw)
    for name, field in (*identity._asdict().items(), *pose._asdict().items()):
        if len(field) != count:
            raise ValueError(f"{name} has {len(field)} entries where pose.yaw has {count}")
    return render_portraits(identity, pose, resolution)


def portraits(seed: int, indices: Sequence[int], resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the portraits of `indices`, each person in their own pose; see `render` for the result."""
    return render(sample_identities(seed, indices), sample_poses(seed, indices), resolution)


def truth(source: Sequence[str], target: Sequence[str], resolution: int) -> np.ndarray:
    """Draws the person of record source[i] in the pose of record target[i]: uint8 [N, R, R, 3].

    Records are named as by `record_name`; another name raises ValueError, as do lists of different lengths.
    """
    if len(source) != len(target):
        raise ValueError(f"got {len(source)} source but {len(target)} target names")
    return render(sample_identities(*_seeds_and_indices(source)), poses(target), resolution)[0]


def poses(names: Sequence[str]) -> Pose:
    """The poses of records named as by `record_name`; another name raises ValueError."""
    return sample_poses(*_seeds_and_indices(names))


def _seeds_and_indices(names: Sequence[str]) -> tuple[list[int], list[int]]:
    keys = [parse_record_name(name) for name in names]
    return [seed for seed, _ in keys], [index for _, index in keys]


def record_name(seed: int, index: int) -> str:
    """Name of a procedural portrait in a data set."""
    return f"procedural/{seed}/{index}"


def parse_record_name(name: str) -> tuple[int, int]:
    """(seed, index) of a name made by `record_name`; ValueError for any other."""
    match = _RECORD_NAME.fullmatch(name)
    if not match:
        raise ValueError(f"not a procedural portrait (procedural/SEED/INDEX): {name!r}")
    return int(match[1]), int(match[2])
