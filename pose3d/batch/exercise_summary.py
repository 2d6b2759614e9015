"""An exercise for people, for programs and for spreadsheets."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pose3d.kinematics.exercises import QUANTITIES, ExercisePart, ExerciseStudy, Quantity

__all__ = ["REPETITION_COLUMNS", "exercise_lines", "exercise_rows", "exercise_summary"]

_PARTS = {"both": "both", "l": "left", "r": "right"}
REPETITION_COLUMNS: tuple[str, ...] = (
    *("exercise", "part", "repetition", "counted", "start_s", "turn_s", "end_s"),
    *(f"{each.name}_{each.unit}{end}" for each in QUANTITIES for end in ("", "_low", "_high")),
)
"""Columns of :func:`exercise_rows`."""

_SHOWN = {"range": ("both", "l", "r"), "peak": ("both", "l", "r")}


def exercise_lines(study: ExerciseStudy) -> tuple[str, ...]:
    """Say what was measured to people."""
    if not len(study.leading[0].repetitions) and study.count == 0:
        cut = f"; {study.cut_off} movements were not seen from rest to rest" if study.cut_off else ""
        return (f"{study.exercise.name}: no repetition of {study.exercise.angle}{cut}",)
    lines = [_count_line(study)]
    lines.append(f"{'':16}{'mean ± SD':>16}{'95 % interval':>20}{'CV':>8}{'each repetition':>20}")
    for quantity in QUANTITIES:
        for part in study.parts.values():
            if part.name in _SHOWN.get(quantity.name, ()) or part in study.leading:
                lines.append(_summary_line(study, quantity, part))
    found = study.compare()
    if found is not None:
        index = f"; symmetry index {found.index:+.1f} %" if np.isfinite(found.index) else ""
        lines.append(f"range: {found.sentence(study.exercise.verb)}{index}")
    lines += _repetition_lines(study)
    return tuple(lines)


def _count_line(study: ExerciseStudy) -> str:
    counts = " and ".join(
        f"{part.repetitions.count}{'' if part.name == 'both' else ' ' + _PARTS[part.name]}" for part in study.leading
    )
    word = "repetition" if study.count == 1 else "repetitions"
    extra = [f"{study.aborted} broken off"] if study.aborted else []
    extra += [f"{study.cut_off} not seen from rest to rest, not counted"] if study.cut_off else []
    return f"{study.exercise.name}: {counts} {word}" + "".join(f", {each}" for each in extra)


def _label(study: ExerciseStudy, quantity: Quantity) -> str:
    words = dict(zip(("out", "hold", "back"), study.exercise.phases, strict=True))
    return words.get(quantity.name, quantity.name)


def _summary_line(study: ExerciseStudy, quantity: Quantity, part: ExercisePart) -> str:
    own = part.summarize(quantity.name)
    digits = 1 if quantity.unit == "deg" else 2
    side = "" if part.name == "both" else f" {_PARTS[part.name]}"
    label = f"{_label(study, quantity)}{side}, {quantity.unit}"
    spread = f" ± {own.sd:.{digits}f}" if np.isfinite(own.sd) else ""
    middle = f"{own.mean:.{digits}f}{spread}" if own.n else "-"
    ends = f"{own.low:.{digits}f} to {own.high:.{digits}f}" if np.isfinite(own.low) else "-"
    cv = f"{own.cv:.1f} %" if np.isfinite(own.cv) else "-"
    tired = own.fatigue
    slope = f"{tired.slope:+.{digits + 1}f} ± {tired.se:.{digits + 1}f}" if np.isfinite(tired.se) else "-"
    return f"{label:16}{middle:>16}{ends:>20}{cv:>8}{slope:>20}"


def _repetition_lines(study: ExerciseStudy) -> Iterator[str]:
    out, hold, back = study.exercise.phases
    for part in study.leading:
        own = part.repetitions
        side = "" if part.name == "both" else f"{_PARTS[part.name]} "
        sides = [study.parts[name] for name in ("l", "r") if name in study.parts] if part.name == "both" else [part]
        for i in range(len(own)):
            ranges = ", ".join(f"{_PARTS[each.name]} {_with_interval(each, i)}" for each in sides)
            tempo = f"{out} {own.out_time_s[i]:.2f}, {hold} {own.hold_time_s[i]:.2f}, {back} {own.back_time_s[i]:.2f} s"
            broken = "; broken off, not counted" if own.aborted[i] else ""
            yield f"  {side}{i + 1}: {own.start_s[i]:.2f} to {own.end_s[i]:.2f} s, {ranges} deg, {tempo}{broken}"


def _with_interval(part: ExercisePart, i: int) -> str:
    each = part.values["range"][i]
    ends = f" [{float(each.low):.1f}, {float(each.high):.1f}]" if each.is_known else ""
    return f"{float(each.value):.1f}{ends}"


def exercise_rows(study: ExerciseStudy) -> Iterator[dict[str, str | bool | float]]:
    """Give a row for each repetition of each part, with units in the columns' names and the intervals beside."""
    for part in study.parts.values():
        own = part.repetitions
        for i in range(len(own)):
            row: dict[str, str | bool | float] = {
                "exercise": study.exercise.name,
                "part": _PARTS[part.name],
                "repetition": i + 1,
                "counted": not bool(own.aborted[i]),
                "start_s": float(own.start_s[i]),
                "turn_s": float(own.peak_s[i]),
                "end_s": float(own.end_s[i]),
            }
            for quantity in QUANTITIES:
                each = part.values[quantity.name]
                name = f"{quantity.name}_{quantity.unit}"
                row[name] = float(each.value[i])
                row[f"{name}_low"], row[f"{name}_high"] = float(each.low[i]), float(each.high[i])
            yield row


def exercise_summary(study: ExerciseStudy) -> dict[str, Any]:
    """Say what was measured to programs; what is not known is NaN."""
    found = study.compare()
    return {
        "exercise": study.exercise.name,
        "angle": study.exercise.angle,
        "repetitions": study.count,
        "aborted": study.aborted,
        "cut_off": study.cut_off,
        "samples": study.n_samples,
        "parts": {_PARTS[name]: _part_summary(part) for name, part in study.parts.items()},
        "left_minus_right": None if found is None else {"range_deg": {**vars(found), "real": found.real}},
        "each": list(exercise_rows(study)),
    }


def _part_summary(part: ExercisePart) -> Mapping[str, Any]:
    out = {}
    for quantity in QUANTITIES:
        own = part.summarize(quantity.name)
        out[f"{quantity.name}_{quantity.unit}"] = {
            "mean": own.mean,
            "sd": own.sd,
            "cv_percent": own.cv,
            "low": own.low,
            "high": own.high,
            "n": own.n,
            "slope_per_repetition": own.fatigue.slope,
            "slope_se": own.fatigue.se,
        }
    return out
