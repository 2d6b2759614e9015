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
from pose3d.reconstruction.refinement.settings import AniposeWeights, RefinementSettings
from pose3d.reconstruction.refinement.smoothness import Fixes, find_smoothness, smooth
from pose3d.reconstruction.refinement.start import Resolution, SidePairs, resolve

__all__ = ["Motion", "learn_motion", "learn_views"]

_NOISE_SAMPLE = 1000
_LEAST_LIMB_SD = 0.25  # of the noise of one frame: a stiffer limb would gain little and cost much
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
    """

    noise: Noise
    smooth_mm: FloatArray
    limbs: Limbs
    reach: int
    spread: float = 1.0

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
        }


def learn_views(
    lenses: Lenses,
    pixels: FloatArray,
    weight: FloatArray,
    *,
    pairs: SidePairs | None = None,
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
    max_error_px : float, optional
        Error beyond which a view is left out, instead of what the noise suggests.
    """

    def learn(pixels: FloatArray, weight: FloatArray) -> tuple[Noise, Resolution]:
        noise = learn_noise(lenses, np.moveaxis(pixels, 2, 0), np.moveaxis(weight, 2, 0), sample=_NOISE_SAMPLE)
        if max_error_px is not None:
            noise = noise._replace(threshold_px=np.full_like(noise.noise_px, max_error_px))
        return noise, resolve(lenses, pixels, weight, noise, pairs=pairs)

    noise, sample = learn(pixels, weight)
    if sample.swapped is not None and sample.swapped.any():
        # Exchanged views have made the noise look larger than it is.
        first = sample.swapped
        noise, sample = learn(sample.pixels.reshape(pixels.shape), sample.views.weight.reshape(weight.shape))
        sample = replace(sample, swapped=first if sample.swapped is None else first ^ sample.swapped)
    return noise, sample


def learn_motion(
    noise: Noise,
    sample: Resolution,
    settings: RefinementSettings,
    *,
    limb_tracks: Sequence[tuple[int, int]],
    weak: Sequence[bool],
) -> Motion:
    """Learn smoothness and limbs.

    Parameters
    ----------
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
    limbs = _limbs(fixes, start.x, start.kept, limb_tracks, np.asarray(weak, dtype=np.bool_), settings)
    if settings.anipose is not None:
        noise = noise._replace(noise_px=np.ones_like(noise.noise_px))
    return Motion(noise, smooth_mm, limbs, reach)


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
    smoothed: FloatArray,
    kept: BoolArray,
    ends: Sequence[tuple[int, int]],
    weak: BoolArray,
    settings: RefinementSettings,
) -> Limbs:
    """Measure lengths, and how much they vary beyond the noise.

    Lengths are those of the smoothed tracks: noise across a limb makes it longer, and what is left of it there no
    longer matters.
    """
    if not len(ends):
        return Limbs.none()
    pairs = np.array(ends, dtype=np.int64)
    a, b = pairs.T
    both = kept[a] & kept[b]
    between = smoothed[a] - smoothed[b]
    smooth_length = np.where(both, np.sqrt(np.einsum("lfi,lfi->lf", between, between)), np.nan)
    place = fixes.x + fixes.middle
    covariance = inverse_matrix(fixes.blocks[:, a]) + inverse_matrix(fixes.blocks[:, b])
    with np.errstate(all="ignore"):
        u = between / smooth_length[..., None]
        stretch = np.einsum("lfi,lfi->lf", u, place[a] - place[b]) - smooth_length
        along = np.einsum("lfi,lfij,lfj->lf", u, covariance, u)
    known = both.sum(1) >= _FEW_FIXES
    middle = _medians(smooth_length, known, 0.0)
    noise = _medians(along, known, 1.0)
    total = 1.4826 * _medians(np.abs(stretch + smooth_length - middle[:, None]), known, 0.0)
    sd = np.sqrt(np.maximum(total**2 - noise, noise * _LEAST_LIMB_SD**2))
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
