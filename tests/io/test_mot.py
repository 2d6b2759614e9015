"""MOT: OpenSim's names where definitions agree, numbers in every cell."""

import io

import numpy as np
import pandas as pd
import pytest

from pose3d.data import JointAngles
from pose3d.errors import DataError
from pose3d.io.mot import write_mot

NAMES = ("knee_flexion_r", "ankle_dorsiflexion_l", "elbow_flexion_l", "hip_flexion_r", "hip_flexion_trunk_l")
NAMES += ("pelvis_tilt_r", "shoulder_flexion_r", "tail bend")


def angles(deg, names, **more):
    deg = np.asarray(deg, dtype=float)
    return JointAngles(deg.reshape(len(deg), -1, len(names)), names, more.pop("individuals", ("one",)), **more)


def read(path):
    head, _, body = path.read_text().partition("endheader\n")
    return head.splitlines(), pd.read_csv(io.StringIO(body), sep="\t")


def test_names_and_header(tmp_path):
    deg = np.random.default_rng(0).normal(0, 50, (5, len(NAMES)))
    (path,) = write_mot(angles(deg, NAMES, fps=50.0, start=10), tmp_path / "a.mot")
    head, table = read(path)
    assert head[:5] == ["Coordinates", "version=1", "nRows=5", "nColumns=9", "inDegrees=yes"]
    assert list(table) == [
        *("time", "knee_angle_r", "ankle_angle_l", "elbow_flex_l", "hip_flexion_r"),
        *("hip_flexion_trunk_l", "pelvis_tilt_r", "shoulder_flexion_r", "tail_bend"),
    ]
    np.testing.assert_allclose(table["time"], np.arange(10, 15) / 50)
    np.testing.assert_allclose(table.to_numpy()[:, 1:], deg, atol=1e-6)


def test_gaps_are_filled_and_counted(tmp_path, caplog):
    nan = np.nan
    turning = [170, 175, nan, -175, -170, -165]  # across the seam at 180
    (path,) = write_mot(
        angles(np.transpose([turning, [nan, nan, 3, 5, nan, 9], [nan] * 5 + [1]]), ("a", "b", "c"), fps=1.0),
        tmp_path / "a.mot",
    )
    head, table = read(path)
    np.testing.assert_allclose(table["a"], [170, 175, -180, -175, -170, -165])
    np.testing.assert_allclose(table["b"], [3, 3, 3, 5, 7, 9])
    assert "c" not in table
    assert any(line.endswith("filled linearly: 4") for line in head)
    assert "left out, missing in more than half of the frames: c" in caplog.text
    assert "33.3 % of its numbers are filled" in caplog.text


def test_individuals_get_a_file_each(tmp_path):
    two = JointAngles(np.arange(8.0).reshape(2, 2, 2), ("a", "b"), ("x", "y"), fps=1.0)
    paths = write_mot(two, tmp_path / "a.mot")
    assert [path.name for path in paths] == ["a_x.mot", "a_y.mot"]
    assert read(paths[1])[1]["b"].tolist() == [3, 7]


@pytest.mark.parametrize(
    ("deg", "fps", "name", "told"),
    [([[1.0]], None, "a.mot", "frame rate"), ([[np.nan]], 5.0, "a.mot", "no angle"), ([[1.0]], 5.0, "a.sto", ".mot")],
)
def test_what_a_mot_cannot_hold(tmp_path, deg, fps, name, told):
    with pytest.raises(DataError, match=told):
        write_mot(angles(deg, ("a",), fps=fps), tmp_path / name)
    assert not list(tmp_path.iterdir())
