"""Quality of a recording's views, taken in as a whole or chunk by chunk; memory does not grow with the frames."""

import numpy as np

from pose3d.data import Keypoints2D, Keypoints3D, Rig
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.quality.diagnosis import diagnose
from pose3d.reconstruction.quality.errors import view_residuals
from pose3d.reconstruction.quality.histograms import bin_of, halved_blocks, quantiles
from pose3d.reconstruction.quality.sample import SampleBuffer
from pose3d.reconstruction.quality.summary import ViewQuality

__all__ = ["QualityAccumulator", "measure_quality"]

_BLOCKS = 128
_ABSURD = 10.0  # image sizes: farther out a detection is no place but a broken number
_FIRST_BLOCK = 8  # frames; doubles when there are more blocks than that
_FINE, _COARSE = 160, 40  # bins over the whole recording, and a block


def measure_quality(
    keypoints: Keypoints2D,
    rig: Rig,
    points: Keypoints3D,
    *,
    used: BoolArray | None = None,
    score_threshold: float = 0.05,
) -> ViewQuality:
    """Measure how well views and points agree, and find out what is wrong.

    Parameters
    ----------
    keypoints : Keypoints2D
        All detections, also those that triangulation left out.
    rig : Rig
        Cameras are matched by name.
    points : Keypoints3D
        Made from them by whatever method; the errors are theirs, the findings hardly depend on them.
    used : (n_frames, n_cameras, n_individuals, n_keypoints) bool array, optional
        Views that made the points, for the share left out.
    score_threshold : float
        Detections with a lower score are not looked at; those without a score are.

    Returns
    -------
    ViewQuality

    Raises
    ------
    DataError
        If a camera has no calibration, or detections and points are not of the same recording.
    """
    accumulator = QualityAccumulator(rig, score_threshold=score_threshold)
    accumulator.add(keypoints, points, used=used)
    return accumulator.finish()


class QualityAccumulator:
    """Takes in a recording chunk by chunk; how it is cut changes nothing.

    Parameters
    ----------
    rig : Rig
    score_threshold : float
        Detections with a lower score are not looked at.

    Examples
    --------
    >>> from pose3d.demo.trials import make_trial
    >>> from pose3d.reconstruction import triangulate_views
    >>> trial = make_trial(40)
    >>> made = triangulate_views(trial.keypoints, trial.rig)
    >>> accumulator = QualityAccumulator(trial.rig)
    >>> accumulator.add(trial.keypoints, made.points, used=made.used)
    >>> accumulator.finish().findings
    ()
    """

    def __init__(self, rig: Rig, *, score_threshold: float = 0.05) -> None:
        self._rig = rig
        self._threshold = score_threshold
        self._names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] | None = None
        self._start = 0
        self._n_frames = 0
        self._block = _FIRST_BLOCK
        self._judged = False

    def add(self, keypoints: Keypoints2D, points: Keypoints3D, *, used: BoolArray | None = None) -> None:
        """Take the next frames.

        Parameters
        ----------
        keypoints : Keypoints2D
        points : Keypoints3D
            Of the same frames.
        used : (n_frames, n_cameras, n_individuals, n_keypoints) bool array, optional

        Raises
        ------
        DataError
            If a camera has no calibration, or detections and points are not of the same recording.
        ValueError
            If cameras, individuals or keypoints are others than in the chunks before.
        """
        names = (keypoints.cameras, keypoints.individuals, keypoints.keypoints)
        residual = view_residuals(keypoints, self._rig, points)
        if self._names is None:
            self._begin(names, keypoints.start)
        elif names != self._names:
            raise ValueError("a chunk's cameras, individuals or keypoints differ from those before")
        with np.errstate(invalid="ignore"):
            counts = np.isfinite(keypoints.xy[..., 0]) & ~(keypoints.score < self._threshold)
        self._make_room(self._n_frames + keypoints.n_frames)
        self._count(counts, residual, used)
        reach = _ABSURD * np.array([max(self._rig[name].size) for name in keypoints.cameras])
        with np.errstate(invalid="ignore"):
            near = (np.abs(keypoints.xy) < reach[:, None, None, None]).all(-1)
        self._sample.add(np.where((counts & near)[..., None], keypoints.xy, np.nan), points.xyz)
        self._n_frames += keypoints.n_frames

    def finish(self) -> ViewQuality:
        """Return the figures and the findings.

        Raises
        ------
        ValueError
            If nothing was added.
        """
        if self._names is None:
            raise ValueError("no frames were added")
        cameras, _, keypoints = self._names
        n_blocks = -(-self._n_frames // self._block)
        views = self._views[:n_blocks]
        found = diagnose(
            tuple(self._rig[name] for name in cameras),
            keypoints,
            self._sample.finish(),
            views=views.sum(-1),
            block_frames=self._block,
            n_frames=self._n_frames,
            start=self._start,
        )
        return ViewQuality(
            cameras=cameras,
            keypoints=keypoints,
            n_frames=self._n_frames,
            start=self._start,
            block_frames=self._block,
            n_views=views.copy(),
            n_left_out=self._left_out[:n_blocks].copy() if self._judged else None,
            median_px=quantiles(self._fine, 0.5),
            p95_px=quantiles(self._fine, 0.95),
            camera_median_px=quantiles(self._fine.sum(1), 0.5),
            camera_p95_px=quantiles(self._fine.sum(1), 0.95),
            block_median_px=quantiles(self._coarse[:n_blocks], 0.5),
            predicted_px=found.predicted_px,
            noise_px=found.noise_px,
            findings=found.findings,
        )

    def _begin(self, names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], start: int) -> None:
        self._names, self._start = names, start
        cameras, individuals, keypoints = (len(n) for n in names)
        self._fine: IntArray = np.zeros((cameras, keypoints, _FINE), dtype=np.int64)
        self._coarse: IntArray = np.zeros((_BLOCKS, cameras, keypoints, _COARSE), dtype=np.int64)
        self._views: IntArray = np.zeros((_BLOCKS, cameras, keypoints), dtype=np.int64)
        self._left_out: IntArray = np.zeros((_BLOCKS, cameras, keypoints), dtype=np.int64)
        self._sample = SampleBuffer(individuals * keypoints)

    def _make_room(self, n_frames: int) -> None:
        while n_frames > _BLOCKS * self._block:
            self._block *= 2
            self._coarse, self._views, self._left_out = (
                halved_blocks(a) for a in (self._coarse, self._views, self._left_out)
            )

    def _count(self, counts: BoolArray, residual: FloatArray, used: BoolArray | None) -> None:
        block = (self._n_frames + np.arange(len(counts))) // self._block
        frame, camera, _, keypoint = np.nonzero(counts)
        np.add.at(self._views, (block[frame], camera, keypoint), 1)
        with np.errstate(over="ignore"):
            error = np.hypot(residual[..., 0], residual[..., 1])
        made = counts & np.isfinite(error)
        frame, camera, individual, keypoint = np.nonzero(made)
        size = error[frame, camera, individual, keypoint]
        np.add.at(self._fine, (camera, keypoint, bin_of(size, _FINE)), 1)
        np.add.at(self._coarse, (block[frame], camera, keypoint, bin_of(size, _COARSE)), 1)
        if used is not None:
            self._judged = True
            frame, camera, _, keypoint = np.nonzero(made & ~np.asarray(used))
            np.add.at(self._left_out, (block[frame], camera, keypoint), 1)
