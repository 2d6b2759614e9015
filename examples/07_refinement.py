# %% [markdown]
# # Points that are refined over time, with error bars that can be believed
#
# `python examples/07_refinement.py [FOLDER]`. Example 02 makes points from files in a few lines; this one looks at what
# happens on the way, on a walker whose true motion is known: what the refinement gains, what is filled and what stays
# missing, how far the error bars can be trusted, what is wrong with a camera that is late, and how it is put right.

# %%
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose3d import (
    Filters,
    Keypoints3D,
    RefinementSettings,
    Status,
    TriangulationRequest,
    ViewSettings,
    filter_3d,
    interval,
    joint_angles,
    measure_quality,
    read_samples,
    reconstruct,
    repair_swaps,
    save_keypoints,
    save_rig,
    synchronize,
    triangulate,
    triangulate_files,
)
from pose3d.demo.trials import TRIAL_SKELETON, make_trial, walk_in_circles
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.sync_toml import write_sync

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp()) / "refinement"
folder.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Six cameras, twenty keypoints, four seconds at 100 frames per second. Every view has a noise of 1 px, 5 % are gross
# errors whose score says nothing, 15 % are missing, and in 2 % a pair of keypoints is exchanged left for right. The
# right wrist is hidden from all cameras twice: for 10 frames, and for 60.

# %%
n_frames = 400
fine = walk_in_circles(10 * n_frames + 100, fps=1000, rng=np.random.default_rng(4))  # for cameras between frames
truth = fine[: 10 * n_frames : 10]
trial = make_trial(n_frames, xyz=truth, swaps=0.02)
names = trial.keypoints.keypoints
wrist = names.index("RWrist")
xy = trial.keypoints.xy.copy()
xy[100:110, :, 0, wrist] = np.nan
xy[200:260, :, 0, wrist] = np.nan
keypoints = replace(trial.keypoints, xy=xy, score=np.where(np.isnan(xy[..., 0]), np.nan, trial.keypoints.score))
print(keypoints)


def say_error(what: str, points: Keypoints3D) -> float:
    """Print how far points lie from the truth, and return the median in mm."""
    error = np.linalg.norm(points.xyz[:, 0] - truth[points.start :][: points.n_frames], axis=-1)
    there = np.isfinite(error)
    median, p95 = np.percentile(error[there], (50, 95))
    print(f"{what:16} median {median:.2f} mm, 95 % below {p95:.2f} mm, {100 * (1 - there.mean()):.1f} % missing")
    return float(median)


# %% [markdown]
# **Frame by frame, then all frames together.** `triangulate` makes each frame for itself from the views that agree.
# `reconstruct` first puts right what is exchanged (`repair_swaps` alone tells which views). Then it looks for the
# motion that explains all views best, is smooth, and keeps the lengths of limbs. How smooth, and how constant a limb
# is, it finds from the recording.

# %%
limbs, pairs = TRIAL_SKELETON.edges, TRIAL_SKELETON.pairs
points = triangulate(keypoints, trial.rig)
single = say_error("frame by frame", points)
repaired = repair_swaps(keypoints, trial.rig, pairs)
print(repaired.lines()[0])
settings = RefinementSettings(limbs=limbs, max_gap=20, samples=100)
made = reconstruct(keypoints, trial.rig, settings, views=ViewSettings(pairs=pairs))
refined = say_error("refined", made.points)
assert refined < single / 2
print(*made.learnt.lines(), sep="\n")

# %% [markdown]
# A low-pass filter of the single frames, as many use it, gets half of the way, and its cutoff has to be chosen. Here it
# is 3 dB down at 6 Hz, after both passes.

# %%
filtered, summary = filter_3d(points, Filters(max_gap=20, butterworth_hz=6), independent=True)
say_error("low-pass", filtered)
print(*summary.lines(), sep="\n")

# %% [markdown]
# **What is filled, and what is missing.** A gap is filled up to the length that you set, and each filled point says so
# and how many frames it is away from data. Longer gaps stay missing; nothing lies before the first observation or
# after the last.

# %%
status = made.points.status[:, 0, wrist]
for first, last in ((100, 110), (200, 260)):
    words = {Status(int(value)).name.lower() for value in np.unique(status[first:last])}
    print(f"right wrist, frames {first} to {last - 1}: {' and '.join(sorted(words))}")
print("frames from data:", made.points.frames_from_data[98:112, 0, wrist])
assert (status[100:110] == Status.FILLED).all()
assert (status[200:260] == Status.MISSING).all()

# %% [markdown]
# **Error bars.** Every point has a covariance: the noise of the views, their number and geometry, what smoothness and
# limbs add, and, where the rig has one, the calibration's own uncertainty. Here the truth is known, so count: how many
# true points lie in their 95 % ellipsoid?

