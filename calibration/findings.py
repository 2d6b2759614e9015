"""What was found out about a recording or a calibration, in a sentence with its remedy."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Finding", "Grade"]

Grade = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """One thing that a careful engineer would say about a calibration.

    Attributes
    ----------
    kind : str
        Such as ``offset``, ``mirrored``, ``exchanged``, ``out_of_step``.
    grade : {"WARN", "FAIL"}
    cameras : tuple of str
        Those that it is about; empty if it is about all of them.
    says : str
        One sentence without its full stop, the camera named.
    fix : str
        What to do about it, one sentence.
    """

    kind: str
    grade: Grade
    cameras: tuple[str, ...]
    says: str
    fix: str

    def line(self) -> str:
        """Return the finding and its remedy in one line."""
        return f"{self.says}; {self.fix}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json file."""
        return asdict(self)
