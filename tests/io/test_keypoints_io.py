import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton, Status
from pose3d.errors import DataError, FormatError
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.dlc import write_dlc
from pose3d.io.keypoints import load_keypoints, save_keypoints
from pose3d.io.openpose import write_openpose
from pose3d.io.sleap import write_sleap

BODY = Skeleton("two", ("nose", "tail"))


@pytest.fixture
def save(tmp_path, make_points):
    """Write one camera's file and return its path and what it holds."""

    def write(name, **what):
        points = make_points(cameras=(name.split(".")[0],), **what)
        path = tmp_path / "Versuch ä 1" / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("analysis.h5"):
            write_sleap(points, path)
        elif path.suffix:
            write_dlc(points, path)
        else:
            write_openpose(points, path)
        return path, points

    return write


def refused(error, text, *args, **more):
    with pytest.raises(error, match=text) as caught:
        load_keypoints(*args, **more)
    assert "\n" not in str(caught.value)


def test_formats_are_found_from_the_content_and_merged(save):
    people = ("person_0",)
    views = [
        save(name, seed=seed, individuals=people) for seed, name in enumerate(("B.csv", "A.h5", "D.analysis.h5", "C"))
    ]
    sources = {path.name.split(".")[0]: path for path, _ in views}
    points = load_keypoints(sources, skeleton=BODY, fps=60)
    assert (points.cameras, points.fps, points.start) == (("B", "A", "D", "C"), 60, 0)
    for i, (_, view) in enumerate(views):
        np.testing.assert_array_equal(points.xy[:, i], view.xy[:, 0])
        np.testing.assert_array_equal(points.score[:, i], view.score[:, 0])


def test_wrong_suffixes_do_not_matter(save):
    path, points = save("A.analysis.h5")
    np.testing.assert_array_equal(load_keypoints({"A": path.rename(path.with_name("A.csv"))}).xy, points.xy)


def test_keypoints_are_matched_by_name(save):
    a, first = save("A.h5", keypoints=("nose", "tail", "ear"))
    b, second = save("B.csv", keypoints=("ear", "nose", "tail"), seed=1)
    points = load_keypoints({"A": a, "B": b})
    assert points.keypoints == ("nose", "tail", "ear")
    np.testing.assert_array_equal(points.xy[:, 0], first.xy[:, 0])
    np.testing.assert_array_equal(points.xy[:, 1], second.xy[:, 0][:, :, [1, 2, 0]])
    np.testing.assert_array_equal(points.score[:, 1], second.score[:, 0][:, :, [1, 2, 0]])


def test_individuals_are_matched_by_name(save):
    a, _ = save("A.h5", individuals=("m1", "m2"))
    b, second = save("B.csv", individuals=("m2", "m1"), seed=1)
    points = load_keypoints({"A": a, "B": b})
    assert points.individuals == ("m1", "m2")
    np.testing.assert_array_equal(points.xy[:, 1], second.xy[:, 0][:, [1, 0]])


def test_a_single_individual_has_the_name_of_the_first_view(save):
    sources = {
        "A": save("A.analysis.h5", individuals=("track_3",))[0],
        "B": save("B.analysis.h5", individuals=("mouse",))[0],
    }
    assert load_keypoints(sources).individuals == ("track_3",)


def test_views_with_fewer_people_are_padded(save):
    sources = {
        "A": save("A", individuals=("person_0",))[0],
        "B": save("B", individuals=("person_0", "person_1", "person_2"), seed=1)[0],
    }
    points = load_keypoints(sources, skeleton=BODY)
    assert points.individuals == ("person_0", "person_1", "person_2")
    assert np.isnan(points.xy[:, 0, 1:]).all()
    assert np.isfinite(points.xy[:, 1, 2]).any()


# frames


def test_an_offset_shifts_a_camera(save):
    (a, first), (b, second) = save("A.h5"), save("B.h5", seed=1)
    points = load_keypoints({"A": a, "B": b}, offsets={"B": 3})
    assert (points.n_frames, points.start) == (17, 0)
    np.testing.assert_array_equal(points.xy[:, 0], first.xy[:17, 0])
    np.testing.assert_array_equal(points.xy[:, 1], second.xy[3:, 0])
    back = load_keypoints({"A": a, "B": b}, offsets={"B": -3})
    assert (back.n_frames, back.start) == (17, 3)
    np.testing.assert_array_equal(back.xy[:, 1], second.xy[:17, 0])
    np.testing.assert_array_equal(back.xy[:, 0], first.xy[3:, 0])


def test_truncate_keeps_what_all_views_have(save):
    (a, first), (b, second) = save("A.h5"), save("B.h5", n_frames=12, seed=1)
    points = load_keypoints({"A": a, "B": b}, truncate=True)
    np.testing.assert_array_equal(points.xy, np.stack([first.xy[:12, 0], second.xy[:, 0]], axis=1))


