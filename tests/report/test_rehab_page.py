"""The rehabilitation report: quality first, a side or a change named only where the numbers bear it, the same bytes."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.recording_facts import PointCoverage, RecordingFacts
from pose3d.kinematics.exercises import EXERCISES, measure_exercise
from pose3d.kinematics.progress import ErrorSource, ExerciseSession, compare_sessions, follow_sessions
from pose3d.report.document import Callout
from pose3d.report.gait_facts import GaitFacts
from pose3d.report.rehab_facts import ExerciseRecording, RehabContents, judge_exercises
from pose3d.report.rehab_page import rehab_document, write_rehab_report

FPS = 50.0


def ease(n):
    part = np.linspace(0, 1, n)
    return part**3 * (10 - 15 * part + 6 * part**2)


def motion(ranges, rest=5.0):
    parts = [np.full(40, rest)]
    for i, reach in enumerate(ranges):
        n = 50 + 4 * i
        parts += [rest + reach * ease(n), np.full(15, rest + reach), rest + reach * ease(n)[::-1], np.full(40, rest)]
    return np.concatenate(parts)


def squat(ranges=(90, 30, 93, 91, 94), left=0.9, n_samples=60, seed=0):
    rng = np.random.default_rng(seed)
    deg = {"knee_flexion_l": motion([left * each for each in ranges]), "knee_flexion_r": motion(ranges)}
    samples = {name: angle * (1 + 0.004 * rng.standard_normal((n_samples, 1))) for name, angle in deg.items()}
    return measure_exercise(EXERCISES["squat"], deg, fps=FPS, samples=samples if n_samples else None)


def reach():
    left, right = motion([100, 101, 99], rest=3.0), motion([120, 119, 121], rest=3.0)
    still = np.full(len(left), 3.0)
    angles = {
        "shoulder_flexion_l": np.concatenate([left, still]),
        "shoulder_flexion_r": np.concatenate([still, right]),
    }
    return measure_exercise(EXERCISES["reach"], angles, fps=FPS)


def facts(*names, filled=0.01):
    keypoints = ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LElbow")
    some = np.full(len(keypoints), 0.01)
    loss = np.full(len(keypoints), filled)
    seen = PointCoverage(keypoints, 1 - some - loss, loss, some, 300 * some, 110 * some, 90 * some)
    made = [
        RecordingFacts(name, f"{name}.csv", "ab" * 32, 900, FPS, seen, "definitions on keypoints", "") for name in names
    ]
    return GaitFacts("week6", "P07", tuple(made), cameras=("left", "right"), date="2026-04-12", version="1")


def contents(**changes):
    recordings = (ExerciseRecording("squat", squat()), ExerciseRecording("reach", reach()))
    return replace(RehabContents(recordings, facts("squat", "reach")), **changes)


def compared(after=96.0, errors=None):
    def session(mean, name="s", day=None):
        return ExerciseSession(name, (squat((mean - 1, mean, mean + 1, mean)),), day)

    now = session(after, "now", 42.0)
    before = session(90.0, "week0")
    dated = (session(90, "week0", 0.0), session(93.5, "week3", 21.0), now)
    source = errors or ErrorSource(repeated=(session(90), session(92), session(91.5)))
    return contents(
        before=before,
        progress=compare_sessions(before, now, source),
        sem_source="three sessions",
        sessions=dated,
        trends=follow_sessions(dated),
    )


def callouts(document):
    return [block for page in document.pages for block in page.blocks if isinstance(block, Callout)]


def test_pages_begin_with_quality_and_end_with_definitions():
    titles = [page.title for page in rehab_document(contents()).pages]
    assert titles == [
        "Quality", "Squat", "Squat: numbers", "Reach", "Reach: numbers", "Definitions, settings and sources",
    ]  # fmt: skip
    titles = [page.title for page in rehab_document(compared()).pages]
    assert titles[5:7] == ["Before and after", "Over the sessions"]


def test_the_weaker_side_is_named_only_where_the_interval_says_so():
    document = rehab_document(contents())
    squats, reaches = callouts(document)[1:3]
    assert squats.headline == "4 repetitions of knee flexion (1 broken off)"
    assert squats.lines[0].startswith("Range: left bends less by 9.2° [")
    assert reaches.headline == "3 left and 3 right repetitions of shoulder flexion"
    assert reaches.lines[0].startswith("Range: left reaches less by 20.0° [")
    alike = contents(recordings=(ExerciseRecording("squat", squat(left=1.0)),))
    assert "no difference that could be told from error" in callouts(rehab_document(alike))[1].lines[0]


def test_a_change_is_called_one_only_beyond_the_minimal_detectable_one():
    assert "3 of 3 ranges changed" in callouts(rehab_document(compared(97.0)))[-1].headline
    small = callouts(rehab_document(compared(91.0)))[-1]
    assert small.headline.startswith("0 of 3 ranges changed")
    assert small.lines == ()
    unknown = compared(97.0, ErrorSource())
    assert callouts(rehab_document(unknown))[-1].headline == "Whether anything changed cannot be told"
    tables = {table.name: table for table in rehab_document(unknown).tables()}
    assert {row[10] for row in tables["changes"].rows} == {"not known"}


@pytest.mark.parametrize(
    ("changes", "grade", "words"),
    [
        ({}, "good", "Repetitions that count: squat 4, reach 6."),
        ({"facts": facts("squat", "reach", filled=0.4)}, "warn", "squat: filled in or missing in more than 20%"),
        ({"recordings": (ExerciseRecording("squat", squat((90, 91))),)}, "warn", "fewer than 3 repetitions"),
        ({"recordings": (ExerciseRecording("squat", squat((2, 3))),)}, "bad", "no repetition of knee flexion"),
        ({"recordings": (ExerciseRecording("squat", squat((-90, -91, -90, -92))),)}, "bad", "knees bend forwards"),
        ({"facts": replace(facts("squat"), refused=(("x", "broken"),))}, "warn", "1 recording could not be used"),
    ],
)
def test_the_verdict_says_what_speaks_against_the_numbers(changes, grade, words):
    verdict = judge_exercises(contents(**changes))
    assert verdict.grade == grade
    assert any(words in line for line in verdict.lines), verdict.lines
    assert rehab_document(contents(**changes)).pages


def test_the_files_are_the_same_each_time_and_hold_the_same_numbers(tmp_path):
    first = write_rehab_report(compared(), tmp_path / "a")
    second = write_rehab_report(compared(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    names = {path.name for path in first}
    assert {"rehab.html", "rehab.pdf", "rehab.xlsx", "rehab-repetitions.csv", "rehab-changes.csv"} <= names
    page = (tmp_path / "a" / "rehab.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    with (tmp_path / "a" / "rehab-repetitions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    right = [row for row in rows if row["recording"] == "squat" and row["side"] == "right"]
    assert [float(row["range_deg"]) for row in right] == pytest.approx([90, 30, 93, 91, 94], abs=0.3)
    assert [row["counted"] for row in right] == ["yes", "no", "yes", "yes", "yes"]
    assert all(float(row["range_deg_low_95"]) < float(row["range_deg_high_95"]) for row in right)
    trends = (tmp_path / "a" / "rehab-trends.csv").read_text(encoding="utf-8")
    assert "squat,right,range,1." in trends or "squat,right,range,0.99" in trends


def test_without_samples_gaps_and_long_names_the_rest_is_made(tmp_path):
    name = "squat after the second operation on the left knee, third attempt of the afternoon <b>&"
    deg = motion((90, 91, 92))
    gap = deg.copy()
    gap[250:270] = np.nan
    study = measure_exercise(EXERCISES["squat"], {"knee_flexion_l": gap, "knee_flexion_r": deg}, fps=FPS)
    one = measure_exercise(EXERCISES["reach"], {"shoulder_flexion_r": np.full(90, np.nan)}, fps=FPS)
    made = contents(
        recordings=(ExerciseRecording(name, study), ExerciseRecording("reach", one)), facts=facts(name, "reach")
    )
    verdict = judge_exercises(made)
    assert any("not seen from rest to rest" in line for line in verdict.lines)
    assert any("There are no error bars" in line for line in verdict.lines)
    write_rehab_report(made, tmp_path)
    page = (tmp_path / "rehab.html").read_text(encoding="utf-8")
    assert "<b>&" not in page
