"""Tables of a rehabilitation report that people read."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.changes import Trend, minimal_detectable_change
from pose3d.kinematics.exercises import QUANTITIES, Exercise, ExercisePart, ExerciseStudy, Quantity, RepetitionSummary

from .document import Cell, Flag, Table
from .gait_words import number_text, readable
from .rehab_facts import PARTS, ExerciseRecording, RehabContents

__all__ = [
    "phase_words",
    "progress_table",
    "recording_table",
    "repetition_table",
    "summary_table",
    "trend_table",
]

_FLAGS: dict[str, Flag] = {"l": "left", "r": "right"}


def phase_words(exercise: Exercise, quantity: Quantity) -> str:
    """Return what people call a number of a repetition, and its unit."""
    words = {"time": "whole repetition", **dict(zip(("out", "hold", "back"), exercise.phases, strict=True))}
    unit = "°" if quantity.unit == "deg" else quantity.unit
    return f"{readable(words.get(quantity.name, quantity.name))}, {unit}"


def _places(quantity: Quantity) -> int:
    return 1 if quantity.unit == "deg" else 2


def _signed(value: float, places: int) -> str:
    text = number_text(value, places)
    return f"+{text}" if np.isfinite(value) and value > 0 else text


def _range(low: float, high: float, places: int) -> str:
    return (
        f"[{number_text(low, places)}, {number_text(high, places)}]" if np.isfinite(low) and np.isfinite(high) else ""
    )


def recording_table(contents: RehabContents) -> Table:
    """Return what each recording gave, and how well it was seen."""
    facts = {each.name: each for each in contents.facts.recordings}
    rows: list[tuple[Cell | str, ...]] = []
    for each in contents.recordings:
        study, fact = each.study, facts.get(each.name)
        seen = None if fact is None else fact.coverage
        numbers = [np.nan] * 5
        if seen is not None:
            known = (seen.n_cameras, seen.error_px, seen.sd_mm, 100 * seen.filled, 100 * seen.missing)
            numbers = [_mean(values) for values in known]
        rows.append(
            (
                each.name,
                readable(study.exercise.name),
                "–" if fact is None else Cell(f"{fact.duration_s:.1f}", fact.duration_s),
                Cell(f"{study.fps:g}", study.fps),
                Cell(str(study.count), study.count, flag="" if study.count else "warn"),
                Cell(str(study.aborted), study.aborted),
                Cell(str(study.cut_off), study.cut_off, flag="warn" if study.cut_off else ""),
                *(Cell(number_text(value, 1), value) for value in numbers),
            )
        )
    header = ("recording", "exercise", "s", "frames/s", "counted", "broken off", "cut off")
    return Table(
        (*header, "views", "off, px", "SD, mm", "filled, %", "missing, %"),
        tuple(rows),
        alignment="llrrrrrrrrrr",
        title="Recordings",
        note="Cut off: movements that were not seen from rest to rest. Views: cameras that see a point, on average. "
        "Off: median distance of the points, seen by a camera, from where it saw them. SD: median expected error of a "
        "point in space. Filled: by the neighbouring frames. All are means over the keypoints.",
        name="recordings",
    )


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def summary_table(study: ExerciseStudy) -> Table:
    """Return what the whole repetitions have in common."""
    rows: list[tuple[Cell | str, ...]] = []
    leading = {part.name for part in study.leading}
    sides = {name for name in study.parts if name != "both"} or leading
    for quantity in QUANTITIES:
        for part in study.parts.values():
            if part.name in (leading if quantity.name not in ("range", "peak") else sides):
                rows.append(_summary_row(study, quantity, part))
    return Table(
        ("", "side", "mean ± SD", "95 % interval of the mean", "CV, %", "n", "change each repetition ± SE"),
        tuple(rows),
        alignment="llrrrrr",
        note="SD and CV: between repetitions. The interval of the mean: how much repetitions differ, and what cameras "
        "and calibration leave uncertain. Bold change: its own 95 % interval leaves out zero.",
    )


def _summary_row(study: ExerciseStudy, quantity: Quantity, part: ExercisePart) -> tuple[Cell | str, ...]:
    own, places = part.summarize(quantity.name), _places(quantity)
    spread = f" ± {number_text(own.sd, places)}" if np.isfinite(own.sd) else ""
    return (
        phase_words(study.exercise, quantity),
        Cell(PARTS[part.name], flag=_FLAGS.get(part.name, "")),
        f"{number_text(own.mean, places)}{spread}",
        _range(own.low, own.high, places) or "–",
        number_text(own.cv, 1),
        str(own.n),
        _slope(own, places),
    )


def _slope(own: RepetitionSummary, places: int) -> Cell:
    tired = own.fatigue
    if not np.isfinite(tired.se):
        return Cell("–")
    text = f"{_signed(tired.slope, places + 1)} ± {number_text(tired.se, places + 1)}"
    return Cell(text, flag="strong" if tired.real else "soft")


def repetition_table(recordings: tuple[ExerciseRecording, ...]) -> Table:
    """Return every repetition, those broken off too."""
    rows: list[tuple[Cell | str, ...]] = []
    exercise = recordings[0].study.exercise
    for each in recordings:
        for part in each.study.leading:
            own = part.repetitions
            for i in range(len(own)):
                flag: Flag = "soft" if own.aborted[i] else ""
                sides = [each.study.parts.get(name) if part.name in ("both", name) else None for name in "lr"]
                tempo = [number_text(float(v[i]), 2) for v in (own.out_time_s, own.hold_time_s, own.back_time_s)]
                cells = [
                    each.name,
                    f"{i + 1}" if part.name == "both" else f"{PARTS[part.name]} {i + 1}",
                    f"{number_text(float(own.start_s[i]), 2)} – {number_text(float(own.end_s[i]), 2)}",
                    *(_with_interval(side, i) for side in sides),
                    *tempo,
                    "broken off" if own.aborted[i] else "",
                ]
                rows.append(tuple(Cell(cell, flag=flag) for cell in cells))
    words = [f"{word}, s" for word in exercise.phases]
    return Table(
        ("recording", "no.", "from – to, s", "range left, °", "range right, °", *words, ""),
        tuple(rows),
        alignment="llrrrrrrl",
        title="Every repetition",
        note="In brackets the 95 % interval of the measurement, where there are samples.",
    )


def _with_interval(part: ExercisePart | None, i: int) -> str:
    if part is None:
        return ""
    each = part.values["range"][i]
    return f"{number_text(float(each.value), 1)} {_range(float(each.low), float(each.high), 1)}".strip()


def progress_table(contents: RehabContents) -> Table:
    """Return what changed since the session before."""
    rows: list[tuple[Cell | str, ...]] = []
    for each in contents.progress:
        places = _places(each.quantity)
        change = each.change
        if change is None:
            verdict, sem = Cell("cannot be told: no SEM", flag="soft"), "–"
        else:
            verdict = Cell("a change", flag="strong") if change.real else Cell("not told from error", flag="soft")
            sem = number_text(change.mdc / minimal_detectable_change(1.0), 2)
        rows.append(
            (
                readable(each.exercise.name),
                phase_words(each.exercise, each.quantity),
                Cell(PARTS[each.part], flag=_FLAGS.get(each.part, "")),
                f"{number_text(each.before.mean, places)} ({each.before.n})",
                f"{number_text(each.after.mean, places)} ({each.after.n})",
                _signed(each.difference, places),
                sem,
                "–" if change is None else number_text(change.mdc, places + 1),
                verdict,
            )
        )
    return Table(
        ("exercise", "", "side", "before (n)", "after (n)", "difference", "SEM", "MDC", "verdict"),
        tuple(rows),
        alignment="lllrrrrrl",
        note="Means over whole repetitions, their number in brackets. MDC: minimal detectable change, 1.96 √2 SEM; "
        "what is less may be the error of both sessions.",
    )


def trend_table(contents: RehabContents) -> Table:
    """Return the change in a week, over all sessions whose day is known."""
    rows: list[tuple[Cell | str, ...]] = []
    quantities = {each.name: each for each in QUANTITIES}
    for exercise in contents.exercises:
        for (name, part, quantity), trend in contents.trends.items():
            if name == exercise.name and quantity in ("range", "peak", "time"):
                own = quantities[quantity]
                places = _places(own) + 1
                rows.append(
                    (
                        readable(name),
                        phase_words(exercise, own),
                        Cell(PARTS[part], flag=_FLAGS.get(part, "")),
                        Cell(_signed(trend.slope, places), flag="strong" if trend.real else ""),
                        _range(trend.low, trend.high, places) or "–",
                        str(trend.n),
                        _trend_words(trend),
                    )
                )
    return Table(
        ("exercise", "", "side", "a week", "95 % interval", "sessions", ""),
        tuple(rows),
        alignment="lllrrrl",
        note="A line through the sessions' means, by least squares; its interval by Student's t takes three sessions.",
    )


def _trend_words(trend: Trend) -> str:
    if not np.isfinite(trend.low):
        return "two sessions have no interval"
    return ("rises" if trend.slope > 0 else "falls") if trend.real else "not told from zero"
