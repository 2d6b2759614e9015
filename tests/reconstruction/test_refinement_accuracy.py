"""How far refined points lie from the truth, beside the same frames by themselves and a smoother that knows all."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial, walk_in_circles
from pose3d.reconstruction import RefinementSettings, ViewSettings, reconstruct, triangulate
from pose3d.reconstruction.points.noise import Noise
from pose3d.reconstruction.points.views import Lenses
from pose3d.reconstruction.refinement.limbs import Limbs
from pose3d.reconstruction.refinement.motion import Motion
from pose3d.reconstruction.refinement.start import resolve
from pose3d.reconstruction.refinement.window import refine_resolved

LIMBS = RefinementSettings(limbs=TRIAL_SKELETON.edges)
NAMES = TRIAL_SKELETON.keypoints


def errors(points, trial):
    return np.linalg.norm(points.xyz[:, 0] - trial.xyz, axis=-1)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.fixture(scope="module")
def walk():
    return make_trial(400)


@pytest.fixture(scope="module")
def refined_walk(walk):
    return reconstruct(walk.keypoints, walk.rig, LIMBS)


def oracle_rms(trial):
    """RMS of a smoother that is told the good views, the noise, the limbs' lengths and the best smoothness."""
    lenses = Lenses.of(trial.rig.cameras)
    xy = np.where(trial.clean[..., None], trial.keypoints.xy[:, :, 0], np.nan)
    pixels = np.ascontiguousarray(xy.transpose(1, 2, 0, 3))
    ends = np.array([[NAMES.index(a), NAMES.index(b)] for a, b in TRIAL_SKELETON.edges])
    length = np.linalg.norm(trial.xyz[:, ends[:, 0]] - trial.xyz[:, ends[:, 1]], axis=-1)
    limbs = Limbs(ends, length.mean(0), np.maximum(length.std(0), 0.2))
    noise = Noise(trial.noise_px, np.full(len(trial.rig), 50.0))
    sample = resolve(lenses, pixels, np.isfinite(pixels[..., 0]).astype(float), noise)
    squared = []
    for smooth_mm in np.geomspace(0.05, 1.0, 7):
        motion = Motion(noise, np.full(len(NAMES), smooth_mm), limbs, 4)
        found = refine_resolved(lenses, sample, motion, replace(LIMBS, tolerance_mm=0.02))
        error = found.x + lenses.origin - trial.xyz.transpose(1, 0, 2)
        squared.append(np.nanmean((error * error).sum(-1), axis=1))
    return float(np.sqrt(np.min(squared, axis=0).mean()))


def test_error_is_far_below_that_of_single_frames(walk, refined_walk):
    single = errors(triangulate(walk.keypoints, walk.rig), walk)
    refined = errors(refined_walk.points, walk)
    assert np.isfinite(refined).mean() > 0.999
    assert np.nanmedian(refined) <= np.nanmedian(single) / 2.5
    assert np.nanmax(refined) < 50


def test_error_is_near_that_of_a_smoother_that_knows_all(walk, refined_walk):
    refined = errors(refined_walk.points, walk)
    assert rms(refined[np.isfinite(refined)]) <= 1.3 * oracle_rms(walk)


def test_limbs_help_where_views_are_few():
    trial = make_trial(300, rig=make_ring(3), missing=0.3, seed=2)
    plain, tied = (reconstruct(trial.keypoints, trial.rig, s).points for s in (RefinementSettings(), LIMBS))
    a, b = errors(plain, trial), errors(tied, trial)
    both = np.isfinite(a) & np.isfinite(b)
    assert both.mean() > 0.95
    assert rms(b[both]) < 0.9 * rms(a[both])


def bumpy(n_frames, kind):
    """Motion that is rougher than a walk is."""
    rng = np.random.default_rng(5)
    base = walk_in_circles(n_frames, rng=rng)
    t = np.arange(n_frames) / 100
    if kind == "10 Hz gait":
        return base + 30 * np.sin(2 * np.pi * 10 * t[:, None, None] + rng.uniform(0, 6, 20)[:, None])
    low = scipy.signal.butter(2, 8, fs=100, output="sos")
    rough = scipy.signal.sosfilt(low, rng.normal(size=base.shape), axis=0)
    moved = base + (0 if kind == "ringing" else 30 / rough.std()) * rough
    if kind != "8 Hz":
        strikes = np.arange(0, t[-1], 0.55)
        for name in ("LHeel", "LBigToe", "LAnkle", "RHeel", "RBigToe", "RAnkle"):
            since = t[:, None] - (strikes + (0.27 if name[0] == "R" else 0.0))
            ring = np.where(since > 0, np.exp(-since / 0.05) * np.sin(2 * np.pi * 18 * since), 0.0).sum(1)
            moved[:, NAMES.index(name), 2] += 12 * ring
    return moved


