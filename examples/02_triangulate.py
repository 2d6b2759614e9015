# %% [markdown]
# # From 2D keypoints in each camera to 3D
#
# `python examples/02_triangulate.py [FOLDER]`. Where `POSE3D_TEST_DATA` names the folder of the real recordings, this
# is the mouse in four cameras with the cameras and labels as they were published; elsewhere it is the demo's walking
# person.

# %%
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from pose3d import Status, load_keypoints, load_rig, reconstruct, save_keypoints, triangulate
from pose3d.demo import load_truth, make_session
from pose3d.reconstruction import triangulate_views

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp())
mouse = Path(os.environ.get("POSE3D_TEST_DATA", "")) / "mouse-4cam"
if (mouse / "published_calibration.toml").is_file():
    calibration = mouse / "published_calibration.toml"
    names = ("back", "mid", "side", "top")
    files = {name: mouse / name / f"minimal_{name}_proofread.analysis.h5" for name in names}
else:
    known = (folder / "truth" / "truth.toml").is_file()
    truth = load_truth(folder) if known else make_session(folder, n_frames=60)
    calibration = truth.session_folder / "calibration" / "calibration.toml"  # of example 01
    if not calibration.is_file():
        calibration = folder / "truth" / "calibration.toml"  # so that this example runs alone
    files = {name: truth.session_folder / "pose-2d" / f"walk_{name}.h5" for name in truth.rig.names}

# %% [markdown]
# The format of each file (DeepLabCut, SLEAP, OpenPose) is found from what is in it. Cameras are matched by the names
# that you give, keypoints by the names in the files; a keypoint that one view lacks, or a view that is longer than
# the others, is an error with one clear line and never a silent shift.

# %%
rig = load_rig(calibration)
keypoints = load_keypoints(files)
print(rig)
print(keypoints)

# %% [markdown]
# `triangulate` makes each frame for itself. It leaves out views that disagree with the others, and says for each point
# how many cameras made it, how far it reprojects from them, and its covariance.

# %%
points = triangulate(keypoints, rig)
print(points)
n_cameras = points.n_cameras[np.isfinite(points.xyz[..., 0])]
print("cameras per point:", {int(n): int((n_cameras == n).sum()) for n in np.unique(n_cameras)})
print(f"reprojection error: median {np.nanmedian(points.error):.2f} px")

# %% [markdown]
# Which views were left out tells about cameras and labels. `triangulate_views` keeps that, and sums it up.

# %%
for line in triangulate_views(keypoints, rig).summary.lines():
    print(line)

# %% [markdown]
# The plain method, for comparison: the direct linear transform of all views. On the command line it is `--no-robust`.

# %%
plain = triangulate(keypoints, rig, robust=False)
apart = np.linalg.norm(plain.xyz - points.xyz, axis=-1)
print(f"plain and robust lie {np.nanmedian(apart):.2f} mm apart (median), at most {np.nanmax(apart):.1f} mm")

# %% [markdown]
# `reconstruct` is what `pose3d triangulate` does: it goes on from the single frames to the motion that explains all
# views best, with weights that it finds from the recording. Short gaps are filled, and each point says whether it was
# observed, filled or is missing. Example 07 looks at it more closely.

# %%
refined = reconstruct(keypoints, rig).points
apart = np.linalg.norm(refined.xyz - points.xyz, axis=-1)
print(f"refinement moves points by {np.nanmedian(apart):.2f} mm (median)")
print(", ".join(f"{int((refined.status == status).sum())} {status.name.lower()}" for status in Status))

# %% [markdown]
# The csv has anipose's columns and nothing else; status and covariance lie in `trial.uncertainty.csv` beside it.

# %%
output = folder / "trial.csv"
save_keypoints(refined, output)
print("written:", output)
assert output.is_file()
