"""Clips that do not start together: which frame of each camera shows what the others' frame shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.transforms import rigid

from ..findings import Finding
from ..sampling import spread_evenly
from .agreement import Agreement, Sightings, agree, block_test, sighted_pairs

__all__ = ["Offsets", "find_offsets", "offset_findings", "shift_detections"]

_REACH = (15, 60)  # frames; the second only where the first holds no answer
_INSTANTS, _CLOSELY = 200, 80  # of a pair, for all offsets and for the best: more cost time and tell nothing new
_LEAST = 8
_CLEARLY = 4.0  # standard errors by which an offset must win at one pair of cameras at least
_LIKELY = 2.5  # by which a pair must tell its offset to be heard
_FACTOR = 2.0  # by which the offset must lower the squared disagreement
_DIP = (2.0, 20.0)  # by which the best offset's distance must lie below what others give, and more with few instants
_RIVAL = (1.3, 8.0)  # by which it must lie below each that is no neighbour
_APART = 4
_NEAR = 2  # how far the best offset may lie from the roughly best
_CONFLICTS = 0.25  # part of the pairs that may disagree with the rest
_EXACT = 0.25  # a fraction below this part of a step is none: boards do not move evenly
_WHOLE = 0.15  # a clip cut at the wrong frame is off by whole frames


@dataclass(frozen=True)
class Offsets:
    """Frames by which clips are shifted against each other.

    Attributes
    ----------
    frames : dict of str to int
        Of the cameras whose clips are late (positive) or early: frame ``i + frames[name]`` shows what frame ``i`` of
        the other cameras shows. Cameras in step, and those of which nothing can be said, are absent.
    lag : dict of str to float
        The same with its fraction: cameras without a common trigger need not be apart by whole frames.
    certainty : dict of str to float
        Standard errors by which each offset explains the board's poses better than none, at the best pair of cameras.
    against : dict of str to tuple of str
        The cameras, in step with each other, that each offset counts from.
    """

    frames: dict[str, int]
    lag: dict[str, float]
    certainty: dict[str, float]
    against: dict[str, tuple[str, ...]]


class _Pair(NamedTuple):
    a: int
    b: int
    lag: float
    certainty: float


def find_offsets(sightings: Sightings) -> Offsets:
    """Search the frame offsets between cameras that explain the board's poses.

    Under the right offset one relative pose of two cameras explains the board's poses at all instants. For each pair
    the offsets are first ranked by a rigid fit of the board's path, then the best are compared with none by how well
    the poses agree, instant by instant. A board that is still, or hardly moves, tells nothing, and nothing is said.

    Parameters
    ----------
    sightings : Sightings

    Returns
    -------
    Offsets
    """
    pairs = (_compare_pair(sightings, a, b) for a, b in sighted_pairs(_widened(sightings)))
    sure = [pair for pair in pairs if pair is not None]
    return _combine(sure, sightings.cameras, least=_stride(sightings.frames))


def offset_findings(offsets: Offsets, *, given: Mapping[str, int] | None = None) -> tuple[Finding, ...]:
    """Say which cameras' clips are shifted.

    Parameters
    ----------
    offsets : Offsets
    given : mapping of str to int, optional
        Offsets with which the clips were read already.

    Returns
    -------
    tuple of Finding
    """
    out = []
    for name, offset in offsets.frames.items():
        lag = offsets.lag[name]
        late = "late" if lag > 0 else "early"
        total = offset + (given or {}).get(name, 0)
        whole = abs(offset) > 1 or abs(lag - offset) < _WHOLE
        n = f"{abs(offset)}" if whole else f"{abs(lag):.1f}"
        first = "first frame" if abs(offset) == 1 else f"first {abs(offset)} frames"
        out.append(
            Finding(
                "offset",
                "FAIL" if abs(offset) > 1 else "WARN",  # cameras without a common trigger are easily one frame apart
                (name,),
                f"camera {name} is {n} frame{'' if n == '1' else 's'} {late}: its frame i{offset:+d} shows "
                f"{'' if whole else 'about '}what frame i of {_listed(offsets.against[name])} shows",
                f"give --offset {name}={total} (in pose3d.toml {name} = {total} under [offsets]), or cut "
                f"{f'its {first}' if offset > 0 else f'the {first} of the others'}",
            )
        )
    return tuple(out)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def shift_detections(detections: BoardDetections, offsets: Mapping[str, int]) -> BoardDetections:
    """Shift cameras' detections so that an instant is the same moment in all of them.

    Parameters
    ----------
    detections : BoardDetections
    offsets : mapping of str to int
        Frame ``i + offset`` of that camera shows instant i.

    Returns
    -------
    BoardDetections
        At the instants that remain inside all cameras' recordings; where only every n-th frame was looked at, shifts
        that are no multiple of n leave a camera without views.
    """
    shift = np.array([offsets.get(name, 0) for name in detections.cameras])
    frames = detections.frames
    if len(frames) == 0:
        return detections
    instants = np.unique((frames[:, None] - shift).ravel())
    first, last = max(0, frames[0] - shift.min()), frames[-1] - shift.max()
    instants = instants[(instants >= first) & (instants <= last)]
    row, there = _rows(frames, instants[:, None] + shift)
    xy = np.where(there[..., None, None], detections.xy[row, np.arange(len(shift))], np.nan)
    seen = np.isfinite(xy[..., 0]).any((1, 2))
    by_name = dict(zip(detections.cameras, shift.tolist(), strict=True))
    own = detections.own_frames
    if own is not None:
        own = {name: _later(numbers, by_name.get(name, 0)) for name, numbers in own.items()}
    return replace(
        detections,
        frames=instants[seen],
        xy=xy[seen],
        own_frames=own,
        blurred={name: numbers - by_name.get(name, 0) for name, numbers in detections.blurred.items()},
        still=np.zeros(0, dtype=np.int64),
    )


def _later(numbers: IntArray, shift: int) -> IntArray:
    """Return what stands `shift` places later in a list, -1 where there is nothing."""
    at = np.arange(len(numbers)) + shift
    inside = (at >= 0) & (at < len(numbers))
    return np.asarray(np.where(inside, numbers[np.clip(at, 0, len(numbers) - 1)], -1))


def _rows(frames: IntArray, wanted: IntArray) -> tuple[IntArray, BoolArray]:
    """Return the rows of some frames, and whether they are there."""
    row = np.minimum(np.searchsorted(frames, wanted), len(frames) - 1)
    return row, frames[row] == wanted


def _stride(frames: IntArray) -> int:
    steps = np.diff(frames)
    return int(np.gcd.reduce(steps)) if len(steps) else 1


def _widened(sightings: Sightings) -> BoolArray:
    """Say where each camera saw the board at about that instant: a shifted clip need not share the very instant."""
    frames, seen = sightings.frames, sightings.seen
    reach = _REACH[0] * _stride(frames)
    out = seen.copy()
    for camera in range(seen.shape[1]):
        mine = frames[seen[:, camera]]
        if len(mine):
            at = np.searchsorted(mine, frames)
            before, after = mine[np.maximum(at - 1, 0)], mine[np.minimum(at, len(mine) - 1)]
            out[:, camera] = np.minimum(np.abs(frames - before), np.abs(frames - after)) <= reach
    return np.asarray(out)


def _compare_pair(sightings: Sightings, a: int, b: int) -> _Pair | None:
    """Return the offset between two cameras if it is beyond doubt, zero included."""
    rows = np.flatnonzero(sightings.seen[:, a])
    rows = rows[spread_evenly(len(rows), _INSTANTS)]
    for reach in _REACH:
        ranked = _rank(sightings, a, b, rows, reach)
        if ranked is not None:
            break
    else:
        return None
    fits = {shift: fit for shift in {0, ranked.best} if (fit := ranked.fit(shift)) is not None}
    chosen = 0
    for _ in range(_NEAR + 1):
        level = {shift: max(float(np.nanmedian(fit.chi2)), 1e-9) for shift, fit in fits.items()}
        if not level:
            return None
        chosen = min(level, key=lambda shift: (level[shift], abs(shift)))
        beside = {shift for shift in (chosen - 1, chosen + 1) if shift not in fits}
        fits |= {shift: fit for shift in sorted(beside) if (fit := ranked.fit(shift)) is not None}
        if not beside:
            break
    if not {0, chosen - 1, chosen + 1} <= set(level):
        return None
    certainty = np.inf
    for rival in (0,) if chosen else (-1, 1):
        loss = [np.log1p(fits[shift].chi2 / level[chosen]) for shift in (rival, chosen)]
        sure = block_test(loss[0] - loss[1])
        certainty = min(certainty, sure if level[rival] > _FACTOR * level[chosen] else 0.0)
    if certainty < _LIKELY:
        return None
    before, here, after = (level[chosen + d] for d in (-1, 0, 1))
    fraction = 0.5 * (before - after) / (before - 2 * here + after)  # the vertex of a parabola
    step = _stride(sightings.frames)
    if step > 1 and abs(fraction) < _EXACT:
        fraction = 0.0
    return _Pair(a, b, step * (chosen + fraction), float(certainty))


class _Ranked(NamedTuple):
    """The offset between two cameras that a rough fit prefers, and what is needed to fit closely."""

    best: int
    start: Mapping[int, FloatArray]  # rough poses by offset
    rows: IntArray  # instants of the first camera that are looked at
    partner: Mapping[int, IntArray]  # rows of the second camera by offset, -1 where there is none
    views: tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # poses and covariances of both cameras

    def fit(self, shift: int) -> Agreement | None:
        """Fit one pose of the cameras; from the best offset's pose too, that no offset suffers from its start."""
        if shift not in self.start:
            return None
        partner = self.partner[shift]
        a, b, covariance_a, covariance_b = self.views
        b = np.where((partner >= 0)[:, None, None, None], b[partner], np.nan)
        fits = [
            agree(a[self.rows], b, covariance_a[self.rows], covariance_b[partner], start=self.start[start])
            for start in {shift, self.best}
        ]
        return min((fit for fit in fits if fit is not None), key=lambda f: float(np.nanmedian(f.chi2)), default=None)


