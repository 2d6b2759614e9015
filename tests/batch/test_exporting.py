"""Exports of real and made recordings: what each format holds, and which angles go in."""

from dataclasses import replace

import ezc3d
import numpy as np
import pandas as pd
import pytest

from pose3d.batch.exporting import ExportRequest, export_points
from pose3d.data import Keypoints3D, Skeleton
from pose3d.data.samples import interval
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.errors import DataError
from pose3d.io.anipose_csv import write_angles, write_pose3d
from pose3d.io.c3d import read_c3d
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.io.trc import read_trc
from pose3d.kinematics import body_angles
from pose3d.kinematics.segments import segment_angles

WALK = "gait-lab/plug-in-gait/PiG_Motion-FlatFoot-Full.c3d"


@pytest.fixture
def walk():
    rng = np.random.default_rng(4)
    _, _, frames = walk_body(make_person(rng), n_frames=50, fps=60.0, rng=rng)
    named = Skeleton.preset("coco17")
    xyz = frames.keypoints(named)[:, None].copy()
    xyz[20:25, 0, named.keypoints.index("LKnee")] = np.nan
    return Keypoints3D.from_points(xyz, named.keypoints, ("one",), fps=60.0, start=3)


def test_a_laboratorys_c3d_comes_back_with_its_angles_and_events(recordings, tmp_path):
    source = recordings / WALK
    (path,) = export_points(source, ExportRequest(c3d=tmp_path / "out.c3d"))
    before, after = read_c3d(source), read_c3d(path)
    compared = set(after.angles)
    assert {
        side + name for side in "LR" for name in ("HipAngles", "KneeAngles", "AnkleAngles", "ElbowAngles")
    } < compared
    for name in compared:
        away = np.abs((after.angles[name] - before.angles[name] + 180) % 360 - 180)
        assert np.nanmax(away) < 1e-3, name
    np.testing.assert_allclose(after.events.time_s, before.events.time_s, atol=1e-4)
    assert after.events.kinds == before.events.kinds


