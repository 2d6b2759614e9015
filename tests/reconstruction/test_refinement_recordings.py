"""Refinement of real recordings: a camera that was not asked, and limbs of a person that keep their lengths."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Skeleton, Status
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.calibration_toml import read_calibration
from pose3d.io.keypoints import load_keypoints
from pose3d.io.trc import read_trc
from pose3d.reconstruction import RefinementSettings, TriangulationRequest, reconstruct, triangulate, triangulate_files

BODY = Skeleton.preset("body25b")
HEAD = (
    ("Nose", "Ear_L"),
    ("Nose", "Ear_R"),
    ("Ear_L", "Ear_R"),
    ("Ear_R", "Head"),
    ("Ear_L", "Head"),
    ("Nose", "Head"),
)
PUBLISHED_SHANK_SD_MM = {"L": 36.0, "R": 22.0}


@pytest.fixture(scope="module")
def mouse(recordings):
    root = recordings / "mouse-4cam"
    rig = read_calibration(root / "published_calibration.toml")
    return rig, load_keypoints({name: next(root.rglob(f"*{name}*analysis.h5")) for name in rig.names})


@pytest.mark.parametrize("limbs", [(), HEAD], ids=["free", "limbs"])
@pytest.mark.parametrize("held_out", ["back", "mid", "side", "top"])
def test_a_held_out_camera_is_met_no_worse_than_by_plain_svd(mouse, held_out, limbs):
    rig, seen = mouse
    others = seen.select([name for name in rig.names if name != held_out])
    plain = triangulate(others, rig, robust=False, weighted=False).xyz
    refined = reconstruct(others, rig, RefinementSettings(limbs=limbs)).points.xyz
    camera = rig.select([held_out]).cameras[0]
    target = seen.xy[:, seen.cameras.index(held_out)]
    off = [np.linalg.norm(camera.project(xyz) - target, axis=-1) for xyz in (plain, refined)]
    both = np.isfinite(off[0]) & np.isfinite(off[1])
    assert both.sum() > 1000
    assert np.median(off[1][both]) <= np.median(off[0][both])


def limb_sds(xyz, names):
    """Standard deviation of the length of each limb of points (n_frames, n_keypoints, 3), mm."""
    out = {}
    for a, b in BODY.edges:
        if a in names and b in names:
            out[a, b] = np.nanstd(np.linalg.norm(xyz[:, names.index(a)] - xyz[:, names.index(b)], axis=-1))
    return out


@pytest.fixture(scope="module")
def balance(recordings):
    """Files with everyone whom the network saw, and what Pose2Sim made of the one person."""
    root = recordings / "balance-4cam"
    trial = root / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    folders = {f"cam_0{i}": trial / "pose" / f"cam0{i}_json" for i in range(1, 5)}
    trc = read_trc(trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc", up="z")
    return folders, root / "S00_Calibration" / "Calib_qualisys.toml", trc


@pytest.mark.parametrize(("limbs", "share"), [(False, 1.0), (True, 0.5)], ids=["free", "limbs"])
def test_limbs_keep_their_lengths_among_bystanders(balance, tmp_path, limbs, share):
    folders, calibration, trc = balance
    skeleton = BODY if limbs else replace(BODY, edges=())
    triangulate_files(folders, calibration, tmp_path / "b.csv", TriangulationRequest(skeleton=skeleton, fps=60.0))
    points = read_pose3d(tmp_path / "b.csv")
    observed = points.status[:, 0] == Status.OBSERVED
    found = limb_sds(np.where(observed[..., None], points.xyz[:, 0], np.nan), points.keypoints)
    published = limb_sds(trc.xyz[:, 0], trc.keypoints)
    assert len(published) >= 24
    for limb, sd in published.items():
        assert found[limb] < share * sd, limb
    for side, sd in PUBLISHED_SHANK_SD_MM.items():
        assert found[f"{side}Knee", f"{side}Ankle"] < share * sd
    columns = [points.keypoints.index(name) for name in trc.keypoints]
    there = np.isfinite(trc.xyz[:, 0, :, 0])
    assert (observed[:, columns] & there).sum() >= 0.98 * there.sum()


def test_the_right_person_in_every_frame(balance, tmp_path):
    folders, calibration, trc = balance
    triangulate_files(folders, calibration, tmp_path / "b.csv", TriangulationRequest(skeleton=BODY, fps=60.0))
    points = read_pose3d(tmp_path / "b.csv")
    assert len(points.individuals) == 1
    columns = [points.keypoints.index(name) for name in trc.keypoints]
    off = np.linalg.norm(points.xyz[:, 0, columns] - trc.xyz[:, 0][..., [2, 0, 1]], axis=-1)
    assert np.nanmax(np.nanmedian(off, axis=1)) < 100  # bystanders are metres away
