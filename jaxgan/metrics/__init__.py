"""Metrics of an editor. Each is a function from `edits.Edits` to `measurement.Measurement`, in a file of its own."""

from collections.abc import Callable, Sequence

from jaxgan.data.detection import DetectorError
from jaxgan.metrics import figure, hausdorff, identity, reconstruction, truth
from jaxgan.metrics.edits import Edits
from jaxgan.metrics.measurement import Measurement, NotApplicable

METRICS: dict[str, Callable[[Edits], Measurement]] = {
    "hausdorff": hausdorff.measure,
    "csim": identity.measure,
    "truth": truth.measure,
    "reconstruction": reconstruction.measure,
    "figure": figure.measure,
}


def parse_metrics(text: str) -> list[str]:
    """Names of metrics from a comma-separated list, in its order; ValueError, naming the known ones, for others."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f"unknown metric {', '.join(map(repr, unknown))}; known: {', '.join(METRICS)}")
    return names


def measure_all(edits: Edits, names: Sequence[str]) -> list[Measurement]:
    """Take the named metrics of the same edits. One that cannot be taken here leaves a note in its place."""
    measurements = []
    for name in names:
        try:
            measurements.append(METRICS[name](edits))
        except (NotApplicable, DetectorError) as reason:
            measurements.append(Measurement(notes=(f"{name}: not taken: {reason}.",)))
    return measurements
