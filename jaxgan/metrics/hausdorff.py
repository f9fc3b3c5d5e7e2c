"""How well outputs meet the landmarks they were asked for: Hausdorff distance and normalised mean error."""

import numpy as np
from scipy.spatial.distance import directed_hausdorff

from jaxgan.data.drawing import CURVES, draw_landmarks
from jaxgan.data.landmarks import LEFT_EYE, RIGHT_EYE
from jaxgan.metrics.edits import CHUNK, Edits, Row, undetected_column
from jaxgan.metrics.measurement import Measurement, mean_column

# The five parts of the face are told apart by the colour they are drawn in: colour -> points.
PARTS = {
    colour: [point for points, _, own in CURVES if own == colour for point in points]
    for colour in dict.fromkeys(colour for _, _, colour in CURVES)
}


def hausdorff_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Symmetric Hausdorff distance of two point sets [A, 2] and [B, 2]: the larger of the two directed ones."""
    return max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])


def landmark_hausdorff(found: np.ndarray, wanted: np.ndarray, resolution: int) -> float:
    """Hausdorff distance of landmarks [68, 2] in pixels, summed over the five parts, as a share of the image's side."""
    return sum(hausdorff_distance(found[points], wanted[points]) for points in PARTS.values()) / resolution


def group_by_colour(drawn: np.ndarray) -> list[np.ndarray]:
    """Pixels (column, row) [P, 2] of each part in a landmark image [R, R, 3] in [0, 1].

    A pixel belongs to the part whose colour its own has the smallest angle with, if a line covers at least half of it.
    """
    colours = np.array(list(PARTS), np.float64) / 255
    lengths = np.linalg.norm(colours, axis=1)
    along = drawn.astype(np.float64) @ (colours / lengths[:, None]).T  # [R, R, 5], the share that lies in each colour
    nearest = np.argmax(along, axis=-1)
    covered = np.max(along, axis=-1) >= 0.5 * lengths[nearest] - 1e-3
    return [np.argwhere(covered & (nearest == part))[:, ::-1] for part in range(len(PARTS))]


def drawn_hausdorff(found: np.ndarray, wanted: np.ndarray) -> float:
    """`landmark_hausdorff` taken on the pixels of two landmark images [R, R, 3] in [0, 1], as the report took it.

    What lies beyond the border is not drawn and so not measured, and where lines cross, a blend of two colours may pass
    for a third: `landmark_hausdorff` knows neither flaw. NaN when a part has no pixel, so no distance.
    """
    parts = list(zip(group_by_colour(found), group_by_colour(wanted), strict=True))
    if not all(len(a) and len(b) for a, b in parts):
        return float("nan")
    return sum(hausdorff_distance(a, b) for a, b in parts) / found.shape[0]


def normalised_mean_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of landmarks [68, 2], in units of the distance between the eyes' centres in `wanted`."""
    right, left = (wanted[eye].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    return float(np.linalg.norm(found - wanted, axis=1).mean() / np.linalg.norm(right - left))


def _drawn_samples(row: Row, detected: list[np.ndarray | None]) -> np.ndarray:
    """`drawn_hausdorff` [N] of a row's outputs, NaN for those without a detection."""
    resolution = row.images.shape[1]
    samples = np.full(len(detected), np.nan)
    for start in range(0, len(detected), CHUNK):
        chunk = range(start, min(start + CHUNK, len(detected)))
        wanted = row.keypoints[chunk]
        # where nothing was found, the target stands in, so that every full chunk is drawn by the same program
        found = np.stack([wanted[i - start] if detected[i] is None else detected[i] for i in chunk])
        pairs = zip(*(np.asarray(draw_landmarks(points, resolution)) for points in (found, wanted)), strict=True)
        for i, (found_image, wanted_image) in zip(chunk, pairs, strict=True):
            if detected[i] is not None:
                samples[i] = drawn_hausdorff(found_image, wanted_image)
    return samples


def measure(edits: Edits) -> Measurement:
    """Distances between the landmarks detected in the outputs and the landmarks asked for.

    An output without a detection scores what its source scores against its target: as if the edit had done nothing.
    """
    resolution = edits.sources.shape[1]
    points, errors, drawn = {}, {}, {}
    for name, row in edits.rows.items():
        # a failed detection costs a whole pair's distance in every row, also where the target is the source itself
        landmarks = [
            (edits.source_keypoints[i], edits.source_keypoints[edits.targets[i]])
            if found is None
            else (found, row.keypoints[i])
            for i, found in enumerate(edits.detected(name))
        ]
        points[name] = [landmark_hausdorff(found, wanted, resolution) for found, wanted in landmarks]
        errors[name] = [normalised_mean_error(found, wanted) for found, wanted in landmarks]
        drawn[name] = _drawn_samples(row, edits.detected(name))
    return Measurement(
        columns=(
            mean_column(
                "hausdorff",
                "Hausdorff distance of detected and wanted landmarks, summed over five parts, as a share of the image's"
                " side; lower is better",
                points,
            ),
            mean_column(
                "hausdorff_legacy",
                "the same between drawn landmark images, outputs without a face left out, as in the report; lower is better",
                drawn,
            ),
            mean_column("nme", "mean landmark error / distance between the eyes' centres; lower is better", errors),
            undetected_column(edits),
        ),
        notes=(
            "hausdorff, nme: an output without a detected face scores the distance between its source's landmarks and"
            " its target's.",
        ),
    )
