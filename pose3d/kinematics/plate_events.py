"""Gait events from force plates: when a foot begins and ends to press on a plate in the floor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.data.mocap import ForcePlate
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.log import logger

__all__ = ["PlateSettings", "find_plate_events", "prefer_events"]


@dataclass(frozen=True)
class PlateSettings:
    """What counts as a foot on a plate.

    Attributes
    ----------
    newton : float, N
        A plate that pushes harder bears a foot.
    least_s : float, s
        What is shorter is a knock or a foot that only brushed it.
    reach_mm : float, mm
        How far the middle of the foot may lie from the centre of pressure.
    margin_mm : float, mm
        A foot that begins or ends nearer to the edge, or beyond it, may press on the floor beside the plate, where
        nothing tells when.
    settle_s : float, s
        After a strike and before an off, when the centre of pressure can be told.
    """

    newton: float = 20.0
    least_s: float = 0.3
    reach_mm: float = 150.0
    margin_mm: float = 30.0
    settle_s: float = 0.02


def find_plate_events(
    plates: Sequence[ForcePlate],
    heels: Mapping[str, FloatArray],
    toes: Mapping[str, FloatArray],
    *,
    fps: float,
    start: int = 0,
    settings: PlateSettings | None = None,
) -> LimbEvents:
    """Find strikes and offs on force plates, and whose foot it was.

    Parameters
    ----------
    plates : sequence of ForcePlate
        Their first sample is at the first frame of the points.
    heels, toes : mapping of str to (n_frames, 3) array, mm
        By limb, Z up.
    fps : float
        Of the points.
    start : int
        Index of the first frame in the recording.
    settings : PlateSettings, optional

    Returns
    -------
    LimbEvents
        Only of feet that stand on a plate alone: where two stand on one, their events cannot be told apart. None of a
        plate that bears something throughout, which was not zeroed or has somebody standing on it.
    """
    settings = settings or PlateSettings()
    times = [
        event
        for number, plate in enumerate(plates)
        for event in _events_of(plate, heels, toes, fps=fps, start=start, settings=settings, number=number + 1)
    ]
    return LimbEvents.from_times(times)


def _events_of(
    plate: ForcePlate,
    heels: Mapping[str, FloatArray],
    toes: Mapping[str, FloatArray],
    *,
    fps: float,
    start: int,
    settings: PlateSettings,
    number: int,
) -> list[tuple[str, str, float]]:
    push = plate.force[:, 2]
    settle = round(settings.settle_s * plate.rate)
    found: list[tuple[str, str, float]] = []
    for first, end in _runs(np.asarray(push > settings.newton)):  # as many as there are steps on the plate
        if end - first < settings.least_s * plate.rate:
            continue
        limb = _standing(plate, slice(first, end), heels, toes, fps, settings)
        if limb is None:
            logger.info(
                "force plate %d, %.2f s to %.2f s: no foot, or more than one, stands on it; no event is taken",
                *(number, first / plate.rate + start / fps, end / plate.rate + start / fps),
            )
            continue
        for kind, before, inside in ((STRIKE, first - 1, first + settle), (OFF, end - 1, end - settle)):
            there = 0 <= before < len(push) - 1
            if there and _depth(plate.centre[inside, :2], plate.corners) > settings.margin_mm:
                low, high = push[before] - settings.newton, push[before + 1] - settings.newton
                found.append((limb, kind, (before + low / (low - high)) / plate.rate + start / fps))
    return found


def _standing(
    plate: ForcePlate,
    samples: slice,
    heels: Mapping[str, FloatArray],
    toes: Mapping[str, FloatArray],
    fps: float,
    settings: PlateSettings,
) -> str | None:
    """Return the one limb that stands on the plate; the lowest of those near the force, if the others are off it."""
    middle = (samples.start + samples.stop) // 2
    frames = slice(int(samples.start / plate.rate * fps), max(1, int(np.ceil(samples.stop / plate.rate * fps))))
    frame = int(middle / plate.rate * fps)
    feet = {limb: (heels[limb] + toes[limb]) / 2 for limb in heels}
    near = {
        limb: float(foot[frame, 2])
        for limb, foot in feet.items()
        if frame < len(foot) and np.linalg.norm(foot[frame, :2] - plate.centre[middle, :2]) < settings.reach_mm
    }
    if not near:
        return None
    limb = min(near, key=lambda limb: near[limb])
    others = [foot[frames] for other, foot in feet.items() if other != limb]
    return None if any(_stands(foot, plate, fps, near[limb]) for foot in others) else limb


def _stands(foot: FloatArray, plate: ForcePlate, fps: float, height: float) -> bool:
    """Tell whether a foot rests over the plate: slow, and as low as the one that stands."""
    if len(foot) < 2:
        return False
    speed = np.linalg.norm(np.gradient(foot, axis=0), axis=-1) * fps
    with np.errstate(invalid="ignore"):
        rests = (speed < 200.0) & (foot[:, 2] < height + 30.0) & (_depth(foot[:, :2], plate.corners) > 0)
    return bool(rests.sum() > 0.05 * fps)


def _depth(xy: FloatArray, corners: FloatArray) -> FloatArray:
    """Return how far inside of a plate places (..., 2) lie, mm; negative outside, NaN of NaN."""
    edges = np.roll(corners, -1, axis=0)[:, :2] - corners[:, :2]
    inwards = np.stack([-edges[:, 1], edges[:, 0]], axis=-1) / np.linalg.norm(edges, axis=-1, keepdims=True)
    middle = corners[:, :2].mean(0)
    turned = np.sign(((middle - corners[:, :2]) * inwards).sum(-1, keepdims=True))
    away = (xy[..., None, :] - corners[:, :2]) * inwards * turned
    return np.asarray(away.sum(-1).min(-1))


def _runs(valid: BoolArray) -> IntArray:
    return np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int8), [0]]))).reshape(-1, 2)


def prefer_events(better: LimbEvents, others: LimbEvents, *, within_s: float = 0.15) -> LimbEvents:
    """Put events that are known better in the place of others.

    Parameters
    ----------
    better, others : LimbEvents
    within_s : float, s
        An event of the same limb and kind that lies nearer to a better one is the same event.

    Returns
    -------
    LimbEvents
        All of `better`, and those of `others` that are not among them.
    """
    times: list[tuple[str, str, FloatArray]] = []
    for limb, kind in sorted(
        {*zip(better.limbs, better.kinds, strict=True), *zip(others.limbs, others.kinds, strict=True)}
    ):
        known, rest = better.times(limb, kind), others.times(limb, kind)
        same = (np.abs(rest[:, None] - known) < within_s).any(1)
        times.append((limb, kind, np.concatenate([known, rest[~same]])))
    return LimbEvents.from_times(times)
