"""Bones, expression and pose of a face, from its 68 landmarks: a maximum a posteriori fit of the face model.

After Blanz & Vetter 1999, with this project's model (`jaxgan.faces.model`) under weak perspective. Minimised by
Levenberg-Marquardt, for each face at once, is

    |(P(bones, expression, pose) - x) / NOISE|^2 + |(bones - mean) / deviation|^2 + |(expression - mean) / deviation|^2 + ...

The model is corrected so that its mean face is that of photographs (`jaxgan.data.shape.MEAN_FACE`), and has a few movements
more than the procedural portraits that it draws: faces in photographs are not symmetric.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.batching import in_batches
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import MEAN_FACE, normalised, place
from jaxgan.errors import InputError
from jaxgan.faces import model
from jaxgan.faces.parameters import GEOMETRY_RANGES, Identity, Pose
from jaxgan.runtime import platform

STEPS = 12  # of Levenberg-Marquardt; 30 lower the sum of squares by less than a hundredth in 99 of 100 faces
NOISE = 0.04  # deviation of a landmark, in root mean square distances of a face's landmarks to their mean
JAW_WEIGHT = 0.6  # of the jaw's landmarks, which lie on an outline that slides as the head turns
BATCH = 64  # faces a call of the compiled function; shorter batches are padded to it, except a single face

# Prior means and deviations: of 3,700 faces in photographs as dlib finds them (114 people of CelebA, 173 of YouTube Faces), by
# expectation maximisation. Bones are in units of half their range in `GEOMETRY_RANGES`, from its middle.
BONES = {
    "skull_width": (0.26, 0.64), "jaw_width": (0.30, 0.37), "jaw_squareness": (-1.01, 0.87), "chin_height": (-0.79, 0.78),
    "eye_distance": (-0.44, 0.25), "eye_width": (-1.12, 0.29), "eye_height": (-0.27, 0.54), "eye_slant": (0.0, 0.20),
    "brow_height": (-0.94, 0.63), "brow_arch": (0.13, 0.29), "nose_length": (-1.06, 0.64), "nose_width": (0.26, 0.58),
    "nose_height": (-0.68, 0.65), "mouth_height": (-1.56, 1.06), "mouth_width": (0.46, 0.48), "upper_lip": (0.18, 0.49),
    "lower_lip": (0.53, 0.48),
}  # fmt: skip
# The first are those of Pose; the others are offsets of landmarks, see _movements.
EXPRESSION = {
    "jaw": (0.08, 0.19), "smile": (0.59, 0.43), "brow_raise": (-0.38, 0.38), "brow_frown": (0.20, 0.40), "blink": (0.28, 0.15),
    "mouth_side": (0.0, 0.25), "smile_side": (0.0, 0.11), "mouth_wide": (-1.03, 0.44), "upper_lip_up": (0.52, 0.42),
    "lower_lip_down": (0.13, 0.44), "blink_side": (0.0, 0.08), "brow_side": (0.0, 0.12),
}  # fmt: skip
ANGLES = {"yaw": (0.0, 0.25), "pitch": (0.0, 0.11), "roll": (0.0, 0.09)}  # radians, 0: those of the mean face
# Deviations of size and place, which are known beforehand but roughly: of the logarithm of the scale, and in head units.
SCALE, SHIFT = 1.0, 2.0


class Fit(NamedTuple):
    """Parameters of N faces, in the order of BONES, EXPRESSION and ANGLES."""

    bones: Array  # [N, 17]
    expression: Array  # [N, 12]
    angles: Array  # [N, 3], radians; yaw positive to the right of the picture, pitch up, roll clockwise
    scale: Array  # [N], pixels for a head unit
    shift: Array  # [N, 2], pixels; where the pivot of the head lies


def _movements() -> np.ndarray:
    """Offsets [7, 68, 2] of the landmarks in head units, for one unit of each movement that Pose lacks."""
    moves = {name: np.zeros((NUM_LANDMARKS, 2), np.float32) for name in [*EXPRESSION][5:]}
    across = np.array(
        [-1, -0.62, -0.26, 0, 0.26, 0.62, 1, 0.62, 0.26, 0, -0.26, -0.62, -0.86, -0.36, 0, 0.36, 0.86, 0.36, 0, -0.36]
    )
    moves["mouth_side"][48:68, 0], moves["mouth_side"][7:10, 0] = 0.1, 0.06
    moves["smile_side"][48:68, 1] = 0.08 * across
    moves["mouth_wide"][48:68, 0] = 0.06 * across
    moves["upper_lip_up"][[*range(49, 54), *range(61, 64)], 1] = -0.05
    moves["lower_lip_down"][[*range(55, 60), *range(65, 68)], 1] = 0.05
    moves["blink_side"][[37, 38], 1], moves["blink_side"][[43, 44], 1] = 0.1, -0.1
    moves["brow_side"][17:22, 1], moves["brow_side"][22:27, 1] = -0.08, 0.08
    return np.stack([*moves.values()])


_MOVEMENTS = _movements()
_MIDDLES = np.array([np.mean(GEOMETRY_RANGES[name]) for name in BONES], np.float32)
_HALVES = np.array([np.ptp(GEOMETRY_RANGES[name]) / 2 for name in BONES], np.float32)
_ENDS = np.cumsum([len(BONES), len(EXPRESSION), len(ANGLES)])
_WEIGHTS = np.ones((NUM_LANDMARKS, 1), np.float32) / NOISE
_WEIGHTS[:17] *= JAW_WEIGHT


def _head(bones: Array, expression: Array, angles: Array, correction: np.ndarray) -> Array:
    """Landmarks [68, 2] of one head seen from the front of the camera, in head units around its pivot."""
    zero = jnp.float32(0)
    geometry = dict(zip(BONES, _MIDDLES + _HALVES * bones, strict=True))
    identity = Identity(**dict.fromkeys(Identity._fields, zero) | geometry)
    posed = dict(zip(ANGLES, angles, strict=True)) | dict(zip([*EXPRESSION][:5], expression[:5], strict=True))
    pose = Pose(**dict.fromkeys(Pose._fields, zero) | posed)
    points = model.landmarks(model.shape_face(identity, pose), pose)
    moved = jnp.pad(correction + jnp.tensordot(expression[5:], _MOVEMENTS, 1), [(0, 0), (0, 1)])
    centred = points + moved - jnp.broadcast_to(jnp.array(model.PIVOT, jnp.float32), points.shape)
    return (centred @ model.rotation(pose).T)[:, :2]


@cache
def _reference() -> tuple[np.ndarray, np.ndarray]:
    """What makes the model's mean face MEAN_FACE: a correction [68, 2] in head units, and prior means [35].

    The latter end with the logarithm of the scale and the shift at which the two are closest.
    """
    means = np.array([mean for group in (BONES, EXPRESSION, ANGLES) for mean, _ in group.values()], np.float32)
    with jax.ensure_compile_time_eval():  # asked for while functions are traced
        head = np.asarray(jax.jit(_head)(*np.split(means, _ENDS[:2]), np.zeros((NUM_LANDMARKS, 2), np.float32)))
    centre, spread = place(head)
    scale = np.sum((head - centre) * MEAN_FACE) / (NUM_LANDMARKS * spread**2)
    shift = -scale * centre
    return MEAN_FACE / scale + centre - head, np.concatenate([means, [np.log(scale)], shift]).astype(np.float32)


# What a mirrored face has in place of an expression and of angles.
_MIRRORED_EXPRESSION = np.array([-1 if name.endswith("_side") else 1 for name in EXPRESSION], np.float32)
_MIRRORED_ANGLES = np.array([1 if name == "pitch" else -1 for name in ANGLES], np.float32)
_DEVIATIONS = np.array(
    [*(deviation for group in (BONES, EXPRESSION, ANGLES) for _, deviation in group.values()), SCALE, SHIFT, SHIFT], np.float32
)


def _projected(parameters: Array) -> Array:
    bones, expression, angles, place = jnp.split(parameters, _ENDS)
    points = _head(bones, expression, angles, _reference()[0])
    return jnp.exp(place[0]) * points + jnp.broadcast_to(place[1:], points.shape)


def _residuals(parameters: Array, points: Array) -> Array:
    misfit = (_projected(parameters) - points) * _WEIGHTS
    return jnp.concatenate([misfit.ravel(), (parameters - _reference()[1]) / _DEVIATIONS])


@jax.jit
@jax.vmap
def _minimise(points: Array) -> Array:
    """Parameters [35] that fit landmarks [68, 2] of mean 0 and spread 1 best."""

    def step(carried: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        parameters, damping, error = carried
        residuals, jacobian = _residuals(parameters, points), jax.jacfwd(_residuals)(parameters, points)
        normal = jacobian.T @ jacobian
        damped = normal + damping * jnp.diag(jnp.diag(normal))
        trial = parameters - jnp.linalg.solve(damped, jacobian.T @ residuals)
        found = jnp.sum(jnp.square(_residuals(trial, points)))
        better = found < error  # false for NaN as well
        chosen = (
            jnp.where(better, trial, parameters),
            jnp.where(better, damping / 5, damping * 5),
            jnp.where(better, found, error),
        )
        return chosen, None

    start = jnp.asarray(_reference()[1])
    first = start, jnp.float32(1e-2), jnp.sum(jnp.square(_residuals(start, points)))
    return jax.lax.scan(step, first, None, length=STEPS)[0][0]


@cache
def _compiled_project(platform: str) -> Callable[[Fit], Array]:
    # On a CPU it may run beside training steps, whose devices wait for one another in threads of XLA's pool; it should not wait
    # for threads of that pool too. One run on four devices hung, for this reason or another: it did not happen again.
    alone = {"xla_cpu_multi_thread_eigen": False} if platform == "cpu" else None
    return jax.jit(jax.vmap(_project), compiler_options=alone)


def _project(fit: Fit) -> Array:
    points = _head(fit.bones, fit.expression, fit.angles, _reference()[0])
    return fit.scale * points + jnp.broadcast_to(fit.shift, points.shape)


def fit_model(keypoints: np.ndarray) -> Fit:
    """Fits the model to landmarks [N, 68, 2]; the scale and the shift are in their pixels.

    Raises:
      InputError: All landmarks of a face lie at one point.
    """
    keypoints = np.asarray(keypoints, np.float32)
    centre, spread = place(keypoints)
    if not spread.all():
        raise InputError(f"keypoints {int(np.argmin(spread))}: all landmarks lie at one point")
    found = in_batches(_minimise, BATCH, normalised(keypoints))
    bones, expression, angles, placed = np.split(found, _ENDS, axis=1)
    shift = placed[:, 1:] * spread[:, None] + centre
    return Fit(bones, expression, angles, np.exp(placed[:, 0]) * spread, shift)


def mirror_fit(fit: Fit, width: float) -> Fit:
    """The fits of mirrored landmarks, as by `data.landmarks.mirror_keypoints`: model, priors and mean face are symmetric."""
    return fit._replace(
        expression=fit.expression * _MIRRORED_EXPRESSION,
        angles=fit.angles * _MIRRORED_ANGLES,
        shift=np.stack([np.float32(width) - fit.shift[:, 0], fit.shift[:, 1]], axis=1),
    )


def project(fit: Fit) -> np.ndarray:
    """Landmarks float32 [N, 68, 2] of the model, in the pixels of `scale` and `shift`."""
    function = _compiled_project(platform())
    return in_batches(lambda *parts: function(Fit(*parts)), BATCH, *(np.asarray(part, np.float32) for part in fit))
