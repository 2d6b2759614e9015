"""Times of frames in the layouts that recording programs write."""

import numpy as np
import pytest

from pose3d.errors import FormatError
from pose3d.io.timestamps import read_timestamps

CAMERAS = ["cam_1", "cam_2"]


def write(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "sync_index,cam_id,frame_index,frame_time\n0,2,0,5.5\n0,1,0,5.4\n1,1,1,5.6\n1,2,1,5.7\n",
        "cam_id,frame_index,frame_time\n2,27,5.7\n1,27,5.6\n2,26,5.5\n1,26,5.4\n",  # the clip begins at frame 26
        "camera;time\ncam_1;5,4\ncam_2;5,5\ncam_1;5,6\ncam_2;5,7\n",
        "Camera\tTimestamp (ms)\ncam_1\t5400\ncam_2\t5500\ncam_1\t5600\ncam_2\t5700\n",
        "frame,cam_1,cam_2\n0,5.4,5.5\n1,5.6,5.7\n",
        "cam_2_time_ms,cam_1_time_ms\n5500,5400\n5700,5600\n",
        '\ufeff"frame","Cam 2","Cam 1"\r\n"0","5.5","5.4"\r\n"1","5.7","5.6"\r\n',
        "1,2\n5.4,5.5\n5.6,5.7\n",
        "# recorded by hand\ncam_1,cam_2\n5.4,5.5\n5.6,5.7\n\n",
    ],
)
def test_layouts_of_one_file(tmp_path, text):
    times = read_timestamps(write(tmp_path / "timestamps.csv", text), cameras=CAMERAS)
    assert list(times) == CAMERAS
    np.testing.assert_allclose(times["cam_1"], [5.4, 5.6])
    np.testing.assert_allclose(times["cam_2"], [5.5, 5.7])


@pytest.mark.parametrize(
    "text",
    [
        "time\n5.4\n5.6\n5.8\n",
        "5.4\n5.6\n5.8\n",
        "0,5.4\n1,5.6\n2,5.8\n",
        "frame_index,time_s\n2,5.8\n0,5.4\n1,5.6\n",
        "t,temperature\n5.4,20\n5.6,20\n5.8,20\n",
        "timestamp_us\n5400000\n5600000\n5800000\n",
        "time\n1970-01-01T00:00:05.400\n1970-01-01T00:00:05.600\n1970-01-01T00:00:05.800\n",
        "time\n00:00:05.400\n00:00:05.600\n00:00:05.800\n",
    ],
)
def test_a_file_for_each_camera(tmp_path, text):
    for name in ("cam_1", "cam_10", "cam_2"):
        write(tmp_path / f"timestamps_{name}.csv", text)
    write(tmp_path / "notes.md", "nothing")
    times = read_timestamps(tmp_path, cameras=["cam_10", "cam_1"])
    assert list(times) == ["cam_10", "cam_1"]
    np.testing.assert_allclose(times["cam_1"], [5.4, 5.6, 5.8])
    alone = read_timestamps(tmp_path / "timestamps_cam_2.csv", cameras=["side"])
    np.testing.assert_allclose(alone["side"], [5.4, 5.6, 5.8])


def test_clips_of_different_length_and_missing_times(tmp_path):
    text = "cam_1,cam_2\n0.0,0.1\n,0.3\n0.4,\n0.6,\n"
    times = read_timestamps(write(tmp_path / "t.csv", text), cameras=CAMERAS)
    np.testing.assert_array_equal(times["cam_1"], [0.0, np.nan, 0.4, 0.6])
    np.testing.assert_array_equal(times["cam_2"], [0.1, 0.3])
    text = "cam,frame,time\ncam_1,0,0.0\ncam_1,2,0.4\ncam_2,0,0.1\ncam_2,1,0.3\n"
    times = read_timestamps(write(tmp_path / "t.csv", text), cameras=CAMERAS)
    np.testing.assert_array_equal(times["cam_1"], [0.0, np.nan, 0.4])


