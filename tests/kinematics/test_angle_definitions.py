import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pose3d.errors import ConfigError
from pose3d.geometry.rotations import exp_so3
from pose3d.kinematics import joint_angles

KEYPOINTS = list("abcdef")
ANGLES = {
    "plain": ["a", "b", "c"],
    "bend": ["flex", "b", "c", "d"],
    "spin": ["axis", "a", "b", "c"],
    "turn": ["cross-axis", "a", "b", "c"],
    "limb": ["chain", "a", "b/", "c", "d", "e/", "f"],
}
COLUMNS = (
    *("plain", "bend", "spin", "turn", "a_flex", "a_rot", "a_abduct"),
    *("b_flex", "b_rot", "c_flex", "c_rot", "d_flex", "d_rot", "e_flex"),
)


def wrapped(deg):
    return (np.asarray(deg) + 180) % 360 - 180


def unit(v):
    return v / np.linalg.norm(v)


def one_frame(p):
    """Angles of one frame of points a to f, written out as anipose defines them, with scipy's Euler angles."""

    def interior(a, b, c):
        return np.degrees(np.arccos(np.clip(unit(a - b) @ unit(c - b), -1, 1)))

    def against_x(z, v):
        x = unit(np.array([1.0, 0, 0]) - z[0] * z)
        return np.degrees(np.arctan2(v @ np.cross(z, x), v @ x))

    a, b, c, d, *_ = p
    out = {"plain": interior(a, b, c), "bend": interior(b, c, d), "spin": against_x(unit(a - b), b - c)}
    out["turn"] = against_x(unit(np.cross(a - b, b - c)), c - a)
    signs = [1, -1, 1, 1, -1, 1]
    frames = [np.eye(3)]
    for i in range(5):
        z = unit(p[i + 1] - p[i])
        ahead = (p[i + 2] - p[i + 1]) * signs[i + 1] if i < 4 else np.array([1.0, 0, 0])
        x = unit(ahead - (ahead @ z) * z)
        frames.append(np.column_stack([x, np.cross(z, x), z]))
    for i, name in enumerate("abcde"):
        rot, flex, abduct = Rotation.from_matrix(frames[i].T @ frames[i + 1]).as_euler("zyx", degrees=True)
        if i > 0:  # of the two triples of Euler angles the one whose middle is the angle at the joint
            joint = signs[i] * interior(p[i - 1], p[i], p[i + 1])
            if not np.isclose(flex, joint):
                rot, flex = rot + 180, 180 - flex
            assert wrapped(flex) == pytest.approx(wrapped(joint), abs=1e-5)
        out[f"{name}_flex"] = flex
        if i < 4:
            out[f"{name}_rot"] = rot
        if i == 0:
            out[f"{name}_abduct"] = abduct
    return out


def test_all_types_agree_with_a_loop_over_frames_and_individuals(make_points):
    xyz = 100 * np.random.default_rng(0).normal(size=(60, 2, 6, 3))
    found = joint_angles(make_points.xyz(xyz, KEYPOINTS, ["left fly", "right fly"], fps=50.0, start=7), ANGLES)
    assert found.names == COLUMNS
    assert found.individuals == ("left fly", "right fly")
    assert (found.fps, found.start, found.deg.shape) == (50.0, 7, (60, 2, 14))
    for frame in range(60):
        for individual in range(2):
            expected = one_frame(xyz[frame, individual])
            assert tuple(expected) == COLUMNS
            difference = wrapped(found.deg[frame, individual] - np.array(list(expected.values())))
            assert difference == pytest.approx(np.zeros(14), abs=1e-5)


