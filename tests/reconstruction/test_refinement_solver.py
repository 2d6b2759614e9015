"""The two solvers against one another, the cost against its derivatives and against aniposelib's formula."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial
from pose3d.errors import DataError
from pose3d.reconstruction import AniposeWeights, RefinementSettings
from pose3d.reconstruction.points.views import Lenses
from pose3d.reconstruction.refinement.differences import Differences
from pose3d.reconstruction.refinement.limbs import Limbs
from pose3d.reconstruction.refinement.motion import learn_motion, learn_views
from pose3d.reconstruction.refinement.problem import HOLD_MM
from pose3d.reconstruction.refinement.scipy_solver import minimize_with_scipy
from pose3d.reconstruction.refinement.solver import minimize
from pose3d.reconstruction.refinement.window import refine_resolved

LEGS = ("Hip", "LHip", "LKnee", "LAnkle", "RHip", "RKnee", "RAnkle")
LOSSES = ("huber", "soft_l1", "cauchy", "linear", "anipose")


def legs_of(trial):
    """The same recording, of the legs alone: scipy takes its time."""
    at = [trial.keypoints.keypoints.index(name) for name in LEGS]
    seen = trial.keypoints
    return replace(
        trial, keypoints=replace(seen, xy=seen.xy[:, :, :, at], score=seen.score[:, :, :, at], keypoints=LEGS)
    )


def limbs_of(names):
    return [(names.index(a), names.index(b)) for a, b in TRIAL_SKELETON.edges if a in names and b in names]


def prepare(trial, settings, *, weak=()):
    lenses = Lenses.of(trial.rig.cameras)
    pixels = np.ascontiguousarray(trial.keypoints.xy[:, :, 0].transpose(1, 2, 0, 3))
    noise, sample = learn_views(lenses, pixels, np.isfinite(pixels[..., 0]).astype(float))
    limbs = limbs_of(trial.keypoints.keypoints)
    motion = learn_motion(lenses, noise, sample, settings, limb_tracks=limbs, weak=[limb in weak for limb in limbs])
    return lenses, sample, motion


@pytest.fixture(scope="module")
def short():
    """Forty frames whose smoothness and limbs are known."""
    return prepare(legs_of(make_trial(40, seed=3)), RefinementSettings())


def problem_of(parts, settings, *, limbs=True):
    lenses, sample, motion = parts
    motion = motion if limbs else replace(motion, limbs=Limbs.none())
    return refine_resolved(lenses, sample, motion, settings)


def both_minima(problem):
    """Both solvers, from a start that is some millimetres off."""
    off = 5 * np.random.default_rng(9).normal(size=problem.start.shape) * problem.active[..., None]
    ours = minimize(problem, problem.start + off, tolerance_mm=1e-3)
    theirs = minimize_with_scipy(problem, problem.start + off, tolerance_mm=1e-3)
    assert ours.converged
    assert theirs.converged
    return ours.x, theirs.x


@pytest.mark.parametrize("limbs", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_solvers_agree_on_every_loss(short, loss, limbs):
    problem = problem_of(short, RefinementSettings(loss=loss), limbs=limbs).problem
    assert (len(problem.limbs.ends) > 0) == limbs
    ours, theirs = both_minima(problem)
    assert np.abs(ours - theirs).max() < 0.01


@pytest.mark.parametrize("order", [1, 2, 4])
def test_solvers_agree_on_every_order(order):
    settings = RefinementSettings(n_deriv_smooth=order)
    problem = problem_of(prepare(legs_of(make_trial(40, seed=4)), settings), settings).problem
    assert problem.differences.order == order
    ours, theirs = both_minima(problem)
    assert np.abs(ours - theirs).max() < 0.01


def test_the_solver_is_chosen_by_the_settings(short):
    ours = problem_of(short, RefinementSettings(tolerance_mm=1e-3))
    theirs = problem_of(short, RefinementSettings(tolerance_mm=1e-3, solver="scipy"))
    assert not np.array_equal(ours.x, theirs.x, equal_nan=True)
    assert np.nanmax(np.abs(ours.x - theirs.x)) < 0.01


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_that_of_the_cost(short, loss):
    problem = problem_of(short, RefinementSettings(loss=loss)).problem
    rng = np.random.default_rng(0)
    x = problem.start + rng.normal(0, 3, problem.start.shape)  # away from the minimum, and beyond the loss's scale
    gradient = problem.linearize(x).gradient
    for _ in range(8):
        step = rng.normal(size=x.shape) * problem.active[..., None]
        ahead, behind = (problem.linearize(x + sign * 1e-4 * step).cost for sign in (1, -1))
        assert (ahead - behind) / 2e-4 == pytest.approx(np.vdot(gradient, step), rel=1e-5)


def test_gradient_of_single_coordinates(short):
    problem = problem_of(short, RefinementSettings()).problem
    x = problem.start + np.random.default_rng(1).normal(0, 2, problem.start.shape)
    gradient = problem.linearize(x).gradient
    for p, f, i in ((0, 0, 0), (3, 1, 1), (5, 25, 2), (6, 39, 0), (1, 38, 1)):
        assert problem.active[p, f]
        step = np.zeros_like(x)
        step[p, f, i] = 1e-3
        slope = (problem.linearize(x + step).cost - problem.linearize(x - step).cost) / 2e-3
        assert slope == pytest.approx(gradient[p, f, i], rel=1e-4, abs=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("limbs", [True, False])
def test_a_start_far_off_comes_back(short, limbs):
    """Three hundred millimetres, every point in another direction: steps without damping would not do."""
    found = problem_of(short, RefinementSettings(loss="linear", tolerance_mm=1e-3), limbs=limbs)
    problem = found.problem
    off = np.random.default_rng(2).normal(size=found.x.shape)
    off *= 300 / np.linalg.norm(off, axis=-1, keepdims=True)
    start = np.where(problem.active[..., None], problem.start + off, problem.start)
    again = minimize(problem, start, tolerance_mm=1e-3)
    assert again.converged
    assert np.abs(again.x - found.x)[problem.active].max() < 0.01


def test_cost_never_rises(short, monkeypatch):
    problem = problem_of(short, RefinementSettings(loss="cauchy")).problem
    start = problem.start + 100 * np.random.default_rng(3).normal(size=problem.start.shape)
    costs = []
    linearize = type(problem).linearize

    def record(self, x):
        made = linearize(self, x)
        costs.append(made.cost)
        return made

    monkeypatch.setattr(type(problem), "linearize", record)
    found = minimize(problem, start, tolerance_mm=0.01)
    monkeypatch.undo()
    assert len(costs) > 4
    assert problem.linearize(found.x).cost <= min(costs) * (1 + 1e-6)
    assert found.at.cost <= costs[0]
    assert found.at.cost == pytest.approx(min(costs), rel=1e-9)


def test_a_start_that_is_no_number_is_an_error(short):
    problem = problem_of(short, RefinementSettings()).problem
    with pytest.raises(DataError, match="cost of the start is not finite"):
        minimize(problem, np.full_like(problem.start, np.nan), tolerance_mm=0.1)


def test_points_without_a_place_are_held(short):
    found = problem_of(short, RefinementSettings())
    active = found.problem.active & (np.arange(40) != 20)
    differences = Differences.of(3, short[2].smooth_mm, active)
    problem = replace(found.problem, active=active, differences=differences)
    for solver in (minimize, minimize_with_scipy):
        made = solver(problem, problem.start, tolerance_mm=0.01)
        assert np.array_equal(made.x[:, 20], problem.start[:, 20])
        assert not np.array_equal(made.x[:, 21], problem.start[:, 21])


# --- aniposelib's weights


def anipose_errors(trial, x, *, lengths, smooth, weights, weak, order):
    """Rows of aniposelib's `optim_points` as its source has them, but for the reprojection, which is taken whole."""
    points = np.moveaxis(x, 0, 1)  # frame, joint
    rp = weights.reproj_error_threshold
    distance = np.linalg.norm(np.moveaxis(trial.rig.project(points), 2, 1) - trial.keypoints.xy[:, :, 0], axis=-1)
    reprojection = 2 * rp * (np.sqrt(1 + distance[np.isfinite(distance)] / rp) - 1)
    rows = np.diff(points, n=order, axis=0).ravel() * smooth
    parts = [reprojection, rows]
    for limb, length in zip(limbs_of(TRIAL_SKELETON.keypoints), lengths, strict=True):
        scale = weights.scale_length_weak if limb in weak else weights.scale_length
        measured = np.linalg.norm(points[:, limb[0]] - points[:, limb[1]], axis=-1)
        parts.append(scale * 100 * (measured - length) / length)
    return parts


