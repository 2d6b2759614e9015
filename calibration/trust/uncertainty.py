"""How well a calibration is known: the covariance of its parameters, and what it means in mm in the recorded volume."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.spatial

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import skew
from pose3d.geometry.transforms import apply

from ..solver.bundle import LENS_SIZE, Bundle, Solution
from ..solver.information import camera_information, dispersion, invert_information
from ..solver.motions import motion_jacobian

__all__ = [
    "Uncertainty",
    "VolumeError",
    "VolumeSensitivity",
    "parameter_uncertainty",
    "volume_error",
    "volume_sensitivity",
]

LENS_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
FISHEYE_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Covariance of the cameras' parameters; the first camera's pose is the origin and has none.

    Attributes
    ----------
    covariance : (n, n) array
        Of all parameters that were estimated: px, coefficients, radians (turn of the camera about its own axes), mm
        (shift in the camera's own axes).
    camera, number : (n,) int arrays
        Whose parameter it is, and which: 0 to 11 the lens (fx fy cx cy and the coefficients), 12 to 14 the turn, 15
        to 17 the shift.
    n_cameras : int

    Notes
    -----
    A camera's turn pivots about its pose's translation, so that the shift goes with the world's origin; see
    :meth:`transformed`.
    """

    covariance: FloatArray
    camera: IntArray
    number: IntArray
    n_cameras: int

    @property
    def sd(self) -> FloatArray:
        """(n_cameras, 18) array: standard deviations; 0 where a parameter was held."""
        out = np.zeros((self.n_cameras, LENS_SIZE + 6))
        out[self.camera, self.number] = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return out

    @property
    def lens_sd(self) -> FloatArray:
        """(n_cameras, 12) array: px and coefficients."""
        return self.sd[:, :LENS_SIZE]

    @property
    def rotation_sd_deg(self) -> FloatArray:
        """(n_cameras, 3) array: turns about the camera's x, y and z axis, relative to the first camera."""
        return np.asarray(np.rad2deg(self.sd[:, LENS_SIZE : LENS_SIZE + 3]))

    @property
    def translation_sd_mm(self) -> FloatArray:
        """(n_cameras, 3) array: shifts along the camera's axes, relative to the first camera."""
        return self.sd[:, LENS_SIZE + 3 :]

    def transformed(self, cam_from_new: FloatArray, new_from_old: FloatArray) -> "Uncertainty":
        """Return the uncertainty of the same cameras in another world.

        Parameters
        ----------
        cam_from_new : (n_cameras, 4, 4) array, mm
        new_from_old : (4, 4) array, mm
        """
        lever = skew(cam_from_new[:, :3, :3] @ new_from_old[:3, 3])
        change = np.eye(len(self.camera))
        turns, shifts = np.flatnonzero(np.isin(self.number, range(12, 15))), np.flatnonzero(self.number >= 15)
        same = self.camera[shifts][:, None] == self.camera[turns]
        i, j = np.nonzero(same)
        rows, columns = shifts[i], turns[j]
        change[rows, columns] = lever[self.camera[rows], self.number[rows] - 15, self.number[columns] - 12]
        return replace(self, covariance=change @ self.covariance @ change.T)

    def to_dict(self, names: tuple[str, ...], fisheye: tuple[bool, ...]) -> dict[str, Any]:
        """Return standard deviations by camera and name, for a json file."""
        out: dict[str, Any] = {}
        for i, name in enumerate(names):
            words = FISHEYE_NAMES if fisheye[i] else LENS_NAMES
            out[name] = {
                **{f"{word}_sd": float(v) for word, v in zip(words, self.lens_sd[i], strict=False)},
                "rotation_sd_deg": self.rotation_sd_deg[i].tolist(),
                "translation_sd_mm": self.translation_sd_mm[i].tolist(),
            }
        return out


