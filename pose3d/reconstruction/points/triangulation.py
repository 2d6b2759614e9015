"""From detections in several cameras to points in space."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pose3d.data import Camera, Keypoints2D, Keypoints3D, Rig, Status
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.io.calibration_toml import stored_unit_mm
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.points.consensus import agree
from pose3d.reconstruction.points.likelihood import covariances, sharpen
from pose3d.reconstruction.points.noise import Noise, estimate_noise
from pose3d.reconstruction.points.summary import TriangulationSummary, summarize
from pose3d.reconstruction.points.views import Lenses, reproject, views_of

__all__ = ["Triangulation", "triangulate", "triangulate_views"]

_CHUNK = 16384  # points at once: measured fastest from 2048 to 50,000, and memory stays flat
_SAMPLE = 2000  # points that the noise is estimated from
_LEAST_WEIGHT = 1e-3  # a view that passed the threshold counts, even at score 0
_MARGIN = 0.1  # of the image's size: detections reach beyond the edge, but not far


class Triangulation(NamedTuple):
    """Points with the views that made them.

    Attributes
    ----------
    points : Keypoints3D
    cameras : tuple of str
        Names along the camera axis: those of the detections, in their order.
    used : (n_frames, n_cameras, n_individuals, n_keypoints) bool array
        Views that made the point.
    residual_px : (n_frames, n_cameras, n_individuals, n_keypoints) array, px
        Distance of each view at or above the score threshold from the projected point, left-out views included; NaN
        where there is no such view or no point.
    summary : TriangulationSummary
    """

    points: Keypoints3D
    cameras: tuple[str, ...]
    used: BoolArray
    residual_px: FloatArray
    summary: TriangulationSummary


class _Chunk(NamedTuple):
    """Results of a run of points; cameras first."""

    xyz: FloatArray
    covariance: FloatArray
    used: BoolArray
    residual_px: FloatArray


def triangulate(
    keypoints: Keypoints2D,
    rig: Rig,
    *,
    robust: bool = True,
    score_threshold: float = 0.05,
    weighted: bool = True,
    min_cameras: int = 2,
    max_error_px: float | None = None,
    progress: Progress = no_progress,
) -> Keypoints3D:
    """Triangulate detections.

    By default robustly: every pair of views is a hypothesis, judged by its truncated reprojection error in all views;
    views that disagree with the best are left out, and the point is the maximum-likelihood one of the rest. What
    "disagree" means adapts to the recording: the noise of each camera is estimated from the detections themselves.
    Where two views remain and disagree there is no point: nothing is guessed.

    Parameters
    ----------
    keypoints : Keypoints2D
    rig : Rig
        Cameras are matched by name; those without detections are not used.
    robust : bool
        False takes all views at or above the threshold by the direct linear transform (SVD), for comparison: in the
        unit of the file that the rig was read from (metres of Pose2Sim and caliscope, otherwise mm), on which its
        answer depends where views disagree, so that the numbers are those of the program whose calibration it is.
    score_threshold : float
        Views with a lower score are not used; low, as scores of different networks mean different things and views
        that are wrong disagree. A view without a score passes, at full weight.
    weighted : bool
        Weight views by their score: their squared errors, or with ``robust=False`` their rows, as Pose2Sim does.
    min_cameras : int
        Points that fewer views make are missing.
    max_error_px : float, optional
        Leave out views farther than this from the point, instead of 8 times the estimated
        scale of each camera's errors.
    progress : Progress

    Returns
    -------
    Keypoints3D
        With `covariance`, from the estimated noise of the detections alone: it knows nothing of errors of the
        calibration.

    Raises
    ------
    DataError
        If a camera is not in the rig, if there is only one, if a camera has no detection at all, if most detections
        of a camera lie outside its calibrated image, or if no detection reaches the score threshold.
    ConfigError
        If a setting is out of range.

    See Also
    --------
    triangulate_views : The same with the views used, residuals and a summary.

    References
    ----------
    Hartley & Zisserman (2004), Multiple View Geometry, 2nd ed., sections 4.7 and 12.2-12.5;
    Torr & Zisserman (2000), MLESAC, Computer Vision and Image Understanding 78:138.

    Examples
    --------
    >>> import numpy as np
    >>> from pose3d.data import Camera, Keypoints2D, Rig
    >>> matrix = [[1000, 0, 320], [0, 1000, 240], [0, 0, 1]]
    >>> rig = Rig((
    ...     Camera("left", (640, 480), matrix, np.zeros(5), np.zeros(3), [100, 0, 0]),
    ...     Camera("right", (640, 480), matrix, np.zeros(5), np.zeros(3), [-100, 0, 0]),
    ... ))
    >>> xy = rig.project([[30.0, -20.0, 1500.0]])[None, :, :].transpose(0, 2, 1, 3)[:, :, None]
    >>> seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), ("left", "right"), ("person",), ("nose",))
    >>> np.round(triangulate(seen, rig).xyz[0, 0, 0], 6) + 0
    array([  30.,  -20., 1500.])
    """
    return triangulate_views(
        keypoints,
        rig,
        robust=robust,
        score_threshold=score_threshold,
        weighted=weighted,
        min_cameras=min_cameras,
        max_error_px=max_error_px,
        progress=progress,
    ).points


def triangulate_views(
    keypoints: Keypoints2D,
    rig: Rig,
    *,
    robust: bool = True,
    score_threshold: float = 0.05,
    weighted: bool = True,
    min_cameras: int = 2,
    max_error_px: float | None = None,
    progress: Progress = no_progress,
) -> Triangulation:
    """Triangulate detections and keep which views made each point.

    Parameters, errors and method are those of :func:`triangulate`.

    Returns
    -------
    Triangulation
    """
    _check_settings(keypoints, score_threshold, min_cameras, max_error_px)
    cameras = _match(keypoints, rig)
    weight = _weights(keypoints, score_threshold=score_threshold, weighted=weighted)
    lenses = Lenses.of(cameras)
    noise_px, threshold_px = _sampled_noise(lenses, keypoints.xy, weight)
    if not robust:
        threshold_px = np.full(len(cameras), np.inf)
    elif max_error_px is not None:
        threshold_px = np.full(len(cameras), float(max_error_px))

    shape = weight.shape
    n_frames, n_points = shape[0], shape[0] * shape[2] * shape[3]
    xyz, covariance = np.empty((n_points, 3)), np.empty((n_points, 3, 3))
    used, residual_px = np.empty(shape, dtype=np.bool_), np.empty(shape)
    done = 0
    for first, last in _frame_runs(n_frames, shape[2] * shape[3]):
        pixels = _cameras_first(keypoints.xy[first:last]).reshape(shape[1], -1, 2)
        part = _cameras_first(weight[first:last]).reshape(shape[1], -1)
        if robust:
            chunk = _robust_chunk(lenses, pixels, part, noise_px, threshold_px)
        else:
            chunk = _plain_chunk(lenses, pixels, part, noise_px, stored_unit_mm(rig))
        enough = chunk.used.sum(0) >= min_cameras
        rows = slice(done, done + len(enough))
        xyz[rows] = np.where(enough[:, None], chunk.xyz, np.nan)
        covariance[rows] = np.where(enough[:, None, None], chunk.covariance, np.nan)
        local = (shape[1], last - first, *shape[2:])
        used[first:last] = np.moveaxis((chunk.used & enough).reshape(local), 0, 1)
        residual_px[first:last] = np.moveaxis(np.where(enough, chunk.residual_px, np.nan).reshape(local), 0, 1)
        done = rows.stop
        progress("triangulate", last, n_frames)

    seen = weight > 0
    points = _points(keypoints, xyz, covariance, used, residual_px)
    summary = summarize(
        points,
        cameras=keypoints.cameras,
        seen=seen,
        used=used,
        residual_px=residual_px,
        noise_px=noise_px,
        threshold_px=threshold_px,
        min_cameras=min_cameras,
    )
    logger.info("triangulated %d of %d points", summary.n_reconstructed, summary.n_points)
    if summary.n_points and not summary.n_reconstructed:
        logger.warning(
            "no point could be made: %d seen by too few cameras at the same time, %d whose views disagree; "
            "check the calibration, the synchronisation and the score threshold",
            summary.n_unseen,
            summary.n_disagreeing,
        )
    return Triangulation(points, keypoints.cameras, used, residual_px, summary)


def _check_settings(
    keypoints: Keypoints2D, score_threshold: float, min_cameras: int, max_error_px: float | None
) -> None:
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


def _match(keypoints: Keypoints2D, rig: Rig) -> tuple[Camera, ...]:
    """Return the cameras of the detections, in their order, after a check that the two fit."""
    for name in keypoints.cameras:
        if name not in rig:
            raise DataError(
                f"camera {name!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    cameras = tuple(rig[name] for name in keypoints.cameras)
    for c, camera in enumerate(cameras):
        xy = keypoints.xy[:, c].reshape(-1, 2)
        if not len(xy):
            continue
        xy = xy[np.isfinite(xy[:, 0])]
        if not len(xy):
            raise DataError(f"camera {camera.name!r}: no detection in any frame; check its file or leave it out")
        size = np.array(camera.size)
        outside = ((xy < -_MARGIN * size) | (xy > (1 + _MARGIN) * size)).any(-1)
        if outside.mean() > 0.5:
            reach = np.abs(xy[outside]).max(0)
            raise DataError(
                f"camera {camera.name!r}: detections reach {reach[0]:.0f}, {reach[1]:.0f} px, its calibration is for "
                f"{size[0]}x{size[1]}; was the video resized or cropped?"
            )
    return cameras


def _weights(keypoints: Keypoints2D, *, score_threshold: float, weighted: bool) -> FloatArray:
    """Weight of each view, 0 for absent ones and those below the threshold."""
    score = np.where(np.isnan(keypoints.score), 1.0, keypoints.score)
    usable = np.isfinite(keypoints.xy[..., 0]) & (score >= score_threshold)
    weight = np.where(usable, np.maximum(score, _LEAST_WEIGHT) if weighted else 1.0, 0.0)
    if score.size and not usable.any():
        highest = score[np.isfinite(keypoints.xy[..., 0])].max()
        raise DataError(
            f"detections: none has a score of {score_threshold:g} or more (the highest is {highest:g}); "
            "lower score_threshold"
        )
    return weight / weight[usable].mean() if usable.any() else weight


def _cameras_first(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(values, 1, 0))


def _frame_runs(n_frames: int, points_a_frame: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK // max(1, points_a_frame))
    for first in range(0, n_frames, step):
        yield first, min(first + step, n_frames)


def _sampled_noise(lenses: Lenses, xy: FloatArray, weight: FloatArray) -> Noise:
    """Estimate each camera's noise from points spread evenly over the recording."""
    n_views = (weight > 0).sum(1).reshape(-1)
    sample = np.flatnonzero(n_views >= 3)
    if len(sample) < len(lenses.cameras) * 30:
        sample = np.flatnonzero(n_views >= 2)
    if len(sample) > _SAMPLE:
        sample = sample[np.linspace(0, len(sample) - 1, _SAMPLE).astype(np.int64)]
    frame, individual, keypoint = np.unravel_index(sample, (weight.shape[0], *weight.shape[2:]))
    pixels = _cameras_first(xy[frame, :, individual, keypoint])
    views = views_of(lenses, pixels, _cameras_first(weight[frame, :, individual, keypoint]))
    return estimate_noise(lenses, views)


