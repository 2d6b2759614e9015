"""Runs of a session: what is redone, what is left alone, and why."""

import json
import os
import shutil

import pytest

from pose3d.batch import plan, require_current
from pose3d.errors import ConfigError, Pose3DError, ProjectError
from pose3d.project import Session

ALL = ["calibrate", "triangulate walk", "angles walk", "export walk"]


def contents(lab):
    return {
        path.relative_to(lab.folder).as_posix(): path.read_bytes()
        for path in lab.folder.rglob("*")
        if path.is_file() and path != lab.state
    }


def test_second_run_does_nothing(lab):
    done, outcomes = lab.run()
    assert done == ALL
    assert {outcome.reason for outcome in outcomes.values()} == {"never run"}
    assert outcomes["calibrate"].lines == ("calibrate went well",)
    before = contents(lab)
    done, outcomes = lab.run()
    assert done == []
    assert [str(outcome) for outcome in outcomes.values()] == [f"{label}: up to date" for label in ALL]
    assert contents(lab) == before


def test_a_threshold_redoes_what_depends_on_it(lab):
    lab.run()
    lab.set(triangulation={"score_threshold": 0.5})
    done, outcomes = lab.run()
    assert done == ALL[1:]
    assert outcomes["triangulate walk"].reason == "setting triangulation.score_threshold: 0.05 -> 0.5"
    assert outcomes["angles walk"].reason == "input pose-3d/walk.csv changed"


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"angles": {"knee": ["a", "b", "c"]}}, ["angles walk"]),
        ({"project": {"fps": 50.0}}, ["triangulate walk", "export walk"]),  # the fake's result does not depend on it
        ({"calibration": {"fisheye": True}}, ["calibrate"]),
        ({"export": {"trc": True}}, []),
    ],
)
def test_settings_redo_only_their_step(lab, sections, expected):
    lab.run()
    lab.set(**sections)
    assert lab.run()[0] == expected


@pytest.mark.parametrize(
    ("before", "after", "expected", "reason"),
    [
        (
            {"project": {"fps": 50.0}},
            {"project": {"fps": 60.0}},
            ["triangulate walk", "export walk"],
            "setting project.fps: 50.0 -> 60.0",
        ),
        (
            {"offsets": {"left": 1}},
            {"offsets": {"left": 2}},
            ["calibrate", "triangulate walk"],
            "setting offsets.left: 1 -> 2",
        ),
        (
            {"project": {"cam_regex": "_(.+)$"}},
            {"project": {"cam_regex": "_(.).+$"}},  # the same files, other cameras' names
            ["calibrate", "triangulate walk"],
            "camera left: walk_left.h5 -> none; camera right: walk_right.h5 -> none; and 2 more",
        ),
    ],
)
def test_changed_settings_are_named(lab, before, after, expected, reason):
    lab.set(**before)
    lab.run()
    lab.set(**after)
    done, outcomes = lab.run()
    assert done == expected  # the fakes' results stay the same, so that nothing follows
    assert outcomes["triangulate walk"].reason == reason


def test_board_setting_is_named(lab):
    lab.run()
    text = lab.session.project.config_path.read_text("utf-8")
    lab.session.project.config_path.write_text(text.replace("square_mm = 30.0", "square_mm = 29.7"), "utf-8")
    done, outcomes = lab.run()
    assert done == ["calibrate"]  # the same calibration came out: nothing follows
    assert outcomes["calibrate"].reason == "setting board.square_mm: 30.0 -> 29.7"


def test_changed_input_is_named_and_followed(lab):
    lab.run()
    lab.put("calibration/board_left.mp4", "board LEFT")  # as long as before
    done, outcomes = lab.run()
    assert done == ALL
    assert outcomes["calibrate"].reason == "input calibration/board_left.mp4 changed"
    assert outcomes["triangulate walk"].reason == "input calibration/calibration.toml changed"


def test_touched_files_are_up_to_date(lab):
    lab.run()
    for path in lab.folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert lab.run()[0] == []
    assert all(item.action == "skip" for item in plan(lab.session, actions=lab.actions))


