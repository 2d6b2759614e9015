"""Long tables: every number once, with what it is, and a JSON that explains the columns."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.errors import DataError
from pose3d.io.tidy import TIDY_COLUMNS, tidy_table, write_tidy
from pose3d.kinematics.segments import CARDAN_JOINTS

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'pose3d[parquet]'")
PEOPLE, KEYPOINTS, ANGLES = ("anna", "berta"), ("LKnee", "nose", "paw_right"), ("knee_flexion_l", "tail")


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, 100, (6, 2, 3, 3))
    status = rng.integers(1, 3, (6, 2, 3))
    xyz[2, 1, 0] = np.nan
    spread = rng.uniform(1, 3, (6, 2, 3, 3))
    covariance = spread[..., None] ** 2 * np.eye(3)
    unknown = np.full((6, 2, 3), np.nan)
    points = Keypoints3D(
        xyz, unknown, np.zeros((6, 2, 3)), unknown, status, PEOPLE, KEYPOINTS, covariance, fps=50.0, start=4
    )
    deg = rng.normal(0, 50, (6, 2, 2))
    deg[3, 0, 1] = np.nan
    return points, JointAngles(deg, ANGLES, PEOPLE, fps=50.0, start=4), spread


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_every_number_stands_in_its_row(recording, tmp_path, ending):
    points, angles, spread = recording
    table = tidy_table("walk", points, angles)
    path, beside = write_tidy(table, tmp_path / f"walk.{ending}", facts={"fps": 50.0})
    read = pd.read_csv(path, keep_default_na=False, na_values=[""]) if ending == "csv" else pd.read_parquet(path)
    read[["side", "plane"]] = read[["side", "plane"]].fillna("")
    assert list(read) == [*TIDY_COLUMNS, "sd"]
    assert len(read) == 6 * 2 * (3 * 3 + 2)
    assert set(read["trial"]) == {"walk"}
    np.testing.assert_allclose(read["time_s"], read["frame"] / 50)
    rows = read.set_index(["frame", "person", "variable", "side", "plane"])
    assert rows.index.is_unique
    for frame in (4, 6, 9):
        for i, person in enumerate(PEOPLE):
            for k, (name, side) in enumerate(zip(KEYPOINTS, ("L", "", "R"), strict=True)):
                for axis, letter in enumerate("xyz"):
                    row = rows.loc[(frame, person, name, side, letter)]
                    value = points.xyz[frame - 4, i, k, axis]
                    word = {0: "missing", 1: "observed", 2: "filled"}[int(points.status[frame - 4, i, k])]
                    assert (row["unit"], row["flag"]) == ("mm", word)
                    np.testing.assert_allclose(row["value"], value, rtol=1e-12)
                    np.testing.assert_allclose(row["sd"], np.nan if np.isnan(value) else spread[frame - 4, i, k, axis])
            row = rows.loc[(frame, person, "knee_flexion", "L", "sagittal")]
            assert (row["value"], row["unit"]) == (pytest.approx(angles.deg[frame - 4, i, 0]), "deg")
    assert rows.loc[(7, "anna", "tail", "", ""), "flag"] == "missing"
    told = json.loads(beside.read_text())
    assert beside.name == f"walk.{ending}.schema.json"
    assert list(told["columns"]) == list(read)
    assert told["fps"] == 50.0
    assert "never 0" in told["conventions"]["missing"]


def test_intervals_and_flags_of_angles(recording):
    points, angles, _ = recording
    status = np.full(angles.deg.shape, Status.FILLED)
    low, high = angles.deg - 1, angles.deg + 2
    known = replace(angles, low_deg=low, high_deg=high, sd_deg=np.full(angles.deg.shape, 0.5))
    table = tidy_table("a", points, known, angle_status=status)
    own = table[(table["unit"] == "deg") & table["value"].notna()]
    assert list(table)[-3:] == ["sd", "low", "high"]
    np.testing.assert_allclose(own["high"] - own["low"], 3)
    assert set(own["flag"]) == {"filled"}
    assert set(own["sd"]) == {0.5}
    missing = table[table["value"].isna()]
    assert missing[["sd", "low", "high"]].isna().all(axis=None)
    assert set(missing["flag"]) == {"missing"}


def test_planes_are_those_of_the_components(recording):
    """The names of angles tell their plane; Plug-in Gait's order is sagittal, frontal, transverse."""
    names = [f"{component.name}_r" for joint in CARDAN_JOINTS for component in joint.components]
    points, _, _ = recording
    angles = JointAngles(np.zeros((6, 2, len(names))), names, PEOPLE)
    table = tidy_table("a", points, angles)
    found = table[table["unit"] == "deg"].drop_duplicates("variable").set_index("variable")["plane"]
    for joint in CARDAN_JOINTS:
        for component, plane in zip(joint.components, ("sagittal", "frontal", "transverse"), strict=False):
            assert found[component.name] == plane, component.name


def test_what_a_table_cannot_be(recording, tmp_path):
    points, angles, _ = recording
    with pytest.raises(DataError, match=r"\.csv"):
        write_tidy(tidy_table("a", points), tmp_path / "a.txt")
    fewer = JointAngles(angles.deg[:5], angles.names, PEOPLE)
    with pytest.raises(DataError, match="other frames"):
        tidy_table("a", points, fewer)
    assert not list(tmp_path.iterdir())


def test_without_a_frame_rate_the_frame_is_the_truth(recording):
    points, _, _ = recording
    timeless = Keypoints3D.from_points(points.xyz, points.keypoints, points.individuals, start=4)
    table = tidy_table("a", timeless)
    assert table["time_s"].isna().all()
    assert table["frame"].min() == 4
    assert "sd" not in table