def test_angles_by_hand(make_points):
    points = make_points({"a": (0, 0, 10), "b": (0, 0, 0), "c": (0, 7, -7), "d": (5, 7, -7)})
    found = joint_angles(
        points,
        {
            "obtuse": ["a", "b", "c"],
            "right": ("flex", "b", "c", "d"),
            "spin": ["axis", "a", "b", "c"],
            "limb": ["chain", "a", "b", "c/", "d"],
        },
    )
    by_name = dict(zip(found.names, found.deg[0, 0], strict=True))
    assert by_name["obtuse"] == pytest.approx(135)
    assert by_name["right"] == pytest.approx(90)
    assert by_name["spin"] == pytest.approx(-90)  # b - c points to -y, a quarter turn back from x about z
    assert by_name["a_flex"] == pytest.approx(0)
    assert abs(by_name["a_abduct"]) == pytest.approx(180)  # the first bone points down
    assert by_name["b_flex"] == pytest.approx(135)
    assert by_name["c_flex"] == pytest.approx(-90)
    assert by_name.keys() == {"obtuse", "right", "spin", "a_flex", "a_rot", "a_abduct", "b_flex", "b_rot", "c_flex"}


@pytest.mark.parametrize("gap_deg", [0.0, 1e-9, 1e-6, 1e-3])
def test_flat_and_folded_joints_keep_their_digits(make_points, gap_deg):
    small = np.deg2rad(gap_deg)
    tip = np.array([np.cos(small), np.sin(small), 0.0])
    points = make_points({"a": (1, 0, 0), "b": (0, 0, 0), "near": tip, "far": -tip})
    found = joint_angles(points, {"folded": ["a", "b", "near"], "straight": ["a", "b", "far"]})
    assert found.deg[0, 0] == pytest.approx([gap_deg, 180 - gap_deg], abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_rigid_motion_leaves_the_joints_alone(make_points, seed):
    rng = np.random.default_rng(seed)
    xyz = 100 * rng.normal(size=(3, 1, 6, 3))
    definitions = {"plain": ANGLES["plain"], "limb": ANGLES["limb"]}
    before = joint_angles(make_points.xyz(xyz, KEYPOINTS), definitions)
    R, t, scale = exp_so3(2 * rng.normal(size=3)), 1000 * rng.normal(size=3), rng.uniform(0.1, 10)
    after = joint_angles(make_points.xyz(scale * xyz @ R.T + t, KEYPOINTS), definitions)
    inner = [
        i for i, name in enumerate(before.names) if not name.startswith("a_")
    ]  # the first bone is against the world
    assert wrapped(after.deg - before.deg)[..., inner] == pytest.approx(0, abs=1e-6)


def test_turns_about_the_reference_follow_the_world(make_points):
    xyz = 100 * np.random.default_rng(2).normal(size=(1, 1, 3, 3))
    definition = {"spin": ["axis", "a", "b", "c"]}
    before = joint_angles(make_points.xyz(xyz, "abc"), definition).deg[0, 0, 0]
    axis = unit(xyz[0, 0, 0] - xyz[0, 0, 1])
    for deg in (10, 100, -170):
        turned = xyz.copy()
        turned[0, 0, 2] = xyz[0, 0, 1] + exp_so3(np.deg2rad(deg) * axis) @ (xyz[0, 0, 2] - xyz[0, 0, 1])
        after = joint_angles(make_points.xyz(turned, "abc"), definition).deg[0, 0, 0]
        assert wrapped(after - before - deg) == pytest.approx(0, abs=1e-9)


def test_where_an_angle_is_not_defined_it_is_nan_and_said(make_points, caplog):
    line = np.array([[0, 0, 0], [1, 0, 0], [2, 1, 0.0]])  # its first part runs along x
    bend = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 1.0]])  # in the plane across x
    straight = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 0.0]])
    point = np.zeros((3, 3))
    points = make_points.xyz(np.stack([line, bend, straight, point])[:, None], "abc")
    found = joint_angles(points, {k: [k, "a", "b", "c"] for k in ("axis", "cross-axis", "flex")})
    assert np.isnan(found.deg[:, 0]).T.tolist() == [
        [True, False, True, True],
        [False, True, True, True],
        [False, False, False, True],
    ]
    assert caplog.text.count("WARNING") == 2
    assert 'angle "axis": not defined 3 times' in caplog.text


