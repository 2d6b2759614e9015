"""C3D files: real ones of two laboratories, made ones with the traps of the format, and damaged ones."""

import struct

import ezc3d
import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE
from pose3d.errors import FormatError
from pose3d.io.c3d import read_c3d


def make(path, labels, *, n=6, rate=50.0, unit="mm", up="+Z", events=(), seed=0, angles=(), first=None):
    """Write a C3D; events are (minutes, seconds, context, label)."""
    file = ezc3d.c3d()
    points = np.ones((4, len(labels), n))
    points[:3] = np.random.default_rng(seed).normal(0, 500, (3, len(labels), n))
    file["parameters"]["POINT"]["RATE"]["value"] = [rate]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(labels)
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    file.add_parameter("POINT", "Y_SCREEN", [up])
    if angles:
        file.add_parameter("POINT", "ANGLES", list(angles))
    if events:
        file.add_parameter("EVENT", "USED", [len(events)])
        file.add_parameter("EVENT", "CONTEXTS", [event[2] for event in events])
        file.add_parameter("EVENT", "LABELS", [event[3] for event in events])
        file.add_parameter("EVENT", "TIMES", np.array([event[:2] for event in events], dtype=float).T)
    if first is not None:
        file["header"]["points"]["first_frame"] = first
    file["data"]["points"] = points
    file.write(str(path))
    return np.moveaxis(points[:3], 0, -1)


def test_a_trial_of_vicon(recordings):
    found = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d")
    points = found.points
    assert (points.n_frames, points.fps, points.start) == (315, 100.0, 147)
    assert {"LASI", "RHEE", "PELO", "LFEA"} <= set(points.keypoints)
    assert not {"LKneeAngles", "LKneeMoment", "LKneePower"} & set(points.keypoints)
    assert found.angles["LKneeAngles"].shape == (315, 3)
    heel = found.named()["RHEE"]
    assert 0 < np.nanmin(heel[:, 2]) < 120  # mm above the floor
    # Known from the file: 12 events, stored unsorted and as one flat list.
    assert found.events.times("L", STRIKE) == pytest.approx([2.02, 3.05, 4.05])
    assert found.events.times("R", OFF) == pytest.approx([2.12, 3.14, 4.17])
    assert [value[:2] for value in found.values[:2]] == [("Cadence", "L"), ("Walking Speed", "L")]
    assert found.values[0].value == pytest.approx(116.504852)
    assert {value.unit for value in found.values} == {"steps/min", "m/s", "s", "%", "m"}
    plates = found.plates
    assert [plate.rate for plate in plates] == [1000.0, 1000.0]
    assert all(len(plate.force) == 3150 for plate in plates)
    assert all(400 < plate.force[:, 2].max() < 600 for plate in plates)  # the ground pushes upwards
    loaded = plates[0].force[:, 2] > 100
    low, high = plates[0].corners.min(0), plates[0].corners.max(0)
    assert ((plates[0].centre[loaded] > low - 20) & (plates[0].centre[loaded] < high + 20))[:, :2].all()


def test_names_that_go_on_in_a_second_list(recordings):
    """More than 255 labels continue in LABELS2."""
    found = read_c3d(recordings / "gait-lab" / "children" / "HC030A" / "Turn_HC030A22.c3d")
    assert {"RKneeAngles", "LOxfordTrunkAngles"} <= set(found.angles)
    assert {"LASI", "RTOE", "RTIO"} <= set(found.points.keypoints)
    assert not any(name.startswith("point") for name in found.points.keypoints)
    gap = np.isnan(found.points.xyz).mean()
    assert 0 < gap < 0.05
    assert len(found.events) == 19


def test_a_file_of_another_system(recordings):
    """OrthoTrak wrote it on a DEC machine: numbers of another kind, names twice, no events."""
    found = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "Gait.c3d")
    assert {"RKNE", "RKNE_2", "VSAC"} <= set(found.points.keypoints)
    assert (len(found.angles), len(found.events)) == (0, 0)
    assert 700 < np.nanmedian(found.named()["VSAC"][:, 2]) < 1300


def test_subjects_prefix_units_and_zeros(tmp_path):
    xyz = make(tmp_path / "a.c3d", ["Anna:LHEE", "Anna:RHEE", "Anna:LKneeAngles"], unit="m", angles=["LKneeAngles"])
    found = read_c3d(tmp_path / "a.c3d")
    assert found.points.keypoints == ("LHEE", "RHEE")
    np.testing.assert_allclose(found.points.xyz[:, 0], np.moveaxis(xyz[:2], 0, 1) * 1000, rtol=1e-6)
    np.testing.assert_allclose(found.angles["LKneeAngles"], xyz[2], rtol=1e-6)


