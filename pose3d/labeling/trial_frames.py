"""The frames of one trial: which frame of each camera shows an instant, and what the pictures look like."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.labels import ImageName
from pose3d.data.timing import Timing
from pose3d.errors import DataError, ProjectError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.images import FrameSource, read_image
from pose3d.io.keypoint_stream import open_keypoints
from pose3d.io.scaled_frames import scale_image, scaled_frames, scaled_size
from pose3d.io.sync_toml import read_sync
from pose3d.io.video import VideoFile, open_frames
from pose3d.labeling.selection import Sights, choose_evenly
from pose3d.log import Progress, logger, no_progress
from pose3d.project.label_folders import LabelFolders, images_in
from pose3d.project.project import Trial

__all__ = ["TrialFrames"]

_SMALL_WIDTH = 40
_FRAMES_AT_ONCE = 4096
_MOST_KNOWN = 200


class TrialFrames:
    """The videos of a trial, opened.

    Parameters
    ----------
    trial : Trial
    folders : LabelFolders, optional

    Attributes
    ----------
    trial : Trial
    cameras : tuple of str
        Those with a video.
    sources : mapping of str to FrameSource
    label_folders : mapping of str to Path
        Where the images of each camera go.
    instants : (n,) int array
        Those that all cameras show.
    frames : (n, n_cameras) int array
        The frame at which each camera shows them, to the nearest.

    Raises
    ------
    ProjectError
        If there are no videos, or two files say when cameras began.
    DataError
        If a camera has no timing, or there is no instant that all cameras show.
    VideoError
        If a video is damaged.
    """

    def __init__(self, trial: Trial, folders: LabelFolders | None = None) -> None:
        session = trial.session
        if not trial.videos:
            raise ProjectError(
                f"{session.folder}: trial {trial.name} has no videos in {session.config.project.videos_folder}; frames "
                "to label are taken from there"
            )
        folders = folders or LabelFolders(session.project)
        self.trial = trial
        self.cameras = tuple(trial.videos)
        self.sources: Mapping[str, FrameSource] = {name: open_frames(path) for name, path in trial.videos.items()}
        self.label_folders = {name: folders.of_camera(session, trial, name) for name in self.cameras}
        self._adopted = {
            name: [video.folder for video in folders.all() if video.adopted and video.name == folder.name]
            for name, folder in self.label_folders.items()
        }
        self.instants, self.frames = self._common(_timing(trial))

    def _common(self, timing: Timing) -> tuple[IntArray, IntArray]:
        lengths = np.array([source.n_frames for source in self.sources.values()])
        if timing.in_step and lengths.max() > lengths.min():
            told = ", ".join(f"{name} {n}" for name, n in zip(self.cameras, lengths, strict=True))
            logger.warning(
                "%s: trial %s has views of unequal length (%s); frames of one number are taken for one instant",
                self.trial.session.folder,
                self.trial.name,
                told,
            )
        reach = int(np.ceil(np.abs(timing.offset_frames).max() + np.abs(timing.drift).max() * lengths.max())) + 1
        instants = np.arange(-reach, int(lengths.max()) + reach + 1)
        frames = np.floor(timing.own_frames(instants) + 0.5).astype(np.int64)
        shown = ((frames >= 0) & (frames < lengths)).all(1)
        if not shown.any():
            raise DataError(
                f"{self.trial.session.folder}: trial {self.trial.name} has no instant that all cameras show; check "
                "sync.toml or [offsets]"
            )
        return instants[shown], frames[shown]

    @property
    def fps(self) -> float | None:
        """Frames a second, of the project or else of the first video that tells."""
        rate = self.trial.session.config.project.fps
        return rate or next((source.fps for source in self.sources.values() if source.fps), None)

    def image_name(self, camera: str, frame: int) -> str:
        """Return the name of a frame's image: ``img0042.png``, with as many digits as the video's frames need.

        The same as DeepLabCut's.
        """
        digits = len(str(self.sources[camera].n_frames - 1))
        return f"img{frame:0{digits}d}.png"

    @cached_property
    def existing(self) -> Mapping[str, Mapping[int, Path]]:
        """Images that are there of each camera, by frame: own ones and those of adopted projects."""
        found: dict[str, dict[int, Path]] = {}
        for camera, folder in self.label_folders.items():
            found[camera] = {}
            for path in (image for place in (*self._adopted[camera], folder) for image in images_in(place)):
                frame = ImageName(folder.name, path.name).frame
                if frame is not None:
                    found[camera][frame] = path
        return found

    def is_free(self) -> NDArray[np.bool_]:
        """(n,) whether no camera's image of an instant is there already."""
        taken = np.zeros(len(self.instants), dtype=np.bool_)
        for column, camera in enumerate(self.cameras):
            taken |= np.isin(self.frames[:, column], list(self.existing[camera]))
        return ~taken

    def decoding_cost(self) -> FloatArray:
        """(n,) frames that have to be decoded to see an instant in all views."""
        cost = np.zeros(len(self.instants))
        for column, source in enumerate(self.sources.values()):
            if isinstance(source, VideoFile):
                keys = source.key_frames
                own = self.frames[:, column]
                cost += own - keys[np.searchsorted(keys, own, side="right") - 1]
        return cost

    def sights(self, instants: IntArray, progress: Progress = no_progress) -> Sights:
        """Read small grey images of instants."""
        rows = np.searchsorted(self.instants, instants)
        views = []
        for column, (camera, source) in enumerate(self.sources.items()):
            size = _small_size(source)
            frames = self.frames[rows, column]
            unique, back = np.unique(frames, return_inverse=True)
            small = np.empty((len(unique), size[0] * size[1]), dtype=np.uint8)
            label = f"look at {self.trial.name} {camera}"
            for i, (_, image) in enumerate(scaled_frames(source, size, indices=unique.tolist())):
                small[i] = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).ravel()
                progress(label, i + 1, len(unique))
            views.append(small[back])
        return Sights(instants, tuple(views))

    def known_sights(self) -> Sights | None:
        """Read small grey images of the instants of which all views are there already; of many, evenly chosen ones."""
        there = np.ones(len(self.instants), dtype=np.bool_)
        for column, camera in enumerate(self.cameras):
            there &= np.isin(self.frames[:, column], list(self.existing[camera]))
        instants = choose_evenly(self.instants[there], _MOST_KNOWN)
        if not len(instants):
            return None
        rows = np.searchsorted(self.instants, instants)
        views = []
        for column, (camera, source) in enumerate(self.sources.items()):
            size = _small_size(source)
            paths = [self.existing[camera][frame] for frame in self.frames[rows, column].tolist()]
            images = [cv2.cvtColor(scale_image(read_image(path), size), cv2.COLOR_BGR2GRAY) for path in paths]
            views.append(np.stack(images).reshape(len(rows), -1).astype(np.uint8))
        return Sights(instants, tuple(views))

    def uncertainty(self) -> FloatArray:
        """Return how unsure a network was at each instant, from its 2D keypoints in ``pose-2d``.

        Returns
        -------
        (n,) array
            0 to 1: one minus the score, mean over views and keypoints. A keypoint without a place counts as 1, unless a
            view never has it. NaN where no view has keypoints.

        Raises
        ------
        ProjectError
            If there are no 2D keypoints of this trial.
        FormatError
            If a file is damaged.
        """
        paths = {name: self.trial.pose_2d[name] for name in self.cameras if name in self.trial.pose_2d}
        if not paths:
            raise ProjectError(
                f"{self.trial.session.folder}: trial {self.trial.name} has no 2D keypoints in pose-2d, whose scores "
                "tell where a network is unsure; run pose3d analyze first, or choose another method"
            )
        skeleton = self.trial.session.config.to_skeleton()
        total, count = np.zeros(len(self.instants)), np.zeros(len(self.instants))
        for camera, path in paths.items():
            doubt = np.full(self.sources[camera].n_frames, np.nan)
            with open_keypoints({camera: path}, skeleton=skeleton, truncate=True) as stream:
                ever = np.zeros(len(stream.keypoints), dtype=np.bool_)
                parts = []
                for first in range(0, stream.n_frames, _FRAMES_AT_ONCE):
                    part = stream.read(first, min(first + _FRAMES_AT_ONCE, stream.n_frames))
                    score = np.where(np.isfinite(part.score), part.score, 0.0)[:, 0].max(1)
                    ever |= (score > 0).any(0)
                    parts.append(1 - score)
                if ever.any():
                    found = np.concatenate(parts)[:, ever].mean(1)
                    frames = np.arange(stream.start, stream.start + len(found))
                    inside = (frames >= 0) & (frames < len(doubt))
                    doubt[frames[inside]] = found[inside]
            own = doubt[self.frames[:, self.cameras.index(camera)]]
            total += np.nan_to_num(own)
            count += np.isfinite(own)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def find_instants(self, times: Sequence[str]) -> IntArray:
        """Find instants that a person names.

        Parameters
        ----------
        times : sequence of str
            Frames such as ``300``, or seconds such as ``1.5s``, both counted from the trial's instant 0.

        Returns
        -------
        (n,) int array
            Ascending, each once.

        Raises
        ------
        DataError
            If one is neither, is not shown by all cameras, or seconds are given and no frame rate is known.
        """
        found = []
        where = f"{self.trial.session.folder}: trial {self.trial.name}"
        for text in times:
            word = text.strip().lower()
            try:
                if word.endswith("s"):
                    if self.fps is None:
                        raise DataError(f"{where}: the frame rate is not known; give frames, or set fps in [project]")
                    instant = round(float(word[:-1]) * self.fps)
                else:
                    instant = int(word)
            except (ValueError, OverflowError) as error:
                raise DataError(
                    f"{where}: {text!r} is no time; give frames such as 300, or seconds such as 1.5s"
                ) from error
            if instant not in self.instants:
                raise DataError(
                    f"{where}: instant {instant} ({text}) is not shown by all cameras, which {self.instants[0]} to "
                    f"{self.instants[-1]} are"
                )
            found.append(instant)
        return np.unique(np.array(found, dtype=np.int64))


def _small_size(source: FrameSource) -> tuple[int, int]:
    return scaled_size(source.size, min(1.0, _SMALL_WIDTH / source.size[0]))


def _timing(trial: Trial) -> Timing:
    """Return when each camera with a video saw what."""
    session = trial.session
    offsets = {name: frames for name, frames in session.config.offsets.items() if name in trial.videos}
    if not session.sync_toml.exists():
        return Timing.of_offsets(tuple(trial.videos), offsets)
    if session.config.offsets:
        raise ProjectError(
            f"{session.project.config_path}: [offsets] and {session.sync_toml} both say when cameras began; remove the "
            "one or the other"
        )
    timing = read_sync(session.sync_toml)
    missing = [name for name in trial.videos if name not in timing.cameras]
    if missing:
        raise DataError(
            f"{session.sync_toml}: has no timing of camera {missing[0]}; write [cameras.{missing[0]}] with "
            "offset_frames, or run pose3d sync again"
        )
    return timing.select(tuple(trial.videos))
