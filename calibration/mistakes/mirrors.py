"""Mirrored clips of a checkerboard, which the other cameras' views give away."""

import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import FloatArray

from ..detection.mirrored import mirrored_finding
from ..findings import Finding
from .agreement import PairSightings, Sightings, clearly_better, sighted_pairs

__all__ = ["find_mirrored"]

_FACTOR = 4.0  # by which the squared disagreement must fall when a picture is flipped


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
        pair = PairSightings.of(sightings, a, b)
        straight, flipped = pair.fit(), _flipped(pair, flip).fit()
        if straight is not None and flipped is not None:
            for better, worse, value in ((straight, flipped, False), (flipped, straight, True)):
                if clearly_better(better.chi2, worse.chi2, _FACTOR):
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


def _flipped(pair: PairSightings, flip: FloatArray) -> PairSightings:
    """Return the pair with the second camera's picture mirrored."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    b = pair.b.copy()
    b[..., :3, :3] = mirror @ b[..., :3, :3] @ flip
    b[..., :3, 3] = b[..., :3, 3] @ mirror
    turn = np.diag([1.0, -1, -1, -1, 1, 1])  # an axis of rotation is mirrored the other way
    return pair._replace(b=b, covariance_b=turn @ pair.covariance_b @ turn)
