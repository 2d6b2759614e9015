"""The step that finds 2D keypoints in a trial's videos, by the project's network."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pose3d.batch.actions import StepReport
from pose3d.data.names import counted
from pose3d.errors import Pose3DError
from pose3d.log import Progress, logger
from pose3d.project import Trial

if TYPE_CHECKING:
    from pose3d.network.analysis_jobs import AnalysisJob
    from pose3d.network.session_analysis import ProjectNetwork

__all__ = ["analyze_trial", "find_work", "made_by_analysis"]


def find_work(trial: Trial) -> "tuple[ProjectNetwork | None, dict[str, AnalysisJob]]":
    """Find the network that is to find a trial's 2D keypoints, and the video and file of each camera.

    Nothing where there is no such network, or another program's keypoints of this trial are there, be it of one camera:
    networks name keypoints as they like, and a view may have been left out on purpose.
    """
    if not trial.videos or any(path.suffix.lower() != ".h5" for path in trial.pose_2d.values()):
        return None, {}
    from pose3d.network.analysis import is_replaceable
    from pose3d.network.session_analysis import plan_trial, project_network

    plan = plan_trial(trial)
    outputs = {job.output for job in plan.jobs}
    others = (path for path in trial.pose_2d.values() if path not in outputs)
    if plan.left_alone or not all(map(is_replaceable, others)):
        return None, {}
    network = project_network(trial.session.project)
    return network, {} if network is None else dict(zip(trial.videos, plan.jobs, strict=True))


def made_by_analysis(path: Path) -> bool:
    """Tell whether a file is as `pose3d analyze` left it, whenever that ran."""
    from pose3d.network.analysis import is_analysis

    return is_analysis(path)


def analyze_trial(
    trial: Trial, network: "ProjectNetwork", jobs: "Sequence[AnalysisJob]", progress: Progress
) -> StepReport:
    """Find the 2D keypoints in videos of a trial; a video whose file is up to date is not looked at again.

    Raises
    ------
    Pose3DError
        If the network cannot be used, or a video fails; the others are done all the same.
    """
    from pose3d.network.analysis_jobs import analyze_videos
    from pose3d.network.session_analysis import find_model, project_analysis

    project = trial.session.project
    outcomes = analyze_videos(jobs, project_analysis(project, find_model(network.name, project)), progress=progress)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Pose3DError)]
    for error in failed[1:]:
        logger.warning("%s", error)
    if failed:
        raise failed[0]
    summaries = [outcome for outcome in outcomes if not isinstance(outcome, Pose3DError)]
    lines = [f"{counted(len(jobs), 'video')} by {network.name}", *(text for item in summaries for text in item.lines())]
    videos = [{"video": str(job.video), "output": str(job.output)} for job in jobs]
    return StepReport(tuple(job.output for job in jobs), tuple(lines), {"network": network.name, "videos": videos})
