"""The errors that users meet: each says what is wrong, where, and what to do."""

__all__ = [
    "CalibrationError",
    "ConfigError",
    "DataError",
    "DependencyError",
    "FormatError",
    "ModelError",
    "Pose3DError",
    "ProjectError",
    "VideoError",
]


class Pose3DError(Exception):
    """Base of all errors that come from the input rather than from a programming mistake.

    The command line prints the message as one line and exits with 1.
    """


class ConfigError(Pose3DError):
    """A setting is missing, misspelt or out of range."""


class ProjectError(Pose3DError):
    """A project, session or trial folder does not hold what it must."""


class FormatError(Pose3DError):
    """A file is not what its name claims, or is cut short."""


class VideoError(FormatError):
    """A video cannot be read, or not to its end."""


class CalibrationError(Pose3DError):
    """Cameras cannot be calibrated from what was given."""


class DataError(Pose3DError):
    """Inputs are each readable but do not fit one another."""


class ModelError(Pose3DError):
    """A network cannot be loaded, trained or applied."""


class DependencyError(Pose3DError):
    """A library that the work needs is missing on this machine."""
