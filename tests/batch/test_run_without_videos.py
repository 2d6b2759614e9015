"""A session of 2D keypoints and a given calibration, with no video that tells the frame rate."""

import numpy as np

from pose3d.batch import run_session
from pose3d.data import Camera, Keypoints2D, Rig
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.dlc import write_dlc
from pose3d.project import Session, create_project


def test_no_frame_rate_is_no_failure(tmp_path):
    create_project(tmp_path)
    folder = tmp_path / "monday"
    matrix = [[1000.0, 0, 320], [0, 1000.0, 240], [0, 0, 1]]
    rig = Rig(
        (
            Camera("left", (640, 480), matrix, np.zeros(5), np.zeros(3), [100.0, 0, 0]),
            Camera("right", (640, 480), matrix, np.zeros(5), np.zeros(3), [-100.0, 0, 0]),
        )
    )
    (folder / "calibration").mkdir(parents=True)
    write_calibration(rig, folder / "calibration" / "calibration.toml")
    points = np.random.default_rng(0).uniform(-100, 100, size=(5, 2, 3)) + np.array([0, 0, 1500])
    xy = rig.project(points).transpose(0, 2, 1, 3)[:, :, None]
    seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), rig.names, ("mouse",), ("nose", "tail"))
    (folder / "pose-2d").mkdir()
    for name in rig.names:
        write_dlc(seen.select([name]), folder / "pose-2d" / f"run_{name}.csv")

    session = Session.load(folder)
    first = {outcome.label: outcome for outcome in run_session(session)}
    assert first["triangulate run"].status == "done"
    assert first["export run"].status == "done"
    assert "frame rate" in first["export run"].lines[0]
    assert not session.trials()[0].trc.exists()
    second = run_session(session)
    assert {outcome.status for outcome in second} == {"given", "up to date"}
