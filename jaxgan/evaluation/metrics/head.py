"""Whether the head is turned and the face opened as asked: pose in degrees, aspect ratios of eyes and mouth."""

from jaxgan.evaluation.edits import FAILURES, Edits
from jaxgan.evaluation.measurement import Measurement, mean_column
from jaxgan.evaluation.metrics.aspect import eye_aspect_errors, mouth_aspect_errors
from jaxgan.evaluation.metrics.pose import pose_errors


def measure(edits: Edits) -> Measurement:
    """Errors of pose and expression between the landmarks detected in the pictures and the landmarks asked for."""
    resolution = edits.pairs.sources.shape[1]
    scored = {row: edits.scored(row) for row in edits.asked()}
    poses = {row: pose_errors(*pair, resolution) for row, pair in scored.items()}
    eyes = {row: eye_aspect_errors(*pair) for row, pair in scored.items()}
    mouths = {row: mouth_aspect_errors(*pair) for row, pair in scored.items()}
    return Measurement(
        "Pose and expression",
        (
            mean_column("pose", "angle between the head poses of detected and wanted landmarks, degrees", "lower", poses),
            mean_column("eyes", "error of the eyes' aspect ratio (height / width), mean of both", "lower", eyes),
            mean_column("mouth", "error of the inner lips' aspect ratio (height / width)", "lower", mouths),
        ),
        (f"pose, eyes, mouth: {FAILURES}",),
    )
