"""BVH, the motion of a tree of joints, for animation programs such as Blender.

Lengths are in cm, and the axes are OpenSim's: X forwards, Y up, Z to the right, so that a point (x, y, z) of our world
is (x, z, -y). The channels of a joint are ``Zrotation Xrotation Yrotation``, intrinsic turns in this order, degrees:
flexion about Z first, then X, then the turn about the bone, as in the joint angles of Wu & Cavanagh. They are unwound
over time, and may exceed 180 degrees. BVH has no gaps.
"""

from pathlib import Path

import numpy as np

from pose3d.data.armature import Armature
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_suffix, write_text

__all__ = ["write_bvh"]

_CM = 0.1
_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_TURNS = "Zrotation Xrotation Yrotation"


def write_bvh(armature: Armature, path: str | Path) -> Path:
    """Write the motion of one individual as BVH.

    Parameters
    ----------
    armature : Armature
        Z up.
    path : path

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If a name holds nothing that BVH can write, two are the same without white space, or `path` is not named as a
        bvh.
    """
    require_suffix(path, ".bvh")
    names = ["_".join(name.split()) for name in armature.names]
    if len(set(names)) < len(names) or not all(names):
        raise DataError(f"{path}: keypoints need names that differ without their white space; rename one")
    children: list[list[int]] = [[] for _ in names]
    for joint, parent in enumerate(armature.parents.tolist()):
        if parent >= 0:
            children[parent].append(joint)
    offsets = _CM * armature.offsets @ _TO_Y_UP.T
    order: list[int] = []
    lines = ["HIERARCHY", *_hierarchy(0, names, children, offsets, order)]
    lines += ["MOTION", f"Frames: {armature.n_frames}", f"Frame Time: {1 / armature.fps:.9f}"]
    # In the order of the hierarchy: the place of the root, then the turns of each joint that has children.
    turns = _euler(_TO_Y_UP @ armature.rotations[:, order] @ _TO_Y_UP.T)
    table = np.concatenate([_CM * armature.root @ _TO_Y_UP.T, turns.reshape(armature.n_frames, -1)], axis=1)
    rows = [" ".join(f"{value:.6f}" for value in row) for row in table.tolist()]
    write_text(path, "\n".join([*lines, *rows]) + "\n")
    return Path(path)


def _hierarchy(
    joint: int, names: list[str], children: list[list[int]], offsets: FloatArray, order: list[int], depth: int = 0
) -> list[str]:
    """Return the lines of a joint and of all below it; `order` gets those that turn."""
    indent = "\t" * depth
    offset = " ".join(f"{value:.6f}" for value in offsets[joint].tolist())
    if not children[joint] and depth:
        return [f"{indent}End Site", f"{indent}{{", f"{indent}\tOFFSET {offset}", f"{indent}}}"]
    order.append(joint)
    channels = f"6 Xposition Yposition Zposition {_TURNS}" if not depth else f"3 {_TURNS}"
    lines = [
        f"{indent}{'JOINT' if depth else 'ROOT'} {names[joint]}",
        f"{indent}{{",
        f"{indent}\tOFFSET {offset}",
        f"{indent}\tCHANNELS {channels}",
    ]
    for child in children[joint]:
        lines += _hierarchy(child, names, children, offsets, order, depth + 1)
    return [*lines, f"{indent}}}"]


def _euler(turns: FloatArray) -> FloatArray:
    """Return the intrinsic turns about Z, X and Y (n_frames, n, 3), degrees, without jumps over time."""
    middle = np.arctan2(turns[..., 2, 1], np.hypot(turns[..., 0, 1], turns[..., 1, 1]))
    first = np.arctan2(-turns[..., 0, 1], turns[..., 1, 1])
    last = np.arctan2(-turns[..., 2, 0], turns[..., 2, 2])
    return np.asarray(np.degrees(np.unwrap(np.stack([first, middle, last], axis=-1), axis=0)))
