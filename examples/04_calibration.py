# %% [markdown]
# # A calibration that can be trusted, and one that cannot
#
# `python examples/04_calibration.py [FOLDER]`. Example 01 calibrates in one call; this one takes the steps apart: what
# is seen of the board, what the cameras are, whether they may be used, what the world is, and whether a camera has
# moved since. On the command line all of it is `pose3d calibrate`.

# %%
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose3d import Board, Camera, Rig, save_rig
from pose3d.calibration import calibrate_detections, compare_rigs, judge, put_on_floor, search_board
from pose3d.demo.board import pose_from_axes
from pose3d.demo.board_motion import move_board
from pose3d.demo.board_session import render_board_frames
from pose3d.demo.rig import look_at
from pose3d.demo.room import Room
from pose3d.geometry.transforms import apply
from pose3d.io.video import open_frames, write_video
from pose3d.report.calibration_page import write_calibration_report

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp()) / "calibration"

# %% [markdown]
# Three cameras look at a table. The board is the one that `pose3d board` prints for A4 or Letter. A hand carries it
# about, and in the end puts it down on the table: that will be the world.

# %%
board = Board("charuco", (6, 8), square_mm=24, marker_mm=18, dictionary="4X4_50")
matrix = np.array([[620.0, 0, 322], [0, 620, 241], [0, 0, 1]])
places = {"left": (-250, 520, 480), "middle": (-620, 0, 430), "right": (-250, -520, 480)}  # mm
cameras = [
    Camera(name, (640, 480), matrix, [-0.1, 0.03, 0, 0, 0], *look_at(place, (0, 0, 40)))
    for name, place in places.items()
]
truth = Rig(tuple(cameras))
lying = pose_from_axes(np.array([0.0, 0, 1]), np.array([0.0, -1, 0]), np.zeros(3), board)  # print up, in the middle


def film(session: str, rig: Rig, *, n_frames: int, seed: int) -> dict[str, Path]:
    """Render a clip of the board for each camera; its last three frames show it on the table."""
    carried = move_board(board, rig, n_frames=n_frames, rng=np.random.default_rng(seed), floor_mm=20)
    poses = np.concatenate([carried, np.tile(lying, (3, 1, 1))])
    room = Room.around(truth, floor_mm=0)
    clips = {camera.name: folder / session / f"board_{camera.name}.mp4" for camera in rig}
    (folder / session).mkdir(parents=True, exist_ok=True)
    for camera in rig:
        frames = render_board_frames(camera, board, poses, background=room.paint(camera))
        write_video(clips[camera.name], frames, fps=10)
    return clips


print(f"rendering clips into {folder} ...")
clips = film("monday", truth, n_frames=24, seed=1)

# %% [markdown]
# **Search.** Nothing has to be told but the size of the board. Whether it is inverted, of OpenCV's legacy pattern, or
# was given with x and y exchanged is found out, and becomes a finding.

# %%
detections, findings = search_board(clips, board)
print(f"the board was seen at {len(detections.frames)} of {open_frames(clips['left']).n_frames} frames")
for finding in findings:
    print(f"{finding.grade} {finding.line()}")

# %% [markdown]
# **Calibrate.** The lens model is chosen: of one focal length and one coefficient up to the full lens, the one that
# best predicts frames that took no part. Every number has its standard deviation.

# %%
calibration = calibrate_detections(detections)
for camera, sd in zip(calibration.rig, calibration.uncertainty.lens_sd, strict=True):
    true = truth[camera.name].focal
    print(f"{camera.name:7} focal length {camera.focal:.1f} +- {sd[0]:.1f} px (true {true:.1f})")

# %% [markdown]
# **Judge.** A verdict for each camera, with the rule that was broken and the remedy. The number to quote is the
# expected error of a 3D point that comes from the calibration, over the volume in which the board was shown.

# %%
verdict = judge(calibration)
print("\n".join(verdict.lines()))
print(f"expected error of a 3D point: {calibration.volume.rms_mm:.3f} mm")

# %% [markdown]
# **The world.** Out of the calibration it is that of the first camera. The board that lies on the table makes it one
# that people understand: the origin at the board's first corner, X along the board, Z up.

# %%
calibration = put_on_floor(calibration, "last")
print(calibration.rig.metadata["world"])
origin = apply(lying, board.points[0])
for camera in calibration.rig:
    off = np.linalg.norm(camera.center - (truth[camera.name].center - origin))
    print(f"{camera.name:7} stands at {np.round(camera.center).astype(int)} mm, {off:.2f} mm from the truth")

# %% [markdown]
# **The report** is one file that a browser shows without a network: where the board was seen, what the fit leaves over,
# cameras and boards in space, the map of the expected error, all numbers.

# %%
save_rig(calibration.rig, folder / "calibration.toml")
write_calibration_report(calibration, folder / "calibration-report.html", title="monday", verdict=verdict)
print("written:", folder / "calibration-report.html")

# %% [markdown]
# ## A clip that is late
#
# The commonest way to a useless calibration: one camera began to record three frames after the others. It is found out,
# said, and made good for this calibration; but FAIL it is, since the recordings that follow may be late as well.

# %%
late = folder / "monday" / "late_right.mp4"
write_video(late, (image for index, image in open_frames(clips["right"]).frames() if index >= 3), fps=10)
detections, findings = search_board({**clips, "right": late}, board, truncate=True)
wrong = calibrate_detections(detections)
wrong = replace(wrong, findings=(*findings, *wrong.findings))
print("\n".join(judge(wrong).lines()))
assert judge(wrong).grade == "FAIL"

# %% [markdown]
# ## A camera that was bumped
#
# On Tuesday somebody knocked against a camera: 8 mm. Two calibrations lie in two worlds, and each has errors of its
# own; `compare_rigs` takes both into account. On the command line: `pose3d compare NEW OLD`.

# %%
middle = truth["middle"]
rotation, translation = look_at(middle.center + np.array([0, 8, 0]), (0, 8, 40))
bumped = replace(middle, rotation=rotation, translation=translation)
clips = film("tuesday", Rig(tuple(bumped if c is middle else c for c in truth)), n_frames=20, seed=2)
tuesday = calibrate_detections(search_board(clips, board)[0])
change = compare_rigs(
    tuesday.rig, calibration.rig, uncertainty=tuesday.uncertainty, old_uncertainty=calibration.uncertainty
)
print("\n".join(change.lines()))
assert change.moved == ("middle",)
