import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose3d.data import Skeleton
from pose3d.errors import FormatError, Pose3DError
from pose3d.io.openpose import read_openpose, skeletons_of, write_openpose

BODY = Skeleton("three", ("a", "b", "c"))
PERSON = [1.0, 2.0, 0.5, 3.0, 4.0, 0.25, 0, 0, 0]


def put(folder, name, *people):
    folder.mkdir(exist_ok=True)
    people = [{"person_id": [-1], "pose_keypoints_2d": person, "face_keypoints_2d": []} for person in people]
    (folder / name).write_text(json.dumps({"version": 1.3, "people": people}), encoding="utf-8")


def test_one_person(tmp_path):
    put(tmp_path / "über", "trial 2_cam1_000000000000_keypoints.json", PERSON)
    points = read_openpose(tmp_path / "über", camera="left", skeleton=BODY)
    assert (points.cameras, points.individuals, points.keypoints) == (("left",), ("person_0",), ("a", "b", "c"))
    np.testing.assert_array_equal(points.xy[0, 0, 0], [[1, 2], [3, 4], [np.nan, np.nan]])
    np.testing.assert_array_equal(points.score[0, 0, 0], [0.5, 0.25, np.nan])


def test_frames_are_numbered_by_the_last_integer_of_the_name(tmp_path):
    for name in ("p3.cam01.0007.json", "p3.cam01.0009.json", "p3.cam01.0010.json"):
        put(tmp_path, name, [int(name[9:13])] * 9)
    put(tmp_path, "._p3.cam01.0011.json", [0.0])
    (tmp_path / "notes.txt").write_text("no frame")
    points = read_openpose(tmp_path, camera="A", skeleton=BODY)
    assert points.start == 7
    np.testing.assert_array_equal(points.xy[:, 0, 0, 0, 0], [7, np.nan, 9, 10])


def test_several_people_are_numbered_as_they_stand(tmp_path):
    put(tmp_path, "0.json")
    put(tmp_path, "1.json", [5.0] * 9, PERSON)
    put(tmp_path, "2.json", [], PERSON)
    (tmp_path / "3.json").write_text('{"people": [{}]}')  # as Pose2Sim writes someone whom it lost
    points = read_openpose(tmp_path, camera="A", skeleton=BODY)
    assert points.individuals == ("person_0", "person_1")
    present = np.isfinite(points.xy[:, 0, :, :, 0])
    np.testing.assert_array_equal(present.sum(-1), [[0, 0], [3, 2], [0, 2], [0, 0]])


def test_a_low_score_is_no_absence(tmp_path):
    put(tmp_path, "0.json", [1.0, 2.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0])
    points = read_openpose(tmp_path, camera="A", skeleton=BODY)
    assert points.score[0, 0, 0, :2].tolist() == [0, 0.1]
    assert np.isnan(points.score[0, 0, 0, 2])


def test_folder_without_anyone(tmp_path):
    put(tmp_path, "0.json")
    points = read_openpose(tmp_path, camera="A", skeleton=BODY)
    assert np.isnan(points.xy).all()
    with pytest.raises(FormatError, match="no frame holds a person"):
        read_openpose(tmp_path, camera="A", skeleton=None)


def test_skeletons_by_number_of_keypoints():
    assert skeletons_of(25) == ("body25", "body25b")
    assert skeletons_of(24) == ()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n_people=st.integers(1, 3), start=st.integers(0, 10**6), seed=st.integers(0, 100))
def test_round_trip(tmp_path, make_points, n_people, start, seed):
    people = tuple(f"person_{i}" for i in range(n_people))
    points = make_points(n_frames=6, individuals=people, keypoints=BODY.keypoints, start=start, seed=seed)
    write_openpose(points, tmp_path / "json")
    back = read_openpose(tmp_path / "json", camera="A", skeleton=BODY)
    assert (back.individuals, back.start) == (people, start)
    np.testing.assert_array_equal(back.xy, points.xy)
    np.testing.assert_array_equal(back.score, points.score)
    assert [item.name for item in tmp_path.iterdir()] == ["json"]


def test_a_shorter_recording_replaces_a_longer_one(tmp_path, make_points):
    for n_frames in (9, 4):
        write_openpose(make_points(n_frames=n_frames), tmp_path / "json")
    assert len(list((tmp_path / "json").iterdir())) == 4


