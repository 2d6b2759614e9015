"""BVH and GLB: parsed by other programs, and what they see is where our points are."""

import json
import struct
import warnings

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.errors import DataError
from pose3d.io.bvh import write_bvh
from pose3d.io.glb import write_glb
from pose3d.kinematics import joint_angles
from pose3d.kinematics.armature import body_bones, build_armature
from pose3d.kinematics.joint_markers import with_midpoints

TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@pytest.fixture
def walk(make_walk):
    return make_walk(n_frames=60)


def with_gaps(points, **gaps):
    xyz = points.xyz.copy()
    for name, frames in gaps.items():
        xyz[frames, 0, points.keypoints.index(name)] = np.nan
    return Keypoints3D.from_points(xyz, points.keypoints, points.individuals, fps=points.fps)


@pytest.mark.parametrize("gaps", [{}, {"LKnee": slice(10, 20)}])
def test_forward_kinematics_of_another_library(walk, tmp_path, gaps):
    bvhio = pytest.importorskip("bvhio", reason="bvhio is not installed")
    armature = build_armature(with_gaps(walk, **gaps))
    path = write_bvh(armature, tmp_path / "walk.bvh")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file, tree = bvhio.readAsBvh(str(path)), bvhio.readAsHierarchy(str(path))
    assert file.FrameCount == 60
    assert file.FrameTime == pytest.approx(1 / 60, abs=1e-9)
    assert file.Root.Channels[-3:] == ["Zrotation", "Xrotation", "Yrotation"]
    ours = 0.1 * armature.places() @ TO_Y_UP.T
    compared = set()
    for frame in (0, 17, 59):
        tree.loadPose(frame)
        for joint, _, _ in tree.layout():
            away = np.array(joint.PositionWorld) - ours[frame, armature.names.index(joint.Name)]
            assert np.abs(away).max() < 1e-4  # cm
            compared.add(joint.Name)
    assert {"Hip", "LKnee", "RAnkle", "Neck", "LElbow"} <= compared
    thigh = ours[:, armature.names.index("LAnkle")] / 0.1 @ TO_Y_UP
    true = walk.xyz[:, 0, walk.keypoints.index("LAnkle")]
    assert np.linalg.norm(thigh - true, axis=-1)[[0, 17, 59]].max() < (40 if gaps else 1e-6)  # the knee was hidden


def test_first_turn_of_a_knee_is_its_flexion(walk, tmp_path):
    """The channels are those of joint angles: about Z, to the right, a knee bends backwards."""
    path = write_bvh(build_armature(walk), tmp_path / "walk.bvh")
    rows = path.read_text().splitlines()
    names = [line.split()[1] for line in rows if line.split()[:1] in (["ROOT"], ["JOINT"])]
    turns = np.array([line.split() for line in rows[-60:]], dtype=float)[:, 3:].reshape(60, -1, 3)
    bends = turns[:, names.index("LKnee"), 0]
    angles = joint_angles(walk)
    flexion = angles.deg[:, 0, angles.names.index("knee_flexion_l")]
    assert np.abs(bends + flexion).max() < 1.0
    assert np.ptp(flexion) > 40
    assert np.abs(np.diff(turns, axis=0)).max() < 30  # no jump by a full turn


def test_what_a_bvh_cannot_hold(walk, tmp_path):
    armature = build_armature(walk)
    with pytest.raises(DataError, match=r"\.bvh"):
        write_bvh(armature, tmp_path / "a.txt")
    names = ("Hip", "L Knee", "L_Knee")
    xyz = np.random.default_rng(0).normal(size=(9, 1, 3, 3))
    with pytest.raises(DataError, match="white space"):
        write_bvh(build_armature(Keypoints3D.from_points(xyz, names, ("a",), fps=1.0)), tmp_path / "a.bvh")
    assert not list(tmp_path.iterdir())


def numbers(file, index):
    """Read an accessor of a file that pygltflib parsed."""
    accessor = file.accessors[index]
    view = file.bufferViews[accessor.bufferView]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
    data = file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return np.frombuffer(data, {5126: "<f4", 5123: "<u2"}[accessor.componentType]).reshape(accessor.count, width)


