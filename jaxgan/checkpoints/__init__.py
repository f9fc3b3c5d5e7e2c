"""Training checkpoints, exports of them, and the editors that come with the package."""

from jaxgan.checkpoints.loading import DEFAULT, Loaded, load, shipped
from jaxgan.checkpoints.training import Checkpoints

__all__ = ["DEFAULT", "Checkpoints", "Loaded", "load", "shipped"]
