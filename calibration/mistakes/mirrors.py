"""Mistakes of a recording that its board gives away: mirrored clips, and a camera that was moved meanwhile."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.rotations import angle_between
from pose3d.geometry.transforms import inverse
from pose3d.io.images import Image

from ..detection.corners import corner_finder
from ..findings import Finding
from .agreement import Agreement, Sightings, agree, block_test, sighted_pairs

__all__ = ["find_mirrored", "find_moved", "is_mirrored", "mirrored_finding"]

_CLEARLY = 4.0  # standard errors
_FACTOR = 4.0  # by which the squared disagreement must fall when a picture is flipped
_MOVED = 3.0  # by which it must fall when a camera may have moved; unmoved cameras reach 2.5
_INSTANTS = 80  # of a pair
_SEGMENT = 8  # instants on either side of a move
_LEAST = 30  # instants: fewer do not show what is usual
_MOVE_INSTANTS = 100
_CONTROL = 2.0  # by which a move must stand out from how parts without one differ


def is_mirrored(images: Iterable[Image], board: Board) -> bool:
    """Tell whether a board with markers is seen in the images only after left and right are exchanged.

    Parameters
    ----------
    images : iterable of (height, width) uint8 array
        Of a camera that never saw the board.
    board : Board

    Returns
    -------
    bool
        False for a checkerboard, whose mirror image is a checkerboard; see :func:`find_mirrored`.
    """
    if board.kind == "checkerboard":
        return False
    find = corner_finder(board)
    straight = flipped = shown = 0
    for image in images:
        straight += int(np.isfinite(find(image)[:, 0]).sum())
        n = int(np.isfinite(find(np.ascontiguousarray(image[:, ::-1]))[:, 0]).sum())
        flipped += n
        shown += n > 0
    return shown >= 2 and flipped > 5 * straight


def mirrored_finding(*names: str) -> Finding:
    """Say that a clip is mirrored; with two names, that one of them is."""
    clips = " or that of camera ".join(names)
    told = "" if len(names) == 1 else ": each sees the mirror image of the board that the other sees"
    return Finding(
        "mirrored",
        "FAIL",
        tuple(names),
        f"the clip of camera {clips} is mirrored (left and right exchanged){told}",
        "switch mirroring off in the recording software, or flip the clip back, and calibrate again",
    )


def find_mirrored(sightings: Sightings, board: Board) -> tuple[Finding, ...]:
    """Find cameras whose clips of a checkerboard are mirrored.

    A mirrored checkerboard looks like a checkerboard, but the poses before a mirrored camera agree with those before
    another camera only after the picture is flipped.

    Parameters
    ----------
    sightings : Sightings
    board : Board

    Returns
    -------
    tuple of Finding
        Empty for boards with markers: mirrored markers are not found at all.
    """
    if board.kind != "checkerboard":
        return ()
    flip = _flip(board)
    opposite: dict[tuple[int, int], bool] = {}
    for a, b in sighted_pairs(sightings.seen):
        pair = _Pair.of(sightings, a, b)
        straight, flipped = pair.fit(), pair.flipped(flip).fit()
        if straight is not None and flipped is not None:
            for better, worse, value in ((straight, flipped, False), (flipped, straight, True)):
                if _clearly_better(better.chi2, worse.chi2, _FACTOR):
                    opposite[a, b] = value
    side: dict[int, int] = {}
    out = []
    for root in range(len(sightings.cameras)):
        if root in side:
            continue
        side[root] = 0
        group = [root]
        for camera in group:  # grows while it is walked through
            for (a, b), value in opposite.items():
                other = b if a == camera else a if b == camera else camera
                if other not in side:
                    side[other] = side[camera] ^ value
                    group.append(other)
        if any(side[a] ^ side[b] != value for (a, b), value in opposite.items() if a in group):
            continue  # the pairs contradict each other
        ones = [c for c in sorted(group) if side[c]]
        zeros = [c for c in sorted(group) if not side[c]]
        if ones and len(ones) == len(zeros) == 1:
            out.append(mirrored_finding(*(sightings.cameras[c] for c in zeros + ones)))
        elif len(ones) != len(zeros):
            out += [mirrored_finding(sightings.cameras[c]) for c in min(ones, zeros, key=len)]
    return tuple(out)


def _flip(board: Board) -> FloatArray:
    """Return the mirroring (3, 3) of the board's own axes that keeps the colours of its squares."""
    nx, ny = board.corners
    if nx % 2 and nx == ny:
        return np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    return np.diag([1.0, -1, 1]) if nx % 2 and not ny % 2 else np.diag([-1.0, 1, 1])


class _Pair(NamedTuple):
    """Some of the instants at which two cameras saw the board."""

    rows: IntArray
    a: FloatArray
    b: FloatArray
    covariance_a: FloatArray
    covariance_b: FloatArray

    @classmethod
    def of(cls, sightings: Sightings, a: int, b: int, most: int = _INSTANTS) -> "_Pair":
        rows = np.flatnonzero(sightings.seen[:, a] & sightings.seen[:, b])
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))]
        return cls(
            rows,
            sightings.poses[rows, a],
            sightings.poses[rows, b],
            sightings.covariance[rows, a],
            sightings.covariance[rows, b],
        )

    def fit(self, *, start: FloatArray | None = None, rows: slice | None = None) -> Agreement | None:
        weight = None
        if rows is not None:
            weight = np.zeros(len(self.rows))
            weight[rows] = 1
        return agree(self.a, self.b, self.covariance_a, self.covariance_b, start=start, weight=weight)

    def flipped(self, flip: FloatArray) -> "_Pair":
        """Return the pair with the second camera's picture mirrored."""
        mirror = np.diag([-1.0, 1.0, 1.0])
        b = self.b.copy()
        b[..., :3, :3] = mirror @ b[..., :3, :3] @ flip
        b[..., :3, 3] = b[..., :3, 3] @ mirror
        turn = np.diag([1.0, -1, -1, -1, 1, 1])  # an axis of rotation is mirrored the other way
        return self._replace(b=b, covariance_b=turn @ self.covariance_b @ turn)


def _clearly_better(better: FloatArray, worse: FloatArray, factor: float) -> bool:
    level = max(float(np.nanmedian(better)), 1e-9)
    gain = np.log1p(worse / level) - np.log1p(better / level)
    return float(np.nanmedian(worse)) > factor * level and block_test(gain) > _CLEARLY


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
    pair = _Pair.of(sightings, a, b, most=_MOVE_INSTANTS)
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
        _clearly_better(before.chi2[:split], after.chi2[:split], _MOVED)
        and _clearly_better(after.chi2[split:], before.chi2[split:], _MOVED)
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