def test_old_stamps_do_not_hide_a_change_of_the_same_size(lab):
    for path in lab.folder.rglob("*.h5"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    lab.run()
    path = lab.put("pose-2d/walk_left.h5", "points LEFT")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert lab.run()[0] == ALL[1:]


def test_new_and_removed_cameras_are_noticed(lab):
    lab.run()
    lab.put("pose-2d/walk_top.h5", "points top")
    assert "input pose-2d/walk_top.h5 is new" in lab.run()[1]["triangulate walk"].reason
    lab.path("pose-2d/walk_top.h5").unlink()
    assert "input pose-2d/walk_top.h5 is gone" in lab.run()[1]["triangulate walk"].reason


@pytest.mark.parametrize("name", ["pose-3d/walk.csv", "pose-3d/walk.uncertainty.csv"])
def test_deleted_result_is_made_again(lab, name):
    lab.run()
    lab.path(name).unlink()
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]  # it came out the same
    assert outcomes["triangulate walk"].reason == f"{name} is gone"
    assert lab.run()[0] == []


def test_result_changed_by_hand_is_refused(lab):
    lab.run()
    lab.put("pose-3d/walk.csv", "by hand")
    lab.set(triangulation={"score_threshold": 0.5})
    done, outcomes = lab.run()
    assert done == []
    assert outcomes["triangulate walk"].status == "refused"
    assert "pose-3d/walk.csv was changed by hand" in str(outcomes["triangulate walk"].error)
    assert outcomes["angles walk"].status == outcomes["export walk"].status == "skipped"
    assert lab.path("pose-3d/walk.csv").read_text("utf-8") == "by hand"


def test_force_makes_anew_and_keeps_a_copy(lab):
    lab.run()
    lab.put("pose-3d/walk.csv", "by hand")
    done, outcomes = lab.run(force=True)
    assert done == ALL
    assert lab.path("pose-3d/walk.csv.bak").read_text("utf-8") == "by hand"
    assert outcomes["triangulate walk"].lines[-1] == "the file that was there before is kept as walk.csv.bak"
    assert not lab.path("angles/walk.csv.bak").exists()
    assert lab.run()[0] == []


def test_edited_result_can_be_kept(lab):
    lab.run()
    lab.put("pose-3d/walk.csv", "by hand")
    done, outcomes = lab.run(keep_edited=True)
    assert done == ["angles walk", "export walk"]
    assert lab.path("angles/walk.csv").read_text("utf-8") == "by hand!"
    done, outcomes = lab.run()
    assert done == []
    assert outcomes["triangulate walk"].reason == "up to date, with pose-3d/walk.csv as changed by hand"
    lab.set(triangulation={"score_threshold": 0.5})
    done, outcomes = lab.run()
    assert done == []
    assert "since then: setting triangulation.score_threshold: 0.05 -> 0.5" in outcomes["triangulate walk"].reason
    assert lab.run(keep_edited=True)[0] == []
    assert lab.run()[1]["triangulate walk"].status == "up to date"


def test_force_after_keeping_an_edited_result_still_keeps_a_copy(lab):
    lab.run()
    lab.put("pose-3d/walk.csv", "by hand")
    lab.run(keep_edited=True)
    lab.run(force=True)
    assert lab.path("pose-3d/walk.csv.bak").read_text("utf-8") == "by hand"
    assert lab.path("pose-3d/walk.csv").read_text("utf-8") != "by hand"


def test_kept_result_outlives_a_new_version_of_pose3d(lab, monkeypatch):
    lab.run()
    lab.put("pose-3d/walk.csv", "by hand")
    lab.run(keep_edited=True)
    monkeypatch.setattr("pose3d.__version__", "99.0", raising=False)
    done, outcomes = lab.run()
    assert done == ["calibrate", "angles walk", "export walk"]
    assert outcomes["triangulate walk"].status == "up to date"
    assert lab.path("pose-3d/walk.csv").read_text("utf-8") == "by hand"


