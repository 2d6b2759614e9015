"""Corrections applied: to views, to points in space, to events. What is given stays as it is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edits, MovedEvent, SwappedSides
from pose3d.data.events import LimbEvents
from pose3d.data.keypoints import Keypoints2D, Keypoints3D, Status
from pose3d.geometry.arrays import BoolArray

__all__ = [
    "EditedEvents",
    "bad_points",
    "bad_views",
    "edit_events",
    "edit_points",
    "edit_views",
    "erase_points",
    "erase_views",
    "exchange_partners",
    "exchange_views",
    "known_pairs",
    "swapped_sides",
    "unknown_names",
]

NEAR_S = 0.1
"""Events found anew within this time of the one that a person meant are taken for the same."""
_SHARE = 0.3  # of the time between like events: animals' steps are shorter than people's
_SAME_S = 1e-3


def bad_points(
    edits: Edits, start: int, n_frames: int, individuals: Sequence[str], keypoints: Sequence[str]
) -> BoolArray:
    """Return which points a person marked as bad.

    Parameters
    ----------
    edits : Edits
    start : int
        Index of the first frame in the recording.
    n_frames : int
    individuals, keypoints : sequence of str

    Returns
    -------
    (n_frames, n_individuals, n_keypoints) bool array
    """
    bad = np.zeros((n_frames, len(individuals), len(keypoints)), dtype=np.bool_)
    for part in edits.stretches:
        if part.camera is None:
            frames = _frames(part.first, part.last, start, n_frames)
            bad[frames] |= np.multiply.outer(_among(part.individual, individuals), _any_of(part.keypoints, keypoints))
    return bad


def bad_views(
    edits: Edits,
    start: int,
    n_frames: int,
    cameras: Sequence[str],
    individuals: Sequence[str],
    keypoints: Sequence[str],
) -> BoolArray:
    """Return which views are not to be used: those that a person marked, and all of points that are bad.

    Parameters are those of :func:`bad_points`.

    Returns
    -------
    (n_frames, n_cameras, n_individuals, n_keypoints) bool array
    """
    bad = np.zeros((n_frames, len(cameras), len(individuals), len(keypoints)), dtype=np.bool_)
    for part in edits.stretches:
        frames = _frames(part.first, part.last, start, n_frames)
        points = np.multiply.outer(_among(part.individual, individuals), _any_of(part.keypoints, keypoints))
        bad[frames] |= np.multiply.outer(_among(part.camera, cameras), points)
    return bad


def swapped_sides(
    swaps: Iterable[SwappedSides],
    start: int,
    n_frames: int,
    cameras: Sequence[str],
    individuals: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> BoolArray:
    """Return where partners are to be exchanged; what is exchanged twice is not.

    Parameters are those of :func:`bad_points`.

    Returns
    -------
    (n_frames, n_cameras, n_individuals, n_pairs) bool array
    """
    swapped = np.zeros((n_frames, len(cameras), len(individuals), len(pairs)), dtype=np.bool_)
    for part in swaps:
        wanted = {frozenset(pair) for pair in part.pairs}
        chosen = np.array([not wanted or frozenset(pair) in wanted for pair in pairs], dtype=np.bool_)
        frames = _frames(part.first, part.last, start, n_frames)
        sides = np.multiply.outer(_among(part.individual, individuals), chosen)
        swapped[frames] ^= np.multiply.outer(_among(part.camera, cameras), sides)
    return swapped


def edit_views(keypoints: Keypoints2D, edits: Edits, pairs: Sequence[tuple[str, str]] = ()) -> Keypoints2D:
    """Exchange sides, and leave out bad views.

    Sides first: what is marked as bad is what carries the name once the sides are right.

    Parameters
    ----------
    keypoints : Keypoints2D
    edits : Edits
    pairs : sequence of (str, str)
        Left and right partners, for swaps that name none.
    """
    start, n = keypoints.start, keypoints.n_frames
    if not edits.touches(start, n):
        return keypoints
    axes = keypoints.cameras, keypoints.individuals
    known = known_pairs(edits, pairs, keypoints.keypoints)
    exchanged = exchange_views(keypoints, swapped_sides(edits.swaps, start, n, *axes, known), known)
    return erase_views(exchanged, bad_views(edits, start, n, *axes, keypoints.keypoints))


def exchange_views(keypoints: Keypoints2D, swapped: BoolArray, pairs: Sequence[tuple[str, str]]) -> Keypoints2D:
    """Return views with partners exchanged, (n_frames, n_cameras, n_individuals, n_pairs)."""
    if not swapped.any():
        return keypoints
    xy, score = np.array(keypoints.xy), np.array(keypoints.score)
    for values in (xy, score):
        exchange_partners(values, swapped, keypoints.keypoints, pairs)
    return replace(keypoints, xy=xy, score=score)


def erase_views(keypoints: Keypoints2D, bad: BoolArray) -> Keypoints2D:
    """Return views of which some are absent, (n_frames, n_cameras, n_individuals, n_keypoints)."""
    if not bad.any():
        return keypoints
    xy, score = np.where(bad[..., None], np.nan, keypoints.xy), np.where(bad, np.nan, keypoints.score)
    return replace(keypoints, xy=xy, score=score)


def edit_points(
    points: Keypoints3D, edits: Edits, pairs: Sequence[tuple[str, str]] = (), *, swap: bool = True
) -> Keypoints3D:
    """Make bad stretches missing, and exchange sides; what concerns single cameras plays no part.

    Parameters
    ----------
    points : Keypoints3D
    edits : Edits
    pairs : sequence of (str, str)
        Left and right partners, for swaps that name none.
    swap : bool
        Whether sides are exchanged: not in points that were made with these edits.
    """
    start, n = points.start, points.n_frames
    if not edits.touches(start, n):
        return points
    names = ("xyz", "error", "n_cameras", "score", "status", "covariance")
    arrays: dict[str, Any] = {name: np.array(value) for name in names if (value := getattr(points, name)) is not None}
    whole = [part for part in edits.swaps if part.camera is None] if swap else []
    known = known_pairs(edits, pairs, points.keypoints)
    swapped = swapped_sides(whole, start, n, ("",), points.individuals, known)[:, 0]
    for values in arrays.values():
        exchange_partners(values, swapped, points.keypoints, known)
    return erase_points(replace(points, **arrays), bad_points(edits, start, n, points.individuals, points.keypoints))


def erase_points(points: Keypoints3D, bad: BoolArray) -> Keypoints3D:
    """Return points of which some are missing, (n_frames, n_individuals, n_keypoints)."""
    if not bad.any():
        return points
    covariance = points.covariance
    return replace(
        points,
        xyz=np.where(bad[..., None], np.nan, points.xyz),
        error=np.where(bad, np.nan, points.error),
        n_cameras=np.where(bad, 0, points.n_cameras),
        score=np.where(bad, np.nan, points.score),
        status=np.where(bad, np.uint8(Status.MISSING), points.status),
        covariance=None if covariance is None else np.where(bad[..., None, None], np.nan, covariance),
    )


class EditedEvents(NamedTuple):
    """Events after a person's corrections.

    Attributes
    ----------
    events : LimbEvents
    notes : tuple of str
        What could not be done as it was meant, for people.
    """

    events: LimbEvents
    notes: tuple[str, ...]


def edit_events(events: LimbEvents, edits: Edits) -> EditedEvents:
    """Move, delete and add events.

    What a person said is that there is an event at one time, and none at another. Events that are found anew may
    differ a little from those that the person saw: the nearest like event within 0.1 s, or 0.3 times the usual time
    between such events if that is shorter, is taken for the one that was meant. Applied to events that are corrected
    already, nothing changes.

    Parameters
    ----------
    events : LimbEvents
    edits : Edits
        Of one individual.
    """
    times: dict[tuple[str, str], list[float]] = {}
    for limb, kind, time in zip(events.limbs, events.kinds, events.time_s.tolist(), strict=True):
        times.setdefault((limb, kind), []).append(time)
    wanted: dict[tuple[str, str], _Wanted] = {}
    for edit in edits.events:
        wanted.setdefault((edit.limb, edit.kind), _Wanted([], [])).take(edit)
    notes: list[str] = []
    for key, own in wanted.items():
        times[key] = _settle(times.get(key, []), own, " ".join(key), notes)
    return EditedEvents(LimbEvents.from_times([(*key, np.array(own)) for key, own in times.items()]), tuple(notes))


class _Wanted(NamedTuple):
    """Where one limb's events of one kind are, and where there is none, as a person said in the end.

    Attributes
    ----------
    there : list of float
    absent : list of (float, float or None)
        Where there is none, and where that event is instead.
    """

    there: list[float]
    absent: list[tuple[float, float | None]]

    def take(self, edit: MovedEvent | DeletedEvent | AddedEvent) -> None:
        if isinstance(edit, AddedEvent):
            self.there.append(edit.time_s)
            return
        moved = edit.to_s if isinstance(edit, MovedEvent) else None
        gone = edit.from_s if isinstance(edit, MovedEvent) else edit.time_s
        mine = next((time for time in self.there if abs(time - gone) <= _SAME_S), None)
        if mine is None:
            self.absent.append((gone, moved))
        else:  # put there by a person, and thought better of
            self.there.remove(mine)
            self.absent[:] = [(time, moved if to == mine else to) for time, to in self.absent]
        if moved is not None:
            self.there.append(moved)


def _settle(found: list[float], wanted: _Wanted, name: str, notes: list[str]) -> list[float]:
    """Bring found times and a person's word together."""
    near = NEAR_S
    if len(found) > 1:
        near = min(near, _SHARE * float(np.median(np.diff(sorted(found)))))
    near = max(near, _SAME_S)
    left = [time for time in found if all(abs(time - own) > _SAME_S for own in wanted.there)]
    for gone, to in wanted.absent:
        if not _take_nearest(left, gone, near) and to is not None and not _take_nearest(list(found), to, _SAME_S):
            notes.append(f"{name}: there is none any more at {gone:.3f} s, from where a person moved it to {to:.3f} s")
    for own in wanted.there:
        _take_nearest(left, own, near)
    return sorted([*left, *wanted.there])


