"""Metrics of an editor, each a function from `edits.Edits` to `measurement.Measurement`."""

import traceback
from collections.abc import Callable, Sequence

from jaxgan.errors import DetectorError, InputError
from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Measurement, NotApplicable
from jaxgan.evaluation.metrics import distribution, hausdorff, head, identity, latents, nme, reconstruction, truth

METRICS: dict[str, Callable[[Edits], Measurement]] = {
    "hausdorff": hausdorff.measure,
    "nme": nme.measure,
    "head": head.measure,
    "csim": identity.measure,
    "fid": distribution.measure_inception,
    "fd_dlib": distribution.measure_dlib,
    "reconstruction": reconstruction.measure,
    "latents": latents.measure,
    "truth": truth.measure,
}


def parse_metrics(text: str) -> list[str]:
    """Names of metrics from a comma-separated list, in its order and without repetitions.

    Raises:
      InputError: a name is unknown; the message lists the known ones.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise InputError(f"unknown metric {', '.join(map(repr, unknown))}; known: {', '.join(METRICS)}")
    return names


def measure_all(edits: Edits, names: Sequence[str]) -> list[Measurement]:
    """Measures the same edits by the named metrics.

    A metric that does not apply leaves a note in its place. So does one that fails: its traceback goes to standard error,
    and the results of the others, which may have taken half an hour, are kept.
    """
    measurements = []
    for name in names:
        try:
            measurements.append(METRICS[name](edits))
        except (NotApplicable, DetectorError) as reason:
            measurements.append(Measurement(name, notes=(f"{name}: not taken: {reason}.",)))
        except Exception as error:
            traceback.print_exc()
            note = f"{name}: failed: {type(error).__name__}: {error}"
            measurements.append(Measurement(name, notes=(note,), failed=True))
    return measurements
