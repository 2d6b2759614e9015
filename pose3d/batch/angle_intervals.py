"""Intervals of angles from the samples that lie beside the points, where there are any."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pose3d.data import JointAngles, Keypoints3D
from pose3d.errors import Pose3DError

__all__ = ["intervals_beside"]


def intervals_beside(
    path: Path,
    angles: JointAngles,
    points: Keypoints3D,
    compute: Callable[[Keypoints3D], JointAngles],
    definitions: Mapping[str, Sequence[str]] | None = None,
) -> tuple[JointAngles, str]:
    """Give angles the intervals that the samples of their points allow.

    Parameters
    ----------
    path : Path
        File of the points; samples lie beside it as ``<stem>.samples.npz``.
    angles : JointAngles
    points : Keypoints3D
    compute : callable
        What made the angles out of the points.
    definitions : mapping of str to sequence of str, optional
        Of the angles; None for those of the human body.

    Returns
    -------
    angles : JointAngles
    remark : str
        What the intervals come from, or why there are none; empty where there are no samples.
    """
    from pose3d.io.samples import open_samples, samples_path
    from pose3d.kinematics.sampled_angles import unsigned_angles, with_intervals

    file = samples_path(path)
    if path.suffix.lower() != ".csv" or not file.is_file():
        return angles, ""
    try:
        samples = open_samples(file, csvs=[path])
        unsigned = unsigned_angles(definitions, points.keypoints)
        made = with_intervals(angles, points, samples, compute, unsigned=unsigned)
    except Pose3DError as error:
        return angles, f"no intervals: {error}"
    return made, f"95 % intervals from {samples.n_samples} samples ({file.name})"
