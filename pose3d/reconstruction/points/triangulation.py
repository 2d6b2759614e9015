"""From detections in several cameras to points in space."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from pose3d.data import Keypoints2D, Keypoints3D, Rig, Status
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.io.calibration_toml import stored_unit_mm
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.points.chunks import learn_noise, resolve_chunk
from pose3d.reconstruction.points.inputs import check_scores, check_settings, match_cameras, view_weights
from pose3d.reconstruction.points.likelihood import covariances
from pose3d.reconstruction.points.plain import solve_linear
from pose3d.reconstruction.points.summary import TriangulationSummary, summarize
from pose3d.reconstruction.points.views import Lenses, Views, reproject, views_of

__all__ = ["Triangulation", "triangulate", "triangulate_views"]

_CHUNK = 8192  # points at once: measured fastest, and memory stays flat


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
    weight : (n_frames, n_cameras, n_individuals, n_keypoints) array
        Factor of each view's squared error, 1 on average; 0 where there is no view at or above the score threshold.
    noise_px, threshold_px : (n_cameras,) array, px
        Estimated standard deviation per axis of each camera's detections at weight 1, and the error from which a view
        was left out.
    """

    points: Keypoints3D
    cameras: tuple[str, ...]
    used: BoolArray
    residual_px: FloatArray
    summary: TriangulationSummary
    weight: FloatArray
    noise_px: FloatArray
    threshold_px: FloatArray


class _Chunk(NamedTuple):
    """Results of a run of points; cameras first."""

    xyz: FloatArray
    covariance: FloatArray
    used: BoolArray
    residual_px: FloatArray


class _Whole(NamedTuple):
    """Results of a recording while they come in: (n_frames, ...)."""

    xyz: FloatArray
    covariance: FloatArray
    error: FloatArray
    score: FloatArray
    n_used: IntArray
    used: BoolArray
    residual_px: FloatArray

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> "_Whole":
        points = (shape[0], *shape[2:])
        return cls(
            np.empty((*points, 3)),
            np.empty((*points, 3, 3)),
            np.empty(points),
            np.empty(points),
            np.empty(points, dtype=np.int64),
            np.empty(shape, dtype=np.bool_),
            np.empty(shape),
        )

    def put(self, first: int, last: int, chunk: _Chunk, score: FloatArray, min_cameras: int) -> None:
        """Store a chunk; `score` is (n_cameras, n_points)."""
        n_used = chunk.used.sum(0)
        few = np.flatnonzero(n_used < min_cameras)
        if len(few):
            n_used[few] = 0
            for values in (chunk.xyz, chunk.covariance):
                values[few] = np.nan
            chunk.used[:, few] = False
            chunk.residual_px[:, few] = np.nan
        made = n_used > 0
        with np.errstate(invalid="ignore"):
            error = np.where(chunk.used, chunk.residual_px, 0.0).sum(0) / n_used
        least = np.fmin.reduce(np.where(chunk.used, score, np.nan), axis=0)
        least[np.isnan(least)] = 1.0  # views without a score count fully
        least[~made] = np.nan
        points = (last - first, *self.n_used.shape[1:])
        rows = slice(first, last)
        for whole, part in zip(self[:5], (chunk.xyz, chunk.covariance, error, least, n_used), strict=True):
            whole[rows] = part.reshape(points + part.shape[1:])
        views = (len(chunk.used), *points)
        self.used[rows] = chunk.used.reshape(views).swapaxes(0, 1)
        self.residual_px[rows] = chunk.residual_px.reshape(views).swapaxes(0, 1)


