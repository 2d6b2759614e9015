"""A camera and a rig of several."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.names import counted, different_names
from pose3d.data.rig_covariance import LENS_PARAMETERS, RigCovariance
from pose3d.geometry.arrays import FloatArray, frozen_array
from pose3d.geometry.projection import project, undistort
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import inverse, rigid, rotvec_translation

__all__ = ["Camera", "Rig"]


@dataclass(frozen=True, eq=False, repr=False)
class Camera:
    """One calibrated camera.

    Attributes
    ----------
    name : str
    size : (int, int)
        Width and height of the full image, px.
    matrix : (3, 3) array, px
    distortion : (n,) array
        0, 4, 5 or 8 Brown-Conrady coefficients in OpenCV's order, or 4 of the fisheye model.
    rotation : (3,) array, rad
        OpenCV rotation vector of ``cam_from_world``.
    translation : (3,) array, mm
    fisheye : bool
    extra : mapping
        Keys of the file that pose3d does not use; written back unchanged.
    """

    name: str
    size: tuple[int, int]
    matrix: FloatArray
    distortion: FloatArray
    rotation: FloatArray
    translation: FloatArray
    fisheye: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "size", (int(self.size[0]), int(self.size[1])))
        put(self, "matrix", frozen_array(self.matrix, shape=(3, 3), what=f"camera {self.name}: matrix"))
        put(
            self,
            "distortion",
            frozen_array(self.distortion, shape=(None,), what=f"camera {self.name}: distortion"),
        )
        put(self, "rotation", frozen_array(self.rotation, shape=(3,), what=f"camera {self.name}: rotation"))
        put(
            self,
            "translation",
            frozen_array(self.translation, shape=(3,), what=f"camera {self.name}: translation"),
        )
        put(self, "fisheye", bool(self.fisheye))
        put(self, "extra", dict(self.extra))
        lengths = (4,) if self.fisheye else (0, 4, 5, 8)
        if len(self.distortion) not in lengths:
            raise ValueError(f"camera {self.name}: {len(self.distortion)} distortion coefficients, expected {lengths}")
        numbers = np.concatenate([self.matrix.ravel(), self.distortion, self.rotation, self.translation])
        if not np.isfinite(numbers).all():
            raise ValueError(f"camera {self.name}: a parameter is not a finite number")
        if not (self.matrix[0, 0] > 0 and self.matrix[1, 1] > 0):
            raise ValueError(f"camera {self.name}: focal lengths must be positive")
        if self.matrix[1, 0] != 0 or self.matrix[2].tolist() != [0, 0, 1]:
            raise ValueError(f"camera {self.name}: matrix must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]")
        if min(self.size) <= 0:
            raise ValueError(f"camera {self.name}: image size {self.size} must be positive")

    def __repr__(self) -> str:
        kind = "fisheye" if self.fisheye else "pinhole"
        return f"Camera({self.name}, {self.size[0]}x{self.size[1]}, {kind}, f {self.focal:.1f} px)"

    @property
    def focal(self) -> float:
        """Mean focal length, px."""
        return float(np.sqrt(self.matrix[0, 0] * self.matrix[1, 1]))

    @property
    def cam_from_world(self) -> FloatArray:
        """(4, 4) array, mm."""
        return rigid(self.rotation, self.translation)

    @property
    def center(self) -> FloatArray:
        """(3,) array, mm: the camera's position in the world."""
        return -exp_so3(self.rotation).T @ self.translation

    def project(self, points: ArrayLike) -> FloatArray:
        """Project world points (..., 3) in mm to pixels (..., 2); NaN for points behind the camera."""
        points = np.asarray(points, dtype=np.float64)
        pixels = project(points, self.matrix, self.distortion, self.cam_from_world, fisheye=self.fisheye)
        depth = points @ exp_so3(self.rotation)[2] + self.translation[2]
        return np.where((depth > 0)[..., None], pixels, np.nan)

    def undistort(self, pixels: ArrayLike) -> FloatArray:
        """Turn pixels (..., 2) into normalised rays (..., 2); NaN where the lens model has no answer."""
        xy, converged = undistort(pixels, self.matrix, self.distortion, fisheye=self.fisheye)
        return np.where(converged[..., None], xy, np.nan)


