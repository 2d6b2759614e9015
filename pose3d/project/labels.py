"""The labels of a project: read from all folders of images, and written back, image by image."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import DataError
from pose3d.io.collected_data import find_tables, read_collected_data, write_collected_data
from pose3d.io.names import SINGLE_INDIVIDUAL, fits_file_name, natural_key
from pose3d.log import logger
from pose3d.project.label_folders import (
    LabelFolders,
    LabelledVideo,
    images_in,
    label_folder_of,
    labelled_videos,
    write_adopted_source,
)
from pose3d.project.project import Project

__all__ = ["LabelledVideo", "label_folder_of", "labelled_videos", "load_labels", "save_labels"]


class _Entry(NamedTuple):
    """An image: where it lies, what it is of, and in which table and row its labels stand."""

    path: Path
    recording: str
    camera: str
    table: int
    row: int


def load_labels(
    project: Project, *, keypoints: Sequence[str] | None = None, unlabelled: bool = False
) -> LabelledImages:
    """Read all labels of a project: its own and those of adopted projects.

    Where an image has labels of both, its own count.

    Parameters
    ----------
    project : Project
    keypoints : sequence of str, optional
        Their order; by default those of ``[skeleton]``, or else all that are labelled, in the order of the files.
    unlabelled : bool
        Also give the images in which nothing is labelled yet.

    Returns
    -------
    LabelledImages
        Sorted by video and image. Individuals are those of ``[labeling]``, then the others.

    Raises
    ------
    FormatError
        If a file is damaged.
    DataError
        If no labelled keypoint is one of the skeleton's, or it is not clear which of several tables counts.
    """
    tables: list[Labels] = []
    entries: dict[ImageName, _Entry] = {}
    n_lost = 0
    folders = LabelFolders(project)
    scorers = {adopted.labeled_data: adopted.scorer for adopted in folders.adopted_projects}
    for video in sorted(folders.all(), key=lambda video: not video.adopted):  # the project's own come last and win
        scorer = scorers.get(video.folder.parent, "") if video.adopted else project.config.labeling.scorer
        found = _read_table(video, scorer)
        for path in images_in(video.folder):
            name = ImageName(video.name, path.name)
            known = entries.get(name)
            # A new picture without labels of its own leaves the labels of the adopted one of its name.
            table, row = (known.table, known.row) if known is not None else (-1, -1)
            entries[name] = _Entry(path, video.recording, video.camera, table, row)
        if found is None:
            continue
        tables.append(_renamed(found, project))
        for row, name in enumerate(found.images):
            if name in entries:
                entries[name] = entries[name]._replace(table=len(tables) - 1, row=row)
            elif bool((found.mark[row] != Mark.UNLABELLED).any()):
                n_lost += 1
    if n_lost:
        logger.warning("%s: %d labelled images are not there and are left out", project.folder, n_lost)
    return _joined(project, tables, entries, keypoints, unlabelled)


def save_labels(project: Project, labels: Labels | LabelledImages) -> tuple[Path, ...]:
    """Write labels into a project's own folders, image by image: other images keep theirs.

    Nothing is written into adopted projects; what is labelled in their images stands in a folder of the same name in
    the project's own labels.

    Parameters
    ----------
    project : Project
    labels : Labels or LabelledImages
        An image in which nothing is labelled loses the labels it had.

    Returns
    -------
    tuple of Path
        The tables that were written, csv alone.

    Raises
    ------
    FormatError
        If a table that is there is damaged: nothing is written into its folder.
    DataError
        If a video's name cannot be a folder's.
    Pose3DError
        If a file cannot be written.
    """
    labels = labels.labels if isinstance(labels, LabelledImages) else labels
    folders = LabelFolders(project)
    videos = folders.all()
    own = {video.name: video for video in videos if not video.adopted}
    adopted = {video.name: video for video in videos if video.adopted}
    unique = [name for source in folders.adopted_projects for name in source.unique_keypoints]
    scorer = project.config.labeling.scorer
    written = []
    for name in sorted({image.video for image in labels.images}, key=natural_key):
        if not fits_file_name(name) or not name.strip(" ."):
            raise DataError(f"{project.labeled_data}: {name!r} cannot be a folder's name")
        new = labels.take([i for i, image in enumerate(labels.images) if image.video == name])
        folder = own[name].folder if name in own else project.labeled_data / name
        before = _read_table(own[name], scorer) if name in own else None
        if before is not None:
            before = _renamed(before, project)
            individuals, keypoints = _union([before, new])
            new = _aligned(before, individuals, keypoints).updated(_aligned(new, individuals, keypoints))
        table, _ = write_collected_data(new, folder, scorer=scorer, unique_keypoints=unique)
        if name in adopted and name not in own and not _is_own_video(adopted[name], project):
            write_adopted_source(folder, adopted[name].folder.name, adopted[name].folder.parent.parent.name)
        written.append(table)
    return tuple(written)


def _is_own_video(video: LabelledVideo, project: Project) -> bool:
    return video.video is not None and project.folder in video.video.parents


def _read_table(video: LabelledVideo, scorer: str) -> Labels | None:
    """Read the table of one scorer, or the only one; its images get the folder's name."""
    tables = find_tables(video.folder)
    if not tables:
        return None
    if scorer not in tables and len(tables) > 1:
        raise DataError(
            f"{video.folder}: holds labels of {', '.join(tables)}, none of {scorer!r}; set scorer in [labeling] of "
            "pose3d.toml to one of them"
        )
    path = tables.get(scorer) or next(iter(tables.values()))
    labels = read_collected_data(path)
    own = [i for i, image in enumerate(labels.images) if image.video == video.folder.name]
    if not own and len({image.video for image in labels.images}) == 1:  # the folder was renamed
        own = list(range(len(labels)))
    if len(own) < len(labels):
        logger.warning("%s: %d rows are of other folders and are left out", path, len(labels) - len(own))
    labels = labels.take(own)
    return replace(labels, images=tuple(ImageName(video.name, image.image) for image in labels.images))


