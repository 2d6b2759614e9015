"""The player's window: start, memory, CPU time of a frame, and how soon a sought video frame is there.

Run it on a display, or under Xvfb: ``xvfb-run -a -s "-screen 0 1600x1000x24" python tests/benchmarks/player.py``. What
is given as CPU ms counts all threads of the process, those of the software rasteriser too; decoding is told apart.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

N_KEYPOINTS, N_CAMERAS = 30, 4
LIMBS = [(i, i + 1) for i in range(N_KEYPOINTS - 1) if i % 6 != 5]


def make_recording(n_frames: int, videos: dict[str, Path] | None = None):
    """A figure of chains that swing while it walks in a circle, four cameras around it, with their detections."""
    from pose3d.data import Camera, JointAngles, Keypoints2D, Keypoints3D, Rig, Skeleton
    from pose3d.data.events import LimbEvents
    from pose3d.viewer.loading import make_playback

    rng = np.random.default_rng(0)
    t = np.arange(n_frames) / 60
    joint = np.arange(N_KEYPOINTS)
    middle = np.stack([800 * np.cos(t / 8), 800 * np.sin(t / 8), 900 + 30 * np.sin(6 * t)], axis=-1)
    swing = np.sin(5 * t[:, None] + joint % 6) * 40 * (joint % 6)
    xyz = np.repeat(middle[:, None], N_KEYPOINTS, axis=1)
    xyz[..., 0] += 120 * (joint // 6 - 2) + swing
    xyz[..., 2] += 150 * (joint % 6) - 400
    xyz += rng.normal(scale=2, size=xyz.shape)
    xyz[rng.random(xyz.shape[:2]) < 0.01] = np.nan
    names = tuple(f"part{i // 2}_{'lr'[i % 2]}" for i in range(N_KEYPOINTS))
    skeleton = Skeleton(
        "chains", names, tuple((names[a], names[b]) for a, b in LIMBS), tuple(zip(names[::2], names[1::2], strict=True))
    )
    shape = xyz.shape[:-1]
    points = Keypoints3D(
        xyz[:, None],
        rng.gamma(2, 1, size=(shape[0], 1, shape[1])),
        np.full((shape[0], 1, shape[1]), 4),
        np.ones((shape[0], 1, shape[1])),
        np.ones((shape[0], 1, shape[1]), np.uint8),
        ("one",),
        names,
        fps=60.0,
    )
    cameras = []
    for i in range(N_CAMERAS):
        around = np.pi / 4 + i * np.pi / 2
        eye = np.array([4500 * np.cos(around), 4500 * np.sin(around), 2200])
        ahead = np.array([0, 0, 900]) - eye
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        matrix = np.array([[1100, 0, 959.5], [0, 1100, 539.5], [0, 0, 1.0]])
        cameras.append(
            Camera(
                f"cam{i}",
                (1920, 1080),
                matrix,
                np.array([-0.05, 0.02, 0, 0, 0]),
                cv2.Rodrigues(rotation)[0].ravel(),
                -rotation @ eye,
            )
        )
    rig = Rig(tuple(cameras))
    xy = np.stack([camera.project(points.xyz) for camera in rig], axis=1) + rng.normal(
        scale=1.5, size=(n_frames, N_CAMERAS, 1, N_KEYPOINTS, 2)
    )
    views = Keypoints2D(xy, np.ones(xy.shape[:-1]), rig.names, ("one",), names, fps=60.0)
    deg = 40 + 30 * np.sin(5 * t[:, None, None] + np.arange(4)) + rng.normal(size=(n_frames, 1, 4))
    angles = JointAngles(
        deg, ("knee_flexion_l", "knee_flexion_r", "hip_flexion_l", "hip_flexion_r"), ("one",), np.full(deg.shape, 3.0),
        fps=60.0,
    )  # fmt: skip
    step = 2 * np.pi / 5
    events = LimbEvents.from_times(
        [("L", "strike", np.arange(0.3, t[-1], step)), ("R", "strike", np.arange(0.9, t[-1], step))]
    )
    return make_playback(
        points, name="chains", skeleton=skeleton, rig=rig, views=views, angles=angles, events=events,
        videos=videos or {},
    )  # fmt: skip


def make_clip(path: Path, n_frames: int = 600) -> Path:
    """A 1080p H.264 clip with a key frame every 30 frames and the texture of a room."""
    from pose3d.io.video import write_video

    rng = np.random.default_rng(0)
    room = cv2.GaussianBlur(rng.integers(0, 255, (1080, 1920, 3), dtype=np.uint8), (0, 0), 9)
    room = cv2.normalize(room, None, 40, 200, cv2.NORM_MINMAX)

    def pictures():
        for i in range(n_frames):
            image = room.copy()
            cv2.circle(image, (200 + 2 * i % 1500, 540), 150, (60, 160, 240), -1, cv2.LINE_AA)
            yield image

    write_video(path, pictures(), fps=60, crf=23)
    return path


def resident_mb() -> float:
    text = Path("/proc/self/statm").read_text(encoding="ascii") if Path("/proc/self/statm").exists() else ""
    return int(text.split()[1]) * resource.getpagesize() / 2**20 if text else float("nan")


def array_mb(*things: object) -> float:
    values = [value for thing in things for value in vars(thing).values()]
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray)) / 2**20


def per_frame(show, draw, n: int) -> tuple[float, float]:
    """CPU ms a frame of the process, and of this thread."""
    show(0)
    draw()
    begin, own = time.process_time(), time.thread_time()
    for i in range(n):
        show(i + 1)
        draw()
    return (time.process_time() - begin) / n * 1e3, (time.thread_time() - own) / n * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--drawn", type=int, default=120)
    options = parser.parse_args()
    from pose3d.viewer.window.application import check_display

    check_display()
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    from pose3d.viewer.window.player_window import PlayerWindow
    from pose3d.viewer.window.view3d import View3D

    app = QApplication([])

    def drawn(view: View3D):
        """Wait, without work, until the view has drawn what it was told."""
        seen = [0]

        def wait() -> None:
            deadline = time.monotonic() + 2.0
            while view.n_drawn == seen[0] and time.monotonic() < deadline:
                app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
            app.processEvents()
            seen[0] = view.n_drawn

        return wait

    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4")
        playback = make_recording(options.frames, {f"cam{i}": clip for i in range(N_CAMERAS)})
        before = resident_mb()
        cpu, wall = time.process_time(), time.perf_counter()
        window = PlayerWindow(playback)
        window.show()
        while not window.view.n_drawn:
            app.processEvents()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"start to first picture, {options.frames} frames: {wall:.2f} s wall, {cpu:.2f} s CPU")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not all(pane.shown for pane in window.panes.values()):
            app.processEvents()
        used = resident_mb() - before
        print(f"memory beyond the arrays ({array_mb(playback.points, playback.views):.0f} MB): {used:.0f} MB")

        window.activateWindow()
        both, own = per_frame(window.show_row, drawn(window.view), options.drawn)
        print(f"whole window, 4 panes, next frames: {both:.1f} CPU ms a frame with decoding of 4 1080p videos, "
              f"{own:.1f} of the window's thread")  # fmt: skip
        for pane in window.panes.values():
            pane.stop()
        both, own = per_frame(window.show_row, drawn(window.view), options.drawn)
        print(f"whole window, 4 panes, without decoding: {both:.1f} CPU ms a frame, {own:.1f} of the window's thread")
        rng = np.random.default_rng(0)
        rows = rng.integers(0, options.frames, options.drawn)
        both, own = per_frame(lambda i: window.show_row(int(rows[i % len(rows)])), drawn(window.view), options.drawn)
        print(f"whole window, scrubbing over all frames: {both:.1f} CPU ms a frame, {own:.1f} of the window's thread")
        window.close()

        view = View3D(replace(playback, videos={}))
        view.resize(950, 600)
        view.show()
        for _ in range(20):
            app.processEvents()
        before = view.n_drawn
        both, own = per_frame(view.show_row, drawn(view), options.drawn)
        print(f"3D view {view.pixels[0]}x{view.pixels[1]}, trails, floor, 4 frusta: {both:.1f} CPU ms a frame, "
              f"{own:.1f} of its thread ({view.n_drawn - before} drawn)")  # fmt: skip
        view.close()
        measure_seeks(clip)


def measure_seeks(clip: Path) -> None:
    from pose3d.viewer.window.video_decoder import VideoDecoder

    got: list[tuple[float, bool]] = []
    decoder = VideoDecoder(clip, lambda decoded: got.append((time.perf_counter(), decoded.exact)), print)
    decoder.start()
    first, exact, cpu = [], [], []
    for frame in np.random.default_rng(0).integers(0, 600, 40).tolist():
        got.clear()
        begin, spent = time.perf_counter(), time.process_time()
        decoder.want(frame, (480, 270))
        while not (got and got[-1][1]):
            time.sleep(0.0005)
        first.append(got[0][0] - begin)
        exact.append(got[-1][0] - begin)
        cpu.append(time.process_time() - spent)
    decoder.stop()
    for name, values in (("a picture", first[1:]), ("the exact frame", exact[1:]), ("CPU", cpu[1:])):
        print(f"seek, 1080p, key frame every 30: {name} after {np.median(values) * 1e3:.0f} ms (median), "
              f"{np.quantile(values, 0.9) * 1e3:.0f} ms (90 %)")  # fmt: skip


if __name__ == "__main__":
    main()
