"""Where the cameras stand: relative poses of pairs by consensus over instants, then the graph of pairs."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.rotations import mean_rotation
from pose3d.geometry.transforms import inverse, rigid

from ..sampling import spread_evenly

__all__ = ["Graph", "Link", "candidate_poses", "link_cameras", "place_boards", "relative_pose"]

_HYPOTHESIS_FRAMES = 32
_JUDGE_FRAMES = 96  # instants that judge the hypotheses
_ANGLE = np.deg2rad(6.0)  # two estimates of one pose agree within this and within
_SHIFT = 0.08  # this part of the board's distance
_TWIN = 4.0  # a planar twin that fits worse by this factor is no candidate


class Link(NamedTuple):
    """Two cameras that saw the board at the same instants.

    Attributes
    ----------
    b_from_a : (4, 4) array, mm
    shared : int
        Instants at which both saw it.
    agreeing : int
        Instants that agree with `b_from_a`.
    """

    b_from_a: FloatArray
    shared: int
    agreeing: int


class Graph(NamedTuple):
    """Cameras placed relative to a root.

    Attributes
    ----------
    cam_from_root : (n_cameras, 4, 4) array, mm
        NaN for cameras that no chain of shared views links to the root.
    linked : list of int
        The root first, each after the one that it hangs on.
    tree : list of (int, int)
        The pairs that were used.
    links : dict of (int, int) to Link
        All pairs with shared views, a < b.
    """

    cam_from_root: FloatArray
    linked: list[int]
    tree: list[tuple[int, int]]
    links: dict[tuple[int, int], Link]


def relative_pose(poses_a: FloatArray, poses_b: FloatArray) -> Link | None:
    """Find the pose of camera b relative to a that most shared instants agree on.

    Every instant offers several candidates (planar twins; turns that a checkerboard cannot tell); the wrong ones
    scatter, the right ones meet.

    Parameters
    ----------
    poses_a : (n_frames, n_a, 4, 4) array, mm
        Candidates for ``a_from_board``; NaN where there is none.
    poses_b : (n_frames, n_b, 4, 4) array, mm

    Returns
    -------
    Link or None
        None without a shared instant.
    """
    shared = np.flatnonzero(np.isfinite(poses_a[:, 0, 0, 0]) & np.isfinite(poses_b[:, 0, 0, 0]))
    if len(shared) == 0:
        return None
    a, b = poses_a[shared], poses_b[shared]
    n_a, n_b = a.shape[1], b.shape[1]
    candidates = (b[:, None, :] @ inverse(a)[:, :, None]).reshape(len(shared), n_a * n_b, 4, 4)
    reach = float(np.nanmedian(np.linalg.norm(np.concatenate([a[:, 0, :3, 3], b[:, 0, :3, 3]]), axis=-1))) * _SHIFT
    every = spread_evenly(len(shared), _HYPOTHESIS_FRAMES)
    hypotheses = candidates[every].reshape(-1, 4, 4)
    hypotheses = hypotheses[np.isfinite(hypotheses[:, 0, 0])]
    judges = spread_evenly(len(shared), _JUDGE_FRAMES)
    misfit = _misfit(hypotheses, candidates[judges], reach)
    best = hypotheses[np.minimum(misfit, 1.0).sum(1).argmin()]
    for _ in range(3):
        distance = _distance(best[None], candidates.reshape(-1, 4, 4), reach)[0].reshape(len(shared), -1)
        choice = np.nanargmin(np.where(np.isnan(distance), np.inf, distance), axis=1)
        closest = np.take_along_axis(distance, choice[:, None], axis=1)[:, 0]
        agree = closest < 1
        chosen = candidates[np.arange(len(shared)), choice][agree]
        best = rigid(mean_rotation(chosen[:, :3, :3], iterations=0), np.median(chosen[:, :3, 3], axis=0))
    return Link(best, len(shared), int(agree.sum()))


def _distance(a: FloatArray, b: FloatArray, reach: float) -> FloatArray:
    """Return squared distances (..., n_a, n_b) of poses (..., n, 4, 4), 1 where they cease to agree; NaN for NaN."""
    trace = _flat(a[..., :3, :3]) @ np.swapaxes(_flat(b[..., :3, :3]), -1, -2)
    angle = (2 - np.clip(trace - 1, -2, 2)) / _ANGLE**2  # = angle^2 for small angles, and grows with it always
    at, bt = a[..., :3, 3] / reach, b[..., :3, 3] / reach
    shift = (at * at).sum(-1)[..., :, None] + (bt * bt).sum(-1)[..., None, :] - 2 * at @ np.swapaxes(bt, -1, -2)
    return np.asarray(angle + shift)


def _flat(rotations: FloatArray) -> FloatArray:
    return np.reshape(rotations, (*rotations.shape[:-2], 9))


def _misfit(hypotheses: FloatArray, candidates: FloatArray, reach: float) -> FloatArray:
    """Return the distance of each instant's best candidate to each hypothesis, (n_hypotheses, n_frames)."""
    n_frames, n_each = candidates.shape[:2]
    distance = _distance(hypotheses, candidates.reshape(-1, 4, 4), reach).reshape(-1, n_frames, n_each)
    return np.asarray(np.where(np.isnan(distance), np.inf, distance).min(-1))


