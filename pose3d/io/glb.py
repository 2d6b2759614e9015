"""GLB, a moving skeleton that any viewer of 3D models shows: a ball at each keypoint, a rod along each bone.

One file of glTF 2.0 (Khronos), in metres, with its axes: Y up, Z forwards, X to the left, so that a point (x, y, z) of
our world is (y, z, x) in mm / 1000. Every keypoint is a node of its own name that moves where it was seen; what was not
seen has the size zero at that time, and is not guessed. Left is blue, right is orange, the middle grey.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data import Keypoints3D
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.io.files import atomic_path, require_rate, require_suffix
from pose3d.io.tables import individual_paths

__all__ = ["write_glb"]

_FLOAT, _SHORT = 5126, 5123
_VERTICES, _TRIANGLES = 34962, 34963
_COLOURS = {"L": (0.0, 0.447, 0.698), "R": (0.835, 0.369, 0.0), "": (0.5, 0.5, 0.5)}  # Okabe & Ito
_BALL, _ROD = 0.25, 0.12  # of the median bone's length: how thick; at most _MOST_M
_MOST_M = 0.022
_SEGMENTS = 12


def write_glb(points: Keypoints3D, path: str | Path, *, edges: Sequence[tuple[str, str]] = ()) -> tuple[Path, ...]:
    """Write points as an animated GLB.

    Parameters
    ----------
    points : Keypoints3D
        Z up.
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.glb``.
    edges : sequence of (str, str)
        The bones.

    Returns
    -------
    tuple of Path

    Raises
    ------
    DataError
        If the frame rate is unknown, an individual is never seen, or `path` is not named as a glb.
    """
    require_suffix(path, ".glb")
    rate = require_rate(path, points.fps, "a GLB")
    index = {name: i for i, name in enumerate(points.keypoints)}
    bones = [(index[a], index[b]) for a, b in edges if a in index and b in index]
    paths = individual_paths(path, points.individuals)
    scenes = [_scene(points, i, bones, rate, file) for i, file in enumerate(paths)]
    for file, scene in zip(paths, scenes, strict=True):
        with atomic_path(file) as temporary:
            temporary.write_bytes(scene)
    return paths


@dataclass
class _Scene:
    """What grows while a file is put together."""

    json: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)

    def add(self, values: NDArray[Any], *, kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Append numbers; return the index of their accessor."""
        values = np.ascontiguousarray(values)
        self.data += b"\0" * (-len(self.data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        if target is not None:
            view["target"] = target
        self.json["bufferViews"].append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self.json["bufferViews"]) - 1,
            "componentType": _FLOAT if values.dtype == np.float32 else _SHORT,
            "count": len(values),
            "type": kind,
        }
        if kind == "SCALAR" and values.dtype != np.float32:
            accessor["count"] = values.size
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.data += values.tobytes()
        self.json["accessors"].append(accessor)
        return len(self.json["accessors"]) - 1

    def animate(self, node: int, what: str, times: int, values: FloatArray, *, steps: bool = False) -> None:
        """Let a node move, and stand as at the beginning where a program shows no animations."""
        self.json["nodes"][node][what] = values[0].astype("<f4").tolist()
        animation = self.json["animations"][0]
        kind = "VEC4" if what == "rotation" else "VEC3"
        output = self.add(values.astype("<f4"), kind=kind)
        sampler = {"input": times, "output": output, "interpolation": "STEP" if steps else "LINEAR"}
        animation["samplers"].append(sampler)
        target = {"node": node, "path": what}
        animation["channels"].append({"sampler": len(animation["samplers"]) - 1, "target": target})

    def bytes(self) -> bytes:
        """Return the file."""
        self.json["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.json, ensure_ascii=True, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        data = bytes(self.data) + b"\0" * (-len(self.data) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _scene(points: Keypoints3D, individual: int, bones: Sequence[tuple[int, int]], rate: float, path: Path) -> bytes:
    where = points.xyz[:, individual][..., [1, 2, 0]] / 1000.0
    seen: BoolArray = np.asarray(np.isfinite(where).all(-1))
    if not seen.any():
        raise DataError(f"{path}: no keypoint of {points.individuals[individual]} is seen in any frame")
    lengths = [np.linalg.norm(where[:, a] - where[:, b], axis=-1) for a, b in bones]
    known = [float(np.nanmedian(length)) for length in lengths if np.isfinite(length).any()]
    typical = float(np.median(known)) if known else 0.1
    scene = _Scene(
        {
            "asset": {"version": "2.0", "generator": "pose3d"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"name": points.individuals[individual], "children": []}],
            "meshes": [],
            "materials": [
                {
                    "name": name or "middle",
                    "pbrMetallicRoughness": {
                        "baseColorFactor": [*colour, 1.0],
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.6,
                    },
                }
                for name, colour in _COLOURS.items()
            ],
            "accessors": [],
            "bufferViews": [],
            "animations": [{"name": "motion", "samplers": [], "channels": []}],
        }
    )
    _add_meshes(scene)
    times = scene.add((np.arange(points.n_frames) / rate).astype("<f4"), kind="SCALAR", bounds=True)
    ball = min(_BALL * typical, _MOST_M)
    for i, name in enumerate(points.keypoints):
        if seen[:, i].any():
            node = _add_node(scene, name, _side(name))
            scene.animate(node, "translation", times, _held(where[:, i]))
            _show(scene, node, times, seen[:, i], np.full((points.n_frames, 3), ball))
    rod = min(_ROD * typical, _MOST_M / 2)
    for (a, b), length in zip(bones, lengths, strict=True):
        there = np.isfinite(length)
        if there.any():
            name = f"{points.keypoints[a]}-{points.keypoints[b]}"
            sides = {_side(points.keypoints[a]), _side(points.keypoints[b])} - {""}
            node = _add_node(scene, name, sides.pop() if len(sides) == 1 else "", rod=True)
            scene.animate(node, "translation", times, _held(where[:, a]))
            scene.animate(node, "rotation", times, _held(_from_y(where[:, b] - where[:, a])))
            size = np.stack([np.full(len(length), rod), length, np.full(len(length), rod)], axis=-1)
            _show(scene, node, times, there, _held(size), constant=False)
    return scene.bytes()


