"""The rehabilitation report: quality first, then each exercise, then what changed, then what it is made from."""

import re
from collections.abc import Iterable
from pathlib import Path

from pose3d.data.names import counted
from pose3d.kinematics.exercises import QUANTITIES, Exercise, ExerciseStudy
from pose3d.kinematics.progress import Progress

from . import rehab_figures as figures
from . import rehab_tables as tables
from .document import Block, Bullets, Callout, Document, KeyValues, Page, Table, Text
from .document_files import write_document
from .film import film_picture
from .gait_page import NOT_A_DIAGNOSIS
from .gait_tables import edit_table, keypoint_table, refused_table
from .gait_words import angle_definition, readable
from .rehab_data import exercise_data
from .rehab_facts import RehabContents, angle_words, judge_exercises

__all__ = ["rehab_document", "write_rehab_report"]

_HYPHEN = re.compile(r"-(?=\d)")
_COUNTED = (
    "A repetition is a movement from rest to rest of at least 15°. One that goes less than 60 % as far as the others "
    "usually do was broken off: it is listed, and is in no mean. Where both sides move together, repetitions are found "
    "in the mean of both and each side is measured in the same ones."
)
_TEMPO = (
    "Out is from 10 % of the way to 90 %, hold is within 10 % of the turning point, back is from 90 % to 10 %. Where "
    "movements begin and end softly, their first instant is a matter of opinion, and 10 % of the way is not."
)
_INTERVALS = (
    "Interval of one repetition: with 95 % probability the truth lies in it, as far as noise, geometry, smoothing and "
    "calibration are concerned. Interval of a mean: how much repetitions differ (Student's t) as well. Keypoints that "
    "lie beside the joints in all views alike are in neither."
)
_SIDES = (
    "Differences are left minus right. A side is called weaker only where the interval leaves out zero. Symmetry "
    "index: 100 (right − left) / mean of both (Robinson 1987)."
)
_NO_SEM = (
    "There is no standard error of measurement: give repeated sessions between which nothing changed (--repeated "
    "SESSION, twice), or one with its source (--sem DEGREES --sem-source TEXT)."
)
_MDC = (
    "Minimal detectable change: 1.96 √2 SEM (Weir 2005). SEM is the standard error of one session's number: the root "
    "mean square within sessions of a person between which nothing changed (Bland & Altman 1996), or as a paper gives "
    "it; its source stands with the numbers."
)


def write_rehab_report(
    contents: RehabContents, folder: str | Path, *, pdf: bool = True, stem: str = "rehab"
) -> tuple[Path, ...]:
    """Write the report: ``rehab.html``, ``rehab.pdf``, ``rehab.xlsx`` and a ``rehab-<table>.csv`` for each table.

    The same contents give the same bytes.

    Parameters
    ----------
    contents : RehabContents
    folder : path
    pdf : bool
    stem : str
        What the files' names begin with.

    Raises
    ------
    Pose3DError
        If a file cannot be written.
    """
    return write_document(rehab_document(contents), folder, stem, pdf=pdf)


def rehab_document(contents: RehabContents) -> Document:
    """Make the report's pages.

    Parameters
    ----------
    contents : RehabContents
    """
    facts = contents.facts
    pages = [Page("Quality", tuple(_quality(contents)))]
    for exercise in contents.exercises:
        pages.append(Page(readable(exercise.name), tuple(_exercise(contents, exercise))))
        numbers = tuple(_numbers(contents, exercise))
        if numbers:
            pages.append(Page(f"{readable(exercise.name)}: numbers", numbers))
    if contents.before is not None:
        pages.append(Page("Before and after", tuple(_progress(contents))))
    if len(contents.sessions) > 1:
        pages.append(Page("Over the sessions", tuple(_trend(contents))))
    pages.append(Page("Definitions, settings and sources", tuple(_sources(contents))))
    told = [facts.subject, f"session {facts.session}", facts.date, counted(len(contents.recordings), "recording")]
    return Document(
        "Rehabilitation report",
        ", ".join(part for part in told if part),
        tuple(pages),
        facts.subject or facts.session,
        exercise_data(contents),
    )


def _quality(contents: RehabContents) -> Iterable[Block]:
    facts = contents.facts
    yield judge_exercises(contents)
    yield KeyValues(_who(contents), 2)
    yield tables.recording_table(contents)
    refused = refused_table(facts)
    if refused is not None:
        yield refused
    if facts.recordings:
        yield keypoint_table(facts)
    yield Text(NOT_A_DIAGNOSIS, kind="note")


def _who(contents: RehabContents) -> tuple[tuple[str, str], ...]:
    facts = contents.facts
    rates = sorted({f"{recording.fps:g}" for recording in facts.recordings}, key=float)
    length = sum(recording.duration_s for recording in facts.recordings)
    rows = [
        ("Subject", facts.subject or "no code given"),
        ("Session", facts.session),
        ("Date", facts.date),
        ("Recordings", f"{counted(len(facts.recordings), 'recording')}, {length:.0f} s"),
        ("Cameras", f"{len(facts.cameras)}: {', '.join(facts.cameras)}" if facts.cameras else "not known"),
        ("Frame rate", f"{' and '.join(rates)} frames per second" if rates else ""),
        ("Calibration", facts.calibration),
        ("Joint angles", "; ".join(dict.fromkeys(each.angles for each in facts.recordings))),
        ("Error bars", "; ".join(dict.fromkeys(each.intervals or "none" for each in facts.recordings))),
        ("Compared with", contents.before.name if contents.before is not None else "no other session"),
    ]
    return tuple((name, text) for name, text in rows if text)