def test_gaps_of_angles_are_invalid_to_other_readers(walk, tmp_path):
    """Keypoint angles go in under our own names; a gap has no number and the residual -1."""
    write_pose3d(walk, tmp_path / "walk.csv")
    (path,) = export_points(tmp_path / "walk.csv", ExportRequest(c3d=tmp_path / "walk.c3d"))
    file = ezc3d.c3d(str(path))
    labels = file["parameters"]["POINT"]["LABELS"]["value"]
    stored = file["parameters"]["POINT"]["ANGLES"]["value"]
    assert "knee_flexion_l" in stored
    assert not any(name.endswith("Angles") for name in stored)
    at, frames = labels.index("knee_flexion_l"), slice(20, 25)
    assert np.isnan(file["data"]["points"][:3, at, frames]).all()
    residuals = file["data"]["meta_points"]["residuals"][0, at]
    assert (residuals == np.where(np.arange(50) // 5 == 4, -1, 0)).all()
    angles = body_angles(walk)
    ours = angles.deg[:, 0, angles.names.index("knee_flexion_l")]
    np.testing.assert_allclose(file["data"]["points"][0, at], ours, atol=1e-4)
    assert np.nanmax(np.abs(file["data"]["points"][1:3, at])) == 0


def test_points_that_are_y_up_are_turned_for_all(walk, tmp_path):
    turned = replace(walk, xyz=np.stack([walk.xyz[..., 0], walk.xyz[..., 2], -walk.xyz[..., 1]], axis=-1))
    write_pose3d(turned, tmp_path / "y.csv")
    request = ExportRequest(c3d=tmp_path / "a.c3d", trc=tmp_path / "a.trc", up="y")
    export_points(tmp_path / "y.csv", request)
    np.testing.assert_allclose(read_c3d(tmp_path / "a.c3d").points.xyz, walk.xyz, atol=1e-3)
    np.testing.assert_allclose(read_trc(tmp_path / "a.trc").xyz, walk.xyz, atol=1e-6)


def test_middles_for_opensims_models(walk, tmp_path):
    write_pose3d(walk, tmp_path / "walk.csv")
    export_points(tmp_path / "walk.csv", ExportRequest(trc=tmp_path / "a.trc"))
    assert read_trc(tmp_path / "a.trc").keypoints == walk.keypoints
    export_points(tmp_path / "walk.csv", ExportRequest(trc=tmp_path / "a.trc", midpoints=True))
    found = read_trc(tmp_path / "a.trc")
    assert found.keypoints == (*walk.keypoints, "Neck", "Hip", "CHip")
    where = {name: found.xyz[:, 0, i] for i, name in enumerate(found.keypoints)}
    np.testing.assert_allclose(where["CHip"], (where["LHip"] + where["RHip"]) / 2, atol=1e-6)
    np.testing.assert_allclose(where["Neck"], (where["LShoulder"] + where["RShoulder"]) / 2, atol=1e-6)


def with_samples(walk, csv):
    """Write points with 60 samples beside them, of 4 mm; return these."""
    write_pose3d(walk, csv)
    rng = np.random.default_rng(0)
    drawn = (walk.xyz[:, None] + rng.normal(0, 4, (50, 60, *walk.xyz.shape[1:]))).astype(np.float32)
    told = {"individuals": ("one",), "keypoints": walk.keypoints, "n_samples": 60, "fps": 60.0, "start": 3}
    writer = SamplesWriter(samples_path(csv), **told)
    writer.append(drawn)
    writer.finish([csv])
    return drawn


def test_intervals_of_points_that_are_y_up_are_turned_too(walk, tmp_path):
    turned = replace(walk, xyz=np.stack([walk.xyz[..., 0], walk.xyz[..., 2], -walk.xyz[..., 1]], axis=-1))
    with_samples(turned, tmp_path / "y.csv")
    export_points(tmp_path / "y.csv", ExportRequest(tidy=tmp_path / "long.csv", up="y"))
    known = pd.read_csv(tmp_path / "long.csv").dropna(subset=["low"])
    inside = (known["low"] <= known["value"]) & (known["value"] <= known["high"])
    for unit in ("mm", "deg"):
        assert inside[known["unit"] == unit].mean() > 0.95
    assert {"pelvis_obliquity", "trunk_lean"} <= set(known["variable"])


def test_intervals_of_the_long_table_are_those_of_the_samples(walk, tmp_path):
    csv = tmp_path / "walk.csv"
    drawn = with_samples(walk, csv)
    written = export_points(csv, ExportRequest(tidy=tmp_path / "long.csv", parquet=tmp_path / "long.parquet"))
    assert len(written) == 4
    table = pd.read_csv(tmp_path / "long.csv")
    knee = table[(table["variable"] == "knee_flexion") & (table["side"] == "R")].set_index("frame")
    angles = [body_angles(replace(walk, xyz=drawn[:, i].astype(float))).deg[..., 0, :] for i in range(60)]
    names = body_angles(walk).names
    low, high = interval(np.stack(angles)[..., names.index("knee_flexion_r")])
    np.testing.assert_allclose(knee["low"], low, rtol=1e-6)
    np.testing.assert_allclose(knee["high"], high, rtol=1e-6)
    assert 0.5 < knee["sd"].mean() < 3
    covered = table[table["low"].notna() & (table["unit"] == "deg")]
    assert {"hip_adduction", "elbow_flexion", "pelvis_obliquity"} <= set(covered["variable"])
    left = table[(table["variable"] == "knee_flexion") & (table["side"] == "L")].set_index("frame")
    assert left.loc[24, "flag"] == "missing"
    assert np.isnan(left.loc[24, "low"])


def test_flags_of_angles_are_those_of_their_keypoints(walk, tmp_path):
    status = walk.status.copy()
    status[5:8, 0, walk.keypoints.index("RAnkle")] = 2
    write_pose3d(replace(walk, status=status), tmp_path / "walk.csv")
    export_points(tmp_path / "walk.csv", ExportRequest(tidy=tmp_path / "long.csv"))
    table = pd.read_csv(tmp_path / "long.csv")
    for side, word in (("R", "filled"), ("L", "observed")):
        rows = table[(table["variable"] == "knee_flexion") & (table["side"] == side)].set_index("frame")
        assert set(rows.loc[8:10, "flag"]) == {word}


def test_angles_of_a_file_go_in_instead(recordings, tmp_path):
    points = read_c3d(recordings / WALK).points
    angles = segment_angles(points)
    write_angles(replace(angles, deg=angles.deg + 1), tmp_path / "mine.csv")
    export_points(recordings / WALK, ExportRequest(mot=tmp_path / "a.mot", angles=tmp_path / "mine.csv"))
    rows = (tmp_path / "a.mot").read_text().partition("endheader\n")[2].splitlines()
    at = rows[0].split("\t").index("knee_angle_r")
    ours = angles.deg[:, 0, angles.names.index("knee_flexion_r")]
    np.testing.assert_allclose([float(row.split("\t")[at]) for row in rows[1:]], ours + 1, atol=1e-6)
    write_angles(replace(angles, deg=angles.deg[1:]), tmp_path / "mine.csv")
    with pytest.raises(DataError, match="other frames"):
        export_points(recordings / WALK, ExportRequest(mot=tmp_path / "b.mot", angles=tmp_path / "mine.csv"))


def test_several_individuals(walk, tmp_path):
    two = Keypoints3D.from_points(
        np.concatenate([walk.xyz, walk.xyz + np.array([0, 500, 0])], axis=1), walk.keypoints, ("one", "two"), fps=60.0
    )
    paths = write_pose3d(two, tmp_path / "walk.csv")
    request = ExportRequest(**{name: tmp_path / f"a.{name}" for name in ("trc", "c3d", "mot", "bvh", "glb")})
    assert [path.suffix for path in export_points(paths[1], request)] == [".trc", ".c3d", ".mot", ".bvh", ".glb"]


def test_points_of_an_animal(tmp_path):
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 50, (5, 3))
    xyz = (shape + np.cumsum(rng.normal(0, 3, (30, 1, 3)), axis=0))[:, None]
    names = ("snout", "neck", "back", "tail_base", "tail_tip")
    points = Keypoints3D.from_points(xyz, names, ("mouse",), fps=100.0)
    write_pose3d(points, tmp_path / "mouse.csv")
    written = export_points(
        tmp_path / "mouse.csv",
        ExportRequest(bvh=tmp_path / "a.bvh", glb=tmp_path / "a.glb", tidy=tmp_path / "a.csv", c3d=tmp_path / "a.c3d"),
    )
    assert len(written) == 5
    assert set(pd.read_csv(tmp_path / "a.csv")["variable"]) == set(names)
    with pytest.raises(DataError, match="no angle can be computed"):
        export_points(tmp_path / "mouse.csv", ExportRequest(mot=tmp_path / "a.mot"))
