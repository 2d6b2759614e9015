"""Offsets of a static trial: how much nearer to Plug-in Gait they bring the angles of keypoints, and how much not."""

import numpy as np
import pytest

from pose3d.data import JointAngles
from pose3d.errors import DataError
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.human import human_angles
from pose3d.kinematics.static_offsets import static_offsets, subtract_offsets

CENTRES = {"Hip": "FEP", "Knee": "FEO", "Ankle": "TIO", "Heel": "HEE", "BigToe": "TOE", "Shoulder": "HUP"}
PEOPLE = {  # static trial, walk
    **{
        child: (f"children/{child}/Static_{child}{a}.c3d", f"children/{child}/Straight_{child}{b}.c3d")
        for child, a, b in (
            *(("HC002D", "02", "06"), ("HC030A", "01", "05"), ("HC032A", "01", "03"), ("HC039A", "01", "17")),
        )
    },
    "adult": tuple(f"plug-in-gait/PiG_{name}-FlatFoot-Full.c3d" for name in ("Calibration", "Motion")),
}


def made(values, names, individuals=("one",)):
    return JointAngles(np.asarray(values, dtype=float)[:, None], names, individuals, fps=100.0)


def standing(rng, n=200, sway=0.5):
    return made(np.array([12.0, -4.0, 20.0]) + rng.normal(0, sway, (n, 3)), ("hip_l", "ankle_l", "knee_l"))


def test_offsets_are_those_of_the_quiet_frames():
    static = standing(np.random.default_rng(0))
    deg = static.deg.copy()
    deg[:40] += 30  # the person comes to stand
    deg[50:60] = np.nan
    moved = JointAngles(deg, static.names, static.individuals)
    found = static_offsets(moved, only=())
    assert found == pytest.approx({"hip_l": 12, "ankle_l": -4, "knee_l": 20}, abs=0.2)
    assert set(static_offsets(moved, only=("hip", "knee_l"))) == {"hip_l", "knee_l"}
    assert set(static_offsets(moved, only=("knee_l", "elbow"))) == {"knee_l"}


def test_a_static_trial_that_moves_is_refused():
    static = standing(np.random.default_rng(0))
    deg = static.deg.copy()
    deg[:, 0, 2] += 20 * np.sin(np.arange(200) / 20)
    squat = JointAngles(deg, static.names, static.individuals)
    with pytest.raises(DataError, match="moves: knee_l"):
        static_offsets(squat, only=())
    assert set(static_offsets(squat, only=("hip",))) == {"hip_l"}  # what is not asked for may move
    with pytest.raises(DataError, match="none of the angles elbow"):
        static_offsets(static, only=("elbow",))
    deg[5:, 0, 0] = np.nan
    with pytest.raises(DataError, match="hip_l in 5 frames"):
        static_offsets(JointAngles(deg, static.names, static.individuals), only=())


def test_what_was_subtracted_bears_a_mark():
    rng = np.random.default_rng(1)
    static, walk = standing(rng), standing(rng, sway=20)
    found = subtract_offsets(walk, static_offsets(static, only=("hip", "ankle")))
    assert found.names == ("hip_from_static_l", "ankle_from_static_l", "knee_l")
    np.testing.assert_allclose(walk.deg[:, 0, 0] - found.deg[:, 0, 0], 12, atol=0.2)
    np.testing.assert_array_equal(found.deg[..., 2], walk.deg[..., 2])
    with pytest.raises(DataError, match="already"):
        subtract_offsets(found, {"knee_l": 3.0})
    with pytest.raises(DataError, match="none of the angles"):
        subtract_offsets(walk, {"elbow_l": 3.0})


@pytest.fixture(scope="module")
def beside_vicon(recordings):
    """RMSE of each leg: raw, against Plug-in Gait's angle, and against its change from standing."""
    errors = {}
    for paths in PEOPLE.values():
        ours, theirs = [], []
        for path in paths:
            recording = read_c3d(recordings / "gait-lab" / path)
            points = recording.named()
            angles = human_angles({s + j: points[s + end] for s in "LR" for j, end in CENTRES.items()})
            ours.append(made(np.stack(list(angles.values()), -1), tuple(angles)))
            theirs.append(recording.angles)
        offsets = static_offsets(ours[0], only=("hip_flexion_trunk", "ankle_dorsiflexion", "knee_flexion"))
        found = subtract_offsets(ours[1], offsets)
        for variable, stored in (
            ("hip_flexion_trunk", "Hip"),
            ("ankle_dorsiflexion", "Ankle"),
            ("knee_flexion", "Knee"),
        ):
            for side in "lr":
                deg = found.deg[:, 0, found.names.index(f"{variable}_from_static_{side}")]
                raw = ours[1].deg[:, 0, ours[1].names.index(f"{variable}_{side}")]
                stands, walks = (each[f"{side.upper()}{stored}Angles"][:, 0] for each in theirs)
                away = (raw - walks, deg - walks, deg - (walks - np.nanmedian(stands)))
                errors.setdefault(variable, []).append([np.sqrt(np.nanmean(each**2)) for each in away])
    return {name: np.array(legs) for name, legs in errors.items()}


def test_the_ankle_gains_most(beside_vicon):
    raw, absolute, change = beside_vicon["ankle_dorsiflexion"].mean(0)
    assert len(beside_vicon["ankle_dorsiflexion"]) == 10
    assert 4 < raw < 5
    assert change < 1.0
    assert absolute < 3.2
    assert beside_vicon["ankle_dorsiflexion"][:, 2].max() < 1.3


def test_the_hip_gains_but_stays_apart(beside_vicon):
    raw, absolute, change = beside_vicon["hip_flexion_trunk"].mean(0)
    assert raw > 10
    assert absolute < 5.2
    assert change < 6.3
    assert beside_vicon["hip_flexion_trunk"].max(0)[1] > 5  # what the documentation warns of


def test_the_knee_needs_none(beside_vicon):
    raw, absolute, change = beside_vicon["knee_flexion"].mean(0)
    assert raw < 0.6
    assert change < 0.6
    assert absolute > 3
