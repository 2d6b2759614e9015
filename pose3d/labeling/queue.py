"""What is labelled at one sitting: images grouped into instants, and the order in which they are worth a look."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pose3d.data.labels import LabelledImages
from pose3d.errors import FormatError
from pose3d.io.files import require_file, write_text
from pose3d.io.names import natural_key

__all__ = ["QUEUE_NAME", "Instant", "QueueItem", "group_instants", "order_instants", "read_queue", "write_queue"]

QUEUE_NAME = "queue.csv"
"""Name of the queue's file, in the folder of the labels."""

_COLUMNS = ("recording", "frame", "score", "reason")

InstantOf = Callable[[str, str, int], int]
"""Called as ``instant_of(recording, camera, frame)``: the recording's instant that a camera's frame shows."""


@dataclass(frozen=True)
class Instant:
    """All images of one moment.

    Attributes
    ----------
    recording : str
    frame : int or None
        The instant, in frames of the recording; None where the image's name tells none.
    rows : mapping of str to int
        Camera to row of the labels, cameras in natural order.
    reason : str
        Why it is worth a look; empty where nothing says so.
    """

    recording: str
    frame: int | None
    rows: Mapping[str, int]
    reason: str = ""


@dataclass(frozen=True)
class QueueItem:
    """An instant that is worth labelling.

    Attributes
    ----------
    recording : str
    frame : int
        The instant, in frames of the recording.
    score : float
        The larger, the sooner it comes.
    reason : str
        In words that the labelling page shows.
    """

    recording: str
    frame: int
    score: float
    reason: str


def group_instants(images: LabelledImages, *, instant_of: InstantOf | None = None) -> tuple[Instant, ...]:
    """Group images of one recording and instant, one a camera.

    Parameters
    ----------
    images : LabelledImages
    instant_of : callable, optional
        Which instant a camera's frame shows, where cameras began at different times. By default the frame itself.

    Returns
    -------
    tuple of Instant
        By recording in natural order, then by time. An image whose name tells no frame, or a second one of the same
        camera and frame, is an instant of its own.
    """
    groups: list[tuple[str, int | None, dict[str, int]]] = []
    open_group: dict[tuple[str, int], dict[str, int]] = {}
    for row, (recording, camera, name) in enumerate(
        zip(images.recordings, images.cameras, images.labels.images, strict=True)
    ):
        frame = name.frame
        if frame is not None and instant_of is not None:
            frame = instant_of(recording, camera, frame)
        group = None if frame is None else open_group.get((recording, frame))
        if group is None or camera in group:
            group = {}
            groups.append((recording, frame, group))
            if frame is not None:
                open_group.setdefault((recording, frame), group)
        group[camera] = row
    instants = [
        Instant(recording, frame, {camera: rows[camera] for camera in sorted(rows, key=natural_key)})
        for recording, frame, rows in groups
    ]
    names = images.labels.images
    return tuple(
        sorted(
            instants,
            key=lambda each: (
                natural_key(each.recording),
                math.inf if each.frame is None else each.frame,
                natural_key(names[min(each.rows.values())].image),
            ),
        )
    )


def order_instants(instants: Sequence[Instant], queue: Sequence[QueueItem]) -> tuple[Instant, ...]:
    """Put those that the queue names first, the most urgent one at the head, and give them their reasons."""
    urgent = {(item.recording, item.frame): item for item in sorted(queue, key=lambda item: item.score)}

    def item_of(instant: Instant) -> QueueItem | None:
        return None if instant.frame is None else urgent.get((instant.recording, instant.frame))

    def marked(instant: Instant, item: QueueItem) -> Instant:
        return Instant(instant.recording, instant.frame, instant.rows, item.reason)

    pairs = [(instant, item_of(instant)) for instant in instants]
    first = sorted(
        ((instant, item) for instant, item in pairs if item is not None), key=lambda pair: pair[1].score, reverse=True
    )
    return (*(marked(instant, item) for instant, item in first), *(each for each, item in pairs if item is None))


def write_queue(items: Sequence[QueueItem], path: str | Path) -> None:
    """Write a queue: a csv with the columns recording, frame, score, reason.

    Raises
    ------
    Pose3DError
        If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((item.recording, item.frame, f"{item.score:.6g}", item.reason) for item in items)
    write_text(path, text.getvalue())


def read_queue(path: str | Path) -> tuple[QueueItem, ...]:
    """Read a queue.

    Raises
    ------
    FormatError
        If the file is none.
    """
    path = require_file(path, "queue")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = list(reader)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"no column {min(missing)}")
        return tuple(
            QueueItem(row["recording"], int(row["frame"]), _number(row["score"]), row["reason"] or "") for row in rows
        )
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FormatError(f"{path}: is no queue of instants ({error}); run pose3d outliers again") from error


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"score {text!r} is no number")
    return value
