"""Recordings on which networks are trained and tested: rendered, hard, and true to the pixel."""

import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints3D, Status
from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.data.skeleton import Skeleton
from pose3d.demo.hard_scene import HARD_SKELETON, HardPainter, HardScene
from pose3d.demo.rendering import FrameCounter, run_all
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.calibration_toml import dump_toml, read_calibration, write_calibration
from pose3d.io.files import atomic_path, require_file, write_text
from pose3d.io.images import write_png
from pose3d.io.npz import read_members, write_member
from pose3d.log import Progress, no_progress

__all__ = [
    "HARD_SESSION",
    "HARD_SKELETON",
    "HARD_TRIAL",
    "HardInstants",
    "HardTruth",
    "label_truth",
    "load_hard_truth",
    "make_hard_recording",
    "render_instants",
    "write_instants",
]

HARD_SESSION, HARD_TRIAL = "session1", "walk"
_MOST_BYTES = 2**32


@dataclass(frozen=True, eq=False)
class HardTruth:
    """What is true of a hard recording.

    Attributes
    ----------
    folder : Path
        The project's folder.
    session, trial : str
    seed : int
    fps : float
    rig : Rig
        World in mm, Z up.
    skeleton : Skeleton
    xyz : (n_frames, n_keypoints, 3) array, mm
    xy : (n_frames, n_cameras, n_keypoints, 2) array, px
        NaN where out of the image.
    mark : (n_frames, n_cameras, n_keypoints) uint8 array
        Of :class:`~pose3d.data.labels.Mark`: visible, occluded by furniture or body, or absent: out of the image.
    """

    folder: Path
    session: str
    trial: str
    seed: int
    fps: float
    rig: Rig
    skeleton: Skeleton
    xyz: FloatArray
    xy: FloatArray
    mark: NDArray[np.uint8]

    @property
    def videos(self) -> dict[str, Path]:
        """Camera to video."""
        folder = self.folder / self.session / "videos-raw"
        return {name: folder / f"{self.trial}_{name}.mp4" for name in self.rig.names}

    @property
    def points(self) -> Keypoints3D:
        """The true keypoints as a reconstruction has them."""
        n, k, _ = self.xyz.shape
        seen = (self.mark == Mark.VISIBLE).sum(axis=1)
        return Keypoints3D(
            self.xyz[:, None],
            np.zeros((n, 1, k)),
            seen[:, None],
            np.ones((n, 1, k)),
            np.full((n, 1, k), Status.OBSERVED, dtype=np.uint8),
            ("person",),
            self.skeleton.keypoints,
            fps=self.fps,
        )


@dataclass(frozen=True, eq=False)
class HardInstants:
    """Frames of a hard recording that was rendered in memory.

    Attributes
    ----------
    seed : int
    frames : (n,) int array
    images : (n, n_cameras, h, w, 3) uint8 array
        Blue, green, red.
    rig : Rig
    xyz : (n, n_keypoints, 3) array, mm
    xy : (n, n_cameras, n_keypoints, 2) array, px
    mark : (n, n_cameras, n_keypoints) uint8 array
    """

    seed: int
    frames: IntArray
    images: NDArray[np.uint8]
    rig: Rig
    xyz: FloatArray
    xy: FloatArray
    mark: NDArray[np.uint8]


def render_instants(
    seed: int,
    frames: Sequence[int] | IntArray,
    *,
    size: tuple[int, int] = (640, 480),
    fps: float = 50.0,
    laboratory: int | None = None,
) -> HardInstants:
    """Render some frames of the recording of a seed, as all cameras see them, without video.

    They are the frames of :func:`make_hard_recording` before the encoder.

    Parameters
    ----------
    seed : int
    frames : sequence of int
        Indices of frames, in any order; there is no last one.
    size : (int, int), px
    fps : float
    laboratory : int, optional
        Room, furniture, rig and lamps; by default those of the seed.
    """
    index = np.asarray(frames, dtype=np.int64)
    scene = HardScene(seed, index / fps, size=size, laboratory=laboratory)
    w, h = size
    images = np.empty((len(index), len(scene.rig), h, w, 3), np.uint8)
    for number in range(len(scene.rig)):
        images[:, number] = scene.painter(number).frames(range(len(index)))
    xy, mark = scene.place()
    return HardInstants(seed, index, images, scene.rig, scene.xyz, xy, mark)


