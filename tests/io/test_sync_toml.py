"""sync.toml: written for people, read with care."""

import tomllib

import numpy as np
import pytest

from pose3d.data.timing import Timing
from pose3d.errors import FormatError
from pose3d.io.sync_toml import read_sync, write_sync


def make_timing(cameras=("left", "cam 2.b", 'a"quote')):
    return Timing(
        cameras,
        [0.0, 3.412345, -40.0],
        [0.0, 50.25e-6, 0.0],
        [0.0, 0.0031, np.nan],
        [0.0, 1e-7, np.nan],
        ("reference", "motion", "assumed"),
        cameras[0],
        30000.0,
    )


def test_what_is_written_is_read(tmp_path):
    timing = make_timing()
    path = tmp_path / "new" / "sync.toml"
    write_sync(timing, path)
    again = read_sync(path)
    assert (again.cameras, again.found, again.reference) == (timing.cameras, timing.found, timing.reference)
    assert again.at_frame == timing.at_frame
    for name in ("offset_frames", "drift", "sd_frames", "sd_drift"):
        assert np.allclose(getattr(again, name), getattr(timing, name), rtol=0, atol=1e-9, equal_nan=True)
    text = path.read_bytes()
    assert b"\r" not in text
    assert tomllib.loads(text.decode())["cameras"]["cam 2.b"]["drift_ppm"] == 50.25
    write_sync(again, path)
    assert path.read_bytes() == text


def test_a_file_by_hand_needs_offsets_only(tmp_path):
    path = tmp_path / "sync.toml"
    path.write_text("[cameras.A]\noffset_frames = 0\n\n[cameras.B]\noffset_frames = -2.5\n")
    timing = read_sync(path)
    assert timing.offset_frames.tolist() == [0.0, -2.5]
    assert (timing.reference, timing.found, timing.at_frame) == ("A", ("given", "given"), 0.0)
    assert not timing.drift.any()
    assert np.isnan(timing.sd_frames).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("what is this", "no valid toml"),
        ("[camera_1]\nsize = [1, 2]\n", r"no section \[cameras"),
        ("cameras = 3\n", r"no section \[cameras"),
        ("[cameras]\n", r"no section \[cameras"),
        ("[cameras.A]\nsd_frames = 1\n", "camera A: offset_frames is missing"),
        ("[cameras]\nA = 3\n", "camera A: offset_frames is missing"),
        ('[cameras.A]\noffset_frames = "three"\n', "'three', not a number"),
        ("[cameras.A]\noffset_frames = true\n", "not a number"),
        ("[cameras.A]\noffset_frames = inf\n", "finite"),
        ("[cameras.A]\noffset_frames = nan\n", "finite"),
        ("[cameras.A]\noffset_frames = 0\ndrift_ppm = 1e9\n", "drift_ppm.*finite number up to"),
        ("[cameras.A]\noffset_frames = 0\nsd_frames = -1\n", "not negative"),
        ('[cameras.A]\noffset_frames = 0\nfound = "luck"\n', "luck.*not known"),
        ("[cameras.A]\noffset_frames = 0\nfound = 3\n", "not known"),
        ('reference = "B"\n[cameras.A]\noffset_frames = 0\n', "reference 'B' has no section"),
        ("reference = [1]\n[cameras.A]\noffset_frames = 0\n", "reference"),
        ("at_frame = inf\n[cameras.A]\noffset_frames = 0\n", "at_frame"),
        ("[cameras.A]\noffset_frames = 1" + "0" * 400 + "\n", "finite number up to"),
        ("a = " + "[" * 5000, "no valid toml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, says):
    path = tmp_path / "sync.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=says) as caught:
        read_sync(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "sync.toml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")
    with pytest.raises(FormatError, match="no text"):
        read_sync(path)
    with pytest.raises(FormatError, match="no such"):
        read_sync(tmp_path / "absent.toml")
