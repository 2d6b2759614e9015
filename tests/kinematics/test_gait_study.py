"""Strides of several recordings together, with intervals that hold the truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.data.norms import NormBand, Norms
from pose3d.kinematics.gait import measure_gait
from pose3d.kinematics.gait_findings import WalkTrial
from pose3d.kinematics.gait_study import draw_walk, study_gait

FPS, STRIDE_S, STRIDE_MM, STEPS = 100.0, 1.0, 1300.0, 9


def smooth_noise(rng, shape):
    """Noise as refined points have it: of SD 1, alike over some frames."""
    return gaussian_filter1d(rng.standard_normal(shape), 6.0, axis=-1) * np.sqrt(2 * np.sqrt(np.pi) * 6.0)


def walk(*, noise_mm=0.0, noise_deg=0.0, samples=None, seed=0, bend=0.0, drop=()):
    """A walk along x: strikes each second, the left knee bends 60 degrees, the right one 50."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(STEPS * STRIDE_S * FPS) + 1) / FPS
    events, feet, angles = [], {}, {}
    shape = time.shape if samples is None else (samples, *time.shape)
    for side, late, most in (("L", 0.0, 60.0 + bend), ("R", 0.5, 50.0)):
        strikes = np.arange(late, time[-1], STRIDE_S)
        offs = strikes + 0.6 * STRIDE_S
        keep = [i for i in range(len(offs)) if (side, i) not in drop]
        events += [(side, STRIKE, strikes), (side, OFF, offs[keep][offs[keep] < time[-1]])]
        phase = (time - late) / STRIDE_S
        x = STRIDE_MM * (np.floor(phase) + np.clip((phase % 1 - 0.6) / 0.4, 0, 1))
        xyz = np.stack([x, np.full(len(time), 100.0 if side == "L" else -100.0), np.zeros(len(time))], -1)
        feet[side] = xyz + noise_mm * rng.standard_normal((*shape, 3))
        angle = most / 2 * (1 - np.cos(2 * np.pi * phase))
        angles[f"knee_flexion_{side.lower()}"] = angle + noise_deg * smooth_noise(rng, shape)
    return LimbEvents.from_times(events), feet, angles


def trial(name="a", *, samples=None, **kind):
    events, feet, angles = walk(**kind)
    gait = measure_gait(events, feet, angles, fps=FPS)
    if samples is None:
        return WalkTrial(name, gait)
    # Noise of the posterior lies about what was measured, which is off the truth by as much.
    _, drawn_feet, drawn_angles = walk(**{**kind, "seed": kind.get("seed", 0) + 1000}, samples=samples)
    shift = {side: feet[side] - walk(**{**kind, "noise_mm": 0.0})[1][side] for side in "LR"}
    turned = {n: angles[n] - walk(**{**kind, "noise_deg": 0.0})[2][n] for n in angles}
    drawn = measure_gait(
        events,
        {side: drawn_feet[side] + shift[side] for side in "LR"},
        {n: drawn_angles[n] + turned[n] for n in angles},
        fps=FPS,
        walk=gait,
    )
    return WalkTrial(name, gait, draw_walk(drawn, gait))


def peak(study, angle, name):
    return next(row for row in study.peaks if (row.angle, row.name) == (angle, name))


def test_known_numbers_come_out():
    study = study_gait([trial()])
    assert study.n_found == {"L": 8, "R": 8}
    assert study.n_kept == {"L": 7, "R": 8}
    assert [(out.side, out.start_s) for out in study.left_out] == [("L", 0.0)]  # the right foot's off is not seen
    speed = study.row("speed")
    assert speed.sides["L"].value == pytest.approx(1.3, abs=1e-9)
    assert speed.sides["L"].sd == pytest.approx(0.0, abs=1e-9)
    assert study.row("foot_off").sides["R"].value == pytest.approx(60.0, abs=1e-6)
    assert study.foot_off("L") == pytest.approx(60.0, abs=1e-6)
    assert study.row("step_width").sides["L"].value == pytest.approx(0.2, abs=1e-9)
    assert peak(study, "knee_flexion", "range").sides["L"].value == pytest.approx(60.0, abs=0.01)
    assert float(peak(study, "knee_flexion", "range").difference.value) == pytest.approx(10.0, abs=0.02)
    assert peak(study, "knee_flexion", "maximum_at").sides["R"].value == pytest.approx(50.0, abs=1e-9)
    assert peak(study, "knee_flexion", "at_off").sides["L"].value == pytest.approx(54.27, abs=0.05)
    assert peak(study, "knee_flexion", "at_strike").sides["L"].value == pytest.approx(0.0, abs=1e-9)
    assert study.curves["knee_flexion_l"].cycles.shape == (7, 101)
    assert not study.curves["knee_flexion_l"].mean.is_known
    assert study.n_samples == 0
    assert study.profile is None


