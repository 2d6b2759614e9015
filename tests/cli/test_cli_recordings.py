"""The chain on real recordings by the command line alone, each against the bound that the project promises."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from pose3d.cli import app
from pose3d.geometry.transforms import umeyama
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.rigs import load_rig
from pose3d.io.trc import read_trc

MOUSE = ("back", "mid", "side", "top")
CHARUCO = ("--board", "charuco", "--dictionary", "4X4_1000")


def baselines(rig):
    first, second = np.triu_indices(len(rig), 1)
    return np.linalg.norm(rig.centers[first] - rig.centers[second], axis=-1)


@pytest.fixture(scope="module")
def mouse(recordings, tmp_path_factory):
    """Calibration, what it printed, and the 3D keypoints of the mouse."""

    def pose3d(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="pose3d")

    folder, tmp_path = recordings / "mouse-4cam", tmp_path_factory.mktemp("mouse")
    clips = [f"{name}={folder / name / f'minimal_session-{name}-calibration.MOV'}" for name in MOUSE]
    board = (*CHARUCO, "--squares", "8x11", "--square-mm", 24, "--marker-mm", 18.75)
    calibration = tmp_path / "calibration.toml"
    calibrated = pose3d("calibrate", *clips, *board, "-o", calibration, "--json")
    assert calibrated.exit_code == 0, calibrated.output
    views = [f"{name}={folder / name / f'minimal_{name}_proofread.analysis.h5'}" for name in MOUSE]
    made = pose3d("triangulate", "--no-weights", "--calibration", calibration, *views, "-o", tmp_path / "trial.csv")
    assert made.exit_code == 0, made.output
    return calibration, json.loads(calibrated.stdout), tmp_path / "trial.csv"


@pytest.mark.slow
def test_mouse_from_board_clips_to_points(mouse, recordings):
    import h5py

    _, summary, trial = mouse
    with h5py.File(recordings / "mouse-4cam" / "points3d.h5") as file:
        published = file["tracks"][:, 0]
    xyz = read_pose3d(trial).xyz[:, 0]
    # aniposelib, which made the published points, weighs all views alike; so does this trial.
    distance = np.linalg.norm(umeyama(xyz, published)(xyz) - published, axis=-1)
    assert np.isfinite(distance).sum() >= 1790
    assert np.nanmedian(distance) <= 2.2
    assert np.nanpercentile(distance, 90) <= 5
    assert summary["edge_error_mm"] <= 0.5


@pytest.mark.slow
def test_aniposelib_reads_what_was_written(mouse):
    """By the rules of anipose's project-2d: keypoints are the columns with an error, points undo M and center."""
    import warnings

    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's imports
        from aniposelib.cameras import CameraGroup

    calibration, _, trial = mouse
    group, rig, points = CameraGroup.load(str(calibration)), load_rig(calibration), read_pose3d(trial)
    assert group.get_names() == list(rig.names)
    for theirs, ours in zip(group.cameras, rig, strict=True):
        assert tuple(theirs.get_size()) == ours.size
        np.testing.assert_array_equal(theirs.get_camera_matrix(), ours.matrix)
        np.testing.assert_array_equal(theirs.get_distortions(), ours.distortion)
        np.testing.assert_array_equal(theirs.get_rotation(), ours.rotation)
        np.testing.assert_array_equal(theirs.get_translation(), ours.translation)
    table = pd.read_csv(trial)
    names = [column.replace("_error", "") for column in table.columns if "_error" in column]
    assert tuple(names) == points.keypoints
    suffixes = ("x", "y", "z", "error", "ncams", "score")
    frame = [f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)] + ["fnum"]
    assert list(table.columns) == [f"{name}_{suffix}" for name in names for suffix in suffixes] + frame
    M = table[frame[:9]].mean().to_numpy().reshape(3, 3)
    center = table[frame[9:12]].mean().to_numpy()
    xyz = np.stack([table[[f"{name}_{axis}" for axis in "xyz"]].to_numpy() for name in names], axis=1)
    world = (xyz.reshape(-1, 3) + center) @ np.linalg.inv(M.T)
    np.testing.assert_array_equal(world.reshape(xyz.shape), points.xyz[:, 0])
    projected = group.project(world).reshape(len(rig), *xyz.shape[:2], 2)
    np.testing.assert_allclose(projected, np.moveaxis(rig.project(points.xyz[:, 0]), 2, 0), atol=1e-9)


