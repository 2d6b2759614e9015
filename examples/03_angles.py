# %% [markdown]
# # Joint angles of a walking person
#
# `python examples/03_angles.py [FOLDER]`. The person is the demo's, so that the true angles are known.

# %%
import sys
import tempfile
from pathlib import Path

import numpy as np

from pose3d import joint_angles, load_keypoints, load_rig, triangulate
from pose3d.demo import evaluate, load_truth, make_session
from pose3d.io.anipose_csv import write_angles
from pose3d.io.trc import write_trc

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp())
known = (folder / "truth" / "truth.toml").is_file()
truth = load_truth(folder) if known else make_session(folder, n_frames=60)

# %% [markdown]
# 3D keypoints, as in example 02: the cameras of example 01 if it ran before, else the true ones.

# %%
calibration = truth.session_folder / "calibration" / "calibration.toml"
rig = load_rig(calibration) if calibration.is_file() else truth.rig
files = {name: truth.session_folder / "pose-2d" / f"walk_{name}.h5" for name in truth.rig.names}
points = triangulate(load_keypoints(files, fps=truth.points.fps), rig)
print(points)

# %% [markdown]
# Without definitions, `joint_angles` finds the human angles by the names of the keypoints, as coco17, halpe26, body25,
# body25b and blazepose33 have them. Signs are the same on both sides.

# %%
angles = joint_angles(points)
print(angles)
for index, name in enumerate(angles.names):
    deg = angles.deg[:, 0, index]
    print(f"{name:24} {np.nanmin(deg):7.1f} to {np.nanmax(deg):6.1f} deg")

# %% [markdown]
# Your own angles take anipose's syntax, in Python or in `[angles]` of a toml file: three names are the angle at the
# middle one.

# %%
own = joint_angles(points, {"elbow": ["flex", "RShoulder", "RElbow", "RWrist"], "knee": ["RHip", "RKnee", "RAnkle"]})
print(own.names, np.round(np.nanmean(own.deg[:, 0], axis=0), 1))

# %% [markdown]
# Against the truth: once with the same definition on the true keypoints, which is the error of the measurement, and
# once with the angles of the model that made the motion.

# %%
for line in evaluate(truth, angles=angles).lines():
    print(line)

# %% [markdown]
# Files for other programs: angles as anipose writes them, and a TRC for OpenSim.

# %%
for path in (*write_angles(angles, folder / "angles.csv"), *write_trc(points, folder / "trial.trc")):
    print("written:", path)