@dataclass(frozen=True, eq=False)
class VolumeError:
    """Expected error of a triangulated point, over the volume in which the board was shown.

    Attributes
    ----------
    xyz : (n, 3) array, mm
        Points on a grid, in the rig's world, each in the image of two cameras at least.
    calibration_mm : (n,) array
        Root mean square length of the error that comes from the cameras' uncertainty, the best rigid alignment removed.
    noise_mm : (n,) array
        The same from one observation's noise, of the size of a board corner's, in every camera that sees the point.
    n_cameras : (n,) int array
        How many cameras see the point.
    """

    xyz: FloatArray
    calibration_mm: FloatArray
    noise_mm: FloatArray
    n_cameras: IntArray

    @property
    def rms_mm(self) -> float:
        """Expected error from the calibration over the whole volume: the one number."""
        return float(np.sqrt(np.mean(np.square(self.calibration_mm)))) if len(self.xyz) else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain numbers."""
        some = len(self.xyz) > 0
        return {
            "expected_error_mm": self.rms_mm,
            "expected_error_max_mm": float(self.calibration_mm.max()) if some else float("nan"),
            "expected_noise_mm": float(np.sqrt(np.mean(np.square(self.noise_mm)))) if some else float("nan"),
            "volume_mm": (np.ptp(self.xyz, axis=0).tolist() if some else [0.0, 0.0, 0.0]),
        }


def parameter_uncertainty(solution: Solution, lens_covariance: FloatArray | None = None) -> Uncertainty:
    """Invert the information that the views hold about the cameras, the boards' poses marginalised.

    Where views disagree by more than their corners' noise explains, variances grow accordingly; see
    :func:`~pose3d.calibration.solver.information.dispersion`.

    Parameters
    ----------
    solution : Solution
        Converged.
    lens_covariance : (n_cameras, 12, 12) array, optional
        Of lenses that were estimated beforehand and then held: how well they are known, and through them the poses. 0
        where a lens was given.

    Returns
    -------
    Uncertainty

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle adjustment: a modern synthesis, sections 6 and 9.
    """
    bundle = solution.bundle
    if lens_covariance is None or not lens_covariance.any():
        information, camera, number = camera_information(solution)
        return Uncertainty(dispersion(solution) * invert_information(information), camera, number, len(bundle.lens))
    uncertain = np.einsum("cii->ci", lens_covariance) > 0
    free = bundle.free.copy()
    free[:, :LENS_SIZE] |= uncertain
    opened = replace(solution, bundle=replace(bundle, free=free))
    information, camera, number = camera_information(opened)
    held = np.flatnonzero((number < LENS_SIZE) & ~bundle.free[camera, number])
    rest = np.setdiff1d(np.arange(len(camera)), held)
    prior = np.zeros((len(held), len(held)))
    same = camera[held][:, None] == camera[held]
    i, j = np.nonzero(same)
    prior[i, j] = lens_covariance[camera[held[i]], number[held[i]], number[held[j]]]
    apart = invert_information(information[np.ix_(rest, rest)])
    follow = -apart @ information[np.ix_(rest, held)]  # how the poses follow the lenses
    covariance = np.zeros_like(information)
    covariance[np.ix_(held, held)] = prior
    covariance[np.ix_(rest, held)] = follow @ prior
    covariance[np.ix_(held, rest)] = covariance[np.ix_(rest, held)].T
    covariance[np.ix_(rest, rest)] = dispersion(solution) * apart + follow @ prior @ follow.T
    return Uncertainty(covariance, camera, number, len(bundle.lens))


def volume_error(
    solution: Solution, uncertainty: Uncertainty, sizes: tuple[tuple[int, int], ...], *, n_per_side: int = 9
) -> VolumeError:
    """Predict the error of triangulated points in the volume in which the board was shown.

    Parameters
    ----------
    solution : Solution
    uncertainty : Uncertainty
    sizes : tuple of (int, int), px
        The cameras' images.
    n_per_side : int
        Grid points along the volume's longest side.

    Returns
    -------
    VolumeError
    """
    seen = volume_sensitivity(solution, uncertainty, sizes, n_per_side=n_per_side)
    if len(seen.xyz) == 0:
        none = np.zeros(0)
        return VolumeError(np.zeros((0, 3)), none, none, np.zeros(0, dtype=np.int64))
    moved = _without_rigid(seen.xyz, seen.by_parameter @ _root(uncertainty.covariance))
    return VolumeError(
        xyz=seen.xyz,
        calibration_mm=np.sqrt((moved * moved).sum((1, 2))),
        noise_mm=np.sqrt(np.einsum("nii->n", seen.noise)),
        n_cameras=seen.n_cameras,
    )


class VolumeSensitivity(NamedTuple):
    """What the cameras' parameters do to points in the volume in which the board was shown.

    Attributes
    ----------
    xyz : (n, 3) array, mm
        On a grid, each in the image of two cameras at least.
    by_parameter : (n, 3, n_parameters) array
        How a triangulated point follows the parameters of an :class:`Uncertainty`.
    noise : (n, 3, 3) array, mm^2
        Covariance from one observation in every camera that sees the point.
    n_cameras : (n,) int array
    """

    xyz: FloatArray
    by_parameter: FloatArray
    noise: FloatArray
    n_cameras: IntArray


def volume_sensitivity(
    solution: Solution, uncertainty: Uncertainty, sizes: tuple[tuple[int, int], ...], *, n_per_side: int = 9
) -> VolumeSensitivity:
    """Differentiate triangulated points of the recorded volume by the cameras' parameters; as :func:`volume_error`."""
    bundle = solution.bundle
    grid = _recorded_grid(bundle, n_per_side)
    n = len(grid)
    by_param = np.zeros((n, 3, len(uncertainty.camera)))
    information = np.zeros((n, 3, 3))
    n_cameras = np.zeros(n, dtype=np.int64)
    for i in range(len(bundle.lens)):
        pose = bundle.cam_from_world[i]
        X = apply(pose, grid)
        with np.errstate(all="ignore"):
            seen = project_camera_frame(X, bundle.matrix(i), bundle.distortion(i), fisheye=bool(bundle.fisheye[i]))
        inside = (X[:, 2] > 0) & (seen.pixels > -0.5).all(-1) & (seen.pixels < np.array(sizes[i]) - 0.5).all(-1)
        weight = np.where(inside, 1 / solution.sigma[i] ** 2, 0.0)[:, None, None]
        by_world = np.where(inside[:, None, None], seen.by_point @ pose[:3, :3], 0.0)
        n_lens = seen.by_intrinsics.shape[-1]
        J = np.zeros((n, 2, LENS_SIZE + 6))
        J[..., :n_lens] = seen.by_intrinsics
        J[..., LENS_SIZE:] = motion_jacobian(seen.by_point, X - pose[:3, 3])
        J = np.where(inside[:, None, None], J, 0.0)
        mine = np.flatnonzero(uncertainty.camera == i)
        information += weight * np.swapaxes(by_world, -1, -2) @ by_world
        by_param[:, :, mine] -= weight * np.swapaxes(by_world, -1, -2) @ J[..., uncertainty.number[mine]]
        n_cameras += inside
    usable = n_cameras >= 2
    grid, by_param, information = grid[usable], by_param[usable], information[usable]
    noise = np.asarray(np.linalg.inv(information))
    return VolumeSensitivity(grid, noise @ by_param, noise, n_cameras[usable])