def _rank(sightings: Sightings, a: int, b: int, rows: IntArray, reach: int) -> _Ranked | None:
    """Try all offsets up to `reach` steps; None if none stands out."""
    frames, shifts = sightings.frames, np.arange(-reach, reach + 1)
    row, there = _rows(frames, frames[rows] + _stride(frames) * shifts[:, None])
    there &= sightings.seen[row, b]
    count = there.sum(1)
    enough = count >= max(_LEAST, 0.5 * count.max())
    if enough.sum() < 3:
        return None
    shifts, row, there = shifts[enough], row[enough], there[enough]
    paths = _path(sightings.poses[rows, a, 0]), _path(sightings.poses[:, b, 0])[row]
    rough = _rough_fit(*paths, there.astype(np.float64))
    best = int(np.argmin(rough.loss))
    apart = np.abs(shifts - shifts[best]) > _APART
    dip, rival = (always + few / there[best].sum() for always, few in (_DIP, _RIVAL))
    clear = rough.distance[best] * dip < np.median(rough.distance)
    clear &= bool((rough.distance[apart] > rival * rough.distance[best]).all())
    if not clear or abs(shifts[best]) >= reach - 1:
        return None
    both = np.flatnonzero(there[best])
    few = both[spread_evenly(len(both), _CLOSELY)]
    return _Ranked(
        int(shifts[best]),
        dict(zip(shifts.tolist(), rough.pose, strict=True)),
        rows[few],
        {int(shift): np.where(there[i, few], row[i, few], -1) for i, shift in enumerate(shifts)},
        (sightings.poses[:, a], sightings.poses[:, b], sightings.covariance[:, a], sightings.covariance[:, b]),
    )


