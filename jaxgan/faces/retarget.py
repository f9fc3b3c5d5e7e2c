"""Retargeting of landmarks: the pose and expression of one face on the bones of another.

A target's landmarks bring its jaw and proportions along with its pose, so an edit to them looks like somebody else. Retargeted
ones are those of the source's face, had it the target's pose and expression:

    y = P(bones of s, expression of t, pose of t) + A (s - P(bones of s, expression of s, pose of s)),

where P is the model of `jaxgan.faces.fit`, and A turns what the model cannot express of the source by the change of roll. Size
and place are the source's. Own landmarks come back exactly.
"""

from collections.abc import Collection
from typing import NamedTuple

import jax
import numpy as np

from jaxgan.data.arrays import as_keypoints
from jaxgan.data.landmarks import mirror_keypoints
from jaxgan.data.shape import turned
from jaxgan.errors import InputError
from jaxgan.faces.fit import ANGLES, EXPRESSION, Fit, fit_model, mirror_fit, project

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


class Faces(NamedTuple):
    """N faces as `transfer` takes them."""

    fit: Fit
    unlike: np.ndarray  # float32 [N, 68, 2], pixels: what the model cannot express of their landmarks

    def at(self, rows: np.ndarray, flips: np.ndarray, width: int) -> "Faces":
        """The faces of some rows [B], mirrored in pictures `width` pixels wide where flips, bool [B], says so."""
        own = jax.tree.map(lambda field: field[rows], self)
        # what the model cannot express is a difference of landmarks, which the width does not shift
        mirrored = Faces(mirror_fit(own.fit, width), mirror_keypoints(own.unlike, 0))
        return jax.tree.map(lambda a, b: np.where(flips.reshape(-1, *[1] * (a.ndim - 1)), a, b), mirrored, own)


def fit_faces(keypoints: np.ndarray, fit: Fit | None = None) -> Faces:
    """Fits faces once, for any number of transfers.

    Args:
      keypoints: [N, 68, 2], (x, y) in pixels of any pictures.
      fit: of these landmarks, where it is known from before.

    Raises:
      InputError: all landmarks of a face lie at one point.
    """
    fit = fit_model(keypoints) if fit is None else fit
    return Faces(fit, keypoints - project(fit))


def transfer(source: Faces, target: Faces, neutral: Faces | None = None, parts: Collection[str] = (*PARTS,)) -> np.ndarray:
    """The equation above: landmarks float32 [N, 68, 2] of the sources with the targets' pose and expression.

    Args:
      neutral: the faces from which the targets' changes are counted; None for the sources themselves.
      parts: as in `retarget`, all of them known.
    """
    neutral = source if neutral is None else neutral
    moved = [name for part in parts for name in PARTS[part]]
    wanted = source.fit
    for field, names in (("expression", EXPRESSION), ("angles", ANGLES)):
        chosen = np.isin([*names], moved)
        change = getattr(target.fit, field) - getattr(neutral.fit, field)
        wanted = wanted._replace(**{field: getattr(source.fit, field) + np.where(chosen, change, 0)})
    unlike = source.unlike.copy()
    if "mouth" in parts:
        theirs, before = (face.unlike * (source.fit.scale / face.fit.scale)[:, None, None] for face in (target, neutral))
        unlike[:, LIPS] += LIPS_SHARE * (theirs - before)[:, LIPS]
    return project(wanted) + turned(unlike, (wanted.angles - source.fit.angles)[:, 2:])


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
    sources = as_keypoints(source_keypoints, count)
    target, neutral = (None if each is None else _fit(each, count) for each in (target_keypoints, reference))
    made = transfer(fit_faces(sources), target, neutral, parts)
    return made[0] if single else made


def _fit(keypoints: np.ndarray, count: int) -> Faces:
    """Faces of landmarks [count, 68, 2], or, fitted once, one face [68, 2] for all."""
    found = fit_faces(as_keypoints(keypoints, 1 if np.ndim(keypoints) == 2 else count))
    return jax.tree.map(lambda field: np.broadcast_to(field, (count, *field.shape[1:])), found)
