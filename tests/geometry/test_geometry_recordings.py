"""The kernels alone against other programs' numbers on real recordings; files are parsed here, without pose3d.io."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest

from pose3d.geometry.projection import project, undistort
from pose3d.geometry.transforms import rigid
from pose3d.geometry.triangulation import triangulate_svd


def rays(pixels, matrices, distortions):
    both = [undistort(pixels[..., i, :], K, d) for i, (K, d) in enumerate(zip(matrices, distortions, strict=True))]
    seen = np.isfinite(pixels).all(-1)
    assert np.array_equal(np.stack([converged for _, converged in both], axis=-1), seen)
    return np.stack([xy for xy, _ in both], axis=-2)


def calibration(path):
    tables = [table for name, table in tomllib.loads(path.read_text()).items() if name != "metadata"]
    poses = np.stack([rigid(np.array(t["rotation"]), np.array(t["translation"])) for t in tables])
    matrices, distortions = ([np.array(t[key], dtype=float) for t in tables] for key in ("matrix", "distortions"))
    return [t["name"] for t in tables], matrices, distortions, poses


def test_fly_of_seven_cameras(recordings):
    with np.load(recordings / "fly-7cam" / "fly.npz", allow_pickle=False) as data:
        fly = dict(data)
    row_column = fly["points2d"]  # (camera, frame, point, 2), normalised; missing is 0 or 1
    missing = ((row_column == 0) | (row_column == 1)).any(-1)
    pixels = np.where(missing[..., None], np.nan, row_column[..., ::-1] * [960, 480])
    pixels = np.moveaxis(pixels, 0, 2)
    poses = np.concatenate([fly["R"], fly["tvec"][..., None]], axis=-1)
    xy = rays(pixels, fly["intr"], fly["distort"])
    truth = fly["points3d_wo_procrustes"]
    assert truth.shape == (15, 38, 3)
    found = triangulate_svd(xy, poses)
    assert np.linalg.norm(found - truth, axis=-1).max() < 1e-3
    # the same with the pixels' own rows, K [R|t]: fx and fy differ by 0.4 %, which rays do not show
    own_rows = triangulate_svd(pixels, fly["intr"] @ poses)
    assert np.linalg.norm(own_rows - truth, axis=-1).max() < 1e-9


@pytest.mark.parametrize("network", [0, 1, 2])
def test_near_orthographic_fly(recordings, network):
    folder = recordings / "fly-3cam-ortho"
    names, matrices, distortions, poses = calibration(folder / "calibration.toml")
    pixels, scores = [], []
    for name in names:
        path = folder / f"05272019_fly4_0_R1C24_{name}_rot-ccw-0.06_sec.rng={network}.csv"
        table = pd.read_csv(path, header=[0, 1, 2], index_col=0).to_numpy().reshape(-1, 12, 3)
        pixels.append(table[..., :2])
        scores.append(table[..., 2])
    pixels, scores = np.stack(pixels, axis=-2), np.stack(scores, axis=-1)
    xy = rays(pixels, matrices, distortions)
    focals = np.array([K[0, 0] for K in matrices])
    for weights in (None, scores * focals):
        points = triangulate_svd(xy, poses, weights=weights)
        assert np.isfinite(points).all()
        lenses = zip(matrices, distortions, poses, strict=True)
        again = np.stack([project(points, K, d, pose) for K, d, pose in lenses], axis=-2)
        assert np.median(np.linalg.norm(again - pixels, axis=-1)) <= 2.0


def test_person_against_pose2sim(recordings):
    folder = recordings / "balance-4cam"
    _, matrices, _, poses = calibration(folder / "S00_Calibration" / "Calib_qualisys.toml")
    poses[:, :3, 3] *= 1000
    trial = folder / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    views = np.full((100, 4, 25, 3), np.nan)
    for camera in range(4):
        for path in (trial / "pose-associated" / f"cam0{camera + 1}_json").glob("*.json"):
            people = json.loads(path.read_text())["people"]
            if people and people[0] and people[0].get("pose_keypoints_2d"):
                frame = int(path.stem.split(".")[-1])
                views[frame, camera] = np.reshape(people[0]["pose_keypoints_2d"], (25, 3))
    views[views[..., 2] == 0] = np.nan
    # the TRC's markers among the keypoints of BODY_25B
    trc = [12, 14, 16, 22, 23, 24, 11, 13, 15, 19, 20, 21, 17, 18, 0, 6, 8, 10, 5, 7, 9]
    views = np.swapaxes(views[:, :, trc], 1, 2)
    lines = (trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc").read_text().splitlines()
    assert [name for name in lines[3].split("\t")[2:] if name][:7] == [
        *("RHip", "RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel", "LHip")
    ]
    table = np.array([[float(v) for v in line.split("\t")[2:65]] for line in lines[5:] if line.strip()])
    truth = 1000 * table.reshape(100, 21, 3)[..., [2, 0, 1]]
    pixels, scores = views[..., :2], views[..., 2]

    def median(points):
        return np.nanmedian(np.linalg.norm(points - truth, axis=-1))

    # Pose2Sim solves in metres and leaves the lens uncorrected
    xy = rays(pixels, matrices, [np.zeros(0)] * 4)
    focals = np.sqrt([K[0, 0] * K[1, 1] for K in matrices])
    assert median(triangulate_svd(xy, poses, weights=scores * focals, length=1000)) < 0.01
    assert median(triangulate_svd(xy, poses, weights=scores, length=1000)) < 0.2
    assert median(triangulate_svd(xy, poses, weights=scores)) < 2.0  # in mm: 1.45 mm
    assert np.isfinite(triangulate_svd(xy, poses, weights=scores)).all()