def _renamed(labels: Labels, project: Project) -> Labels:
    """Give the individual of a table that names none the name that the project has for its only one."""
    names = project.config.labeling.individuals
    if labels.individuals == (SINGLE_INDIVIDUAL,) and len(names) == 1:
        return replace(labels, individuals=names)
    return labels


def _union(tables: Iterable[Labels]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all individuals and keypoints, in the order of the tables."""
    individuals: dict[str, None] = {}
    keypoints: dict[str, None] = {}
    for table in tables:
        individuals |= dict.fromkeys(table.individuals)
        keypoints |= dict.fromkeys(table.keypoints)
    return tuple(individuals), tuple(keypoints)


def _aligned(labels: Labels, individuals: Sequence[str], keypoints: Sequence[str]) -> Labels:
    """Return the named individuals and keypoints in that order; what is not here is unlabelled."""
    labels = labels.with_keypoints(keypoints)
    wide = Labels.empty(labels.images, individuals, keypoints, scorer=labels.scorer)
    xy, mark = wide.xy.copy(), wide.mark.copy()
    for column, name in enumerate(individuals):
        if name in labels.individuals:
            at = labels.individuals.index(name)
            xy[:, column], mark[:, column] = labels.xy[:, at], labels.mark[:, at]
    return replace(wide, xy=xy, mark=mark)


def _joined(
    project: Project,
    tables: Sequence[Labels],
    entries: dict[ImageName, _Entry],
    keypoints: Sequence[str] | None,
    unlabelled: bool,
) -> LabelledImages:
    individuals, labelled = _union(tables)
    individuals = tuple(dict.fromkeys((*project.config.labeling.individuals, *individuals))) or (SINGLE_INDIVIDUAL,)
    if keypoints is None:
        keypoints = _wanted_keypoints(project, labelled, tables)
    aligned = [_aligned(table, individuals, keypoints) for table in tables]
    names = sorted(entries, key=lambda name: (natural_key(name.video), natural_key(name.image)))
    empty = Labels.empty(names, individuals, keypoints, scorer=project.config.labeling.scorer)
    xy, mark = empty.xy.copy(), empty.mark.copy()
    for i, name in enumerate(names):
        entry = entries[name]
        if entry.table >= 0:
            xy[i], mark[i] = aligned[entry.table].xy[entry.row], aligned[entry.table].mark[entry.row]
    images = LabelledImages(
        replace(empty, xy=xy, mark=mark),
        tuple(entries[name].path for name in names),
        tuple(entries[name].recording for name in names),
        tuple(entries[name].camera for name in names),
    )
    if unlabelled:
        return images
    return images.take(np.flatnonzero((mark != Mark.UNLABELLED).any((1, 2))))


def _wanted_keypoints(project: Project, labelled: Sequence[str], tables: Sequence[Labels]) -> tuple[str, ...]:
    skeleton = project.config.to_skeleton()
    if skeleton is None:
        return tuple(labelled)
    if labelled and not set(labelled) & set(skeleton.keypoints):
        raise DataError(
            f"{project.config_path}: none of the labelled keypoints ({', '.join(labelled[:5])}, ...) is in [skeleton] "
            f"({', '.join(skeleton.keypoints[:5])}, ...); make the names the same"
        )
    strangers = [name for name in labelled if name not in skeleton.keypoints and _is_labelled(name, tables)]
    if strangers:
        logger.warning("%s: [skeleton] has no %s, whose labels are left out", project.config_path, ", ".join(strangers))
    return skeleton.keypoints


def _is_labelled(keypoint: str, tables: Iterable[Labels]) -> bool:
    return any(
        bool((table.mark[:, :, table.keypoints.index(keypoint)] != Mark.UNLABELLED).any())
        for table in tables
        if keypoint in table.keypoints
    )