def _root(covariance: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _without_rigid(points: FloatArray, moved: FloatArray) -> FloatArray:
    """Remove from displacements (n, 3, k) what turning and shifting all points together explains."""
    center = points - points.mean(0)
    basis = np.concatenate([np.broadcast_to(np.eye(3), (len(points), 3, 3)), -skew(center)], axis=-1).reshape(-1, 6)
    flat = moved.reshape(len(basis), -1)
    return np.asarray((flat - basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]).reshape(moved.shape))


def _recorded_grid(bundle: Bundle, n_per_side: int) -> FloatArray:
    """Return a regular grid within the convex hull of the corners that were seen."""
    seen = np.isfinite(bundle.xy[..., 0])
    world = apply(bundle.world_from_board[bundle.frame][:, None], bundle.points)[seen]
    low, high = np.percentile(world, [1, 99], axis=0) if len(world) else (np.zeros(3), np.zeros(3))
    step = max(float((high - low).max()) / max(n_per_side - 1, 1), 1e-6)
    axes = [np.arange(a + (b - a) % step / 2, b + 1e-9, step) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    try:
        hull = scipy.spatial.Delaunay(world[scipy.spatial.ConvexHull(world).vertices])
    except (scipy.spatial.QhullError, ValueError):
        return grid  # all corners in one plane
    return np.asarray(grid[hull.find_simplex(grid) >= 0])
