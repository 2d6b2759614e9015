"""The command that filters keypoints, in images or in space."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pose3d.cli_arguments import CamRegex, SkeletonName
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, preset_skeleton, require_output
from pose3d.cli_parsing import camera_files, given, session_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pose3d.data import Keypoints2D, Skeleton
    from pose3d.filtering import Filters
    from pose3d.geometry.arrays import FloatArray

__all__ = ["filter"]

_TAKE, _FILL, _SMOOTH = "1. What is taken away", "2. Gaps", "3. Smoothing"
_ONLY_2D = ("viterbi", "n_back", "offset_threshold", "score_threshold")


@dataclasses.dataclass
class FilterOptions:
    """Filters, applied in this order."""

    viterbi: Annotated[
        bool,
        typer.Option(
            "--viterbi",
            metavar="",
            help="2D: choose the track among each keypoint's candidate peaks; where there is one, drop what is off it.",
            rich_help_panel=_TAKE,
        ),
    ] = False
    n_back: Annotated[
        int, typer.Option(min=1, metavar="FRAMES", help="Of --viterbi: frames linked at most.", rich_help_panel=_TAKE)
    ] = 5
    offset_threshold: Annotated[
        float,
        typer.Option(
            min=0.001,
            metavar="PX",
            help="Of --viterbi: how far a keypoint moves in a frame (standard deviation).",
            rich_help_panel=_TAKE,
        ),
    ] = 25.0
    score_threshold: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="0..1", help="2D: drop detections below this score.", rich_help_panel=_TAKE),
    ] = 0.05
    max_error_px: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="PX", help="3D: drop points with larger reprojection errors.", rich_help_panel=_TAKE
        ),
    ] = None
    outliers: Annotated[
        int | None,
        typer.Option(
            min=3,
            metavar="FRAMES",
            help="Drop points that jump away from the median over so many frames (odd, such as 11).",
            rich_help_panel=_TAKE,
        ),
    ] = None
    outlier_distance: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="PX|MM",
            help="Of --outliers: nearer ones are kept. [dim]Default: 5 px in 2D, 20 mm in 3D.[/dim]",
            rich_help_panel=_TAKE,
        ),
    ] = None
    max_gap: Annotated[
        int,
        typer.Option(
            min=0, metavar="FRAMES", help="Fill gaps up to this length; longer ones stay.", rich_help_panel=_FILL
        ),
    ] = 0
    max_gap_s: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", help="The same in seconds, instead of --max-gap.", rich_help_panel=_FILL),
    ] = None
    interpolation: Annotated[
        Literal["pchip", "cubic", "linear"],
        typer.Option(metavar="KIND", help="How: pchip, cubic or linear.", rich_help_panel=_FILL),
    ] = "pchip"
    median: Annotated[
        int | None,
        typer.Option(min=3, metavar="FRAMES", help="Median over so many frames (odd).", rich_help_panel=_SMOOTH),
    ] = None
    butterworth_hz: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="HZ",
            help="Zero-lag Butterworth low-pass, 3 dB down exactly here after both passes.",
            rich_help_panel=_SMOOTH,
        ),
    ] = None
    butterworth_order: Annotated[
        int,
        typer.Option(
            min=2, max=16, metavar="N", help="Its order, both passes together (even).", rich_help_panel=_SMOOTH
        ),
    ] = 4
    savgol: Annotated[
        int | None,
        typer.Option(
            min=3,
            metavar="FRAMES",
            help="Savitzky-Golay over so many frames (odd), instead of --butterworth-hz; its cutoff is reported.",
            rich_help_panel=_SMOOTH,
        ),
    ] = None
    savgol_degree: Annotated[
        int, typer.Option(min=0, metavar="N", help="Degree of its polynomial.", rich_help_panel=_SMOOTH)
    ] = 3

    def make(self, *, space: bool) -> "Filters":
        """Make the settings of the library."""
        from pose3d.filtering import Filters

        nearest = 20.0 if space else 5.0
        return Filters(
            score_threshold=0.0 if space else self.score_threshold,
            max_error_px=self.max_error_px if space else None,
            outlier_window=self.outliers,
            outlier_distance=nearest if self.outlier_distance is None else self.outlier_distance,
            max_gap=self.max_gap,
            max_gap_s=self.max_gap_s,
            interpolation=self.interpolation,
            median=self.median,
            butterworth_hz=self.butterworth_hz,
            butterworth_order=self.butterworth_order,
            savgol=self.savgol,
            savgol_degree=self.savgol_degree,
        )

    def require_rate(self, fps: float | None) -> None:
        """Refuse what is given in Hz or s for a recording whose frame rate is not known."""
        if fps is None and not (self.butterworth_hz is None and self.max_gap_s is None):
            raise typer.BadParameter("the files do not tell their frame rate, which is needed", param_hint="--fps")


def filter(
    console: Console,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="One file of 3D keypoints (csv or trc); or the 2D keypoints of each camera: NAME=PATH, or paths in"
            " whose names --cam-regex finds the camera.",
            show_default=False,
        ),
    ],
    options: FilterOptions,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the files do not say.")
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option("--suggest-cutoff", metavar="", help="Only say which cutoff Winter's residual analysis suggests."),
    ] = False,
    independent: Annotated[
        bool,
        typer.Option(
            "--independent",
            metavar="",
            help="3D: errors are independent from frame to frame (triangulate --no-refine): smoothing keeps the"
            " covariance, which is left out otherwise.",
        ),
    ] = False,
    skeleton: SkeletonName = None,
    cam_regex: CamRegex = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER", help="The csv of 3D keypoints, or the folder of 2D ones, to write."
        ),
    ] = None,
) -> int:
    """Filter keypoints in space or in images: take jumps away, fill short gaps, smooth; in this order.

    3D keypoints give a csv; 2D keypoints a folder with a DeepLabCut h5 a camera, named as the files that were read.
    What was filled is marked: by its status in 3D, by a score of 0 in 2D, which triangulate leaves out. What
    triangulate has refined is smooth already.
    """
    if session_folder(files) is not None:
        raise typer.BadParameter(f"{files[0]} is a folder; give the files to filter", param_hint="FILES")
    from pose3d.io.anipose_csv import is_pose3d

    if len(files) == 1 and (files[0].lower().endswith(".trc") or is_pose3d(files[0])):
        stray = [*given(skeleton=skeleton, cam_regex=cam_regex), *_stray(options, _ONLY_2D)]
        if stray:
            raise typer.BadParameter(f"is for 2D keypoints; {files[0]} holds 3D ones", param_hint=", ".join(stray))
        return _filter_space(console, files[0], options, fps, independent, suggest, output)
    stray = [*given(independent=independent), *_stray(options, ("max_error_px",))]
    if stray:
        raise typer.BadParameter("is for 3D keypoints; these are 2D ones", param_hint=", ".join(stray))
    human = preset_skeleton(skeleton)
    sources = camera_files(files, cam_regex)
    targets = {} if suggest else _targets(sources, output)
    filters = options.make(space=False)
    options.require_rate(fps)
    views = _read_views(console, sources, options, human, fps)
    if suggest:
        return _say_cutoffs(console, {name: (view.xy, view.fps) for name, view in views.items()}, options, "px")
    return _filter_images(console, views, filters, targets)


def _stray(options: FilterOptions, names: tuple[str, ...]) -> list[str]:
    """Return those of some options that were given."""
    return [option for option in given(options) if option[2:].replace("-", "_") in names]


def _targets(sources: "Mapping[str, Path]", output: Path | None) -> dict[str, Path]:
    """Return where each camera's file goes: a folder, or for a single camera a file."""
    from pose3d.io.names import KEYPOINT_SUFFIXES
    from pose3d.project.names import stem_of

    output = require_output(output, example="pose-2d-filtered")
    if output.suffix.lower() in KEYPOINT_SUFFIXES:
        if len(sources) > 1:
            raise typer.BadParameter(
                f"{output} is one file, there are {len(sources)} cameras; name a folder", param_hint="--output"
            )
        targets = dict.fromkeys(sources, output)
    else:
        stems = [stem_of(path) for path in sources.values()]
        names = stems if len(set(stems)) == len(stems) else list(sources)
        targets = {camera: output / f"{name}.h5" for camera, name in zip(sources, names, strict=True)}
    for target in targets.values():
        require_output(target, *sources.values(), example="pose-2d-filtered")
    return targets


