"""`pose3d demo`: the chain on a session with known truth."""

import pytest


def test_a_folder_with_other_things_is_left_alone(refused, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert "is no demo" in refused("demo", tmp_path / "mine")
    assert "is no demo" in refused("demo", tmp_path / "mine" / "thesis.txt")


def test_an_interrupted_demo_can_be_begun_again(pose3d, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def interrupted(folder, **_):
        (folder / "session1").mkdir(exist_ok=True)
        begun.append(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("pose3d.demo.make_session", interrupted)
    assert [pose3d("demo", tmp_path / "demo").code for _ in range(2)] == [130, 130]
    assert len(begun) == 2


@pytest.mark.slow
def test_the_demo_runs_and_is_near_the_truth_and_then_up_to_date(pose3d, tmp_path) -> None:
    outcome = pose3d("demo", tmp_path / "demo", "--seed", 3, "--json")
    assert outcome.code == 0, outcome
    errors = outcome.json["errors"]
    assert errors["rig"]["baseline_percent"] < 1.5
    assert errors["points"]["median_mm"] < 10
    assert errors["points"]["n_missing"] < 0.02 * errors["points"]["n_points"]
    for name in ("knee_flexion_l", "knee_flexion_r"):
        assert errors["angles"][name]["rms_deg"] < 4
    again = pose3d("run", tmp_path / "demo" / "session1", "--json").json
    assert {step["status"] for step in again["steps"]} == {"up to date"}