# %%
error = made.points.xyz[:, 0] - truth
there = np.isfinite(error[..., 0])
covariance = made.points.covariance[:, 0][there]
distance = np.einsum("ni,ni->n", error[there], np.linalg.solve(covariance, error[there][..., None])[..., 0])
inside = float((distance < 7.815).mean())  # chi-square with 3 degrees of freedom
print(f"standard deviation of a coordinate: median {np.median(np.sqrt(np.diagonal(covariance, 0, 1, 2))):.2f} mm")
print(f"{100 * inside:.1f} % of the true points lie in the 95 % ellipsoid")
assert 0.90 < inside < 0.99

# %% [markdown]
# **Intervals of anything.** The covariance knows one point. A knee angle is made of three, and a mean over a stride of
# many frames, whose errors belong together. So take samples: each is one whole motion, as likely as the others. What
# you compute from all of them has an interval.

# %%
samples = made.samples
assert samples is not None
knee = {"knee": ["RHip", "RKnee", "RAnkle"]}


def knee_deg(xyz: np.ndarray) -> np.ndarray:
    """Return the angle at the right knee in points (n_frames, 1, n_keypoints, 3), degrees."""
    return joint_angles(replace(made.points, xyz=xyz, covariance=None), knee).deg[:, 0, 0]


true, estimate = knee_deg(truth[:, None]), knee_deg(made.points.xyz)
sampled = np.stack([knee_deg(samples.sample(index)) for index in range(samples.n_samples)])
low, high = interval(sampled[:, 50])
print(f"knee at frame 50: {estimate[50]:.2f} deg, 95 % between {low:.2f} and {high:.2f}; true {true[50]:.2f}")
covered = np.mean((interval(sampled)[0] <= true) & (true <= interval(sampled)[1]))
print(f"{100 * covered:.0f} % of all frames lie in their 95 % intervals")
assert covered > 0.85

# %% [markdown]
# Peaks and ranges need one step more. Noise makes a peak higher: in the estimate, and once more in each sample. So turn
# the interval around at the estimate.

# %%
motion = float(np.ptp(estimate))
low, high = interval(np.ptp(sampled, axis=1), estimate=motion)
print(f"range of motion: {motion:.1f} deg, 95 % between {low:.1f} and {high:.1f}; true {np.ptp(true):.1f}")

# %% [markdown]
# **A camera that is late.** Now camera cam_3 shows everything 3.4 frames late. Triangulation then leaves its views out
# wherever something moves; `measure_quality` says why, and `synchronize` finds the offset from the motion itself, with
# its uncertainty. It says so where the motion cannot tell.

# %%
rig = trial.rig
instants = slice(100, 100 + 10 * n_frames, 10)
truth = fine[instants]
on_time, late = (make_trial(n_frames, xyz=xyz) for xyz in (truth, fine[66:][: 10 * n_frames : 10]))
c = rig.names.index("cam_3")
xy, score = on_time.keypoints.xy.copy(), on_time.keypoints.score.copy()
xy[:, c], score[:, c] = late.keypoints.xy[:, c], late.keypoints.score[:, c]
mixed = replace(on_time.keypoints, xy=xy, score=score)
uneven = say_error("not in step", reconstruct(mixed, rig, settings).points)
print(*measure_quality(mixed, rig, triangulate(mixed, rig)).finding_lines(), sep="\n")
found = synchronize(mixed, rig)
print(*found.lines(), sep="\n")
assert abs(found.timing.offset_frames[c] - 3.4) < 0.05

# %% [markdown]
# **The same with files**, as the command line does it: `pose3d sync` writes `sync.toml`, and `pose3d triangulate
# --sync sync.toml --samples 50` brings all cameras to common instants before it begins. A recording of hours needs no
# more memory than one of minutes; what is finished waits in `walk.partial/`, and called again the command goes on
# where it was.

# %%
files = {name: folder / f"walk_{name}.h5" for name in rig.names}
for name, path in files.items():
    save_keypoints(mixed.select([name]), path)
save_rig(rig, folder / "calibration.toml")
write_sync(found.timing, folder / "sync.toml")
request = TriangulationRequest(
    refinement=RefinementSettings(limbs=limbs, samples=50), fps=100, sync=folder / "sync.toml"
)
summary = triangulate_files(files, folder / "calibration.toml", folder / "walk.csv", request)
print(*summary.lines(), *(f"written: {path}" for path in summary.outputs), sep="\n")
in_step = say_error("in step", read_pose3d(folder / "walk.csv"))
print(read_samples(folder / "walk.samples.npz"))
assert in_step < uneven
