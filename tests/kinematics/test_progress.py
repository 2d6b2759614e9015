import numpy as np
import pytest

from pose3d.kinematics.exercises import EXERCISES, measure_exercise
from pose3d.kinematics.progress import (
    ErrorSource,
    ExerciseSession,
    compare_sessions,
    follow_sessions,
    session_numbers,
)

FPS = 50.0


def ease(n):
    part = np.linspace(0, 1, n)
    return part**3 * (10 - 15 * part + 6 * part**2)


def squat(*ranges, out_s=1.2):
    parts = [np.full(40, 5.0)]
    for reach in ranges:
        n = round(out_s * FPS)
        parts += [5 + reach * ease(n), 5 + reach * ease(n)[::-1], np.full(40, 5.0)]
    deg = np.concatenate(parts)
    return measure_exercise(EXERCISES["squat"], {"knee_flexion_l": 0.9 * deg, "knee_flexion_r": deg}, fps=FPS)


def session(mean, name="s", day=None, **options):
    return ExerciseSession(name, (squat(mean - 2, mean, mean + 2, **options),), day)


def row(rows, part, quantity):
    return next(each for each in rows if (each.part, each.quantity.name) == (part, quantity))


def test_a_change_below_the_minimal_detectable_one_is_not_called_one():
    repeated = tuple(session(mean) for mean in (90.0, 93.0, 91.5))  # SD 1.5
    errors = ErrorSource(repeated=repeated)
    small = row(compare_sessions(session(90), session(93.9), errors), "r", "range")
    large = row(compare_sessions(session(90), session(94.5), errors), "r", "range")
    assert small.change.mdc == pytest.approx(1.96 * np.sqrt(2) * 1.5, abs=0.05)
    assert (small.change.real, large.change.real) == (False, True)
    assert small.difference == pytest.approx(3.9, abs=0.1)
    assert large.change.sem_source == "SEM 1.5 [0.78, 9.4] from 3 sessions of this person, 2 degrees of freedom"
    # The left knee bends 0.9 times as far, and its sessions differ by 0.9 times as much.
    assert row(compare_sessions(session(90), session(94.5), errors), "l", "range").change.mdc == pytest.approx(
        0.9 * small.change.mdc, abs=0.1
    )


def test_an_error_from_a_paper_is_for_angles_only_and_without_any_nothing_is_judged():
    paper = ErrorSource(sem_deg=2.0, source="SEM 2.0 by the laboratory's own study")
    rows = compare_sessions(session(90), session(97, out_s=1.5), paper)
    assert row(rows, "both", "range").change.real
    assert "the laboratory's own study" in str(row(rows, "both", "range").change)
    assert row(rows, "both", "time").change is None
    bare = compare_sessions(session(90), session(97))
    assert [each.change for each in bare] == [None] * len(bare)
    assert row(rows, "both", "time").difference == pytest.approx(0.3 * 2 * (1 - 0.2466), abs=0.03)
    alone = ErrorSource(repeated=(session(90),))
    assert row(compare_sessions(session(90), session(97), alone), "r", "range").change is None


def test_only_what_both_sessions_have_is_compared():
    arms = measure_exercise(EXERCISES["reach"], {"shoulder_flexion_l": squat_like()}, fps=FPS)
    both = ExerciseSession("both", (squat(90, 91), arms))
    assert {each.exercise.name for each in compare_sessions(both, session(90))} == {"squat"}
    assert compare_sessions(ExerciseSession("none", ()), both) == ()
    still = ExerciseSession("still", (measure_exercise(EXERCISES["squat"], {"knee_flexion_l": np.zeros(99)}, fps=FPS),))
    assert compare_sessions(still, session(90)) == ()


def squat_like():
    return np.concatenate([np.full(40, 3.0), 3 + 80 * ease(60), 3 + 80 * ease(60)[::-1], np.full(40, 3.0)])


def test_recordings_of_one_session_count_together():
    whole = session_numbers(ExerciseSession("one", (squat(88, 90, 92),)))
    parts = session_numbers(ExerciseSession("two", (squat(88), squat(90, 92))))
    key = ("squat", "r", "range")
    assert parts[key].n == whole[key].n == 3
    assert parts[key].mean == pytest.approx(whole[key].mean, abs=1e-6)
    assert parts[key].sd == pytest.approx(2.0, abs=0.05)


def test_a_trend_over_sessions_is_degrees_in_a_week():
    sessions = [session(80 + 2 * i + d, str(i), 7.0 * i) for i, d in enumerate((0.2, -0.3, 0.1, 0.3, -0.2))]
    trend = follow_sessions([*sessions, session(200, "when?")])[("squat", "r", "range")]
    assert trend.n == 5
    assert trend.low < 2 < trend.high
    assert trend.real
    assert follow_sessions(sessions[:1]) == {}
    assert np.isnan(follow_sessions(sessions[:2])[("squat", "r", "range")].low)
