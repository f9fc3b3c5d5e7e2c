"""Everything that can go wrong by no fault of the program. Each message is one line that names the file, field or argument.

Commands print the message of a JaxganError and exit with status 1; any other exception is a bug and shows its traceback.
"""


class JaxganError(Exception):
    """Base class of all errors that a user can cause and mend."""


class InputError(JaxganError, ValueError):
    """An argument, flag or file of a shape, type or value that cannot be used."""


class ConfigError(JaxganError, ValueError):
    """A configuration that cannot be: the message names the field and what it may hold."""


class ImageError(JaxganError, ValueError):
    """An image that cannot be used. The message is "kind" or "kind: detail"."""


class SourceError(JaxganError, ValueError):
    """A folder or archive of images that cannot be read."""


class DatasetError(JaxganError, ValueError):
    """A dataset that is missing, damaged or not of the kind asked for."""


class DetectorError(JaxganError, RuntimeError):
    """A landmark detector that cannot be loaded."""


class WeightsError(JaxganError, ValueError):
    """A weight file that does not hold what it should; the message names file and tensors."""


class CheckpointError(JaxganError, RuntimeError):
    """A checkpoint that is missing or does not fit."""


class DamagedError(CheckpointError):
    """Stored arrays that are not, or not completely, what was written."""


class DivergedError(JaxganError, FloatingPointError):
    """A loss or statistic that is no longer finite; the message names stage, step and terms."""