def write_instants(
    folder: str | Path,
    instants: dict[int, Sequence[int]],
    *,
    size: tuple[int, int] = (640, 480),
    fps: float = 50.0,
    laboratory: int | None = None,
    progress: Progress = no_progress,
) -> LabelledImages:
    """Render instants of several recordings to labelled images.

    Parameters
    ----------
    folder : path
        PNGs are written below it, as ``seed0007_cam1/img0120.png``.
    instants : mapping of int to sequence of int
        Seed to indices of frames.
    size : (int, int), px
    fps : float
    laboratory : int, optional
        Of all of them; by default each seed has its own.
    progress : callable, optional

    Returns
    -------
    LabelledImages
        One recording a seed: ``seed0007/walk``. What is occluded is labelled as occluded.
    """
    folder = Path(folder)
    names: list[ImageName] = []
    recordings: list[str] = []
    cameras: list[str] = []
    places, marks = [], []
    for done, (seed, frames) in enumerate(instants.items()):
        made = render_instants(seed, frames, size=size, fps=fps, laboratory=laboratory)
        for i, frame in enumerate(made.frames):
            for number, camera in enumerate(made.rig.names):
                names.append(ImageName(f"seed{seed:04d}_{camera}", f"img{frame:05d}.png"))
                write_png(folder.joinpath(*names[-1]), made.images[i, number], compression=1)
                recordings.append(f"seed{seed:04d}/{HARD_TRIAL}")
                cameras.append(camera)
        places.append(made.xy.reshape(-1, 1, *made.xy.shape[2:]))
        marks.append(made.mark.reshape(-1, 1, made.mark.shape[2]))
        progress("rendering", done + 1, len(instants))
    labels = Labels(
        tuple(names), ("person",), HARD_SKELETON.keypoints, np.concatenate(places), np.concatenate(marks), "truth"
    )
    return LabelledImages(labels, tuple(folder.joinpath(*name) for name in names), tuple(recordings), tuple(cameras))


def make_hard_recording(
    folder: str | Path,
    *,
    seed: int = 0,
    n_frames: int = 500,
    size: tuple[int, int] = (640, 480),
    fps: float = 50.0,
    workers: int = 2,
    progress: Progress = no_progress,
) -> HardTruth:
    """Make a project with one recording that is hard for a network.

    Four cameras see a person in plain clothes who walks a figure of eight and moves the arms; boxes, poles and screens
    stand in front, something that is no person rolls about, limbs blur, the light changes and sensors are noisy.
    Writes ``pose3d.toml``, ``<session>/videos-raw/walk_<camera>.mp4``, the true
    ``<session>/calibration/calibration.toml``, and
    ``truth/``.

    Parameters
    ----------
    folder : path
        Made if it is absent.
    seed : int
        Another seed is another person, clothes, motion, room, rig and light; the same seed gives the same files.
    n_frames : int
    size : (int, int), px
    fps : float
    workers : int
        Cameras rendered at a time.
    progress : callable, optional

    Returns
    -------
    HardTruth
    """
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.video import write_video

    folder = Path(folder)
    scene = HardScene(seed, np.arange(n_frames) / fps, size=size)
    xy, mark = scene.place()
    truth = HardTruth(folder, HARD_SESSION, HARD_TRIAL, seed, fps, scene.rig, HARD_SKELETON, scene.xyz, xy, mark)
    counter = FrameCounter(progress, "rendering", n_frames * len(scene.rig))

    def frames(painter: HardPainter) -> Iterator[np.ndarray]:
        for frame in range(n_frames):
            yield painter.render(frame)

    def render(number: int) -> None:
        path = truth.videos[scene.rig.names[number]]
        write_video(path, counter.follow(frames(scene.painter(number))), fps=fps, crf=23)

    run_all(render, len(scene.rig), workers=workers, counter=counter)
    write_calibration(scene.rig, folder / HARD_SESSION / "calibration" / "calibration.toml")
    write_text(folder / "pose3d.toml", _project_text(HARD_SKELETON))
    write_calibration(scene.rig, folder / "truth" / "calibration.toml")
    write_pose3d(truth.points, folder / "truth" / f"{HARD_TRIAL}.csv")
    true: dict[str, NDArray[Any]] = {"xyz": truth.xyz, "xy": truth.xy, "mark": truth.mark}
    with atomic_path(folder / "truth" / f"{HARD_TRIAL}.npz") as path, zipfile.ZipFile(path, "w") as archive:
        for name, array in true.items():
            write_member(archive, name, array)
    tables = {"seed": seed, "session": HARD_SESSION, "trial": HARD_TRIAL, "fps": float(fps)}
    head = "# What the recording was made from. The truth is for comparison only; no command reads it.\n"
    write_text(folder / "truth" / "truth.toml", head + dump_toml(tables))
    return truth