@pytest.mark.parametrize("limbs", [True, False])
@pytest.mark.parametrize("kind", ["8 Hz", "ringing", "8 Hz and ringing", "10 Hz gait"])
def test_rough_motion_is_never_smoothed_away(kind, limbs):
    trial = make_trial(400, xyz=bumpy(400, kind), seed=1)
    single = errors(triangulate(trial.keypoints, trial.rig), trial)
    refined = errors(reconstruct(trial.keypoints, trial.rig, LIMBS if limbs else None).points, trial)
    both = np.isfinite(single) & np.isfinite(refined) & (single < 50)  # its gross errors would flatter the other
    assert both.mean() > 0.97
    assert rms(refined[both]) <= rms(single[both])
    feet = [NAMES.index(name) for name in ("LHeel", "LBigToe", "LAnkle", "RHeel", "RBigToe", "RAnkle")]
    assert rms(refined[:, feet][both[:, feet]]) <= rms(single[:, feet][both[:, feet]])


@pytest.mark.parametrize("noise_px", [0.4, 1.0, 2.5, "each its own"])
def test_any_noise(noise_px):
    noise = np.linspace(0.4, 2.5, 6) if noise_px == "each its own" else noise_px
    trial = make_trial(300, noise_px=noise, seed=3)
    made = reconstruct(trial.keypoints, trial.rig, LIMBS)
    np.testing.assert_allclose(made.learnt.motion.noise.noise_px, trial.noise_px, rtol=0.15)
    single, refined = errors(triangulate(trial.keypoints, trial.rig), trial), errors(made.points, trial)
    both = np.isfinite(single) & np.isfinite(refined) & (single < 50)
    assert rms(refined[both]) <= 0.7 * rms(single[both])
    assert np.nanmedian(refined) <= np.nanmedian(single) / 1.8


@pytest.mark.parametrize("fps", [30.0, 300.0])
def test_smoothing_follows_the_frame_rate(fps):
    trial = make_trial(300, fps=fps, seed=4)
    single = errors(triangulate(trial.keypoints, trial.rig), trial)
    refined = errors(reconstruct(trial.keypoints, trial.rig, LIMBS).points, trial)
    assert np.nanmedian(refined) <= np.nanmedian(single) / (1.4 if fps == 30 else 3.5)


def test_exchanged_sides_are_repaired():
    clean, swapped = (make_trial(600, swaps=swaps, seed=5) for swaps in (0.0, 0.05))
    pairs = np.array([[NAMES.index(name) for name in pair] for pair in TRIAL_SKELETON.pairs])
    views = ViewSettings(pairs=TRIAL_SKELETON.pairs)
    made = reconstruct(swapped.keypoints, swapped.rig, LIMBS, views=views)
    there = np.isfinite(swapped.keypoints.xy[:, :, 0, :, 0])[..., pairs].any(-1)
    planted = swapped.swapped[..., pairs].any(-1) & there
    found = made.swapped[:, :, 0]
    assert planted.sum() > 1000
    assert (found & planted).sum() >= 0.95 * planted.sum()
    assert (found & ~planted).sum() <= 0.001 * (there & ~planted).sum()
    plain = errors(reconstruct(clean.keypoints, clean.rig, LIMBS, views=views).points, clean)
    repaired = errors(made.points, swapped)
    assert np.nanmedian(repaired) <= 1.03 * np.nanmedian(plain)
    assert rms(repaired[np.isfinite(repaired)]) <= 1.03 * rms(plain[np.isfinite(plain)])
    assert np.isfinite(repaired).mean() >= 0.999


def test_exchanged_sides_are_left_alone_unless_pairs_are_named():
    trial = make_trial(100, swaps=0.1, seed=6)
    assert reconstruct(trial.keypoints, trial.rig).swapped.shape == (100, 6, 1, 0)