def test_a_straight_limb_shows_its_bends_but_not_its_turns(make_points):
    xyz = np.outer(np.arange(4.0), [0, 0.6, 0.8])[None, None]
    found = joint_angles(make_points.xyz(xyz, "abcd"), {"limb": ["chain", *"abcd"]})
    by_name = dict(zip(found.names, found.deg[0, 0], strict=True))
    assert by_name["b_flex"] == by_name["c_flex"] == pytest.approx(180)
    assert by_name["a_flex"] == pytest.approx(0)
    assert np.isnan(by_name["a_rot"])
    assert np.isnan(by_name["b_rot"])
    assert by_name["a_abduct"] == pytest.approx(-np.degrees(np.arctan2(0.6, 0.8)))


def test_missing_points_are_gaps_without_a_warning(make_points):
    rng = np.random.default_rng(3)
    xyz = rng.normal(size=(8, 1, 6, 3))
    whole = joint_angles(make_points.xyz(xyz, KEYPOINTS), ANGLES).deg
    needs = {
        **{
            "plain": "abc",
            "bend": "bcd",
            "spin": "abc",
            "turn": "abc",
            "a_flex": "ab",
            "a_rot": "abc",
            "a_abduct": "ab",
        },
        **{"b_flex": "abc", "b_rot": "abcd", "c_flex": "bcd", "c_rot": "bcde", "d_flex": "cde", "d_rot": "cdef"},
        "e_flex": "def",
    }
    xyz[np.arange(6), 0, np.arange(6)] = np.nan  # in frame i the point i is lost
    xyz[7] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = joint_angles(make_points.xyz(xyz, KEYPOINTS), ANGLES).deg
    for column, name in enumerate(COLUMNS):
        gaps = [keypoint in needs[name] for keypoint in KEYPOINTS] + [False, True]
        assert np.isnan(found[:, 0, column]).tolist() == gaps
    kept = ~np.isnan(found)
    assert np.array_equal(found[kept], whole[kept])
    assert joint_angles(make_points.xyz(np.empty((0, 1, 6, 3)), KEYPOINTS), ANGLES).deg.shape == (0, 1, 14)


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        ({"knee": ["a", "b", "x"]}, 'angle "knee": keypoint "x" is not in the data; it has a, b, c, d, e, f'),
        ({"knee": ["chain", "a", "b", "x/"]}, 'angle "knee": keypoint "x" is not in the data'),
        ({"knee": ["flexion", "a", "b", "c"]}, 'angle "knee": type "flexion" is unknown; types are flex, axis'),
        (
            {"knee": ["a", "b"]},
            "(flex, axis, cross-axis, chain) and keypoints, not 2 names",
        ),
        (
            {"knee": []},
            "(flex, axis, cross-axis, chain) and keypoints, not 0 names",
        ),
        (
            {"knee": ["a", "b", "c", "d", "e"]},
            "(flex, axis, cross-axis, chain) and keypoints, not 5 names",
        ),
        ({"knee": ["axis", "a", "b"]}, '"axis" is followed by three keypoints, not 2'),
        ({"knee": ["flex", "a", "b", "c", "d"]}, '"flex" is followed by three keypoints, not 4'),
        ({"leg": ["chain", "a", "b"]}, '"chain" is followed by at least three keypoints, not 2'),
        ({"knee": ["a", "b", "a"]}, 'angle "knee": a keypoint stands there twice'),
        ({"knee": "abc"}, "must be a list of names"),
        ({"knee": ["a", "b", 3]}, "must be a list of names"),
        ({"knee": 90}, "must be a list of names"),
        (
            {"l": ["chain", *"abc"], "m": ["chain", *"abd"]},
            'angle "m": its column "a_flex" comes from angle "l" already',
        ),
        ({}, "none are defined"),
    ],
)
def test_wrong_definitions_are_one_clear_line(make_points, angles, message):
    points = make_points.xyz(np.zeros((1, 1, 6, 3)), KEYPOINTS)
    with pytest.raises(ConfigError) as caught:
        joint_angles(points, angles)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_keypoint_may_bear_the_name_of_a_type(make_points):
    points = make_points({"flex": (1, 0, 0), "b": (0, 0, 0), "c": (0, 1, 0)})
    assert joint_angles(points, {"x": ["flex", "b", "c"]}).deg.item() == pytest.approx(90)
