"""Where to start: the cameras linked by the views that they share, the boards placed before them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.projection import undistort

from ..detection.boards import symmetries
from .bundle import Bundle
from .extrinsics import Link, candidate_poses, link_cameras, place_boards
from .intrinsics import Lens, lens_bundle
from .poses import board_poses

__all__ = ["place_cameras"]

_WIDEST = np.tan(np.deg2rad(85.0))
_PLENTY = 16  # corners of a view


def place_cameras(
    detections: BoardDetections, lenses: Mapping[str, Lens], lost: dict[str, str], *, rig: Rig | None = None
) -> tuple[Bundle, BoardDetections, dict[tuple[str, str], Link]]:
    """Link the cameras and place the boards.

    Parameters
    ----------
    detections : BoardDetections
    lenses : mapping of str to Lens
        Cameras that are absent are left out.
    lost : dict of str to str
        Takes the cameras that cannot be linked, and why.
    rig : Rig, optional
        Where the cameras are, if that is known.

    Returns
    -------
    start : Bundle
    used : BoardDetections
        The cameras and instants of `start`, each view's corners numbered as the board's.
    links : dict of (str, str) to Link
        Pairs of cameras with shared views.

    Raises
    ------
    CalibrationError
        If no two cameras can be linked.
    """
    n_given, detections = len(detections.cameras), detections.select(list(lenses))
    points, names = detections.board.points, detections.cameras
    order, turns = symmetries(detections.board)
    found = [_rough_poses(detections.xy[:, i], points, lens) for i, lens in enumerate(lenses.values())]
    detections = _before_cameras(detections, lenses)
    candidates = np.stack([candidate_poses(poses, error, turns) for poses, error in found], axis=1)
    graph = link_cameras(candidates)
    if rig is not None:  # the cameras stand where they stand
        graph = graph._replace(cam_from_root=rig.select(names).cam_from_world, linked=list(range(len(names))))
    for i, name in enumerate(names):
        if i not in graph.linked:
            lost[name] = "it never saw the board at the same instant as another camera of the group"
    if len(graph.linked) == 1 and n_given > 1:
        views = ", ".join(f"{n} {c}" for n, c in zip(names, detections.n_views, strict=True))
        raise CalibrationError(
            "no two cameras saw the board at the same instant: record a clip in which the board moves through the "
            f"space that the cameras share (views of the board: {views})"
        )
    kept = sorted(graph.linked)
    world_from_board, choice = place_boards(candidates, graph.cam_from_root, graph.linked)
    xy = np.where(
        (choice >= 0)[..., None, None],
        np.take_along_axis(detections.xy, order[np.maximum(choice, 0) // 2][..., None], axis=2),
        np.nan,
    )
    placed = np.isfinite(world_from_board[:, 0, 0])
    used = replace(detections, frames=detections.frames[placed], xy=xy[placed]).select([names[i] for i in kept])
    start = lens_bundle(
        [lenses[name] for name in used.cameras],
        used.sizes,
        points,
        used.xy,
        graph.cam_from_root[kept],
        world_from_board[placed],
    )
    links = {(names[a], names[b]): link for (a, b), link in graph.links.items() if a in kept and b in kept}
    return start, used, links


def _before_cameras(detections: BoardDetections, lenses: Mapping[str, Lens]) -> BoardDetections:
    """Leave out corners beside or behind a fisheye, which no model of points before the camera explains."""
    if not any(lens.fisheye for lens in lenses.values()):
        return detections
    xy = detections.xy.copy()
    for i, lens in enumerate(lenses.values()):
        if lens.fisheye:
            rays, _ = undistort(xy[:, i], lens.matrix, lens.distortion, fisheye=True)
            xy[:, i][~(np.linalg.norm(rays, axis=-1) < _WIDEST)] = np.nan
    return replace(detections, xy=xy)


def _rough_poses(xy: FloatArray, points: FloatArray, lens: Lens) -> tuple[FloatArray, FloatArray]:
    """Solve for the board's pose in each view; where there are plenty of corners every other one is enough."""
    half = xy[:, ::2]
    plenty = np.isfinite(half[..., 0]).sum(1) >= _PLENTY
    poses, error = np.full((len(xy), 2, 4, 4), np.nan), np.full((len(xy), 2), np.inf)
    for views, some, where in ((plenty, half, points[::2]), (~plenty, xy, points)):
        poses[views], error[views] = board_poses(some[views], where, lens.matrix, lens.distortion, fisheye=lens.fisheye)
    return poses, error
