"""Files that are worse than missing: links in a circle, folders, other encodings, numbers beyond reason."""

import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.openpose import write_openpose

VIEW = "cam_3"


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def in_utf16(path: Path) -> None:
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))


def with_semicolons(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b",", b";"))


def cut_in_the_last_row(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def with_a_word_among_numbers(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0.9", b"high", 1))


def with_a_frame_far_away(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n11,", b"\n1000000000000,"))


needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


@pytest.mark.parametrize(
    "damage",
    [
        replaced_by_folder,
        pytest.param(replaced_by_a_circle, marks=needs_links),
        in_utf16,
        with_semicolons,
        cut_in_the_last_row,
        with_a_word_among_numbers,
        with_a_frame_far_away,
    ],
)
def test_damaged_keypoints(refused, recording, damage) -> None:
    damage(recording.views[VIEW])
    assert recording.views[VIEW].name in refused(*recording.triangulate())


@pytest.mark.parametrize(
    "damage", [replaced_by_folder, pytest.param(replaced_by_a_circle, marks=needs_links), in_utf16]
)
def test_a_damaged_calibration(refused, recording, damage) -> None:
    damage(recording.calibration)
    assert recording.calibration.name in refused(*recording.triangulate())


@pytest.mark.parametrize("number", ["nan", "inf", "1e300", '"600"'])
@pytest.mark.parametrize("key", ["matrix = [ [ ", "distortions = [ ", "rotation = [ ", "translation = [ "])
def test_numbers_beyond_reason_in_a_calibration(refused, recording, key: str, number: str) -> None:
    before, found, after = recording.calibration.read_text(encoding="utf-8").partition(key)
    assert found
    recording.calibration.write_text(f"{before}{key}{number},{after.partition(',')[2]}", encoding="utf-8")
    assert key.split()[0] in refused(*recording.triangulate())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tracks", np.zeros((1, 2, 25, 0))),
        ("tracks", np.zeros((12, 1, 25, 3))),
        ("tracks", np.zeros((1, 2, 25, 12), dtype=complex)),
        ("tracks", np.array([b"text"])),
        ("node_names", np.arange(25)),
        ("images", np.zeros((3, 4))),
    ],
)
def test_an_h5_with_other_datasets(refused, recording, keypoints, name: str, value: np.ndarray) -> None:
    sleap = {"tracks": np.zeros((1, 2, 25, 12)), "node_names": np.array([n.encode() for n in keypoints.keypoints])}
    path = recording.views[VIEW].with_suffix(".h5")
    with h5py.File(path, "w") as file:
        for key, content in ({name: value} if name == "images" else sleap | {name: value}).items():
            file[key] = content
    recording.views[VIEW] = path
    assert path.name in refused(*recording.triangulate())


def test_an_h5_that_claims_terabytes(refused, recording, keypoints) -> None:
    path = recording.views[VIEW].with_suffix(".h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("tracks", shape=(1, 2, 25, 10**10), chunks=(1, 2, 25, 1000), dtype="f8")
        file["node_names"] = np.array([name.encode() for name in keypoints.keypoints])
    recording.views[VIEW] = path
    assert "too many" in refused(*recording.triangulate())


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "[1, 2]", '{"people": {}', '{"people": [{"pose_keypoints_2d": [1]}]}']
)
def test_damaged_openpose_json(refused, recording, keypoints, text: str) -> None:
    for name in recording.views:
        recording.views[name] = recording.folder / f"{name}_json"
        write_openpose(keypoints.select([name]), recording.views[name])
    frame = sorted(recording.views[VIEW].iterdir())[3]
    frame.write_text(text, encoding="utf-8")
    assert frame.name in refused(*recording.triangulate("--skeleton", "body25"))


def test_a_json_of_50_mb(refused, recording, keypoints) -> None:
    for name in recording.views:
        recording.views[name] = recording.folder / f"{name}_json"
        write_openpose(keypoints.select([name]), recording.views[name])
    frame = sorted(recording.views[VIEW].iterdir())[3]
    with frame.open("wb") as file:
        file.truncate(51_000_000)
    assert "too large" in refused(*recording.triangulate("--skeleton", "body25"))


def test_all_scores_zero(refused, recording, keypoints) -> None:
    for name in recording.views:
        view = keypoints.select([name])
        recording.write(name, replace(view, score=np.zeros_like(view.score)))
    assert "none has a score of 0.05 or more" in refused(*recording.triangulate())


def test_views_beyond_reason_are_left_out(pose3d, recording, figure) -> None:
    path = recording.views[VIEW]
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[5].split(",")
    cells[1], cells[5], cells[8] = "inf", "-inf", "1e308"
    lines[5] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    outcome = pose3d(*recording.triangulate())
    assert (outcome.code, outcome.err) == (0, "")
    points = read_pose3d(recording.output)
    np.testing.assert_allclose(points.xyz[:, 0], figure, atol=1e-3)
    assert points.n_cameras.min() == 3


def test_one_frame_of_one_keypoint(pose3d, recording, keypoints, figure) -> None:
    for name in recording.views:
        view = keypoints.select([name])
        one = replace(view, xy=view.xy[:1, ..., :1, :], score=view.score[:1, ..., :1], keypoints=view.keypoints[:1])
        recording.write(name, one)
    outcome = pose3d(*recording.triangulate())
    assert (outcome.code, outcome.err) == (0, "")
    np.testing.assert_allclose(read_pose3d(recording.output).xyz[0, 0], figure[0, :1], atol=1e-3)


@pytest.mark.parametrize("option", ["--offset=cam_2=1000000000", "--offset=cam_2=-1000000000", "--offset=cam_99=1"])
def test_offsets_beyond_reason(refused, recording, option: str) -> None:
    assert "offset" in refused(*recording.triangulate(option))


@pytest.mark.parametrize("name", ["trial.h5", "trial.txt", "trial"])
def test_an_output_that_is_named_as_another_format(refused, recording, name: str) -> None:
    command = recording.triangulate()
    command[command.index("-o") + 1] = recording.folder / name
    assert ".csv" in refused(*command)


def test_an_output_whose_side_file_cannot_be_written(refused, pose3d, recording) -> None:
    assert pose3d(*recording.triangulate()).code == 0
    side = recording.output.with_name("trial.uncertainty.csv")
    side.unlink()
    side.mkdir()
    # the earlier result stays as it was
    assert "trial.uncertainty.csv: is a folder" in refused(*recording.triangulate("--min-cameras", 4))