def test_recordings_are_pooled_stride_by_stride():
    several = study_gait([trial("a"), trial("b", bend=8.0)])
    assert several.n_kept["L"] == 14
    row = peak(several, "knee_flexion", "range").sides["L"]
    assert (row.value, row.n) == (pytest.approx(64.0, abs=0.02), 14)
    assert row.sd == pytest.approx(4.0 * np.sqrt(14 / 13), abs=0.02)
    assert row.cv == pytest.approx(100 * row.sd / row.value)
    assert several.curves["knee_flexion_l"].trials == ("a",) * 7 + ("b",) * 7


def test_strides_that_do_not_count_are_listed_with_the_reason():
    study = study_gait([trial("walk", drop={("L", 2)})])
    assert study.n_kept == {"L": 6, "R": 7}
    left = {(out.trial, out.side, out.start_s): out.reason for out in study.left_out}
    assert left["walk", "L", 2.0] == "has no foot off"
    assert left["walk", "R", 2.5] == "the other foot has no off or no strike in it"


def test_a_recording_without_strides_gives_empty_tables():
    _, feet, angles = walk()
    none = WalkTrial("standing", measure_gait(LimbEvents.from_times([]), feet, angles, fps=FPS))
    study = study_gait([none])
    assert study.n_found == {"L": 0, "R": 0}
    assert study.curves == {}
    speed = study.row("speed").sides["L"]
    assert np.isnan(speed.value)
    assert speed.n == 0
    both = study_gait([none, trial()])
    assert both.n_kept == {"L": 7, "R": 8}