def _exercise(contents: RehabContents, exercise: Exercise) -> Iterable[Block]:
    recordings = contents.of(exercise)
    for each in recordings:
        yield _verdict(each.study, each.name if len(recordings) > 1 else "")
        if each.film is not None:
            yield film_picture(each.film)
        yield figures.time_picture(each)
    overlay, dots = figures.overlay_picture(recordings), figures.repetition_picture(recordings)
    if overlay is None or dots is None:
        return
    yield Text("Repetitions over each other", kind="heading")
    yield overlay
    yield dots
    notes = (
        "Upright bars: 95 % intervals of the measurement. " if any(each.study.n_samples for each in recordings) else ""
    )
    yield Text(f"{notes}Horizontal lines: means of the whole repetitions. Hollow or pale: broken off.", kind="note")


def _numbers(contents: RehabContents, exercise: Exercise) -> Iterable[Block]:
    recordings = contents.of(exercise)
    if not any(len(part.repetitions) for each in recordings for part in each.study.leading):
        return
    for each in recordings:
        if each.study.count:
            yield Text("Means" + (f", {each.name}" if len(recordings) > 1 else ""), kind="heading")
            yield tables.summary_table(each.study)
    yield tables.repetition_table(recordings)


def _verdict(study: ExerciseStudy, name: str) -> Callout:
    """Say in a box how many repetitions there are, and whether the sides differ."""
    counts = " and ".join(
        f"{part.repetitions.count}{'' if part.name == 'both' else ' ' + {'l': 'left', 'r': 'right'}[part.name]}"
        for part in study.leading
    )
    lines = []
    for quantity in ("range", "peak"):
        found = study.compare(quantity)
        if found is not None:
            index = f" Symmetry index {found.index:+.1f} %.".replace("-", "−") if found.index == found.index else ""
            verb = study.exercise.verb if quantity == "range" else "peaks"
            sentence = _HYPHEN.sub("−", found.sentence(verb, "°").replace(" °", "°"))
            lines.append(f"{readable(quantity)}: {sentence}.{index}")
    more = [f"{study.aborted} broken off"] if study.aborted else []
    more += [f"{study.cut_off} cut off"] if study.cut_off else []
    headline = f"{name + ': ' if name else ''}{counts} {'repetition' if study.count == 1 else 'repetitions'}"
    headline += f" of {angle_words(study.exercise)}" + (f" ({', '.join(more)})" if more else "")
    return Callout("plain" if study.count else "warn", headline, tuple(lines))


def _progress(contents: RehabContents) -> Iterable[Block]:
    before = contents.before
    assert before is not None
    if not contents.progress:
        yield Text(
            f"Session {before.name} has no exercise with repetitions that this one has too: nothing is compared."
        )
        return
    changes = [each for each in contents.progress if each.change is not None]
    ranges = [each for each in changes if each.quantity.name == "range"]
    if not changes:
        yield Callout(
            "warn",
            "Whether anything changed cannot be told",
            (_NO_SEM,),
        )
    else:
        real = [each for each in ranges if each.change is not None and each.change.real]
        lines = tuple(_change_words(each) for each in real)
        headline = f"{len(real)} of {len(ranges)} ranges changed by more than the error of both sessions"
        yield Callout("plain", headline, lines)
    picture = figures.progress_picture(contents.progress)
    if picture is not None:
        yield picture
    yield tables.progress_table(contents)
    if contents.sem_source:
        yield Text("Where the standard errors come from", kind="heading")
        yield Text(f"{contents.sem_source}.")


def _change_words(each: Progress) -> str:
    side = {"l": "left", "r": "right"}.get(each.part, "both sides")
    limit = float("nan") if each.change is None else each.change.mdc
    told = f"{each.before.mean:.1f}° before, {each.after.mean:.1f}° after: {each.difference:+.1f}°"
    return f"{readable(each.exercise.name)}, {side}: {told}, and {limit:.1f}° can be detected.".replace("-", "−")


def _trend(contents: RehabContents) -> Iterable[Block]:
    picture = figures.trend_picture(contents.sessions, contents.exercises)
    if picture is not None:
        yield picture
        yield Text("Bars: SD between repetitions.", kind="note")
    yield tables.trend_table(contents)
    first = contents.sessions[0].day or 0.0
    rows = tuple((each.name, f"{(each.day or 0.0) - first:.0f}") for each in contents.sessions)
    yield Table(("session", "day"), rows, title="Sessions")


def _sources(contents: RehabContents) -> Iterable[Block]:
    facts = contents.facts
    keypoints = any("keypoint" in recording.angles for recording in facts.recordings)
    yield Text("Numbers of a repetition", kind="heading")
    yield KeyValues(tuple((readable(each.name), f"{each.definition}.") for each in QUANTITIES), columns=2)
    yield Text("Angles", kind="heading")
    angles = dict.fromkeys(exercise.angle for exercise in contents.exercises)
    yield KeyValues(tuple((readable(name), angle_definition(name, from_keypoints=keypoints)) for name in angles))
    yield Text("How numbers are made", kind="heading")
    yield Bullets((_COUNTED, _TEMPO, _INTERVALS, _SIDES, _MDC))
    yield Text("Settings", kind="heading")
    yield KeyValues((*facts.settings, ("Software", f"pose3d {facts.version}".strip())), columns=2)
    edited = edit_table(facts)
    if edited is not None:
        yield edited
    if facts.recordings:
        yield Table(
            ("file", "frames", "sha256"),
            tuple((each.file, str(each.n_frames), each.sha256) for each in facts.recordings),
            alignment="lrl",
            title="Files",
            name="files",
        )
    yield Text(NOT_A_DIAGNOSIS, kind="note")
