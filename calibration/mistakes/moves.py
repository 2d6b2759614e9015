"""A camera that was moved during the recording."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import angle_between
from pose3d.geometry.transforms import inverse

from ..findings import Finding
from .agreement import Agreement, PairSightings, Sightings, clearly_better, sighted_pairs

__all__ = ["find_moved"]

_MOVED = 3.0  # by which it must fall when a camera may have moved; unmoved cameras reach 2.5
_SEGMENT = 8  # instants on either side of a move
_LEAST = 30  # instants: fewer do not show what is usual
_MOVE_INSTANTS = 100
_CONTROL = 2.0  # by which a move must stand out from how parts without one differ


class _Move(NamedTuple):
    pair: tuple[int, int]
    frame: int | None  # the first after the move; None if it is not sure that either camera moved
    gap: int  # frames between the last instant before it and the first after it
    shift_mm: float
    angle_deg: float
    first: int  # what the pair saw well
    last: int


def find_moved(sightings: Sightings) -> tuple[Finding, ...]:
    """Find a camera that was moved once during the recording.

    Parameters
    ----------
    sightings : Sightings
        With the lenses of the solved rig: errors of rough lenses change with the board's place, as if a camera moved.
        Of cameras in step: those of a moving board out of step do the same.

    Returns
    -------
    tuple of Finding
        Of one camera, or of two if it can only be told that one of them moved.
    """
    moves = []
    for a, b in sighted_pairs(sightings.seen, least=_LEAST):
        move = _find_move(sightings, a, b)
        if move is not None:
            moves.append(move)
    moved = [move for move in moves if move.frame is not None]
    if not moved:
        return ()
    suspects = set.intersection(*(set(move.pair) for move in moved))
    surest = min(moved, key=lambda move: (move.gap, move.first - move.last))
    when = surest.frame or 0
    for move in moves:
        if move.frame is None and move.first < when < move.last:
            suspects -= set(move.pair)
    if not suspects:
        return ()
    names = tuple(sightings.cameras[c] for c in sorted(suspects))
    return (
        Finding(
            "moved",
            "FAIL",
            names,
            f"camera {' or camera '.join(names)} moved at about frame {when}, "
            f"by {surest.shift_mm:.0f} mm and {surest.angle_deg:.1f} degrees",
            "fix the camera and record again, or cut the clips there",
        ),
    )


def _find_move(sightings: Sightings, a: int, b: int) -> _Move | None:
    """Look for one change in the relative pose of two cameras; None if nothing can be said of them."""
    pair = PairSightings.of(sightings, a, b, most=_MOVE_INSTANTS)
    n = len(pair.rows)
    frames = sightings.frames[pair.rows]
    ends = pair.fit(rows=slice(0, n // 3)), pair.fit(rows=slice(n - n // 3, n))
    if ends[0] is None or ends[1] is None:
        return None

    def fit_parts(
        first: int, split: int, last: int, starts: tuple[FloatArray, FloatArray]
    ) -> tuple[Agreement, Agreement] | None:
        one = pair.fit(start=starts[0], rows=slice(first, split))
        two = pair.fit(start=starts[1], rows=slice(split, last))
        return None if one is None or two is None else (one, two)

    best: tuple[Agreement, Agreement] | None = (ends[0], ends[1])
    split = 0
    for _ in range(2):  # the first instant after the move is where the second pose begins to fit better
        if best is None:
            return None
        gain = np.log1p(best[0].chi2) - np.log1p(best[1].chi2)
        split = int(np.clip(np.argmin(np.cumsum(np.append(0.0, gain))), _SEGMENT, n - _SEGMENT))
        best = fit_parts(0, split, n, (best[0].b_from_a, best[1].b_from_a))
    if best is None:
        return None
    before, after = best
    still = _Move((a, b), None, 0, 0.0, 0.0, int(frames[_SEGMENT - 1]), int(frames[n - _SEGMENT]))
    crossed = _crossed(before, after, 0, split, n)
    if not (
        clearly_better(before.chi2[:split], after.chi2[:split], _MOVED)
        and clearly_better(after.chi2[split:], before.chi2[split:], _MOVED)
    ):
        return still
    for first, last, own in ((0, split, before.b_from_a), (split, n, after.b_from_a)):
        middle = (first + last) // 2
        halves = fit_parts(first, middle, last, (own, own))
        if halves is not None and crossed < _CONTROL * _crossed(*halves, first, middle, last):
            return still  # what differs from part to part is not a camera that moved once
    poses = np.stack([before.b_from_a, after.b_from_a])
    centers = inverse(poses)[:, :3, 3]
    return still._replace(
        frame=int(frames[split]),
        gap=int(frames[split] - frames[split - 1]),
        shift_mm=float(np.linalg.norm(centers[1] - centers[0])),
        angle_deg=float(np.degrees(angle_between(poses[0, :3, :3], poses[1, :3, :3]))),
    )


def _crossed(one: Agreement, two: Agreement, first: int, split: int, last: int) -> float:
    """Return by how much two parts of a recording disagree more under each other's pose than under their own."""
    return min(_ratio(two.chi2[first:split], one.chi2[first:split]), _ratio(one.chi2[split:last], two.chi2[split:last]))


def _ratio(worse: FloatArray, better: FloatArray) -> float:
    return float(np.nanmedian(worse) / max(np.nanmedian(better), 1e-9))
