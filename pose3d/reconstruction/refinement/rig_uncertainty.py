"""What the cameras' own uncertainty does to pixels and to points in space.

Everything is to first order: a calibration that is good enough to be used errs by far less than its derivatives change.
A rig's error is one and the same in all frames and for all points: smoothing over time does not lessen it. Where points
were smoothed, the precisions to give here are those of the neighbouring frames together.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.data.rig_covariance import LENS_PARAMETERS, N_CAMERA_PARAMETERS, RigCovariance
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.lenses import lens_components
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.geometry.symmetric import inverse_matrix

__all__ = [
    "Derivatives",
    "calibration_covariance",
    "covariance_of",
    "derivatives",
    "gradient_shift",
    "moved_rig",
    "pixel_shift",
    "point_sensitivity",
    "rig_samples",
]

_RUN = 512  # points whose products with all parameters are in memory at once


def rig_samples(rig: Rig, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw rigs as the calibration leaves them possible.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    n : int
    rng : numpy Generator

    Returns
    -------
    (n, n_parameters) array
        Shifts of the parameters, in the order and units of ``rig.covariance``.

    Raises
    ------
    ValueError
        If the rig has no covariance.
    """
    root = covariance_of(rig).root
    return np.asarray(rng.standard_normal((n, root.shape[1])) @ root.T)


def moved_rig(rig: Rig, shift: FloatArray) -> Rig:
    """Return the rig whose parameters differ by a shift (n_parameters,), as :func:`rig_samples` draws them."""
    known = covariance_of(rig)
    full = np.zeros((len(rig), N_CAMERA_PARAMETERS))
    full[known.camera, known.parameter] = shift
    cameras = []
    for camera, by in zip(rig, full, strict=True):
        matrix = camera.matrix.copy()
        matrix[[0, 1, 0, 1], [0, 1, 2, 2]] += by[:4]
        turn, move = by[LENS_PARAMETERS : LENS_PARAMETERS + 3], by[LENS_PARAMETERS + 3 :]
        cameras.append(
            replace(
                camera,
                matrix=matrix,
                distortion=camera.distortion + by[4 : 4 + len(camera.distortion)],
                rotation=log_so3(exp_so3(turn) @ exp_so3(camera.rotation)),
                translation=camera.translation + move,
            )
        )
    return Rig(tuple(cameras), rig.metadata)


def pixel_shift(rig: Rig, xyz: FloatArray, shifts: FloatArray) -> FloatArray:
    """Tell where points that stay appear to go when the cameras' parameters change.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    xyz : (n_points, 3) array, mm
    shifts : (n_samples, n_parameters) array
        From :func:`rig_samples`.

    Returns
    -------
    (n_samples, n_cameras, n_points, 2) array, px
        To first order; NaN for points behind a camera.
    """
    known = covariance_of(rig)
    out = np.empty((len(shifts), len(rig), len(xyz), 2))
    for i, camera in enumerate(rig):
        mine = np.flatnonzero(known.camera == i)
        seen = derivatives(camera, xyz, known.parameter[mine])
        moved = shifts[:, mine] @ seen.by_parameter.reshape(len(mine), 2 * len(xyz))
        out[:, i] = np.moveaxis(moved.reshape(len(shifts), 2, len(xyz)), 1, 2)
        out[:, i, seen.behind] = np.nan
    return out


def gradient_shift(rig: Rig, xyz: FloatArray, precision: FloatArray, shifts: FloatArray) -> FloatArray:
    """Return how the gradient of the reprojection by the points changes with the cameras' parameters.

    Half the sum of squared standardised residuals has at its minimum the gradient 0 by every point. With other cameras
    it becomes this, so that the solution moves by ``-inverse(normal matrix) @ gradient_shift``: for single points, or
    for all points of a recording that time and limbs tie together.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    xyz : (n_points, 3) array, mm
    precision : (n_cameras, n_points) array, 1/px^2
        Of each view; 0 for views that do not take part.
    shifts : (n_samples, n_parameters) array

    Returns
    -------
    (n_samples, n_points, 3) array, 1/mm
    """
    known = covariance_of(rig)
    total = np.zeros((len(shifts), 3 * len(xyz)))
    for i, camera in enumerate(rig):
        mine = np.flatnonzero(known.camera == i)
        seen = derivatives(camera, xyz, known.parameter[mine])
        pull = seen.pull * np.where(seen.behind, 0.0, precision[i])
        total += shifts[:, mine] @ pull.reshape(len(mine), 3 * len(xyz))
    return np.moveaxis(total.reshape(len(shifts), 3, len(xyz)), 1, 2)


def point_sensitivity(rig: Rig, xyz: FloatArray, precision: FloatArray) -> FloatArray:
    """Return the derivative of triangulated points by the cameras' parameters.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    xyz : (n_points, 3) array, mm
    precision : (n_cameras, n_points) array, 1/px^2
        With which each view counts; 0 for views that do not take part.

    Returns
    -------
    (n_points, 3, n_parameters) array
        NaN for points that the views do not fix.

    References
    ----------
    Foerstner & Wrobel (2016), Photogrammetric Computer Vision, section 2.7.5, implicit functions.
    """
    known = covariance_of(rig)
    matrix = np.zeros((6, len(xyz)))
    pull = np.zeros((len(known), 3, len(xyz)))
    for i, camera in enumerate(rig):
        mine = np.flatnonzero(known.camera == i)
        seen = derivatives(camera, xyz, known.parameter[mine])
        weight = np.where(seen.behind, 0.0, precision[i])
        matrix += weight * seen.information
        pull[mine] = weight * seen.pull
    return -inverse_matrix(matrix) @ np.moveaxis(pull, -1, 0).swapaxes(-1, -2)


