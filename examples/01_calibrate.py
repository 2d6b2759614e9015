# %% [markdown]
# # Calibrate four cameras from clips of a board
#
# Run it as a script, `python examples/01_calibrate.py [FOLDER]`, or cell by cell in an editor that knows `# %%`. The
# recording is one that pose3d makes itself, so that the truth is known; your own clips take its place.

# %%
import sys
import tempfile
from pathlib import Path

import numpy as np

from pose3d import calibrate_rig, load_rig, save_rig
from pose3d.demo import evaluate, load_truth, make_session

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp())
if (folder / "truth" / "truth.toml").is_file():
    truth = load_truth(folder)
else:
    print(f"rendering clips into {folder} ...")
    truth = make_session(folder, n_frames=60)

# %% [markdown]
# One clip a camera, all of the same instants: frame 7 of one is frame 7 of the others. Cameras are known by **name**,
# here the end of the file's name. On the command line this is `pose3d calibrate frontleft=board_frontleft.mp4 ...`.

# %%
clips_folder = truth.session_folder / "calibration"
clips = {path.stem.removeprefix("board_"): path for path in sorted(clips_folder.glob("*.mp4"))}
print("clips:", ", ".join(f"{name} = {path.name}" for name, path in clips.items()))

# %% [markdown]
# The board sets the scale, and nothing else does: measure the printed squares. For your own ChArUco board this is
# `Board("charuco", (8, 11), square_mm=24, marker_mm=18.75, dictionary="4X4_1000")`.

# %%
board = truth.board
print("board:", board.describe())
calibration = calibrate_rig(clips, board)
print(calibration.rig)

# %% [markdown]
# How good is it? Three figures that do not depend on a truth that you do not have: the distance between seen and
# reprojected corners, the length of the board's edges when they are triangulated, and what had to be dropped. The
# edges tell most, since they are in mm and were not fitted directly.

# %%
quality = calibration.quality
for camera in quality.cameras:
    print(f"{camera.name:12} {camera.views:3} views  {camera.median_px:.2f} px  {100 * camera.outliers:.1f} % outliers")
print(f"edges of the board: {quality.edge_error_mm:.2f} mm rms over {quality.n_edges} edges")
for name, reason in calibration.unlinked.items():
    print(f"not calibrated: {name}: {reason}")

# %% [markdown]
# Here the truth is known, so look at it too. Only what does not depend on the choice of the world can be compared
# directly: the distances between cameras. The rest is compared after a rigid alignment.

# %%
for line in evaluate(truth, rig=calibration.rig).lines():
    print(line)

# %% [markdown]
# The file is anipose's `calibration.toml`; `aniposelib.CameraGroup.load` reads it.

# %%
path = clips_folder / "calibration.toml"
save_rig(calibration.rig, path)
again = load_rig(path)
assert again.names == calibration.rig.names
assert np.allclose(again.centers, calibration.rig.centers)
print("written:", path)
