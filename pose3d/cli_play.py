"""The command that plays recordings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import PARTS, RecordingParts
from pose3d.cli_console import Console
from pose3d.cli_parsing import named_files

if TYPE_CHECKING:
    from pose3d.viewer.playback import Playback

__all__ = ["play"]

_PAGE = "In a browser"


@dataclass(frozen=True)
class PlayedParts(RecordingParts):
    """What is shown with a recording."""

    raw: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Points before refinement, to be shown in grey.", rich_help_panel=PARTS),
    ] = None
    second: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Another recording beside it, such as one before treatment.", rich_help_panel=PARTS
        ),
    ] = None
    shift: Annotated[
        float, typer.Option(metavar="MM", help="How far to the left of the first it is.", rich_help_panel=PARTS)
    ] = 0.0
    norms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Norms behind the gait cycles, as of the report.", rich_help_panel=PARTS),
    ] = None
    skeleton: Annotated[
        str | None, typer.Option(metavar="NAME", help="A preset skeleton, such as halpe26.", rich_help_panel=PARTS)
    ] = None


@dataclass(frozen=True)
class PageOptions:
    """How the page is served."""

    web: Annotated[
        bool,
        typer.Option("--web", metavar="", help="A page in the browser instead of a window.", rich_help_panel=_PAGE),
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write one HTML file without videos, to send on, and end.", rich_help_panel=_PAGE
        ),
    ] = None
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help="On 127.0.0.1; 0 takes a free one.", rich_help_panel=_PAGE),
    ] = 0
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", metavar="", help="Open the browser.", rich_help_panel=_PAGE),
    ] = True
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Answer to this host name too: that of a proxy through which the page is opened.",
            rich_help_panel=_PAGE,
        ),
    ] = None


def play(
    console: Console,
    source: Annotated[
        Path,
        typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), or a session's folder."),
    ],
    parts: PlayedParts,
    page: PageOptions,
) -> int:
    """Play a recording: the skeleton in 3D, the videos with it, the joint angles, and where the data is weak.

    Of a file in a project, cameras, videos, detections, angles and events are found by themselves. What is corrected
    here is saved beside the recording as edits that triangulate, run and report apply; press ? for the keys.
    """
    from pose3d.batch.playing import load_recording, queue_of
    from pose3d.errors import DependencyError
    from pose3d.viewer.window.application import MISSING_GUI, check_display, play_in_window

    window = not (page.web or page.save)
    if window:
        try:
            check_display()
        except DependencyError as error:
            if str(error) != MISSING_GUI:
                raise
            console.step(f"{MISSING_GUI}; opening the page in the browser (--web)")
            window = False
    playback, load_more = load_recording(
        source,
        trial=parts.trial,
        rig=parts.calibration,
        videos=named_files(parts.video, "--video"),
        views=named_files(parts.detected, "--views"),
        raw=parts.raw,
        norms=parts.norms,
        skeleton=_skeleton(parts.skeleton),
    )
    console.say(f"{playback.name}: {playback.n_frames} frames at {playback.fps:g} fps, {len(playback.videos)} videos")
    console.say(*(f"note: {remark}" for remark in playback.remarks))
    second = None if parts.second is None else load_recording(parts.second)[0]
    if not window:
        return _serve(console, load_more(playback), page, second, parts.shift)
    play_in_window(playback, second=second, second_shift_mm=parts.shift, load_more=load_more, queue=queue_of(playback))
    console.result({"recording": playback.path, "frames": playback.n_frames, "remarks": playback.remarks})
    return 0


def _serve(console: Console, playback: "Playback", page: PageOptions, other: "Playback | None", shift_mm: float) -> int:
    from pose3d.batch.playing import queue_of
    from pose3d.viewer.web.packing import SecondRecording

    second = None if other is None else SecondRecording(other, shift_mm)
    if page.save is not None:
        from pose3d.viewer.web.standalone import write_document

        write_document(playback, page.save, second=second)
        console.say(f"written: {page.save}")
        console.result({"outputs": [page.save]})
        return 0
    from pose3d.viewer.web.server import serve_playback

    def ready(url: str) -> None:
        if console.json:  # stdout is for the summary alone
            console.step(f"play at {url}")
        console.say(f"play at {url}", "Ctrl-C ends")
        console.stdout.flush()
        if page.browser:
            import webbrowser

            webbrowser.open(url)

    show: Callable[[str], None] = ready
    serve_playback(
        playback,
        second=second,
        queue=queue_of(playback),
        port=page.port,
        hosts=tuple(page.host or ()),
        ready=show,
    )
    console.result({"recording": playback.path, "frames": playback.n_frames, "remarks": playback.remarks})
    return 0


def _skeleton(name: str | None) -> object:
    from pose3d.cli_inputs import preset_skeleton

    return preset_skeleton(name)