def _project_text(skeleton: Skeleton) -> str:
    tables = {
        "skeleton": {
            "name": skeleton.name,
            "keypoints": list(skeleton.keypoints),
            "edges": [list(edge) for edge in skeleton.edges],
            "pairs": [list(pair) for pair in skeleton.pairs],
        }
    }
    return "# A rendered recording; see truth/.\n" + dump_toml(tables)


def load_hard_truth(folder: str | Path) -> HardTruth:
    """Read the truth of a recording that :func:`make_hard_recording` made.

    Parameters
    ----------
    folder : path
        The project's folder.

    Raises
    ------
    FormatError
        If there is none, or a file of it is damaged.
    """
    folder = Path(folder)
    path = require_file(folder / "truth" / "truth.toml", "truth of a rendered recording")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        session, trial, seed, fps = str(table["session"]), str(table["trial"]), int(table["seed"]), float(table["fps"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: is not the truth of a rendered recording ({error}); make it anew") from error
    rig = read_calibration(path.with_name("calibration.toml"))
    arrays_path = path.with_name(f"{trial}.npz")
    arrays = read_members(arrays_path, ("xyz", "xy", "mark"), most_bytes=_MOST_BYTES)
    n, k = len(arrays["xyz"]), len(HARD_SKELETON.keypoints)
    shapes = {"xyz": (n, k, 3), "xy": (n, len(rig), k, 2), "mark": (n, len(rig), k)}
    if any(arrays[name].shape != shape for name, shape in shapes.items()) or arrays["mark"].dtype != np.uint8:
        raise FormatError(f"{arrays_path}: does not fit the calibration beside it; make the recording anew")
    return HardTruth(folder, session, trial, seed, fps, rig, HARD_SKELETON, arrays["xyz"], arrays["xy"], arrays["mark"])


def label_truth(
    truth: HardTruth,
    frames: Sequence[int] | IntArray,
    *,
    noise_px: float = 0.0,
    seed: int = 0,
    write: bool = True,
    progress: Progress = no_progress,
) -> LabelledImages:
    """Label instants of a recording as a careful person would who knew the truth.

    Images of all cameras are taken from the videos to ``labeled-data/<video>/``, as ``pose3d extract`` does.

    Parameters
    ----------
    truth : HardTruth
    frames : sequence of int
    noise_px : float
        Standard deviation per axis of the labeller's hand.
    seed : int
        Of that noise, which is another one for each frame and camera.
    write : bool
        Also write the labels to the project's CollectedData files, beside those already there.
    progress : callable, optional

    Returns
    -------
    LabelledImages
        Of these instants: visible and occluded keypoints with their places, those out of the image as absent.

    Raises
    ------
    VideoError
        If a video is damaged.
    """
    from pose3d.labeling.extraction import extract_instants
    from pose3d.project import Project
    from pose3d.project.labels import label_folder_of, save_labels

    project = Project.load(truth.folder)
    session = project.session(truth.folder / truth.session)
    trial = session.trial(truth.trial)
    index = np.unique(np.asarray(frames, dtype=np.int64))
    extract_instants(trial, index.tolist(), progress=progress)
    digits = len(str(len(truth.xyz) - 1))
    names, paths, cameras = [], [], []
    places, marks = [], []
    for number, camera in enumerate(truth.rig.names):
        folder = label_folder_of(project, session, trial, camera)
        for frame in index.tolist():
            names.append(ImageName(folder.name, f"img{frame:0{digits}d}.png"))
            paths.append(folder / names[-1].image)
            cameras.append(camera)
            hand = noise_px * np.random.default_rng([seed, frame, number]).standard_normal(truth.xy.shape[2:])
            places.append(truth.xy[frame, number] + hand)
            marks.append(truth.mark[frame, number])
    labels = Labels(
        tuple(names), ("person",), truth.skeleton.keypoints, np.stack(places)[:, None], np.stack(marks)[:, None]
    )
    recordings = (f"{session.name}/{trial.name}",) * len(names)
    images = LabelledImages(labels, tuple(paths), recordings, tuple(cameras))
    if write:
        save_labels(project, images)
    return images