def _take_nearest(times: list[float], time: float, within: float) -> bool:
    """Take the nearest of some times out; tells whether there was one."""
    closest = min(times, key=lambda each: abs(each - time), default=None)
    if closest is None or abs(closest - time) > within:
        return False
    times.remove(closest)
    return True


def _frames(first: int, last: int, start: int, n_frames: int) -> slice:
    """Return the rows of frames first to last, both included, as far as they are there."""
    return slice(min(max(first - start, 0), n_frames), min(max(last + 1 - start, 0), n_frames))


def _among(name: str | None, names: Sequence[str]) -> BoolArray:
    return np.array([name is None or each == name for each in names], dtype=np.bool_)


def _any_of(wanted: Sequence[str], names: Sequence[str]) -> BoolArray:
    return np.array([not wanted or each in wanted for each in names], dtype=np.bool_)


def known_pairs(
    edits: Edits, pairs: Sequence[tuple[str, str]], keypoints: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a skeleton and those that edits name, as far as there are such keypoints."""
    named = {frozenset(pair): pair for part in edits.swaps for pair in part.pairs}
    known = {frozenset(pair): (pair[0], pair[1]) for pair in pairs}
    there = set(keypoints)
    return tuple(pair for key, pair in {**named, **known}.items() if key <= there)


def exchange_partners(
    values: NDArray[Any], swapped: BoolArray, keypoints: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> None:
    """Exchange partners in place.

    Parameters
    ----------
    values : (..., n_keypoints, any) array
    swapped : (..., n_pairs) bool array
    keypoints : sequence of str
    pairs : sequence of (str, str)
    """
    names = list(keypoints)
    by_keypoint = np.moveaxis(values, swapped.ndim - 1, 0)
    for p, (one, other) in enumerate(pairs):
        a, b, where = names.index(one), names.index(other), swapped[..., p]
        if where.any():
            left, right = by_keypoint[a].copy(), by_keypoint[b].copy()
            mask = where.reshape(*where.shape, *[1] * (left.ndim - where.ndim))
            by_keypoint[a], by_keypoint[b] = np.where(mask, right, left), np.where(mask, left, right)


def unknown_names(
    edits: Edits, keypoints: Sequence[str], *, individuals: Sequence[str] = (), cameras: Sequence[str] = ()
) -> list[str]:
    """Return a line for each edit of points that names what is not there, and so does nothing or not all it says.

    Parameters
    ----------
    edits : Edits
    keypoints : sequence of str
    individuals, cameras : sequence of str
        Not looked at where none is given.
    """
    lines = []
    for part in edits.parts:
        names = part.keypoints if isinstance(part, BadStretch) else [name for pair in part.pairs for name in pair]
        strange = [f"keypoint {name!r}" for name in names if name not in keypoints]
        if individuals and part.individual not in (None, *individuals):
            strange.append(f"individual {part.individual!r}")
        if cameras and part.camera not in (None, *cameras):
            strange.append(f"camera {part.camera!r}")
        if strange:
            lines.append(f"Correction {part.words}: there is no {' and no '.join(strange)}")
    return lines
