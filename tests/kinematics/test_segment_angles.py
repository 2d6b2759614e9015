"""Segment frames and Cardan angles: exact against Vicon's own numbers, and by the definition."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pose3d.io.c3d import read_c3d
from pose3d.kinematics import segments
from pose3d.kinematics.segments import (
    CARDAN_JOINTS,
    cardan_angles,
    joint_cardan_angles,
    lab_heading,
    segment_frames,
)

TRIALS = [
    *(f"plug-in-gait/PiG_{name}-FlatFoot-Full.c3d" for name in ("Motion", "Calibration")),
    *(
        f"children/{child}/{kind}_{child}{number}.c3d"
        for child, numbers in {
            "HC002D": ("02", "06", "25"),
            "HC030A": ("01", "05", "22"),
            "HC032A": ("01", "03", "18"),
            "HC039A": ("01", "17", "31"),
        }.items()
        for kind, number in zip(("Static", "Straight", "Turn"), numbers, strict=True)
    ),
]


def computed(recording):
    points = recording.named()
    frames = segment_frames(points)
    return joint_cardan_angles(frames, lab_heading(points["PELO"], frames["PEL"][..., 0]))


def differences(recording, angles):
    """Yield (name, how far each frame lies from what the system stored, frames in which it stored a number)."""
    for joint in CARDAN_JOINTS:
        for side in "LR":
            for column, component in enumerate(joint.components):
                name = f"{component.name}_{side.lower()}"
                stored = recording.angles[side + joint.stored][:, column]
                yield name, np.abs((angles[name] - stored + 180) % 360 - 180), np.isfinite(stored)


@pytest.mark.parametrize("trial", TRIALS)
def test_angles_are_those_of_vicon(recordings, trial):
    recording = read_c3d(recordings / "gait-lab" / trial)
    compared = 0
    for name, away, stored in differences(recording, computed(recording)):
        assert np.isfinite(away[stored]).all(), name
        assert away[stored].max() < 1e-3, name
        compared += stored.sum()
    assert compared > 60 * recording.points.n_frames  # 68 angles; the head is hidden now and then


@pytest.mark.parametrize("order", [order for order in map("".join, permutations("XYZ")) if order != "YXZ"])
def test_another_order_of_turns_is_found_out(recordings, monkeypatch, order):
    recording = read_c3d(recordings / "gait-lab" / TRIALS[0])
    wrong = tuple(
        segments.CardanJoint(j.name, j.proximal, j.distal, order, j.components, j.stored) for j in CARDAN_JOINTS
    )
    monkeypatch.setattr(segments, "CARDAN_JOINTS", wrong)
    away = {name: value[stored].max() for name, value, stored in differences(recording, computed(recording))}
    for joint in ("hip", "knee", "ankle"):
        assert max(value for name, value in away.items() if name.startswith(joint)) > 0.1


@given(st.permutations("XYZ"), st.integers(0, 10_000))
def test_angles_are_intrinsic_turns_in_their_order(order, seed):
    rng = np.random.default_rng(seed)
    turns = rng.uniform([-180, -89, -180], [180, 89, 180], (7, 3))
    proximal = Rotation.random(7, rng=rng).as_matrix()
    distal = proximal @ Rotation.from_euler("".join(order), turns, degrees=True).as_matrix()
    np.testing.assert_allclose(cardan_angles(proximal, distal, "".join(order)), turns, atol=1e-9)


def test_a_locked_joint_and_a_missing_frame_have_no_angles():
    proximal = np.broadcast_to(np.eye(3), (3, 3, 3))
    distal = Rotation.from_euler("YXZ", [[30, 90, 0], [0, 0, 0], [10, 20, 30]], degrees=True).as_matrix()
    distal[1] = np.nan
    found = cardan_angles(proximal, distal, "YXZ")
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], [10, 20, 30])


def test_a_mirrored_body_has_the_same_angles_with_the_sides_exchanged():
    rng = np.random.default_rng(4)
    names = [
        "PEL",
        "TRX",
        "HED",
        *(side + segment for side in "LR" for segment in ("FE", "TI", "FO", "HU", "RA", "HN")),
    ]
    frames = dict(zip(names, Rotation.random(len(names), rng=rng).as_matrix()[:, None], strict=True))
    mirror = np.diag([1.0, -1.0, 1.0])
    swapped = {name: {"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:] for name in names}
    mirrored = {swapped[name]: mirror @ frame @ mirror for name, frame in frames.items()}
    before, after = (joint_cardan_angles(each, np.eye(3)) for each in (frames, mirrored))
    assert len(before) == 2 * sum(len(joint.components) for joint in CARDAN_JOINTS)
    for name, value in before.items():
        other = after[f"{name[:-1]}{'r' if name[-1] == 'l' else 'l'}"]
        assert abs((value - other + 180) % 360 - 180).max() < 1e-9, name


def test_frames_come_from_named_ends_of_axes_only():
    points = {f"PEL{end}": np.eye(4, 3, k=-1)[None, i] * 10 for i, end in enumerate("OALP")}
    points |= {"LFEO": np.zeros((1, 3)), "O": np.zeros((1, 3)), "NOSEO": np.zeros((1, 3))}
    (name, frame), *more = segment_frames(points).items()
    assert (name, more) == ("PEL", [])
    np.testing.assert_array_equal(frame[0], np.eye(3))
    points["PELL"] = np.full((1, 3), np.nan)
    assert np.isnan(segment_frames(points)["PEL"]).all()


@pytest.mark.parametrize(
    ("way", "faces", "x"),
    [
        ([3000, 100, 0], [0, 1, 0], [1, 0, 0]),
        ([100, -3000, 0], [0, 1, 0], [0, -1, 0]),
        ([20, 10, 0], [0.3, -0.9, 0.1], [0, -1, 0]),  # stands: where the pelvis faces
    ],
)
def test_heading_is_the_nearest_axis_of_the_laboratory(way, faces, x):
    origin = np.linspace([0, 0, 900], np.array([0, 0, 900]) + way, 5)
    origin[2] = np.nan
    heading = lab_heading(origin, np.broadcast_to(faces, (5, 3)))
    np.testing.assert_array_equal(heading[:, 0], x)
    np.testing.assert_array_equal(heading[:, 2], [0, 0, 1])
    assert np.linalg.det(heading) == 1
    assert np.isnan(lab_heading(np.full((5, 3), np.nan), np.full((5, 3), np.nan))).all()


def test_without_a_heading_nothing_is_measured_against_the_laboratory():
    frames = {name: np.eye(3)[None] for name in ("PEL", "LFE", "LFO")}
    assert set(joint_cardan_angles(frames)) == {"hip_flexion_l", "hip_adduction_l", "hip_rotation_l"}
    assert {"pelvis_tilt_r", "foot_progression_l"} <= set(joint_cardan_angles(frames, np.eye(3)))


FORWARDS, RIGHTWARDS, LEFT_TURN = [0, 1, 0], [1, 0, 0], [0, 0, 1]  # how the top of a segment goes; or its front


@pytest.mark.parametrize(
    ("segment", "about", "angle", "sign"),
    [
        ("PEL", FORWARDS, "pelvis_tilt_r", 1),
        ("PEL", RIGHTWARDS, "pelvis_obliquity_r", -1),
        ("PEL", LEFT_TURN, "pelvis_rotation_r", 1),
        ("RFE", FORWARDS, "hip_flexion_r", -1),  # the top forwards is the knee backwards
        ("RFE", RIGHTWARDS, "hip_adduction_r", 1),
        ("RFE", LEFT_TURN, "hip_rotation_r", 1),
        ("RTI", FORWARDS, "knee_flexion_r", 1),
        ("RTI", RIGHTWARDS, "knee_adduction_r", 1),
        ("RTI", LEFT_TURN, "knee_rotation_r", 1),
        ("RFO", FORWARDS, "ankle_dorsiflexion_r", -1),  # toes down
        ("RFO", RIGHTWARDS, "ankle_adduction_r", -1),  # the inner edge up: inversion
        ("RFO", LEFT_TURN, "ankle_rotation_r", 1),
        ("RFO", FORWARDS, "foot_pitch_r", 1),
        ("RFO", RIGHTWARDS, "foot_roll_r", 1),
        ("RFO", LEFT_TURN, "foot_progression_r", 1),
        ("TRX", FORWARDS, "thorax_tilt_r", 1),
        ("TRX", RIGHTWARDS, "thorax_obliquity_r", -1),
        ("TRX", LEFT_TURN, "thorax_rotation_r", 1),
        ("TRX", FORWARDS, "spine_flexion_r", 1),
        ("TRX", RIGHTWARDS, "spine_lateral_r", 1),
        ("PEL", LEFT_TURN, "spine_rotation_r", 1),
        ("HED", FORWARDS, "head_tilt_r", -1),
        ("HED", RIGHTWARDS, "head_obliquity_r", -1),
        ("HED", LEFT_TURN, "head_rotation_r", 1),
        ("HED", FORWARDS, "neck_flexion_r", 1),
        ("HED", RIGHTWARDS, "neck_lateral_r", 1),
        ("TRX", LEFT_TURN, "neck_rotation_r", 1),
        ("RHU", FORWARDS, "shoulder_flexion_r", -1),
        ("RHU", RIGHTWARDS, "shoulder_abduction_r", -1),
        ("RHU", LEFT_TURN, "shoulder_rotation_r", 1),
    ],
)
def test_signs_are_what_the_table_says(recordings, segment, about, angle, sign):
    """Somebody stands; one segment is turned by 10 degrees, and the angle goes as its description says."""
    recording = read_c3d(recordings / "gait-lab" / "children/HC030A/Static_HC030A01.c3d")
    frames = segment_frames(recording.named())
    heading = lab_heading(recording.named()["PELO"], frames["PEL"][..., 0])
    stands = {name: (heading.T @ frame[150])[None] for name, frame in frames.items()}
    turned = dict(stands)
    turned[segment] = Rotation.from_rotvec(np.deg2rad(10) * np.array(about)).as_matrix() @ stands[segment]
    before, after = (joint_cardan_angles(each, np.eye(3))[angle][0] for each in (stands, turned))
    change = (after - before + 180) % 360 - 180
    assert np.sign(change) == sign
    assert 4 < abs(change) < 13
