"""What the page asks to correct: checked here, and only then made."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pose3d.data.edits import BadStretch, SwappedSides
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.io.local_page import RequestError
from pose3d.viewer.corrections import Corrections

__all__ = ["correct", "describe", "wished_row"]

_LIMBS, _KINDS = ("L", "R"), (STRIKE, OFF)
_SAME_ROW = 0.01  # rows: what the page was told of an event has gone through JSON


def correct(made: Corrections, wish: Mapping[str, Any]) -> str:
    """Make a correction, which is on the disk when this returns.

    Parameters
    ----------
    made : Corrections
    wish : mapping
        ``do`` is one of ``bad`` and ``swap`` (rows ``first`` to ``last``, of all or of one ``camera``), ``move``,
        ``delete`` and ``add`` (an ``event`` by its limb, kind and row; ``to`` a row), ``undo`` and ``redo``.

    Returns
    -------
    str
        A line for people.

    Raises
    ------
    RequestError
        If that makes no sense; nothing has changed then.
    """
    ways = {"bad": _stretch, "swap": _stretch, "move": _event, "delete": _event, "add": _event}
    todo = wish.get("do")
    if todo in ("undo", "redo"):
        return made.undo() if todo == "undo" else made.redo()
    if todo not in ways:
        raise RequestError(f"what is to be done is one of {', '.join(ways)}, undo, redo")
    return ways[todo](made, wish)


def describe(made: Corrections) -> dict[str, Any]:
    """Return all that has been corrected, as JSON's types."""
    return {
        "remark": made.remark,
        "path": None if made.path is None else str(made.path),
        "lines": made.lines,
        "bad": made.stretches(BadStretch),
        "swapped": made.stretches(SwappedSides),
        "undo": made.edits.can_undo,
        "redo": made.edits.can_redo,
        "queue": made.has_queue,
    }


def wished_row(made: Corrections, row: object) -> int:
    """Return a row that exists.

    Raises
    ------
    RequestError
        If it is none.
    """
    n = made.original.n_frames
    if type(row) is not int or not 0 <= row < n:
        raise RequestError(f"a row is a whole number from 0 to {n - 1}")
    return row


def _stretch(made: Corrections, wish: Mapping[str, Any]) -> str:
    first, last = wished_row(made, wish.get("first")), wished_row(made, wish.get("last"))
    if first > last:
        raise RequestError("a stretch begins before it ends")
    camera = wish.get("camera")
    if camera is not None and camera not in made.original.cameras:
        raise RequestError("there is no such camera")
    return (made.mark_bad if wish["do"] == "bad" else made.swap_sides)(first, last, camera)


def _event(made: Corrections, wish: Mapping[str, Any]) -> str:
    event = wish.get("event")
    if not isinstance(event, Mapping) or not all(isinstance(event.get(name), str) for name in ("limb", "kind")):
        raise RequestError("an event is of a limb and of a kind, at a row")
    limb, kind, row = event["limb"], event["kind"], event.get("row")
    if wish["do"] == "add":
        if limb not in _LIMBS or kind not in _KINDS:
            raise RequestError(f"an event is added of {' or '.join(_LIMBS)}, and is one of {', '.join(_KINDS)}")
        return made.add_event(limb, kind, wished_row(made, row))
    if isinstance(row, bool) or not isinstance(row, int | float):
        raise RequestError("an event is at a row")
    to = wished_row(made, wish.get("to")) if wish["do"] == "move" else None
    playback = made.edited()
    events = playback.events or LimbEvents(np.zeros(0), (), ())
    alike = [pair == (limb, kind) for pair in zip(events.limbs, events.kinds, strict=True)]
    found = np.flatnonzero((np.abs(playback.event_rows() - row) < _SAME_ROW) & np.array(alike, dtype=np.bool_))
    if not len(found):
        return "there is no such event any more: it was corrected elsewhere"
    index = int(found[0])
    return made.delete_event(events, index) if to is None else made.move_event(events, index, to)
