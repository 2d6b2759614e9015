# %% [markdown]
# # A gait report, from several cameras' keypoints to pages with error bars
#
# `python examples/05_gait_report.py [FOLDER]`. The walker is the demo's, so that strides, events and joint angles are
# known: everything that the report says can be held against them. On your own recordings it is one command:
# `pose3d report gait SESSION`.

# %%
import sys
import tempfile
from pathlib import Path

import numpy as np

from pose3d import Skeleton, save_rig
from pose3d.batch import run_session
from pose3d.batch.gait_report import report_gait
from pose3d.data.events import OFF, STRIKE
from pose3d.demo.detections import simulate_detections
from pose3d.demo.person import make_person, place_body
from pose3d.demo.rig import make_rig
from pose3d.demo.walk import fit_stride, joint_truth, make_pose
from pose3d.io.dlc import write_dlc
from pose3d.project import Session, write_config

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp()) / "gait"

# %% [markdown]
# Somebody walks three times through the view of four cameras. Their keypoints are simulated as a network finds them:
# about 1 px of noise, gross errors, gaps, sides exchanged. What is true of the walks is kept.

# %%
fps, n_frames, skeleton, rig = 100.0, 320, Skeleton.preset("halpe26"), make_rig(seed=0)
person = make_person(np.random.default_rng(11))
stride = fit_stride(person, length=0.8 * person.height, period=1.06)
write_config(
    folder, {"project": {"fps": fps}, "skeleton": {"preset": "halpe26"}, "gait": {"subject": "P07"}}, overwrite=True
)
save_rig(rig, folder / "monday" / "calibration" / "calibration.toml")
phases, truth = {}, {}
for number in (1, 2, 3):
    name, rng = f"walk{number}", np.random.default_rng(number)
    phases[name] = rng.uniform(0, 1) + np.arange(n_frames) / fps / stride.period  # of the right leg
    pose = make_pose(stride, phases[name], rng=rng)
    pose.pelvis[:, 0] -= pose.pelvis[:, 0].mean()
    body = place_body(person, pose)
    truth[name] = joint_truth(pose, body)
    views = simulate_detections(body.keypoints(skeleton), rig, skeleton, fps=fps, rng=rng)
    for camera in rig.names:
        path = folder / "monday" / "pose-2d" / f"{name}_{camera}.h5"
        write_dlc(views.select([camera]), path, scorer="simulated")

# %% [markdown]
# `pose3d run` makes points in space from them, with samples of all that they might be after what the cameras saw; and
# the report measures each walk on the points, and once more on every sample.

# %%
session = Session.load(folder / "monday")
for outcome in run_session(session):
    print(outcome.label, outcome.status)
made = report_gait(session)
study = made.gait.study
print(made.verdict.headline)
for line in made.verdict.lines:
    print(" ", line)

# %% [markdown]
# Strides: what was measured, its interval, and the truth.

# %%
known = {"stride_length": stride.length / 1000, "stride_time": stride.period, "speed": stride.speed / 1000}
for name, true in known.items():
    for side in "LR":
        row = study.row(name).sides[side]
        low, high = float(row.mean.low), float(row.mean.high)
        print(f"{name:14} {side}  {row.value:.4f} [{low:.4f}, {high:.4f}], n = {row.n}; true {true:.4f}")

# %% [markdown]
# Events: the right foot strikes where its cycle begins. A foot that lands slides and rolls, so that the instant itself
# is a matter of definition; it is the same one in every stride.

# %%
for kind, part in ((STRIKE, 0.0), (OFF, 0.62)):
    late = []
    for trial in study.trials:
        for side, half in (("R", 0.0), ("L", 0.5)):
            found = trial.gait.events.times(side, kind)
            phase = np.interp(found * fps, np.arange(n_frames), phases[trial.name]) - half - part
            late += list((phase - np.round(phase)) * stride.period * 1000)
    print(f"{kind:7} {len(late)} found, {np.mean(late):+.1f} ms from the model's, SD {np.std(late, ddof=1):.1f} ms")

# %% [markdown]
# Joint angles: ranges of motion of the same definition on the true keypoints would be exact; against the model itself
# they hold the error of the definition too.

# %%
for angle in ("knee_flexion", "hip_flexion_trunk"):
    row = next(row for row in study.peaks if (row.angle, row.name) == (angle, "range"))
    for side in "LR":
        true = np.mean([np.ptp(angles[f"{angle}_{side.lower()}"]) for angles in truth.values()])
        mean = row.sides[side].mean
        print(
            f"{angle:18} {side}  range {row.sides[side].value:.1f} [{float(mean.low):.1f}, {float(mean.high):.1f}]; "
            f"the model's {true:.1f} deg"
        )

# %% [markdown]
# The report: open `gait.html` in a browser, or print `gait.pdf`. The tables lie beside them.

# %%
for path in made.outputs:
    print("written:", path)
