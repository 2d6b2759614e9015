"""The demo's session: rendered clips, and the truth to compare results with."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose3d.data.angles import JointAngles
from pose3d.data.board import Board
from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints3D, Status
from pose3d.data.skeleton import Skeleton
from pose3d.demo.board_motion import move_board
from pose3d.demo.board_session import BOARD_FPS, CLIP_CRF, render_board_frames
from pose3d.demo.detections import simulate_detections
from pose3d.demo.rendering import FrameCounter, run_all
from pose3d.demo.walk_scene import WALK_FPS, WalkScene
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.calibration_toml import dump_toml, read_calibration, write_calibration
from pose3d.io.files import require_file, write_text
from pose3d.log import Progress, no_progress

__all__ = ["DEMO_BOARD", "DEMO_SESSION", "DEMO_TRIAL", "DemoTruth", "load_truth", "make_session"]

DEMO_SESSION = "session1"
DEMO_TRIAL = "walk"
DEMO_BOARD = Board("charuco", (7, 5), 120.0, 84.0, "4X4_50")


@dataclass(frozen=True, eq=False)
class DemoTruth:
    """What is true of a demo session.

    Attributes
    ----------
    folder : Path
        The project's folder.
    session : str
        The session's folder in it.
    trial : str
    seed : int
    board : Board
    rig : Rig
        The true cameras; world in mm, X along the walkway, Z up.
    points : Keypoints3D
        The true keypoints.
    angles : JointAngles
        The joint angles of the model that made the motion.
    """

    folder: Path
    session: str
    trial: str
    seed: int
    board: Board
    rig: Rig
    points: Keypoints3D
    angles: JointAngles

    @property
    def session_folder(self) -> Path:
        """The session's folder."""
        return self.folder / self.session


def _true_points(xyz: FloatArray, skeleton: Skeleton, fps: float, n_cameras: int) -> Keypoints3D:
    n, k, _ = xyz.shape
    return Keypoints3D(
        xyz[:, None],
        np.zeros((n, 1, k)),
        np.full((n, 1, k), n_cameras),
        np.ones((n, 1, k)),
        np.full((n, 1, k), Status.OBSERVED, dtype=np.uint8),
        ("person",),
        skeleton.keypoints,
        fps=fps,
    )


def make_session(
    folder: str | Path,
    *,
    seed: int = 0,
    session: str = DEMO_SESSION,
    n_frames: int = 150,
    n_board_frames: int = 90,
    size: tuple[int, int] = (960, 720),
    simulate: bool = True,
    workers: int = 2,
    progress: Progress = no_progress,
) -> DemoTruth:
    """Make a session of four cameras: board clips, clips of a walking person, and the truth.

    Writes ``<session>/calibration/board_<camera>.mp4`` and ``<session>/videos-raw/walk_<camera>.mp4`` in `folder`, and
    the truth in ``truth/``.

    Parameters
    ----------
    folder : path
        The project's folder; made if it is absent.
    seed : int
        Another seed is another person, walk, room and rig; the same seed gives the same files.
    session : str
        Name of the session's folder.
    n_frames : int
        Of the walk, at 50 fps.
    n_board_frames : int
        Of the board clips, at 10 fps.
    size : (int, int), px
    simulate : bool
        Also write 2D keypoints, ``<session>/pose-2d/walk_<camera>.h5``, that are simulated from the known motion, not
        found in the images: with noise, outliers and gaps. Without, what an earlier demo found or simulated goes.
    workers : int
        Clips rendered at a time.
    progress : callable, optional

    Returns
    -------
    DemoTruth
    """
    from pose3d.io.anipose_csv import write_angles, write_pose3d
    from pose3d.io.dlc import write_dlc
    from pose3d.io.video import write_video

    folder = Path(folder)
    inside = folder / session
    board = DEMO_BOARD
    scene = WalkScene(seed, n_frames, size=size)
    rig, skeleton, fps = scene.rig, scene.skeleton, WALK_FPS
    points = _true_points(scene.xyz, skeleton, fps, len(rig))
    truth = DemoTruth(folder, session, DEMO_TRIAL, seed, board, rig, points, scene.angles)

    keypoints = {name: inside / "pose-2d" / f"{DEMO_TRIAL}_{name}.h5" for name in rig.names}
    if simulate:
        detections = simulate_detections(scene.xyz, rig, skeleton, fps=fps, rng=np.random.default_rng([seed, 42]))
        for name, path in keypoints.items():
            write_dlc(detections.select([name]), path, scorer="simulated")
    else:
        for path in keypoints.values():
            path.unlink(missing_ok=True)

    board_poses = move_board(board, rig, n_frames=n_board_frames, rng=np.random.default_rng([seed, 21]), floor_mm=40.0)
    counter = FrameCounter(progress, "rendering", (n_frames + n_board_frames) * len(rig))

    def render(number: int) -> None:
        camera = rig.cameras[number]
        background = scene.background(number)
        clip = render_board_frames(camera, board, board_poses, background=background, seed=seed * 1000 + number)
        walk = scene.frames(number, range(n_frames), background=background)
        path = inside / "calibration" / f"board_{camera.name}.mp4"
        write_video(path, counter.follow(clip), fps=BOARD_FPS, crf=CLIP_CRF)
        path = inside / "videos-raw" / f"{DEMO_TRIAL}_{camera.name}.mp4"
        write_video(path, counter.follow(walk), fps=fps, crf=CLIP_CRF)

    run_all(render, len(rig), workers=workers, counter=counter)

    true = folder / "truth"
    write_calibration(rig, true / "calibration.toml")
    write_pose3d(points, true / f"{DEMO_TRIAL}.csv")
    write_angles(scene.angles, true / f"{DEMO_TRIAL}-angles.csv")
    write_text(true / "truth.toml", _truth_text(truth))
    return truth


def _truth_text(truth: DemoTruth) -> str:
    board = truth.board
    tables = {
        "seed": truth.seed,
        "session": truth.session,
        "trial": truth.trial,
        "board": {
            "kind": board.kind,
            "squares": list(board.squares),
            "square_mm": board.square_mm,
            "marker_mm": board.marker_mm,
            "dictionary": board.dictionary,
        },
    }
    head = "# What the demo's session was made from. The truth is for comparison only; no command reads it.\n"
    return head + dump_toml(tables)


def load_truth(folder: str | Path) -> DemoTruth:
    """Read the truth of a session that :func:`make_session` made.

    Parameters
    ----------
    folder : path
        The project's folder.

    Returns
    -------
    DemoTruth

    Raises
    ------
    FormatError
        If there is none, or a file of it is damaged.
    """
    from pose3d.io.anipose_csv import read_angles, read_pose3d

    folder = Path(folder)
    path = require_file(folder / "truth" / "truth.toml", "truth of a demo session")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        board = Board(
            table["board"]["kind"],
            (table["board"]["squares"][0], table["board"]["squares"][1]),
            table["board"]["square_mm"],
            table["board"]["marker_mm"],
            table["board"]["dictionary"],
        )
        session, trial, seed = str(table["session"]), str(table["trial"]), int(table["seed"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: is not the truth of a demo session ({error}); run pose3d demo again") from error
    return DemoTruth(
        folder,
        session,
        trial,
        seed,
        board,
        read_calibration(path.with_name("calibration.toml")),
        read_pose3d(path.with_name(f"{trial}.csv")),
        read_angles(path.with_name(f"{trial}-angles.csv")),
    )
