"""How well the cameras of a rig are known: the covariance of the numbers that a calibration estimated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.names import counted, different_names
from pose3d.geometry.arrays import FloatArray, IntArray, frozen_array
from pose3d.geometry.rotations import skew

__all__ = ["LENS_PARAMETERS", "N_CAMERA_PARAMETERS", "POSE_PARAMETERS", "RigCovariance", "parameter_words"]

LENS_PARAMETERS = 12
"""Places of a camera's lens: fx fy cx cy, then up to eight coefficients in the order of ``Camera.distortion``."""

POSE_PARAMETERS = 6
"""Places of a camera's pose: its turn about its own x, y and z axis in rad, then its shift along them in mm."""

N_CAMERA_PARAMETERS = LENS_PARAMETERS + POSE_PARAMETERS

_PINHOLE_WORDS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_FISHEYE_WORDS = ("k1", "k2", "k3", "k4")
_POSE_WORDS = ("turn_x", "turn_y", "turn_z", "shift_x", "shift_y", "shift_z")
_TINY = 1e-13  # of the largest variance, each parameter in units of its own: below this stands rounding
_ROUNDING = 1e-6  # of the standard deviations: correlations beyond 1, and asymmetry, that rounding explains


def parameter_words(*, fisheye: bool = False) -> tuple[str, ...]:
    """Return what each of a camera's 18 places is called; empty where the lens has no such coefficient."""
    coefficients = _FISHEYE_WORDS if fisheye else _PINHOLE_WORDS
    padding = ("",) * (LENS_PARAMETERS - 4 - len(coefficients))
    return ("fx", "fy", "cx", "cy", *coefficients, *padding, *_POSE_WORDS)