@dataclass(frozen=True, eq=False, repr=False)
class Rig:
    """Several cameras in one world; cameras are looked up by name.

    Attributes
    ----------
    cameras : tuple of Camera
    metadata : mapping
        What a calibration file says beside the cameras.
    covariance : RigCovariance or None
        How well the cameras are known, where the calibration tells. It belongs to these very cameras: a rig that is
        made of changed ones has none, unless one is given.
    """

    cameras: tuple[Camera, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    covariance: RigCovariance | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        object.__setattr__(self, "metadata", dict(self.metadata))
        if not self.cameras:
            raise ValueError("a rig needs at least one camera")
        different_names("cameras", self.names)
        if self.covariance is not None:
            self._check_covariance(self.covariance)

    def _check_covariance(self, covariance: RigCovariance) -> None:
        if covariance.cameras != self.names:
            raise ValueError(f"covariance of {', '.join(covariance.cameras)} for a rig of {', '.join(self.names)}")
        n_lens = np.array([4 + len(camera.distortion) for camera in self.cameras])
        is_lens = covariance.parameter < LENS_PARAMETERS
        if (covariance.parameter >= n_lens[covariance.camera])[is_lens].any():
            raise ValueError("covariance: a coefficient is not one of its camera's lens")

    def __repr__(self) -> str:
        return f"Rig({counted(len(self), 'camera')}: {', '.join(self.names)})"

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Camera:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise KeyError(f"no camera {name!r}; the rig has {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the rig's order."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def cam_from_world(self) -> FloatArray:
        """(n_cameras, 4, 4) array, mm."""
        return np.stack([camera.cam_from_world for camera in self.cameras])

    @property
    def centers(self) -> FloatArray:
        """(n_cameras, 3) array, mm."""
        return np.stack([camera.center for camera in self.cameras])

    @property
    def focals(self) -> FloatArray:
        """(n_cameras,) array, px."""
        return np.array([camera.focal for camera in self.cameras])

    def select(self, names: Sequence[str]) -> "Rig":
        """Return the named cameras, in that order."""
        cameras = tuple(self[name] for name in names)
        return Rig(cameras, self.metadata, None if self.covariance is None else self.covariance.select(names))

    def project(self, points: ArrayLike) -> FloatArray:
        """Project world points (..., 3) in mm to pixels (..., n_cameras, 2); NaN behind a camera."""
        return np.stack([camera.project(points) for camera in self.cameras], axis=-2)

    def undistort(self, pixels: ArrayLike) -> FloatArray:
        """Turn pixels (..., n_cameras, 2) into normalised rays (..., n_cameras, 2), NaN where there is none."""
        pixels = np.asarray(pixels, dtype=np.float64)
        return np.stack([camera.undistort(pixels[..., i, :]) for i, camera in enumerate(self.cameras)], axis=-2)

    def transformed(self, new_from_old: ArrayLike, scale: float = 1.0) -> "Rig":
        """Return the rig in another world frame; the frame itself counts as exact.

        Parameters
        ----------
        new_from_old : (4, 4) array, mm
            Rigid transform of world points, applied after `scale`.
        scale : float
        """
        old_from_new = inverse(new_from_old)
        moved = []
        for camera in self.cameras:
            pose = rigid(camera.rotation, camera.translation * scale) @ old_from_new
            rotation, translation = rotvec_translation(pose)
            moved.append(replace(camera, rotation=rotation, translation=translation))
        rig = Rig(tuple(moved), self.metadata)
        if self.covariance is None:
            return rig
        return replace(rig, covariance=self.covariance.transformed(rig.cam_from_world, new_from_old, scale))
