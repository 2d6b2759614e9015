"""A project as the labelling page needs it: images by instant, calibrations, and what networks found so far."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages
from pose3d.data.skeleton import Skeleton
from pose3d.data.timing import Timing
from pose3d.errors import ConfigError, Pose3DError, ProjectError
from pose3d.labeling.pictures import picture_size
from pose3d.labeling.queue import QUEUE_NAME, group_instants, order_instants, read_queue
from pose3d.labeling.task import Guess, LabelingTask
from pose3d.log import logger
from pose3d.project import Project, Session, Trial

__all__ = ["load_task"]


def load_task(
    project: Project, *, session: Session | None = None, rig: Rig | None = None, predictions: str | None = None
) -> LabelingTask:
    """Gather what there is to label in a project.

    Parameters
    ----------
    project : Project
    session : Session, optional
        Only its recordings.
    rig : Rig, optional
        The cameras of every recording; by default each session's own calibration, where it has one.
    predictions : str, optional
        Folder inside a session with the network's keypoints; by default ``pose-2d``.

    Raises
    ------
    ProjectError
        If no frames were extracted yet.
    ConfigError
        If no keypoints are named.
    FormatError
        If labels, a calibration or the queue are damaged.
    """
    from pose3d.project.labels import load_labels

    images = load_labels(project, unlabelled=True)
    trials = _trials(project)
    if session is not None:
        wanted = {name for name, trial in trials.items() if trial.session.folder == session.folder}
        images = images.take([i for i, name in enumerate(images.recordings) if name in wanted])
    if not len(images):
        where = project.folder if session is None else session.folder
        raise ProjectError(f"{where}: no frames to label yet; pick some with `pose3d extract {where}`")
    if not images.labels.keypoints:
        raise ConfigError(f"{project.config_path}: [skeleton] names no keypoints; list those that are to be labelled")
    timings = {name: _timing(trial) for name, trial in trials.items() if name in images.recordings}

    def instant_of(recording: str, camera: str, frame: int) -> int:
        timing = timings.get(recording)
        return frame if timing is None or camera not in timing.cameras else _instant(timing, camera, frame)

    instants = group_instants(images, instant_of=instant_of)
    queue = project.labeled_data / QUEUE_NAME
    if queue.exists():
        instants = order_instants(instants, read_queue(queue))
    rigs = _rigs(images, trials, rig)
    paths = images.paths
    return LabelingTask(
        title=project.folder.name if session is None else f"{project.folder.name} · {session.name}",
        images=images,
        instants=instants,
        skeleton=project.config.to_skeleton() or Skeleton("labels", images.labels.keypoints),
        rigs=rigs,
        guess=_Predictions(images, trials, project.config.to_skeleton(), predictions).guess,
        size=lambda row: picture_size(paths[row]),
    )


def _trials(project: Project) -> dict[str, Trial]:
    """Return each trial by the name of its recording."""
    found: dict[str, Trial] = {}
    for session in project.sessions():
        try:
            found |= {f"{session.name}/{trial.name}": trial for trial in session.trials()}
        except ProjectError as error:
            logger.warning("%s; its calibration and predictions are not used", error)
    return found


def _timing(trial: Trial) -> Timing | None:
    from pose3d.io.sync_toml import read_sync

    session = trial.session
    if session.sync_toml.is_file():
        return read_sync(session.sync_toml)
    cameras = tuple({**trial.videos, **trial.pose_2d})
    offsets = {name: frames for name, frames in session.config.offsets.items() if name in cameras}
    return Timing.of_offsets(cameras, offsets) if offsets else None


def _instant(timing: Timing, camera: str, frame: int) -> int:
    c = timing.cameras.index(camera)
    drift = timing.drift[c]
    return round(float((frame - timing.offset_frames[c] + drift * timing.at_frame) / (1 + drift)))


def _rigs(images: LabelledImages, trials: Mapping[str, Trial], rig: Rig | None) -> dict[str, Rig]:
    from pose3d.io.rigs import load_rig

    names = dict.fromkeys(images.recordings)
    if rig is not None:
        strangers = sorted(set(images.cameras) - set(rig.names))
        if len(strangers) == len(set(images.cameras)):
            logger.warning("the calibration knows none of the cameras %s: no lines are drawn", ", ".join(strangers))
        return dict.fromkeys(names, rig)
    read: dict[Path, Rig] = {}
    found: dict[str, Rig] = {}
    for name in names:
        path = trials[name].session.calibration_toml if name in trials else None
        if path is not None and path.is_file():
            if path not in read:
                read[path] = load_rig(path)
            found[name] = read[path]
    return found


class _Predictions:
    """What networks found in the images, read frame by frame from the files of the trials."""

    def __init__(
        self,
        images: LabelledImages,
        trials: Mapping[str, Trial],
        skeleton: Skeleton | None,
        folder: str | None,
    ) -> None:
        self._images = images
        self._trials = trials
        self._skeleton = skeleton
        self._folder = folder
        self._broken: set[Path] = set()
        self.guess = lru_cache(maxsize=256)(self._guess)

    def _path(self, row: int) -> Path | None:
        trial = self._trials.get(self._images.recordings[row])
        path = None if trial is None else trial.pose_2d.get(self._images.cameras[row])
        if path is None or self._folder is None:
            return path
        path = path.parent.parent / self._folder / path.name
        return path if path.exists() else None

    def _guess(self, row: int) -> Guess | None:
        from pose3d.io.keypoint_stream import open_keypoints

        path, frame = self._path(row), self._images.labels.images[row].frame
        if path is None or frame is None or path in self._broken:
            return None
        try:
            with open_keypoints({self._images.cameras[row]: path}, skeleton=self._skeleton) as stream:
                at = frame - stream.start
                if not 0 <= at < stream.n_frames:
                    return None
                found = stream.read(at, at + 1)
        except Pose3DError as error:
            logger.warning("%s; its predictions are not shown", error)
            self._broken.add(path)
            return None
        labels = self._images.labels
        n_individuals, n_keypoints = labels.mark.shape[1:]
        guess = Guess(np.full((n_individuals, n_keypoints, 2), np.nan), np.full((n_individuals, n_keypoints), np.nan))
        one = len(labels.individuals) == len(found.individuals) == 1
        for i, individual in enumerate(labels.individuals):
            if not one and individual not in found.individuals:
                continue
            j = 0 if one else found.individuals.index(individual)
            for k, keypoint in enumerate(labels.keypoints):
                if keypoint in found.keypoints:
                    m = found.keypoints.index(keypoint)
                    guess.xy[i, k], guess.score[i, k] = found.xy[0, 0, j, m], found.score[0, 0, j, m]
        return guess
