"""Which edits belong to which points, and which of them the points do not hold yet."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pose3d.data.edits import Edit, Edits, SwappedSides
from pose3d.errors import Pose3DError
from pose3d.io.edits import edit_tables, edits_beside, read_edits
from pose3d.io.uncertainty import read_held_edits
from pose3d.project.project import Session

__all__ = ["EDITS_SETTING", "EditsPlace", "PointEdits", "locate_edits", "point_edits", "recorded", "trial_edits"]

EDITS_SETTING = "edits"
"""Under which name the record of a step holds the edits with which it was done."""


class EditsPlace(NamedTuple):
    """Where the edits of points stand.

    Attributes
    ----------
    path : Path
        Of the file; it need not be there.
    trial : str
    individual : str or None
        Whose points they are, where a trial has several files.
    session : Session or None
    """

    path: Path
    trial: str
    individual: str | None = None
    session: Session | None = None


class PointEdits(NamedTuple):
    """What a person corrected in the points of one file.

    Attributes
    ----------
    edits : Edits
        All that concern these points.
    due : Edits
        Those about points that the file does not hold yet.
    remarks : tuple of str
        What only a new triangulation can do, for people.
    """

    edits: Edits = Edits()
    due: Edits = Edits()
    remarks: tuple[str, ...] = ()


def trial_edits(session: Session, trial: str) -> Edits:
    """Return what a person corrected in a trial.

    Raises
    ------
    FormatError
        If the session's ``edits.toml`` is damaged.
    """
    return read_edits(session.edits_toml).get(trial, Edits())


def locate_edits(points: str | Path) -> EditsPlace:
    """Find where the edits of a file of points stand, or would.

    Parameters
    ----------
    points : path
        A session's ``pose-3d/<trial>.csv`` or ``pose-3d/<trial>_<individual>.csv``; of any other file the edits lie
        beside it as ``<stem>.edits.toml``.
    """
    path = Path(points)
    if path.absolute().parent.name == "pose-3d":
        try:
            return _place(Session.load(path.absolute().parent.parent), path)
        except Pose3DError:
            pass  # a folder of this name in no project
    return EditsPlace(edits_beside(path), path.stem)


def _place(session: Session, points: Path) -> EditsPlace:
    stem = points.stem
    names = [trial.name for trial in (*session.trials(), *session.imported())]
    begins = [name for name in names if stem.startswith(f"{name}_")]
    if stem in names or not begins:
        return EditsPlace(session.edits_toml, stem, None, session)
    trial = max(begins, key=len)
    return EditsPlace(session.edits_toml, trial, stem.removeprefix(f"{trial}_"), session)


def point_edits(points: str | Path) -> PointEdits:
    """Find what a person corrected in a file of points, and what of it is still to be done.

    The points' side file says which corrections they hold.

    Parameters
    ----------
    points : path

    Raises
    ------
    FormatError
        If the file of edits is damaged.
    """
    place = locate_edits(points)
    every = read_edits(place.path)
    if place.trial not in every:
        return PointEdits()  # points made from others, by a filter, may hold corrections that stand elsewhere
    edits, done = every[place.trial], read_held_edits(points)
    if place.individual is not None:
        edits, done = edits.of(place.individual), done.of(place.individual)
    due, lost = _difference(edits.of_points, done)
    views = due.of_cameras
    remarks = []
    if not _has_views(place):
        if views:
            remarks.append("Corrections of single cameras' views are not applied: the points come without views")
    elif due or lost:
        remarks.append("The points were made before the last corrections; pose3d run brings them up to date")
    return PointEdits(edits, Edits(tuple(entry for entry in due.entries if entry not in views.entries)), tuple(remarks))


def _has_views(place: EditsPlace) -> bool:
    """Tell whether a trial can be triangulated anew; it is supposed of files without a session."""
    if place.session is None:
        return True
    if place.trial in (trial.name for trial in place.session.imported()):
        return False
    return any(trial.name == place.trial for trial in place.session.trials())


def _difference(wanted: Edits, done: Edits) -> tuple[Edits, Edits]:
    """Return what is still to be done, and what was done and cannot be taken back.

    A swap is taken back by another.
    """
    more, left = _without(wanted.entries, done.entries), _without(done.entries, wanted.entries)
    back = [entry for entry in left if isinstance(entry, SwappedSides)]
    return Edits((*more, *back)), Edits(tuple(entry for entry in left if entry not in back))


def _without(entries: Sequence[Edit], others: Sequence[Edit]) -> list[Edit]:
    rest = list(others)
    left = []
    for entry in entries:
        if entry in rest:
            rest.remove(entry)
        else:
            left.append(entry)
    return left


def recorded(edits: Edits) -> list[dict[str, object]]:
    """Return edits of points as a step's record holds them."""
    return edit_tables(edits.of_points.entries)
