"""Smoothing faces in time: the One-Euro filter on the parameters of the face model, not on points."""

import numpy as np

from jaxgan.faces.fit import ANGLES, EXPRESSION, Fit, fit_model, project

MIN_CUTOFF = 1.0  # Hz, of parameters at rest
BETA = 0.3  # Hz for each deviation a second
DERIVATIVE_CUTOFF = 1.0  # Hz
STILL_SCALE, STILL_SHIFT = 0.02, 0.05  # what counts as a deviation of the size (logarithm) and of the place (head units)


def one_euro(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The One-Euro filter (Casiez, Roussel, Vogel 2012) of values [T, K] at times [T] in seconds, without delay.

    It runs forwards and backwards, and the mean of both is taken.
    """
    forwards = _one_euro(values, np.diff(times))
    backwards = _one_euro(values[::-1], np.diff(times)[::-1])[::-1]
    return 0.5 * (forwards + backwards)


def _one_euro(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    made = np.array(values, np.float64)
    slope = np.zeros(values.shape[1:])
    for index, step in enumerate(np.maximum(steps, 1e-4), start=1):
        change = (values[index] - made[index - 1]) / step
        slope += _share(DERIVATIVE_CUTOFF, step) * (change - slope)
        made[index] = made[index - 1] + _share(MIN_CUTOFF + BETA * np.abs(slope), step) * (values[index] - made[index - 1])
    return made


def _share(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))


def smooth_faces(keypoints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Landmarks [T, 68, 2] of one face at times [T] in seconds, without the detector's jitter.

    Bones are the same in all: their median.
    """
    fit = fit_model(keypoints)
    unlike = (keypoints - project(fit)) / fit.scale[:, None, None]
    deviations = np.array([deviation for group in (EXPRESSION, ANGLES) for _, deviation in group.values()])
    columns = [
        np.concatenate([fit.expression, fit.angles], axis=1) / deviations,
        np.log(fit.scale)[:, None] / STILL_SCALE,
        fit.shift / (STILL_SHIFT * np.median(fit.scale)),
        unlike.reshape(len(unlike), -1) / STILL_SHIFT,
    ]
    ends = np.cumsum([column.shape[1] for column in columns])[:-1]
    moved, scale, shift, unlike = np.split(one_euro(np.concatenate(columns, axis=1), times), ends, axis=1)
    expression, angles = np.split(moved * deviations, [len(EXPRESSION)], axis=1)
    scale, shift = np.exp(scale[:, 0] * STILL_SCALE), shift * (STILL_SHIFT * np.median(fit.scale))
    bones = np.broadcast_to(np.median(fit.bones, axis=0), fit.bones.shape)
    points = project(Fit(bones, expression, angles, scale, shift))
    # what fits no face stays with its frame; the mean of what bones differ by stays too
    kept = unlike.reshape(keypoints.shape) * STILL_SHIFT * scale[:, None, None]
    return (points + kept).astype(np.float32)
