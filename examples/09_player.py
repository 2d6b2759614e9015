# %% [markdown]
# # Looking at a recording: pictures, a video, the window, a page, corrections
#
# `python examples/09_player.py [FOLDER]`. The walker is the demo's, in four cameras. Each step is one command too:
# `pose3d render SESSION --view grid -o walk.mp4`, `pose3d play SESSION`, `pose3d play SESSION --web`. The pictures in
# `examples/pictures` were made by this example; `bash .ci/run --pictures` makes them anew.

# %%
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from pose3d import BadStretch, EditLog, Status, SwappedSides, save_rig
from pose3d.batch import run_session
from pose3d.batch.playing import load_recording
from pose3d.demo.detections import simulate_detections
from pose3d.demo.walk_scene import WALK_FPS, WalkScene
from pose3d.io.dlc import write_dlc
from pose3d.io.video import write_video
from pose3d.project import Session, write_config
from pose3d.viewer import palette
from pose3d.viewer.pictures import PictureSettings
from pose3d.viewer.scene import SceneSettings
from pose3d.viewer.video_output import RenderSettings, render
from pose3d.viewer.web.server import BackgroundPage
from pose3d.viewer.web.standalone import write_document

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp()) / "player"
pictures = folder / "pictures"
monday = folder / "monday"
shutil.rmtree(monday, ignore_errors=True)
pictures.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Somebody walks through a room. The clips are rendered, the keypoints simulated as a network finds them; `pose3d run`
# makes points in space and joint angles from them, both with error bars.

# %%
n_frames = 120
scene = WalkScene(seed=0, n_frames=n_frames, size=(640, 480))
write_config(
    folder,
    {"project": {"fps": WALK_FPS}, "skeleton": {"preset": "halpe26"}, "triangulation": {"samples": 40}},
    overwrite=True,
)
save_rig(scene.rig, monday / "calibration" / "calibration.toml")
found = simulate_detections(scene.xyz, scene.rig, scene.skeleton, fps=WALK_FPS, rng=np.random.default_rng(0))
for number, camera in enumerate(scene.rig.names):
    frames = scene.frames(number, range(n_frames), background=scene.background(number))
    write_video(monday / "videos-raw" / f"walk_{camera}.mp4", frames, fps=WALK_FPS)
    write_dlc(found.select([camera]), monday / "pose-2d" / f"walk_{camera}.h5", scorer="simulated")
session = Session.load(monday)
for outcome in run_session(session):
    print(outcome.label, outcome.status)

# %% [markdown]
# **A recording to look at.** It is found with all that lies beside it: cameras, videos, detections, angles; the gait
# events come from heels and toes. `bad_frames` is where to look first.

# %%
playback, load_more = load_recording(monday)
playback = load_more(playback)
print(playback)
for stretch in playback.bad_frames:
    print(f"frames {stretch.first} to {stretch.last}: {stretch.reason}")

# %% [markdown]
# **Corrections.** What a person knows better goes into `edits.toml`, here from Python, in the player by keys. Points
# and angles are made anew with it, and the keypoints that were recorded stay as they are to the byte.

# %%
recorded = {path: path.read_bytes() for path in (monday / "pose-2d").iterdir()}
log = EditLog(monday / "edits.toml", "walk")
log.append(BadStretch(70, 78, ("LWrist",), note="behind the body"))
log.append(SwappedSides(10, 12))
log.undo()  # no, they were right
print(*log.edits.lines(), sep="\n")
for outcome in run_session(session):
    print(outcome.label, outcome.status)
playback, load_more = load_recording(monday)
playback = load_more(playback)
wrist = playback.points.keypoints.index("LWrist")
assert (playback.points.status[70:79, 0, wrist] == Status.MISSING).all()
assert recorded == {path: path.read_bytes() for path in recorded}


# %% [markdown]
# **Pictures** need neither a screen nor OpenGL: the skeleton in space with angles at its joints, or with the ellipsoids
# in which the points lie with 95 %, ten times enlarged; a camera's image with what was detected (rings) and what the
# points in space say (bones); all side by side, with the joint angles.


# %%
MEANINGS = (*palette.SIDES, palette.GOOD, palette.WEAK, palette.WEAKER, palette.FILLED, palette.MISSING)


