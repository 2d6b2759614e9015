"""Cameras from people's, mice's and flies' keypoints in real recordings."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration.subject.epipolar_poses import calibrate_from_keypoints
from pose3d.calibration.subject.refine import refine_from_keypoints
from pose3d.data import Camera, Keypoints2D, Rig, Skeleton
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.io.keypoints import load_keypoints
from pose3d.io.rigs import load_rig


def baselines(rig):
    first, second = np.triu_indices(len(rig), 1)
    return np.linalg.norm(rig.centers[first] - rig.centers[second], axis=-1)


@pytest.fixture(scope="module")
def balance(recordings):
    """Keypoints that OpenPose found in 100 frames, and the cameras as a marker system calibrated them."""
    folder = recordings / "balance-4cam"
    trial = folder / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial" / "pose-associated"
    views = {f"cam_0{i}": trial / f"cam0{i}_json" for i in range(1, 5)}
    keypoints = load_keypoints(views, skeleton=Skeleton.preset("body25b"), fps=60)
    return keypoints, load_rig(folder / "S00_Calibration" / "Calib_qualisys.toml")


@pytest.mark.parametrize("seed", [0, 1])
def test_a_persons_cameras_come_back(balance, seed):
    keypoints, truth = balance
    rng = np.random.default_rng(seed)
    cameras = []
    for camera in truth:
        turn, shift = rng.normal(size=(2, 3))
        R = exp_so3(np.deg2rad(1) * turn / np.linalg.norm(turn)) @ camera.cam_from_world[:3, :3]
        center = camera.center + 20 * shift / np.linalg.norm(shift)
        cameras.append(replace(camera, rotation=log_so3(R), translation=-R @ center))
    found = refine_from_keypoints(Rig(tuple(cameras)), keypoints)
    assert found.improved
    off = baselines(found.rig) / baselines(truth) - 1
    print(
        f"baselines off by {100 * np.abs(off).max():.2f} % at most, {[round(c.after_px, 1) for c in found.cameras]} px"
    )
    assert np.abs(off).max() <= 0.012
    before, after = ([getattr(c, f"held_{when}_px") for c in found.cameras] for when in ("before", "after"))
    assert np.median(after) <= 0.6 * np.median(before)


def test_a_persons_cameras_from_nothing_but_keypoints(balance):
    keypoints, truth = balance
    apart = float(np.linalg.norm(truth["cam_01"].center - truth["cam_03"].center))
    found = calibrate_from_keypoints(keypoints, truth, camera_distances={("cam_01", "cam_03"): apart})
    off = baselines(found.rig) / baselines(truth) - 1
    print(f"baselines off by {100 * np.abs(off).max():.2f} % at most")
    assert found.improved
    assert np.abs(off).max() <= 0.012
    shanks = {("LKnee", "LAnkle"): None, ("RKnee", "RAnkle"): None}
    measured = calibrate_from_keypoints(
        keypoints, truth, lengths=shanks, camera_distances={("cam_01", "cam_03"): apart}
    ).lengths_mm
    assert measured["LKnee-LAnkle"] == pytest.approx(measured["RKnee-RAnkle"], rel=0.03)


def test_a_mouse_that_hardly_moves_says_nothing(recordings):
    folder = recordings / "mouse-4cam"
    names = ("back", "mid", "side", "top")
    keypoints = load_keypoints({name: folder / name / f"minimal_{name}_proofread.analysis.h5" for name in names})
    rig = load_rig(folder / "published_calibration.toml")
    found = refine_from_keypoints(rig, keypoints)
    assert not found.improved
    assert found.rig is rig
    assert "still" in [finding.kind for finding in found.findings]
    assert not calibrate_from_keypoints(keypoints, rig).improved


def test_a_tethered_fly_before_two_groups_of_cameras(recordings):
    with np.load(recordings / "fly-7cam" / "fly.npz", allow_pickle=False) as data:
        fly = dict(data)
    row_column = fly["points2d"]
    missing = ((row_column == 0) | (row_column == 1)).any(-1)
    xy = np.moveaxis(np.where(missing[..., None], np.nan, row_column[..., ::-1] * [960, 480]), 0, 1)[:, :, None]
    rig = Rig(
        tuple(
            Camera(f"cam_{i}", (960, 480), fly["intr"][i], fly["distort"][i], log_so3(fly["R"][i]), fly["tvec"][i])
            for i in range(7)
        )
    )
    names = tuple(f"point_{i}" for i in range(38))
    keypoints = Keypoints2D(xy, np.where(missing, np.nan, 1.0).swapaxes(0, 1)[:, :, None], rig.names, ("fly",), names)
    found = refine_from_keypoints(rig, keypoints)
    kinds = [finding.kind for finding in found.findings]
    assert "groups" in kinds
    assert list(found.unlinked) == ["cam_3"]
    assert not found.improved
    # rays that are nearly parallel leave the depth open: no rig without a word
    scratch = calibrate_from_keypoints(keypoints, rig)
    assert not scratch.improved
    assert set(scratch.unlinked) == {"cam_3", "cam_4", "cam_5", "cam_6"}
