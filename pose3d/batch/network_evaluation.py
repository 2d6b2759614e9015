"""A project's network measured on the project's labels, in images and, where cameras are calibrated, in space."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages, Labels
from pose3d.errors import DataError, ModelError, ProjectError
from pose3d.geometry.arrays import IntArray
from pose3d.io.collected_data import find_tables, read_collected_data
from pose3d.io.rigs import load_rig
from pose3d.io.sync_toml import read_sync
from pose3d.log import Progress, logger, no_progress
from pose3d.network.blazepose.files import is_blazepose
from pose3d.network.evaluation import Evaluation, write_evaluation
from pose3d.network.model_evaluation import evaluate_model
from pose3d.network.model_folder import ModelFolder
from pose3d.network.session_analysis import find_model
from pose3d.project import Project, Session
from pose3d.project.labels import load_labels
from pose3d.report.evaluation_page import write_evaluation_page

__all__ = ["ProjectEvaluation", "common_times", "evaluate_project", "read_second_labels", "session_rigs"]


class ProjectEvaluation(NamedTuple):
    """An evaluation, and where it was written."""

    evaluation: Evaluation
    table: Path
    page: Path


def evaluate_project(
    project: Project,
    *,
    model: str | None = None,
    second_labels: str | Path | None = None,
    calibration: str | Path | None = None,
    cutoff: float = 0.5,
    precision: str | None = None,
    progress: Progress = no_progress,
) -> ProjectEvaluation:
    """Measure a network on all labels of a project; write ``evaluation.csv`` and ``evaluation.html`` into its folder.

    Those of a network from elsewhere go into a folder of its name in the project's ``models``.

    Parameters
    ----------
    project : Project
    model : str, optional
        A name below ``models/``, or a folder; by default as in ``[network]``.
    second_labels : path, optional
        A table of another person's labels, or a folder that holds such tables.
    calibration : path, optional
        Cameras of all recordings; by default those of each session that has some.
    cutoff : float, optional
        Errors are given of all predictions and of those with at least this score.
    precision : str, optional
        ``fp32`` or ``int8``; by default the one that recordings are analysed with.
    progress : callable, optional

    Raises
    ------
    DataError
        If nothing is labelled, or second labels or calibration are of something else.
    ModelError
        If there is no such network.
    FormatError
        If a file is damaged.
    """
    place = ModelFolder(find_model(model or project.config.network.model, project))
    if is_blazepose(place.folder):
        raise ModelError(f"{place.folder.name}: finds people in videos; evaluate networks that were trained on labels")
    images = load_labels(project)
    if not len(images):
        raise DataError(f"{project.labeled_data}: no image is labelled; `pose3d label` shows them")
    second = None if second_labels is None else read_second_labels(second_labels, scorer=images.labels.scorer)
    rig = session_rigs(project, images) if calibration is None else load_rig(calibration)
    evaluation = evaluate_model(
        place.folder,
        images,
        second=second,
        rig=rig,
        times=common_times(project, images),
        cutoff=cutoff,
        precision=precision,
        progress=progress,
    )
    if project.folder.resolve() not in place.folder.resolve().parents:
        place = ModelFolder(project.models / place.folder.name)
    write_evaluation(evaluation, place.evaluation)
    write_evaluation_page(evaluation, place.page, title=place.folder.name)
    return ProjectEvaluation(evaluation, place.evaluation, place.page)


def session_rigs(project: Project, images: LabelledImages) -> dict[str, Rig]:
    """Read the cameras of the sessions in which two cameras or more are labelled: recording to rig."""
    read: dict[Path, Rig | None] = {}
    found: dict[str, Rig] = {}
    sessions = _sessions(project)
    for recording in sorted(set(images.recordings)):
        session = sessions.get(recording.rpartition("/")[0])
        if session is None or not session.calibration_toml.is_file():
            continue
        path = session.calibration_toml
        if path not in read:
            read[path] = load_rig(path)
        rig = read[path]
        cameras = {c for c, r in zip(images.cameras, images.recordings, strict=True) if r == recording}
        if rig is not None and len(cameras & set(rig.names)) >= 2:
            found[recording] = rig
    return found


def common_times(project: Project, images: LabelledImages) -> IntArray:
    """Return the instant that each image shows, on the time line that the cameras of its recording share.

    Returns
    -------
    (n_images,) int array, frames
        The number in the image's name where the cameras began together.
    """
    times = images.frames
    sessions = _sessions(project)
    own = np.array(images.recordings, dtype=str)
    cameras = np.array(images.cameras, dtype=str)
    for recording in sorted(set(images.recordings)):
        session = sessions.get(recording.rpartition("/")[0])
        if session is None:
            continue
        offsets: dict[str, tuple[float, float, float]] = {}
        if session.sync_toml.is_file():
            timing = read_sync(session.sync_toml)
            columns = zip(timing.cameras, timing.offset_frames, timing.drift, strict=True)
            offsets = {name: (float(offset), float(drift), timing.at_frame) for name, offset, drift in columns}
        else:
            offsets = {name: (float(offset), 0.0, 0.0) for name, offset in session.config.offsets.items()}
        for name, (offset, drift, at) in offsets.items():
            mine = (own == recording) & (cameras == name) & (times >= 0)
            # Solved for the instant i: frame = i + offset + drift * (i - at).
            times[mine] = np.rint((times[mine] - offset + drift * at) / (1 + drift)).astype(np.int64)
    return times


def read_second_labels(path: str | Path, *, scorer: str = "") -> Labels:
    """Read another person's labels from one table, or from all tables in a folder and the folders in it.

    Parameters
    ----------
    path : path
    scorer : str, optional
        Whose labels they are compared with: tables of this scorer are left out where there are others.

    Raises
    ------
    FormatError
        If a table is damaged, or none is there.
    DataError
        If there are tables of several people.
    """
    path = Path(path)
    if not path.is_dir():
        return read_collected_data(path)
    by_scorer: dict[str, list[Path]] = {}
    for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
        for name, table in find_tables(folder).items():
            by_scorer.setdefault(name, []).append(table)
    others = {name: tables for name, tables in by_scorer.items() if name != scorer} or by_scorer
    if not others:
        raise DataError(f"{path}: holds no CollectedData of a second person; give their table or its folder")
    if len(others) > 1:
        raise DataError(f"{path}: holds labels of {', '.join(sorted(others))}; give the table of one of them")
    read = [read_collected_data(table) for table in next(iter(others.values()))]
    keypoints = tuple(dict.fromkeys(name for labels in read for name in labels.keypoints))
    joined = read[0].with_keypoints(keypoints)
    for labels in read[1:]:
        if labels.individuals != joined.individuals:
            raise DataError(f"{path}: its tables name different individuals; give one of the tables")
        joined = joined.updated(labels.with_keypoints(keypoints))
    return joined


def _sessions(project: Project) -> dict[str, Session]:
    try:
        return {session.name: session for session in project.sessions()}
    except ProjectError as error:
        logger.warning("%s; calibrations of its sessions are not used", error)
        return {}
