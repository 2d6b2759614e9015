"""The work of each step: read what the session holds, call the library, write where the session says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose3d.errors import ConfigError, DataError, ProjectError, VideoError
from pose3d.log import Progress, logger
from pose3d.project import CONFIG_NAME, Session, Trial

if TYPE_CHECKING:
    from pose3d.data import Rig

__all__ = ["StepReport", "calibrate_session", "compute_angles", "export_trial", "triangulate_trial"]


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Attributes
    ----------
    outputs : tuple of Path
        All files written.
    lines : tuple of str
        For people.
    summary : mapping
        The same for programs: plain numbers and text.
    """

    outputs: tuple[Path, ...]
    lines: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)


def _with_sides(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    from pose3d.io.uncertainty import uncertainty_path

    sides = (uncertainty_path(path) for path in paths)
    return (*paths, *(path for path in sides if path.exists()))


def calibrate_session(session: Session, progress: Progress) -> StepReport:
    """Calibrate a session's cameras from its clips of the board; write ``calibration.toml`` and the report."""
    from pose3d.calibration import CalibrationRequest, calibrate_recording
    from pose3d.io.rigs import load_rig, save_rig
    from pose3d.io.timestamps import read_timestamps
    from pose3d.report.calibration_page import write_calibration_report

    config, clips = session.config, session.calibration_videos()
    settings, folder = config.calibration, session.project.folder
    known = None if settings.intrinsics is None else load_rig(folder / settings.intrinsics)
    old = None if settings.compare is None else load_rig(folder / settings.compare)
    times = None
    if settings.timestamps is not None:
        times = read_timestamps(session.calibration_folder / settings.timestamps, cameras=list(clips))
    request = CalibrationRequest(
        offsets={name: n for name, n in config.offsets.items() if name in clips},
        truncate=settings.truncate,
        timestamps=times,
        lens_sources=session.lens_clips(),
        intrinsics=known,
        lens_model=settings.lens_model,
        fisheye=settings.fisheye,
        solver=settings.solver,
        earlier=old,
        floor_frame=settings.floor_frame,
    )
    judged = calibrate_recording(clips, config.to_board(), request, progress=progress)
    page = session.calibration_report
    save_rig(judged.calibration.rig, session.calibration_toml)
    write_calibration_report(
        judged.calibration, page, title=session.name, verdict=judged.verdict, comparison=judged.comparison
    )
    return StepReport((session.calibration_toml, page), (*judged.lines(), f"report: {page}"), judged.to_dict())


def _frame_rate(trial: Trial, rig: "Rig") -> float | None:
    """Find the frame rate of a trial, and check that its videos have the size for which the cameras are calibrated."""
    from pose3d.io.video import open_frames

    rate = trial.session.config.project.fps
    for camera, path in trial.videos.items():
        if camera not in rig:
            continue
        try:
            video = open_frames(path)
        except VideoError as error:
            logger.warning("%s; only its 2D keypoints are used", error)
            continue
        if tuple(video.size) != rig[camera].size:
            raise DataError(
                f"{path}: is {video.size[0]}x{video.size[1]}, camera {camera} is calibrated for "
                f"{rig[camera].size[0]}x{rig[camera].size[1]}; calibrate at the size of the recording"
            )
        if rate is None:
            rate = video.fps
        elif video.fps is not None and abs(video.fps / rate - 1) > 0.01:
            logger.warning("%s: runs at %g fps, %g fps is used", path, video.fps, rate)
    return rate


def triangulate_trial(trial: Trial, progress: Progress) -> StepReport:
    """Triangulate a trial's 2D keypoints, and write pose-3d csv.

    Raises
    ------
    ProjectError
        If an individual's file would be another trial's.
    DataError
        If keypoints, videos and calibration do not fit one another.
    """
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.io.tables import individual_paths
    from pose3d.reconstruction import triangulate_views

    config, session = trial.session.config, trial.session
    rig = load_rig(session.calibration_toml)
    keypoints = load_keypoints(
        trial.pose_2d,
        skeleton=config.to_skeleton(),
        offsets={name: n for name, n in config.offsets.items() if name in trial.pose_2d} or None,
        truncate=config.triangulation.truncate,
        fps=_frame_rate(trial, rig),
    )
    settings = config.triangulation
    done = triangulate_views(
        keypoints,
        rig,
        robust=settings.robust,
        score_threshold=settings.score_threshold,
        weighted=settings.weighted,
        min_cameras=settings.min_cameras,
        max_error_px=settings.max_error_px,
        progress=progress,
    )
    points = done.points
    others = {other.pose_3d: other.name for other in session.trials() if other.name != trial.name}
    for path in individual_paths(trial.pose_3d, points.individuals):
        if path in others:
            raise ProjectError(
                f"{path}: an individual of trial {trial.name} would be written over trial {others[path]}; rename one"
            )
    paths = write_pose3d(points, trial.pose_3d)
    return StepReport(_with_sides(paths), tuple(done.summary.lines()), {**done.summary.to_dict(), "fps": points.fps})


def compute_angles(trial: Trial, pose_3d: tuple[Path, ...], progress: Progress) -> StepReport:
    """Compute the joint angles of a trial from its pose-3d files, and write angles csv.

    Raises
    ------
    ConfigError
        If the project's definitions do not fit the keypoints.
    """
    from pose3d.io.anipose_csv import read_pose3d, write_angles
    from pose3d.kinematics import joint_angles

    outputs: list[Path] = []
    names: tuple[str, ...] = ()
    definitions = trial.session.config.angles or None
    for i, path in enumerate(pose_3d):
        points = read_pose3d(path)
        try:
            angles = joint_angles(points, definitions)
        except ConfigError as error:
            if definitions is not None:
                raise
            # nobody asked for angles, and these are no human keypoints: a session of a mouse is not a failure
            return StepReport((), (f"none: {str(error).removeprefix('angles: ')}",), {"angles": []})
        outputs += write_angles(angles, trial.angles_of(path))
        names = angles.names
        progress(f"angles {trial.name}", i + 1, len(pose_3d))
    return StepReport(
        _with_sides(tuple(outputs)), (f"{len(names)} angles: {', '.join(names)}",), {"angles": list(names)}
    )


def export_trial(trial: Trial, pose_3d: tuple[Path, ...], progress: Progress) -> StepReport:
    """Write the pose-3d files of a trial as TRC, or none where the frame rate is not known."""
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.trc import write_trc

    outputs: list[Path] = []
    for i, path in enumerate(pose_3d):
        points = read_pose3d(path)
        fps = trial.session.config.project.fps if points.fps is None else points.fps
        if fps is None:
            # nobody asked for a TRC: a session without videos is not a failure
            why = f"none: a TRC needs the frame rate; set fps under [project] in {CONFIG_NAME}, or add the videos"
            return StepReport((), (why,), {"files": []})
        outputs += write_trc(points, trial.trc_of(path), fps=fps)
        progress(f"export {trial.name}", i + 1, len(pose_3d))
    names = [path.name for path in outputs]
    return StepReport(tuple(outputs), (f"wrote {', '.join(names)}",), {"files": names})