def compact(path: Path) -> None:
    """Make a picture small: it keeps 256 colours, among them those that mean something."""
    picture = Image.open(path).convert("RGB")
    colours = [round(255 * part) for colour in MEANINGS for part in colour]
    frequent = picture.quantize(256 - len(MEANINGS), dither=Image.Dither.NONE).getpalette() or []
    kept = Image.new("P", (1, 1))
    kept.putpalette(colours + frequent)
    picture.quantize(palette=kept, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"written: {path}, {path.stat().st_size / 1000:.0f} kB")


middle = (n_frames // 2, n_frames // 2 + 1)
angles = ("knee_flexion", "elbow_flexion")
views = {
    "skeleton": PictureSettings(size=(960, 600), scene=SceneSettings(angles=angles), follow=True),
    "uncertainty": PictureSettings(
        "side", (960, 600), SceneSettings(ellipsoids=True, magnify=10, frusta=False), follow=True
    ),
    "overlay": PictureSettings(scene.rig.names[0], (640, 480)),
    "grid": PictureSettings("grid", (1120, 630), SceneSettings(angles=("knee_flexion",))),
}
for name, settings in views.items():
    render(playback, pictures / f"{name}.png", RenderSettings(settings, middle, renderer="painter"))
    compact(pictures / f"{name}.png")

# %% [markdown]
# **A video** of the same, at half speed, turning about the walker. Long ones are made by several `processes`, in a
# script with `if __name__ == "__main__":`.

# %%
turning = PictureSettings(size=(640, 400), turn_deg_s=20)
told = render(playback, folder / "walk.mp4", RenderSettings(turning, (40, 80), fps=25, speed=0.5, renderer="painter"))
print(f"written: {told['output']}, {told['n_pictures']} pictures at {told['fps']:g} fps")

# %% [markdown]
# **The page** as one file, without videos, to send to somebody; it fetches nothing. And with videos, served on
# 127.0.0.1: what `pose3d play --web` opens, and `pose3d.play(playback)` shows in a notebook's cell.

# %%
write_document(playback, folder / "walk.html")
print(f"written: {folder / 'walk.html'}, {(folder / 'walk.html').stat().st_size / 1e6:.1f} MB")


def picture_page(url: str, path: Path) -> None:
    """Take a picture of the page in a Chromium, once its videos show the frame."""
    with sync_playwright() as driver:
        names = ("chromium", "chromium-browser", "google-chrome")
        browser = next(filter(None, map(shutil.which, names)), driver.chromium.executable_path)
        if not Path(browser).is_file():
            print("no picture of the page: that takes a Chromium")
            return
        page = driver.chromium.launch(executable_path=browser).new_page(viewport={"width": 1400, "height": 860})
        page.goto(url)
        there = "pane.clip && pane.frames && pane.clip.shown === pane.frames[player.clock.row]"
        shown = f"player.panes.every((pane) => {there})"
        for step in (f"(player.goTo({middle[0]}), true)", shown):
            for _ in range(200):
                page.wait_for_timeout(50)
                if page.evaluate(f"() => ((player) => player && {step})(window.pose3dPlayer)"):
                    break
            else:
                sys.exit("the page does not come to show its videos")
        page.wait_for_timeout(200)
        page.screenshot(path=str(path))
    compact(path)


try:
    from playwright.sync_api import sync_playwright
except ImportError:
    print("no picture of the page: that takes playwright")
else:
    served = BackgroundPage(playback, framed=False)
    picture_page(served.url, pictures / "page.png")
    served.close()

# %% [markdown]
# **The window** is `pose3d play SESSION`. OpenGL gets a process of its own, here under Xvfb where there is no screen.

# %%
LOOK = """
import sys
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pose3d.batch.playing import load_recording
from pose3d.viewer.window.application import check_display, open_window

check_display()
app = QApplication([])
playback, load_more = load_recording(sys.argv[1])
window = open_window(load_more(playback))
window.resize(1400, 860)
window.seek(int(sys.argv[2]))
for _ in range(200):
    QTest.qWait(50)
    panes = window.panes.values()
    if window.view.n_drawn and all(pane.shown and pane.shown.frame == pane.wanted for pane in panes):
        break
else:
    sys.exit("the window does not come to show its videos")
QTest.qWait(300)
app.primaryScreen().grabWindow(window.winId()).save(sys.argv[3])
window.close()
"""
screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
if shutil.which(screen[0]) is None:
    print("no picture of the window: that takes Xvfb")
else:
    command = [*screen, sys.executable, "-c", LOOK, str(monday), str(middle[0]), str(pictures / "window.png")]
    subprocess.run(command, check=True, timeout=120)
    compact(pictures / "window.png")
