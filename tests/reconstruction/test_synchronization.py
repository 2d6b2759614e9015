"""Offsets and drift of cameras against known truth, and refusals where the motion cannot tell."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from pose3d.data import Rig, Skeleton
from pose3d.demo.trials import make_ring, make_trial, walk_in_circles
from pose3d.errors import ConfigError, DataError
from pose3d.io.keypoints import load_keypoints
from pose3d.io.rigs import load_rig
from pose3d.reconstruction import triangulate
from pose3d.reconstruction.synchronization import apply_timing, sample_spans, synchronize

FPS = 100.0


def walk(n_frames, *, seed, margin):
    """The truth at any instant from -margin on."""
    rng = np.random.default_rng([seed, 5])
    return CubicSpline(np.arange(-margin, n_frames + margin), walk_in_circles(n_frames + 2 * margin, rng=rng))


def film(motion, n_frames, offsets, *, rig, drift=0.0, seed=0, **options):
    """Detections of cameras whose own frame f shows instant (f - offset) / (1 + drift)."""
    trial = make_trial(n_frames, rig=rig, xyz=motion(np.arange(n_frames, dtype=float)), seed=seed, **options)
    xy = trial.keypoints.xy.copy()
    drift = np.broadcast_to(drift, len(rig))
    for c, camera in enumerate(rig):
        own = motion((np.arange(n_frames) - offsets[c]) / (1 + drift[c]))
        xy[:, c, 0] += camera.project(own) - camera.project(trial.xyz)
    return trial, replace(trial.keypoints, xy=xy)


def shifted(n_frames, offsets, *, n_cameras=None, seed=0, **options):
    rig = make_ring(n_cameras or len(offsets))
    margin = int(np.abs(offsets).max()) + 8
    return film(walk(n_frames, seed=seed, margin=margin), n_frames, offsets, rig=rig, seed=seed, **options)


@pytest.mark.parametrize(
    ("n_frames", "offsets"),
    [
        (300, [0, 3.4, 0, 0, 0, 0]),
        (1000, [0, 3.4, 0, -40, 0, 12.7]),
        (1000, [0, 3.4, -7.25]),
        (1000, [0, 3.4]),
    ],
)
def test_offsets_are_found_to_a_twentieth_of_a_frame(n_frames, offsets):
    if len(offsets) == 2:
        rig = make_ring(5).select(["cam_1", "cam_2"])
        trial, seen = film(walk(n_frames, seed=0, margin=20), n_frames, offsets, rig=rig)
    else:
        trial, seen = shifted(n_frames, offsets)
    found = synchronize(seen, trial.rig)
    assert found.complete
    assert not found.reasons
    error = found.timing.offset_frames - offsets
    assert np.abs(error).max() < 0.05
    assert (np.abs(error[1:]) < 4 * found.timing.sd_frames[1:]).all()
    assert not found.timing.drift.any()
    assert found.timing.found == ("reference", *["motion"] * (len(offsets) - 1))


def test_points_of_shifted_cameras_are_as_exact_as_of_cameras_in_step():
    offsets = [0, 3.4, 0, -40.3, 0, 12.7]
    motion = walk(600, seed=1, margin=60)
    rig = make_ring(6)
    trial, seen = film(motion, 600, offsets, rig=rig, seed=1)
    inner = slice(60, 540)

    def errors(points):
        return np.linalg.norm(points.xyz[inner, 0] - trial.xyz[inner], axis=-1)

    found = synchronize(seen, rig)
    exact = errors(triangulate(trial.keypoints, rig))
    late = errors(triangulate(seen, rig))
    repaired = errors(triangulate(apply_timing(seen, found.timing), rig))
    assert np.nanmedian(late) > 1.3 * np.nanmedian(exact)
    assert np.nanmedian(repaired) < 1.05 * np.nanmedian(exact)
    assert np.nanquantile(repaired, 0.95) < 1.1 * np.nanquantile(exact, 0.95)
    assert np.isfinite(repaired).mean() > np.isfinite(exact).mean() - 0.01


@pytest.mark.slow
def test_standard_deviations_are_honest():
    scores = []
    for seed in range(20):
        offsets = np.r_[0, np.random.default_rng(seed).uniform(-20, 20, 2)]
        trial, seen = shifted(300, offsets, seed=seed)
        found = synchronize(seen, trial.rig, max_offset_frames=60)
        assert found.complete
        scores.append((found.timing.offset_frames - offsets)[1:] / found.timing.sd_frames[1:])
    scores = np.array(scores)
    assert 0.9 <= (np.abs(scores) < 1.96).mean() <= 1.0
    assert 0.7 < scores.std() < 1.3


@pytest.mark.slow
def test_cameras_in_step_are_said_to_be_in_step():
    for seed in range(10):
        trial = make_trial(400, rig=make_ring(4), seed=seed)
        found = synchronize(trial.keypoints, trial.rig)
        assert found.complete
        assert (np.abs(found.timing.offset_frames[1:]) < 4 * found.timing.sd_frames[1:]).all()
        assert np.abs(found.timing.offset_frames).max() < 0.05


@pytest.mark.slow
def test_drift_of_a_long_recording_is_found():
    drift = np.array([0, 50e-6, -20e-6])
    offsets = np.array([0, 3.4, -20.3])
    trial, seen = film(walk(60000, seed=1, margin=40), 60000, offsets, rig=make_ring(3), drift=drift, seed=1)
    found = synchronize(seen, trial.rig)
    timing = found.timing
    assert found.complete
    assert np.abs(timing.drift - drift).max() < 0.5e-6
    assert (np.abs(timing.drift - drift)[1:] < 4 * timing.sd_drift[1:]).all()
    wanted = np.array([[0.0], [59000.0]]) * (1 + drift) + offsets
    assert np.abs(timing.own_frames([0, 59000]) - wanted).max() < 0.05
    assert any("ppm" in line for line in found.lines())
    pieces = [
        replace(seen, xy=seen.xy[first:last], score=seen.score[first:last], start=first)
        for first, last in sample_spans(60000)
    ]
    assert synchronize(pieces, trial.rig).to_dict() == found.to_dict()


def test_a_long_recording_without_drift_has_none():
    trial, seen = film(walk(10000, seed=2, margin=10), 10000, [0, 1.5], rig=make_ring(5).select(["cam_1", "cam_2"]))
    found = synchronize(seen, trial.rig, max_offset_frames=30)
    assert found.complete
    assert not found.timing.drift.any()
    assert abs(found.timing.offset_frames[1] - 1.5) < 0.05


@pytest.mark.parametrize("sway_mm", [0.0, 0.4])
def test_a_person_who_stands_tells_nothing(sway_mm):
    pose = walk_in_circles(2, rng=np.random.default_rng(3))[0]
    seconds = np.arange(600)[:, None, None] / FPS
    sway = sway_mm * np.concatenate([8 * np.sin(1.9 * seconds), 5 * np.sin(1.4 * seconds + 1), 0 * seconds], axis=-1)
    trial = make_trial(600, rig=make_ring(4), xyz=pose + sway / 8)
    found = synchronize(trial.keypoints, trial.rig)
    assert not any(found.identifiable.values())
    assert not found.timing.offset_frames.any()
    assert all("hardly anything moves" in reason for reason in found.reasons.values())
    assert np.isnan(found.timing.sd_frames[1:]).all()


def treadmill(period=106.3):
    rng = np.random.default_rng(2)
    place = rng.normal(size=(20, 3)) * [200, 200, 400] + [0, 0, 900]
    waves = rng.normal(size=(2, 4, 20, 3)) * [[[[60]], [[25]], [[10]], [[5]]]]

    def motion(instants):
        phase = 2 * np.pi * np.asarray(instants)[:, None] / period * np.arange(1, 5)
        return (
            place
            + np.einsum("fh,hkd->fkd", np.cos(phase), waves[0])
            + np.einsum("fh,hkd->fkd", np.sin(phase), waves[1])
        )

    return motion


def test_a_motion_that_repeats_leaves_the_offset_open():
    trial, seen = film(treadmill(), 800, [0, 3.4, 0, 0], rig=make_ring(4))
    found = synchronize(seen, trial.rig)
    assert not any(found.identifiable.values())
    assert all("repeats itself" in reason for reason in found.reasons.values())
    assert any("106" in reason for reason in found.reasons.values())
    closer = synchronize(seen, trial.rig, max_offset_frames=50)  # within half a period there is one answer
    assert closer.complete
    assert abs(closer.timing.offset_frames[1] - 3.4) < 0.05


def test_motion_along_epipolar_lines_tells_nothing():
    rig = make_ring(6).select(["cam_1", "cam_2"])
    along = np.diff(rig.centers, axis=0)[0]
    along /= np.linalg.norm(along)
    place = np.random.default_rng(1).normal(size=(20, 3)) * 200 + [0, 0, 900]
    path = gaussian_filter1d(np.random.default_rng(4).normal(size=1000), 30)
    spline = CubicSpline(np.arange(-200, 800), 300 * path / path.std())
    trial, seen = film(lambda i: place + spline(i)[:, None, None] * along, 600, [0, 3.4], rig=rig)
    found = synchronize(seen, trial.rig)
    assert not any(found.identifiable.values())
    assert "epipolar" in found.reasons["cam_2"]


def test_only_the_camera_that_sees_nothing_in_common_is_refused():
    trial, seen = shifted(500, [0, 3.4, -4.0, 0])
    xy = seen.xy.copy()
    xy[:, 3] = np.nan
    found = synchronize(replace(seen, xy=xy), trial.rig)
    assert found.identifiable == {"cam_1": True, "cam_2": True, "cam_3": True, "cam_4": False}
    assert "hardly any detection" in found.reasons["cam_4"]
    assert found.timing.found[3] == "assumed"
    assert np.abs(found.timing.offset_frames - [0, 3.4, -4.0, 0]).max() < 0.05
    xy = seen.xy.copy()
    xy[:200, 3], xy[200:, :3] = np.nan, np.nan
    found = synchronize(replace(seen, xy=xy), trial.rig, max_offset_frames=20)
    assert set(found.reasons) == {"cam_4"}


def test_an_offset_beyond_the_search_is_not_mistaken_for_another():
    trial, seen = shifted(800, [0, 170.0, 0, 0])
    found = synchronize(seen, trial.rig)
    assert not found.identifiable["cam_2"]
    assert found.identifiable["cam_3"]
    near = synchronize(seen, trial.rig, near={"cam_2": 160}, max_offset_frames=30)
    assert near.complete
    assert abs(near.timing.offset_frames[1] - 170) < 0.05


def test_a_calibration_that_is_off_does_not_pass_for_lateness():
    trial, seen = shifted(1000, [0, 3.4, 0, 0])
    cameras = list(trial.rig)
    cameras[2] = replace(cameras[2], matrix=cameras[2].matrix + np.array([[0, 0, 3.0], [0, 0, -2.0], [0, 0, 0]]))
    found = synchronize(seen, Rig(tuple(cameras)))
    assert found.complete
    assert np.abs(found.timing.offset_frames - [0, 3.4, 0, 0]).max() < 0.05


def test_cameras_are_matched_by_name_and_the_reference_is_free():
    trial, seen = shifted(400, [0, 3.4, -2.0])
    order = ["cam_3", "cam_1", "cam_2"]
    found = synchronize(seen.select(order), trial.rig, reference="cam_2")
    assert found.timing.cameras == tuple(order)
    assert found.timing.reference == "cam_2"
    assert np.abs(found.timing.offset_frames - [-5.4, -3.4, 0]).max() < 0.05


@pytest.mark.parametrize("n_frames", [0, 2, 11])
def test_hardly_any_frame_is_no_failure_but_no_answer(n_frames):
    trial, seen = shifted(40, [0, 1.0, 0])
    few = replace(seen, xy=seen.xy[:n_frames], score=seen.score[:n_frames])
    found = synchronize(few, trial.rig)
    assert not any(found.identifiable.values())
    assert set(found.reasons) == set(trial.rig.names)
    assert not found.timing.offset_frames.any()


def test_what_does_not_fit_is_said():
    trial, seen = shifted(40, [0, 1.0, 0])
    with pytest.raises(DataError, match=r"cam_3.*no calibration"):
        synchronize(seen, trial.rig.select(["cam_1", "cam_2"]))
    with pytest.raises(DataError, match="needs two"):
        synchronize(seen.select(["cam_1"]), trial.rig)
    with pytest.raises(ConfigError, match="cam_9"):
        synchronize(seen, trial.rig, near={"cam_9": 3})
    with pytest.raises(ConfigError, match="max_offset_frames"):
        synchronize(seen, trial.rig, max_offset_frames=0)
    with pytest.raises(DataError, match="pieces"):
        synchronize([seen, seen.select(["cam_2", "cam_1", "cam_3"])], trial.rig)


def test_a_real_recording_in_step_is_told_from_one_that_is_not(recordings):
    folder = recordings / "balance-4cam"
    trial = folder / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial" / "pose-associated"
    rig = load_rig(next(iter(sorted(folder.rglob("*alib*.toml")))))
    files = dict(zip(rig.names, sorted(trial.iterdir()), strict=True))
    seen = load_keypoints(files, skeleton=Skeleton.preset("body25b"), fps=60.0, truncate=True)
    found = synchronize(seen, rig, max_offset_frames=30)
    assert found.complete
    assert (np.abs(found.timing.offset_frames[1:]) < 3 * found.timing.sd_frames[1:]).all()
    xy = np.full_like(seen.xy, np.nan)
    xy[:, [0, 2, 3]] = seen.xy[:, [0, 2, 3]]
    xy[5:, 1] = seen.xy[:-5, 1]
    late = synchronize(replace(seen, xy=xy), rig, max_offset_frames=30)
    assert late.identifiable["cam_02"]
    assert abs(late.timing.offset_frames[1] - found.timing.offset_frames[1] - 5) < 0.2
