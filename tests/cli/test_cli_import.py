"""import: from C3D and TRC to a session that others can use."""

from pose3d.io.imported import read_import


def test_files_become_trials(pose3d, recordings, tmp_path) -> None:
    folder = recordings / "gait-lab" / "children" / "HC030A"
    assert pose3d("init", tmp_path / "lab").code == 0
    sources = [folder / "Straight_HC030A05.c3d", folder / "Static_HC030A01.c3d"]
    outcome = pose3d("import", tmp_path / "lab" / "anna" / "monday", *sources, "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["session"] == "anna/monday"
    assert [trial["angles"] for trial in outcome.json["trials"]] == ["segment axes", "segment axes"]
    assert read_import(tmp_path / "lab/anna/monday/pose-3d/Straight_HC030A05.import.toml").events == 8
    again = pose3d("import", tmp_path / "lab" / "anna" / "monday", sources[0])
    assert "68 angles, from the segment axes of its model" in again.out
    outcome = pose3d("run", tmp_path / "lab" / "anna" / "monday")
    assert (outcome.code, "nothing to do" in outcome.out) == (0, True)


def test_wrong_use_of_import(pose3d, refused, tmp_path) -> None:
    (tmp_path / "a.c3d").write_bytes(b"")
    assert "no pose3d.toml" in refused("import", tmp_path / "monday", tmp_path / "a.c3d")
    assert pose3d("init", tmp_path).code == 0
    assert "is empty" in refused("import", tmp_path / "monday", tmp_path / "a.c3d")
    assert "no such C3D file" in refused("import", tmp_path / "monday", tmp_path / "b.c3d")
    assert "is a file" in refused("import", tmp_path / "a.c3d", tmp_path / "a.c3d")
    assert pose3d("import", tmp_path / "monday", tmp_path / "a.c3d", "--up", "x").code == 2
    assert pose3d("import", tmp_path / "monday").code == 2
