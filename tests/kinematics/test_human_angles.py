import logging
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose3d.errors import ConfigError
from pose3d.geometry.rotations import exp_so3
from pose3d.kinematics import HUMAN_ANGLES, joint_angles

LEG = ("Knee", "Ankle", "BigToe", "SmallToe", "Heel")


def turned(points, names, about, axis, deg):
    """Turn the named points by the right hand about an axis through a point."""
    R = exp_so3(np.deg2rad(deg) * np.asarray(axis, dtype=float))
    return points | {name: points[about] + R @ (points[name] - points[about]) for name in names}


def bent(points, side, *, hip=0.0, adduction=0.0, knee=0.0, ankle=0.0, shoulder=0.0, elbow=0.0):
    """Bend one side of the standing person; flexion of the hip turns the leg by -y, that of the knee by +y."""
    inwards = 1 if side == "R" else -1
    foot = [side + name for name in LEG[2:]]
    p = turned(points, foot, f"{side}Ankle", [0, -1, 0], ankle)
    p = turned(p, [f"{side}Ankle", *foot], f"{side}Knee", [0, 1, 0], knee)
    leg = [side + name for name in LEG]
    p = turned(turned(p, leg, f"{side}Hip", [inwards, 0, 0], adduction), leg, f"{side}Hip", [0, -1, 0], hip)
    p = turned(p, [f"{side}Wrist"], f"{side}Elbow", [0, -1, 0], elbow)
    return turned(p, [f"{side}Elbow", f"{side}Wrist"], f"{side}Shoulder", [0, -1, 0], shoulder)


def angles_of(make_points, points):
    found = joint_angles(make_points(points))
    return dict(zip(found.names, found.deg[0, 0], strict=True))


def test_standing_upright_is_zero_throughout(make_points, standing):
    found = angles_of(make_points, standing)
    assert sorted(found) == sorted(f"{angle.name}_{side}" for angle in HUMAN_ANGLES for side in "lr")
    assert list(found.values()) == pytest.approx([0] * 12, abs=1e-12)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(
    ("bend", "angle"),
    [
        ("knee", "knee_flexion"),
        ("hip", "hip_flexion_trunk"),
        ("adduction", "hip_adduction"),
        ("ankle", "ankle_dorsiflexion"),
        ("shoulder", "shoulder_flexion"),
        ("elbow", "elbow_flexion"),
    ],
)
def test_a_bend_shows_in_its_own_angle_with_its_sign(make_points, standing, side, bend, angle):
    spans = {"adduction": (-60, 45), "ankle": (-70, 60), "elbow": (1, 170), "shoulder": (-110, 230)}
    for deg in np.linspace(*spans.get(bend, (-30, 150)), 9):
        found = angles_of(make_points, bent(standing, side, **{bend: deg}))
        assert found.pop(f"{angle}_{side.lower()}") == pytest.approx(deg, abs=1e-9)
        # only what is measured along the bent limb may follow
        assert all(abs(value) < 1e-9 for value in found.values())


def test_hyperextended_knees_are_negative_on_both_sides(make_points, standing):
    found = angles_of(make_points, bent(bent(standing, "L", knee=-8), "R", knee=-8))
    assert (found["knee_flexion_l"], found["knee_flexion_r"]) == pytest.approx((-8, -8), abs=1e-9)


def test_a_posture_of_all_joints_at_once(make_points, standing):
    left = {"hip": 35, "knee": 60, "ankle": -14, "shoulder": -20, "elbow": 25}
    right = {"hip": -12, "knee": 5, "ankle": 9, "shoulder": 15, "elbow": 40}
    found = angles_of(make_points, bent(bent(standing, "L", **left), "R", **right))
    for side, bends in (("l", left), ("r", right)):
        for bend, angle in zip(
            bends,
            ("hip_flexion_trunk", "knee_flexion", "ankle_dorsiflexion", "shoulder_flexion", "elbow_flexion"),
            strict=True,
        ):
            assert found[f"{angle}_{side}"] == pytest.approx(bends[bend], abs=1e-9)


def test_a_leaning_trunk_moves_the_hip_flexion_and_nothing_in_the_legs(make_points, standing):
    upper = [name for name in standing if re.search("Shoulder|Elbow|Wrist|Neck|Head|Nose|Eye|Ear", name)]
    found = angles_of(make_points, turned(standing, upper, "Hip", [0, 1, 0], 20))  # forwards
    assert found["hip_flexion_trunk_l"] == found["hip_flexion_trunk_r"] == pytest.approx(20, abs=1e-9)
    for name in ("knee_flexion_l", "hip_adduction_r", "ankle_dorsiflexion_l", "shoulder_flexion_l"):
        assert found[name] == pytest.approx(0, abs=1e-9)


@st.composite
def postures(draw):
    bends = {
        **{"hip": st.floats(-30, 110), "adduction": st.floats(-30, 20), "knee": st.floats(-10, 140)},
        **{"ankle": st.floats(-40, 30), "shoulder": st.floats(-50, 170), "elbow": st.floats(0, 150)},
    }
    return [{name: draw(values) for name, values in bends.items()} for _ in "LR"]


