"""From points and angles to cycles, on real walks and made ones."""

import numpy as np
import pytest

from pose3d.data import Skeleton
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.io.c3d import read_c3d
from pose3d.io.norms import read_norms
from pose3d.kinematics.cycles import summarize_cycles
from pose3d.kinematics.gait import foot_points, measure_gait
from pose3d.kinematics.gait_events import find_events
from pose3d.kinematics.gait_scores import gait_profile
from pose3d.kinematics.segments import joint_cardan_angles, lab_heading, segment_frames


def whole_chain(recording, events=None):
    points, fps, start = recording.named(), recording.points.fps, recording.points.start
    names = foot_points(recording.points.keypoints)
    low = design_butterworth(7.0, fps=fps)

    def smooth(xyz):
        return butterworth_filter(xyz, low).values

    heels, toes = ({side: smooth(points[name]) for side, name in part.items()} for part in (names.heels, names.toes))
    pelvis = smooth(np.mean([points[name] for name in names.pelvis], axis=0))
    if events is None:
        events = find_events(heels, toes, pelvis, fps=fps, start=start)
    frames = segment_frames(points)
    angles = joint_cardan_angles(frames, lab_heading(points["PELO"], frames["PEL"][..., 0]))
    return measure_gait(events, {side: points[name] for side, name in names.toes.items()}, angles, fps=fps, start=start)


@pytest.mark.parametrize(
    "trial",
    [
        "plug-in-gait/PiG_Motion-FlatFoot-Full.c3d",
        "children/HC002D/Straight_HC002D06.c3d",
        "children/HC030A/Straight_HC030A05.c3d",
        "children/HC032A/Straight_HC032A03.c3d",
        "children/HC039A/Straight_HC039A17.c3d",
    ],
)
def test_found_events_measure_as_the_laboratorys_own_do(recordings, trial):
    recording = read_c3d(recordings / "gait-lab" / trial)
    own, theirs = whole_chain(recording), whole_chain(recording, recording.events)
    assert own.n_kept >= theirs.n_kept >= 2
    for side in "LR":
        a, b = own.sides[side], theirs.sides[side]
        if not b.strides.kept.any():
            continue
        for name, allowed in (("stride_time", 0.04), ("stride_length", 0.02), ("foot_off", 4.0), ("speed", 0.05)):
            here, there = (g.parameters[name][g.strides.kept].mean() for g in (a, b))
            assert abs(here - there) < allowed, name
        ending = f"_{side.lower()}"
        # 15 ms are 6 degrees where the knee is fastest.
        for name, allowed in (("knee_flexion", 5.0), ("hip_flexion", 2.0), ("ankle_dorsiflexion", 3.0)):
            here, there = (summarize_cycles(g.cycles[name + ending]).mean for g in (a, b))
            assert np.sqrt(np.mean((here - there) ** 2)) < allowed, name


def test_children_without_complaints_are_near_the_norm(recordings):
    norms = read_norms(recordings / "norms" / "Schwartz2008.json", group="Free")
    for child, number in (("HC002D", "06"), ("HC030A", "05"), ("HC032A", "03"), ("HC039A", "17")):
        gait = whole_chain(read_c3d(recordings / "gait-lab" / "children" / child / f"Straight_{child}{number}.c3d"))
        means = {
            name: summarize_cycles(cycles).mean for side in gait.sides.values() for name, cycles in side.cycles.items()
        }
        profile = gait_profile(means, norms.means())
        assert profile.name == "GPS"
        assert 3 < profile.overall < 10, child  # healthy people have 5 to 6 degrees
        mirrored = dict(means, **{f"knee_flexion_{s}": -means[f"knee_flexion_{s}"] for s in "lr"})
        assert gait_profile(mirrored, norms.means()).overall > profile.overall + 5


def turning_walk():
    time = np.arange(0, 601) / 100
    heading = np.deg2rad(np.clip(60 * (time - 2), 0, 90))  # straight, 90 degrees within 1.5 s, straight
    step = np.stack([np.cos(heading), np.sin(heading), 0 * heading], -1) * 12.0
    way = np.cumsum(step, axis=0)
    strikes = np.arange(0, 6.01)
    events = LimbEvents.from_times(
        [
            ("L", STRIKE, strikes),
            ("R", OFF, strikes[:-1] + 0.1),
            ("R", STRIKE, strikes[:-1] + 0.5),
            ("L", OFF, strikes[:-1] + 0.6),
        ]
    )
    return events, {"L": way, "R": way + np.array([0, 100, 0])}, time