def test_nanoseconds_are_told_by_their_distance(tmp_path, caplog):
    start = 1_700_000_000_000_000_000
    rows = "".join(f"{start + i * 20_000_000},{start + i * 20_000_000 + 4_000_000}\n" for i in range(20))
    with caplog.at_level("INFO", logger="pose3d"):
        times = read_timestamps(write(tmp_path / "t.csv", "cam_1,cam_2\n" + rows), cameras=CAMERAS)
    np.testing.assert_allclose(np.diff(times["cam_1"]), 0.02, atol=1e-6)
    np.testing.assert_allclose(times["cam_2"] - times["cam_1"], 0.004, atol=1e-6)
    assert "nanoseconds" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("camera,time\ncam_1,0.1\ncam_3,0.1\n", "camera cam_2 is missing; the file has cam_1, cam_3"),
        ("cam_1,cam_3\n0.1,0.1\n", "camera cam_2 has no column"),
        ("a,b\n0.1,0.1\n", "no column is named as a camera"),
        ("camera,time\ncam_1,0.1\ncam_1,0.3\ncam_1,0.2\ncam_2,0.1\n", "cam_1: time runs backwards at frame 2"),
        ("camera,frame,time\ncam_1,0,0.1\ncam_1,0,0.3\ncam_2,0,0.1\n", "cam_1: frame 0 is there twice"),
        ("camera,frame,time\ncam_1,0,0.1\ncam_1,9999999,0.3\ncam_2,0,0.1\n", "2 rows for 10000000 frames"),
        ("camera,frame,time\ncam_1,x,0.1\ncam_2,0,0.3\n", "no frame number"),
        ("camera,time\ncam_1,soon\ncam_2,0.3\n", "'soon' where a time is needed"),
        ("camera,time\ncam_1,inf\ncam_2,0.3\n", "infinite time"),
        ("camera,time\ncam_1,\ncam_2,0.3\n", "camera cam_1 has no time at all"),
        ("camera,place\ncam_1,a,b\n", "cannot be read as a csv|no column of times"),
        ("camera,place,where\ncam_1,1,2\ncam_2,1,2\n", "no column of times; columns are place, where"),
        ("cam_1,cam_2\n", "header only"),
        ("\n\n", "holds no times"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x80\x81", "is no text"),
        (b"a,b\x00\x00\n1,2\n", "holds no times"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path, text, said):
    file = write(tmp_path / "times.csv", text)
    with pytest.raises(FormatError, match=said) as caught:
        read_timestamps(file, cameras=CAMERAS)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FormatError, match="no such timestamps file"):
        read_timestamps(tmp_path / "t.csv", cameras=CAMERAS)
    write(tmp_path / "empty.csv", "")
    with pytest.raises(FormatError, match="is empty"):
        read_timestamps(tmp_path / "empty.csv", cameras=CAMERAS)
    write(tmp_path / "cam_1.csv", "0.1\n0.2\n")
    with pytest.raises(FormatError, match=r"one csv is needed for camera cam_2.*there are cam_1.csv"):
        read_timestamps(tmp_path, cameras=CAMERAS)
    write(tmp_path / "cam_1.txt", "0.1\n0.2\n")
    with pytest.raises(FormatError, match=r"cam_1.csv and cam_1.txt both name it"):
        read_timestamps(tmp_path, cameras=["cam_1"])


def test_timestamps_as_caliscope_writes_them(recordings):
    names = [f"cam_{i}" for i in range(4)]
    times = read_timestamps(recordings / "webcams-4cam/calibration/extrinsic/timestamps.csv", cameras=names)
    assert {len(some) for some in times.values()} == {111}
    assert times["cam_3"][0] == 123.3359266
    spread = np.ptp(np.stack(list(times.values())), axis=0)
    assert 0.04 < spread.max() < 0.045
