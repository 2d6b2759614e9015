"""Labels and predictions of the same instants in several images, triangulated and compared in space."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.log import logger
from pose3d.network.splits import group_instants

__all__ = ["LabelledSpace"]


@dataclass(frozen=True, eq=False)
class LabelledSpace:
    """Labels of instants in space.

    Attributes
    ----------
    rigs : tuple of Rig
    images : tuple of (n_instants, n_cameras) int arrays
        Of each rig: which image is of which instant and camera; -1 where there is none.
    individual : int
        The one that is labelled.
    xyz : tuple of (n_instants, n_keypoints, 3) arrays, mm
    """

    rigs: tuple[Rig, ...]
    images: tuple[IntArray, ...]
    individual: int
    xyz: tuple[FloatArray, ...]

    @classmethod
    def of(
        cls, images: LabelledImages, rigs: Rig | Mapping[str, Rig], times: IntArray | None = None
    ) -> "LabelledSpace | None":
        """Triangulate labels; None where several individuals are labelled, and it cannot be told whose predictions are.

        Parameters
        ----------
        images : LabelledImages
        rigs : Rig or mapping of str to Rig
            The cameras, of each recording if they differ; recordings without any are left out.
        times : (n_images,) int array, optional
            See :func:`pose3d.network.splits.split_images`.

        Raises
        ------
        DataError
            If no recording has two cameras that its rig knows.
        """
        labels = images.labels
        individuals = np.flatnonzero(np.isfinite(labels.xy).any((0, 2, 3)))
        if len(individuals) > 1:
            logger.warning("several individuals are labelled: errors in space are not computed")
            return None
        individual = int(individuals[0]) if len(individuals) else 0
        moment = group_instants(images, times)
        rows_of: dict[int, tuple[Rig, list[int]]] = {}
        for i, (recording, camera) in enumerate(zip(images.recordings, images.cameras, strict=True)):
            rig = rigs if isinstance(rigs, Rig) else rigs.get(recording)
            if rig is not None and camera in rig:
                rows_of.setdefault(id(rig), (rig, []))[1].append(i)
        used, tables, points = [], [], []
        for rig, rows in rows_of.values():
            if len({images.cameras[i] for i in rows}) < 2:
                continue
            instants, instant = np.unique(moment[rows], return_inverse=True)
            at = np.full((len(instants), len(rig)), -1)
            at[instant.reshape(-1), [rig.names.index(images.cameras[i]) for i in rows]] = rows
            used.append(rig)
            tables.append(at)
            points.append(
                _triangulate(labels.xy[:, individual], np.ones(labels.xy[:, individual, :, 0].shape), at, rig)
            )
        if not used:
            known = sorted({name for rig in ([rigs] if isinstance(rigs, Rig) else rigs.values()) for name in rig.names})
            raise DataError(
                f"calibration: has cameras {', '.join(known)}, labels are of {', '.join(sorted(set(images.cameras)))}; "
                "give the calibration of the labelled videos, of two cameras at least"
            )
        return cls(tuple(used), tuple(tables), individual, tuple(points))

    def errors(self, xy: FloatArray, weight: FloatArray, rows: IntArray) -> FloatArray:
        """Return how far predictions are from labels in space.

        Parameters
        ----------
        xy : (n_images, n_keypoints, 2) array, px
            Of all images.
        weight : (n_images, n_keypoints) array
            The score; 0 leaves a prediction out.
        rows : (n,) array
            The images that take part.

        Returns
        -------
        (n_instants, n_keypoints) array, mm
            Of the instants with such images. Infinite where labels have a point in space and predictions do not, NaN
            where labels have none.
        """
        errors = []
        for rig, images, truth in zip(self.rigs, self.images, self.xyz, strict=True):
            at = np.where(np.isin(images, rows), images, -1)
            some = (at >= 0).any(1)
            distance = np.linalg.norm(_triangulate(xy, weight, at[some], rig) - truth[some], axis=-1)
            there = np.isfinite(truth[some]).all(-1)
            errors.append(np.where(there, np.where(np.isfinite(distance), distance, np.inf), np.nan))
        return np.concatenate(errors)


def _triangulate(xy: FloatArray, weight: FloatArray, at: IntArray, rig: Rig) -> FloatArray:
    """Triangulate (n_images, n_keypoints, 2) places of instants, whose images are `at`."""
    views = np.where((at >= 0)[..., None, None], xy[at], np.nan).swapaxes(1, 2)
    weights = np.where((at >= 0)[..., None], weight[at], 0.0).swapaxes(1, 2)
    return triangulate_svd(rig.undistort(views), rig.cam_from_world, weights=weights)
