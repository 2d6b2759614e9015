"""A person who walks, four cameras with lenses, what they saw, and all of it as a project on disk."""

from pathlib import Path

import numpy as np
import pytest

from pose3d.data import Camera, Keypoints2D, Keypoints3D, Rig, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.geometry.rotations import log_so3
from pose3d.viewer.loading import make_playback

FPS, N_FRAMES, SIZE = 50.0, 80, (640, 480)


def camera_at(name: str, center: np.ndarray, target: np.ndarray, distortion=(-0.12, 0.03, 0, 0, 0)) -> Camera:
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = [[560.0, 0, 322.0], [0, 562.0, 236.0], [0, 0, 1]]
    return Camera(name, SIZE, matrix, distortion, log_so3(rotation), -rotation @ center)


@pytest.fixture(scope="session")
def walker() -> Keypoints3D:
    skeleton, rng = Skeleton.preset("halpe26"), np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=N_FRAMES, fps=FPS, rng=rng)
    xyz = frames.keypoints(skeleton)[:, None]
    return Keypoints3D.from_points(xyz, skeleton.keypoints, ("anna",), fps=FPS)


@pytest.fixture(scope="session")
def walker_rig(walker) -> Rig:
    middle = np.nanmedian(walker.xyz, axis=(0, 1, 2))
    angles = np.radians([30, 120, 210, 300])
    centers = middle + np.stack([3800 * np.cos(angles), 3800 * np.sin(angles), np.full(4, 500.0)], axis=-1)
    return Rig(tuple(camera_at(name, c, middle) for name, c in zip("abcd", centers, strict=True)))


@pytest.fixture(scope="session")
def walker_views(walker, walker_rig) -> Keypoints2D:
    exact = np.moveaxis(walker_rig.project(walker.xyz), -2, 1)
    xy = exact + np.random.default_rng(1).normal(0, 2.0, exact.shape)
    score = np.full(xy.shape[:-1], 0.9)
    return Keypoints2D(xy, score, walker_rig.names, walker.individuals, walker.keypoints, fps=FPS)


@pytest.fixture(scope="session")
def playback(walker, walker_rig, walker_views):
    from pose3d.kinematics import joint_angles

    return make_playback(walker, name="walk", rig=walker_rig, views=walker_views, angles=joint_angles(walker))


def numbered(n: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Images with their number in eight bars, black for 0 and white for 1: what no encoder loses."""
    bits = (np.arange(n)[:, None] >> np.arange(8)) & 1
    return [
        np.ascontiguousarray(
            np.broadcast_to(np.repeat(row, size[0] // 8)[None, :, None], (size[1], size[0], 3)) * 200 + 30,
            dtype=np.uint8,
        )
        for row in bits
    ]


@pytest.fixture(scope="session")
def number_of():
    """Read the number back from an image of any size."""

    def read(image: np.ndarray) -> int:
        bars = np.array_split(image.mean(-1), 8, axis=1)
        return sum(int(np.median(bar[:, 2:-2]) > 130) << bit for bit, bar in enumerate(bars))

    return read


@pytest.fixture
def walk_project(tmp_path, walker, walker_rig, walker_views) -> Path:
    """A project with one session and one trial; camera b began to record 3 frames earlier."""
    from dataclasses import replace

    from pose3d.data.events import LimbEvents
    from pose3d.io.anipose_csv import write_angles, write_pose3d
    from pose3d.io.dlc import write_dlc
    from pose3d.io.events import write_events
    from pose3d.io.rigs import save_rig
    from pose3d.io.video import write_video
    from pose3d.kinematics import joint_angles

    session = tmp_path / "project" / "session1"
    for name in ("pose-3d", "pose-2d", "calibration", "videos-raw", "angles", "events"):
        (session / name).mkdir(parents=True)
    (tmp_path / "project" / "pose3d.toml").write_text(
        '[project]\nfps = 50.0\n[skeleton]\npreset = "halpe26"\n[offsets]\nb = 3\n', encoding="utf-8"
    )
    write_pose3d(walker, session / "pose-3d" / "walk.csv")
    write_angles(joint_angles(walker), session / "angles" / "walk.csv")
    write_events(LimbEvents.from_times([("L", "strike", [0.3]), ("R", "off", [0.5])]), session / "events" / "walk.csv")
    save_rig(walker_rig, session / "calibration" / "calibration.toml")
    for c, camera in enumerate(walker_views.cameras):
        late = 3 if camera == "b" else 0
        own = walker_views.select([camera])
        pad = np.full((late, *own.xy.shape[1:]), np.nan)
        shifted = replace(own, xy=np.concatenate([pad, own.xy]), score=np.concatenate([pad[..., 0], own.score]))
        write_dlc(shifted, session / "pose-2d" / f"walk_{camera}.h5")
        n = 40 if c == 3 else N_FRAMES
        write_video(session / "videos-raw" / f"walk_{camera}.mp4", numbered(n), fps=FPS, crf=4)
    return session
