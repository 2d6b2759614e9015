import numpy as np
import pytest

from pose3d.kinematics.exercises import EXERCISES, Exercise, measure_exercise

FPS = 50.0


def ease(n):
    part = np.linspace(0, 1, n)
    return part**3 * (10 - 15 * part + 6 * part**2)


def motion(reps, *, rest=5.0, pause_s=0.7, fps=FPS):
    """Make an angle of (range, seconds out, hold, back) each, with rests between."""
    parts = [np.full(round(pause_s * fps), rest)]
    for reach, out, hold, back in reps:
        parts += [rest + reach * ease(round(out * fps)), np.full(round(hold * fps), rest + reach)]
        parts += [rest + reach * ease(round(back * fps))[::-1], np.full(round(pause_s * fps), rest)]
    return np.concatenate(parts)


REPS = [(90, 1.4, 0.3, 1.0), (94, 1.0, 0.6, 0.9), (30, 0.6, 0.1, 0.5), (92, 1.7, 0.2, 1.2), (88, 1.2, 0.4, 1.4)]


def slow_noise(shape, sd, rng, *, memory=0.9):
    noise = rng.normal(0, sd, shape)
    for i in range(1, shape[-1]):
        noise[..., i] = memory * noise[..., i - 1] + np.sqrt(1 - memory**2) * noise[..., i]
    return noise


def squats(left=1.0, *, sd=0.6, seed=0, n_samples=80):
    """Knee angles of both sides, and samples around them as far off as they are from the truth."""
    truth = {"knee_flexion_l": motion([(left * r, *t) for r, *t in REPS]), "knee_flexion_r": motion(REPS)}
    rng = np.random.default_rng(seed)
    angles = {name: deg + slow_noise(deg.shape, sd, rng) for name, deg in truth.items()}
    samples = {name: deg + slow_noise((n_samples, len(deg)), sd, rng) for name, deg in angles.items()}
    return truth, angles, samples


def test_repetitions_tempo_and_the_weaker_side():
    truth, angles, samples = squats(0.9)
    study = measure_exercise(EXERCISES["squat"], angles, fps=FPS, samples=samples)
    assert (study.count, study.aborted, study.cut_off, study.n_samples) == (4, 1, 0, 80)
    exact = measure_exercise(EXERCISES["squat"], truth, fps=FPS)
    for name in ("l", "r"):
        ranges = study.parts[name].values["range"]
        np.testing.assert_allclose(
            ranges.value, (0.9 if name == "l" else 1.0) * np.array([r for r, *_ in REPS]), atol=2
        )
        assert (ranges.high - ranges.low < 5).all()
        assert (ranges.low < ranges.value).all()
    whole = study.parts["both"].whole
    for phase in ("out", "hold", "back"):
        found, true = (each.parts["both"].values[phase].value for each in (study, exact))
        np.testing.assert_allclose(found[whole], true[whole], atol=0.06)
    found = study.compare()
    assert found.real
    assert found.low < -9.1 < found.high < 0  # 10 % of 91 degrees on average
    assert found.index == pytest.approx(200 * 0.1 / 1.9, abs=1.0)
    assert found.sentence("bends").startswith("left bends less by 9.")
    mirrored = {name.replace("_l", "_x").replace("_r", "_l").replace("_x", "_r"): deg for name, deg in angles.items()}
    mirrored = {("knee_flexion_l" if k.endswith("_l") else "knee_flexion_r"): v for k, v in mirrored.items()}
    assert measure_exercise(EXERCISES["squat"], mirrored, fps=FPS).compare().sentence("bends").startswith("right bends")


def test_sides_that_are_alike_are_called_different_at_most_once_in_twenty():
    called = []
    for seed in range(40):
        _, angles, samples = squats(seed=seed, n_samples=40)
        found = measure_exercise(EXERCISES["squat"], angles, fps=FPS, samples=samples).compare()
        called.append(found.real)
    assert np.mean(called) <= 0.10
    assert "no difference that could be told from error" in found.sentence() or found.real


def test_the_interval_of_a_mean_holds_what_the_person_does_on_average():
    rng = np.random.default_rng(8)
    held = []
    for seed in range(100):
        reps = [(90 + 3 * rng.standard_normal(), 1.0, 0.3, 1.0) for _ in range(5)]
        deg = motion(reps)
        noise = np.random.default_rng(seed)
        angle = deg + slow_noise(deg.shape, 0.6, noise)
        samples = {"knee_flexion_r": angle + slow_noise((40, len(deg)), 0.6, noise)}
        study = measure_exercise(EXERCISES["squat"], {"knee_flexion_r": angle}, fps=FPS, samples=samples)
        mean = study.parts["r"].summarize("range")
        held.append(mean.low <= 90 <= mean.high)
    assert 0.9 <= np.mean(held) <= 0.99


def test_a_constant_error_of_the_measurement_stays_in_the_interval_of_the_mean():
    deg = motion([(90, 1.0, 0.3, 1.0)] * 6)
    gain = 1 + 0.02 * np.random.default_rng(0).standard_normal(60)[:, None]
    study = measure_exercise(
        EXERCISES["squat"], {"knee_flexion_r": deg}, fps=FPS, samples={"knee_flexion_r": gain * deg}
    )
    mean = study.parts["r"].summarize("range")
    assert mean.high - mean.low == pytest.approx(2 * 2.57 * 1.8, rel=0.25)  # repetitions alone would say 0


