"""How well pictures match the requested landmarks: Hausdorff distance, between points and as defined by the report."""

import numpy as np
from scipy.spatial.distance import directed_hausdorff

from jaxgan.evaluation.edits import FAILURES, Edits, in_chunks, undetected_column
from jaxgan.evaluation.measurement import Measurement, mean_column
from jaxgan.evaluation.pairs import Row
from jaxgan.models.landmarks import CURVES, draw_landmarks

# Points of the five parts of the face, by the colour in which a part is drawn.
PARTS = {
    colour: [point for points, _, own in CURVES if own == colour for point in points]
    for colour in dict.fromkeys(colour for _, _, colour in CURVES)
}


def hausdorff_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Symmetric Hausdorff distance of point sets [A, 2] and [B, 2]: the larger of the two directed distances."""
    return max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])


def landmark_hausdorff(found: np.ndarray, wanted: np.ndarray, resolution: int) -> float:
    """Hausdorff distance of landmarks [68, 2] in pixels, summed over the five parts, as a fraction of the image's side."""
    return sum(hausdorff_distance(found[points], wanted[points]) for points in PARTS.values()) / resolution


def group_by_colour(drawn: np.ndarray) -> list[np.ndarray]:
    """Pixels (column, row) [P, 2] of each part in a landmark image [R, R, 3] in [0, 1].

    A pixel belongs to the part whose colour forms the smallest angle with its own, if a line covers at least half of it.
    """
    colours = np.array(list(PARTS), np.float64) / 255
    lengths = np.linalg.norm(colours, axis=1)
    along = drawn.astype(np.float64) @ (colours / lengths[:, None]).T  # [R, R, 5], the component along each colour
    nearest = np.argmax(along, axis=-1)
    covered = np.max(along, axis=-1) >= 0.5 * lengths[nearest] - 1e-3
    return [np.argwhere(covered & (nearest == part))[:, ::-1] for part in range(len(PARTS))]


def drawn_hausdorff(found: np.ndarray, wanted: np.ndarray) -> float:
    """`landmark_hausdorff` between the pixels of two landmark images [R, R, 3] in [0, 1], as defined by the report.

    Unlike `landmark_hausdorff`, it ignores what lies beyond the border, and a blend of two colours where lines cross may pass
    for a third. NaN if a part has no pixel.
    """
    parts = list(zip(group_by_colour(found), group_by_colour(wanted), strict=True))
    if not all(len(a) and len(b) for a, b in parts):
        return float("nan")
    return sum(hausdorff_distance(a, b) for a, b in parts) / found.shape[0]


def _drawn_samples(row: Row, detected: np.ndarray) -> np.ndarray:
    """`drawn_hausdorff` [N] of a row's pictures; NaN if no face was detected."""

    def distances(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        missing = np.isnan(found[:, 0, 0])
        found = np.where(np.isnan(found), wanted, found)
        pairs = zip(*(np.asarray(draw_landmarks(points, resolution)) for points in (found, wanted)), strict=True)
        return np.where(missing, np.nan, [drawn_hausdorff(*pair) for pair in pairs])

    resolution = row.images.shape[1]
    return in_chunks(distances, "drawn landmarks", detected, row.keypoints)


def measure(edits: Edits) -> Measurement:
    """Hausdorff distances between the landmarks detected in the pictures and the requested ones."""
    resolution = edits.pairs.sources.shape[1]
    points, drawn = {}, {}
    for name in edits.asked():
        points[name] = [landmark_hausdorff(*pair, resolution) for pair in zip(*edits.scored(name), strict=True)]
        drawn[name] = _drawn_samples(edits.rows[name], edits.detected(name))
    return Measurement(
        "Hausdorff distance of landmarks",
        (
            mean_column(
                "hausdorff",
                "Hausdorff distance of detected and requested landmarks, summed over five parts, as a fraction of the side",
                "lower",
                points,
            ),
            mean_column(
                "hausdorff_legacy",
                "the same between drawn landmark images, without pictures in which no face is found, as in the report",
                "lower",
                drawn,
            ),
            undetected_column(edits),
        ),
        (f"hausdorff: {FAILURES}", "hausdorff_legacy benefits from the pictures it leaves out: see undetected."),
    )
