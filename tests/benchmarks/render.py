"""What `pose3d render` takes: CPU time a picture, and how many times faster than real time on two cores.

Run it in a checkout: ``python tests/benchmarks/render.py``. The recording is the demo's walker at 60 fps, 24 s; its
video is 1280x720 H.264. Beside the wall time, which holds for a machine that does nothing else, stands what follows
from the CPU time: a picture at 60 fps has 33.3 ms for 1 x, and 11.1 ms for 3 x.
"""

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from pose3d.data import Camera, Keypoints2D, Keypoints3D, Rig, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.geometry.rotations import log_so3
from pose3d.io.video import write_video
from pose3d.kinematics import joint_angles
from pose3d.viewer.loading import make_playback
from pose3d.viewer.painter import Painter
from pose3d.viewer.pictures import PictureSettings
from pose3d.viewer.playback import Playback
from pose3d.viewer.scene import SceneSettings, build_scene
from pose3d.viewer.video_output import RenderSettings, render
from pose3d.viewer.view_camera import frame_camera

FPS, CORES = 60.0, 2


def recording(n_frames: int, folder: Path) -> Playback:
    skeleton, rng = Skeleton.preset("halpe26"), np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=240, fps=FPS, rng=rng)
    xyz = np.tile(frames.keypoints(skeleton)[:, None], (-(-n_frames // 240), 1, 1, 1))[:n_frames]
    points = Keypoints3D.from_points(xyz, skeleton.keypoints, ("one",), fps=FPS)
    points = replace(points, covariance=np.broadcast_to(30.0 * np.eye(3), (*points.status.shape, 3, 3)))
    middle = np.median(xyz, axis=(0, 1, 2))
    cameras = []
    for i, angle in enumerate(np.radians([20, 110, 200, 290])):
        center = middle + np.array([4500 * np.cos(angle), 4500 * np.sin(angle), 600])
        forward = (middle - center) / np.linalg.norm(middle - center)
        right = np.cross(forward, [0, 0, 1.0]) / np.linalg.norm(np.cross(forward, [0, 0, 1.0]))
        rotation = np.stack([right, np.cross(forward, right), forward])
        matrix = [[1100.0, 0, 639.5], [0, 1100, 359.5], [0, 0, 1]]
        lens = [-0.1, 0.02, 0, 0, 0]
        cameras.append(Camera(f"cam{i}", (1280, 720), matrix, lens, log_so3(rotation), -rotation @ center))
    rig = Rig(tuple(cameras))
    exact = np.moveaxis(rig.project(xyz), -2, 1)
    noisy = exact + rng.normal(0, 2, exact.shape)
    views = Keypoints2D(noisy, np.ones(noisy.shape[:-1]), rig.names, points.individuals, points.keypoints, fps=FPS)
    scenery = cv2.resize(rng.integers(40, 200, (18, 32, 3), dtype=np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    video = folder / "video.mp4"
    write_video(video, (np.roll(scenery, 2 * i, axis=1) for i in range(n_frames)), fps=FPS, crf=23)
    videos = dict.fromkeys(rig.names, video)
    return make_playback(points, name="walk", rig=rig, views=views, videos=videos, angles=joint_angles(points))


def cpu_s() -> float:
    """CPU time of this process and of its children that have ended, s."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1440)
    parser.add_argument("--processes", type=int, default=CORES)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        playback = recording(options.frames, folder)
        everything = SceneSettings(ellipsoids=True, centre_of_mass=True, angles=("knee_flexion", "elbow_flexion"))
        n = min(200, options.frames)
        for what, scene in (("usual", SceneSettings()), ("everything", everything)):
            build_scene(playback, 0, scene)
            begin = time.process_time()
            for row in range(n):
                build_scene(playback, row, scene)
            built = (time.process_time() - begin) / n
            painter, view = Painter((1280, 720)), frame_camera(playback)
            out = np.empty((720, 1280, 3), dtype=np.uint8)
            painter.paint(build_scene(playback, 0, scene), view, out=out)
            begin = time.process_time()
            for row in range(n):
                painter.paint(build_scene(playback, row, scene), view, out=out)
            both = (time.process_time() - begin) / n
            print(f"scene, {what}: build {1e3 * built:.2f} ms, build and paint at 1280x720 {1e3 * both:.2f} ms CPU")
        print(f"{'video at 1280x720':<34}{'CPU ms a picture':>18}{'x by CPU, 2 cores':>20}{'x by the wall':>15}")
        for what, picture in (
            ("skeleton", PictureSettings()),
            ("skeleton, everything shown", PictureSettings(scene=everything)),
            ("skeleton, turning", PictureSettings(turn_deg_s=30)),
            ("overlay of one camera", PictureSettings(view="cam0")),
            ("grid of four cameras and scene", PictureSettings(view="grid")),
        ):
            settings = RenderSettings(picture, processes=options.processes, renderer="painter")
            begin, wall = cpu_s(), time.perf_counter()
            render(playback, folder / "out.mp4", settings)
            each = (cpu_s() - begin) / options.frames
            speed = CORES / (each * FPS)
            by_wall = options.frames / FPS / (time.perf_counter() - wall)
            print(f"{what:<34}{1e3 * each:>18.1f}{speed:>20.1f}{by_wall:>15.1f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
