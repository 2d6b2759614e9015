"""Logging and progress: library code reports, the caller decides what is shown."""

import logging
from collections.abc import Callable

__all__ = ["Progress", "logger", "no_progress"]

logger = logging.getLogger("pose3d")
logger.addHandler(logging.NullHandler())

Progress = Callable[[str, int, int], None]
"""Called as ``progress(label, done, total)``; `label` names one bar, `total` may be 0 while it is unknown."""


def no_progress(label: str, done: int, total: int) -> None:
    """Show nothing."""
