"""Points projected back into the images: how far each detection lies from its point, and the points as detections."""

import numpy as np

from pose3d.data import Camera, Keypoints2D, Keypoints3D, Rig
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.lenses import distort
from pose3d.geometry.projection import pixels_from_normalized, undistort

__all__ = ["check_fit", "reproject_points", "view_errors", "view_residuals"]

_SAME = 1e-6  # normalised coordinates; the way through the lens and back
_AT_ONCE = 65536  # points


def view_residuals(keypoints: Keypoints2D, rig: Rig, points: Keypoints3D) -> FloatArray:
    """Return projected point minus detection, for every view.

    Parameters
    ----------
    keypoints : Keypoints2D
    rig : Rig
        Cameras are matched by name.
    points : Keypoints3D
        Of the same frames, individuals and keypoints.

    Returns
    -------
    (n_frames, n_cameras, n_individuals, n_keypoints, 2) array, px
        NaN where there is no detection or no point, or the point lies behind the camera.

    Raises
    ------
    DataError
        If a camera has no calibration, or detections and points are not of the same recording.
    """
    check_fit(keypoints, rig, points)
    out = np.empty(keypoints.xy.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        for c, name in enumerate(keypoints.cameras):
            out[:, c] = rig[name].project(points.xyz) - keypoints.xy[:, c]
    out[~np.isfinite(out).all(-1)] = np.nan
    return out


def view_errors(keypoints: Keypoints2D, rig: Rig, points: Keypoints3D) -> FloatArray:
    """Return the distance of every detection from its projected point.

    Parameters, errors and missing values are those of :func:`view_residuals`.

    Returns
    -------
    (n_frames, n_cameras, n_individuals, n_keypoints) array, px
        Views that triangulation left out are measured like the others.
    """
    residual = view_residuals(keypoints, rig, points)
    with np.errstate(over="ignore"):
        return np.asarray(np.hypot(residual[..., 0], residual[..., 1]))


def reproject_points(points: Keypoints3D, rig: Rig) -> Keypoints2D:
    """Project points into all cameras, as detections: to be written, looked at, or to train a network with.

    Each frame stands for itself, so that a recording may come in parts.

    Parameters
    ----------
    points : Keypoints3D
    rig : Rig

    Returns
    -------
    Keypoints2D
        All cameras of the rig, places outside the image included. The score is the point's own (1 where it has none).
        NaN where there is no point, or it lies behind the camera or where the lens model has no answer: far outside
        its image a lens polynomial turns back, and would place the point inside.
    """
    shape = points.xyz.shape[:-1]
    xyz = points.xyz.reshape(-1, 3)
    xy = np.empty((shape[0], len(rig), *shape[1:], 2))
    for c, camera in enumerate(rig):
        runs = [_project(camera, xyz[i : i + _AT_ONCE]) for i in range(0, len(xyz), _AT_ONCE)]
        xy[:, c] = np.concatenate(runs).reshape(*shape, 2) if runs else 0.0
    score = np.where(np.isnan(points.score), 1.0, points.score)[:, None]
    return Keypoints2D(
        xy,
        np.broadcast_to(score, xy.shape[:-1]),
        rig.names,
        points.individuals,
        points.keypoints,
        fps=points.fps,
        start=points.start,
    )


def _project(camera: Camera, xyz: FloatArray) -> FloatArray:
    """Project points (n, 3) where the way back through the lens leads to them again."""
    pose = camera.cam_from_world
    at = xyz @ pose[:3, :3].T + pose[:3, 3]
    with np.errstate(all="ignore"):
        ray = at[:, :2] / at[:, 2:]
        pixels = pixels_from_normalized(distort(ray, camera.distortion, fisheye=camera.fisheye), camera.matrix)
        back, found = undistort(pixels, camera.matrix, camera.distortion, fisheye=camera.fisheye)
        same = (np.abs(back - ray) <= _SAME * (1 + np.abs(ray))).all(-1)
    return np.where((found & same & (at[:, 2] > 0))[:, None], pixels, np.nan)


def check_fit(keypoints: Keypoints2D, rig: Rig, points: Keypoints3D) -> None:
    """Check that detections, cameras and points belong together.

    Raises
    ------
    DataError
    """
    for name in keypoints.cameras:
        if name not in rig:
            raise DataError(
                f"camera {name!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    if keypoints.n_frames != points.n_frames:
        raise DataError(
            f"points: {points.n_frames} frames, but the detections have {keypoints.n_frames}; "
            "give the detections that the points were made from"
        )
    for what in ("individuals", "keypoints"):
        wanted, there = getattr(keypoints, what), getattr(points, what)
        if wanted != there:
            odd = sorted(set(wanted) ^ set(there)) or ["their order"]
            raise DataError(
                f"points: {what} differ from the detections' ({', '.join(odd[:4])}); "
                "give the detections that the points were made from"
            )
