"""What a calibration says to people."""

from pose3d.calibration import CameraQuality, Quality


def test_each_camera_the_edges_and_what_was_dropped_stand_in_the_lines():
    cameras = (
        CameraQuality("back", 21, 0, 1470, 0.42, 0.33, 0.81, 0.003),
        CameraQuality("a long name", 2, 1, 70, 1.0, 0.5, 12.81, 0.0),
    )
    head, back, other, edges, dropped = Quality(cameras, 0.31, -0.02, 1000, {"a long name": (7,)}).lines()
    assert back.split() == ["back", "21", "0", "1470", "0.33", "0.42", "0.81", "0.3", "%"]
    assert len(head) == len(back) == len(other)
    assert "0.31 mm" in edges
    assert "-0.02 mm" in edges
    assert dropped == "a long name: views dropped at frames 7"
    assert len(Quality(cameras[:1], float("nan"), float("nan"), 0, {}).lines()) == 2
