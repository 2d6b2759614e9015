"""The work of each step: read what the session holds, call the library, write where the session says."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose3d.errors import ConfigError, ProjectError
from pose3d.log import Progress
from pose3d.project import CONFIG_NAME, Session, Trial

if TYPE_CHECKING:
    from pose3d.data import JointAngles, Keypoints3D

__all__ = ["StepReport", "calibrate_session", "compute_angles", "export_trial", "keep_copy", "with_sides"]


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


def with_sides(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return files and the side files that they have."""
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
    outputs = [session.calibration_toml, page]
    if judged.calibration.rig.covariance is not None:
        outputs.append(session.calibration_uncertainty)
    return StepReport(tuple(outputs), (*judged.lines(), f"report: {page}"), judged.to_dict())


def compute_angles(trial: Trial, pose_3d: tuple[Path, ...], progress: Progress) -> StepReport:
    """Compute the joint angles of a trial from its pose-3d files, and write angles csv.

    Raises
    ------
    ConfigError
        If the project's definitions do not fit the keypoints.
    """
    from pose3d.batch.angle_intervals import intervals_beside
    from pose3d.io.anipose_csv import read_pose3d, write_angles
    from pose3d.kinematics import body_angles, joint_angles

    def compute(points: "Keypoints3D") -> "JointAngles":
        if definitions is not None:
            return joint_angles(points, definitions)
        return body_angles(points, fps=trial.session.config.project.fps if points.fps is None else points.fps)

    outputs: list[Path] = []
    remarks: list[str] = []
    names: tuple[str, ...] = ()
    definitions = trial.session.config.angles or None
    for i, path in enumerate(pose_3d):
        points = read_pose3d(path)
        try:
            angles = compute(points)
        except ConfigError as error:
            if definitions is not None:
                raise
            # nobody asked for angles, and these are no human keypoints: a session of a mouse is not a failure
            return StepReport((), (f"none: {str(error).removeprefix('angles: ')}",), {"angles": []})
        angles, remark = intervals_beside(path, angles, points, compute, definitions)
        remarks += [remark] if remark and remark not in remarks else []
        outputs += write_angles(angles, trial.angles_of(path))
        names = angles.names
        progress(f"angles {trial.name}", i + 1, len(pose_3d))
    return StepReport(
        with_sides(tuple(outputs)), (f"{len(names)} angles: {', '.join(names)}", *remarks), {"angles": list(names)}
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


def keep_copy(path: Path) -> Path:
    """Copy a file that will be overwritten to ``<name>.bak``, ``.bak2``, ... beside it; return the copy.

    Raises
    ------
    ProjectError
        If the copy cannot be written.
    """
    copy, n = path.with_name(f"{path.name}.bak"), 1
    while copy.exists():
        n += 1
        copy = path.with_name(f"{path.name}.bak{n}")
    try:
        shutil.copy2(path, copy)
    except OSError as error:
        raise ProjectError(f"{copy}: cannot be written ({error.strerror}); {path.name} is left alone") from error
    return copy
