"""The command about what a person corrected: edits."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_console import Console
from pose3d.cli_parsing import parse_links

if TYPE_CHECKING:
    from pose3d.data.edits import Edit
    from pose3d.project.edits import EditsPlace

__all__ = ["edits"]

_PANEL = "One more correction"


@dataclasses.dataclass
class Corrections:
    """What is to be corrected."""

    bad: Annotated[
        str | None,
        typer.Option(metavar="FIRST-LAST", help="These frames are not to be used.", rich_help_panel=_PANEL),
    ] = None
    swap: Annotated[
        str | None,
        typer.Option(metavar="FIRST-LAST", help="Left and right are exchanged.", rich_help_panel=_PANEL),
    ] = None
    move: Annotated[
        str | None,
        typer.Option(
            metavar="LIMB,KIND,FROM,TO", help="An event is at another time: L,strike,1.52,1.48.", rich_help_panel=_PANEL
        ),
    ] = None
    delete: Annotated[
        str | None, typer.Option(metavar="LIMB,KIND,S", help="There is no such event.", rich_help_panel=_PANEL)
    ] = None
    add: Annotated[
        str | None, typer.Option(metavar="LIMB,KIND,S", help="There is an event.", rich_help_panel=_PANEL)
    ] = None
    keypoints: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of --bad: these alone.", rich_help_panel=_PANEL)
    ] = None
    pair: Annotated[
        list[str] | None,
        typer.Option(metavar="LEFT,RIGHT", help="Of --swap: this pair alone; may be repeated.", rich_help_panel=_PANEL),
    ] = None
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of --bad and --swap: the views of this camera.", rich_help_panel=_PANEL),
    ] = None
    individual: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of several: this one.", rich_help_panel=_PANEL)
    ] = None
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why; or a note by itself.", rich_help_panel=_PANEL)] = ""

    def make(self) -> "Edit | None":
        """Make the correction that is asked for; None where none is."""
        asked = [name for name in ("bad", "swap", "move", "delete", "add") if getattr(self, name) is not None]
        if len(asked) > 1:
            raise typer.BadParameter("give one correction at a time", param_hint=f"--{asked[1]}")
        what = asked[0] if asked else "note"
        for name, owners in {"keypoints": "bad", "pair": "swap", "camera": "bad swap"}.items():
            if getattr(self, name) and what not in owners.split():
                raise typer.BadParameter(
                    f"goes with {' and '.join(f'--{each}' for each in owners.split())}", param_hint=f"--{name}"
                )
        try:
            made = self._made()
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=f"--{what}") from error
        return made and dataclasses.replace(made, individual=self.individual, note=self.note if asked else "")

    def _made(self) -> "Edit | None":
        from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, MovedEvent, Remark, SwappedSides

        if self.bad is not None:
            names = tuple(name.strip() for name in (self.keypoints or "").split(",") if name.strip())
            return BadStretch(*_frames(self.bad, "--bad"), names, self.camera)
        if self.swap is not None:
            return SwappedSides(*_frames(self.swap, "--swap"), parse_links(self.pair or (), "--pair"), self.camera)
        if self.move is not None:
            limb, kind, (from_s, to_s) = _event(self.move, 2, "--move")
            return MovedEvent(limb, kind, from_s, to_s)
        if self.delete is not None:
            limb, kind, (time_s,) = _event(self.delete, 1, "--delete")
            return DeletedEvent(limb, kind, time_s)
        if self.add is not None:
            limb, kind, (time_s,) = _event(self.add, 1, "--add")
            return AddedEvent(limb, kind, time_s)
        return Remark(self.note) if self.note else None


def edits(
    console: Console,
    correction: Corrections,
    session: Annotated[
        Path,
        typer.Argument(
            metavar="SESSION", help="A session's folder, a csv of points, or an edits.toml.", show_default=False
        ),
    ],
    trial: Annotated[str | None, typer.Option(metavar="NAME", help="Of this trial alone.", show_default=False)] = None,
    undo: Annotated[bool, typer.Option("--undo", metavar="", help="Take back the last correction.")] = False,
    redo: Annotated[bool, typer.Option("--redo", metavar="", help="Do again what was last taken back.")] = False,
) -> int:
    """List what a person corrected, add to it, or take it back.

    Corrections are made here, in pose3d play, or by hand in SESSION/edits.toml: bad stretches, exchanged sides, events
    that are moved, deleted or added. They change no recording; run, triangulate, events and report apply them, and say
    so. Frames are those of the recording, first and last included; times are seconds from its frame 0.
    """
    from pose3d.io.edits import EditLog, read_edits

    place, names = _place(session)
    asked = correction.make()
    if (asked is not None) + undo + redo > 1:
        raise typer.BadParameter("one at a time: add, take back or do again", param_hint="--redo" if redo else "--undo")
    found = read_edits(place.path)
    if asked is not None or undo or redo:
        known = tuple(found) if asked is None and not trial and found else names or tuple(found)
        log = EditLog(place.path, _one_trial(trial or place.trial, known, place.path))
        done: Edit | None = asked
        if asked is not None:
            log.append(asked)
        else:
            done = log.undo() if undo else log.redo()
        word = "corrected" if asked is not None else "taken back" if undo else "done again"
        nothing = f"there is nothing to be {word}"
        console.say(nothing if done is None else f"{word}: {log.trial}: {done.words}")
        summary = {"trial": log.trial, "changed": None if done is None else done.words, "left": len(log.edits)}
        console.result({"file": log.path, **summary})
        return 0
    only = trial or place.trial or None
    shown = {name: own for name, own in found.items() if only in (None, name) and (own.entries or own.undone)}
    for name, own in shown.items():
        console.say(f"{name}: {own.summary() or 'nothing'}", *(f"  {line}" for line in own.lines()))
        if own.undone:
            console.say(f"  taken back: {len(own.undone)} (--redo)")
        if names and name not in names:
            console.warn(f"{place.path}: there is no trial {name!r}; there is {', '.join(names)}")
    if not shown:
        console.say("nothing is corrected")
    listed = {name: {"edits": _listed(own.entries), "undone": _listed(own.undone)} for name, own in shown.items()}
    console.result({"file": place.path, "trials": listed})
    return 0


def _listed(entries: "tuple[Edit, ...]") -> list[dict[str, object]]:
    from pose3d.io.edits import edit_tables

    tables = edit_tables(entries)
    return [{**table, "words": entry.words} for table, entry in zip(tables, entries, strict=True)]


def _place(path: Path) -> "tuple[EditsPlace, tuple[str, ...]]":
    """Return the file of edits that is meant, the trial if points were given, and what trials there are."""
    from pose3d.io.files import require_file
    from pose3d.project import Session
    from pose3d.project.edits import EditsPlace, locate_edits

    if path.is_dir():
        session = Session.load(path)
        names = [*session.trials(), *session.imported()]
        alone = [each.trial for each in map(locate_edits, session.recordings())]
        return EditsPlace(session.edits_toml, ""), tuple(dict.fromkeys([*(each.name for each in names), *alone]))
    if path.suffix.lower() == ".csv":
        require_file(path, "csv of points")
        return locate_edits(path), ()
    require_file(path, "file of edits")
    return EditsPlace(path, ""), ()


def _one_trial(trial: str, names: tuple[str, ...], path: Path) -> str:
    """Return the trial that is changed: it must be one, and there."""
    if not trial and len(names) == 1:
        return names[0]
    if not trial or (names and trial not in names):
        there = f"there is {', '.join(names)}" if names else f"{path} has none"
        raise typer.BadParameter(f"{f'no trial {trial!r}; ' if trial else 'name one; '}{there}", param_hint="--trial")
    return trial


def _frames(text: str, option: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no stretch: FIRST-LAST, such as 120-140, is needed", param_hint=option)
    return int(match[1]), int(match[2] or match[1])


def _event(text: str, n_times: int, option: str) -> tuple[str, str, list[float]]:
    parts = [part.strip() for part in text.split(",")]
    try:
        times = [float(part) for part in parts[2:]]
    except ValueError:
        times = []
    if len(parts) != 2 + n_times or len(times) != n_times:
        example = "L,strike,1.52,1.48" if n_times == 2 else "L,strike,1.52"
        raise typer.BadParameter(f"{text!r} is no event: {example} is needed, times in s", param_hint=option)
    return parts[0], parts[1], times