def _filter_space(
    console: Console,
    path: str,
    options: FilterOptions,
    fps: float | None,
    independent: bool,
    suggest: bool,
    output: Path | None,
) -> int:
    from pose3d.filtering import filter_3d
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.uncertainty import read_held_edits

    filters = options.make(space=True)
    if not suggest:
        output = require_output(output, path, example="trial-filtered.csv", ending=".csv")
        if not filters.names:
            raise typer.BadParameter(
                "no filter is asked for, such as --outliers 11 --max-gap 10 --butterworth-hz 6", param_hint="FILTERS"
            )
    points = load_points(path)
    points = points if fps is None else dataclasses.replace(points, fps=fps)
    options.require_rate(points.fps)
    if suggest:
        return _say_cutoffs(console, {"": (points.xyz, points.fps)}, options, "mm")
    assert output is not None
    made, summary = filter_3d(points, filters, independent=independent)
    written = write_pose3d(made, output, edits=read_held_edits(path))
    console.say(*summary.lines())
    if points.covariance is not None and made.covariance is None:
        console.say("covariance: left out, as it is not known after this filter")
    console.say(*(f"written: {file}" for file in written))
    console.result({"outputs": written, **summary.to_dict()})
    return 0


def _read_views(
    console: Console,
    sources: "Mapping[str, Path]",
    options: FilterOptions,
    skeleton: "Skeleton | None",
    fps: float | None,
) -> "dict[str, Keypoints2D]":
    """Read each camera for itself, so that their files may differ in length."""
    from pose3d.errors import DataError
    from pose3d.filtering import viterbi_filter
    from pose3d.io.dlc_candidates import read_dlc_candidates
    from pose3d.io.keypoints import load_keypoints

    views = {}
    for camera, path in sources.items():
        if options.viterbi:
            peaks = dataclasses.replace(read_dlc_candidates(path, camera=camera), fps=fps)
            with console.progress() as progress:
                views[camera] = viterbi_filter(
                    peaks,
                    n_back=options.n_back,
                    offset_threshold=options.offset_threshold,
                    score_threshold=options.score_threshold,
                    progress=progress,
                )
            continue
        view = load_keypoints({camera: path}, skeleton=skeleton, fps=fps)
        if len(view.individuals) > 1 and all(name.startswith("person_") for name in view.individuals):
            raise DataError(
                f"{path}: lists several people in an order that changes from frame to frame, so that nothing can be "
                "smoothed; triangulate first, which finds the subject, and filter the 3D keypoints"
            )
        views[camera] = view
    return views


