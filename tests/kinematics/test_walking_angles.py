"""Angles against the floor and the way: signs by turning a person, errors of definition against Plug-in Gait."""

import logging

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.data import Keypoints3D, Skeleton
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.observable import NOT_OBSERVABLE, body_angles, unobservable
from pose3d.kinematics.segments import CARDAN_JOINTS, cardan_angles, lab_heading, segment_frames
from pose3d.kinematics.walking_angles import WALKING_ANGLES, walking_angles, walking_angles_of, walking_frame

FPS = 50.0
CENTRES = {"Hip": "FEP", "Knee": "FEO", "Ankle": "TIO", "Heel": "HEE", "BigToe": "TOE", "Shoulder": "HUP"}
STRAIGHT = [
    *("plug-in-gait/PiG_Motion-FlatFoot-Full.c3d", "plug-in-gait/PiG_Motion3_FF.c3d"),
    *(
        f"children/{child}/Straight_{child}{n}.c3d"
        for child, n in {"HC002D": "06", "HC030A": "05", "HC032A": "03", "HC039A": "17"}.items()
    ),
]
STORED = {  # of the 8: what is stored, its column, our sign beside it
    "pelvis_obliquity": ("PelvisAngles", 1, 1),
    "pelvis_rotation": ("PelvisAngles", 2, 1),
    "hip_rotation": ("HipAngles", 2, 1),
    "foot_progression": ("FootProgressAngles", 2, 1),
    "foot_pitch": ("FootProgressAngles", 0, 1),
    "trunk_lean": ("ThoraxAngles", 0, 1),
    "trunk_sway": ("ThoraxAngles", 1, -1),
    "trunk_rotation": ("ThoraxAngles", 2, 1),
}


def moving(person, xy, deg=0.0, turn=None):
    """Carry a person along xy (n, 2), turned to deg (n,), after a turn of its own."""
    body = {name: at if turn is None else turn(name, at) for name, at in person.items()}
    turns = Rotation.from_euler("z", (np.zeros(len(xy)) + deg)[:, None], degrees=True)
    way = np.column_stack([xy, np.zeros(len(xy))])
    return {name: turns.apply(at) + way for name, at in body.items()}


def along(deg, seconds=3.0, speed=1200.0):
    s = speed * np.arange(round(seconds * FPS)) / FPS
    return np.stack([s * np.cos(np.deg2rad(deg)), s * np.sin(np.deg2rad(deg))], -1)


def found_in(points, fps=FPS):
    names = list(points)
    made = Keypoints3D.from_points(np.stack(list(points.values()), axis=1)[:, None], names, ("one",), fps=fps)
    angles = walking_angles(made)
    return dict(zip(angles.names, angles.deg[:, 0].T, strict=True))


def about(axis, deg, *parts, origin=(0, 0, 950)):
    turn, origin = Rotation.from_rotvec(np.deg2rad(deg) * np.array(axis, dtype=float)), np.array(origin, dtype=float)
    return lambda name, at: turn.apply(at - origin) + origin if any(part in name for part in parts) else at


@pytest.mark.parametrize("deg", [0.0, 77.0, -160.0])
def test_a_walker_who_stands_straight_is_at_zero_along_any_way(standing, deg):
    found = found_in(moving(standing, along(deg), deg))
    assert {name[:-2] for name in found} == {angle.name for angle in WALKING_ANGLES}
    for name, values in found.items():
        if name.startswith("hip_rotation"):
            assert np.isnan(values).all()  # straight knees do not show it
        else:
            np.testing.assert_allclose(values, -90 if name.startswith("foot_pitch") else 0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("turn", "left", "right"),
    [
        (about([1, 0, 0], 8, "Hip"), {"pelvis_obliquity": 8}, {"pelvis_obliquity": -8}),
        (about([0, 0, 1], 9, "Hip"), {"pelvis_rotation": -9}, {"pelvis_rotation": 9}),
        (about([0, 1, 0], 12, "Shoulder"), {"trunk_lean": 12}, {"trunk_lean": 12}),
        (about([1, 0, 0], -7, "Shoulder"), {"trunk_sway": 7}, {"trunk_sway": -7}),
        (about([0, 0, 1], -6, "Shoulder"), {"trunk_rotation": 6}, {"trunk_rotation": -6}),
        (about([0, 0, 1], 11, "RHeel", "RBig", origin=(0, -100, 30)), {}, {"foot_progression": 11}),
        (about([0, 0, 1], -11, "LHeel", "LBig", origin=(0, 100, 30)), {"foot_progression": 11}, {}),
        (about([0, 1, 0], 25, "LHeel", "LBig", origin=(0, 100, 30)), {"foot_pitch": -65}, {"foot_pitch": -90}),
    ],
)
def test_a_turn_shows_with_its_sign_on_either_side(standing, turn, left, right):
    found = found_in(moving(standing, along(33), 33, turn))
    for side, expected in (("l", left), ("r", right)):
        for angle in WALKING_ANGLES:
            if angle.name == "hip_rotation":
                continue
            rest = -90 if angle.name == "foot_pitch" else 0
            values = found[f"{angle.name}_{side}"]
            np.testing.assert_allclose(values, expected.get(angle.name, rest), atol=1e-6, err_msg=angle.name)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(("bent", "shown"), [(25.0, False), (35.0, True), (90.0, True), (155.0, False)])
