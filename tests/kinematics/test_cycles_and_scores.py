import numpy as np
import pytest

from pose3d.kinematics.cycles import at_frames, cut_cycles, outlying_cycles, summarize_cycles
from pose3d.kinematics.gait_scores import GPS_VARIABLES, gait_profile, gait_variable_score


def test_cycles_begin_and_end_between_frames():
    """A signal that is straight within a cycle is cut exactly, wherever the strikes lie."""
    fps, start = 50.0, 7
    time = (np.arange(200) + start) / fps
    begin, end = np.array([0.313, 1.417]), np.array([1.417, 2.4991])
    cycles = cut_cycles(np.stack([3 * time, -time]), begin, end, fps=fps, start=start)
    assert cycles.shape == (2, 2, 101)
    for i in range(2):
        np.testing.assert_allclose(cycles[0, i], 3 * np.linspace(begin[i], end[i], 101), atol=1e-4)
        np.testing.assert_allclose(cycles[1, i], -np.linspace(begin[i], end[i], 101), atol=1e-4)


def test_what_is_missing_stays_missing():
    values = np.array([0.0, 1.0, np.nan, 3.0, 4.0])
    found = at_frames(values, np.array([-0.1, 0.0, 0.5, 1.0, 1.0004, 1.5, 2.5, 3.0, 3.9999, 4.0, 4.1]))
    np.testing.assert_allclose(found, [np.nan, 0, 0.5, 1, 1, np.nan, np.nan, 3, 4, 4, np.nan])
    cycles = cut_cycles(values, np.array([0.0]), np.array([9.0]), fps=1.0)
    assert np.isnan(cycles[0, -1])


def test_mean_and_sd_leave_gaps_out():
    cycles = np.array([[1.0, 2.0, np.nan], [3.0, 2.0, np.nan], [5.0, np.nan, 7.0]])
    found = summarize_cycles(cycles)
    np.testing.assert_allclose(found.mean, [3, 2, 7])
    np.testing.assert_allclose(found.sd, [2, 0, np.nan])
    np.testing.assert_array_equal(found.n_cycles, [3, 2, 1])
    assert summarize_cycles(cycles[:, :2]).mean_sd == pytest.approx(1.0)
    assert np.isnan(summarize_cycles(np.zeros((0, 5))).mean).all()


def test_a_cycle_unlike_the_others_is_told():
    rng = np.random.default_rng(0)
    wave = 30 * np.sin(np.linspace(0, 2 * np.pi, 101))
    cycles = wave + rng.normal(0, 2, (12, 1)) + rng.normal(0, 0.5, (12, 101))
    assert not outlying_cycles(cycles).any()
    cycles[5] += 25
    cycles[8] = np.nan
    assert np.flatnonzero(outlying_cycles(cycles)).tolist() == [5]
    assert not outlying_cycles(cycles[4:7]).any()  # of three none can be told from the others
    alike = np.repeat(wave[None], 6, axis=0)
    alike[2] += 0.5
    assert not outlying_cycles(alike).any()


def constant_offsets():
    rng = np.random.default_rng(3)
    norms = {name: rng.normal(0, 20, 51) for name in GPS_VARIABLES}
    offsets = {name: rng.uniform(1, 12) for name in GPS_VARIABLES}
    means = {f"{name}_{side}": norms[name] + offsets[name] for name in GPS_VARIABLES for side in "lr"}
    return means, norms, np.array(list(offsets.values()))


def test_score_of_nine_constant_offsets():
    means, norms, offsets = constant_offsets()
    found = gait_profile(means, norms)
    assert found.name == "GPS"
    assert found.missing == ()
    rms = np.sqrt(np.mean(offsets**2))
    assert abs(found.left - rms) < 1e-12
    assert abs(found.right - rms) < 1e-12
    fifteen = np.concatenate([offsets[:3], offsets[3:], offsets[3:]])
    assert abs(found.overall - np.sqrt(np.mean(fifteen**2))) < 1e-12
    for name, offset in zip(GPS_VARIABLES, offsets, strict=True):
        assert abs(found.scores[f"{name}_r"] - offset) < 1e-12
    assert abs(found.left - offsets.mean()) > 0.1  # the mistake of programs that average the scores


def test_twice_as_different_is_twice_the_score():
    means, norms, _ = constant_offsets()
    doubled = {name: norms[name[:-2]] + 2 * (mean - norms[name[:-2]]) for name, mean in means.items()}
    assert gait_profile(doubled, norms).overall == pytest.approx(2 * gait_profile(means, norms).overall)


def test_with_angles_missing_it_is_no_gps():
    means, norms, _ = constant_offsets()
    few = {name: mean for name, mean in means.items() if name.startswith(("knee", "ankle", "hip_flexion"))}
    few["ankle_dorsiflexion_r"] = np.where(np.arange(51) == 4, np.nan, few["ankle_dorsiflexion_r"])
    found = gait_profile(few, norms)
    assert found.name == "GPS-5"
    assert len(found.missing) == 10
    assert "ankle_dorsiflexion_r" in found.missing
    assert "pelvis_tilt_l" in found.missing
    assert "pelvis_tilt_r" not in found.missing  # the pelvis counts once
    empty = gait_profile({}, norms)
    assert np.isnan([empty.left, empty.right, empty.overall]).all()


def test_cycles_of_101_and_51_instants_go_together():
    fine = np.sin(np.linspace(0, 2 * np.pi, 101))
    assert gait_variable_score(fine, fine[::2]) == 0
    assert gait_variable_score(fine + 3, np.stack([fine, fine - 1])).tolist() == pytest.approx([3, 4])
    with pytest.raises(ValueError, match="51 or 101"):
        gait_variable_score(fine[:100], fine)