def channels(file):
    """{(node, what): (times, values, interpolation)} of the animation."""
    (animation,) = file.animations
    found = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        key = file.nodes[channel.target.node].name, channel.target.path
        found[key] = numbers(file, sampler.input)[:, 0], numbers(file, sampler.output), sampler.interpolation
    return found


def test_a_glb_says_where_points_are_and_are_not(walk, tmp_path):
    pygltflib = pytest.importorskip("pygltflib", reason="pygltflib is not installed")
    points = with_midpoints(with_gaps(walk, LKnee=slice(10, 20), RWrist=slice(0, 5)), ("Neck", "Hip"))
    bones = body_bones(points)
    (path,) = write_glb(points, tmp_path / "walk.glb", edges=bones)
    file = pygltflib.GLTF2().load(str(path))
    moves = channels(file)
    for i, name in enumerate(points.keypoints):
        times, where, _ = moves[name, "translation"]
        seen = np.isfinite(points.xyz[:, 0, i, 0])
        np.testing.assert_allclose(times, np.arange(60) / 60, atol=1e-6)
        ours = points.xyz[:, 0, i][:, [1, 2, 0]] / 1000
        np.testing.assert_allclose(where[seen], ours[seen], atol=1e-6)
        if not seen.all():
            _, size, kind = moves[name, "scale"]
            assert kind == "STEP"
            np.testing.assert_array_equal((size > 0).all(1), seen)
            assert np.isfinite(where).all()
    for above, below in bones:
        start, end = (points.xyz[:, 0, points.keypoints.index(name)][:, [1, 2, 0]] / 1000 for name in (above, below))
        x, y, z, w = moves[f"{above}-{below}", "rotation"][1].T
        up = np.stack([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)], axis=-1)
        size = moves[f"{above}-{below}", "scale"][1]
        seen = np.isfinite(start + end).all(-1)
        tip = moves[f"{above}-{below}", "translation"][1] + size[:, 1:2] * up
        np.testing.assert_allclose(tip[seen], end[seen], atol=1e-5)
        assert not size[~seen].any()


def test_a_glb_is_a_scene_to_others(walk, tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    (path,) = write_glb(walk, tmp_path / "walk.glb", edges=body_bones(walk))
    scene = trimesh.load(path)
    first = walk.xyz[0, 0][:, [1, 2, 0]] / 1000
    np.testing.assert_allclose(scene.bounds, [first.min(0), first.max(0)], atol=0.03)  # and a ball around each
    assert len(scene.graph.nodes_geometry) == len(walk.keypoints) + len(body_bones(walk))
    assert all(mesh.is_winding_consistent for mesh in scene.geometry.values())
    ball = next(mesh for name, mesh in scene.geometry.items() if "ball" in name)
    assert (np.einsum("ij,ij->i", ball.face_normals, ball.triangles_center) > 0).all()  # seen from outside


def test_the_layout_of_a_glb(walk, tmp_path):
    (path,) = write_glb(walk, tmp_path / "walk.glb")
    data = path.read_bytes()
    magic, version, size, n_json, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, size, kind) == (b"glTF", 2, len(data), b"JSON")
    told = json.loads(data[20 : 20 + n_json])
    n_data, kind = struct.unpack_from("<I4s", data, 20 + n_json)
    assert (kind, n_data % 4, size) == (b"BIN\0", 0, 28 + n_json + n_data)
    assert told["buffers"][0]["byteLength"] <= n_data
    assert all(view["byteOffset"] % 4 == 0 for view in told["bufferViews"])
    names = [node["name"] for node in told["nodes"]]
    colours = {told["nodes"][names.index(name)]["mesh"] // 2 for name in ("LKnee", "LWrist")}
    assert len(colours) == 1
    assert told["nodes"][names.index("RKnee")]["mesh"] // 2 not in colours


def test_what_a_glb_cannot_hold(walk, tmp_path):
    nobody = Keypoints3D.from_points(np.full((4, 1, 1, 3), np.nan), ("a",), ("x",), fps=1.0)
    for points, name, told in (
        (nobody, "a.glb", "no keypoint of x"),
        (walk, "a.gltf", r"\.glb"),
        (Keypoints3D.from_points(walk.xyz, walk.keypoints, ("x",)), "a.glb", "frame rate"),
    ):
        with pytest.raises(DataError, match=told):
            write_glb(points, tmp_path / name)
    assert not list(tmp_path.iterdir())
