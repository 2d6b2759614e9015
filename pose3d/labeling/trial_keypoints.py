"""The keypoints that a network found in a trial, on the time line on which frames are picked for labelling."""

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import ProjectError
from pose3d.io.keypoints import load_keypoints
from pose3d.labeling.trial_frames import TrialFrames

__all__ = ["read_trial_keypoints"]


def read_trial_keypoints(views: TrialFrames) -> Keypoints2D:
    """Read the 2D keypoints of a trial at the instants that all its cameras show.

    Each camera's frame is the nearest one, so that a row is what :func:`pose3d.labeling.extraction.extract_instants`
    would write images of.

    Parameters
    ----------
    views : TrialFrames

    Returns
    -------
    Keypoints2D
        Of ``views.instants``, the first of which is its `start`; cameras in the order of `views`, those without a file
        left out.

    Raises
    ------
    ProjectError
        If there are none.
    FormatError
        If a file is damaged.
    """
    trial = views.trial
    paths = {name: trial.pose_2d[name] for name in views.cameras if name in trial.pose_2d}
    if not paths:
        raise ProjectError(
            f"{trial.session.folder}: trial {trial.name} has no 2D keypoints in pose-2d; run pose3d analyze first"
        )
    skeleton = trial.session.config.to_skeleton()
    found = {name: load_keypoints({name: path}, skeleton=skeleton) for name, path in paths.items()}
    keypoints = tuple(dict.fromkeys(name for each in found.values() for name in each.keypoints))
    individuals = tuple(dict.fromkeys(name for each in found.values() for name in each.individuals))
    shape = (len(views.instants), len(found), len(individuals), len(keypoints))
    xy, score = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
    for column, (camera, each) in enumerate(found.items()):
        index = views.frames[:, views.cameras.index(camera)] - each.start
        there = np.flatnonzero((index >= 0) & (index < each.n_frames))
        rows = np.array([individuals.index(name) for name in each.individuals])
        columns = np.array([keypoints.index(name) for name in each.keypoints])
        at = np.ix_(there, np.array([column]), rows, columns)
        xy[at], score[at] = each.xy[index[there]], each.score[index[there]]
    return Keypoints2D(xy, score, tuple(found), individuals, keypoints, fps=views.fps, start=int(views.instants[0]))