def test_strides_in_a_turn_are_counted_out_and_say_so():
    events, feet, time = turning_walk()
    angles = {"knee_flexion_l": 10 * time, "knee_flexion_r": time, "trunk": time}
    gait = measure_gait(events, feet, angles, fps=100.0)
    left = gait.sides["L"].strides
    assert left.kept.tolist() == [True, True, False, False, True, True]
    assert {reason for reason in left.reasons if reason} == {"turns by more than 20 degrees"}
    assert set(gait.sides["L"].cycles) == {"knee_flexion_l"}
    assert gait.sides["L"].cycles["knee_flexion_l"].shape == (4, 101)
    everything = measure_gait(events, feet, angles, fps=100.0, most_turn_deg=None)
    assert everything.sides["L"].strides.kept.all()


def test_angles_that_pass_180_degrees_are_whole_cycles():
    events, feet, time = turning_walk()
    steady = 170 + 20 * np.sin(2 * np.pi * time)
    jumping = (steady + 180) % 360 - 180
    jumping[150:160] = np.nan
    gait = measure_gait(events, feet, {"pelvis_rotation_l": jumping}, fps=100.0, most_turn_deg=None)
    cycles = gait.sides["L"].cycles["pelvis_rotation_l"]
    true = 170 + 20 * np.sin(np.linspace(0, 2 * np.pi, 101))
    away = cycles - true
    assert np.isnan(cycles[1, 48:60]).any()
    np.testing.assert_allclose((away + 180) % 360 - 180, np.where(np.isnan(away), np.nan, 0), atol=1e-6)
    assert np.nanmax(np.abs(np.diff(cycles))) < 5
    steady[: len(steady) * 6 // 10] = np.nan  # most of it, before the first frame that is seen
    late = measure_gait(events, feet, {"pelvis_rotation_l": steady + 30}, fps=100.0, most_turn_deg=None)
    np.testing.assert_allclose(late.sides["L"].cycles["pelvis_rotation_l"][-1], true + 30, atol=1e-6)


def test_samples_are_measured_at_once():
    events, feet, time = turning_walk()
    noise = np.random.default_rng(0).normal(0, 5, (7, *feet["L"].shape))
    many = {side: xyz + noise for side, xyz in feet.items()}
    gait = measure_gait(events, many, {"knee_flexion_l": np.tile(time, (7, 1))}, fps=100.0, most_turn_deg=None)
    assert gait.sides["L"].parameters["stride_length"].shape == (7, 6)
    assert gait.sides["L"].cycles["knee_flexion_l"].shape == (7, 6, 101)


@pytest.mark.parametrize("preset", ["halpe26", "body25", "body25b", "blazepose33"])
def test_skeletons_with_feet_can_be_measured(preset):
    found = foot_points(Skeleton.preset(preset).keypoints)
    assert found.heels == {"L": "LHeel", "R": "RHeel"}
    assert found.toes == {"L": "LBigToe", "R": "RBigToe"}
    assert found.pelvis == ("LHip", "RHip")


def test_a_skeleton_without_feet_cannot():
    with pytest.raises(DataError, match="both heels"):
        foot_points(Skeleton.preset("coco17").keypoints)
    with pytest.raises(DataError, match="both toes"):
        foot_points(["LHeel", "RHeel", "LHip", "RHip", "LBigToe"])
    with pytest.raises(DataError, match="hips"):
        foot_points(["LHEE", "RHEE", "LTOE", "RTOE", "LASI"])


def test_a_stride_in_which_a_foot_is_out_of_view_does_not_count():
    events, feet, _ = turning_walk()
    # Out of view around a strike: two strides of the left look like one, with one off and one strike of the right.
    hidden = feet["L"].copy()
    hidden[360:460] = np.nan
    seen = LimbEvents.from_times(
        [
            (limb, kind, [t for t in events.times(limb, kind) if not 3.55 < t < 4.55])
            for limb in "LR"
            for kind in (STRIKE, OFF)
        ]
    )
    gait = measure_gait(seen, {**feet, "L": hidden}, {}, fps=100.0, most_turn_deg=None)
    left = gait.sides["L"].strides
    assert left.start_s.tolist() == [0, 1, 2, 3, 5]
    assert left.reasons == ("", "", "", "a foot is out of view for part of it", "")
    assert measure_gait(seen, feet, {}, fps=100.0, most_turn_deg=None).sides["L"].strides.kept.all()
    short = feet["L"].copy()
    short[320:349] = np.nan  # hides no stride
    assert measure_gait(events, {**feet, "L": short}, {}, fps=100.0, most_turn_deg=None).sides["L"].strides.kept.all()
    later = measure_gait(seen, {"L": hidden[100:], "R": feet["R"][100:]}, {}, fps=100.0, start=100, most_turn_deg=None)
    assert later.sides["L"].strides.kept.tolist() == [True, True, True, False, True]