def candidate_poses(poses: FloatArray, error: FloatArray, turns: FloatArray) -> FloatArray:
    """List what each view's pose may be: planar twins that fit about as well, times the turns of the board.

    Parameters
    ----------
    poses : (n_frames, 2, 4, 4) array, mm
        From :func:`pose3d.calibration.solver.poses.board_poses`.
    error : (n_frames, 2) array
    turns : (n_turns, 4, 4) array, mm
        From :func:`pose3d.calibration.detection.boards.symmetries`.

    Returns
    -------
    (n_frames, 2 * n_turns, 4, 4) array, mm
        Turn slowest; NaN where there is no candidate.
    """
    twin = poses.copy()
    twin[error[:, 1] > _TWIN * error[:, 0] + 0.1, 1] = np.nan
    return (twin[:, None] @ turns[None, :, None]).reshape(len(poses), -1, 4, 4)


def link_cameras(candidates: FloatArray, n_twins: int = 2) -> Graph:
    """Place all cameras that shared instants link.

    Parameters
    ----------
    candidates : (n_frames, n_cameras, n_candidates, 4, 4) array, mm
        From :func:`candidate_poses`.
    n_twins : int
        Candidates of one turn of the board; only relative turns matter, so one camera of a pair keeps its first.

    Returns
    -------
    Graph
        Of the largest linked group of cameras; its root is the group's first camera.
    """
    n_cameras = candidates.shape[1]
    links: dict[tuple[int, int], Link] = {}
    for a in range(n_cameras):
        for b in range(a + 1, n_cameras):
            link = relative_pose(candidates[:, a, :n_twins], candidates[:, b])
            if link is not None:
                links[a, b] = link
    # maximum spanning forest by the number of agreeing instants (Prim, from every camera not reached yet)
    groups: list[tuple[list[int], list[tuple[int, int]]]] = []
    reached: set[int] = set()
    for root in range(n_cameras):
        if root in reached:
            continue
        group, tree = [root], []
        while True:
            edges = [pair for pair in links if (pair[0] in group) != (pair[1] in group)]
            if not edges:
                break
            pair = max(edges, key=lambda p: (links[p].agreeing, -p[0], -p[1]))
            tree.append(pair)
            group.append(pair[1] if pair[0] in group else pair[0])
        reached.update(group)
        groups.append((group, tree))
    group, tree = max(groups, key=lambda g: (len(g[0]), -g[0][0]))
    cam_from_root = np.full((n_cameras, 4, 4), np.nan)
    cam_from_root[group[0]] = np.eye(4)
    for new, (a, b) in zip(group[1:], tree, strict=True):
        b_from_a = links[a, b].b_from_a
        cam_from_root[new] = b_from_a @ cam_from_root[a] if new == b else inverse(b_from_a) @ cam_from_root[b]
    return Graph(cam_from_root, group, tree, links)


def place_boards(candidates: FloatArray, cam_from_world: FloatArray, linked: list[int]) -> tuple[FloatArray, IntArray]:
    """Place the board at every instant so that all cameras' candidates agree best.

    Parameters
    ----------
    candidates : (n_frames, n_cameras, n_candidates, 4, 4) array, mm
    cam_from_world : (n_cameras, 4, 4) array, mm
    linked : list of int
        Cameras with a known pose.

    Returns
    -------
    world_from_board : (n_frames, 4, 4) array, mm
        NaN where no linked camera saw the board.
    choice : (n_frames, n_cameras) int array
        Candidate of each view that fits; -1 where there is none.
    """
    n_frames, n_cameras, n_each = candidates.shape[:3]
    in_world = np.full_like(candidates, np.nan)
    in_world[:, linked] = inverse(cam_from_world[linked])[None, :, None] @ candidates[:, linked]
    reach = _SHIFT * float(np.nanmedian(np.linalg.norm(candidates[:, linked, 0, :3, 3], axis=-1)))
    flat = in_world.reshape(n_frames, n_cameras * n_each, 4, 4)
    apart = _distance(flat, flat, reach)
    apart = np.where(np.isnan(apart), np.inf, apart).reshape(n_frames, -1, n_cameras, n_each)
    closest = apart.min(-1)  # each hypothesis against each camera's best candidate
    cost = np.minimum(closest, 4.0).sum(-1)
    best = cost.argmin(1)
    seen = np.isfinite(in_world[:, :, :, 0, 0]).any(-1)
    choice = apart[np.arange(n_frames), best].argmin(-1)
    choice[~seen] = -1
    poses = flat[np.arange(n_frames), best]
    poses[~seen.any(-1)] = np.nan
    return poses, choice