def test_folders_of_others_are_left_alone(tmp_path, make_points):
    put(tmp_path / "json", "mine_0.json")
    with pytest.raises(Pose3DError, match=r"holds other files \(mine_0\.json\)"):
        write_openpose(make_points(), tmp_path / "json")
    assert len(list(tmp_path.rglob("*"))) == 2
    with pytest.raises(ValueError, match="one camera, not 2"):
        write_openpose(make_points(cameras=("A", "B")), tmp_path / "new")


def test_each_file_is_opened_and_its_name_parsed_once(tmp_path, monkeypatch):
    from pose3d.io import openpose

    for i in range(50):
        put(tmp_path, f"{i}.json", PERSON)
    seen = {"_people": [], "_parse_name": []}
    for name, files in seen.items():
        keep = getattr(openpose, name)
        monkeypatch.setattr(openpose, name, lambda file, keep=keep, files=files: files.append(file) or keep(file))
    read_openpose(tmp_path, camera="A", skeleton=BODY)
    assert [len(files) for files in seen.values()] == [50, 50]


# bad input


def refused(folder, text, skeleton=BODY):
    with pytest.raises(FormatError, match=text) as caught:
        read_openpose(folder, camera="A", skeleton=skeleton)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"people": [{"pose_keypoints_2d": [1, 2', "is no OpenPose json, or is cut short"),
        ('{"bodies": []}', "is no OpenPose json"),
        ("[]", "is no OpenPose json"),
        ('{"people": 3}', "is no OpenPose json"),
        ('{"people": [3]}', "is no OpenPose json"),
        ('{"people": [{"pose_keypoints_2d": "text"}]}', "must be a list of numbers"),
        ('{"people": [{"pose_keypoints_2d": [1, null, 1]}]}', "must be a list of numbers"),
        ('{"people": [{"pose_keypoints_2d": [1' + "0" * 400 + ", 1, 1]}]}", "must be a list of numbers"),
        ("[" * 200_000, "is no OpenPose json"),
        ("\xff\x00", "is no OpenPose json"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3, 4]}]}', "4 values, no multiple of 3"),
        (
            '{"people": [{"pose_keypoints_2d": [' + "1, " * 50 + "1]}]}",
            "17 keypoints, three has 3; give --skeleton coco17",
        ),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "a skeleton with that many is needed"),
    ],
)
def test_damaged_file_is_named(tmp_path, content, text):
    put(tmp_path, "cam_0.json", PERSON)
    (tmp_path / "cam_1.json").write_text(content, encoding="latin-1")
    refused(tmp_path, rf"cam_1\.json: .*{text}")


def test_without_a_skeleton_those_that_fit_are_named(tmp_path):
    put(tmp_path, "0.json", [1.0] * 75)
    refused(tmp_path, "25 keypoints without names; give --skeleton body25 or body25b", skeleton=None)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ([], "holds no json"),
        (["first.json"], "no frame number"),
        (["a_1.json", "a_01.json"], "frame 1 is there twice"),
        (["a_1.json", "a_99999999999999.json"], "numbers look wrong"),
        ([f"a_{'9' * 40}.json"], "too large"),
    ],
)
def test_names_of_files(tmp_path, files, text):
    (tmp_path / "json").mkdir()
    for name in files:
        put(tmp_path / "json", name, PERSON)
    refused(tmp_path / "json", text)


def test_huge_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pose3d.io.openpose._MOST_BYTES", 100)
    put(tmp_path, "0.json", PERSON * 3)
    refused(tmp_path, "too large for a frame")


def test_missing_folder(tmp_path):
    refused(tmp_path / "absent", "no such folder of OpenPose json")


# real recordings


@pytest.mark.parametrize(("folder", "n_people"), [("pose", [3, 2, 1, 1]), ("pose-associated", [1, 1, 1, 1])])
def test_balance(recordings, folder, n_people):
    trial = recordings / "balance-4cam/S00_P00_SingleParticipant/S00_P00_T01_BalancingTrial"
    body = Skeleton.preset("body25b")
    for i, n in enumerate(n_people, 1):
        points = read_openpose(trial / folder / f"cam0{i}_json", camera=f"cam0{i}", skeleton=body)
        assert (points.n_frames, points.start, len(points.individuals)) == (100, 0, n)
    first = read_openpose(trial / folder / "cam01_json", camera="cam01", skeleton=body)
    np.testing.assert_array_equal(first.xy[0, 0, 0, 0], [505.232, 431.63])
    assert first.score[0, 0, 0, 0] == 0.664216
