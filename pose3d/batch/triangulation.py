"""The work of the step from a trial's 2D keypoints to its points in space."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pose3d.batch.actions import StepReport, with_sides
from pose3d.errors import ConfigError, DataError, ProjectError, VideoError
from pose3d.log import Progress, logger
from pose3d.project import Config, Trial
from pose3d.project.edits import trial_edits

if TYPE_CHECKING:
    from pose3d.data import Rig
    from pose3d.io.keypoint_stream import KeypointStream
    from pose3d.reconstruction import TriangulationRequest

__all__ = ["make_request", "triangulate_trial"]

_SAMPLES = 60  # intervals of 95 % take 39
_MOST_BYTES = 2e9  # of samples that nobody asked for


def triangulate_trial(trial: Trial, progress: Progress) -> StepReport:
    """Make points in space from a trial's 2D keypoints, and write pose-3d csv with what lies beside it.

    A recording of any length needs the memory of a few hundred frames, and goes on where it was ended. Without
    ``robust`` all views count and each frame stands for itself, with the whole recording in memory.

    Raises
    ------
    ProjectError
        If an individual's file would be another trial's.
    ConfigError
        If the project's settings do not fit the recording.
    DataError
        If keypoints, videos, timing and calibration do not fit one another.
    """
    from pose3d.io.rigs import load_rig

    session = trial.session
    _check_individuals(trial)
    fps = _frame_rate(trial, load_rig(session.calibration_toml))
    if not session.config.triangulation.robust:
        return _triangulate_plainly(trial, fps, progress)
    from pose3d.reconstruction import triangulate_files

    request = make_request(session.config)
    request = replace(
        request,
        offsets={name: n for name, n in session.config.offsets.items() if name in trial.pose_2d},
        fps=fps,
        sync=_sync(trial),
        edits=trial_edits(session, trial.name),
    )
    n_samples, remark = _default_samples(trial)
    if n_samples:
        request = replace(request, refinement=replace(request.refinement, samples=n_samples))
    try:
        made = triangulate_files(trial.pose_2d, session.calibration_toml, trial.pose_3d, request, progress=progress)
    except ConfigError as error:
        raise ConfigError(f"{session.project.config_path}: triangulation: {error}") from error
    lines = (*made.lines(), *([remark] if remark else []))
    return StepReport(with_sides(made.outputs), lines, {**made.to_dict(), "fps": made.fps})


def _default_samples(trial: Trial) -> tuple[int, str]:
    """Return how many samples to draw where the settings do not say, and why there are none."""
    settings = trial.session.config.triangulation
    if settings.samples is not None or not settings.refine:
        return 0, ""
    with _open_views(trial) as stream:
        size = stream.n_frames * len(stream.individuals) * len(stream.keypoints) * 3 * 4 * _SAMPLES
    if size <= _MOST_BYTES:
        return _SAMPLES, ""
    return 0, f"no samples: {_SAMPLES} would take {size / 1e9:.0f} GB; say samples = {_SAMPLES} to have them"


def _open_views(trial: Trial) -> "KeypointStream":
    from pose3d.io.keypoint_stream import open_keypoints

    config = trial.session.config
    offsets = {name: n for name, n in config.offsets.items() if name in trial.pose_2d}
    return open_keypoints(trial.pose_2d, skeleton=config.to_skeleton(), offsets=offsets or None, truncate=True)


def make_request(config: Config) -> "TriangulationRequest":
    """Bring a project's settings into the words of :func:`pose3d.reconstruction.from_files`.

    Parameters
    ----------
    config : Config

    Returns
    -------
    TriangulationRequest
        Without what belongs to a trial: offsets, frame rate, timing.

    Examples
    --------
    >>> from pose3d.project import check_settings
    >>> make_request(check_settings({"triangulation": {"scale_smooth": 4}})).refinement.anipose
    AniposeWeights(scale_smooth=4.0, scale_length=2.0, scale_length_weak=1.0, reproj_error_threshold=5.0)
    """
    from pose3d.reconstruction import AniposeWeights, RefinementSettings, TriangulationRequest, ViewSettings

    settings, skeleton = config.triangulation, config.to_skeleton()
    if skeleton is not None and settings.constraints is not None:
        skeleton = replace(skeleton, edges=())  # an empty list of limbs means none, not those of the skeleton
    weights = settings.anipose_weights()
    refinement = RefinementSettings(
        n_deriv_smooth=settings.n_deriv_smooth,
        smooth_mm=settings.smooth_mm,
        limbs=settings.constraints or (),
        weak_limbs=settings.constraints_weak or (),
        limb_sd_percent=settings.limb_sd_percent,
        loss=settings.loss,
        loss_scale=settings.loss_scale,
        max_gap=settings.max_gap,
        solver=settings.solver,
        samples=settings.samples or 0,
        seed=settings.seed,
        anipose=None if weights is None else AniposeWeights(**weights),
    )
    views = ViewSettings(
        score_threshold=settings.score_threshold,
        weighted=settings.weighted,
        min_cameras=settings.min_cameras,
        max_error_px=settings.max_error_px,
    )
    return TriangulationRequest(
        refinement=refinement,
        views=views,
        refine=settings.refine,
        repair_sides=settings.repair_sides,
        skeleton=skeleton,
        truncate=settings.truncate,
    )


def _triangulate_plainly(trial: Trial, fps: float | None, progress: Progress) -> StepReport:
    """Use all views and the plain direct linear transform, for comparison with other programs."""
    from pose3d.data.edited import edit_points
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction import triangulate_views
    from pose3d.reconstruction.corrections import correct_views
    from pose3d.reconstruction.from_files import read_timing
    from pose3d.reconstruction.source import InMemory, TimedSource

    config, sync = trial.session.config, _sync(trial)
    settings, edits = config.triangulation, trial_edits(trial.session, trial.name)
    skeleton = config.to_skeleton()
    keypoints = load_keypoints(
        trial.pose_2d,
        skeleton=skeleton,
        offsets={name: n for name, n in config.offsets.items() if name in trial.pose_2d} or None,
        truncate=settings.truncate or sync is not None,
        fps=fps,
    )
    if sync is not None:
        timed = TimedSource(InMemory(keypoints), read_timing(sync, keypoints.cameras))
        keypoints = timed.read(0, timed.n_frames)
    done = triangulate_views(
        correct_views(keypoints, edits, skeleton),
        load_rig(trial.session.calibration_toml),
        robust=False,
        score_threshold=settings.score_threshold,
        weighted=settings.weighted,
        min_cameras=settings.min_cameras,
        max_error_px=settings.max_error_px,
        progress=progress,
    )
    points = edit_points(done.points, edits, swap=False)
    paths = write_pose3d(points, trial.pose_3d, edits=edits.of_points)
    said = [f"Corrected by a person: {edits.of_points.summary()}"] if edits.of_points else []
    summary = {**done.summary.to_dict(), "fps": points.fps}
    return StepReport(with_sides(paths), (*done.summary.lines(), *said), summary)


def _sync(trial: Trial) -> Path | None:
    path = trial.session.sync_toml
    return path if path.exists() else None


def _check_individuals(trial: Trial) -> None:
    """Make sure that no individual's file is another trial's: it takes a trial whose name begins with this one's."""
    others = {
        other.pose_3d: other.name
        for other in trial.session.trials()
        if other.name.casefold().startswith(f"{trial.name}_".casefold())
    }
    if not others:
        return
    from pose3d.io.tables import individual_paths

    with _open_views(trial) as stream:
        individuals = stream.individuals
    for path in individual_paths(trial.pose_3d, individuals):
        if path in others:
            raise ProjectError(
                f"{path}: an individual of trial {trial.name} would be written over trial {others[path]}; rename one"
            )


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
