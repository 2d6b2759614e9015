"""From detections in memory to refined points, at once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data import Keypoints2D, Keypoints3D, PosteriorSamples, Rig
from pose3d.data.edits import Edits
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.association.swap_names import guess_pairs
from pose3d.reconstruction.corrections import EditedSource
from pose3d.reconstruction.recording import Reconstructor
from pose3d.reconstruction.refinement.settings import RefinementSettings
from pose3d.reconstruction.results import Reconstruction, Run, ViewSettings
from pose3d.reconstruction.source import FrameSource, InMemory

__all__ = ["reconstruct"]


def reconstruct(
    keypoints: Keypoints2D,
    rig: Rig,
    settings: RefinementSettings | None = None,
    *,
    views: ViewSettings | None = None,
    edits: Edits | None = None,
    progress: Progress = no_progress,
) -> Reconstruction:
    """Triangulate detections and refine the points over time.

    A bundle adjustment of all frames: reprojection with a robust loss, smoothness in time, limb lengths. Weights are
    found from the recording itself unless `settings` give them.

    Parameters
    ----------
    keypoints : Keypoints2D
    rig : Rig
        Cameras are matched by name.
    settings : RefinementSettings, optional
    views : ViewSettings, optional
    edits : Edits, optional
        What a person corrected.
    progress : Progress

    Returns
    -------
    Reconstruction

    Raises
    ------
    DataError, ConfigError
        As :func:`~pose3d.reconstruction.triangulate`; and if a limb names an unknown keypoint.

    Examples
    --------
    >>> from pose3d.demo.trials import make_trial
    >>> trial = make_trial(60)
    >>> made = reconstruct(trial.keypoints, trial.rig)
    >>> error = np.linalg.norm(made.points.xyz[:, 0] - trial.xyz, axis=-1)
    >>> bool(np.median(error) < 1.5)
    True
    """
    source: FrameSource = InMemory(keypoints)
    if edits:
        searched = () if views is None else views.pairs
        source = EditedSource(source, edits, pairs=guess_pairs(keypoints.keypoints), searched=searched)
    worker = Reconstructor(source, rig, settings, views=views)
    learnt = worker.learn(progress)
    runs = []
    for first, last in worker.runs(learnt):
        runs.append(worker.run(first, last, learnt))
        progress("refine", last, keypoints.n_frames)
    return Reconstruction(
        _joined([run.points for run in runs], keypoints),
        keypoints.cameras,
        np.concatenate([run.used for run in runs]),
        np.concatenate([run.residual_px for run in runs]),
        np.concatenate([run.swapped for run in runs]),
        learnt,
        _joined_samples(runs),
    )


def _joined_samples(runs: Sequence[Run]) -> PosteriorSamples | None:
    drawn = [run.samples for run in runs if run.samples is not None]
    if not drawn:
        return None
    points = runs[0].points
    return PosteriorSamples(
        np.concatenate(drawn), points.individuals, points.keypoints, fps=points.fps, start=points.start
    )


def _joined(parts: Sequence[Keypoints3D], keypoints: Keypoints2D) -> Keypoints3D:
    def whole(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        xyz=whole("xyz"),
        error=whole("error"),
        n_cameras=whole("n_cameras"),
        score=whole("score"),
        status=whole("status"),
        covariance=whole("covariance"),
        start=keypoints.start,
    )