def _add_node(scene: _Scene, name: str, side: str, *, rod: bool = False) -> int:
    nodes = scene.json["nodes"]
    nodes.append({"name": name, "mesh": 2 * list(_COLOURS).index(side) + rod})
    nodes[0]["children"].append(len(nodes) - 1)
    return len(nodes) - 1


def _show(scene: _Scene, node: int, times: int, seen: BoolArray, size: FloatArray, *, constant: bool = True) -> None:
    """Give a node its size, and none while it is not seen."""
    scene.json["nodes"][node]["scale"] = size[0].astype("<f4").tolist()
    if not (constant and seen.all()):
        scene.animate(node, "scale", times, np.where(seen[:, None], size, 0.0), steps=True)


def _side(name: str) -> str:
    """Tell the side of a keypoint by its name: LKnee, knee_l, paw_left."""
    words = name.replace("-", "_").lower().split("_")
    for side, word in (("L", "left"), ("R", "right")):
        if side.lower() in words or word in words or (name[:1] == side and name[1:2].isupper()):
            return side
    return ""


def _held(values: FloatArray) -> FloatArray:
    """Let what is missing stay where it was last seen, at the beginning where it is first seen: viewers know no NaN."""
    known = np.isfinite(values).all(-1)
    last: NDArray[np.int64] = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.asarray(values[np.where(last < 0, known.argmax(), last)])


def _from_y(direction: FloatArray) -> FloatArray:
    """Return the quaternions (n, 4), x y z w, of the shortest turns that carry y to these directions."""
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    unit = direction / np.where(length > 0, length, np.nan)
    w = 1 + unit[:, 1]
    turn = np.stack([unit[:, 2], np.zeros(len(unit)), -unit[:, 0], w], axis=-1)
    turn[w < 1e-9] = [1.0, 0.0, 0.0, 0.0]
    turn /= np.linalg.norm(turn, axis=-1, keepdims=True)
    known = np.flatnonzero(np.isfinite(turn).all(-1))
    flips = np.where((turn[known][1:] * turn[known][:-1]).sum(-1) < 0, -1.0, 1.0)
    turn[known[1:]] *= np.cumprod(flips)[:, None]  # the same turn, the short way from the one before
    return np.asarray(turn)


def _add_meshes(scene: _Scene) -> None:
    """Add a ball of radius 1 and a rod of radius and length 1 along y, in each colour."""
    shapes = []
    for vertices, normals, triangles in (_ball(), _rod()):
        position = scene.add(vertices.astype("<f4"), kind="VEC3", target=_VERTICES, bounds=True)
        normal = scene.add(normals.astype("<f4"), kind="VEC3", target=_VERTICES)
        shapes.append((position, normal, scene.add(triangles.astype("<u2"), kind="SCALAR", target=_TRIANGLES)))
    for material, name in enumerate(_COLOURS):
        for what, (position, normal, faces) in zip(("ball", "rod"), shapes, strict=True):
            attributes = {"POSITION": position, "NORMAL": normal}
            primitive = {"attributes": attributes, "indices": faces, "material": material}
            scene.json["meshes"].append({"name": f"{what} {name}".strip(), "primitives": [primitive]})


def _ball() -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    rings = _SEGMENTS // 2
    height = np.linspace(0, np.pi, rings + 1)
    around = np.linspace(0, 2 * np.pi, _SEGMENTS + 1)
    ring = np.sin(height)[:, None]
    vertices = np.stack(
        np.broadcast_arrays(ring * np.sin(around), np.cos(height)[:, None], ring * np.cos(around)), axis=-1
    ).reshape(-1, 3)
    faces = _grid(rings, _SEGMENTS)
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return vertices, vertices, faces[np.linalg.norm(np.cross(b - a, c - a), axis=-1) > 1e-9]  # none at the poles


def _rod() -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return a rod without ends, which lie inside the balls."""
    around = np.linspace(0, 2 * np.pi, _SEGMENTS + 1)
    normals = np.stack([np.sin(around), np.zeros(len(around)), np.cos(around)], axis=-1)
    vertices = np.concatenate([normals + np.array([0.0, 1.0, 0.0]), normals])
    return vertices, np.concatenate([normals, normals]), _grid(1, _SEGMENTS)


def _grid(n_rows: int, n_columns: int) -> NDArray[np.int64]:
    """Return two triangles for each cell of a grid of vertices, counter-clockwise from outside."""
    corner = np.add.outer(np.arange(n_rows) * (n_columns + 1), np.arange(n_columns)).ravel()
    below = corner + n_columns + 1
    triangles = np.stack([corner, below, corner + 1, corner + 1, below, below + 1], axis=-1)
    return triangles.reshape(-1, 3)