def test_y_up_is_turned_but_angles_are_not(tmp_path):
    xyz = make(tmp_path / "a.c3d", ["M", "A"], up="+Y", angles=["A"])
    found = read_c3d(tmp_path / "a.c3d")
    np.testing.assert_allclose(found.points.xyz[:, 0, 0], xyz[0][:, [0, 2, 1]] * [1, -1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.angles["A"], xyz[1], rtol=1e-6)


def test_points_that_were_not_seen(tmp_path):
    make(tmp_path / "a.c3d", ["M", "N"])
    file = ezc3d.c3d(str(tmp_path / "a.c3d"))
    points = np.array(file["data"]["points"])
    points[:3, 0, 2] = 0.0
    points[:3, 1, 4] = np.nan
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = np.where(np.isnan(points[:1]), -1.0, 0.0)
    file.write(str(tmp_path / "b.c3d"))
    missing = np.isnan(read_c3d(tmp_path / "b.c3d").points.xyz[:, 0, :, 0])
    assert np.argwhere(missing).tolist() == [[2, 0], [4, 1]]


def test_events_have_the_clock_of_the_points(tmp_path):
    events = [(0, 1.5, "Right", "Foot Off"), (0, 1.1, "Left", "Foot Strike"), (1, 2.0, "General", "Cough")]
    make(tmp_path / "a.c3d", ["M"], events=events)
    found = read_c3d(tmp_path / "a.c3d").events
    assert found.time_s == pytest.approx([1.1, 1.5, 62.0])
    assert (found.limbs, found.kinds) == (("L", "R", "General"), (STRIKE, OFF, "cough"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"no C3D at all", "is no C3D file"),
        (b"\x02\x50" + bytes(600), "is no C3D file, or is cut short"),
        (b"\x02\x50" + bytes(2000), "unknown kind"),
    ],
)
def test_what_is_no_c3d(tmp_path, content, told):
    (tmp_path / "a.c3d").write_bytes(content)
    with pytest.raises(FormatError, match=told) as trouble:
        read_c3d(tmp_path / "a.c3d")
    assert str(tmp_path / "a.c3d") in str(trouble.value)


def test_two_subjects_and_strange_units(tmp_path):
    make(tmp_path / "a.c3d", ["Anna:LHEE", "Berta:LHEE"])
    with pytest.raises(FormatError, match=r"2 subjects \(Anna, Berta\)"):
        read_c3d(tmp_path / "a.c3d")
    make(tmp_path / "b.c3d", ["M"], unit="inch")
    with pytest.raises(FormatError, match="'inch'"):
        read_c3d(tmp_path / "b.c3d")
    make(tmp_path / "c.c3d", ["M"], rate=50.0)
    content = (tmp_path / "c.c3d").read_bytes()
    (tmp_path / "c.c3d").write_bytes(content.replace(struct.pack("<f", 50.0), struct.pack("<f", 0.0)))
    with pytest.raises(FormatError, match="frame rate"):
        read_c3d(tmp_path / "c.c3d")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.98])
def test_a_file_cut_short_is_refused(tmp_path, share):
    make(tmp_path / "a.c3d", ["M", "N"], n=4000)
    whole = (tmp_path / "a.c3d").read_bytes()
    (tmp_path / "a.c3d").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FormatError, match=r"cut short|is no C3D"):
        read_c3d(tmp_path / "a.c3d")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_file_is_read_or_refused_but_never_a_crash(tmp_path, seed):
    """The parser is C++ and crashes on some of these; that must not be the end of the program."""
    labels, events = [f"Mark{i}" for i in range(30)], [(0, 0.02, "Left", "Foot Strike")]
    make(tmp_path / "a.c3d", labels, events=events, angles=labels[:3], seed=seed)
    content = bytearray((tmp_path / "a.c3d").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, 2600, [1, 4, 30][seed % 3]):
        content[place] = rng.integers(256)
    (tmp_path / "a.c3d").write_bytes(content)
    trouble = ""
    try:
        read_c3d(tmp_path / "a.c3d")
    except FormatError as error:
        trouble = str(error)
    assert not trouble or str(tmp_path / "a.c3d") in trouble
    assert "\n" not in trouble
