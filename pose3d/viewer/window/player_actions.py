"""What the player can do, with keys: the one table behind buttons, menus, shortcuts and the help."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pose3d.data.events import OFF, STRIKE
from pose3d.viewer.view_camera import StandardView
from pose3d.viewer.window.actions import Action

if TYPE_CHECKING:
    from pose3d.viewer.window.player_window import PlayerWindow

__all__ = ["make_actions"]

_TIME, _SPACE, _SHOWN, _VIDEO, _CORRECT, _HELP = "Time", "3D view", "Shown", "Videos and plots", "Correct", "Window"


_MAGNIFIED = 10.0


def make_actions(window: "PlayerWindow") -> tuple[Action, ...]:
    """Make the table for a window."""
    return (*_time(window), *_space(window), *_shown(window), *_videos(window), *_corrections(window), *_others(window))


def _time(window: "PlayerWindow") -> tuple[Action, ...]:
    transport = window.transport

    def bad(step: int) -> None:
        row = window.playback.next_bad(window.row, step)
        if row is None:
            window.tell("no stretch to look at " + ("after" if step > 0 else "before") + " this frame")
            return
        window.seek(row)
        reason = next((each.reason for each in window.playback.bad_frames if each.first == row), "")
        window.tell(f"frame {window.playback.points.start + row}: {reason}")

    def event(step: int) -> None:
        rows = [round(tick.row) for tick in window.timeline.events]
        rest = [row for row in rows if (row > window.row if step > 0 else row < window.row)]
        if rest:
            window.seek(min(rest) if step > 0 else max(rest))

    def faster(steps: int) -> None:
        transport.faster(steps)
        window.refresh_bars()

    def normal() -> None:
        transport.speed = 1.0
        window.refresh_bars()

    def loop(on: bool) -> None:
        whole = (0, transport.n_rows - 1)
        transport.loop = (window.selection or whole) if on else None
        window.refresh_bars()

    def begin() -> None:
        window.select((window.row, max(window.row, window.selection[1] if window.selection else window.row)))

    def end() -> None:
        window.select((min(window.row, window.selection[0] if window.selection else window.row), window.row))

    def seek_s(seconds: float) -> None:
        window.seek(round(window.row + seconds * window.playback.fps))

    return (
        Action("Play", ("Space",), "Play or pause", window.toggle_play, _TIME),
        Action("Next frame", ("Right", "."), "One frame on", partial(window.step, 1), _TIME, repeats=True),
        Action("Previous frame", ("Left", ","), "One frame back", partial(window.step, -1), _TIME, repeats=True),
        Action("Second on", ("Shift+Right",), "A second on", partial(seek_s, 1.0), _TIME, repeats=True),
        Action("Second back", ("Shift+Left",), "A second back", partial(seek_s, -1.0), _TIME, repeats=True),
        Action("First", ("Home",), "To the first frame", partial(window.seek, 0), _TIME),
        Action("Last", ("End",), "To the last frame", lambda: window.seek(transport.n_rows - 1), _TIME),
        Action("Faster", ("]", "Up"), "Play faster, up to 8 times", partial(faster, 1), _TIME),
        Action("Slower", ("[", "Down"), "Play slower, down to 0.05 times", partial(faster, -1), _TIME),
        Action("Normal speed", ("Backspace",), "Play as fast as life", normal, _TIME),
        Action("Loop", ("L",), "Play the selection, or all, over and over", loop, _TIME, on=False),
        Action("Select from", ("I",), "The selection begins at this frame", begin, _TIME),
        Action("Select to", ("O",), "The selection ends at this frame", end, _TIME),
        Action("No selection", ("Escape",), "Forget the selection", partial(window.select, None), _TIME),
        Action("Next weak", ("N",), "To the next stretch that should be looked at", partial(bad, 1), _TIME),
        Action("Previous weak", ("Shift+N",), "To the one before", partial(bad, -1), _TIME),
        Action("Next event", ("E",), "To the next gait event", partial(event, 1), _TIME),
        Action("Previous event", ("Shift+E",), "To the gait event before", partial(event, -1), _TIME),
    )


def _space(window: "PlayerWindow") -> tuple[Action, ...]:
    view = window.view

    def next_camera() -> None:
        rig = window.playback.rig
        if rig is None:
            window.tell("there is no calibration: no camera to look through")
            return
        names = rig.names
        at = names.index(view.through) + 1 if view.through in names else 0
        if at < len(names):
            view.look_through(names[at])
        else:
            view.frame_subject("orbit")

    def from_side(name: StandardView) -> Callable[[], None]:
        return lambda: view.frame_subject(name)

    return (
        Action("Oblique", ("V",), "Look from the front and the side", from_side("orbit"), _SPACE),
        Action("Front", ("F",), "Look at the subject's front", from_side("front"), _SPACE),
        Action("Side", ("S",), "Look at the subject's right side", from_side("side"), _SPACE),
        Action("Top", ("T",), "Look from above", from_side("top"), _SPACE),
        Action("Camera", ("C",), "Look through the next camera, over its video", next_camera, _SPACE),
        Action("Frame", ("A",), "Frame the subject again", view.frame_subject, _SPACE),
        Action("Follow", ("G",), "Go with the subject", view.set_follows, _SPACE, on=view.follows),
        Action("Nearer", ("+", "="), "Come nearer", partial(view.zoom, 1.2), _SPACE, repeats=True),
        Action("Farther", ("-",), "Go away", partial(view.zoom, 1 / 1.2), _SPACE, repeats=True),
    )


def _shown(window: "PlayerWindow") -> tuple[Action, ...]:
    def part(field: str) -> Callable[[bool], None]:
        return lambda on: window.show_parts(**{field: on})

    def arcs(on: bool) -> None:
        from pose3d.viewer.arcs import AngleArcs

        # Those that are plotted: all numbers at once would hide each other.
        plotted = window.traces.shown_names
        names = [name for name in AngleArcs(window.playback).names if name in plotted]
        window.show_parts(angles=tuple(names) if on else ())

    def magnify(on: bool) -> None:
        window.show_parts(magnify=_MAGNIFIED if on else 1.0)
        if on:
            window.tell(f"ellipsoids are drawn {_MAGNIFIED:g} times as large as they are")

    settings = window.view.settings
    rows = (
        ("Trails", "F2", "Where hands and feet have been", "trails"),
        ("Uncertainty", "F3", "Ellipsoids that hold each point with 95 % probability", "ellipsoids"),
        ("Floor", "F4", "The floor's grid", "floor"),
        ("Cameras", "F5", "Where the cameras stand", "frusta"),
        ("Shadow", "F6", "The shadow on the floor", "shadow"),
        ("Mass", "F7", "The centre of mass", "centre_of_mass"),
        ("Events", "F8", "Gait events on the floor", "events"),
        ("Raw", "F9", "The points before refinement", "raw"),
        ("Names", "F11", "Names of the individuals", "names"),
    )
    made = [Action(name, (key,), tip, part(field), _SHOWN, getattr(settings, field)) for name, key, tip, field in rows]
    tip = f"Ellipsoids {_MAGNIFIED:g} times as large: of good recordings they are too small to see"
    made.insert(2, Action("Magnify", ("Shift+F3",), tip, magnify, _SHOWN, on=False))
    made.insert(-1, Action("Angles", ("F10",), "Angles at their joints, with intervals", arcs, _SHOWN, on=False))
    return tuple(made)


def _videos(window: "PlayerWindow") -> tuple[Action, ...]:
    def overlay(on: bool) -> None:
        for pane in window.panes.values():
            pane.overlay = on
            pane.update()

    def same() -> None:
        if window.grid.large is not None:
            window.grid.enlarge(window.grid.large)

    def side() -> None:
        window.traces.set_side(3 - window.traces.side)

    def who() -> None:
        n = len(window.playback.points.individuals)
        window.traces.set_individual((window.traces.individual + 1) % n)
        window.tell(f"plots: {window.playback.points.individuals[window.traces.individual]}")

    cameras = [
        Action(f"Enlarge {i}", (str(i),), f"Enlarge {camera}", partial(window.grid.enlarge, camera), _VIDEO)
        for i, camera in enumerate(list(window.panes)[:9], start=1)
    ]
    return (
        *cameras,
        Action("All the same", ("0",), "All videos equally large", same, _VIDEO),
        Action("Overlay", ("D",), "Keypoints over the videos", overlay, _VIDEO, on=True),
        Action("Other side", ("X",), "Gait cycles of the other side", side, _VIDEO),
        Action("Next individual", ("W",), "Angles of the next individual", who, _VIDEO),
    )


def _corrections(window: "PlayerWindow") -> tuple[Action, ...]:
    corrections = window.corrections

    def stretch() -> tuple[int, int]:
        return window.selection or (window.row, window.row)

    def chosen(change: Callable[[int], str]) -> None:
        index = window.timeline.chosen
        if window.playback.events is None or not 0 <= index < len(window.playback.events):
            window.tell("choose an event first: click its tick in the strip")
        else:
            window.correct(lambda: change(index))

    def delete() -> None:
        events = window.playback.events
        if events is not None:
            chosen(lambda index: corrections.delete_event(events, index))

    def move() -> None:
        events = window.playback.events
        if events is not None:
            chosen(lambda index: corrections.move_event(events, index, window.row))

    def add(limb: str, kind: str) -> Callable[[], None]:
        return lambda: window.correct(lambda: corrections.add_event(limb, kind, window.row))

    def bad(camera: str | None = None) -> None:
        window.correct(lambda: corrections.mark_bad(*stretch(), camera=camera))

    def bad_view() -> None:
        camera = window.view.through or window.grid.large
        if camera is None:
            window.tell("enlarge a video first: its views in the selection are then not used")
        else:
            bad(camera)

    return (
        Action("Mark bad", ("B",), "The selection, or this frame, becomes missing", bad, _CORRECT),
        Action("Mark view bad", ("Shift+B",), "The same, for the enlarged video alone", bad_view, _CORRECT),
        Action(
            "Swap sides",
            ("Z",),
            "Exchange left and right in the selection, or in this frame",
            lambda: window.correct(lambda: corrections.swap_sides(*stretch())),
            _CORRECT,
        ),
        Action("Delete event", ("Del",), "Delete the chosen gait event", delete, _CORRECT),
        Action("Move event", ("M",), "Move the chosen gait event to this frame", move, _CORRECT),
        Action("Left strike", ("Ctrl+1",), "Add a strike of the left foot here", add("L", STRIKE), _CORRECT),
        Action("Left off", ("Ctrl+2",), "Add where the left foot leaves the floor", add("L", OFF), _CORRECT),
        Action("Right strike", ("Ctrl+3",), "Add a strike of the right foot here", add("R", STRIKE), _CORRECT),
        Action("Right off", ("Ctrl+4",), "Add where the right foot leaves the floor", add("R", OFF), _CORRECT),
        Action(
            "Undo", ("Ctrl+Z",), "Take the last correction back", lambda: window.correct(corrections.undo), _CORRECT
        ),
        Action("Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Make it again", lambda: window.correct(corrections.redo), _CORRECT),
        Action(
            "To labelling",
            ("Q",),
            "Send this instant to the labelling queue",
            window.send_to_queue,
            _CORRECT,
        ),
    )


def _others(window: "PlayerWindow") -> tuple[Action, ...]:
    return (
        Action("Help", ("?", "F1", "Shift+?"), "This table", window.show_help, _HELP),
        Action("Remarks", ("R",), "What is missing or does not fit", window.show_remarks, _HELP),
        Action("Save picture", ("Ctrl+P",), "Save a picture of the window as PNG", window.save_picture, _HELP),
        Action("Close", ("Ctrl+Q", "Ctrl+W"), "Close the window; nothing is lost", window.close, _HELP),
    )
