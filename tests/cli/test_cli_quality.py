"""pose3d quality and reproject: agreement told, faults named, points projected back."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Keypoints2D
from pose3d.demo.trials import make_ring, make_trial, walk_in_circles
from pose3d.io.anipose_csv import read_pose3d, write_pose3d
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.openpose import write_openpose
from pose3d.io.rigs import save_rig
from pose3d.io.trc import write_trc
from pose3d.reconstruction import triangulate

N_FRAMES, LATE = 300, 3


@pytest.fixture(scope="module")
def trial():
    """A walk, and what cam_2 would have seen three frames later than it did."""
    places = walk_in_circles(N_FRAMES + LATE, rng=np.random.default_rng(3))
    rig = make_ring(4)
    seen, before = (make_trial(N_FRAMES, rig=rig, xyz=xyz, seed=3) for xyz in (places[LATE:], places[:-LATE]))
    xy = seen.keypoints.xy.copy()
    xy[:, 1] = before.keypoints.xy[:, 1]
    return seen, replace(seen.keypoints, xy=xy)


class Files:
    """Points, calibration and views in a folder."""

    def __init__(self, folder, trial, keypoints):
        self.points, self.calibration = folder / "trial.csv", folder / "calibration.toml"
        self.views = [folder / "pose-2d" / f"trial_{name}.h5" for name in keypoints.cameras]
        save_rig(trial.rig, self.calibration)
        self.write(keypoints)
        write_pose3d(triangulate(keypoints, trial.rig), self.points)

    def write(self, keypoints):
        for name, path in zip(keypoints.cameras, self.views, strict=True):
            write_dlc(keypoints.select([name]), path)

    @property
    def quality(self):
        return ["quality", self.points, *self.views, "-c", self.calibration]

    def reproject(self, folder):
        return ["reproject", self.points, "-c", self.calibration, "-o", folder]


@pytest.fixture
def files(trial, tmp_path):
    return Files(tmp_path, trial[0], trial[0].keypoints)


@pytest.fixture
def late(trial, tmp_path):
    return Files(tmp_path, *trial)


def test_nothing_is_wrong(pose3d, files) -> None:
    outcome = pose3d(*files.quality)
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert "nothing is wrong" in outcome.out
    summary = pose3d(*files.quality, "--json").json
    assert summary["findings"] == []
    assert [camera["name"] for camera in summary["cameras"]] == ["cam_1", "cam_2", "cam_3", "cam_4"]
    assert 0.5 < summary["cameras"][0]["median_px"] < 2


def test_a_late_camera_is_named_and_the_exit_code_is_3(pose3d, late) -> None:
    outcome = pose3d(*late.quality)
    assert outcome.code == 3
    assert outcome.out.splitlines()[4].startswith("camera cam_2 is about 3")
    assert "nothing is wrong" not in outcome.out
    first = pose3d(*late.quality, "--json").json["findings"][0]
    assert (first["code"], first["cameras"]) == ("late", ["cam_2"])
    assert first["size"] == pytest.approx(LATE, abs=0.5)


def test_offsets_and_sync_are_those_of_the_points(pose3d, late, tmp_path) -> None:
    sync = tmp_path / "sync.toml"
    sections = [f"[cameras.cam_{i}]\noffset_frames = {LATE if i == 2 else 0}\n" for i in (1, 2, 3, 4)]
    sync.write_text("\n".join(sections), encoding="utf-8")
    for options in (["--sync", sync], ["--offset", f"cam_2={LATE}"]):
        made = pose3d("triangulate", *late.quality[2:], *options, "--no-refine", "-o", late.points)
        assert made.code == 0, made
        outcome = pose3d(*late.quality, *options, "--json")
        assert outcome.code == 0, outcome
        assert outcome.json["n_frames"] == N_FRAMES - LATE


def test_names_are_matched_whatever_their_order(pose3d, files, trial) -> None:
    keypoints = trial[0].keypoints
    files.write(
        replace(
            keypoints,
            xy=keypoints.xy[..., ::-1, :],
            score=keypoints.score[..., ::-1],
            keypoints=keypoints.keypoints[::-1],
        )
    )
    outcome = pose3d(*files.quality, "--json")
    assert outcome.code == 0, outcome


def test_one_of_several_individuals(pose3d, files, trial) -> None:
    keypoints, points = trial[0].keypoints, read_pose3d(files.points)
    xy = np.concatenate([keypoints.xy + 20.0, keypoints.xy], axis=2)
    files.write(
        Keypoints2D(xy, keypoints.score.repeat(2, axis=2), keypoints.cameras, ("ann", "bob"), keypoints.keypoints)
    )
    write_pose3d(replace(points, individuals=("bob",)), files.points)
    assert pose3d(*files.quality).code == 0
    write_pose3d(replace(points, individuals=("eve",)), files.points)
    outcome = pose3d(*files.quality)
    assert outcome.code == 1
    assert f"{files.points}: individuals differ" in outcome.err


def test_the_subject_among_people_of_openpose(pose3d, tmp_path, rig, figure, keypoints) -> None:
    save_rig(rig, tmp_path / "calibration.toml")
    walker = rig.project(figure + np.array([0.0, 1500.0, 0.0])).swapaxes(1, 2)[:, :, None]
    sources = []
    for c, name in enumerate(rig.names):
        both = [keypoints.xy[:, c : c + 1], walker[:, c : c + 1]]
        xy = np.concatenate(both[::-1] if c % 2 else both, axis=2)
        view = Keypoints2D(xy, np.full(xy.shape[:-1], 0.9), (name,), ("person_0", "person_1"), keypoints.keypoints)
        write_openpose(view, tmp_path / name)
        sources.append(f"{name}={tmp_path / name}")
    write_pose3d(triangulate(keypoints, rig), tmp_path / "trial.csv")
    common = [*sources, "-c", tmp_path / "calibration.toml", "--skeleton", "body25"]
    outcome = pose3d("quality", tmp_path / "trial.csv", *common, "--subject", "5@0,0,900", "--json")
    assert outcome.code in (0, 3), outcome
    assert max(camera["p95_px"] for camera in outcome.json["cameras"]) < 1


def test_keypoints_that_the_points_lack_are_left_aside(pose3d, files) -> None:
    points = read_pose3d(files.points)
    arrays = {name: getattr(points, name)[:, :, 1:] for name in ("xyz", "error", "n_cameras", "score", "status")}
    write_pose3d(replace(points, **arrays, covariance=None, keypoints=points.keypoints[1:]), files.points)
    outcome = pose3d(*files.quality)
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[0].endswith(f"lacks them: {points.keypoints[0]}")


def test_points_of_another_recording_are_refused(refused, files, trial) -> None:
    points = read_pose3d(files.points)
    write_pose3d(replace(points, keypoints=("Tail", *points.keypoints[1:])), files.points)
    assert f"{files.points}: keypoints differ" in refused(*files.quality)
    files.write(trial[0].keypoints.frames(0, 250))
    assert "300 frames" in refused(*files.quality)


def test_bad_input_is_one_line(refused, files, trial) -> None:
    save_rig(trial[0].rig.select(["cam_1", "cam_2", "cam_3"]), files.calibration)
    assert "cam_4" in refused(*files.quality)
    files.points.write_bytes(b"just some text\n")
    assert files.points.name in refused(*files.quality)
    assert files.points.name in refused(*files.reproject(files.points.parent / "out"))
    files.calibration.unlink()
    assert "no such" in refused(*files.quality)
    assert "no such" in refused(*files.reproject(files.points.parent / "out"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["quality", "t.csv"], "NAME=PATH"),
        (["quality", "t.csv", "a=1.h5"], "--calibration"),
        (["quality", "t.csv", "a=1.h5", "-c", "c.toml", "--offset", "a"], "--offset"),
        (["quality", "t.csv", "a=1.h5", "-c", "c.toml", "--subject", "here"], "--subject"),
        (["reproject", "t.csv", "-o", "out"], "--calibration"),
        (["reproject", "t.csv", "-c", "c.toml"], "--output"),
    ],
)
def test_wrong_usage(pose3d, arguments: list[str], told: str) -> None:
    outcome = pose3d(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err


@pytest.mark.parametrize("suffix", ["h5", "csv"])
def test_points_are_projected_into_every_camera(pose3d, files, trial, tmp_path, suffix: str) -> None:
    folder = tmp_path / "back"
    outcome = pose3d(*files.reproject(folder), *(["--csv"] if suffix == "csv" else []), "--json")
    assert outcome.code == 0, outcome
    rig, points = trial[0].rig, read_pose3d(files.points)
    paths = [folder / f"trial_{name}.{suffix}" for name in rig.names]
    assert outcome.json == {"outputs": [str(path) for path in paths]}
    for camera, path in zip(rig, paths, strict=True):
        made = read_dlc(path, camera=camera.name)
        assert made.keypoints == points.keypoints
        expected = camera.project(points.xyz[:, 0])
        here = np.isfinite(made.xy[:, 0, 0, :, 0])
        assert here.mean() > 0.9
        np.testing.assert_allclose(made.xy[:, 0, 0][here], expected[here], atol=1e-6)


def test_a_trc_is_projected(pose3d, files, tmp_path) -> None:
    write_trc(read_pose3d(files.points), tmp_path / "walk.trc", fps=100.0)
    outcome = pose3d("reproject", tmp_path / "walk.trc", "-c", files.calibration, "-o", tmp_path / "back")
    assert outcome.code == 0, outcome
    assert (tmp_path / "back" / "walk_cam_1.h5").is_file()


def test_detections_are_not_overwritten(pose3d, files) -> None:
    before = [path.read_bytes() for path in files.views]
    outcome = pose3d(*files.reproject(files.views[0].parent))
    assert outcome.code == 2
    assert "--overwrite" in outcome.err
    assert [path.read_bytes() for path in files.views] == before
    assert pose3d(*files.reproject(files.views[0].parent), "--overwrite").code == 0
    assert files.views[0].read_bytes() != before[0]
