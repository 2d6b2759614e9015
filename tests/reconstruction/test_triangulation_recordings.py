"""Triangulation of real recordings against what others made of them."""

import numpy as np
import pytest

from pose3d.data import Camera, Keypoints2D, Rig, Skeleton
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import umeyama
from pose3d.io.calibration_toml import read_calibration
from pose3d.io.keypoints import load_keypoints
from pose3d.io.pose2sim import read_pose2sim_calibration
from pose3d.io.trc import read_trc
from pose3d.reconstruction import triangulate, triangulate_views

h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def balance(recordings):
    root = recordings / "balance-4cam"
    trial = root / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    rig = read_pose2sim_calibration(root / "S00_Calibration" / "Calib_qualisys.toml")
    folders = {f"cam_0{i}": trial / "pose-associated" / f"cam0{i}_json" for i in range(1, 5)}
    seen = load_keypoints(folders, skeleton=Skeleton.preset("body25b"), fps=60.0)
    trc = read_trc(trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc", up="z")
    columns = [seen.keypoints.index(name) for name in trc.keypoints]
    return rig, seen, trc.xyz[:, 0][..., [2, 0, 1]], trc.keypoints, columns


def shank_sd(xyz, names, side):
    knee, ankle = (xyz[:, names.index(f"{side}{joint}")] for joint in ("Knee", "Ankle"))
    return np.nanstd(np.linalg.norm(knee - ankle, axis=-1))


def test_balance_plain_repeats_pose2sim(balance):
    rig, seen, trc, _, columns = balance
    xyz = triangulate(seen, rig, robust=False).xyz[:, 0, columns]
    assert np.median(np.linalg.norm(xyz - trc, axis=-1)) <= 0.2


def test_balance_robust_keeps_shanks_rigid(balance):
    rig, seen, trc, names, columns = balance
    points = triangulate(seen, rig)
    xyz = points.xyz[:, 0]
    for side, limit in (("L", 36.0), ("R", 22.0)):
        sd = shank_sd(xyz, seen.keypoints, side)
        assert sd < limit
        assert sd < shank_sd(trc, names, side)
    assert points.status.sum() >= np.isfinite(trc[..., 0]).sum()
    # Some points of the TRC may be missing: where one frame cannot tell which two views are right nothing is guessed.
    assert np.isfinite(xyz[:, columns, 0]).sum() >= 2090


@pytest.fixture(scope="module")
def mouse(recordings):
    root = recordings / "mouse-4cam"
    rig = read_calibration(root / "published_calibration.toml")
    files = {name: next(root.rglob(f"*{name}*analysis.h5")) for name in rig.names}
    with h5py.File(next(root.rglob("points3d.h5"))) as file:
        reference = file["tracks"][:]
    return rig, load_keypoints(files), reference


def aligned_distance(xyz, reference):
    return np.linalg.norm(umeyama(xyz, reference)(xyz) - reference, axis=-1)


@pytest.mark.parametrize("weighted", [True, False])
def test_mouse_robust_is_no_worse_than_plain(mouse, weighted):
    rig, seen, reference = mouse
    settings = {"weighted": weighted}
    plain, robust = (triangulate(seen, rig, robust=robust, **settings) for robust in (False, True))
    if not weighted:
        assert np.median(np.linalg.norm(plain.xyz - reference, axis=-1)) <= 1.95
    distance = aligned_distance(robust.xyz, reference)
    assert np.nanmedian(distance) <= np.nanmedian(aligned_distance(plain.xyz, reference))
    assert np.nanmedian(distance) <= 2.0
    assert np.nanpercentile(distance, 90) <= 4.5
    possible = np.isfinite(seen.xy[..., 0]).sum(1) >= 2
    assert robust.status.sum() >= 0.99 * possible.sum()


def test_fly_of_seven_cameras_plain(recordings):
    with np.load(recordings / "fly-7cam" / "fly.npz", allow_pickle=False) as data:
        fly = dict(data)
    row_column = np.moveaxis(fly["points2d"], 0, 1)[:, :, None]  # normalised; missing is 0 or 1
    missing = ((row_column == 0) | (row_column == 1)).any(-1)
    xy = np.where(missing[..., None], np.nan, row_column[..., ::-1] * [960, 480])
    poses = zip(fly["intr"], fly["distort"], fly["R"], fly["tvec"], strict=True)
    rig = Rig(tuple(Camera(f"cam_{i}", (960, 480), K, d, log_so3(R), t) for i, (K, d, R, t) in enumerate(poses)))
    keypoints = tuple(f"point_{i}" for i in range(38))
    seen = Keypoints2D(xy, np.where(missing, np.nan, 1.0), rig.names, ("fly",), keypoints)
    seen = seen.select([name for name in rig.names if name != "cam_3"])  # which sees none
    found = triangulate(seen, rig, robust=False).xyz[:, 0]
    distance = np.linalg.norm(found - fly["points3d_wo_procrustes"], axis=-1)
    assert distance.size == 570
    assert distance.max() < 1e-3


def test_fly_near_orthographic(recordings):
    root = recordings / "fly-3cam-ortho"
    rig = read_calibration(root / "calibration.toml")
    seen = load_keypoints({name: next(root.glob(f"*{name}*rng=0.csv")) for name in rig.names})
    result = triangulate_views(seen, rig)
    enough = (np.isfinite(seen.xy[..., 0]) & (seen.score >= 0.05)).sum(1) >= 2
    assert np.array_equal(np.isfinite(result.points.xyz[..., 0]), enough)
    assert np.isfinite(result.points.covariance[enough]).all()
    assert result.summary.median_error_px <= 2