@given(postures(), st.integers(0, 2**32 - 1))
def test_angles_move_with_the_body_and_mirror_with_it(make_points, standing, posture, seed):
    rng = np.random.default_rng(seed)
    person = bent(bent(standing, "L", **posture[0]), "R", **posture[1])
    person = {name: at + 15 * rng.normal(size=3) for name, at in person.items()}
    found = angles_of(make_points, person)
    assert np.isfinite(list(found.values())).all()
    R, t, scale = exp_so3(2 * rng.normal(size=3)), 1000 * rng.normal(size=3), rng.uniform(0.3, 3)
    moved = angles_of(make_points, {name: scale * R @ at + t for name, at in person.items()})
    for name, value in found.items():
        assert moved[name] == pytest.approx(value, abs=1e-8)
    mirror = np.eye(3) - 2 * np.outer(R[0], R[0])  # any plane
    exchange = {"L": "R", "R": "L"}
    sided = {name: (exchange[name[0]] + name[1:] if name[0] in "LR" else name) for name in person}
    mirrored = angles_of(make_points, {sided[name]: mirror @ at for name, at in person.items()})
    for name, value in found.items():
        assert mirrored[name[:-1] + exchange[name[-1].upper()].lower()] == pytest.approx(value, abs=1e-8)


def test_each_skeleton_has_the_angles_its_keypoints_allow(make_points, standing, skeleton, caplog):
    with caplog.at_level(logging.INFO, "pose3d"):
        found = joint_angles(make_points({name: standing.get(name, standing["Nose"]) for name in skeleton.keypoints}))
    bases = {name[:-2] for name in found.names}
    everything = {angle.name for angle in HUMAN_ANGLES}
    if "LHeel" in skeleton.keypoints:
        assert bases == everything
        assert not caplog.records
    else:
        assert bases == everything - {"ankle_dorsiflexion"}
        assert "ankle_dorsiflexion_l (needs LHeel, LBigToe)" in caplog.text
    assert found.deg == pytest.approx(np.zeros(found.deg.shape), abs=1e-12)


def test_one_side_alone_gives_what_it_can(make_points, standing):
    found = joint_angles(
        make_points({name: standing[name] for name in ("RKnee", "RAnkle", "RHeel", "RBigToe", "LHip")})
    )
    assert found.names == ("ankle_dorsiflexion_r",)


def test_keypoints_of_no_person_are_an_error_that_names_the_skeletons(make_points):
    mouse = make_points({name: np.zeros(3) for name in ("nose", "ear_l", "tail_base", "hip", "knee", "paw", "back")})
    with pytest.raises(ConfigError) as caught:
        joint_angles(mouse)
    line = str(caught.value)
    assert "nose, ear_l, tail_base, hip, knee, paw, ..." in line
    for name in ("COCO-17", "HALPE-26", "BODY-25", "BODY-25B"):
        assert name in line
    assert "\n" not in line


def test_missing_points_leave_gaps_only_where_they_take_part(make_points, standing):
    xyz = np.repeat(np.stack(list(standing.values()))[None, None], 4, axis=0)
    names = list(standing)
    xyz[1, 0, names.index("LAnkle")] = np.nan
    xyz[2, 0, names.index("RHip")] = np.nan
    xyz[3] = np.nan
    found = joint_angles(make_points.xyz(xyz, names))
    gaps = {
        frame: {n for n, v in zip(found.names, found.deg[frame, 0], strict=True) if np.isnan(v)} for frame in range(4)
    }
    assert gaps[0] == set()
    assert gaps[1] == {"knee_flexion_l", "ankle_dorsiflexion_l"}
    hips = {"hip_flexion_trunk", "hip_adduction", "knee_flexion", "shoulder_flexion"}
    assert gaps[2] == {f"{name}_{side}" for name in hips for side in "lr"}
    assert gaps[3] == set(found.names)


def test_an_arm_along_the_line_of_the_shoulders_has_no_flexion(make_points, standing):
    for deg, defined in ((80, True), (90, False), (93, False), (100, True)):
        p = turned(standing, ["LElbow", "LWrist"], "LShoulder", [1, 0, 0], deg)
        found = angles_of(make_points, p)
        assert np.isfinite(found["shoulder_flexion_l"]) == defined
        assert found["elbow_flexion_l"] == pytest.approx(0, abs=1e-9)


def test_the_table_of_definitions_is_whole():
    assert len({angle.name for angle in HUMAN_ANGLES}) == len(HUMAN_ANGLES)
    for angle in HUMAN_ANGLES:
        low, high = angle.range_deg
        assert low < high
        assert f"``{angle.name}``" in joint_angles.__doc__
        assert all(keypoint.startswith("R") for keypoint in angle.needs("R") if keypoint[1:] not in angle.both_sides)
