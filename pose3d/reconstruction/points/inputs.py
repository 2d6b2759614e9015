"""Whether detections, calibration and settings fit together, and what each detection counts."""

from collections.abc import Sequence

import numpy as np

from pose3d.data import Camera, Keypoints2D, Rig
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.log import logger

__all__ = ["check_scores", "check_settings", "match_cameras", "view_weights"]

_LEAST_WEIGHT = 1e-3  # a view that passed the threshold counts, even at score 0
_MARGIN = 0.1  # of the image's size: detections reach beyond the edge, but not far
_FRAMES = 1000  # looked at to tell whether a calibration is for images of another size
_HIGHEST_SCORE = 1.5  # networks that are sure overshoot 1 by a little; more is another scale
_APART = 1e-6  # of the rig's extent, or of the cameras' distance from the origin: less is rounding
_LINE = 1e-3  # share of the rig's extent across its longest direction below which it is a line


def check_settings(
    keypoints: Keypoints2D, score_threshold: float, min_cameras: int, max_error_px: float | None
) -> None:
    """Refuse settings that make no sense.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    DataError
        If there are detections of one camera only.
    """
    if not 0 <= score_threshold <= 1:
        raise ConfigError(f"score_threshold: {score_threshold:g} is no score; give a number from 0 to 1")
    if min_cameras < 2:
        raise ConfigError(f"min_cameras: {min_cameras} is too few to triangulate; give 2 or more")
    if max_error_px is not None and not max_error_px > 0:
        raise ConfigError(f"max_error_px: {max_error_px:g} is no distance; give a positive number of pixels")
    n_cameras = len(keypoints.cameras)
    if n_cameras < 2:
        names = ", ".join(keypoints.cameras) or "none"
        raise DataError(f"detections: {n_cameras} camera ({names}); triangulation needs two or more")
    if min_cameras > n_cameras:
        raise ConfigError(f"min_cameras: {min_cameras}, but there are detections of {n_cameras} cameras; give fewer")


def match_cameras(keypoints: Keypoints2D, rig: Rig) -> tuple[Camera, ...]:
    """Return the cameras of the detections, in their order, after a check that the two fit.

    Raises
    ------
    DataError
        If a camera is not in the rig, has no detection at all, or has most of them outside its calibrated image; or
        if all cameras stand in one place.
    """
    for name in keypoints.cameras:
        if name not in rig:
            raise DataError(
                f"camera {name!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    cameras = tuple(rig[name] for name in keypoints.cameras)
    _check_places(cameras)
    step = max(1, keypoints.n_frames // _FRAMES)
    for c, camera in enumerate(cameras):
        if not keypoints.n_frames * len(keypoints.individuals) * len(keypoints.keypoints):
            continue
        xy = keypoints.xy[::step, c]
        if not np.isfinite(xy[..., 0]).any():
            xy = keypoints.xy[:, c]
        x, y = xy[..., 0], xy[..., 1]
        n_views = int(np.isfinite(x).sum())
        if not n_views:
            raise DataError(f"camera {camera.name!r}: no detection in any frame; check its file or leave it out")
        width, height = camera.size
        outside = (x < -_MARGIN * width) | (x > (1 + _MARGIN) * width)
        outside |= (y < -_MARGIN * height) | (y > (1 + _MARGIN) * height)
        if outside.sum() > 0.5 * n_views:
            raise DataError(
                f"camera {camera.name!r}: detections reach {np.abs(x[outside]).max():.6g}, "
                f"{np.abs(y[outside]).max():.6g} px, its calibration is for "
                f"{width}x{height}; was the video resized or cropped?"
            )
    return cameras


def _check_places(cameras: Sequence[Camera]) -> None:
    """Refuse cameras that all stand in one place, and warn of those that cannot tell depth."""
    centers = np.stack([camera.center for camera in cameras])
    names = ", ".join(camera.name for camera in cameras)
    reach = np.abs(centers).max()
    away = np.linalg.norm(centers[:, None] - centers, axis=-1)
    least = _APART * max(float(away.max()), 1e-3 * float(reach))
    if away.max() <= least:
        raise DataError(
            f"cameras {names}: they stand in one place, and rays from one place do not meet in points; "
            "check the positions in the calibration"
        )
    for i, j in zip(*np.nonzero(np.triu(away <= least, k=1)), strict=True):
        logger.warning(
            "cameras %s, %s: they stand in one place; together they tell directions but no depth",
            cameras[i].name,
            cameras[j].name,
        )
    extent = np.linalg.svd(centers - centers.mean(0), compute_uv=False)
    if len(cameras) > 2 and extent[1] <= _LINE * extent[0]:
        logger.warning(
            "cameras %s: they stand in one line; points on that line have no depth, and errors along it go unseen",
            names,
        )


def view_weights(keypoints: Keypoints2D, *, score_threshold: float, weighted: bool) -> FloatArray:
    """Return what each detection counts: its score, or 1 if not `weighted`; 0 where it is not to be used.

    Scores beyond 0 and 1 count as 0 and 1, and a detection without a score counts fully. Divide by the mean of what
    is above 0 over the recording: noise is per detection of mean weight.

    Parameters
    ----------
    keypoints : Keypoints2D
    score_threshold : float
    weighted : bool

    Returns
    -------
    (n_frames, n_cameras, n_individuals, n_keypoints) array
    """
    score = keypoints.score
    there = np.isfinite(keypoints.xy[..., 0])
    with np.errstate(invalid="ignore"):
        usable = there & ~(score < score_threshold)  # NaN is no score, and passes
    if not weighted:
        return usable.astype(np.float64)
    weight = np.clip(score, _LEAST_WEIGHT, 1.0)
    np.copyto(weight, 1.0, where=np.isnan(weight))
    weight *= usable
    return weight


def check_scores(keypoints: Keypoints2D, weight: FloatArray, score_threshold: float) -> None:
    """Refuse detections of which none counts, and warn of scores that are on another scale.

    Raises
    ------
    DataError
        If there are detections, but none reaches the threshold.
    """
    if not weight.size:
        return
    highest = np.max(keypoints.score, axis=(0, 2, 3), where=~np.isnan(keypoints.score), initial=-np.inf)
    if not weight.any():
        raise DataError(
            f"detections: none has a score of {score_threshold:g} or more (the highest is {highest.max():g}); "
            "lower score_threshold"
        )
    strange = [name for name, most in zip(keypoints.cameras, highest, strict=True) if most > _HIGHEST_SCORE]
    if strange:
        logger.warning(
            "camera%s %s: scores reach %.4g, and are read as 0..1; what is above counts as 1",
            "s" * (len(strange) > 1),
            ", ".join(strange),
            highest.max(),
        )
