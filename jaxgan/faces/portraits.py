"""Procedural portraits with exact landmarks, in any number and at any resolution, determined by a seed.

Identity and pose are separate inputs, so that, unlike for photographs, a true picture of one person with another's landmarks
exists; `truth` draws it.
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
      resolution: R, height and width of the pictures in pixels; a power of two of at least 8.

    Returns:
      Pictures uint8 [N, R, R, 3], sRGB, and iBUG-68 landmarks float32 [N, 68, 2], (x, y) in pixels with pixel centres at
      integer + 0.5.

    Raises:
      ValueError: resolution is not a power of two of at least 8, or identity and pose differ in N.
    """
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two of at least 8, got {resolution}")
    count = len(pose.yaw)
    for name, field in (*identity._asdict().items(), *pose._asdict().items()):
        if len(field) != count:
            raise ValueError(f"{name} has {len(field)} entries, but pose.yaw has {count}")
    return render_portraits(identity, pose, resolution)


def portraits(seed: int, indices: Sequence[int], resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the portraits of `indices`, each person in their own pose; the result is that of `render`."""
    return render(sample_identities(seed, indices), sample_poses(seed, indices), resolution)


def truth(source: Sequence[str], target: Sequence[str], resolution: int) -> np.ndarray:
    """Draws the person of record source[i] in the pose of record target[i].

    Args:
      source: N names made by `record_name`.
      target: the same.
      resolution: R, as for `render`.

    Returns:
      uint8 [N, R, R, 3].

    Raises:
      ValueError: a name was not made by `record_name`, or the numbers of names differ.
    """
    if len(source) != len(target):
        raise ValueError(f"got {len(source)} source but {len(target)} target names")
    return render(sample_identities(*_seeds_and_indices(source)), poses(target), resolution)[0]


def poses(names: Sequence[str]) -> Pose:
    """The poses of records by their names.

    Raises:
      ValueError: a name was not made by `record_name`.
    """
    return sample_poses(*_seeds_and_indices(names))


def _seeds_and_indices(names: Sequence[str]) -> tuple[list[int], list[int]]:
    keys = [parse_record_name(name) for name in names]
    return [seed for seed, _ in keys], [index for _, index in keys]


def record_name(seed: int, index: int) -> str:
    """Name of a procedural portrait in a dataset."""
    return f"procedural/{seed}/{index}"


def parse_record_name(name: str) -> tuple[int, int]:
    """The (seed, index) of a name.

    Raises:
      ValueError: the name was not made by `record_name`.
    """
    match = _RECORD_NAME.fullmatch(name)
    if not match:
        raise ValueError(f"not a procedural portrait (procedural/SEED/INDEX): {name!r}")
    return int(match[1]), int(match[2])
