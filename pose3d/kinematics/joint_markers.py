"""Joint centres among the markers of a motion-capture system, under the names of keypoints; middles of both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pose3d.data import Keypoints3D

__all__ = ["JOINT_MARKERS", "MIDPOINTS", "with_joint_centres", "with_midpoints"]

JOINT_MARKERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Hip": (("?FEP",), ("?HJC",), ("?HJC_study",)),
    "Knee": (("?FEO",), ("?KJC",), ("?KNE", "?KNM"), ("?KNE", "?MKN"), ("?_knee_study", "?_mknee_study")),
    "Ankle": (("?TIO",), ("?AJC",), ("?ANK", "?MED"), ("?ANK", "?ANM"), ("?_ankle_study", "?_mankle_study")),
    "Heel": (("?HEE",), ("?_calc_study",)),
    "BigToe": (("?TOE",), ("?_toe_study",)),
    "Shoulder": (("?HUP",), ("?SJC",), ("?_shoulder_study",)),
    "Elbow": (("?HUO",), ("?EJC",), ("?_lelbow_study", "?_melbow_study")),
    "Wrist": (("?RAO",), ("?WJC",), ("?_lwrist_study", "?_mwrist_study")),
}
"""Keypoint without its side to the names by which others have that joint, the best first; ``?`` is the side.

Joint centres of Plug-in Gait's segments, or of another model; of two markers, lateral and medial, the middle; OpenCap's
names (``r_knee_study``). A single marker on the skin beside a joint is no joint centre, and is not taken.
"""


def with_joint_centres(points: Keypoints3D) -> Keypoints3D:
    """Add the joint centres that are there under other names, as ``LHip``, ``LKnee``, ...

    Parameters
    ----------
    points : Keypoints3D

    Returns
    -------
    Keypoints3D
        The same one where there is nothing to add; keypoints that are there already stay as they are. A joint centre is
        filled where one of its markers is.
    """
    index = {name: i for i, name in enumerate(points.keypoints)}
    added: dict[str, list[int]] = {}
    for joint, choices in JOINT_MARKERS.items():
        for side in "LR":
            if side + joint in index:
                continue
            for choice in choices:
                names = [_of_side(name, side) for name in choice]
                if all(name in index for name in names):
                    added[side + joint] = [index[name] for name in names]
                    break
    return _with_middles(points, added)


MIDPOINTS: Mapping[str, str] = {"Neck": "Shoulder", "Hip": "Hip", "CHip": "Hip"}
"""Points between left and right that some programs ask for, and of which joint they are the middle."""


def with_midpoints(points: Keypoints3D, names: Sequence[str] = tuple(MIDPOINTS)) -> Keypoints3D:
    """Add the middles of the hips and the shoulders, where they are not there.

    Parameters
    ----------
    points : Keypoints3D
    names : sequence of str
        Of :data:`MIDPOINTS`.

    Returns
    -------
    Keypoints3D
        The same one where there is nothing to add. A middle is filled where one of both points is.
    """
    index = {name: i for i, name in enumerate(points.keypoints)}
    added = {}
    for name in names:
        both = [index[side + MIDPOINTS[name]] for side in "LR" if side + MIDPOINTS[name] in index]
        if name not in index and len(both) == 2:
            added[name] = both
    return _with_middles(points, added)


def _with_middles(points: Keypoints3D, added: Mapping[str, list[int]]) -> Keypoints3D:
    """Add the middles of keypoints, by name the indices of those."""
    if not added:
        return points
    more = (*points.xyz.shape[:2], len(added))
    middles = np.stack([points.xyz[:, :, own].mean(2) for own in added.values()], axis=2)
    worst = np.stack(
        [points.status[:, :, own].max(2) for own in added.values()], axis=2
    )  # filled is more than observed
    unknown, none = np.full(more, np.nan), np.zeros(more, dtype=np.int64)
    covariance = None
    if points.covariance is not None:
        covariance = np.concatenate([points.covariance, np.full((*more, 3, 3), np.nan)], axis=2)
    return replace(
        points,
        xyz=np.concatenate([points.xyz, middles], axis=2),
        error=np.concatenate([points.error, unknown], axis=2),
        n_cameras=np.concatenate([points.n_cameras, none], axis=2),
        score=np.concatenate([points.score, unknown], axis=2),
        status=np.concatenate([points.status, worst], axis=2),
        keypoints=(*points.keypoints, *added),
        covariance=covariance,
    )


def _of_side(name: str, side: str) -> str:
    return name.replace("?", side.lower() if name.startswith("?_") else side)