def calibration_covariance(rig: Rig, xyz: FloatArray, precision: FloatArray) -> FloatArray:
    """Return what the cameras' uncertainty adds to the covariance of triangulated points.

    Parameters
    ----------
    rig : Rig
        With a covariance; the points' covariance is told relative to its reference camera.
    xyz : (n_points, 3) array, mm
    precision : (n_cameras, n_points) array, 1/px^2
        As in :func:`point_sensitivity`.

    Returns
    -------
    (n_points, 3, 3) array, mm^2
        NaN for points that the views do not fix.

    See Also
    --------
    pose3d.reconstruction.refinement.covariance_cells.CovarianceCells : the same for long recordings, ten times faster
    """
    known = covariance_of(rig)
    out = np.empty((len(xyz), 3, 3))
    for start in range(0, len(xyz), _RUN):
        run = slice(start, start + _RUN)
        moved = np.asarray(point_sensitivity(rig, xyz[run], precision[:, run]) @ known.root)
        out[run] = moved @ moved.swapaxes(-1, -2)
    return out


def covariance_of(rig: Rig) -> RigCovariance:
    """Return a rig's covariance.

    Raises
    ------
    ValueError
        If it has none.
    """
    if rig.covariance is None:
        raise ValueError("the rig has no covariance")
    return rig.covariance


class Derivatives(NamedTuple):
    """What one camera sees of points, to first order.

    Attributes
    ----------
    by_world : (2, 3, n_points) array, px/mm
    by_parameter : (k, 2, n_points) array
    behind : (n_points,) bool array
        Points without an image; their derivatives are 0.
    """

    by_world: FloatArray
    by_parameter: FloatArray
    behind: FloatArray

    @property
    def information(self) -> FloatArray:
        """(6, n_points) array, px^2/mm^2: squared derivative by the point; entries xx xy xz yy yz zz."""
        (ax, ay, az), (bx, by, bz) = self.by_world
        return np.stack(
            [
                ax * ax + bx * bx,
                ax * ay + bx * by,
                ax * az + bx * bz,
                ay * ay + by * by,
                ay * az + by * bz,
                az * az + bz * bz,
            ]
        )

    @property
    def pull(self) -> FloatArray:
        """(k, 3, n_points) array: derivative by the point times that by each parameter, summed over x and y."""
        first, second = self.by_parameter[:, 0], self.by_parameter[:, 1]
        out = first[:, None] * self.by_world[0]
        out += second[:, None] * self.by_world[1]
        return np.asarray(out)


def derivatives(camera: Camera, xyz: FloatArray, places: IntArray) -> Derivatives:
    """Differentiate a camera's pixels.

    Parameters
    ----------
    camera : Camera
    xyz : (n_points, 3) array, mm
    places : (k,) int array
        Which of the camera's 18 parameters; see :class:`~pose3d.data.rig_covariance.RigCovariance`.

    Returns
    -------
    Derivatives
    """
    R = exp_so3(camera.rotation)
    arm = R @ xyz.T
    X = arm + camera.translation[:, None]
    behind = ~(X[2] > 0)  # NaN as well
    inverse = 1 / np.where(behind, 1.0, X[2])
    x, y = np.where(behind, 0.0, X[0] * inverse), np.where(behind, 0.0, X[1] * inverse)
    lens = lens_components(x, y, camera.distortion, fisheye=camera.fisheye)
    fx, skewed, fy = camera.matrix[0, 0], camera.matrix[0, 1], camera.matrix[1, 1]
    gain = np.where(behind, 0.0, inverse)
    along = np.empty((2, 3, len(xyz)))
    along[0, 0], along[0, 1] = gain * (fx * lens.xx + skewed * lens.xy), gain * (fx * lens.xy + skewed * lens.yy)
    along[1, 0], along[1, 1] = gain * (fy * lens.xy), gain * (fy * lens.yy)
    along[:, 2] = -(along[:, 0] * x + along[:, 1] * y)
    out = np.zeros((len(places), 2, len(xyz)))
    for row, place in enumerate(places):
        if place < 4:
            axis = place % 2
            out[row, axis] = (lens.x, lens.y)[axis] if place < 2 else 1.0
        elif place < LENS_PARAMETERS:
            bent_x, bent_y = lens.by_coefficient[place - 4]
            out[row, 0], out[row, 1] = fx * bent_x + skewed * bent_y, fy * bent_y
        elif place < LENS_PARAMETERS + 3:
            i, j = ((1, 2), (2, 0), (0, 1))[place - LENS_PARAMETERS]
            np.subtract(arm[i] * along[:, j], arm[j] * along[:, i], out=out[row])
        else:
            out[row] = along[:, place - LENS_PARAMETERS - 3]
    out[:, :, behind] = 0.0
    by_world = np.asarray((R.T @ along.reshape(2, 3, len(xyz))).reshape(2, 3, len(xyz)))
    return Derivatives(by_world, out, behind)
