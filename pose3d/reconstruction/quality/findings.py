"""What is wrong with a recording, in sentences."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["Code", "QualityFinding", "listed"]

Code: TypeAlias = Literal[
    "late", "moved", "calibration", "exchanged", "mislabelled", "disagrees", "keypoint", "noisy", "silent", "copy"
]


@dataclass(frozen=True)
class QualityFinding:
    """One thing that is wrong with a recording.

    Attributes
    ----------
    code : str
        ``late`` (or early), ``moved`` (from some frame on), ``calibration`` (does not fit from the first frame),
        ``exchanged`` and ``mislabelled`` (keypoints), ``disagrees`` (a camera on some keypoints), ``keypoint`` (poor in
        all cameras), ``noisy``, ``silent`` (no detections), ``copy`` (two cameras with the same detections).
    cameras : tuple of str
        The one that it is about; of several it may be any (for ``copy``: both). Empty if it is about all of them.
    keypoints : tuple of str
        Empty if it is about all of them.
    first_frame, last_frame : int
        In the numbers of the recording's frames.
    size : float
    unit : str
        Of `size`: ``frames``, ``px`` or ``share``.
    sentence : str
        Without its full stop.
    advice : str
        What to do.
    """

    code: Code
    cameras: tuple[str, ...]
    keypoints: tuple[str, ...]
    first_frame: int
    last_frame: int
    size: float
    unit: str
    sentence: str
    advice: str

    def line(self) -> str:
        """Return sentence and advice in one line."""
        return f"{self.sentence}; {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json file."""
        return asdict(self)


def listed(names: Sequence[str], *, most: int = 6, word: str = "and") -> str:
    """Return names as a person would say them.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
