"""Retargeting of landmarks: the pose and expression of one face on the bones of another.

A target's landmarks bring its jaw and proportions along with its pose, so an edit to them looks like somebody else. Retargeted
ones are those of the source's face, had it the target's pose and expression:

    y = P(bones of s, expression of t, pose of t) + A (s - P(bones of s, expression of s, pose of s)),

where P is the model of `jaxgan.faces.fit`, and A turns what the model cannot express of the source by the change of roll. Size
and place are the source's. Own landmarks come back exactly.
"""

from collections.abc import Collection

import numpy as np

from jaxgan.data.arrays import as_keypoints
from jaxgan.data.shape import turned
from jaxgan.errors import InputError
from jaxgan.faces.fit import ANGLES, EXPRESSION, Fit, fit_model, project

# part of a face -> what moves it
PARTS = {
    "pose": (*ANGLES,),
    "mouth": ("jaw", "smile", "mouth_side", "smile_side", "mouth_wide", "upper_lip_up", "lower_lip_down"),
    "eyes": ("blink", "blink_side"),
    "brows": ("brow_raise", "brow_frown", "brow_side"),
}
LIPS = slice(48, 68)
# Share of what the model cannot express of the target's lips that is taken along: in them more is expression than bones.
LIPS_SHARE = 0.6


def retarget(
    source_keypoints: np.ndarray,
    target_keypoints: np.ndarray,
    reference: np.ndarray | None = None,
    parts: Collection[str] = (*PARTS,),
) -> np.ndarray:
    """Landmarks of the sources' faces with the pose and expression of the targets'.

    Args:
      source_keypoints: [N, 68, 2] or [68, 2], (x, y) in pixels of any picture.
      target_keypoints: as many, or [68, 2] for all; in pixels of any other picture.
      reference: landmarks of the target's person, as `target_keypoints`, that are to leave the source as it is: then the change
        from them to the target is applied (Siarohin et al. 2019), and the target's bones do not matter. None takes the target's
        pose and expression as they are.
      parts: what to take from the target, of PARTS; the rest stays as in the source.

    Returns:
      float32, of the shape of source_keypoints, in its pixels, at the size and place of the source.

    Raises:
      ValueError: another shape, values that are not finite, or an unknown part.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise InputError(f"unknown part {', '.join(map(repr, unknown))}; known: {', '.join(PARTS)}")
    single = np.ndim(source_keypoints) == 2
    count = 1 if single else len(source_keypoints)
    sources, targets = as_keypoints(source_keypoints, count), as_keypoints(target_keypoints, count)
    before = None if reference is None else as_keypoints(reference, count)
    if not count:
        return sources
    source, target = fit_model(sources), _fit(target_keypoints, count)
    neutral = source if reference is None else _fit(reference, count)
    moved = [name for part in parts for name in PARTS[part]]
    wanted = source
    for field, names in (("expression", EXPRESSION), ("angles", ANGLES)):
        chosen = np.isin([*names], moved)
        change = getattr(target, field) - getattr(neutral, field)
        wanted = wanted._replace(**{field: getattr(source, field) + np.where(chosen, change, 0)})
    unlike = sources - project(source)
    if "mouth" in parts:
        theirs = (targets - project(target)) * (source.scale / target.scale)[:, None, None]
        if before is None:
            own = unlike
        else:
            own = (before - project(neutral)) * (source.scale / neutral.scale)[:, None, None]
        unlike[:, LIPS] += LIPS_SHARE * (theirs - own)[:, LIPS]
    made = project(wanted) + turned(unlike, (wanted.angles - source.angles)[:, 2:])
    return made[0] if single else made


def _fit(keypoints: np.ndarray, count: int) -> Fit:
    """The fit of landmarks [count, 68, 2], or, once, that of one face [68, 2] for all."""
    found = fit_model(as_keypoints(keypoints, 1) if np.ndim(keypoints) == 2 else as_keypoints(keypoints, count))
    return Fit(*(np.broadcast_to(field, (count, *field.shape[1:])) for field in found))