def _filter_images(
    console: Console, views: "Mapping[str, Keypoints2D]", filters: "Filters", targets: "Mapping[str, Path]"
) -> int:
    from pose3d.filtering import filter_2d
    from pose3d.io.dlc import write_dlc

    done = {camera: filter_2d(view, filters) for camera, view in views.items()}
    width = max(len(camera) for camera in done)
    for camera, (made, summary) in done.items():
        write_dlc(made, targets[camera])
        console.say(*(f"{camera:<{width}}  {line}" for line in summary.lines()))
    console.say(*(f"written: {path}" for path in targets.values()))
    console.result(
        {
            "outputs": list(targets.values()),
            "cameras": {camera: summary.to_dict() for camera, (_, summary) in done.items()},
        }
    )
    return 0


def _say_cutoffs(
    console: Console, recordings: "Mapping[str, tuple[FloatArray, float | None]]", options: FilterOptions, unit: str
) -> int:
    from pose3d.filtering import suggest_cutoff

    found = {}
    for name, (values, fps) in recordings.items():
        if fps is None:
            raise typer.BadParameter("the files do not tell their frame rate, which is needed", param_hint="--fps")
        found[name] = suggest_cutoff(values, fps=fps, order=options.butterworth_order)
        console.say(
            f"{name + ': ' if name else ''}residual analysis suggests {found[name].overall_hz:.1f} Hz (median over the"
            " keypoints)"
        )
    # Of mice no source was found; 20 to 30 Hz keep as many harmonics of 3.5 to 4.5 strides a second as 6 Hz of a walk.
    console.say(
        "a help for choosing, no optimum: walking is usually filtered at 6 Hz, running at 10 to 15, mice at 20 to 30"
    )
    told = {name: {**each.to_dict(), "unit": unit} for name, each in found.items()}
    console.result(told.get("", {"cameras": told}))
    return 0
