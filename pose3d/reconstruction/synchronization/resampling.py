"""Detections of cameras that are not in step, brought to common instants."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.keypoints import Keypoints2D
from pose3d.data.timing import FrameTimes, Timing
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["apply_timing", "learn_spikes", "timing_from_timestamps"]

_SAME = 1e-6  # frames: nearer than this an instant is a frame
_SPIKE = 8.0  # robust standard deviations of how far detections lie from their neighbours' middle
_LEAST_SPIKE_PX = 5.0
_OUTER = 2.0  # frames from the inner to the outer pair, for a cubic through four


def apply_timing(
    keypoints: Keypoints2D,
    timing: Timing | FrameTimes,
    *,
    instants: tuple[int, int] | None = None,
    max_gap_frames: int = 2,
    spike_px: FloatArray | None = None,
) -> Keypoints2D:
    """Bring detections to common instants.

    Between frames a cubic goes through the two nearest detections on either side, or a straight line through one on
    either side. An instant at which a camera has a frame keeps that frame's detection, to the last bit, and stays
    missing where it is missing. A detection that jumps away from its neighbours stays what it is at the instant
    next to it and does not bend the others, so that wrong views do not multiply.

    Works on a chunk as well: `keypoints` must then hold the frames ``timing.frames_needed(first, last)``, with the
    default reach of 6 frames besides, and `spike_px` be given.

    Parameters
    ----------
    keypoints : Keypoints2D
        As recorded: row r is frame ``start + r`` of every camera.
    timing : Timing or FrameTimes
        Cameras are matched by name.
    instants : (int, int), optional
        First instant, and the one behind the last. Default: for a `Timing` those that have the numbers of the frames,
        for `FrameTimes` all while all cameras record.
    max_gap_frames : int, 0 to 3
        Missing frames that are interpolated across.
    spike_px : (n_cameras,) array, px, optional
        Of :func:`learn_spikes`; infinity switches this off. Default: learnt from `keypoints`.

    Returns
    -------
    Keypoints2D
        `start` is the first instant; the score is the lower one of the two neighbours'.

    Raises
    ------
    DataError
        If a camera has no timing.
    """
    if not 0 <= max_gap_frames <= 3:
        raise ValueError(f"max_gap_frames must be 0 to 3, not {max_gap_frames}")
    for name in keypoints.cameras:
        if name not in timing.cameras:
            raise DataError(
                f"camera {name!r}: it has detections but no timing, which has {', '.join(timing.cameras)}; "
                "synchronize again, or name the cameras alike"
            )
    timing = timing.select(keypoints.cameras)
    if instants is None:
        whole = (keypoints.start, keypoints.start + keypoints.n_frames)
        instants = whole if isinstance(timing, Timing) else (0, timing.n_instants)
    numbers = np.arange(*instants)
    own = (keypoints.start, keypoints.start + keypoints.n_frames)
    if isinstance(timing, Timing) and timing.in_step and tuple(instants) == own:
        return keypoints
    if spike_px is None:
        spike_px = learn_spikes(keypoints)
    lead = keypoints.xy.shape[2:-1]
    n_cameras, n_tracks = len(keypoints.cameras), int(np.prod(lead))
    xy = np.full((len(numbers), n_cameras, n_tracks, 2), np.nan)
    score = np.full(xy.shape[:-1], np.nan)
    frames = keypoints.start + np.arange(keypoints.n_frames)
    for c in range(n_cameras):
        if isinstance(timing, Timing):
            clock, moments = frames.astype(np.float64), timing.own_frames(numbers)[:, c]
        else:  # in frames, so that what is near means the same
            known = timing.times_s[c][np.minimum(frames, len(timing.times_s[c]) - 1)]
            clock = np.where(frames < len(timing.times_s[c]), known - timing.start_s, np.nan) * timing.fps
            moments = numbers.astype(np.float64)
        timed = np.flatnonzero(np.isfinite(clock))
        if len(timed) == 0:
            continue
        view = keypoints.xy[timed, c].reshape(len(timed), n_tracks, 2)
        xy[:, c], score[:, c] = _resample(
            view,
            keypoints.score[timed, c].reshape(len(timed), n_tracks),
            clock[timed],
            moments,
            span=max_gap_frames + 1.5,
            spike_px=float(spike_px[c]),
        )
    return replace(
        keypoints,
        xy=xy.reshape(len(numbers), n_cameras, *lead, 2),
        score=score.reshape(len(numbers), n_cameras, *lead),
        start=int(instants[0]),
        fps=keypoints.fps if isinstance(timing, Timing) else timing.fps,
    )


def learn_spikes(keypoints: Keypoints2D) -> FloatArray:
    """Learn how far a detection may lie from the middle of its neighbours in time.

    Parameters
    ----------
    keypoints : Keypoints2D
        A sample of a long recording is enough.

    Returns
    -------
    (n_cameras,) array, px
        Eight robust standard deviations; 5 at least.
    """
    out = np.full(len(keypoints.cameras), np.inf)
    for c in range(len(out)):
        xy = keypoints.xy[:, c]
        off = _length(xy[1:-1] - (xy[:-2] + xy[2:]) / 2)
        off = off[np.isfinite(off)]
        if len(off) >= 10:
            out[c] = max(_LEAST_SPIKE_PX, _SPIKE * float(np.median(off)) / 1.1774)  # median of a Rayleigh variate
    return out


def timing_from_timestamps(times: Mapping[str, ArrayLike], *, fps: float | None = None) -> FrameTimes:
    """Set up common instants from the times of all cameras' frames.

    Parameters
    ----------
    times : mapping of str to (n_frames,) array, s
        As :func:`pose3d.io.timestamps.read_timestamps` gives them: on one clock, NaN for frames without a time.
    fps : float, optional
        Of the instants. Default: the slowest camera's, by the median of its steps.

    Returns
    -------
    FrameTimes
        From the moment at which the last camera begins to the moment at which the first one ends.

    Raises
    ------
    DataError
        If a camera has fewer than two times, or at no time all cameras record.

    Examples
    --------
    >>> found = timing_from_timestamps({"left": [0.0, 0.1, 0.2, 0.3], "right": [0.05, 0.15, 0.25, 0.35]})
    >>> found.start_s, round(found.fps, 6), found.n_instants
    (0.05, 10.0, 3)
    """
    known = {}
    for name, values in times.items():
        own = np.asarray(values, dtype=np.float64)
        own = np.unique(own[np.isfinite(own)])
        if len(own) < 2:
            raise DataError(f"camera {name!r}: {len(own)} frames have a time, two or more are needed; check the file")
        known[name] = own
    if not known:
        raise DataError("timestamps: no camera; give the times of each camera's frames")
    if fps is None:
        fps = 1 / max(float(np.median(np.diff(own))) for own in known.values())
    latest = max(known, key=lambda name: float(known[name][0]))
    earliest = min(known, key=lambda name: float(known[name][-1]))
    start, end = float(known[latest][0]), float(known[earliest][-1])
    if end < start:
        raise DataError(
            f"camera {earliest!r}: its times end at {end:.3f} s, before camera {latest!r} begins at {start:.3f} s; "
            "they must be on one clock"
        )
    n = int(np.floor((end - start) * fps + 1e-6)) + 1
    values = tuple(np.asarray(own, dtype=np.float64) for own in times.values())
    return FrameTimes(tuple(times), values, float(fps), start, n)


def _resample(
    xy: FloatArray, score: FloatArray, clock: FloatArray, moments: FloatArray, *, span: float, spike_px: float
) -> tuple[FloatArray, FloatArray]:
    """Interpolate tracks (n, t, 2) of one camera, taken at `clock` (n,), at `moments` (m,)."""
    n, n_tracks = score.shape
    columns = np.arange(n_tracks)
    seen = np.isfinite(xy[..., 0])
    spike = _spikes(xy, spike_px)
    before, after = _neighbours(seen & ~spike)
    right = np.searchsorted(clock, moments - _SAME)  # the first frame at the moment or later
    left = np.clip(right - 1, 0, n - 1)
    inside = (right > 0) & (right < n)
    right = np.clip(right, 0, n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        b, c = np.where(inside[:, None], before[left], -1), np.where(inside[:, None], after[right], -1)
        a = np.where(b > 0, before[np.maximum(b - 1, 0), columns], -1)
        d = np.where((c >= 0) & (c < n - 1), after[np.minimum(c + 1, n - 1), columns], -1)
        at = [np.where(k >= 0, clock[k] - moments[:, None], np.nan) for k in (a, b, c, d)]
        both = (b >= 0) & (c >= 0) & (at[2] - at[1] <= span)
        four = both & (at[1] - at[0] <= _OUTER + 0.5) & (at[3] - at[2] <= _OUTER + 0.5)
        value = [xy[k, columns] for k in (a, b, c, d)]
        share = -at[1] / (at[2] - at[1])
        line = value[1] + share[..., None] * (value[2] - value[1])
        cubic = _lagrange(at, value)
        lower = np.minimum(score[b, columns], score[c, columns])
        out = np.where(four[..., None], cubic, np.where(both[..., None], line, np.nan))
        rate = np.where(both, lower, np.nan)
    # What jumps away stays at the nearest instant, and an instant with a frame of its own is that frame.
    nearest = np.where(np.abs(clock[left] - moments) < np.abs(clock[right] - moments), left, right)
    distance = np.abs(clock[nearest] - moments)
    kept = spike[nearest] & (distance <= 0.5 + _SAME)[:, None]
    kept |= (distance <= _SAME)[:, None]
    out = np.where(kept[..., None], xy[nearest], out)
    return out, np.where(kept, score[nearest], rate)


def _lagrange(at: list[FloatArray], value: list[FloatArray]) -> FloatArray:
    """Return the value at 0 of the cubic through four."""
    out = np.zeros_like(value[0])
    for j in range(4):
        weight = np.ones_like(at[j])
        for k in range(4):
            if k != j:
                weight = weight * at[k] / (at[k] - at[j])
        out += weight[..., None] * value[j]
    return out


def _neighbours(good: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the last good row up to each row, and the first from each row on; -1 for none."""
    n = len(good)
    rows = np.arange(n)[:, None]
    before = np.maximum.accumulate(np.where(good, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(good, rows, n)[::-1], axis=0)[::-1]
    return before, np.where(after == n, -1, after)


def _spikes(xy: FloatArray, limit: float) -> BoolArray:
    """Say which detections of tracks (n, t, 2) lie away from both their neighbours, which lie together."""
    out = np.zeros(xy.shape[:-1], dtype=bool)
    if len(xy) < 3 or not np.isfinite(limit):
        return out
    columns = np.arange(xy.shape[1])
    before, after = _neighbours(np.isfinite(xy[..., 0]))
    earlier, later = before[:-2], after[2:]
    rows = np.arange(1, len(xy) - 1)[:, None]
    near = (earlier >= 0) & (later >= 0) & (rows - earlier <= _OUTER) & (later - rows <= _OUTER)
    back, ahead = xy[1:-1] - xy[earlier, columns], xy[later, columns] - xy[1:-1]
    with np.errstate(invalid="ignore"):
        away = _length(back - ahead) / 2
        # The neighbours of a spike are half as far from their own neighbours' middle as the spike itself.
        out[1:-1] = near & (away > limit) & (away > 0.75 * np.maximum(_length(back), _length(ahead)))
    return out


def _length(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))