def test_a_bent_knee_shows_the_rotation_of_the_hip(standing, side, bent, shown):
    hip, knee = standing[f"{side}Hip"], standing[f"{side}Knee"]
    flex = Rotation.from_euler("y", bent, degrees=True)
    for internal in (-20.0, 15.0):
        inwards = Rotation.from_euler("z", internal if side == "R" else -internal, degrees=True)
        person = dict(standing)
        person[f"{side}Ankle"] = knee + flex.apply(standing[f"{side}Ankle"] - knee)
        person[f"{side}Ankle"] = hip + inwards.apply(person[f"{side}Ankle"] - hip)
        found = walking_angles_of({name: at[None] for name, at in person.items()}, None)
        assert set(found) == {"hip_rotation_l", "hip_rotation_r"}
        value = found[f"hip_rotation_{side.lower()}"]
        np.testing.assert_allclose(value, [internal if shown else np.nan], atol=1e-9)


def test_a_knee_that_is_bent_the_wrong_way_shows_nothing(standing):
    knee = standing["LKnee"]
    person = dict(standing, LAnkle=knee + Rotation.from_euler("y", -40, degrees=True).apply([0, 0, -420]))
    found = walking_angles_of({name: at[None] for name, at in person.items()}, None)
    assert np.isnan(found["hip_rotation_l"]).all()


def test_backwards_standing_and_on_a_treadmill(standing):
    backwards = found_in(moving(standing, along(40), 40 + 180))
    np.testing.assert_allclose(backwards["pelvis_rotation_l"], 0, atol=1e-9)
    still = moving(standing, np.zeros((100, 2)), 25 + 5 * np.sin(np.arange(100) / 100 * 2 * np.pi))
    own = found_in(still)["pelvis_rotation_r"]
    np.testing.assert_allclose(own, 5 * np.sin(np.arange(100) / 100 * 2 * np.pi), atol=0.05)
    hips = np.zeros((100, 3))
    frame = walking_frame(hips, np.broadcast_to([0.0, 1, 0], (100, 3)), fps=FPS, belt=np.array([0.0, -900.0]))
    np.testing.assert_allclose(frame[50], np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), atol=1e-12)


def test_who_stops_keeps_the_way_that_was_walked(standing):
    xy = np.concatenate([along(20), np.broadcast_to(along(20)[-1], (150, 2))])
    found = found_in(moving(standing, xy, np.repeat([20.0, 50.0], [150, 150])))
    np.testing.assert_allclose(found["pelvis_rotation_r"][[75, 290]], [0, 30], atol=1e-6)


def test_a_turn_is_followed(standing):
    """A circle: the way is averaged over a second, and at the ends over the last one."""
    time = np.arange(300) / FPS
    direction = 30 * time
    radius = 1200 / np.deg2rad(30)
    xy = radius * np.stack([np.sin(np.deg2rad(direction)), 1 - np.cos(np.deg2rad(direction))], -1)
    found = found_in(moving(standing, xy, direction))
    assert np.abs(found["pelvis_rotation_l"][30:-30]).max() < 0.5
    assert np.abs(found["pelvis_rotation_l"]).max() < 16


def test_what_is_not_known_is_left_out_and_said(standing, caplog):
    walk = moving(standing, along(0), 0.0)
    with caplog.at_level(logging.INFO, "pose3d"):
        assert set(found_in(walk, fps=None)) == {"hip_rotation_l", "hip_rotation_r"}
        assert "the frame rate is unknown" in caplog.text
        lying = {name: xyz @ Rotation.from_euler("y", 90, degrees=True).as_matrix().T for name, xyz in walk.items()}
        assert set(found_in(lying)) == {"hip_rotation_l", "hip_rotation_r"}
        assert "Z does not point up" in caplog.text
    hidden = {name: np.where(np.arange(len(xyz))[:, None] < 40, np.nan, xyz) for name, xyz in walk.items()}
    values = found_in(hidden)["pelvis_obliquity_l"]
    assert np.isnan(values[:40]).all()
    np.testing.assert_allclose(values[40:], 0, atol=1e-9)


def named(recording):
    points = recording.named()
    return {side + joint: points[side + end] for joint, end in CENTRES.items() for side in "LR" if side + end in points}


@pytest.fixture(scope="module")
def definition_errors(recordings):
    """Mean, SD and RMSE of every leg, against the same axis of the laboratory."""
    found = {}
    for walk in STRAIGHT:
        recording = read_c3d(recordings / "gait-lab" / walk)
        points = recording.named()
        lab = lab_heading(points["PELO"], segment_frames(points)["PEL"][..., 0])
        ours = walking_angles_of(named(recording), np.broadcast_to(lab, (recording.points.n_frames, 3, 3)))
        theirs = {name.rstrip("V"): values for name, values in recording.angles.items()}
        for name, (stored, column, sign) in STORED.items():
            for side in "LR":
                if side + stored in theirs and f"{name}_{side.lower()}" in ours:
                    away = (ours[f"{name}_{side.lower()}"] - sign * theirs[side + stored][:, column] + 180) % 360 - 180
                    away = away[np.isfinite(away)]
                    found.setdefault(name, []).append((away.mean(), away.std(), np.sqrt((away**2).mean())))
    return {name: np.array(legs) for name, legs in found.items()}