def triangulate(
    keypoints: Keypoints2D,
    rig: Rig,
    *,
    robust: bool = True,
    method: Literal["svd", "closed form"] = "svd",
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
    method : {"svd", "closed form"}
        How ``robust=False`` solves. The closed form leaves out the homogeneous coordinate and solves the normal
        equations: it minimises the sum over views of (weight times depth times distance in the normalised image)^2,
        which is what the SVD minimises in a unit of length that is large beside the scene. Twenty times faster;
        views that agree give the same points.
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
        method=method,
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
    method: Literal["svd", "closed form"] = "svd",
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
    check_settings(keypoints, score_threshold, min_cameras, max_error_px)
    cameras = match_cameras(keypoints, rig)
    weight = view_weights(keypoints, score_threshold=score_threshold, weighted=weighted)
    check_scores(keypoints, weight, score_threshold)
    n_weights = np.count_nonzero(weight)
    weight *= n_weights / weight.sum() if n_weights else 1.0
    lenses = Lenses.of(cameras)
    noise_px, threshold_px = learn_noise(lenses, keypoints.xy, weight)
    if not robust:
        threshold_px = np.full(len(cameras), np.inf)
    elif max_error_px is not None:
        threshold_px = np.full(len(cameras), float(max_error_px))

    shape = weight.shape
    whole = _Whole.of(shape)
    for first, last in _frame_runs(shape[0], shape[2] * shape[3]):
        pixels = _cameras_first(keypoints.xy[first:last]).reshape(shape[1], -1, 2)
        part, score = (_cameras_first(each[first:last]).reshape(shape[1], -1) for each in (weight, keypoints.score))
        if robust:
            found = resolve_chunk(lenses, pixels, part, noise_px, threshold_px)
            chunk = _Chunk(found.xyz, found.covariance, found.used, found.residual_px)
        else:
            chunk = _plain_chunk(lenses, pixels, part, noise_px, stored_unit_mm(rig) if method == "svd" else None)
        whole.put(first, last, chunk, score, min_cameras)
        progress("triangulate", last, shape[0])

    points = Keypoints3D(
        xyz=whole.xyz,
        error=whole.error,
        n_cameras=whole.n_used,
        score=whole.score,
        status=np.where(whole.n_used > 0, Status.OBSERVED, Status.MISSING).astype(np.uint8),
        individuals=keypoints.individuals,
        keypoints=keypoints.keypoints,
        covariance=whole.covariance,
        fps=keypoints.fps,
        start=keypoints.start,
    )
    summary = summarize(
        points,
        cameras=keypoints.cameras,
        seen=weight > 0,
        used=whole.used,
        residual_px=whole.residual_px,
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
    return Triangulation(
        points, keypoints.cameras, whole.used, whole.residual_px, summary, weight, noise_px, threshold_px
    )


def _cameras_first(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(values, 1, 0))


def _frame_runs(n_frames: int, points_a_frame: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK // max(1, points_a_frame))
    for first in range(0, n_frames, step):
        yield first, min(first + step, n_frames)


def _plain_chunk(
    lenses: Lenses, pixels: FloatArray, weight: FloatArray, noise_px: FloatArray, unit_mm: float | None
) -> _Chunk:
    """Triangulate all views, by SVD in the given unit or, without one, by the closed form."""
    views = views_of(lenses, pixels, weight)
    points = solve_linear(lenses, views) if unit_mm is None else _solve_svd(lenses, views, unit_mm)
    final = reproject(lenses, pixels, points)
    covariance = covariances(lenses, views, views.weight / noise_px[:, None] ** 2, points)
    made = np.isfinite(points).all(0)
    covariance[~made] = np.nan
    residual = np.where(views.used & made, final.distance_px, np.nan)
    return _Chunk(points.T + lenses.origin, covariance, views.used & made, residual)


def _solve_svd(lenses: Lenses, views: Views, unit_mm: float) -> FloatArray:
    rays = np.stack([views.x.T, views.y.T], axis=-1)
    cam_from_world = np.stack([camera.cam_from_world for camera in lenses.cameras])
    points = triangulate_svd(rays, cam_from_world, weights=views.weight.T, length=unit_mm) - lenses.origin
    return np.ascontiguousarray(points.T)
