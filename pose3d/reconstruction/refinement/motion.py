"""What a recording's cameras and tracks are like, learnt from a sample of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.log import logger
from pose3d.reconstruction.points.chunks import learn_noise
from pose3d.reconstruction.points.noise import Noise
from pose3d.reconstruction.points.views import Lenses
from pose3d.reconstruction.refinement.limbs import Limbs
from pose3d.reconstruction.refinement.persistence import averaged_frames, measure_persistence
from pose3d.reconstruction.refinement.settings import AniposeWeights, RefinementSettings
from pose3d.reconstruction.refinement.sides import KnownSides
from pose3d.reconstruction.refinement.smoothness import Fixes, Start, find_smoothness, smooth
from pose3d.reconstruction.refinement.start import Resolution, SidePairs, resolve

__all__ = ["Motion", "learn_motion", "learn_views"]

_NOISE_SAMPLE = 1000
_LEAST_LIMB_SD = 0.25  # of the noise of one frame: a stiffer limb would gain little and cost much
_WILD = 4.0  # usual deviations of a limb, beyond which one is an error of the points
_FEW_FIXES = 20  # of a track, below which it is given the smoothness of the others


@dataclass(frozen=True, eq=False)
class Motion:
    """What the refinement assumes of a recording.

    Attributes
    ----------
    noise : Noise
        Of the views of each camera.
    smooth_mm : (n_tracks,) array, mm
        Standard deviation of an n-th difference in time per axis and frame^n.
    limbs : Limbs
    reach : int
        Frames over which the smoothing averages, to either side.
    spread : float
        Real over computed variance of the points, where this has been checked.
    persistence : float
        How many times as much of the views' errors is left by the smoothing as if each frame erred for itself.
    """

    noise: Noise
    smooth_mm: FloatArray
    limbs: Limbs
    reach: int
    spread: float = 1.0
    persistence: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "noise_px": self.noise.noise_px.tolist(),
            "threshold_px": self.noise.threshold_px.tolist(),
            "smooth_mm": self.smooth_mm.tolist(),
            "limb_length_mm": self.limbs.length_mm.tolist(),
            "limb_sd_mm": self.limbs.sd_mm.tolist(),
            "reach_frames": self.reach,
            "spread": self.spread,
            "persistence": self.persistence,
        }


def learn_views(
    lenses: Lenses,
    pixels: FloatArray,
    weight: FloatArray,
    *,
    pairs: SidePairs | None = None,
    known: KnownSides | None = None,
    max_error_px: float | None = None,
) -> tuple[Noise, Resolution]:
    """Learn how exact each camera's detections are, and triangulate the frames of a sample.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_tracks, n_frames, 2) array, px
        Runs of frames from all over the recording, apart by more empty frames than a gap that is filled.
    weight : (n_cameras, n_tracks, n_frames) array
    pairs : SidePairs, optional
        Left and right, which the detections may have exchanged.
    known : KnownSides, optional
        What a person said of them.
    max_error_px : float, optional
        Error beyond which a view is left out, instead of what the noise suggests.
    """

    def learn(pixels: FloatArray, weight: FloatArray, known: KnownSides | None) -> tuple[Noise, Resolution]:
        noise = learn_noise(lenses, np.moveaxis(pixels, 2, 0), np.moveaxis(weight, 2, 0), sample=_NOISE_SAMPLE)
        if max_error_px is not None:
            noise = noise._replace(threshold_px=np.full_like(noise.noise_px, max_error_px))
        return noise, resolve(lenses, pixels, weight, noise, pairs=pairs, known=known)

    noise, sample = learn(pixels, weight, known)
    if sample.swapped is not None and sample.swapped.any():
        # Exchanged views have made the noise look larger than it is.
        first = sample.swapped
        known = None if known is None else known.afterwards()
        noise, sample = learn(sample.pixels.reshape(pixels.shape), sample.views.weight.reshape(weight.shape), known)
        sample = replace(sample, swapped=first if sample.swapped is None else first ^ sample.swapped)
    return noise, sample


def learn_motion(
    lenses: Lenses,
    noise: Noise,
    sample: Resolution,
    settings: RefinementSettings,
    *,
    limb_tracks: Sequence[tuple[int, int]],
    weak: Sequence[bool],
) -> Motion:
    """Learn smoothness, how long errors last, and limbs.

    Parameters
    ----------
    lenses : Lenses
    noise : Noise
    sample : Resolution
        From :func:`learn_views`.
    settings : RefinementSettings
    limb_tracks : sequence of (int, int)
    weak : sequence of bool
        Which limbs are weak.

    Returns
    -------
    Motion

    Raises
    ------
    DataError
        If no point of the sample could be triangulated.
    """
    order = settings.n_deriv_smooth
    fixes = sample.fixes
    if not fixes.there.any():
        raise DataError(
            "refinement: no point of the sample could be triangulated; check the calibration and the synchronisation, "
            "or stop after the triangulation (--no-refine)"
        )
    active = sample.places(settings.max_gap)
    smooth_mm = _smoothness(fixes, active, settings)
    reach = int(np.ceil(_reach(fixes, smooth_mm, order)))
    start = smooth(fixes, active, order, smooth_mm, reach=reach, relax=settings.finds_smoothness)
    averaged = averaged_frames(fixes.scale_mm() / smooth_mm, order)
    persistence = measure_persistence(lenses, noise, sample, max(2, round(float(np.median(averaged)))))
    limbs = _limbs(fixes, start, averaged, persistence, limb_tracks, np.asarray(weak, dtype=np.bool_), settings)
    if settings.anipose is not None:
        noise = noise._replace(noise_px=np.ones_like(noise.noise_px))
    return Motion(noise, smooth_mm, limbs, reach, persistence=persistence)


def _smoothness(fixes: Fixes, active: BoolArray, settings: RefinementSettings) -> FloatArray:
    n_tracks = len(active)
    if settings.smooth_mm is not None:
        return np.full(n_tracks, settings.smooth_mm)
    if settings.anipose is not None:
        return np.full(n_tracks, _speed_mm(fixes) / settings.anipose.scale_smooth)
    found = find_smoothness(fixes, active, settings.n_deriv_smooth)
    poor = fixes.there.sum(1) < _FEW_FIXES
    if poor.any() and not poor.all():
        relative = found / fixes.scale_mm()
        found[poor] = np.median(relative[~poor]) * fixes.scale_mm()[poor]
    return found


def _speed_mm(fixes: Fixes) -> float:
    """Mean absolute step of a coordinate after a median filter of 7 frames, as `optim_points` computes it."""
    x = np.where(fixes.there[..., None], fixes.x, np.nan)
    if x.shape[1] < 8:
        raise DataError("refinement: anipose's smoothing weight needs eight frames or more")
    runs = np.lib.stride_tricks.sliding_window_view(x, 7, axis=1)
    steps = np.abs(np.diff(np.median(runs, axis=-1), axis=1))
    steps = steps[np.isfinite(steps)]
    speed = float(steps.mean()) if len(steps) else 0.0
    if speed == 0:
        raise DataError("refinement: nothing moves, and anipose's smoothing weight is relative to the motion")
    return speed


def _reach(fixes: Fixes, smooth_mm: FloatArray, order: int) -> float:
    """Return the time constant of the smoothing in frames: where fit and smoothness are equally strong."""
    ratio = fixes.scale_mm() / smooth_mm
    return float(np.clip(np.quantile(ratio, 0.9) ** (1 / order), 1.0, 60.0))


def _limbs(
    fixes: Fixes,
    start: Start,
    averaged: FloatArray,
    persistence: float,
    ends: Sequence[tuple[int, int]],
    weak: BoolArray,
    settings: RefinementSettings,
) -> Limbs:
    """Measure lengths, and how much they vary beyond the noise.

    Both are those of the smoothed tracks: noise across a limb makes it longer, and what is left of it there no longer
    matters. The refinement takes deviations for independent from frame to frame, but those of real limbs (skin that
    slides, joint centres that wander) last, and must not count as so many measurements: the standard deviation is that
    of independent deviations which would come through the smoothing as large. Where the errors of the views last as
    well, neither counts for less than the other.
    """
    if not len(ends):
        return Limbs.none()
    pairs = np.array(ends, dtype=np.int64)
    a, b = pairs.T
    both = start.kept[a] & start.kept[b]
    between = start.x[a] - start.x[b]
    length = np.where(both, np.sqrt(np.einsum("lfi,lfi->lf", between, between)), np.nan)
    covariances = (inverse_matrix(fixes.blocks[:, end]) for end in (a, b))
    with np.errstate(all="ignore"):
        u = between / length[..., None]
        own, other = (np.einsum("lfi,lfij,lfj->lf", u, covariance, u) for covariance in covariances)
    count = both.sum(1)
    known = count >= _FEW_FIXES
    middle = _medians(length, known, 0.0)
    noise = _medians(own + other, known, 1.0)
    left = _medians(own, known, 1.0) / averaged[a] + _medians(other, known, 1.0) / averaged[b]
    frames = noise / left
    left = left * persistence
    away = np.abs(length - middle[:, None])
    usual = 1.4826 * _medians(away, known, 0.0)
    total = _means(np.minimum(away, _WILD * usual[:, None]) ** 2, known, 0.0)
    chance = np.sqrt(2 * frames / np.maximum(count, 1))  # of a variance, from so few frames that know of each other
    lasting = np.maximum(frames / persistence, 1.0)
    sd = np.sqrt(np.maximum(lasting * (total - (1 + chance) * left), noise * _LEAST_LIMB_SD**2))
    if settings.limb_sd_percent is not None:
        sd = middle * settings.limb_sd_percent / 100
    elif settings.anipose is not None:
        weights: AniposeWeights = settings.anipose
        scale = np.where(weak, weights.scale_length_weak, weights.scale_length)
        sd = middle / (100 * scale)
    usable = known & (middle > 0) & np.isfinite(sd) & (sd > 0)
    if not usable.all():
        logger.info("%d of %d limbs are seen too seldom to be used", int((~usable).sum()), len(usable))
    return Limbs(pairs[usable], middle[usable], sd[usable])


def _medians(rows: FloatArray, known: BoolArray, otherwise: float) -> FloatArray:
    """Return the median of the finite values of each row that is known."""
    return np.array(
        [np.median(row[np.isfinite(row)]) if some else otherwise for row, some in zip(rows, known, strict=True)]
    )


def _means(rows: FloatArray, known: BoolArray, otherwise: float) -> FloatArray:
    """Return the mean of the finite values of each row that is known."""
    there = np.isfinite(rows)
    mean = np.where(there, rows, 0.0).sum(1) / np.maximum(there.sum(1), 1)
    return np.where(known, mean, otherwise)