def test_an_unlike_cycle_is_listed_and_counts():
    events, feet, angles = walk()
    bad = angles["knee_flexion_l"].copy()
    bad[310:390] += 25.0
    study = study_gait([WalkTrial("a", measure_gait(events, feet, {"knee_flexion_l": bad}, fps=FPS))])
    assert study.outlying == (("knee_flexion_l", "a", 3.0),)
    assert study.n_kept["L"] == 7
    assert study.curves["knee_flexion_l"].mean.value[50] > 60 + 2


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Sixty walks with noise: means, peaks, lengths and differences, by their 95 % intervals."""
    truth = study_gait([trial()])
    held = {"length": [], "difference": [], "curve": []}
    for seed in range(60):
        noisy = study_gait([trial("n", samples=79, noise_mm=5.0, noise_deg=1.0, seed=seed)])
        assert noisy.n_samples == 79
        true, found = truth.row("stride_length").sides["L"], noisy.row("stride_length").sides["L"]
        held["length"].append(float(found.mean.low) <= true.value <= float(found.mean.high))
        true, found = (peak(s, "knee_flexion", "at_off").difference for s in (truth, noisy))
        held["difference"].append(float(found.low) <= float(true.value) <= float(found.high))
        true, found = (s.curves["knee_flexion_r"].mean for s in (truth, noisy))
        held["curve"].append(((found.low <= true.value) & (true.value <= found.high)).mean())
    assert 0.93 <= np.mean(held["curve"]) <= 0.97
    for name in ("length", "difference"):  # 60 draws: 0.95 +- 0.028, three times
        assert np.mean(held[name]) >= 0.86, name
    width = float(found.high[10] - found.low[10])
    assert width == pytest.approx(2 * 1.96 / np.sqrt(8), rel=0.35)


def test_extremes_are_reflected():
    """Noise makes a range larger in every sample: the interval lies below what was measured, about the truth."""
    ranges, above, values = [], [], []
    for seed in range(20):
        row = peak(study_gait([trial(samples=79, noise_deg=1.0, seed=seed)]), "knee_flexion", "range").sides["L"]
        values.append(row.value)
        ranges.append(float(row.mean.low) <= 60.0 <= float(row.mean.high))
        above.append(float(row.mean.high) - row.value < row.value - float(row.mean.low))
    assert np.mean(values) > 60.4
    assert np.mean(ranges) >= 0.8
    assert np.mean(above) >= 0.8


def test_samples_of_one_recording_only_make_no_interval():
    assert study_gait([trial("a", samples=79, noise_mm=1.0), trial("b")]).n_samples == 0


def test_score_of_a_constant_offset_and_its_interval():
    base = study_gait([trial(bend=-10.0)])
    cycle = base.curves["knee_flexion_l"].mean.value
    norms = Norms({"knee_flexion": NormBand(np.linspace(0, 100, 101), cycle + 4.0, np.full(101, 3.0))}, "made", "none")
    study = study_gait([trial(bend=-10.0)], norms)
    assert study.profile.name == "GPS-2"
    assert float(study.scores["overall"].value) == pytest.approx(4.0, abs=1e-12)
    drawn = study_gait([trial(bend=-10.0, samples=79, noise_deg=1.0, seed=3)], norms)
    score = drawn.scores["knee_flexion_l"]
    assert float(score.low) <= 4.0 <= float(score.high)
    assert float(score.high) - float(score.low) < 1.5


def test_drawn_walks_are_reduced():
    drawn = trial(samples=50, noise_deg=1.0).drawn
    assert drawn.n_samples == 50
    assert drawn.means["knee_flexion_l"].shape == (50, 101)
    assert drawn.peaks["knee_flexion_r"]["range"].shape == (50, 8)
    assert drawn.parameters["R"]["speed"].shape == (50, 8)


def test_no_range_of_motion_lies_below_zero():
    events, feet, angles = walk(bend=-60.0)  # a stiff left knee
    _, many_feet, many = walk(bend=-60.0, noise_deg=5.0, samples=60)
    many_feet = {side: np.broadcast_to(xyz, (60, *xyz.shape[-2:])) for side, xyz in many_feet.items()}
    gait = measure_gait(events, feet, angles, fps=FPS)
    drawn = draw_walk(measure_gait(events, many_feet, many, fps=FPS, walk=gait), gait)
    row = peak(study_gait([WalkTrial("stiff", gait, drawn)]), "knee_flexion", "range")
    left, right = row.sides["L"].mean, row.sides["R"].mean
    assert float(left.low) == float(left.high) == 0.0  # turned about the estimate it would lie below
    assert 20 < float(right.low) < float(right.high) < 50
    assert float(row.difference.low) < -20


def test_a_mean_lies_in_its_interval_where_a_recording_has_gaps():
    """Four of one recording's cycles are missing at half of the cycle, where another one bends ten degrees more."""

    def walked(name, bend, gap, lost=()):
        events, feet, angles = walk(bend=bend)
        angles["knee_flexion_l"][np.isin(np.arange(len(angles["knee_flexion_l"])) // 10, gap)] = np.nan
        gait = measure_gait(events, feet, angles, fps=FPS)
        rng = np.random.default_rng(bend)
        many = {angle: deg + 0.3 * smooth_noise(rng, (60, len(deg))) for angle, deg in angles.items()}
        many["knee_flexion_l"][:, list(lost)] = np.nan  # what is known of the points, but not of their errors
        still = {side: np.tile(xyz, (60, 1, 1)) for side, xyz in feet.items()}
        return WalkTrial(name, gait, draw_walk(measure_gait(events, still, many, fps=FPS, walk=gait), gait))

    study = study_gait([walked("a", 0, (34, 44, 54, 64)), walked("b", 10, (), lost=range(120, 180))])
    mean = study.curves["knee_flexion_l"].mean
    assert mean.value[45] > 65
    assert ((mean.low < mean.value) & (mean.value < mean.high))[2:-2].all()


def test_angles_without_samples_have_no_intervals_and_the_rest_has():
    """As those of an import whose points have an assumed noise: its angles come from the file."""
    whole = trial(samples=45, noise_mm=3.0)
    assert whole.drawn is not None
    norms = Norms({"knee_flexion": NormBand(np.linspace(0, 100, 51), np.zeros(51), np.ones(51))})
    study = study_gait([replace(whole, drawn=replace(whole.drawn, means={}, peaks={}))], norms)
    assert study.row("stride_length").sides["L"].mean.is_known
    assert not study.curves["knee_flexion_l"].mean.is_known
    assert not peak(study, "knee_flexion", "range").sides["L"].mean.is_known
    assert np.isfinite(study.scores["overall"].value)
    assert not study.scores["overall"].is_known


def test_a_norm_in_another_unit_is_not_compared():
    percent = np.linspace(0, 100, 51)
    turned = {"knee_flexion": NormBand(percent, np.full(51, 0.3), np.full(51, 0.1), unit="rad")}
    study = study_gait([trial()], Norms(turned))
    assert study.not_comparable == {"knee_flexion": "the norm is in rad, not in deg"}
    assert study.scores.keys() == {"left", "right", "overall"}
    assert np.isnan(study.scores["overall"].value)
