"""Keypoints as a tree of joints with constant bones, for animation programs.

A bone is turned from its parent by the shortest way that points it where it was seen. What keypoints do not show, the
turn of a bone about itself, is that of its parent, so that a joint's angles hold no invented twist. The length of a
bone is its median: a joint lies as far from its keypoint as the lengths on the way to it vary.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.armature import Armature
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.definitions import unit
from pose3d.kinematics.joint_markers import with_midpoints
from pose3d.log import logger

__all__ = ["HUMAN_BONES", "body_bones", "build_armature"]

HUMAN_BONES: Mapping[str, tuple[str, tuple[float, float, float]]] = {
    "LHip": ("Hip", (0, 1, 0)),
    "RHip": ("Hip", (0, -1, 0)),
    "LKnee": ("LHip", (0, 0, -1)),
    "RKnee": ("RHip", (0, 0, -1)),
    "LAnkle": ("LKnee", (0, 0, -1)),
    "RAnkle": ("RKnee", (0, 0, -1)),
    "LHeel": ("LAnkle", (-0.5, 0, -0.87)),
    "RHeel": ("RAnkle", (-0.5, 0, -0.87)),
    "LBigToe": ("LAnkle", (0.94, 0, -0.34)),
    "RBigToe": ("RAnkle", (0.94, 0, -0.34)),
    "LSmallToe": ("LAnkle", (0.89, 0.3, -0.34)),
    "RSmallToe": ("RAnkle", (0.89, -0.3, -0.34)),
    "Neck": ("Hip", (0, 0, 1)),
    "LShoulder": ("Neck", (0, 1, 0)),
    "RShoulder": ("Neck", (0, -1, 0)),
    "LElbow": ("LShoulder", (0, 1, 0)),
    "RElbow": ("RShoulder", (0, -1, 0)),
    "LWrist": ("LElbow", (0, 1, 0)),
    "RWrist": ("RElbow", (0, -1, 0)),
    "Head": ("Neck", (0, 0, 1)),
    "Nose": ("Neck", (0.5, 0, 0.87)),
}
"""Bones of people: keypoint to its parent and its direction at rest, in a T-pose (x forwards, y left, z up)."""

_LEAST_SINE = 1e-6
_DISTANCE_WEIGHT = 0.05  # of a link's length, beside the variation of its length, in looking for a tree
_MOST_PAIRS = 4_000_000  # distances to look at for a tree
_UNKNOWN_COST = 1e9  # of a link whose length was not looked at: the last to be taken
_LEAST_TOGETHER = 3  # frames in which both ends of a bone must be seen


@dataclass(frozen=True)
class _Tree:
    """Keypoints in an order in which parents come first."""

    order: tuple[int, ...]
    parent: Mapping[int, int]


def body_bones(points: Keypoints3D, edges: Sequence[tuple[str, str]] = ()) -> tuple[tuple[str, str], ...]:
    """Return the links (parent, child) of a tree over the keypoints.

    Parameters
    ----------
    points : Keypoints3D
        The first individual counts.
    edges : sequence of (str, str)
        Links that are known. Of people the bones of :data:`HUMAN_BONES` are, and come first; where nothing is known,
        those keypoints are linked whose distance varies least, near ones first.

    Raises
    ------
    DataError
        If no two keypoints are ever seen together.
    """
    tree = _tree(points, edges)
    return tuple((points.keypoints[tree.parent[i]], points.keypoints[i]) for i in tree.order[1:])


def build_armature(points: Keypoints3D, *, individual: int = 0, edges: Sequence[tuple[str, str]] = ()) -> Armature:
    """Fit a tree of joints with constant bones to one individual.

    Parameters
    ----------
    points : Keypoints3D
        Z up, for a rest pose that stands upright. Of people, ``Hip`` and ``Neck`` are added where they are not there.
    individual : int
    edges : sequence of (str, str)
        As in :func:`body_bones`.

    Returns
    -------
    Armature
        Gaps are filled between their neighbours along the shortest turn, at the ends with the nearest one, as neither
        BVH nor a skin can leave a bone out; `filled` tells where.

    Raises
    ------
    DataError
        If the frame rate is unknown, or no two keypoints are ever seen together.
    """
    rate = points.fps
    if rate is None or not 0 < rate < np.inf:
        raise DataError("the frame rate of the points is unknown; give --fps")
    points = with_midpoints(points, ("Neck", *(() if "CHip" in points.keypoints else ("Hip",))))
    tree = _tree(points, edges, individual)
    xyz = points.xyz[:, individual]
    root = tree.order[0]
    body = _body_rotation(points, xyz, root)
    rest = {i: _rest_direction(points, i, xyz[:, i] - xyz[:, tree.parent[i]], body) for i in tree.order[1:]}
    lengths = {i: np.nanmedian(np.linalg.norm(xyz[:, i] - xyz[:, tree.parent[i]], axis=-1)) for i in rest}
    names, parents, offsets, local, filled = [points.keypoints[root]], [-1], [np.zeros(3)], [], []
    first, gap = _without_gaps(body)
    local.append(first)
    filled.append(gap | ~np.isfinite(xyz[:, root]).all(-1))
    turned = {0: first}  # joint to its rotation in the world
    joint_of = {root: 0}
    children = {i: [k for k in tree.order[1:] if tree.parent[k] == i] for i in tree.order}

    def add(name: str, parent: int, offset: FloatArray, turn: FloatArray, gap: BoolArray) -> int:
        names.append(name)
        parents.append(parent)
        offsets.append(offset)
        local.append(turn)
        filled.append(gap)
        turned[len(names) - 1] = turned[parent] @ turn
        return len(names) - 1

    still, never = np.broadcast_to(np.eye(3), first.shape), np.zeros(len(xyz), dtype=np.bool_)
    for i in tree.order:
        # A bone turns the joint at its beginning: the keypoint's own where it is the only one, else one without length.
        own, bones = joint_of[i], children[i]
        for k in bones:
            holder, name = own, f"{points.keypoints[i]}_{points.keypoints[k]}"
            alone = len(bones) == 1 and i != root
            before = turned[parents[own]] if alone else turned[own]
            seen = unit(xyz[:, k] - xyz[:, i])
            turn, gap = _without_gaps(_shortest_turn(rest[k], np.einsum("fji,fj->fi", before, seen)))
            if alone:
                local[own], filled[own], turned[own] = turn, gap, before @ turn
            else:
                holder = add(name, own, np.zeros(3), turn, gap)
            joint_of[k] = add(points.keypoints[k], holder, rest[k] * lengths[k], still, never)
    root_known = np.isfinite(xyz[:, root]).all(-1)
    row = np.arange(len(xyz))
    place = np.stack([np.interp(row, row[root_known], xyz[root_known, root, axis]) for axis in range(3)], axis=-1)
    return Armature(
        tuple(names),
        np.array(parents),
        np.stack(offsets),
        np.stack(local, axis=1),
        place,
        np.stack(filled, axis=1),
        float(rate),
        points.start,
    )


def _tree(points: Keypoints3D, edges: Sequence[tuple[str, str]], individual: int = 0) -> _Tree:
    """Link all keypoints that can be linked, by known bones first (Prim's algorithm for the others)."""
    xyz, index = points.xyz[:, individual], {name: i for i, name in enumerate(points.keypoints)}
    n = len(index)
    seen: FloatArray = np.asarray(np.isfinite(xyz).all(-1), dtype=np.float64)
    usable = (np.asarray(seen.T @ seen) >= min(_LEAST_TOGETHER, len(xyz))) & ~np.eye(n, dtype=bool)
    # How lengths vary is seen in a part of a long recording, which would not fit into memory for every pair.
    part = xyz[np.unique(np.linspace(0, len(xyz) - 1, max(50, _MOST_PAIRS // n**2)).astype(int))]
    distance = np.linalg.norm(part[:, :, None] - part[:, None], axis=-1)
    together = np.isfinite(distance).sum(0)
    mean = np.nansum(distance, axis=0) / np.maximum(together, 1)
    spread = np.sqrt(np.nansum((distance - mean) ** 2, axis=0) / np.maximum(together, 1))
    cost = np.where(together > 0, spread + _DISTANCE_WEIGHT * mean, _UNKNOWN_COST)
    cost = np.where(usable & (cost > 0), cost, np.inf)
    if not np.isfinite(cost).any():
        raise DataError("no two keypoints are seen together, so that there is no bone")
    parent: dict[int, int] = {}
    for a, b in edges:
        if a in index and b in index and np.isfinite(cost[index[a], index[b]]):
            cost[index[a], index[b]] = cost[index[b], index[a]] = 0.0  # before any other
    middle = next((index[name] for name in ("Hip", "CHip") if name in index), None)
    if _is_human(index) and middle is not None and np.isfinite(cost[middle]).any():
        order = [middle]
        for name, (upper, _) in HUMAN_BONES.items():
            above = points.keypoints[middle] if upper == "Hip" else upper
            if name in index and index.get(above) in order and np.isfinite(cost[index[name], index[above]]):
                parent[index[name]] = index[above]
                order.append(index[name])
    else:
        order = [_middle_of(cost)]
    away = [i for i in range(n) if i not in order and np.isfinite(cost[i]).any()]
    while away:
        part = cost[np.ix_(order, away)]
        if not np.isfinite(part).any():
            break
        at, which = np.unravel_index(part.argmin(), part.shape)
        parent[away[which]] = order[at]
        order.append(away.pop(int(which)))
    lost = [points.keypoints[i] for i in range(n) if i not in order]
    if lost:
        logger.warning("no bone leads to %s: seen too seldom; left out", ", ".join(lost))
    return _Tree(tuple(order), parent)


def _is_human(names: Iterable[str]) -> bool:
    return {"LHip", "RHip"} <= set(names)


def _middle_of(cost: FloatArray) -> int:
    """Return the keypoint from which the others are the fewest and the shortest links away."""
    from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path

    finite = np.where(np.isfinite(cost), cost + 1e-3, 0.0)  # no link of zero weight: scipy would not see it
    links = minimum_spanning_tree(finite)
    steps = shortest_path(links, directed=False, unweighted=True)
    reached = np.isfinite(steps).sum(1)
    far = np.where(np.isfinite(steps), steps, 0).sum(1)
    return int(np.lexsort((far, -reached))[0])


def _body_rotation(points: Keypoints3D, xyz: FloatArray, root: int) -> FloatArray:
    """Return how the body stands in each frame, (n_frames, 3, 3); NaN where it is not seen.

    Of people y lies along the hips, to the left, and z along the trunk, or up where there is none. Others are turned
    against a frame in which most keypoints are seen.
    """
    index = {name: i for i, name in enumerate(points.keypoints)}
    if _is_human(index):
        left = unit(xyz[:, index["LHip"]] - xyz[:, index["RHip"]])
        up = np.broadcast_to([0.0, 0.0, 1.0], left.shape)
        if "Neck" in index:
            up = xyz[:, index["Neck"]] - (xyz[:, index["LHip"]] + xyz[:, index["RHip"]]) / 2
        up = unit(up - (up * left).sum(-1, keepdims=True) * left)
        return np.stack([np.cross(left, up), left, up], axis=-1)
    relative = xyz - xyz[:, root, None]
    seen = np.isfinite(relative).all(-1)
    model = relative[seen.sum(1).argmax()]
    both = seen & np.isfinite(model).all(-1)
    a, b = np.where(both[..., None], model, 0.0), np.where(both[..., None], relative, 0.0)
    u, singular, vh = np.linalg.svd(np.einsum("fki,fkj->fij", b, a))
    sign = np.linalg.det(u @ vh)
    u[..., 2] *= sign[:, None]
    flat = singular[:, 1] <= _LEAST_SINE * np.maximum(singular[:, 0], 1e-300)
    return np.asarray(np.where(flat[:, None, None], np.nan, u @ vh))


def _rest_direction(points: Keypoints3D, child: int, bone: FloatArray, body: FloatArray) -> FloatArray:
    """Return where a bone points at rest: as people's do, or as it does on average, seen from the body."""
    human = HUMAN_BONES.get(points.keypoints[child])
    if human is not None and _is_human(points.keypoints):
        return unit(np.array(human[1], dtype=np.float64))
    inside = np.einsum("fji,fj->fi", body, unit(bone))
    inside = inside[np.isfinite(inside).all(-1)]
    mean = inside.sum(0) if len(inside) else np.array([0.0, 0.0, 1.0])
    return unit(mean) if np.linalg.norm(mean) > _LEAST_SINE else np.array([0.0, 0.0, 1.0])


def _shortest_turn(rest: FloatArray, seen: FloatArray) -> FloatArray:
    """Return the rotations (n_frames, 3, 3) that carry one direction to others by the shortest way (Rodrigues)."""
    axis, cosine = np.cross(rest, seen), seen @ rest
    zero = np.zeros(len(seen))
    cross = np.stack(
        [zero, -axis[:, 2], axis[:, 1], axis[:, 2], zero, -axis[:, 0], -axis[:, 1], axis[:, 0], zero], axis=-1
    ).reshape(-1, 3, 3)
    turn = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-12)[:, None, None]
    back = cosine < -1 + 1e-9  # straight back: about any axis across
    if back.any():
        across = unit(np.cross(rest, np.eye(3)[np.abs(rest).argmin()]))
        turn[back] = 2 * np.outer(across, across) - np.eye(3)
    return np.asarray(turn)


def _without_gaps(turns: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Fill missing rotations along the shortest turn between their neighbours, at the ends with the nearest."""
    from scipy.spatial.transform import Rotation, Slerp

    known: BoolArray = np.asarray(np.isfinite(turns).all((1, 2)))
    if known.all():
        return turns, ~known
    if not known.any():
        return np.broadcast_to(np.eye(3), turns.shape).copy(), ~known
    rows = np.flatnonzero(known)
    whole = turns.copy()
    if len(rows) == 1:
        whole[:] = turns[rows[0]]
    else:
        between = Slerp(rows, Rotation.from_matrix(turns[rows]))
        missing = np.flatnonzero(~known)
        whole[missing] = between(np.clip(missing, rows[0], rows[-1])).as_matrix()
    return whole, ~known