@pytest.mark.parametrize(
    ("weights", "order"),
    [(AniposeWeights(), 1), (AniposeWeights(2, 3, 1, 5), 3), (AniposeWeights(9, 0.4, 0.1, 40), 2)],
)
def test_anipose_weights_mean_what_they_mean_there(weights, order):
    trial = make_trial(60, seed=6, outliers=0.0, missing=0.0)  # all views count, so that all of its rows exist
    limbs = limbs_of(TRIAL_SKELETON.keypoints)
    weak = set(limbs[:5])
    settings = RefinementSettings(n_deriv_smooth=order, anipose=weights, tolerance_mm=0.02)
    lenses, sample, motion = prepare(trial, settings, weak=weak)
    found = refine_resolved(lenses, sample, motion, settings)
    problem = found.problem
    assert (problem.precision == 1.0).all()
    assert problem.active.all()
    at = problem.start + 4 * np.random.default_rng(1).normal(size=problem.start.shape)
    # aniposelib's smoothing weight: relative to the mean step of the median-filtered start, here that of single frames
    single = np.moveaxis(sample.fixes.x + sample.fixes.middle, 0, 1)
    filtered = scipy.signal.medfilt(single.reshape(60, -1), (7, 1)).reshape(single.shape)[3:-3]
    smooth = weights.scale_smooth / np.mean(np.abs(np.diff(filtered, axis=0)))
    parts = anipose_errors(
        trial,
        at + lenses.origin,
        lengths=motion.limbs.length_mm,
        smooth=smooth,
        weights=weights,
        weak=weak,
        order=order,
    )
    held = np.square((at - problem.start) / HOLD_MM).sum()
    expected = [0.5 * np.square(part).sum() for part in parts]
    assert problem.linearize(at).cost == pytest.approx(sum(expected) + 0.5 * held, rel=1e-6)
    # each part by itself, so that none hides behind another
    assert 0.5 * np.square(problem.differences.rows(at)).sum() == pytest.approx(expected[1], rel=1e-6)
    assert problem.limbs.fit(at, problem.active).cost == pytest.approx(sum(expected[2:]), rel=1e-9)
    # lengths are aniposelib's start values: medians over the recording
    measured = [np.median(np.linalg.norm(single[:, a] - single[:, b], axis=-1)) for a, b in limbs]
    np.testing.assert_allclose(motion.limbs.length_mm, measured, atol=1.0)


def test_precision_is_one_over_the_variance():
    trial = make_trial(40, rig=make_ring(4), seed=1, outliers=0.0, missing=0.0)
    settings = RefinementSettings(loss="linear")
    lenses, sample, motion = prepare(trial, settings)
    noise = motion.noise._replace(noise_px=np.array([0.5, 1.0, 2.0, 4.0]))
    problem = refine_resolved(lenses, sample, replace(motion, noise=noise), settings).problem
    used = problem.precision > 0
    assert used.mean() > 0.99
    for row, kept, expected in zip(problem.precision, used, [4.0, 1.0, 0.25, 0.0625], strict=True):
        assert np.allclose(row[kept], expected)
