import numpy as np
import pytest

from pose3d.data import Skeleton
from pose3d.errors import DataError
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.centre_of_mass import centre_of_mass, segment_masses


def person():
    """Somebody who stands with arms down, mm."""
    points = {"Head": [0, 0, 1750], "Neck": [0, 0, 1480], "Nose": [90, 0, 1620]}
    for side, y in (("L", 1), ("R", -1)):
        points |= {
            side + name: [x, y * out, z]
            for name, x, out, z in (
                *(("Ear", 0, 75, 1640), ("Shoulder", 0, 180, 1450), ("Elbow", 0, 190, 1150), ("Wrist", 20, 195, 890)),
                *(("Hip", 0, 90, 920), ("Knee", 0, 92, 500), ("Ankle", 0, 95, 80), ("Heel", -60, 95, 20)),
                ("BigToe", 180, 100, 15),
            )
        }
    return {name: np.array(xyz, dtype=float) for name, xyz in points.items()}


@pytest.mark.parametrize("sex", ["male", "female", "mean"])
def test_masses_add_up_to_one(sex):
    masses = segment_masses(sex)
    once = ("head", "trunk")
    assert sum(part.mass * (1 if name in once else 2) for name, part in masses.items()) == pytest.approx(1, abs=1e-12)
    assert all(0 < part.centre < 1.3 for part in masses.values())
    with pytest.raises(ValueError, match="male, female, mean"):
        segment_masses("child")


def test_somebody_who_stands():
    found = centre_of_mass(person())
    assert found.instead == ()
    x, y, z = found.xyz
    assert abs(x) < 15
    assert y == pytest.approx(0, abs=1e-9)
    assert 0.53 < z / 1750 < 0.58  # of the height, as textbooks have it
    male, female = (centre_of_mass(person(), sex=sex).xyz[2] for sex in ("male", "female"))
    assert 1 < abs(female - male) < 15  # mm: the tables differ, but not by much


def test_it_moves_with_the_body_and_by_its_parts():
    points, masses = person(), segment_masses()
    before = centre_of_mass(points).xyz
    moved = centre_of_mass({name: xyz + np.array([100, -50, 20]) for name, xyz in points.items()}).xyz
    np.testing.assert_allclose(moved - before, [100, -50, 20])
    raised = dict(points, LKnee=points["LKnee"] + [100, 0, 0])
    shift = (masses["thigh"].mass * masses["thigh"].centre + masses["shank"].mass * (1 - masses["shank"].centre)) * 100
    np.testing.assert_allclose(centre_of_mass(raised).xyz - before, [shift, 0, 0], atol=1e-9)


def test_leading_axes_are_free_and_gaps_stay():
    points = {name: np.broadcast_to(xyz, (4, 6, 3)).copy() for name, xyz in person().items()}
    points["RWrist"][2, 3] = np.nan
    found = centre_of_mass(points).xyz
    assert found.shape == (4, 6, 3)
    assert np.argwhere(np.isnan(found[..., 0])).tolist() == [[2, 3]]


def test_what_a_skeleton_does_not_have_is_said():
    points = person()
    few = {
        name: xyz for name, xyz in points.items() if name[1:] not in ("Heel", "BigToe") and name not in ("Head", "Neck")
    }
    found = centre_of_mass(few)
    assert found.instead == ("the ears for the head", "the ankles for the feet")
    assert np.linalg.norm(found.xyz - centre_of_mass(points).xyz) < 15
    only = {name: xyz for name, xyz in few.items() if name[1:] != "Ear"}
    assert centre_of_mass(only).instead[0] == "the nose for the head"
    del only["Nose"]
    with pytest.raises(DataError, match="the head"):
        centre_of_mass(only)
    with pytest.raises(DataError, match="needs LWrist, RWrist"):
        centre_of_mass({name: xyz for name, xyz in points.items() if name[1:] != "Wrist"})
    for preset in ("coco17", "halpe26", "body25", "body25b", "blazepose33"):
        centre_of_mass({name: np.zeros(3) for name in Skeleton.preset(preset).keypoints})


@pytest.mark.parametrize(
    "trial",
    [
        "plug-in-gait/PiG_Motion-FlatFoot-Full.c3d",
        "children/HC002D/Straight_HC002D06.c3d",
        "children/HC030A/Straight_HC030A05.c3d",
    ],
)
def test_it_goes_with_that_of_plug_in_gait(recordings, trial):
    """Plug-in Gait has other masses and another trunk: the places differ by a constant, the motion does not."""
    points = read_c3d(recordings / "gait-lab" / trial).named()
    ends = {"Hip": "FEP", "Knee": "FEO", "Ankle": "TIO", "Shoulder": "HUP", "Elbow": "HUO", "Wrist": "RAO"}
    ends |= {"Heel": "HEE", "BigToe": "TOE"}
    named = {side + name: points[side + end] for side in "LR" for name, end in ends.items()}
    named |= {side + "Ear": (points[side + "FHD"] + points[side + "BHD"]) / 2 for side in "LR"}
    away = centre_of_mass(named).xyz - points["CentreOfMass"]
    assert np.linalg.norm(np.nanmean(away, axis=0)) < 45
    assert np.nanstd(away, axis=0).max() < 5