@dataclass(frozen=True, eq=False, repr=False)
class RigCovariance:
    """Covariance of the parameters of a rig that a calibration estimated; all others count as exact.

    A camera has 18 places: 0 to 11 its lens (fx fy cx cy in px and the coefficients), 12 to 14 a turn and 15 to 17 a
    shift. A turn w (rad) and a shift s (mm) make of the pose ``X_camera = R X + t`` the pose ``exp(w) R X + t + s``.

    Attributes
    ----------
    covariance : (n, n) array
    camera : (n,) int array
        Whose parameter it is: an index into `cameras`.
    parameter : (n,) int array
        Its place, 0 to 17.
    cameras : tuple of str
        All cameras of the rig, also those of which nothing was estimated.
    reference : str
        The camera whose pose is exact by definition, as all errors are told relative to it; or empty where they are
        relative to the volume that the cameras share, as a whole.

    Notes
    -----
    World and scale are no part of it: no error turns, shifts or scales the recorded volume as a whole, so that it tells
    how space is distorted, as far as distances and angles between points are concerned. How well the floor is known,
    or whether the board was as large as was said, are other questions.
    """

    covariance: FloatArray
    camera: IntArray
    parameter: IntArray
    cameras: tuple[str, ...]
    reference: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", different_names("cameras", self.cameras))
        put(self, "camera", frozen_array(self.camera, shape=(None,), what="covariance: camera", dtype=np.int64))
        n = len(self.camera)
        put(self, "parameter", frozen_array(self.parameter, shape=(n,), what="covariance: parameter", dtype=np.int64))
        put(self, "covariance", frozen_array(self.covariance, shape=(n, n), what="covariance"))
        put(self, "reference", str(self.reference))
        if n and not (self.camera.min() >= 0 and self.camera.max() < len(self.cameras)):
            raise ValueError(f"covariance: a parameter is of no camera among {len(self.cameras)}")
        if n and not (self.parameter.min() >= 0 and self.parameter.max() < N_CAMERA_PARAMETERS):
            raise ValueError(f"covariance: a camera has {N_CAMERA_PARAMETERS} parameters")
        if len(np.unique(self.camera * N_CAMERA_PARAMETERS + self.parameter)) < n:
            raise ValueError("covariance: a parameter stands there twice")
        if not np.isfinite(self.covariance).all():
            raise ValueError("covariance: a value is not a finite number")
        variance = np.diag(self.covariance)
        bound = np.sqrt(np.maximum(variance, 0.0))
        bounds = bound[:, None] * bound
        if (variance < 0).any() or (np.abs(self.covariance) > (1 + _ROUNDING) * bounds).any():
            raise ValueError("covariance: values are no covariance")
        if (np.abs(self.covariance - self.covariance.T) > _ROUNDING * bounds).any():
            raise ValueError("covariance: values are not symmetric")

    def __repr__(self) -> str:
        return f"RigCovariance({counted(len(self.camera), 'parameter')} of {counted(len(self.cameras), 'camera')})"

    def __len__(self) -> int:
        return len(self.camera)

    @property
    def sd(self) -> FloatArray:
        """(n_cameras, 18) array: standard deviations; 0 where a parameter was held."""
        out = np.zeros((len(self.cameras), N_CAMERA_PARAMETERS))
        out[self.camera, self.parameter] = np.sqrt(np.diag(self.covariance))
        return out

    @cached_property
    def root(self) -> FloatArray:
        """(n, rank) array: ``root @ root.T`` is the covariance, without directions that are exact."""
        sd = np.sqrt(np.diag(self.covariance))
        unit = np.where(sd > 0, sd, 1.0)
        scaled = self.covariance / unit[:, None] / unit
        values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
        kept = values > _TINY * values.max(initial=0.0)
        root = np.asarray(unit[:, None] * vectors[:, kept] * np.sqrt(values[kept]))
        root.setflags(write=False)
        return root

    def select(self, names: Sequence[str]) -> "RigCovariance":
        """Return what is known of the named cameras, in that order; the others' parameters are marginalised.

        Raises
        ------
        KeyError
            If there is no such camera.
        """
        for name in names:
            if name not in self.cameras:
                raise KeyError(f"no camera {name!r}; there are {', '.join(self.cameras)}")
        new = np.array([names.index(name) if name in names else -1 for name in self.cameras], dtype=np.int64)
        rows = np.flatnonzero(new[self.camera] >= 0)
        rows = rows[np.argsort(new[self.camera[rows]], kind="stable")]
        return replace(
            self,
            covariance=self.covariance[np.ix_(rows, rows)],
            camera=new[self.camera[rows]],
            parameter=self.parameter[rows],
            cameras=tuple(names),
        )

    def transformed(self, cam_from_new: ArrayLike, new_from_old: ArrayLike, scale: float = 1.0) -> "RigCovariance":
        """Return the covariance of the same cameras in another world, which itself is exact.

        A point p of the old world is ``new_from_old (scale p)`` in the new one.

        Parameters
        ----------
        cam_from_new : (n_cameras, 4, 4) array, mm
            The cameras' poses in the new world.
        new_from_old : (4, 4) array, mm
        scale : float
        """
        poses = np.asarray(cam_from_new, dtype=np.float64)
        # a turn pivots about the pose's translation, which leads to the world's origin: another origin, another shift
        lever = skew(poses[:, :3, :3] @ np.asarray(new_from_old, dtype=np.float64)[:3, 3])
        is_shift = self.parameter >= LENS_PARAMETERS + 3
        change = np.diag(np.where(is_shift, scale, 1.0))
        shifts = np.flatnonzero(is_shift)
        turns = np.flatnonzero((self.parameter >= LENS_PARAMETERS) & ~is_shift)
        i, j = np.nonzero(self.camera[shifts][:, None] == self.camera[turns])
        rows, columns = shifts[i], turns[j]
        change[rows, columns] = lever[
            self.camera[rows], self.parameter[rows] - LENS_PARAMETERS - 3, self.parameter[columns] - LENS_PARAMETERS
        ]
        moved = change @ self.covariance @ change.T
        return replace(self, covariance=(moved + moved.T) / 2)