@pytest.mark.parametrize(
    ("name", "n_legs", "offset", "sd", "rmse"),
    [
        ("pelvis_obliquity", 12, 1.9, 1.8, (0.95, 2.6)),
        ("pelvis_rotation", 12, 0.7, 1.0, (0.55, 1.05)),
        ("hip_rotation", 12, 20.5, 7.0, (10.6, 20.5)),
        ("foot_progression", 12, 2.8, 2.2, (2.2, 3.5)),
        ("foot_pitch", 12, 6.9, 1.3, (4.4, 6.9)),
        ("trunk_lean", 10, 13.3, 1.1, (5.6, 13.3)),
        ("trunk_sway", 10, 2.5, 1.5, (2.1, 2.9)),
        ("trunk_rotation", 10, 4.3, 1.9, (3.1, 4.5)),
    ],
)
def test_errors_of_definition_beside_plug_in_gait(definition_errors, name, n_legs, offset, sd, rmse):
    """As the table of the angles says them; a wrong sign would show as an SD of the whole motion."""
    legs = definition_errors[name]
    assert len(legs) == n_legs
    assert np.abs(legs[:, 0]).max() <= offset
    assert legs[:, 1].max() <= sd
    assert legs[:, 2].mean() <= rmse[0]
    assert legs[:, 2].max() <= rmse[1]


@pytest.mark.parametrize("walk", STRAIGHT)
def test_the_way_is_within_a_few_degrees_of_the_walkway(recordings, walk):
    recording = read_c3d(recordings / "gait-lab" / walk)
    points = recording.named()
    lab = lab_heading(points["PELO"], segment_frames(points)["PEL"][..., 0])
    hips = (points["LFEP"] + points["RFEP"]) / 2
    frame = walking_frame(hips, points["LFEP"] - points["RFEP"], fps=recording.points.fps)
    away = np.degrees(np.arccos(np.clip((lab[:, 0] * frame[..., 0]).sum(-1), -1, 1)))
    assert np.nanmax(away) < 4


def test_pelvis_is_exact_where_the_order_is_rotation_obliquity_tilt(recordings):
    """Baker (2001): in this order neither depends on the tilt, and two hip points show both."""
    recording = read_c3d(recordings / "gait-lab" / STRAIGHT[0])
    frames = segment_frames(recording.named())
    lab = lab_heading(recording.named()["PELO"], frames["PEL"][..., 0])
    rotation, obliquity, _ = np.moveaxis(
        cardan_angles(np.broadcast_to(lab, frames["PEL"].shape), frames["PEL"], "ZXY"), -1, 0
    )
    ours = walking_angles_of(named(recording), np.broadcast_to(lab, frames["PEL"].shape))
    assert np.nanmax(np.abs(ours["pelvis_rotation_r"] - rotation)) < 0.05
    assert np.nanmax(np.abs(ours["pelvis_obliquity_l"] - obliquity)) < 0.05
    assert np.nanmax(np.abs(ours["pelvis_obliquity_r"] + ours["pelvis_obliquity_l"])) < 1e-9


@pytest.mark.parametrize("preset", Skeleton.presets())
def test_every_angle_of_plug_in_gait_is_shown_or_has_a_reason(make_points, standing, preset):
    keypoints = Skeleton.preset(preset).keypoints
    walk = moving(standing, along(10), 10.0)
    nowhere = np.full((150, 3), np.nan)
    made = make_points({name: walk.get(name, nowhere) for name in keypoints}, fps=FPS)
    shown = {name[:-2] for name in body_angles(made).names}
    hidden = unobservable(keypoints)
    everything = {component.name for joint in CARDAN_JOINTS for component in joint.components}
    assert everything - shown == set(hidden)
    assert all(hidden.values())
    feet = {"ankle_dorsiflexion", "foot_pitch", "foot_progression"}
    if preset == "coco17":
        assert {hidden[name] for name in feet} == {"needs LHeel, LBigToe"}
        assert set(hidden) - feet == set(NOT_OBSERVABLE)
    else:
        assert set(hidden) == set(NOT_OBSERVABLE)


def test_nothing_is_shown_of_a_mouse():
    hidden = unobservable(["nose", "paw"])
    assert "pelvis_tilt" in hidden
    assert hidden["elbow_flexion"] == "needs LShoulder, LElbow, LWrist"
    assert len(hidden) == sum(len(joint.components) for joint in CARDAN_JOINTS)


def test_the_table_of_walking_angles_is_whole():
    names = [angle.name for angle in WALKING_ANGLES]
    assert set(names) == set(STORED)
    assert all(angle.error and angle.range_deg[0] < angle.range_deg[1] for angle in WALKING_ANGLES)
    assert not set(NOT_OBSERVABLE) & set(names)
