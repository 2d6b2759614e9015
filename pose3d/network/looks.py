"""What is seen of a training while it goes on: ``metrics.csv``."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pose3d.io.files import write_text

__all__ = ["Look", "write_looks"]


@dataclass(frozen=True)
class Look:
    """A row of ``metrics.csv``: where training stands after so many steps.

    Attributes
    ----------
    step : int
    cpu_s : float
        CPU time of all steps so far.
    loss, score_loss, location_loss : float
        Mean since the last look.
    learning_rate : float
    median_px, mean_px, p90_px : float
        Error on the held-out images, in their pixels; NaN without any.
    """

    step: int
    cpu_s: float
    loss: float
    score_loss: float
    location_loss: float
    learning_rate: float
    median_px: float
    mean_px: float
    p90_px: float


def write_looks(path: Path, looks: Sequence[Look]) -> None:
    """Write a row a look."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([item.name for item in fields(Look)])
    for look in looks:
        rows.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in asdict(look).values()])
    write_text(path, text.getvalue())
