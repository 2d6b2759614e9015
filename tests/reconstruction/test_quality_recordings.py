"""What the quality summary says of real recordings."""

from dataclasses import replace

import pytest

from pose3d.data import Skeleton
from pose3d.io.keypoints import load_keypoints
from pose3d.io.pose2sim import read_pose2sim_calibration
from pose3d.reconstruction import triangulate_views
from pose3d.reconstruction.quality import measure_quality


@pytest.fixture(scope="module")
def balance(recordings):
    root = recordings / "balance-4cam"
    trial = root / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    folders = {f"cam_0{i}": trial / "pose-associated" / f"cam0{i}_json" for i in range(1, 5)}
    seen = load_keypoints(folders, skeleton=Skeleton.preset("body25b"), fps=60.0)
    return seen, read_pose2sim_calibration(root / "S00_Calibration" / "Calib_qualisys.toml")


def findings(seen, rig):
    return measure_quality(seen, rig, triangulate_views(seen, rig).points).findings


def test_balance_cameras_are_in_step_and_stand_still(balance):
    assert not {f.code for f in findings(*balance)} & {"late", "moved", "exchanged", "mislabelled", "copy", "silent"}


def test_balance_with_a_camera_two_frames_late(balance):
    seen, rig = balance
    xy, score = seen.xy.copy(), seen.score.copy()
    xy[2:, 1], score[2:, 1] = seen.xy[:-2, 1], seen.score[:-2, 1]
    (late,) = (f for f in findings(replace(seen, xy=xy, score=score), rig) if f.code == "late")
    assert late.cameras == ("cam_02",)
    assert late.size == pytest.approx(2.0, abs=0.5)