def test_given_calibration_is_used_as_it_is(lab):
    lab.toml.write_text("given", encoding="utf-8")
    done, outcomes = lab.run()
    assert done == ALL[1:]
    assert outcomes["calibrate"].status == "given"
    assert "put there by hand" in outcomes["calibrate"].reason
    lab.toml.write_text("given anew", encoding="utf-8")
    assert lab.run()[0] == ALL[1:]
    done, _ = lab.run(force=True)
    assert done == ALL
    assert lab.toml.with_name("calibration.toml.bak").read_text("utf-8") == "given anew"


def test_calibration_without_clips_is_used(lab):
    lab.run()
    for path in lab.toml.parent.glob("*.mp4"):
        path.unlink()
    done, outcomes = lab.run()
    assert done == []
    assert outcomes["calibrate"].status == "given"
    lab.toml.unlink()
    with pytest.raises(ProjectError, match=r"holds neither calibration.toml nor clips of the board"):
        lab.run()


def test_own_calibration_changed_by_hand_is_refused(lab):
    lab.run()
    lab.toml.write_text("by hand", encoding="utf-8")
    done, outcomes = lab.run()
    assert done == []
    assert outcomes["calibrate"].status == "refused"
    assert outcomes["triangulate walk"].reason == "needs calibrate, which is refused"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": 1, "steps": 3}', '{"format": 99, "steps": {}}', "[" * 10_000, b"\xff\x00"],
)
def test_damaged_record_counts_as_none(lab, text):
    lab.run()
    before = contents(lab)
    lab.state.write_bytes(text if isinstance(text, bytes) else text.encode())
    done, outcomes = lab.run()
    assert done == ALL
    assert all(outcome.reason.startswith("pose3d-state.json ") for outcome in outcomes.values())
    assert all("counts as out of date" in outcome.reason for outcome in outcomes.values())
    assert contents(lab) == before  # the same came out: no copies are left
    assert lab.run()[0] == []


def test_damaged_record_does_not_cost_a_given_calibration(lab):
    lab.toml.write_text("given", encoding="utf-8")
    lab.run()
    lab.state.write_text("{", encoding="utf-8")
    lab.fail = {"calibrate"}
    done, _ = lab.run()
    assert done == ["calibrate"]
    assert lab.toml.read_text("utf-8") == "given"
    lab.fail.clear()
    done, outcomes = lab.run()
    assert done == ALL
    assert outcomes["calibrate"].reason == "was interrupted the last time"
    assert lab.toml.with_name("calibration.toml.bak").read_text("utf-8") == "given"


def test_foreign_result_is_kept_as_a_copy(lab):
    lab.put("pose-3d/walk.csv", "of anipose")
    lab.run()
    assert lab.path("pose-3d/walk.csv.bak").read_text("utf-8") == "of anipose"


def test_failing_step_leaves_results_and_record(lab):
    lab.run()
    before = contents(lab)
    lab.put("pose-2d/walk_left.h5", "broken")
    lab.fail = {"triangulate walk"}
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]
    assert [outcome.status for outcome in outcomes.values()] == ["up to date", "failed", "skipped", "skipped"]
    assert (
        str(outcomes["triangulate walk"])
        == "triangulate walk: triangulate walk: the input is no good; bring a better one"
    )
    lab.put("pose-2d/walk_left.h5", "points left")
    lab.fail.clear()
    assert contents(lab) == before
    assert lab.run()[0] == []  # the record was left as it was


def test_failing_trial_does_not_stop_the_others(lab):
    for camera in ("left", "right"):
        lab.put(f"pose-2d/run 10_{camera}.h5", "points")
        lab.put(f"pose-2d/run 9_{camera}.h5", "points")
    lab.fail = {"triangulate run 9"}
    done, outcomes = lab.run()
    assert done[:3] == ["calibrate", "triangulate run 9", "triangulate run 10"]
    assert outcomes["angles run 9"].status == "skipped"
    assert outcomes["export run 10"].status == outcomes["export walk"].status == "done"


