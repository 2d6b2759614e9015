"""What a person corrects while looking: each change is in the file of edits before it is seen, and can be undone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose3d.data import JointAngles
from pose3d.data.edited import bad_points, edit_events, edit_points, edit_views, swapped_sides
from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edit, Edits, MovedEvent, SwappedSides
from pose3d.data.events import LimbEvents
from pose3d.errors import Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.edits import EditLog
from pose3d.project.edits import locate_edits, point_edits
from pose3d.viewer.anatomy import guess_pairs
from pose3d.viewer.playback import Playback

__all__ = ["Corrections"]


_KEPT = ("ground", "size_mm", "path_of_subject")


class Corrections:
    """The edits of a recording that is looked at.

    Parameters
    ----------
    playback : Playback
        As it was loaded.
    queue : callable, optional
        Called with a frame of the recording: sends that instant to the labelling queue, and returns a line for people.

    Attributes
    ----------
    original : Playback
    remark : str
        Why nothing can be corrected; empty where it can.
    """

    def __init__(self, playback: Playback, queue: Callable[[int], str] | None = None) -> None:
        self.original = playback
        self.remark = ""
        self._queue = queue
        self._log: EditLog | None = None
        if playback.path is None:
            self.remark = "a recording that is in no file cannot be corrected"
            return
        try:
            place = locate_edits(playback.path)
            self._log = EditLog(place.path, place.trial)
        except (Pose3DError, OSError) as error:
            self.remark = str(error)

    @property
    def edits(self) -> Edits:
        """All that has been corrected."""
        return Edits() if self._log is None else self._log.edits

    @property
    def path(self) -> Path | None:
        """Where it is saved."""
        return None if self._log is None else self._log.path

    @property
    def has_queue(self) -> bool:
        """Whether instants can be sent to a labelling queue."""
        return self._queue is not None

    @property
    def lines(self) -> tuple[str, ...]:
        """What has been corrected, in words."""
        return tuple(edit.words for edit in self.edits.entries)

    def mark_bad(self, first: int, last: int, camera: str | None = None) -> str:
        """Mark rows `first` to `last`, both included, as bad; returns a line for people, as all of these do."""
        return self._add(BadStretch(self._frame(first), self._frame(last), camera=camera))

    def swap_sides(self, first: int, last: int, camera: str | None = None) -> str:
        """Exchange left and right in rows `first` to `last`, both included."""
        return self._add(SwappedSides(self._frame(first), self._frame(last), camera=camera))

    def move_event(self, events: LimbEvents, index: int, row: float) -> str:
        """Move an event to a row."""
        limb, kind = events.limbs[index], events.kinds[index]
        return self._add(MovedEvent(limb, kind, float(events.time_s[index]), self._time_s(row)))

    def delete_event(self, events: LimbEvents, index: int) -> str:
        """Take an event away."""
        return self._add(DeletedEvent(events.limbs[index], events.kinds[index], float(events.time_s[index])))

    def add_event(self, limb: str, kind: str, row: float) -> str:
        """Add an event."""
        return self._add(AddedEvent(limb, kind, self._time_s(row)))

    def undo(self) -> str:
        """Take the last correction back."""
        return self._told("undone", "nothing to undo", lambda log: log.undo())

    def redo(self) -> str:
        """Make again what was taken back."""
        return self._told("done again", "nothing to do again", lambda log: log.redo())

    def send_to_queue(self, row: int) -> str:
        """Send an instant to the labelling queue."""
        if self._queue is None:
            return "only a recording of a project has a labelling queue"
        try:
            return self._queue(self._frame(row))
        except (Pose3DError, OSError) as error:
            return str(error)

    def stretches(self, kind: type[BadStretch] | type[SwappedSides]) -> tuple[tuple[int, int], ...]:
        """Return the corrected stretches of one kind: first row, and the row after the last."""
        start = self.original.points.start
        return tuple(
            (edit.first - start, edit.last - start + 1) for edit in self.edits.entries if isinstance(edit, kind)
        )

    def edited(self) -> Playback:
        """Return the recording as it is with all corrections."""
        original, edits = self.original, self.edits
        if not edits or original.path is None or not original.n_frames:
            return original
        try:
            due = point_edits(original.path).due
        except Pose3DError:
            due = edits
        pairs = original.skeleton.pairs
        points = edit_points(original.points, due, pairs)
        views = None if original.views is None else edit_views(original.views, edits, pairs)
        angles = None if original.angles is None else _edit_angles(original.angles, original, due)
        events = original.events
        if edits.events:
            events = edit_events(events or LimbEvents(np.zeros(0), (), ()), edits).events
        made = replace(original, points=points, views=views, angles=angles, events=events)
        # Where the floor is and how the view is framed are of the recording, whatever was marked as bad in it.
        vars(made).update({name: getattr(original, name) for name in _KEPT})
        return made

    def _frame(self, row: int) -> int:
        return int(self.original.points.start + row)

    def _time_s(self, row: float) -> float:
        return float((self.original.points.start + row) / self.original.fps)

    def _add(self, edit: Edit) -> str:
        def append(log: EditLog) -> Edit:
            log.append(edit)
            return edit

        return self._told("saved", "", append)

    def _told(self, done: str, nothing: str, change: Callable[[EditLog], Edit | None]) -> str:
        if self._log is None:
            return self.remark
        try:
            edit = change(self._log)
        except (Pose3DError, OSError) as error:
            return str(error)
        return nothing if edit is None else f"{done}: {edit.words}"


def _edit_angles(angles: JointAngles, playback: Playback, due: Edits) -> JointAngles:
    """Make angles of bad stretches missing, and exchange those of exchanged sides."""
    points = playback.points
    who = _same(angles.individuals, points.individuals)
    marked = bad_points(due, points.start, points.n_frames, points.individuals, points.keypoints)
    bad = np.asarray(marked.any(axis=2))[:, who]
    swaps = [edit for edit in due.entries if isinstance(edit, SwappedSides) and edit.camera is None]
    swapped = np.zeros(bad.shape, dtype=np.bool_)
    if swaps:
        pairs = playback.skeleton.pairs
        each = swapped_sides(swaps, points.start, points.n_frames, ("",), points.individuals, pairs)
        swapped = np.asarray(each[:, 0].any(axis=2))[:, who]
    names = {name: i for i, name in enumerate(angles.names)}
    partner = np.arange(len(names))
    for left, right in guess_pairs(angles.names):
        partner[names[left]], partner[names[right]] = names[right], names[left]

    def changed(values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        return np.asarray(np.where(bad[..., None], np.nan, np.where(swapped[..., None], values[..., partner], values)))

    deg = changed(angles.deg)
    assert deg is not None
    return replace(
        angles,
        deg=deg,
        sd_deg=changed(angles.sd_deg),
        low_deg=changed(angles.low_deg),
        high_deg=changed(angles.high_deg),
    )


def _same(names: Sequence[str], others: Sequence[str]) -> list[int]:
    """Return which of others each name is; by place where names differ."""
    return [others.index(name) if name in others else min(i, len(others) - 1) for i, name in enumerate(names)]
