"""What lies beside calibrations and points: timing, uncertainty, samples, unfinished work, settings."""

import pytest

from pose3d.batch import plan
from pose3d.errors import ProjectError

ALL = ["calibrate", "triangulate walk", "angles walk", "export walk"]


def test_sync_toml_is_an_input_of_every_trial(lab):
    for camera in ("left", "right"):
        lab.put(f"pose-2d/run_{camera}.h5", "points")
    lab.run()
    triangulations = ["triangulate run", "triangulate walk"]
    for text, reason in (
        ("one", "input sync.toml is new"),
        ("two", "input sync.toml changed"),
        (None, "input sync.toml is gone"),
    ):
        if text is None:
            lab.path("sync.toml").unlink()
        else:
            lab.put("sync.toml", text)
        planned = {item.label: item for item in plan(lab.session, actions=lab.actions)}
        done, outcomes = lab.run()
        assert done == triangulations  # the fakes' results stay the same, so that nothing follows
        for label in triangulations:
            assert planned[label].action == "run"
            assert planned[label].reason == outcomes[label].reason == reason
        assert lab.run()[0] == []


def test_offsets_and_sync_toml_exclude_one_another(lab):
    lab.put("sync.toml", "")
    lab.set(offsets={"left": 0})
    for call in (lab.run, lambda: plan(lab.session)):
        with pytest.raises(ProjectError, match=r"pose3d\.toml: \[offsets\] and .*sync\.toml both say") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert lab.done == []
    lab.path("sync.toml").unlink()
    assert lab.run()[0] == ALL


def test_uncertainty_of_the_calibration_is_followed(lab):
    lab.uncertainty = "0.1 mm"
    assert lab.run()[0] == ALL
    assert lab.run()[0] == []  # although it was not there when the first run was planned
    known = lab.toml.with_name("calibration.uncertainty.npz")
    known.unlink()
    done, outcomes = lab.run()
    assert done == ["calibrate"]
    assert outcomes["calibrate"].reason == "calibration/calibration.uncertainty.npz is gone"
    lab.uncertainty = "0.2 mm"  # of the same cameras
    lab.put("calibration/board_left.mp4", "board left ")
    lab.put("calibration/board_right.mp4", "board right ")
    assert "input calibration/calibration.uncertainty.npz changed" in lab.run()[1]["triangulate walk"].reason
    lab.uncertainty = ""
    lab.put("calibration/board_left.mp4", "board left")
    lab.put("calibration/board_right.mp4", "board right")
    assert "input calibration/calibration.uncertainty.npz is gone" in lab.run()[1]["triangulate walk"].reason
    assert lab.run()[0] == []


def test_uncertainty_beside_a_given_calibration(lab):
    lab.put("calibration/calibration.toml", "given")
    known = lab.put("calibration/calibration.uncertainty.npz", "given too")
    lab.run()
    known.write_text("another", encoding="utf-8")
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]
    assert outcomes["triangulate walk"].reason == "input calibration/calibration.uncertainty.npz changed"
    lab.run(force=True)  # calibrates: the cameras' uncertainty goes with the cameras, and a copy of both stays
    assert not known.exists()
    assert known.with_name(f"{known.name}.bak").read_text("utf-8") == "another"


def test_uncertainty_changed_by_hand_is_refused(lab):
    lab.uncertainty = "0.1 mm"
    lab.run()
    lab.put("calibration/calibration.uncertainty.npz", "none at all")
    done, outcomes = lab.run()
    assert done == []
    assert outcomes["calibrate"].reason.startswith("calibration/calibration.uncertainty.npz was changed by hand")


def test_samples_are_results_and_no_points(lab):
    lab.samples = "50 samples"
    assert lab.run()[0] == ALL
    assert sorted(path.name for path in lab.path("angles").iterdir()) == ["walk.csv"]
    samples = lab.path("pose-3d/walk.samples.npz")
    samples.unlink()
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]
    assert outcomes["triangulate walk"].reason == "pose-3d/walk.samples.npz is gone"
    lab.samples = "60 samples"
    lab.set(triangulation={"samples": 60})
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]  # angles and exports do not depend on them
    assert outcomes["triangulate walk"].reason == "setting triangulation.samples: none -> 60"
    lab.samples = ""
    lab.set()
    lab.run()
    assert not samples.exists()
    assert lab.run()[0] == []


def test_unfinished_work_is_neither_result_nor_trial(lab):
    for folder in ("pose-3d/walk.partial", "pose-3d/walk.samples.partial", "pose-2d/walk_left.partial"):
        lab.put(f"{folder}/manifest.json", "{}")
    done, _ = lab.run()
    assert done == ALL
    assert lab.run()[0] == []
    assert lab.path("pose-3d/walk.partial/manifest.json").exists()
    lab.put("pose-3d/walk.partial/000000000000-000000000100.npz", "more")
    assert {item.reason for item in plan(lab.session, actions=lab.actions)} == {"up to date"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"refine": False}, "setting triangulation.refine: true -> false"),
        ({"smooth_mm": 2.0}, "setting triangulation.smooth_mm: none -> 2.0"),
        ({"constraints": []}, "setting triangulation.constraints: none -> []"),
        ({"scale_smooth": 3}, "setting triangulation.scale_smooth: none -> 3.0"),
    ],
)
def test_settings_of_the_refinement_redo_the_triangulation(lab, settings, reason):
    lab.run()
    lab.set(triangulation=settings)
    done, outcomes = lab.run()
    assert done == ["triangulate walk"]
    assert outcomes["triangulate walk"].reason == reason
    assert lab.run()[0] == []
