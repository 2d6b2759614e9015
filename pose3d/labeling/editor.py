"""The labels while they are edited: actions, undo, and what each action leaves in the journal. Knows no browser."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.geometry.arrays import FloatArray
from pose3d.labeling.suggestions import Views
from pose3d.labeling.task import LabelingTask
from pose3d.log import logger

__all__ = ["LabelEditor"]


class _Place(NamedTuple):
    """One keypoint in one image."""

    row: int
    individual: int
    keypoint: int


class _Value(NamedTuple):
    x: float
    y: float
    mark: int


_NOTHING = _Value(float("nan"), float("nan"), Mark.UNLABELLED)
_ABSENT = _Value(float("nan"), float("nan"), Mark.ABSENT)


class _Change(NamedTuple):
    place: _Place
    before: _Value
    after: _Value


@dataclass(frozen=True)
class _Step:
    """What one action did, to be undone at once."""

    name: str
    changes: tuple[_Change, ...]

    def reversed(self) -> "_Step":
        return _Step(self.name, tuple(_Change(c.place, c.after, c.before) for c in reversed(self.changes)))


class LabelEditor:
    """Labels that people place, move, mark and take back.

    Parameters
    ----------
    task : LabelingTask
    record : callable, optional
        Called with each change as JSON before it counts; when it raises, nothing has changed.

    Attributes
    ----------
    revision : int
        Grows with every change.
    hints : dict
        Room for what is worked out from the labels: instant, individual and keypoint to the labels it came from and
        the answer.
    """

    def __init__(self, task: LabelingTask, *, record: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self.task = task
        self.labels = task.images.labels
        self.revision = 0
        self.hints: dict[tuple[int, int, int], tuple[bytes, Any]] = {}
        self._record = record
        self._xy = np.array(self.labels.xy)
        self._mark = np.array(self.labels.mark)
        self._touched: set[int] = set()
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []
        self._row = {image: row for row, image in enumerate(self.labels.images)}
        self._instant_of = np.full(len(self.labels), -1)
        for i, instant in enumerate(task.instants):
            self._instant_of[list(instant.rows.values())] = i
        recordings = {name: i for i, name in enumerate(dict.fromkeys(each.recording for each in task.instants))}
        self._recording = np.array([recordings[each.recording] for each in task.instants])
        self._frame = np.array([np.nan if each.frame is None else each.frame for each in task.instants], dtype=float)
        self._views: dict[tuple[str, tuple[str, ...]], Views | None] = {}

    # --- what is there -------------------------------------------------------------------------------------------

    def label(self, row: int, individual: int, keypoint: int) -> tuple[float, float, Mark]:
        """Return place and mark of a keypoint."""
        x, y = self._xy[row, individual, keypoint]
        return float(x), float(y), Mark(self._mark[row, individual, keypoint])

    def view_labels(self, instant: int, individual: int) -> tuple[FloatArray, np.ndarray[Any, Any]]:
        """Return places (n_views, n_keypoints, 2) and marks (n_views, n_keypoints) of an instant."""
        rows = list(self.task.instants[instant].rows.values())
        return self._xy[rows, individual], self._mark[rows, individual]

    def views(self, instant: int) -> Views | None:
        """Return the calibrated cameras of an instant, in the order of its views; None where fewer than two are."""
        here = self.task.instants[instant]
        cameras = self.calibrated(instant)
        key = here.recording, cameras
        if key not in self._views:
            rig = self.task.rigs.get(here.recording)
            self._views[key] = None if rig is None or len(cameras) < 2 else Views(rig.select(cameras))
        return self._views[key]

    def calibrated(self, instant: int) -> tuple[str, ...]:
        """Return the cameras of an instant that the calibration knows."""
        here = self.task.instants[instant]
        rig = self.task.rigs.get(here.recording)
        if rig is None:
            return ()
        known = {camera: self.task.size(row) for camera, row in here.rows.items() if camera in rig}
        return tuple(camera for camera, size in known.items() if size is None or size == rig[camera].size)

    def placed(self, instant: int, individual: int, keypoints: Sequence[int]) -> FloatArray:
        """Return (n_keypoints, n_calibrated, 2) places in the calibrated views; NaN where there is none."""
        here = self.task.instants[instant]
        rows = [here.rows[camera] for camera in self.calibrated(instant)]
        return self._xy[np.ix_(rows, [individual], list(keypoints))][:, 0].swapaxes(0, 1)

    def progress(self, instant: int) -> tuple[int, int]:
        """Return how many keypoints of an instant's images are decided on, and how many there are.

        Individuals of whom nothing is labelled there count only if that is so of all.
        """
        rows = list(self.task.instants[instant].rows.values())
        decided = (self._mark[rows] != Mark.UNLABELLED).sum(axis=(0, 2))
        n_here = max(1, int((decided > 0).sum()))
        return int(decided.sum()), n_here * len(rows) * len(self.labels.keypoints)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return bool(self._redo)

    def edited(self) -> Labels:
        """Return the labels of the images that were edited, as they are now."""
        rows = sorted(self._touched)
        all_labels = replace(self.labels, xy=self._xy, mark=self._mark)
        return all_labels.take(rows)

    # --- actions -------------------------------------------------------------------------------------------------

    def place(self, row: int, individual: int, keypoint: int, *, xy: tuple[float, float], mark: Mark) -> bool:
        """Place a keypoint, or move it."""
        value = _Value(round(xy[0], 2), round(xy[1], 2), mark)
        return self._do("place", [(_Place(row, individual, keypoint), value)])

    def remove(self, rows: Iterable[int], individual: int, keypoint: int) -> bool:
        """Take labels away."""
        return self._do("remove", [(_Place(row, individual, keypoint), _NOTHING) for row in rows])

    def toggle(self, rows: Sequence[int], individual: int, keypoint: int, *, mark: Mark) -> bool:
        """Mark a keypoint occluded or absent, or take the mark back where all images have it."""
        places = [_Place(row, individual, keypoint) for row in rows]
        if mark == Mark.ABSENT:
            all_so = all(self._mark[place] == Mark.ABSENT for place in places)
            return self._do("mark", [(place, _NOTHING if all_so else _ABSENT) for place in places])
        places = [place for place in places if np.isfinite(self._xy[place]).all()]
        all_so = all(self._mark[place] == mark for place in places)
        new = Mark.VISIBLE if all_so else mark
        return self._do("mark", [(place, self._value(place)._replace(mark=new)) for place in places])

    def accept(self, instant: int, individual: int, keypoints: Sequence[int]) -> bool:
        """Take what the other views suggest, where nothing is labelled; what lies out of an image is absent."""
        views = self.views(instant)
        if views is None:
            return False
        here = self.task.instants[instant]
        rows = [here.rows[camera] for camera in self.calibrated(instant)]
        agreement = views.agree(self.placed(instant, individual, keypoints))
        inside = views.inside(agreement.xy)
        known = np.asarray(np.isfinite(agreement.xyz).all(-1))
        new = []
        for i, keypoint in enumerate(keypoints):
            for c, row in enumerate(rows):
                place = _Place(row, individual, keypoint)
                if not known[i] or self._mark[place] != Mark.UNLABELLED:
                    continue
                x, y = agreement.xy[i, c].round(2)
                new.append((place, _Value(float(x), float(y), Mark.VISIBLE) if inside[i, c] else _ABSENT))
        return self._do("accept", new)

    def accept_guesses(
        self, instant: int, individual: int, keypoints: Sequence[int], *, least_score: float, views: Sequence[str] = ()
    ) -> bool:
        """Take what the network found, where nothing is labelled."""
        new = []
        for camera, row in self.task.instants[instant].rows.items():
            guess = self.task.guess(row) if not views or camera in views else None
            if guess is None:
                continue
            for keypoint in keypoints:
                place = _Place(row, individual, keypoint)
                x, y = guess.xy[individual, keypoint].round(2)
                sure = guess.score[individual, keypoint] >= least_score
                if sure and np.isfinite([x, y]).all() and self._mark[place] == Mark.UNLABELLED:
                    new.append((place, _Value(float(x), float(y), Mark.VISIBLE)))
        return self._do("accept predictions", new)

    def copy(self, instant: int, individual: int, keypoints: Sequence[int]) -> bool:
        """Take the labels of the instant before, where nothing is labelled."""
        source = self.source_of_copy(instant)
        if source is None:
            return False
        rows = self.task.instants[source].rows
        new = [
            (place, self._value(_Place(rows[camera], individual, keypoint)))
            for camera, row in self.task.instants[instant].rows.items()
            if camera in rows
            for keypoint in keypoints
            if self._mark[place := _Place(row, individual, keypoint)] == Mark.UNLABELLED
        ]
        return self._do("copy", new)

    def source_of_copy(self, instant: int) -> int | None:
        """Return the nearest instant of the recording that is labelled, earlier ones first."""
        here = self.task.instants[instant]
        if here.frame is None:
            return None
        labelled = np.zeros(len(self.task.instants), dtype=bool)
        labelled[self._instant_of[(self._mark != Mark.UNLABELLED).any(axis=(1, 2)) & (self._instant_of >= 0)]] = True
        labelled[instant] = False
        same = labelled & (self._recording == self._recording[instant]) & np.isfinite(self._frame)
        candidates = np.flatnonzero(same)
        if not len(candidates):
            return None
        away = self._frame[candidates] - here.frame
        return int(candidates[np.lexsort((np.abs(away), away > 0))[0]])

    def undo(self) -> int | None:
        """Take the last action back.

        Returns
        -------
        int or None
            The instant where it was; None where there is nothing to undo.
        """
        return self._again(self._undo, "undo")

    def redo(self) -> int | None:
        """Do again what was taken back last; as :meth:`undo`."""
        return self._again(self._redo, "redo")

    def _again(self, stack: list[_Step], what: str) -> int | None:
        if not stack:
            return None
        step = stack[-1].reversed()
        self._write(what, step)
        self._keep(what, step)
        at = int(self._instant_of[step.changes[0].place.row])
        return None if at < 0 else at

    # --- how a change is made ------------------------------------------------------------------------------------

    def _value(self, place: _Place) -> _Value:
        x, y = self._xy[place]
        return _Value(float(x), float(y), int(self._mark[place]))

    def _do(self, name: str, new: Iterable[tuple[_Place, _Value]]) -> bool:
        changes = tuple(_Change(place, self._value(place), value) for place, value in new)
        changes = tuple(change for change in changes if not _same(change.before, change.after))
        if not changes:
            return False
        step = _Step(name, changes)
        self._write(name, step)
        self._keep(name, step)
        return True

    def _write(self, name: str, step: _Step) -> None:
        """Put a step into the journal; only then it counts."""
        if self._record is None:
            return
        labels = self.labels
        self._record(
            {
                "do": name,
                "changes": [
                    [
                        *labels.images[place.row],
                        labels.individuals[place.individual],
                        labels.keypoints[place.keypoint],
                        *_plain(before),
                        *_plain(after),
                    ]
                    for place, before, after in step.changes
                ],
            }
        )

    def _keep(self, name: str, step: _Step) -> None:
        for place, _, after in step.changes:
            self._xy[place] = after.x, after.y
            self._mark[place] = after.mark
            self._touched.add(place.row)
        self.revision += 1
        if name == "undo":
            self._undo = self._undo[:-1]
            self._redo.append(step)
        elif name == "redo":
            self._redo = self._redo[:-1]
            self._undo.append(step)
        else:
            self._undo.append(step)
            self._redo.clear()

    def replay(self, entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Do again what a journal holds.

        Returns
        -------
        list of mapping
            Entries, or the part of them, that speak of images or keypoints which are no longer there.
        """
        unplaced: list[Mapping[str, Any]] = []
        for entry in entries:
            changes, strange = self._parse(entry)
            if changes:
                self._keep(str(entry["do"]), _Step(str(entry["do"]), changes))
            if strange:
                unplaced.append({**entry, "changes": strange})
        if unplaced:
            logger.warning(
                "%d changes of the journal belong to images or keypoints that the project no longer has", len(unplaced)
            )
        return unplaced

    def _parse(self, entry: Mapping[str, Any]) -> tuple[tuple[_Change, ...], list[Any]]:
        found, strange = [], []
        items = entry.get("changes")
        for item in items if isinstance(items, list) and isinstance(entry.get("do"), str) else []:
            try:
                video, image, individual, keypoint, *values = item
                place = _Place(
                    self._row[ImageName(video, image)],
                    self.labels.individuals.index(individual),
                    self.labels.keypoints.index(keypoint),
                )
                found.append(_Change(place, _read_value(*values[:3]), _read_value(*values[3:])))
            except (KeyError, ValueError, TypeError):
                strange.append(item)
        return tuple(found), strange


def _same(a: _Value, b: _Value) -> bool:
    return a.mark == b.mark and np.array_equal([a.x, a.y], [b.x, b.y], equal_nan=True)


def _plain(value: _Value) -> list[float | int | None]:
    return [None if np.isnan(value.x) else value.x, None if np.isnan(value.y) else value.y, int(value.mark)]


def _read_value(x: float | None, y: float | None, mark: int) -> _Value:
    nan = float("nan")
    return _Value(nan if x is None else float(x), nan if y is None else float(y), Mark(mark))