@pytest.mark.slow
def test_webcams_with_an_inverted_board(pose3d, recordings, tmp_path):
    folder = recordings / "webcams-4cam"
    known = folder / "camera_array.toml"
    clips = [f"cam_{i}={folder / 'calibration' / 'extrinsic' / f'cam_{i}.mp4'}" for i in range(4)]
    board = (*CHARUCO, "--squares", "4x5", "--square-mm", 54, "--marker-mm", 40.5)
    output = tmp_path / "calibration.toml"
    outcome = pose3d("calibrate", *clips, *board, "--intrinsics", known, "-o", output, "--json")
    assert outcome.code == 0, outcome
    assert "inverted" in {finding["kind"] for finding in outcome.json["findings"]}
    assert outcome.json["edge_error_mm"] <= 0.8
    found, published = load_rig(output), load_rig(known)
    assert found.names == published.names
    for camera in published:
        np.testing.assert_array_equal(found[camera.name].matrix, camera.matrix)
    off = np.sort(np.abs(baselines(found) / baselines(published) - 1))
    assert off[-2] <= 0.015
    assert off[-1] <= 0.03


@pytest.mark.slow
def test_stereo_checkerboard_photos(pose3d, recordings, tmp_path):
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        for photo in (recordings / "stereo-checkerboard").glob(f"{name}*.jpg"):
            shutil.copy(photo, tmp_path / name)
    board = ("--board", "checkerboard", "--corners", "9x6", "--square-mm", 30)
    photos = [f"{name}={tmp_path / name}" for name in ("left", "right")]
    output = tmp_path / "calibration.toml"
    outcome = pose3d("calibrate", *photos, *board, "-o", output, "--json")
    assert (outcome.code, outcome.err) == (0, ""), outcome
    rig = load_rig(output)
    assert rig["left"].matrix[0, 0] == pytest.approx(532.99, abs=0.1)
    assert rig["right"].matrix[0, 0] == pytest.approx(536.94, abs=0.1)
    assert np.sqrt(np.mean([camera["rms_px"] ** 2 for camera in outcome.json["cameras"]])) <= 0.25


@pytest.fixture
def balance(pose3d, recordings, tmp_path):
    """Triangulate the person with some options; return 3D keypoints and the TRC of Pose2Sim, x y z alike."""
    folder = recordings / "balance-4cam"
    trial = folder / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    trc = read_trc(trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc", up="z")
    views = [f"cam_0{i}={trial / 'pose-associated' / f'cam0{i}_json'}" for i in range(1, 5)]
    calibration = folder / "S00_Calibration" / "Calib_qualisys.toml"

    def run(*options):
        command = ("triangulate", "--calibration", calibration, *views, "--skeleton", "body25b", "--fps", 60)
        outcome = pose3d(*command, "-o", tmp_path / "trial.csv", *options)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        points = read_pose3d(tmp_path / "trial.csv")
        columns = [points.keypoints.index(name) for name in trc.keypoints]
        # the columns x y z of the TRC are y z x of the calibration
        return points.xyz[:, 0, columns], trc.xyz[:, 0][..., [2, 0, 1]], trc.keypoints

    return run


def shank_sd_mm(xyz, keypoints, side):
    knee, ankle = (xyz[:, keypoints.index(f"{side}{joint}")] for joint in ("Knee", "Ankle"))
    return np.nanstd(np.linalg.norm(knee - ankle, axis=-1))


def test_person_by_plain_svd_is_that_of_pose2sim(balance):
    xyz, trc, _ = balance("--no-robust")
    assert np.nanmedian(np.linalg.norm(xyz - trc, axis=-1)) <= 0.2


def test_person_by_default_has_steadier_shanks_and_no_fewer_points(balance):
    xyz, trc, keypoints = balance()
    for side, published in (("L", 36), ("R", 22)):
        assert shank_sd_mm(xyz, keypoints, side) < min(published, shank_sd_mm(trc, keypoints, side))
    assert np.isfinite(xyz[..., 0]).sum() >= np.isfinite(trc[..., 0]).sum()


@pytest.mark.parametrize("network", [0, 1, 2])
def test_fly_before_nearly_orthographic_cameras(pose3d, recordings, tmp_path, network):
    folder = recordings / "fly-3cam-ortho"
    names = [f"05272019_fly4_0_R1C24_Cam-{name}_rot-ccw-0.06_sec.rng={network}.csv" for name in "ABC"]
    output = tmp_path / "fly.csv"
    runs = [
        [f"Cam-{name}={folder / file}" for name, file in zip("ABC", names, strict=True)],
        ["--cam-regex", "(Cam-[A-Z])", *(str(folder / file) for file in names)],
    ]
    written = []
    for sources in runs:
        outcome = pose3d("triangulate", "--calibration", folder / "calibration.toml", *sources, "-o", output, "--json")
        assert (outcome.code, outcome.err) == (0, ""), outcome
        assert outcome.json["median_error_px"] <= 2
        written.append(output.read_bytes())
    assert written[0] == written[1]
    points = read_pose3d(output)
    assert points.xyz.shape == (500, 1, 12, 3)
    assert np.isfinite(points.xyz).all()  # no detection of the three files is missing
