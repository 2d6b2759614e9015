"""Loading finds what belongs to a recording; only points that cannot be read are an error."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton
from pose3d.errors import Pose3DError
from pose3d.viewer.loading import add_views, load_playback, make_playback


@pytest.mark.parametrize("which", ["session", "file"])
def test_a_project_gives_all_its_parts(walk_project, walker_views, which) -> None:
    source = walk_project if which == "session" else walk_project / "pose-3d" / "walk.csv"
    found = load_playback(source)
    assert (found.name, found.n_frames, found.fps, found.remarks) == ("walk", 80, 50.0, ())
    assert set(found.videos) == set("abcd")
    assert found.rig is not None
    assert found.skeleton.name == "HALPE-26"
    assert found.angles is not None
    assert found.events is not None
    assert found.offsets["b"] == 3
    # the detections of the camera that began earlier lie on the rows of the points again
    np.testing.assert_allclose(found.views.xy, walker_views.xy, atol=1e-6)
    assert found.video_frames("b")[:3].tolist() == [3, 4, 5]
    assert found.video_frames("a")[:3].tolist() == [0, 1, 2]
    # noise of 2 px in both coordinates lies sqrt(pi / 2) * 2 px away in the mean
    np.testing.assert_allclose(found.residual_px.mean(), np.sqrt(np.pi / 2) * 2, rtol=0.05)


@pytest.mark.parametrize(
    ("path", "told", "lost"),
    [
        ("calibration/calibration.toml", "cameras left out", "rig"),
        ("angles/walk.csv", "angles left out", None),
        ("events/walk.csv", "events left out", "events"),
        ("pose-2d/walk_a.h5", "detections of a left out", None),
    ],
)
def test_damaged_parts_are_left_out_and_said(walk_project, path, told, lost) -> None:
    (walk_project / path).write_bytes(b"\x00\xffdamaged")
    found = load_playback(walk_project)
    assert any(told in remark for remark in found.remarks), found.remarks
    assert found.n_frames == 80
    if lost is not None:
        assert getattr(found, lost) is None


def test_points_that_cannot_be_read_are_an_error(walk_project, tmp_path) -> None:
    (walk_project / "pose-3d" / "walk.csv").write_text("nothing,here\n1,2\n", encoding="utf-8")
    with pytest.raises(Pose3DError, match="walk"):
        load_playback(walk_project)
    with pytest.raises(Pose3DError):
        load_playback(tmp_path / "absent.csv")


def test_a_file_beside_no_project_is_shown_alone(walk_project, tmp_path, walker_rig) -> None:
    alone = tmp_path / "alone.csv"
    alone.write_bytes((walk_project / "pose-3d" / "walk.csv").read_bytes())
    found = load_playback(alone, rig=walker_rig, videos={"a": tmp_path / "absent.mp4"})
    assert found.fps == 30.0
    assert any("frame rate is unknown" in remark for remark in found.remarks)
    assert any("no such file" in remark for remark in found.remarks)
    assert found.videos == {}
    assert found.rig is walker_rig


def test_several_individuals_of_a_trial_are_shown_together(walk_project, walker) -> None:
    from pose3d.io.anipose_csv import write_pose3d

    (walk_project / "pose-3d" / "walk.csv").unlink()
    (walk_project / "pose-3d" / "walk.uncertainty.csv").unlink()
    two = Keypoints3D.from_points(
        np.concatenate([walker.xyz, walker.xyz + np.array([0, 900.0, 0])], axis=1),
        walker.keypoints,
        ("anna", "ben"),
        fps=50.0,
    )
    write_pose3d(two, walk_project / "pose-3d" / "walk.csv")
    found = load_playback(walk_project)
    assert found.points.individuals == ("anna", "ben")
    np.testing.assert_allclose(found.points.xyz, two.xyz, atol=1e-6)


def test_views_of_other_keypoints_are_left_out(playback, walker_views) -> None:
    strange = replace(walker_views, keypoints=tuple(f"m{i}" for i in range(26)))
    found = add_views(replace(playback, views=None), strange)
    assert found.views is None
    assert sum("no keypoint is named" in remark for remark in found.remarks) == 4


@pytest.mark.parametrize("names", [("one",), ("a", "b"), tuple(f"m{i}" for i in range(6))])
def test_no_skeleton_crashes_nothing(names) -> None:
    rng = np.random.default_rng(0)
    rigid = rng.normal(0, 200, (len(names), 3))
    points = Keypoints3D.from_points(rigid + rng.normal(0, 1, (20, 1, len(names), 3)), names, ("x",), fps=30)
    for skeleton in (None, Skeleton.preset("coco17")):
        made = make_playback(points, skeleton=skeleton)
        assert made.skeleton.keypoints == names
        assert len(made.edges) == len(names) - 1
    assert len(make_playback(points, skeleton=Skeleton("none", names)).edges) == 0


def test_a_laboratorys_markers_are_dots_without_bones() -> None:
    names = tuple(f"M{i}" for i in range(60))
    xyz = np.random.default_rng(0).normal(0, 500, (5, 1, 60, 3))
    made = make_playback(Keypoints3D.from_points(xyz, names, ("x",), fps=100))
    assert len(made.edges) == 0
    assert made.remarks == ()
