"""BlazePose on a real recording of a person who balances: files, accuracy in space, and two people in one view.

The networks are fetched from PyPI once; where that is not possible, these tests are skipped.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.data import Skeleton, Status
from pose3d.errors import DependencyError
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.rigs import load_rig
from pose3d.io.trc import read_trc
from pose3d.io.video import open_frames, write_video
from pose3d.kinematics import joint_angles
from pose3d.network.blazepose.analyze import analyze_people
from pose3d.network.blazepose.detector import Detector
from pose3d.network.blazepose.landmarks import LandmarkNetwork
from pose3d.network.zoo import add_model, fetch_model, list_models
from pose3d.reconstruction import TriangulationRequest, triangulate_files

pytestmark = pytest.mark.slow

CAMERAS = (1, 2, 3, 4)
LIMIT_MM = {"Elbow": 35, "Wrist": 35, "Ankle": 35, "Heel": 45, "Knee": 45, "Shoulder": 45, "BigToe": 50, "Hip": 70}
SKELETON = Skeleton.preset("blazepose33")
LEGS = [f"{side}{joint}" for joint in ("Knee", "Ankle", "Heel", "BigToe") for side in "LR"]


@pytest.fixture(scope="session")
def networks():
    try:
        return fetch_model("blazepose-full")
    except DependencyError as error:
        pytest.skip(f"{error}")


@pytest.fixture(scope="module")
def trial(recordings):
    return recordings / "balance-4cam" / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"


@pytest.fixture(scope="module")
def rig_file(recordings):
    return recordings / "balance-4cam" / "S00_Calibration" / "Calib_qualisys.toml"


@pytest.fixture(scope="module")
def views(networks, trial, tmp_path_factory):
    """The 2D keypoints of each camera, as files; in px of the images that the calibration is for."""
    folder = tmp_path_factory.mktemp("views")
    files = {}
    for number in CAMERAS:
        path = folder / f"cam_0{number}.h5"
        summary = analyze_people(trial / "videos" / f"cam0{number}.mp4", path, model=networks)
        assert summary.n_people == 1
        found = read_dlc(path, camera=f"cam_0{number}")
        assert found.keypoints == SKELETON.keypoints
        assert np.isfinite(found.xy).all()
        if number in (1, 2):  # these videos are letterboxed
            path.unlink()
            write_dlc(replace(found, xy=found.xy * 1.0075 - [0, 7.25]), path)
        files[f"cam_0{number}"] = path
    return files


@pytest.fixture(scope="module")
def reference(trial):
    """Pose2Sim's points, (n_frames, n_keypoints, 3) mm in the world of the calibration, from video frame 1 on."""
    trc = read_trc(trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc", up="z")
    return dict(zip(trc.keypoints, trc.xyz[:99, 0][..., [2, 0, 1]].swapaxes(0, 1), strict=True))


@pytest.fixture(scope="module", params=[False, True], ids=["free", "limbs"])
def points(request, views, rig_file, tmp_path_factory):
    output = tmp_path_factory.mktemp("points") / "balance.csv"
    skeleton = SKELETON if request.param else None
    triangulate_files(views, rig_file, output, TriangulationRequest(skeleton=skeleton, fps=60.0))
    return read_pose3d(output)


def track(points, name):
    return points.xyz[1:100, 0, points.keypoints.index(name)]


def test_points_lie_near_the_reference(points, reference):
    off = {
        joint: [np.linalg.norm(track(points, side + joint) - reference[side + joint], axis=-1) for side in "LR"]
        for joint in LIMIT_MM
    }
    assert {joint: np.median(both) for joint, both in off.items() if not np.median(both) <= LIMIT_MM[joint]} == {}
    assert np.median(np.concatenate([np.ravel(both) for both in off.values()])) <= 34
    assert (points.status == Status.OBSERVED).mean() > 0.98


def exchanged(xy, own, other):
    """Where each point lies nearer to its partner's place than to its own, (n_points, n_frames)."""
    return np.linalg.norm(xy - other, axis=-1) < np.linalg.norm(xy - own, axis=-1)


def test_the_other_views_repair_a_view_with_left_and_right_exchanged(views, points, reference, rig_file):
    partner = [name.replace(name[0], "R" if name[0] == "L" else "L", 1) for name in LEGS]
    camera = load_rig(rig_file)["cam_02"]
    own, other = (camera.project(np.array([reference[name] for name in names])) for names in (LEGS, partner))
    seen = read_dlc(views["cam_02"], camera="cam_02").xy[1:100, 0, 0]
    before = exchanged(np.array([seen[:, SKELETON.keypoints.index(name)] for name in LEGS]), own, other)
    assert 20 <= (before.mean(0) > 0.5).sum() <= 60
    after = exchanged(camera.project(np.array([track(points, name) for name in LEGS])), own, other)
    assert (after.mean(0) > 0.5).sum() == 0


def test_angles_of_the_legs_and_arms(points):
    angles = joint_angles(points)
    assert {
        f"{name}_{side}" for name in ("knee_flexion", "ankle_dorsiflexion", "elbow_flexion") for side in "lr"
    } <= set(angles.names)
    knees = [angles.names.index(f"knee_flexion_{side}") for side in "lr"]
    assert np.isfinite(angles.deg[:, 0, knees]).mean() > 0.98
    assert -15 < np.median(angles.deg[:, 0, knees]) < 120


def test_two_people_in_one_view_are_both_kept(networks, trial, tmp_path):
    sources = [open_frames(trial / "videos" / f"cam0{number}.mp4") for number in (3, 4)]

    def side_by_side():
        for pair in zip(*(source.frames(range(30)) for source in sources), strict=True):
            both = np.concatenate([image[200:1800] for _, image in pair], axis=1)
            yield cv2.resize(both, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    write_video(tmp_path / "two.mp4", side_by_side(), fps=60.0)
    summary = analyze_people(tmp_path / "two.mp4", tmp_path / "two.h5", model=networks)
    found = read_dlc(tmp_path / "two.h5", camera="A")
    assert found.individuals == ("person_1", "person_2")
    middle = np.nanmedian(found.xy[:, 0, :, :, 0], axis=-1)  # of the body, across the image
    assert np.isfinite(middle[20:]).all()
    sides = np.nanmedian(middle, axis=0)
    assert min(sides) < 544 < max(sides)
    assert np.nanmax(np.abs(middle - sides)) < 200  # each keeps to its half
    assert summary.n_whole < 30


def test_an_image_and_its_mirror_image_agree(networks, trial):
    detector = Detector(networks / "pose_detection.tflite")
    landmarks = LandmarkNetwork(networks / "pose_landmark.tflite")
    order = [SKELETON.keypoints.index(name) for name in SKELETON.keypoints]
    for left, right in SKELETON.pairs:
        i, j = SKELETON.keypoints.index(left), SKELETON.keypoints.index(right)
        order[i], order[j] = j, i
    off = []
    for _, frame in open_frames(trial / "videos" / "cam01.mp4").frames(range(0, 100, 20)):
        image = np.ascontiguousarray(frame[..., ::-1])
        region = detector.find(image).regions[0]
        plain = landmarks.find(image, region)
        flipped = np.array([image.shape[1] - 1 - region[0], region[1], region[2], -region[3]])
        mirrored = landmarks.find(np.ascontiguousarray(image[:, ::-1]), flipped)
        back = mirrored.xy[order] * [-1, 1] + [image.shape[1] - 1, 0]
        sure = (plain.score > 0.6) & (mirrored.score[order] > 0.6)
        off.append((plain.xy - back)[sure] / region[2])
    # half a cell of the heatmap would be 1 / 64 in x
    assert np.abs(np.median(np.concatenate(off), axis=0)).max() < 0.25 / 64


def test_another_network_of_the_family_can_be_added(networks, tmp_path, monkeypatch):
    (tmp_path / "mine.tflite").write_bytes((networks / "pose_landmark.tflite").read_bytes())
    (tmp_path / "mine.toml").write_text('kind = "blazepose"\n')
    monkeypatch.setattr("pose3d.network.zoo._own_place", lambda: tmp_path / "own")
    folder = add_model(tmp_path / "mine.tflite", "mine")
    assert sorted(path.name for path in folder.iterdir()) == ["pose_detection.tflite", "pose_landmark.tflite"]
    assert (list_models()[-1].name, list_models()[-1].kind) == ("mine", "people")
