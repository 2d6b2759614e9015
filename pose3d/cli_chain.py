"""The command of the chain after the calibration: triangulate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import (
    CamRegex,
    EditsFile,
    Files,
    Output,
    ReconstructionOptions,
    RecordingTiming,
    SkeletonName,
)
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_edits, preset_skeleton, require_output, run_in_session
from pose3d.cli_parsing import camera_files, given, parse_links, parse_offsets, parse_subject, session_folder

if TYPE_CHECKING:
    from pose3d.data import Keypoints3D, Skeleton
    from pose3d.data.edits import Edits

__all__ = ["triangulate"]


def triangulate(
    console: Console,
    files: Files,
    views: ReconstructionOptions,
    timing: RecordingTiming,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", "-c", metavar="FILE", help="Calibration of the cameras.")
    ] = None,
    skeleton: SkeletonName = None,
    cam_regex: CamRegex = None,
    edits: EditsFile = None,
    output: Output = None,
) -> int:
    """Make 3D keypoints from the keypoints in each camera.

    Reads DeepLabCut h5 and csv, SLEAP analysis h5 and folders of OpenPose json. Views that disagree are left out, left
    and right are put right, and all frames are refined together. Writes an anipose csv; covariance, status and what
    was filled go beside it. Ended half-way, it goes on when it is called again.
    """
    folder = session_folder(files)
    if folder is not None:
        return run_in_session(
            console,
            folder,
            "triangulate",
            given(
                views,
                timing,
                calibration=calibration,
                skeleton=skeleton,
                cam_regex=cam_regex,
                edits=edits,
                output=output,
            ),
        )
    named = preset_skeleton(skeleton)
    offsets = parse_offsets(timing.offset or ())
    links = parse_links(views.limb or (), "--limb"), parse_links(views.pair or (), "--pair")
    sources = camera_files(files, cam_regex)
    output = require_output(output, *sources.values(), calibration, timing.sync, edits, example="trial.csv")
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    corrected = load_edits(edits, output.stem)
    hint = None if views.subject is None else parse_subject(views.subject)
    if not views.robust:
        return _triangulate_plainly(console, sources, calibration, output, views, timing, named, corrected)
    from pose3d.reconstruction import RefinementSettings, TriangulationRequest, ViewSettings, triangulate_files

    request = TriangulationRequest(
        refinement=RefinementSettings(
            n_deriv_smooth=views.smooth_order,
            smooth_mm=views.smooth_mm,
            limbs=links[0],
            limb_sd_percent=views.limb_sd,
            loss=views.loss,
            loss_scale=views.loss_scale,
            max_gap=views.max_gap,
            solver=views.solver,
            samples=views.samples,
        ),
        views=ViewSettings(
            score_threshold=views.score_threshold,
            weighted=views.weights,
            min_cameras=views.min_cameras,
            max_error_px=views.max_error_px,
            pairs=links[1],
        ),
        refine=views.refine,
        repair_sides=views.swaps,
        skeleton=named,
        offsets=offsets,
        truncate=timing.truncate,
        fps=timing.fps,
        sync=timing.sync,
        subject=hint,
        edits=corrected,
    )
    with console.progress() as progress:
        made = triangulate_files(sources, calibration, output, request, progress=progress)
    console.say(*made.lines(), *(f"written: {path}" for path in made.outputs))
    console.result(made.to_dict())
    return 0


def _triangulate_plainly(
    console: Console,
    sources: dict[str, Path],
    calibration: Path,
    output: Path,
    views: ReconstructionOptions,
    timing: RecordingTiming,
    skeleton: "Skeleton | None",
    edits: "Edits",
) -> int:
    """Use all views and the plain direct linear transform, for comparison with other programs."""
    from pose3d.data.edited import edit_points
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction import triangulate_views
    from pose3d.reconstruction.corrections import correct_views

    offsets = parse_offsets(timing.offset or ())
    rig = load_rig(calibration)
    keypoints = load_keypoints(
        sources, skeleton=skeleton, offsets=offsets or None, truncate=timing.truncate, fps=timing.fps
    )
    with console.progress() as progress:
        made = triangulate_views(
            correct_views(keypoints, edits, skeleton),
            rig,
            robust=False,
            score_threshold=views.score_threshold,
            weighted=views.weights,
            min_cameras=views.min_cameras,
            max_error_px=views.max_error_px,
            progress=progress,
        )
    written = write_pose3d(edit_points(made.points, edits, swap=False), output, edits=edits.of_points)
    console.say(*made.summary.lines(), *(f"written: {path}" for path in written))
    console.result({"outputs": written, **_axes(made.points), **made.summary.to_dict()})
    return 0


def _axes(points: "Keypoints3D") -> dict[str, object]:
    return {
        "n_frames": points.n_frames,
        "fps": points.fps,
        "individuals": points.individuals,
        "keypoints": points.keypoints,
    }