def test_failing_calibration_stops_all(lab):
    lab.fail = {"calibrate"}
    done, outcomes = lab.run()
    assert done == ["calibrate"]
    assert [outcome.status for outcome in outcomes.values()] == ["failed", "skipped", "skipped", "skipped"]
    lab.fail.clear()
    assert lab.run()[0] == ALL


def test_interrupted_step_is_done_again(lab):
    lab.run()
    lab.set(triangulation={"score_threshold": 0.5})
    lab.interrupt = {"triangulate walk"}
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    lab.interrupt.clear()
    done, outcomes = lab.run()
    assert done == ALL[1:]
    assert outcomes["triangulate walk"].reason == "was interrupted the last time"
    assert not list(lab.folder.rglob("*.bak*"))


def test_first_run_can_be_interrupted(lab):
    lab.interrupt = {"calibrate"}
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    lab.interrupt.clear()
    lab.salt = " whole"
    assert lab.run()[0] == ALL
    assert "whole" in lab.toml.read_text("utf-8")


def test_another_version_of_pose3d_redoes(lab, monkeypatch):
    lab.run()
    monkeypatch.setattr("pose3d.__version__", "99.0", raising=False)
    done, outcomes = lab.run()
    assert done == ALL
    assert outcomes["calibrate"].reason.startswith("made by pose3d ")
    assert outcomes["calibrate"].reason.endswith("this is 99.0")


def test_several_individuals(lab):
    lab.individuals = ("anna", "bert")
    lab.run()
    assert sorted(path.name for path in lab.path("angles").iterdir()) == ["walk_anna.csv", "walk_bert.csv"]
    assert sorted(path.name for path in lab.path("exports").iterdir()) == ["walk_anna.trc", "walk_bert.trc"]
    assert lab.run()[0] == []
    lab.individuals = ("anna", "carl")
    lab.put("pose-2d/walk_left.h5", "other points")
    lab.run()
    assert sorted(path.name for path in lab.path("pose-3d").iterdir()) == ["walk_anna.csv", "walk_carl.csv"]
    assert sorted(path.name for path in lab.path("exports").iterdir()) == ["walk_anna.trc", "walk_carl.trc"]
    assert lab.run()[0] == []


def test_plan_writes_nothing_and_tells_what_comes(lab):
    before = contents(lab)
    items = plan(lab.session, actions=lab.actions)
    assert [(item.label, item.action) for item in items] == [(label, "run") for label in ALL]
    assert lab.done == []
    assert contents(lab) == before
    assert not lab.state.exists()
    lab.run()
    lab.put("calibration/board_left.mp4", "another")
    assert [item.reason for item in plan(lab.session, actions=lab.actions)] == [
        "input calibration/board_left.mp4 changed",
        "calibrate comes first",
        "triangulate walk comes first",
        "triangulate walk comes first",
    ]
    state = lab.state.read_bytes()
    done, outcomes = lab.run(dry_run=True)
    assert done == []
    assert {outcome.status for outcome in outcomes.values()} == {"to do"}
    assert lab.state.read_bytes() == state
    json.dumps([outcome.to_dict() for outcome in outcomes.values()])


def test_trial_without_keypoints_is_skipped_and_said(lab):
    for path in lab.path("pose-2d").iterdir():
        path.unlink()
    done, outcomes = lab.run()
    assert done == ["calibrate"]
    assert outcomes["triangulate walk"].status == "skipped"
    assert outcomes["triangulate walk"].reason == (
        "no 2D keypoints of walk in pose-2d, and no network 'default' that could find them; pose3d train makes one, or "
        'network.model = "blazepose-full" in pose3d.toml finds people'
    )


def test_single_commands_do_not_use_stale_results(lab):
    with pytest.raises(
        ProjectError, match=r'walk\.csv: is not there yet: calibrate: never run; `pose3d run ".*été 1"` mends it'
    ):
        lab.run(only=("angles",))
    assert lab.done == []
    lab.run()
    require_current(lab.session, "triangulate", actions=lab.actions)
    lab.set(triangulation={"score_threshold": 0.5}, angles={"knee": ["a", "b", "c"]})
    with pytest.raises(ProjectError, match=r"walk.csv: is stale: setting triangulation.score_threshold: 0.05 -> 0.5"):
        lab.run(only=("angles",))
    assert lab.done == []
    assert lab.run(only=("triangulate",))[0] == ["triangulate walk"]
    assert lab.run(only=("angles",))[0] == ["angles walk"]
    assert lab.run(only=("export",))[0] == ["export walk"]
    assert lab.run()[0] == []