class _Rough(NamedTuple):
    pose: FloatArray
    distance: FloatArray
    loss: FloatArray


def _path(poses: FloatArray) -> FloatArray:
    """Return two points (n, 2, 3) that go with a board: its middle and one on its normal, which no turn moves."""
    middle = poses[:, :3, 3]
    reach = 0.1 * np.nanmedian(np.linalg.norm(middle, axis=-1))
    return np.stack([middle, middle + reach * poses[:, :3, 2]], axis=1)


def _rough_fit(a: FloatArray, b: FloatArray, weight: FloatArray) -> _Rough:
    """Fit rigid motions from one path (n, 2, 3) to shifted others (s, n, 2, 3), robustly."""
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    w = weight.copy()
    for _ in range(4):
        total = 2 * w.sum(1)
        mean_a = np.einsum("sn,npi->si", w, a) / total[:, None]
        mean_b = np.einsum("sn,snpi->si", w, b) / total[:, None]
        H = np.einsum("sn,snpi,npj->sij", w, b, a, optimize=True) - total[:, None, None] * (
            mean_b[:, :, None] * mean_a[:, None]
        )
        U, _, Vt = np.linalg.svd(H)
        sign = np.ones((len(H), 3))
        sign[:, 2] = np.sign(np.linalg.det(U @ Vt))
        R = (U * sign[:, None]) @ Vt
        t = mean_b - (R @ mean_a[..., None])[..., 0]
        miss = b - (np.einsum("sij,npj->snpi", R, a) + t[:, None, None])
        distance = np.sqrt((miss * miss).sum((-1, -2)))
        middle = np.nanmedian(np.where(weight > 0, distance, np.nan), axis=1)
        w = weight / (1 + (distance / np.maximum(middle, 1e-9)[:, None]) ** 2)
    scale = max(float(middle.min()), 1e-9)
    loss = (weight * np.log1p((distance / scale) ** 2)).sum(1) / weight.sum(1)
    return _Rough(rigid(R, t), middle, loss)