def test_views_are_aligned_by_frame_number(save):
    (a, first), (b, second) = save("A.h5", start=5), save("B", start=8, seed=1)
    points = load_keypoints({"A": a, "B": b}, skeleton=BODY, truncate=True)
    assert (points.start, points.n_frames) == (8, 17)
    np.testing.assert_array_equal(points.xy[:, 0], first.xy[3:, 0])
    np.testing.assert_array_equal(points.xy[:, 1], second.xy[:17, 0])


def test_unequal_frames_name_both_remedies(save):
    sources = {"A": save("A.h5")[0], "B": save("B.csv", n_frames=18)[0]}
    text = (
        r"B\.csv: view B has 18 frames \(0 to 17\), view A has 20 frames \(0 to 19\); .*--offset B=FRAMES.*--truncate"
    )
    refused(DataError, text, sources)
    refused(DataError, "view B has 20 frames", {"A": sources["A"], "B": save("B.h5", start=2)[0]})


def test_nothing_in_common(save):
    sources = {"A": save("A.h5")[0], "B": save("B.h5", start=30)[0]}
    refused(
        DataError,
        "no frame is left that all views have: view A ends at 19, view B begins at 30",
        sources,
        truncate=True,
    )


# folders


def test_single_paths(save):
    path, points = save("cam.h5")
    assert load_keypoints(path).cameras == ("cam",)
    np.testing.assert_array_equal(load_keypoints(str(path)).xy, points.xy)


def test_a_folder_of_files_in_natural_order(save):
    for name in ("cam_10.h5", "cam_2.h5", "cam_1.csv"):
        path, _ = save(name)
    (path.parent / "notes.txt").write_text("mine")
    assert load_keypoints(path.parent).cameras == ("cam_1", "cam_2", "cam_10")


def test_folders_of_json(save):
    for name in ("cam01_json", "cam02_json"):
        path, _ = save(name)
    assert load_keypoints(path.parent, skeleton=BODY).cameras == ("cam01", "cam02")
    assert load_keypoints(path, skeleton=BODY).cameras == ("cam02_json",)


# saving


def test_several_cameras_are_saved_as_a_folder(tmp_path, make_points):
    points = make_points(cameras=("cam_2", "cam_10"), individuals=("m1", "m2"), start=4)
    save_keypoints(points, tmp_path / "pose-2d")
    assert sorted(item.name for item in (tmp_path / "pose-2d").iterdir()) == ["cam_10.h5", "cam_2.h5"]
    back = load_keypoints(tmp_path / "pose-2d")
    assert (back.cameras, back.individuals, back.start) == (points.cameras, points.individuals, 4)
    np.testing.assert_array_equal(back.xy, points.xy)
    np.testing.assert_array_equal(back.score, points.score)


@pytest.mark.parametrize("suffix", [".h5", ".csv"])
def test_one_camera_is_saved_as_a_file(tmp_path, make_points, suffix):
    points = make_points()
    save_keypoints(points, tmp_path / f"A{suffix}")
    np.testing.assert_array_equal(load_keypoints(tmp_path / f"A{suffix}").xy, points.xy)


def test_3d_points_are_saved_as_anipose_csv(tmp_path):
    shape = (4, 1, 2)
    points = Keypoints3D(
        np.arange(24.0).reshape(*shape, 3),
        np.ones(shape),
        np.full(shape, 2),
        np.ones(shape),
        np.full(shape, Status.OBSERVED),
        ("individual_0",),
        ("nose", "tail"),
    )
    save_keypoints(points, tmp_path / "trial.csv")
    np.testing.assert_array_equal(read_pose3d(tmp_path / "trial.csv").xyz, points.xyz)
    refused(FormatError, r"trial\.csv: holds 3D points", {"A": tmp_path / "trial.csv"})


def test_what_cannot_be_saved(tmp_path, make_points):
    with pytest.raises(DataError, match="one file holds one camera, there are 2"):
        save_keypoints(make_points(cameras=("A", "B")), tmp_path / "a.h5")
    with pytest.raises(DataError, match="cannot be the name of a file"):
        save_keypoints(make_points(cameras=("A", "../B")), tmp_path / "folder")
    assert not list(tmp_path.iterdir())


# bad input


def test_keypoints_that_a_view_lacks(save):
    a = save("A.h5", keypoints=("hip", "knee_l"))[0]
    b = save("B.h5", keypoints=("hip", "toe"))[0]
    refused(DataError, r'B\.h5: keypoint "knee_l" is missing; view A has it', {"A": a, "B": b})
    c = save("C.h5", keypoints=("hip",))[0]
    refused(DataError, r'C\.h5: keypoint "knee_l" is missing; view A has it', {"A": a, "C": c})
    refused(DataError, r'C\.h5: keypoint "knee_l" is missing; view A has it', {"C": c, "A": a})