def test_standing_up_makes_the_angle_smaller():
    deg = 92 - motion([(80, 1.2, 0.8, 1.5), (24, 0.5, 0.1, 0.5), (82, 1.6, 0.5, 1.1)], rest=0.0)
    study = measure_exercise(EXERCISES["sit_to_stand"], {"knee_flexion_l": deg, "knee_flexion_r": deg + 1}, fps=FPS)
    both = study.parts["both"]
    assert (study.count, study.aborted) == (2, 1)
    np.testing.assert_allclose(both.values["rest"].value, 92.5, atol=0.1)
    np.testing.assert_allclose(both.values["peak"].value[both.whole], [12.5, 10.5], atol=0.3)
    np.testing.assert_allclose(both.values["range"].value[both.whole], [80, 82], atol=0.3)
    assert not both.values["range"].is_known
    assert np.isnan(both.summarize("peak").cv)
    assert both.summarize("range").cv == pytest.approx(100 * np.sqrt(2) / 81, abs=0.2)


def test_arms_that_take_turns_have_repetitions_of_their_own():
    right = motion([(120, 1.0, 0.3, 1.0), (118, 1.2, 0.3, 1.0), (121, 1.0, 0.5, 1.1)])
    left = motion([(100, 1.1, 0.3, 1.0), (101, 1.0, 0.2, 0.9), (99, 1.0, 0.4, 1.2), (100, 1.0, 0.3, 1.0)])
    n = len(left) + len(right)
    angles = {
        "shoulder_flexion_l": np.concatenate([left, np.full(len(right), 5.0)]),
        "shoulder_flexion_r": np.concatenate([np.full(len(left), 5.0), right]),
    }
    study = measure_exercise(EXERCISES["reach"], angles, fps=FPS)
    assert n == len(angles["shoulder_flexion_l"])
    assert (study.parts["l"].repetitions.count, study.parts["r"].repetitions.count, study.count) == (4, 3, 7)
    found = study.compare()
    assert found.difference == pytest.approx(-(359 / 3 - 100), abs=0.4)
    assert found.real
    assert found.sentence("reaches").startswith("left reaches less by 19.7 degrees [")


def test_who_tires_goes_less_far():
    rng = np.random.default_rng(2)
    reps = [(100 - 3 * i + rng.normal(0, 1), 1.0 + 0.1 * i, 0.3, 1.0) for i in range(8)]
    study = measure_exercise(EXERCISES["squat"], {"knee_flexion_l": motion(reps)}, fps=FPS)
    tired = study.parts["l"].summarize("range").fatigue
    assert tired.low < -3 < tired.high < 0
    assert tired.n == 8
    assert study.parts["l"].summarize("out").fatigue.slope == pytest.approx(
        0.0507, abs=0.003
    )  # 10 to 90 % of minimum jerk: half of the time
    assert abs(study.parts["l"].summarize("back").fatigue.slope) < 1e-3
    assert study.compare() is None


def test_an_exercise_of_ones_own():
    deg = motion([(50, 0.8, 0.2, 0.8)] * 3)
    study = measure_exercise(Exercise("beak", "beak"), {"beak": deg}, fps=FPS)
    assert (study.count, list(study.parts)) == (3, ["both"])
    with pytest.raises(KeyError, match="elbow_flexion"):
        measure_exercise(Exercise("curl", "elbow_flexion"), {"beak": deg}, fps=FPS)


@pytest.mark.parametrize("name", ["squat", "reach"])
def test_nothing_to_measure_is_empty_and_not_an_error(name):
    angle = EXERCISES[name].angle
    for nothing in (np.full(200, np.nan), np.full(200, 4.0), np.zeros(0), np.zeros(1)):
        study = measure_exercise(EXERCISES[name], {f"{angle}_l": nothing, f"{angle}_r": nothing}, fps=FPS)
        assert (study.count, study.aborted) == (0, 0)
        summary = study.leading[0].summarize("range")
        assert (summary.n, np.isnan(summary.mean)) == (0, True)
        found = study.compare()
        assert found is None or "cannot be compared" in found.sentence()


def test_a_side_that_is_mostly_cut_off_is_not_compared():
    """Three of the left arm's reaches break off where a point is missing; what is left is the one that was given up."""
    left, right = motion([(90, 1.0, 0.4, 1.0), (30, 0.6, 0.1, 0.5), *[(90, 1.0, 0.4, 1.0)] * 2]), motion(REPS[:2])
    left[left > 60] = np.nan
    study = measure_exercise(EXERCISES["reach"], {"shoulder_flexion_l": left, "shoulder_flexion_r": right}, fps=FPS)
    assert [(part.repetitions.count, part.repetitions.cut_off) for part in study.parts.values()] == [(1, 3), (2, 0)]
    found = study.compare()
    assert (
        found.sentence() == "left and right cannot be compared: 3 of 4 movements of the left side were not seen whole"
    )
    assert not found.real
    assert np.isnan([found.difference, found.low, found.high, found.index]).all()


def test_one_side_unseen_is_not_made_up():
    angles = {"knee_flexion_l": motion(REPS), "knee_flexion_r": np.full(len(motion(REPS)), np.nan)}
    study = measure_exercise(EXERCISES["squat"], angles, fps=FPS)
    assert (study.count, list(study.parts)) == (4, ["l"])
    assert study.compare() is None