def _combine(pairs: list[_Pair], cameras: tuple[str, ...], *, least: int) -> Offsets:
    """Place all cameras' clips on one time line by the surest pairs; the lag that most cameras share is none."""
    nothing = Offsets({}, {}, {}, {})
    lag = {pair.a: 0.0 for pair in pairs} | {pair.b: 0.0 for pair in pairs}
    group = {camera: camera for camera in lag}
    surest = dict.fromkeys(lag, 0.0)
    for pair in sorted(pairs, key=lambda p: (-p.certainty, p.a, p.b)):
        old, new = group[pair.b], group[pair.a]
        if old != new:
            moved = lag[pair.a] + pair.lag - lag[pair.b]
            for camera in [c for c, g in group.items() if g == old]:
                lag[camera] += moved
                group[camera] = new
    wrong = [abs(lag[p.b] - lag[p.a] - p.lag) > 1 for p in pairs]
    if sum(wrong) > _CONFLICTS * len(pairs):
        return nothing
    lag = _average(lag, [p for p, bad in zip(pairs, wrong, strict=True) if not bad])
    for pair in pairs:
        if abs(pair.lag) > 0.5:
            for camera in (pair.a, pair.b):
                surest[camera] = max(surest[camera], pair.certainty)
    out = nothing
    for members in ([c for c in sorted(group) if group[c] == g] for g in sorted(set(group.values()))):
        near = {c: [d for d in members if abs(lag[d] - lag[c]) < 0.5] for c in members}
        in_step = max(near.values(), key=len)
        usual = float(np.mean([lag[d] for d in in_step]))
        for c in members:
            n = round(lag[c] - usual)
            if abs(n) >= least and surest[c] >= _CLEARLY:
                out.frames[cameras[c]] = n
                out.lag[cameras[c]] = lag[c] - usual
                out.certainty[cameras[c]] = surest[c]
                out.against[cameras[c]] = tuple(cameras[d] for d in in_step)
    return out


def _average(lag: Mapping[int, float], pairs: list[_Pair]) -> dict[int, float]:
    """Return the lags that agree best with all pairs; each group of linked cameras keeps its mean."""
    cameras = sorted(lag)
    tie = np.zeros((len(pairs), len(cameras)))
    for row, pair in zip(tie, pairs, strict=True):
        row[cameras.index(pair.b)], row[cameras.index(pair.a)] = 1.0, -1.0
    start = np.array([lag[c] for c in cameras])
    correction = np.linalg.lstsq(tie, np.array([pair.lag for pair in pairs]) - tie @ start, rcond=None)[0]
    return dict(zip(cameras, (start + correction).tolist(), strict=True))