def _robust_chunk(
    lenses: Lenses, pixels: FloatArray, weight: FloatArray, noise_px: FloatArray, threshold_px: FloatArray
) -> _Chunk:
    views = views_of(lenses, pixels, weight)
    points, used = agree(lenses, views, noise_px, threshold_px)
    precision = np.where(used, views.weight / noise_px[:, None] ** 2, 0.0)
    points, covariance = sharpen(lenses, views, precision, points, reproject(lenses, pixels, points))
    final = reproject(lenses, pixels, points)
    sound = np.isfinite(points).all(0) & np.isfinite(covariance[:, 0, 0]) & (~used | (final.at.depth > 0)).all(0)
    residual = np.where(views.used, final.distance_px, np.nan)
    return _Chunk(points.T + lenses.origin, covariance, used & sound, residual)


def _plain_chunk(
    lenses: Lenses, pixels: FloatArray, weight: FloatArray, noise_px: FloatArray, unit_mm: float
) -> _Chunk:
    views = views_of(lenses, pixels, weight)
    rays = np.stack([views.x.T, views.y.T], axis=-1)
    cam_from_world = np.stack([camera.cam_from_world for camera in lenses.cameras])
    points = triangulate_svd(rays, cam_from_world, weights=views.weight.T, length=unit_mm) - lenses.origin
    final = reproject(lenses, pixels, points.T)
    covariance = covariances(lenses, views, views.weight / noise_px[:, None] ** 2, points.T)
    used = views.used & np.isfinite(points).all(-1)
    residual = np.where(views.used, final.distance_px, np.nan)
    return _Chunk(points + lenses.origin, covariance, used, residual)


def _points(
    keypoints: Keypoints2D, xyz: FloatArray, covariance: FloatArray, used: BoolArray, residual_px: FloatArray
) -> Keypoints3D:
    n_cameras = used.sum(1)
    shape = n_cameras.shape
    made = n_cameras > 0
    total = np.where(used, residual_px, 0.0).sum(1)
    score = np.where(np.isnan(keypoints.score), 1.0, keypoints.score)
    return Keypoints3D(
        xyz=xyz.reshape(*shape, 3),
        error=np.where(made, total / np.maximum(n_cameras, 1), np.nan),
        n_cameras=n_cameras,
        score=np.where(made, np.where(used, score, np.inf).min(1), np.nan),
        status=np.where(made, Status.OBSERVED, Status.MISSING).astype(np.uint8),
        individuals=keypoints.individuals,
        keypoints=keypoints.keypoints,
        covariance=covariance.reshape(*shape, 3, 3),
        fps=keypoints.fps,
        start=keypoints.start,
    )
