"""Find when each camera saw what, from the keypoints' own motion."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.data.timing import Timing
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.synchronization.coarse import Group, Join, join_cameras, pair_errors
from pose3d.reconstruction.synchronization.fine import Fitted, fit_timing
from pose3d.reconstruction.synchronization.result import Synchronization, explain_failure, explain_uncertainty
from pose3d.reconstruction.synchronization.tracks import Tracks, make_tracks, sample_spans

__all__ = ["synchronize"]

_MAX_DRIFT = 2e-4  # frames per frame: twice what two cheap quartzes differ by
_LONG = 10000  # frames from which drift is looked for
_SURE = 4.0  # standard deviations that a drift must have
_TELLING = 0.05  # frames that it must amount to at the ends
_LARGEST_SD = 0.5  # frames


def synchronize(
    keypoints: Keypoints2D | Sequence[Keypoints2D],
    rig: Rig,
    *,
    max_offset_frames: int = 120,
    drift: bool | None = None,
    near: Mapping[str, int] | None = None,
    reference: str | None = None,
    score_threshold: float = 0.05,
    progress: Progress = no_progress,
) -> Synchronization:
    """Find each camera's offset, to a fraction of a frame, and the drift of its clock over long recordings.

    Pairs of cameras are compared at all whole lags by the epipolar error of the keypoints, and joined into groups
    where one lag wins over all others beyond chance. Then all offsets are fitted together so that the rays of each
    keypoint meet at every instant. Where the motion cannot tell (nothing moves; it repeats itself, as on a
    treadmill; it runs along the lines on which the other cameras see it; too little is seen in common) the camera
    keeps offset 0 and the result says why.

    Parameters
    ----------
    keypoints : Keypoints2D, or sequence of such
        As recorded, not shifted by any offset. A sequence holds pieces of a long recording, each with its `start`:
        those that :func:`sample_spans` names.
    rig : Rig
        Cameras are matched by name.
    max_offset_frames : int
        How far apart any two cameras may be. Keep it below the period of a motion that repeats, if that is known.
    drift : bool, optional
        Whether clocks run at different pace. Default: what the motion shows in recordings of 10,000 frames or more.
    near : mapping of str to int, frames, optional
        Offsets that are roughly known; `max_offset_frames` then counts from them.
    reference : str, optional
        Camera whose frames are the instants. Default: the first one of those that can be synchronised.
    score_threshold : float
        Detections with a lower score are not used.
    progress : Progress

    Returns
    -------
    Synchronization

    Raises
    ------
    DataError
        If a camera is not in the rig, there is only one, or pieces do not fit together.
    ConfigError
        If a setting is out of range.

    References
    ----------
    Caspi, Simakov & Irani (2006), Feature-based sequence-to-sequence matching, International Journal of Computer
    Vision 68:53 (offsets from the epipolar error of moving points).
    """
    pieces = [keypoints] if isinstance(keypoints, Keypoints2D) else list(keypoints)
    _check(pieces, rig, max_offset_frames, near, reference)
    names = pieces[0].cameras
    cameras = tuple(rig[name] for name in names)
    pieces = _cut(pieces, max_offset_frames)
    first = min(piece.start for piece in pieces)
    n_frames = max(piece.start + piece.n_frames for piece in pieces) - first
    shift = np.array([(near or {}).get(name, 0) for name in names], dtype=np.int64)
    progress("smooth detections", 0, 1)
    tracks = make_tracks(pieces, near=shift, score_threshold=score_threshold)
    progress("smooth detections", 1, 1)
    reach = max(1, min(max_offset_frames, max(piece.n_frames for piece in pieces) - 1))
    pairs = pair_errors(tracks, cameras, reach=reach, progress=progress)
    drifting = drift is not False and (n_frames >= _LONG or drift is True)
    groups, failed = join_cameras(pairs, len(names), reach=reach, max_drift=_MAX_DRIFT if drifting else 0.0)
    main = groups[0]
    if reference is not None:
        main = next(group for group in groups if names.index(reference) in group.offset)
    base = names.index(reference) if reference is not None else min(main.offset)
    members = sorted(main.offset)
    middle = float(first + n_frames // 2)
    n = len(names)
    offset, pace = np.zeros(n), np.zeros(n)
    sd_offset, sd_pace = np.full(n, np.nan), np.full(n, np.nan)
    noise, samples = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    reasons = _reasons(tracks, names, groups, failed, main, reach)
    if len(members) > 1:
        part = _part(tracks, members)
        fitted = _fit(
            part,
            Rig(tuple(cameras[c] for c in members)),
            main,
            middle=middle,
            half_span=n_frames / 2,
            drift=drift if drifting else False,
            reference=members.index(base),
            progress=progress,
        )
        noise[members], samples[members] = fitted.noise_px, fitted.n_samples
        for i, c in enumerate(members):
            if not fitted.sd_offset[i] <= _LARGEST_SD:
                reasons[names[c]] = explain_uncertainty(
                    names[c],
                    offset=float(fitted.offset[i] + shift[c] - shift[base]),
                    sd=float(fitted.sd_offset[i]),
                    speed_px=float(tracks.speed_px[c]),
                    across=float(fitted.across[i]),
                    few=fitted.few,
                )
                continue
            offset[c], sd_offset[c] = fitted.offset[i], fitted.sd_offset[i]
            pace[c], sd_pace[c] = fitted.drift[i], fitted.sd_drift[i]
        if all(names[c] in reasons for c in members if c != base):  # nothing is left to count from it
            reasons[names[base]] = f"camera {names[base]}: no other camera could be synchronised with it"
            sd_offset[base] = sd_pace[base] = np.nan
    known = np.array([name not in reasons for name in names])
    found = tuple("assumed" if not ok else "motion" for ok in known)
    found = tuple("reference" if c == base else word for c, word in enumerate(found))
    offset = np.where(known, offset + shift - shift[base], 0.0)
    if near:  # what cannot be told stays as it was given
        offset = np.where(known, offset, (shift - shift[base]).astype(np.float64))
        found = tuple("given" if word == "assumed" and names[c] in near else word for c, word in enumerate(found))
    timing = Timing(names, offset, pace, sd_offset, sd_pace, found, names[base], middle)
    for reason in reasons.values():
        logger.info("%s", reason)
    return Synchronization(
        timing=timing,
        identifiable={name: bool(ok) for name, ok in zip(names, known, strict=True)},
        reasons=reasons,
        noise_px=noise,
        n_samples=samples,
        n_frames=n_frames,
        fps=pieces[0].fps,
    )


def _check(
    pieces: Sequence[Keypoints2D],
    rig: Rig,
    max_offset_frames: int,
    near: Mapping[str, int] | None,
    reference: str | None,
) -> None:
    if not pieces:
        raise DataError("detections: no piece of the recording is given; synchronisation needs some")
    if max_offset_frames < 1:
        raise ConfigError(f"max_offset_frames: {max_offset_frames} is too few; give 1 or more")
    names = pieces[0].cameras
    if len(names) < 2:
        raise DataError(
            f"detections: {len(names)} camera ({', '.join(names) or 'none'}); synchronisation needs two or more"
        )
    for piece in pieces:
        if (piece.cameras, piece.individuals, piece.keypoints) != (
            names,
            pieces[0].individuals,
            pieces[0].keypoints,
        ):
            raise DataError("detections: the pieces of the recording differ in cameras, individuals or keypoints")
    for name in names:
        if name not in rig:
            raise DataError(
                f"camera {name!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    for what, given in (("offset", tuple(near or ())), ("reference", (reference,) if reference is not None else ())):
        for name in given:
            if name not in names:
                raise ConfigError(f"{what}: there is no camera {name!r}; the cameras are {', '.join(names)}")


def _cut(pieces: Sequence[Keypoints2D], max_offset_frames: int) -> list[Keypoints2D]:
    """Sample a recording that is given whole."""
    if len(pieces) > 1:
        return list(pieces)
    whole = pieces[0]
    return [
        replace(whole, xy=whole.xy[first:last], score=whole.score[first:last], start=whole.start + first)
        for first, last in sample_spans(whole.n_frames, max_offset_frames=max_offset_frames)
    ]


def _part(tracks: Tracks, members: Sequence[int]) -> Tracks:
    at = list(members)
    return replace(
        tracks,
        near=tracks.near[at],
        place=tracks.place[at],
        velocity=tracks.velocity[at],
        bend=tracks.bend[at],
        twist=tracks.twist[at],
        spread=tracks.spread[at],
        noise_px=tracks.noise_px[at],
        speed_px=tracks.speed_px[at],
    )


def _fit(
    tracks: Tracks,
    rig: Rig,
    group: Group,
    *,
    middle: float,
    half_span: float,
    drift: bool | None,
    reference: int,
    progress: Progress,
) -> Fitted:
    """Fit the offsets; with drift where it is wanted, or shows."""
    members = sorted(group.offset)
    offset = np.array([group.offset[c] for c in members])
    pace = np.array([group.drift[c] for c in members])

    def fit(pace: FloatArray, *, with_drift: bool) -> Fitted:
        return fit_timing(
            tracks,
            rig.cameras,
            offset=offset,
            drift=pace,
            middle=middle,
            half_span=half_span,
            with_drift=with_drift,
            reference=reference,
            progress=progress,
        )

    if drift is False:
        return fit(np.zeros(len(members)), with_drift=False)
    fitted = fit(pace, with_drift=True)
    others = np.arange(len(members)) != reference
    shows = others & (np.abs(fitted.drift) > _SURE * fitted.sd_drift)
    shows &= np.abs(fitted.drift) * half_span > _TELLING
    if drift or shows.any():
        return fitted
    return fit(np.zeros(len(members)), with_drift=False)


def _reasons(
    tracks: Tracks,
    names: Sequence[str],
    groups: Sequence[Group],
    failed: Mapping[tuple[int, int], Join],
    main: Group,
    reach: int,
) -> dict[str, str]:
    """Say for each camera outside the main group what keeps it out."""
    out = {}
    alone = len(main.offset) < 2
    for i, group in enumerate(groups):
        if group is main and not alone:
            continue
        others = {j: failed[min(i, j), max(i, j)] for j in range(len(groups)) if j != i}
        for c in sorted(group.offset):
            seen = bool(np.isfinite(tracks.place[c, ..., 0]).any())
            out[names[c]] = explain_failure(
                names[c],
                list(others.values()),
                seen=seen,
                speed_px=float(tracks.speed_px[c]),
                noise_px=float(tracks.noise_px[c]),
                reach=reach,
            )
    return out
