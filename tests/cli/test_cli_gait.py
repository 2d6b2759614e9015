"""events: from a file of points to a csv and a table."""

import shutil

import numpy as np

from pose3d.io.anipose_csv import read_angles
from pose3d.io.c3d import read_c3d
from pose3d.io.events import read_events
from pose3d.io.trc import write_trc


def test_events_of_markers(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    outcome = pose3d("events", source, "-o", tmp_path / "events.csv")
    assert outcome.code == 0, outcome
    assert "8 events: L off 2, L strike 2, R off 2, R strike 2" in outcome.out
    assert "strides that count: left 1 of 1, right 1 of 1" in outcome.out
    assert "stride length, m" in outcome.out
    assert f"written: {tmp_path / 'events.csv'}" in outcome.out
    known = read_c3d(source).events
    found = read_events(tmp_path / "events.csv")
    assert (found.limbs, found.kinds) == (known.limbs, known.kinds)
    assert np.abs(found.time_s - known.time_s).max() < 0.05
    again = pose3d("events", source, "-o", tmp_path / "again.csv", "--json")
    (only,) = again.json["individuals"].values()
    assert only["strides"]["left"]["kept"] == 1
    assert 1.0 < only["strides"]["left"]["parameters"]["stride_length"]["mean"] < 1.1


def test_events_of_a_trc_need_no_more(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d"
    write_trc(read_c3d(source).points, tmp_path / "walk.trc")
    for path, output in ((source, "a.csv"), (tmp_path / "walk.trc", "b.csv")):
        assert pose3d("events", path, "-o", tmp_path / output).code == 0
    np.testing.assert_allclose(*(read_events(tmp_path / name).time_s for name in ("a.csv", "b.csv")), atol=2e-4)


def test_wrong_use_of_events(pose3d, refused, recordings, tmp_path) -> None:
    source = tmp_path / "walk.c3d"
    shutil.copy(recordings / "gait-lab" / "plug-in-gait" / "Gait.c3d", source)
    assert pose3d("events", source).code == 2
    assert pose3d("events", source, "-o", source).code == 2
    assert "is a folder" in refused("events", tmp_path, "-o", tmp_path / "e.csv")
    assert "cutoff" in refused("events", source, "--cutoff-hz", 60, "-o", tmp_path / "e.csv")
    source.write_bytes(source.read_bytes()[:3000])
    assert "is damaged" in refused("events", source, "-o", tmp_path / "e.csv")
    (tmp_path / "empty.c3d").write_bytes(b"")
    assert "is empty" in refused("events", tmp_path / "empty.c3d", "-o", tmp_path / "e.csv")


def test_points_and_events_go_into_a_c3d(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    assert pose3d("events", source, "-o", tmp_path / "events.csv").code == 0
    outcome = pose3d(
        *("export", source, "--c3d", tmp_path / "out.c3d", "--trc", tmp_path / "out.trc"),
        *("--events", tmp_path / "events.csv"),
    )
    assert outcome.code == 0, outcome
    again = read_c3d(tmp_path / "out.c3d")
    np.testing.assert_allclose(again.points.xyz, read_c3d(source).points.xyz, rtol=1e-6)
    np.testing.assert_allclose(again.events.time_s, read_events(tmp_path / "events.csv").time_s, atol=1e-4)
    assert (tmp_path / "out.trc").is_file()


def test_wrong_use_of_export(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    for options, told in (
        ([], "--trc"),
        (["--trc", tmp_path / "a.trc", "--events", "e.csv"], "--c3d"),
        (["--c3d", tmp_path / "a.trc"], ".c3d"),
    ):
        outcome = pose3d("export", source, *options)
        assert (outcome.code, told in outcome.err) == (2, True), outcome
    assert not list(tmp_path.iterdir())


def test_angles_of_a_c3d_are_those_of_its_model(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    outcome = pose3d("angles", source, "-o", tmp_path / "angles.csv")
    assert outcome.code == 0, outcome
    found = read_angles(tmp_path / "angles.csv")
    stored = read_c3d(source).angles
    for name, values in (
        ("knee_flexion_r", stored["RKneeAngles"][:, 0]),
        ("hip_rotation_l", stored["LHipAngles"][:, 2]),
    ):
        assert np.nanmax(np.abs(found.deg[:, 0, found.names.index(name)] - values)) < 1e-3


def test_events_come_from_the_best_that_is_there(pose3d, refused, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    known = read_c3d(source).events
    outputs = {name: tmp_path / f"{name}.csv" for name in ("stored", "plates", "both", "given")}
    told = {}
    for name, flags in (("stored", ["--stored"]), ("plates", ["--plates"]), ("both", ["--plates", "--stored"])):
        told[name] = pose3d("events", source, *flags, "-o", outputs[name], "--json").json["source"]
    assert told == {
        "stored": "the file itself",
        "plates": "force plates (4), heels and toes (4)",
        "both": "the file itself",
    }
    np.testing.assert_allclose(read_events(outputs["stored"]).time_s, known.time_s, atol=1e-4)
    by_plates = read_events(outputs["plates"])
    assert (by_plates.limbs, by_plates.kinds) == (known.limbs, known.kinds)
    assert np.abs(by_plates.time_s - known.time_s).max() < 0.05
    outcome = pose3d("events", source, "--events", outputs["plates"], "--stored", "-o", outputs["given"])
    assert f"from {outputs['plates']}" in outcome.out
    assert outputs["given"].read_bytes() == outputs["plates"].read_bytes()
    gait = recordings / "gait-lab" / "plug-in-gait" / "Gait.c3d"
    assert "holds no strikes and offs" in refused("events", gait, "--stored", "-o", tmp_path / "no.csv")
    assert pose3d("events", outputs["plates"], "--plates", "-o", tmp_path / "no.csv").code == 2
    assert not (tmp_path / "no.csv").exists()