def test_single_command_is_stopped_by_what_lies_two_steps_before(lab):
    lab.run()
    lab.put("calibration/board_left.mp4", "another")
    with pytest.raises(
        ProjectError, match=r"walk\.csv: is stale: calibrate: input calibration/board_left\.mp4 changed"
    ):
        lab.run(only=("angles",))
    lab.put("calibration/board_left.mp4", "board left")
    lab.toml.write_text("by hand", encoding="utf-8")
    with pytest.raises(ProjectError, match="was changed by hand"):
        require_current(lab.session, "angles", actions=lab.actions)


def test_unknown_step_is_a_mistake_of_the_program(lab):
    with pytest.raises(ValueError, match="no step 'smooth'"):
        lab.run(only=("smooth",))
    with pytest.raises(ValueError, match="no step 'smooth'"):
        require_current(lab.session, "smooth")


def test_calibration_shared_by_sessions(lab):
    second = lab.folder.with_name("été 2")
    shutil.copytree(lab.folder, second)
    shutil.rmtree(second / "calibration")
    shutil.move(lab.folder / "calibration", lab.folder.parent / "calibration")
    done, _ = lab.run()
    assert done == ALL
    lab.folder = second
    done, outcomes = lab.run()
    assert done == ALL[1:]
    assert outcomes["calibrate"].status == "up to date"
    assert (second.parent / "pose3d-state.json").exists()
    assert [session.name for session in lab.session.project.sessions()] == ["été 1", "été 2"]


def test_project_can_be_moved(lab, tmp_path):
    lab.run()
    shutil.move(lab.folder.parent, tmp_path / "elsewhere")
    lab.folder = tmp_path / "elsewhere" / lab.folder.name
    assert lab.run()[0] == []


def test_offset_of_an_unknown_camera(lab):
    lab.set(offsets={"lft": 3})
    with pytest.raises(ProjectError, match=r"offsets.lft: no camera of été 1 has this name; there are left, right"):
        lab.run()


def test_known_intrinsics_are_an_input(lab):
    lab.set(calibration={"intrinsics": "known.toml"})
    with pytest.raises(ConfigError, match=r"calibration\.intrinsics"):
        lab.run()
    known = lab.folder.parent / "known.toml"
    known.write_text("a", encoding="utf-8")
    lab.run()
    known.write_text("b", encoding="utf-8")
    done, outcomes = lab.run()
    assert done == ["calibrate"]
    assert outcomes["calibrate"].reason == "input ../known.toml changed"


def test_outcomes_are_reported_as_they_come(lab):
    seen = []
    lab.run(report=lambda outcome: seen.append((outcome.label, len(lab.done))))
    assert seen == [(label, i + 1) for i, label in enumerate(ALL)]


@pytest.mark.skipif(
    os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="no read-only folders here"
)
def test_read_only_session(lab):
    lab.folder.chmod(0o555)
    try:
        _, outcomes = lab.run()
        assert outcomes["calibrate"].status == "failed"
        assert "cannot be written" in str(outcomes["calibrate"].error)
    finally:
        lab.folder.chmod(0o755)


def test_folder_that_cannot_be_written_fails_in_one_line(lab):
    lab.state.mkdir()
    _, outcomes = lab.run()
    assert outcomes["calibrate"].status == "failed"
    assert isinstance(outcomes["calibrate"].error, Pose3DError)
    assert "\n" not in str(outcomes["calibrate"].error)
    assert lab.done == []


def test_session_outside_of_any_project(tmp_path):
    (tmp_path / "s" / "pose-2d").mkdir(parents=True)
    with pytest.raises(ProjectError, match="pose3d init"):
        Session.load(tmp_path / "s")