def test_individuals_that_a_view_lacks(save):
    a, b = save("A.h5", individuals=("m1", "m2"))[0], save("B.h5", individuals=("m1", "m3"))[0]
    refused(DataError, r'B\.h5: individual "m2" is missing; view A has it', {"A": a, "B": b})


def test_a_view_without_any_keypoint(tmp_path, save, make_points):
    points = make_points()
    write_dlc(replace(points, xy=np.full_like(points.xy, np.nan)), tmp_path / "empty.h5")
    sources = {"A": save("A.h5")[0], "B": tmp_path / "empty.h5"}
    refused(DataError, r"empty\.h5: view B has no keypoint in any frame", sources)
    xy = points.xy.copy()
    xy[:10] = np.nan
    write_dlc(replace(points, xy=xy), tmp_path / "late.h5")
    sources = {"A": save("A.h5", n_frames=8)[0], "B": tmp_path / "late.h5"}
    refused(DataError, r"late\.h5: view B has no keypoint in the frames that all views have", sources, truncate=True)


def test_offset_of_a_stranger_and_no_sources(save):
    refused(DataError, 'camera "X"; there are A', {"A": save("A.h5")[0]}, offsets={"X": 2})
    refused(DataError, "no keypoint files are given", {})


def test_openpose_without_a_skeleton(save):
    refused(FormatError, "2 keypoints without names", {"A": save("A")[0]})


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", b"nose_x,nose_y,nose_z,nose_error,nose_ncams,nose_score,fnum\n", "holds 3D points"),
        ("a.trc", b"PathFileType\t4\t(X/Y/Z)\ta.trc\n", "holds 3D points"),
        ("a.pickle", b"\x80\x04\x95\x00", "is a pickle"),
        ("a.json", json.dumps({"people": []}).encode(), "is one json; give the folder"),
        ("a.mp4", b"\0\0\0\x20ftypisom\xff\xff", "neither HDF5 nor UTF-8 text"),
        ("a.csv", b"some words\n", "is no DeepLabCut csv"),
        ("a.csv", b"", "is empty"),
        ("a.h5", b"\x89HDF\r\n\x1a\n and no more", "cut short or damaged"),
    ],
)
def test_files_of_other_kinds(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)
    refused(FormatError, rf"{name}: .*{text}", {"A": tmp_path / name})


def test_hdf5_of_other_kinds(tmp_path):
    with h5py.File(tmp_path / "points3d.h5", "w") as file:
        file["tracks"] = np.zeros((5, 1, 3, 3))
    refused(FormatError, "3D points", {"A": tmp_path / "points3d.h5"})
    with h5py.File(tmp_path / "labels.slp", "w") as file:
        file["points"], file["frames"] = [1.0], [1.0]
    refused(FormatError, "SLEAP project", {"A": tmp_path / "labels.slp"})


def test_missing_files_and_empty_folders(tmp_path):
    refused(FormatError, "no such keypoint file", {"A": tmp_path / "absent.h5"})
    refused(FormatError, "no such keypoint file", tmp_path / "absent")
    refused(FormatError, "holds no OpenPose json", {"A": tmp_path})
    refused(FormatError, "holds no keypoint files", tmp_path)


# real recordings


def test_mouse(recordings):
    cameras = ("back", "mid", "side", "top")
    points = load_keypoints({c: next((recordings / "mouse-4cam" / c).glob("*.analysis.h5")) for c in cameras}, fps=30)
    assert points.xy.shape == (120, 4, 1, 15, 2)
    np.testing.assert_allclose(np.isnan(points.xy[..., 0]).mean((0, 2, 3)), [0.22, 0, 0.13, 0], atol=0.005)


def test_balance(recordings):
    trial = recordings / "balance-4cam/S00_P00_SingleParticipant/S00_P00_T01_BalancingTrial"
    body = Skeleton.preset("body25b")
    points = load_keypoints(trial / "pose-associated", skeleton=body)
    assert (points.cameras, points.individuals) == (("cam01", "cam02", "cam03", "cam04"), ("person_0",))
    assert np.isnan(points.xy[52, 2]).all()  # cam03 lost the person there
    assert load_keypoints(trial / "pose", skeleton=body).individuals == ("person_0", "person_1", "person_2")


def test_fly(recordings):
    folder = recordings / "fly-3cam-ortho"
    points = load_keypoints({c: next(folder.glob(f"*Cam-{c}*rng=0.csv")) for c in "CAB"})
    assert points.cameras == ("C", "A", "B")
    assert points.xy.shape == (500, 3, 1, 12, 2)
